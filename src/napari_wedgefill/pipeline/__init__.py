"""One fill: from a tilt series to the volumes of every method, slab by slab."""

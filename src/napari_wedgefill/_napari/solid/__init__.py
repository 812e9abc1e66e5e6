"""Volumes in three dimensions: isosurfaces, objects, and a turning picture."""

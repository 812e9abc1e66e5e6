"""Quality of every method on objects and data that training never drew: `make quality`."""

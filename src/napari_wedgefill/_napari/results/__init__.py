"""The Results window."""

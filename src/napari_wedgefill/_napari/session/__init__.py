"""Saving what is open in a window, and opening it again."""

"""The Compare window: orthoslices of every method under one crosshair."""

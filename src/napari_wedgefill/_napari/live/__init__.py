"""Watching a folder while the microscope writes a tilt series into it."""

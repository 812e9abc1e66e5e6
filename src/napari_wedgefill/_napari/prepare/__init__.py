"""The Prepare page of the dock: from the raw tilts to a series worth filling."""

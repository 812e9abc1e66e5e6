"""The Fill wedge dock."""

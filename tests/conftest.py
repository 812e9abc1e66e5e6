"""Settings of every test."""

from hypothesis import settings

# Shared machines stall: a deadline would test them. Examples repeat, so that a failure does too.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A busy machine is no failure; what takes too long for good is ended by pytest-timeout.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

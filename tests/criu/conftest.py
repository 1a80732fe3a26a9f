"""What the tests of the images share."""

from __future__ import annotations

from hypothesis import settings

# a busy machine must not fail a test: how long an example takes is not what is tested
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

"""A timing never decides a test: Hypothesis sets no deadlines here."""

from hypothesis import settings

settings.register_profile("timeless", deadline=None)
settings.load_profile("timeless")

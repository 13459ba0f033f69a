"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# How quick this machine is just now says nothing about what is tested.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

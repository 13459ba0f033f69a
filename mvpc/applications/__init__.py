"""Specialist applications (Fachverfahren), `inventory/applications/NAME.yml`, and who cannot move because of them.

One application that runs on one system only can decide the system of a whole authority. So each has an owner, the
systems that it supports, and for each of them the version that was tested, and when.
"""

from __future__ import annotations

from mvpc.applications.application import SYSTEM, Application, Need, Support
from mvpc.applications.readiness import Blocked, Obstacle, Readiness, readiness
from mvpc.applications.reading import FOLDER, load_applications

__all__ = [
    "FOLDER",
    "SYSTEM",
    "Application",
    "Blocked",
    "Need",
    "Obstacle",
    "Readiness",
    "Support",
    "load_applications",
    "readiness",
]

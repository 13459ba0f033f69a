"""Decide who changes, what and why, and who does not and why. Pure: no I/O, no clock."""

from __future__ import annotations

from mvpc.plan.making import Thoroughness, basis, is_proven, make_plan, not_managed, proofs, waiting
from mvpc.plan.subject import Subject
from mvpc.plan.versions import missing_versions

__all__ = [
    "Subject",
    "Thoroughness",
    "basis",
    "is_proven",
    "make_plan",
    "missing_versions",
    "not_managed",
    "proofs",
    "waiting",
]

"""Decide who changes, what and why, and who does not and why. Pure: no I/O, no clock."""

from __future__ import annotations

from mvpc.plan.making import Thoroughness, basis, make_plan, not_managed, proofs, waiting
from mvpc.plan.subject import Subject

__all__ = ["Subject", "Thoroughness", "basis", "make_plan", "not_managed", "proofs", "waiting"]

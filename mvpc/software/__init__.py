"""What software laptops shall have, what they are asked about it, and what their answers add up to. Pure.

questions  what one laptop shall have, and is asked
missing    what it cannot have, since its operating system does not
pins       which exact versions hold on it
proving    which versions a ring proves for the next one
trial      what the answers of many add up to
"""

from __future__ import annotations

from mvpc.software.pins import Pin, pins
from mvpc.software.proving import Prover, proven_versions
from mvpc.software.questions import (
    Questions,
    ServiceQuestion,
    SoftwareQuestion,
    Wish,
    question,
    service_questions,
    wishes,
)

__all__ = [
    "Pin",
    "Prover",
    "Questions",
    "ServiceQuestion",
    "SoftwareQuestion",
    "Wish",
    "pins",
    "proven_versions",
    "question",
    "service_questions",
    "wishes",
]

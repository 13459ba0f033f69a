"""What software laptops shall have, what they are asked about it, and what their answers add up to. Pure.

questions  what one laptop shall have, and is asked
trial      what the answers of many add up to
"""

from __future__ import annotations

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
    "Questions",
    "ServiceQuestion",
    "SoftwareQuestion",
    "Wish",
    "question",
    "service_questions",
    "wishes",
]

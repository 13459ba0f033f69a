"""What software laptops shall have, what they are asked about it, and what their answers add up to. Pure."""

from __future__ import annotations

from mvpc.software.questions import SoftwareQuestion, Wish, question, wishes
from mvpc.software.trial import Asked, LaptopSoftware, ProductFigures, State, Trial, trial

__all__ = [
    "Asked",
    "LaptopSoftware",
    "ProductFigures",
    "SoftwareQuestion",
    "State",
    "Trial",
    "Wish",
    "question",
    "trial",
    "wishes",
]

"""What software laptops shall have, what they are asked about it, and what their answers add up to. Pure.

questions  what one laptop shall have, and is asked
trial      what the answers of many add up to
"""

from __future__ import annotations

from mvpc.software.questions import SoftwareQuestion, Wish, question, wishes

__all__ = ["SoftwareQuestion", "Wish", "question", "wishes"]

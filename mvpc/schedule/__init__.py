"""When a rollout may touch laptops: texts into a `Schedule`, and that into a decision. Pure, without a clock."""

from __future__ import annotations

from mvpc.schedule.deciding import Decision, Turn, decide, is_open
from mvpc.schedule.reading import Limits, default_problems, from_data, read_schedule, to_data
from mvpc.schedule.words import schedule_words, window_words

__all__ = [
    "Decision",
    "Limits",
    "Turn",
    "decide",
    "default_problems",
    "from_data",
    "is_open",
    "read_schedule",
    "schedule_words",
    "to_data",
    "window_words",
]

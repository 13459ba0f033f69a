"""How devices came out: a device is as well off as the worst of its components. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TypeVar

from mvpc.model import Outcome

D = TypeVar("D")


def worst_of_each(outcomes: Iterable[tuple[D, Outcome]]) -> dict[D, Outcome]:
    """Device -> its worst outcome, from pairs of device and outcome."""
    order = tuple(Outcome)
    worst: dict[D, Outcome] = {}
    for device, outcome in outcomes:
        worst[device] = max(worst.get(device, Outcome.UNCHANGED), outcome, key=order.index)
    return worst


def count_worst(outcomes: Iterable[tuple[object, Outcome]]) -> dict[Outcome, int]:
    """Number of devices by their worst outcome, from pairs of device and outcome."""
    return dict(Counter(worst_of_each(outcomes).values()))

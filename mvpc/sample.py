"""The sample: unchanged laptops that a rollout walks in full all the same, since digests and probes could lie. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from mvpc.model import ComponentResult, Outcome, Plan


def draw(hostnames: Sequence[str], *, percent: float, salt: str) -> tuple[str, ...]:
    """The laptops that are in the sample, in the given order.

    Args:
        hostnames: laptops that have just proved to be unchanged.
        percent: share that is drawn, rounded to the nearest laptop: 1 % of 50 are one, and of fewer are none, so that
            the cost stays in proportion; 0 draws nobody.
        salt: the same salt draws the same laptops.
    """
    number = int(len(hostnames) * percent / 100 + 0.5)
    drawn = set(sorted(hostnames, key=lambda name: hashlib.sha256(f"{salt}\0{name}".encode()).digest())[:number])
    return tuple(name for name in hostnames if name in drawn)


def surprises(plan: Plan, results: Iterable[ComponentResult]) -> tuple[ComponentResult, ...]:
    """Results of the sample that should not be: something was changed where nothing should have differed."""
    sample = set(plan.sample)
    return tuple(each for each in results if each.device in sample and each.outcome is Outcome.CHANGED)

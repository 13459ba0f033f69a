"""Which central services laptops reach, in words. Loads nothing that `mvpc status LAPTOP` does not need anyway."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from mvpc.cli.words import ago, local
from mvpc.model import Reachability, ServiceSeen

COLUMNS = ("service", "reachable", "not reachable", "unknown", "why not", "oldest answer")


def service_lines(services: Sequence[ServiceSeen], now: datetime) -> Iterator[tuple[str, bool]]:
    """Lines of a laptop's screen, and whether each is good news: one for all that is reachable, one for each other."""
    if good := [each for each in services if each.is_reachable]:
        names = ", ".join(each.name for each in good)
        yield f"{names} reachable (asked {ago(min(each.at for each in good), now)})", True
    for each in services:
        if each.state is Reachability.UNASKED:
            yield f"{each.name} unknown: {each.why}", False
        elif not each.is_reachable:
            asked = f"asked {ago(each.at, now)}"
            yield f"{each.name} NOT reachable since {local(each.since)}: {each.why} ({asked})", False


def service_counts(states: Iterable[ServiceSeen]) -> list[dict[str, Any]]:
    """How many laptops reach each service, by name; and why others do not."""
    found: dict[str, list[ServiceSeen]] = {}
    for each in states:
        found.setdefault(each.product, []).append(each)
    return sorted((_counts(each) for each in found.values()), key=lambda row: str(row["name"]))


def service_row(counts: Mapping[str, Any], now: datetime) -> list[object]:
    """One service as a row of the table with `COLUMNS`."""
    why = ", ".join(f"{words} × {number}" for words, number in counts["why"].items())
    numbers = (counts[key] or "" for key in ("reachable", "not_reachable", "unknown"))
    return [counts["name"], *numbers, why, ago(counts["oldest"], now)]


def _counts(states: Sequence[ServiceSeen]) -> dict[str, Any]:
    away = [each for each in states if not each.is_reachable and each.state is not Reachability.UNASKED]
    good = sum(each.is_reachable for each in states)
    return {
        "product": states[0].product,
        "name": states[0].name,
        "reachable": good,
        "not_reachable": len(away),
        "unknown": len(states) - good - len(away),
        "why": dict(Counter(each.reason for each in away).most_common()),
        "oldest": min(each.at for each in states),
    }

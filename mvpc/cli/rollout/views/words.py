"""How far a rollout has come, in the words that the live view and the plain lines share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from mvpc.cli.words import count, span
from mvpc.model import Outcome
from mvpc.progress import Progress, RingShare, Stage

SHOWN = (
    Outcome.CHANGED,
    Outcome.FAILED,
    Outcome.ROLLED_BACK,
    Outcome.NEEDS_REPAIR,
    Outcome.DEFERRED,
    Outcome.UNREACHABLE,
)


def outcomes(counts: Counter[Outcome]) -> str:
    """`20 changed · 1 failed · 3 unreachable`; what nobody came to is left out."""
    return " · ".join(f"{counts[each]} {named(each)}" for each in SHOWN if counts[each])


def named(outcome: Outcome) -> str:
    """The outcome in words."""
    return outcome.replace("_", " ")


def stage(ring: RingShare) -> str:
    """What a ring is doing, or how it came out."""
    if ring.skipped:
        return "through before"
    if ring.stage is Stage.ASKING:
        return f"asking {count(ring.asked, 'laptop')} for proof"
    held = "held · " if ring.stage is Stage.HELD else ""
    proved = ring.stage in {Stage.VERIFIED, Stage.HELD}
    words = f"{held}{ring.verified} verified" if proved else ring.stage.value
    return " · ".join(filter(None, (words, outcomes(_trouble(ring.outcomes)))))


def pace(progress: Progress, now: datetime) -> str:
    """`24/min · about 16 min left`; empty where it is too soon to tell."""
    return " · ".join(_pace(progress, now))


def _pace(progress: Progress, now: datetime) -> Iterator[str]:
    if not (rate := progress.rate(now)):
        return
    yield f"{rate:.0f}/min" if rate >= 10 else f"{rate:.1f}/min"
    if left := progress.remaining(now):
        yield f"about {_roughly(left)} left"


def _roughly(left: timedelta) -> str:
    """To the minute where it is several: nobody knows better."""
    minutes = round(left / timedelta(minutes=1))
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{minutes} min" if minutes >= 2 else span(max(left, timedelta(seconds=1)))


def _trouble(counts: Counter[Outcome]) -> Counter[Outcome]:
    return Counter({each: number for each, number in counts.items() if each.is_bad or each.waits})

"""A rollout as plain lines, for logs and pipes: one for each result that matters, and now and then one that sums up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from rich.console import Console
from rich.text import Text

from mvpc.cli.console import BAD, OK, WARN
from mvpc.cli.rollout.views import words
from mvpc.cli.words import count
from mvpc.model import ComponentResult, Outcome, ResultsStored, RingBegun, RingVerified, RolloutBegun, RolloutEvent
from mvpc.progress import Progress
from mvpc.text import safe

_EVERY = timedelta(seconds=10)
"""At most so often a line sums up."""
_MANY = 200
"""Above so many laptops, only failures have lines of their own."""


class PlainLines:
    """Prints lines without escape codes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress()
        self._each = True
        self._ring = ""
        self._summed_up: datetime | None = None

    def observe(self, event: RolloutEvent) -> None:
        """Print what of it matters."""
        self._progress.observe(event)
        match event:
            case RolloutBegun():
                self._each = len(event.plan.ressorts) <= _MANY
            case RingBegun():
                self._ring, self._summed_up = event.ring, event.at
                self._begin_ring(event)
            case ResultsStored():
                self._print_results(event.results)
                self._sum_up(event.at)
            case RingVerified():
                self._print_ring(event.ring)

    def _begin_ring(self, event: RingBegun) -> None:
        ring = self._progress.rings[event.ring]
        if len(self._progress.rings) > 1:
            proved = len(event.work) < ring.total
            left = f", {len(event.work)} to converge" if proved else ""
            self._say(f"Ring {ring.name}: {count(ring.total, 'device')}{left}")

    def _print_results(self, results: Iterable[ComponentResult]) -> None:
        for result in results:
            if result.outcome.is_bad or (self._each and result.outcome is not Outcome.UNCHANGED):
                self._print_result(result)

    def _print_result(self, result: ComponentResult) -> None:
        first, *more = result.error.splitlines() or [_number(result)]
        style = BAD if result.outcome.is_bad else WARN if result.outcome.waits else OK
        self._say(
            f"  {result.device:<16}{result.component:<9} {words.named(result.outcome):<13}{first}".rstrip(), style
        )
        for line in more:
            self._say(f"      {line}", style)

    def _sum_up(self, at: datetime) -> None:
        if self._summed_up is None or at - self._summed_up < _EVERY:
            return
        self._summed_up = at
        ring = self._progress.rings[self._ring]
        parts = f"{ring.finished} of {ring.total}", words.outcomes(ring.outcomes), words.pace(self._progress, at)
        self._say(f"Ring {ring.name}: {' · '.join(filter(None, parts))}")

    def _print_ring(self, name: str) -> None:
        ring = self._progress.rings[name]
        unchanged = ring.outcomes[Outcome.UNCHANGED]
        parts = (
            words.outcomes(ring.outcomes),
            f"{unchanged} unchanged" if unchanged else "",
            f"{ring.verified} of {ring.total} verified",
        )
        self._say(f"Ring {name}: {' · '.join(filter(None, parts))}")

    def _say(self, line: str, style: str = "") -> None:
        self._console.print(Text(safe(line), style=style), soft_wrap=True)


def _number(result: ComponentResult) -> str:
    return count(len(result.changes), "change") if result.changes else ""

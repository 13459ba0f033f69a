"""One frame of the live view. Rings and pace come first, then what fits: laptops or ressorts, and failures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mvpc.cli.console import BAD, DIM, OK, WARN
from mvpc.cli.rollout.views import words
from mvpc.cli.words import count, span
from mvpc.model import ComponentResult, Outcome
from mvpc.progress import Failures, Progress, RingShare, Share, Stage
from mvpc.text import safe

COLOURS = {
    Outcome.NEEDS_REPAIR: BAD,
    Outcome.ROLLED_BACK: BAD,
    Outcome.FAILED: BAD,
    Outcome.UNREACHABLE: WARN,
    Outcome.DEFERRED: WARN,
    Outcome.CHANGED: OK,
    Outcome.UNCHANGED: OK,
}
"""The worst outcome first."""
_STAGES = {Stage.WAITING: DIM, Stage.RUNNING: "", Stage.ASKING: "", Stage.VERIFIED: OK, Stage.STOPPED: BAD}
_FEW = 8
"""Up to so many laptops, each one has a line of its own."""
_STOPPING = "what is in flight finishes; once more ends mvpc"
_SHORTEST_BAR, _LONGEST_BAR = 10, 40
_KEPT = 5
"""Lines that are kept for failures, where there are any."""


def frame(progress: Progress, *, now: datetime, width: int, height: int, stop: str = "") -> RenderableType:
    """The view as it is now; where lines are too few, less is shown.

    Args:
        progress: where the rollout stands.
        now: the present moment.
        width: columns of the terminal.
        height: lines that may be filled.
        stop: why nothing new is begun any more, where that is so.
    """
    rings = _rings(progress, max(3, height // 3))
    room = height - len(rings) - (5 if stop else 4)  # heading, pace and two empty lines
    middle = _cut(_middle(progress), room - (_KEPT if progress.failures else 0))
    parts: list[RenderableType] = [_heading(progress, now)]
    if middle:
        room -= len(middle) + 1
    if middle and middle[0].share:
        parts.append(_table([*rings, _EMPTY, *middle], width))
    else:
        parts += [_table(rings, width), *_devices(middle)]
    parts += [Text(), _pace(progress, now)]
    if stop and not progress.ended:
        parts.append(Text(f"{stop}: {_STOPPING}", style=WARN, no_wrap=True, overflow="ellipsis"))
    if progress.failures:
        parts += _failures(progress, max(room - 2, 1))
    return Group(*parts)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line with a name, a bar, numbers and words."""

    name: str
    said: Text
    share: Share | None = None


_EMPTY = _Row("", Text())


def _heading(progress: Progress, now: datetime) -> Text:
    if progress.begun is None:
        return Text("Beginning", style="bold")
    took = span((progress.ended or now) - progress.begun)
    return Text(safe(f"Rollout {progress.number} · {progress.state} · {took}"), style="bold")


def _pace(progress: Progress, now: datetime) -> Text:
    outcomes = progress.outcomes
    line = Text(f"{outcomes.total()}/{count(progress.total, 'device')}", no_wrap=True, overflow="ellipsis")
    if not progress.ended and (pace := words.pace(progress, now)):
        line.append(f" · {pace}")
    for outcome in (Outcome.DEFERRED, Outcome.UNREACHABLE):
        if outcomes[outcome]:
            line.append(f" · {outcomes[outcome]} {outcome}", style=WARN)
    return line


def _rings(progress: Progress, room: int) -> list[_Row]:
    """A line for each ring; where they are too many, those that are through go first."""
    rings = list(progress.rings.values())
    through = [ring.stage is Stage.VERIFIED for ring in rings]
    left_out = min(through.index(False) if False in through else len(rings), max(0, len(rings) - room + 1))
    before = [_Row("…", Text(f"{left_out} through", style=DIM))] if left_out else []
    return _cut([*before, *map(_ring, rings[left_out:])], room)


def _ring(ring: RingShare) -> _Row:
    return _Row(ring.name, Text(safe(words.stage(ring)), style=_STAGES.get(ring.stage, WARN)), ring)


def _middle(progress: Progress) -> list[_Row]:
    """A line for each laptop where they are few, else one for each ressort where they are several."""
    if progress.total <= _FEW:
        came = [_Row(name, _what_came(results)) for name, results in progress.results.items()]
        left = "open" if progress.ended else "under way"
        return came + [_Row(name, Text(left)) for name in progress.under_way if name not in progress.results]
    shares = [progress.ressorts[code] for code in sorted(progress.ressorts)]
    return [_Row(share.name, _counts(share), share) for share in shares] if len(shares) > 1 else []


def _what_came(results: Sequence[ComponentResult]) -> Text:
    said = Text()
    for result in results:
        number = f" ({len(result.changes)})" if result.changes else ""
        said.append(" · " if said else "")
        said.append(safe(f"{result.component} {words.named(result.outcome)}{number}"), style=COLOURS[result.outcome])
    return said


def _counts(share: Share) -> Text:
    said = Text()
    for outcome in words.SHOWN:
        if share.outcomes[outcome]:
            said.append(" · " if said else "")
            said.append(f"{share.outcomes[outcome]} {words.named(outcome)}", style=COLOURS[outcome])
    return said


def _cut(rows: list[_Row], room: int) -> list[_Row]:
    """So many rows as there is room for; the last one says how many are left out."""
    if len(rows) <= room:
        return rows
    if room < 1:
        return []
    shown = rows[: room - 1]
    return [*shown, _Row("…", Text(f"and {len(rows) - len(shown)} more", style=DIM))]


def _table(rows: Sequence[_Row], width: int) -> Table:
    length = min(_LONGEST_BAR, max(_SHORTEST_BAR, width - 70))
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, max_width=18)
    table.add_column(no_wrap=True, width=length)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, ratio=1)
    for row in rows:
        share = row.share
        bar, numbers = (_bar(share, length), f"{share.finished}/{share.total}") if share else (Text(), "")
        table.add_row(Text(safe(row.name)), bar, Text(numbers), row.said)
    return table


def _devices(rows: Sequence[_Row]) -> Iterator[RenderableType]:
    if rows:
        table = Table.grid(padding=(0, 2))
        for row in rows:
            table.add_row(Text(safe(row.name), no_wrap=True), row.said)
        yield Text()
        yield table


def _bar(share: Share, length: int) -> Text:
    """Finished laptops by outcome; whatever is there at all takes one cell at least."""
    bar = Text()
    for outcome, colour in COLOURS.items():
        number = share.outcomes[outcome]
        cells = max(number * length // max(share.total, 1), 1) if number else 0
        bar.append("━" * min(cells, length - len(bar)), style=colour)
    if share.finished < share.total:
        bar.right_crop(max(0, len(bar) - length + 1))  # never full before the end
    elif bar:
        bar.append("━" * (length - len(bar)), style=bar.spans[-1].style if bar.spans else "")
    bar.append("─" * (length - len(bar)), style=DIM)
    return bar


def _failures(progress: Progress, room: int) -> Iterator[RenderableType]:
    """Equal failures together: the latest ones first while it runs, the most frequent ones afterwards."""
    groups = list(reversed(progress.failures.values()))
    if progress.ended:
        groups.sort(key=lambda group: -group.count)
    shown = groups if len(groups) <= room else groups[: max(room - 1, 1)]
    order = "" if progress.ended else ", the latest first"
    yield Text()
    yield Text(f"{count(progress.failed, 'device')} failed{order}", style=BAD)
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=not progress.ended, ratio=1)  # the last frame has room for all of it
    table.add_column(no_wrap=True)
    for group in shown:
        line = Text(safe(group.line, limit=200), overflow="fold" if progress.ended else "ellipsis")
        table.add_row(
            Text(f"{group.count}x"), Text(safe(_what_failed(group))), line, Text(safe(_who(group)), style=DIM)
        )
    yield table
    if rest := groups[len(shown) :]:
        yield Text(f"… and {sum(group.count for group in rest)} more of {len(rest)} other kinds", style=DIM)


def _what_failed(group: Failures) -> str:
    first, *more = group.components
    return f"{first} +{len(more)}" if more else first


def _who(group: Failures) -> str:
    others = group.count - 1
    return next(iter(group.devices)) + (f" and {others} more" if others else "")

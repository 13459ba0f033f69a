"""A plan as people read it: how many, what leaves their laptops, what else changes, who is left alone and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from rich.text import Text

from mvpc.cli.console import BAD, DIM, OK, WARN, print_table, say, terminal
from mvpc.cli.words import count
from mvpc.model import Change, Edit, Gate, Plan, PlannedRing, Skip, Skipped
from mvpc.text import safe

_SKIPPED = {
    Skip.VERIFIED: ("unchanged", OK),
    Skip.RECORDED: ("unchanged", OK),
    Skip.UNREACHABLE: ("unreachable", WARN),
    Skip.REFUSED: ("refused", BAD),
    Skip.NOT_LINUX: ("not managed", ""),
    Skip.NO_HOST_KEY: ("no host key", WARN),
    Skip.NOT_IN_SERVICE: ("not in service", ""),
    Skip.OTHER_OPERATOR: ("other operator", ""),
}
_MANY = 25
"""So many lines of a kind are shown, unless everything is asked for."""
_WIDE = 120
"""From here on, places have a column of their own."""


def show_plan(plan: Plan, *, each_device: bool) -> None:
    """Print a plan; with `each_device`, every device, every authority and every change."""
    total = len(plan.devices) + len(plan.skipped)
    changing = len(plan.devices) - len(plan.sample)
    say(f"Plan {plan.hash} · {plan.scope} · {changing} of {count(total, 'device')} to change")
    if not total:
        say("The inventory has no device there; what it has: mvpc device list", style=WARN)
    most = None if each_device else _MANY
    cut = _show_counts(plan, most)
    cut |= show_work(plan, most=most)
    if each_device:
        print_table("", ["device", "component", "action", "why", "where"], _device_rows(plan))
    if cut:
        say("Everything is listed by: mvpc plan --devices", style=DIM)
    _show_rings(plan.rings)


def show_work(plan: Plan, *, most: int | None = _MANY) -> bool:
    """Print what changes, and who does not and why, in at most so many lines each; returns whether that was cut."""
    cut = _show_changes(plan, most) if plan.changes else False
    if plan.skipped:
        cut |= _show(["not touched", "devices", "why"], list(_skip_rows(plan)), most, "reasons")
    return cut


def _show(columns: Sequence[str], rows: Sequence[Sequence[object]], most: int | None, noun: str) -> bool:
    """Print a table of at most so many rows; returns whether it was cut."""
    print_table("", columns, rows[:most])
    left = len(rows) - len(rows[:most])
    if left:
        say(f"… and {left} more {noun}", style=DIM)
    return left > 0


# --- how many --------------------------------------------------------------------------------


def _show_counts(plan: Plan, most: int | None) -> bool:
    """A row for each authority, or for each ressort where there are too many; nothing where there is only one."""
    fates = {skip.device: _SKIPPED[skip.why][0] for skip in plan.skipped} | dict.fromkeys(plan.devices, "change")
    fates |= dict.fromkeys(plan.sample, "sample")
    groups: dict[tuple[str, str], Counter[str]] = {}
    for device, fate in fates.items():
        key = plan.ressorts[device].upper(), plan.authorities.get(device, "")
        groups.setdefault(key, Counter())[fate] += 1
    if len(groups) < 2:
        return False
    words = [
        word
        for word in ("change", "sample", *dict.fromkeys(word for word, _ in _SKIPPED.values()))
        if word in fates.values()
    ]
    cut = most is not None and len(groups) > most
    if cut:
        rows = [[ressort, *_numbers(counts, words)] for ressort, counts in _by_ressort(groups)]
        print_table("", ["ressort", *words], rows)
    else:
        rows = [
            [ressort, authority, *_numbers(counts, words)] for (ressort, authority), counts in sorted(groups.items())
        ]
        print_table("", ["ressort", "authority", *words], rows)
    return cut


def _by_ressort(groups: Mapping[tuple[str, str], Counter[str]]) -> Iterator[tuple[str, Counter[str]]]:
    for ressort, members in groupby(sorted(groups), key=lambda key: key[0]):
        yield ressort, sum((groups[key] for key in members), Counter[str]())


def _numbers(counts: Counter[str], words: Iterable[str]) -> list[object]:
    return [counts[word] or "" for word in words]


# --- what changes ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    """Something that happens in the same way to some laptops."""

    component: str
    what: str
    where: str = ""
    removes: bool = False


def _show_changes(plan: Plan, most: int | None) -> bool:
    counts = _lines(plan)
    order = {line: position for position, line in enumerate(counts)}
    lines = sorted(counts, key=lambda line: (not line.removes, order[line]))
    wide = terminal().width >= _WIDE
    rows = [[line.component, counts[line], *_what(line, wide=wide)] for line in lines]
    columns = ["component", "devices", "what", "where"] if wide else ["component", "devices", "what"]
    return _show(columns, rows, most, "kinds of change")


def _lines(plan: Plan) -> Counter[_Line]:
    """Line -> number of devices, in the order of the plan."""
    sample = set(plan.sample)
    kinds = Counter(
        (change.component, change.reason, change.edits, change.drift)
        for change in plan.changes
        if change.device not in sample
    )
    counts: Counter[_Line] = Counter()
    for (component, reason, edits, drift), number in kinds.items():
        for line in _lines_of(component, reason, edits, drift):
            counts[line] += number
    if sample:
        counts[_Line("all", "sample: must report no change")] = len(sample)
    return counts


def _lines_of(component: str, reason: str, edits: Sequence[Edit], drift: Sequence[str]) -> Iterator[_Line]:
    for (whole, removes), group in groupby(edits, key=lambda edit: (edit.whole, edit.removes)):
        same = list(group)
        if whole and len(same) > 1:
            sign = "-" if removes else "+"
            yield _Line(component, f"{sign} {whole}: {count(len(same), 'setting')}", same[0].source, removes)
        else:
            yield from (_Line(component, str(edit), edit.source, removes) for edit in same)
    for difference in drift:
        yield _Line(component, f"drift: {difference}")
    if not edits and not drift:
        yield _Line(component, reason)


def _what(line: _Line, *, wide: bool) -> list[object]:
    style = BAD if line.removes else ""
    if wide:
        return [Text(safe(line.what), style=style), line.where]
    where = f"  {safe(line.where)}" if line.where else ""
    return [Text.assemble((safe(line.what), style), (where, DIM))]


# --- who is left alone, and each device ------------------------------------------------------


def _skip_rows(plan: Plan) -> Iterator[list[object]]:
    oldest = min((skip.detail for skip in plan.skipped if skip.why is Skip.RECORDED), default="")
    groups = Counter((_SKIPPED[skip.why][0], _reason(skip, oldest)) for skip in plan.skipped)
    for (word, detail), number in sorted(groups.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
        yield [word, number, detail]


def _reason(skip: Skipped, oldest: str) -> str:
    """Records of many times are one reason; the oldest is the one that matters."""
    return f"not asked; {oldest} or newer" if skip.why is Skip.RECORDED else skip.detail


def _device_rows(plan: Plan) -> Iterator[list[object]]:
    yield from (_device_row(change) for change in plan.changes)
    for skip in plan.skipped:
        word, style = _SKIPPED[skip.why]
        yield [skip.device, "", Text(word, style=style), skip.detail, ""]


def _device_row(change: Change) -> list[object]:
    return [change.device, change.component, change.action, change.reason, change.source]


# --- rings -----------------------------------------------------------------------------------


def _show_rings(rings: Sequence[PlannedRing]) -> None:
    """One line where all gates are alike, else one for each ring."""
    if len(rings) < 2:
        return
    say("Rings: " + " -> ".join(f"{ring.name} {len(ring.devices)}" for ring in rings))
    if len({ring.gate for ring in rings}) == 1:
        say(f"  {_gate(rings[0].gate)}")
    else:
        for ring in rings:
            say(f"  {ring.name}: {_gate(ring.gate)}")


def _gate(gate: Gate) -> str:
    limit = f"stops above {gate.max_failed_percent:g} % or {gate.max_failed} failures"
    waits = f" · then waits {gate.wait_minutes} min" if gate.wait_minutes else ""
    person = " · then waits for a person" if gate.manual else ""
    return f"{limit} · quorum {gate.quorum_percent:g} %{waits}{person}"

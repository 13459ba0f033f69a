"""Look back at one rollout: `mvpc rollout show`. What failed comes first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mvpc.cli.console import BAD, DIM, WARN, print_json, print_table, say
from mvpc.cli.context import current_project
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import plan_as_json
from mvpc.cli.planview import show_work
from mvpc.cli.rollout.looking import NumberOrNewest, newest, rollout_as_json
from mvpc.cli.rollout.surprises import say_surprises
from mvpc.cli.words import count, local
from mvpc.model import RESUMABLE, ComponentResult, RolloutRecord, RolloutState
from mvpc.report import figures
from mvpc.report.figures import Fate
from mvpc.sample import surprises
from mvpc.store.read import Reader

_MANY = 20
_NAMED = 5
"""So many laptops are named where there are more."""


def show_rollout(
    number: NumberOrNewest = 0,
    each_device: Annotated[bool, typer.Option("--devices", help="List every result of every device.")] = False,
    failed: Annotated[bool, typer.Option("--failed", help="Only what failed, with all that was said.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show one rollout: what failed and what waits, how its rings came out, and what it changed."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number or newest(reader))
    if as_json:
        print_json(_as_json(found))
        return
    reason = f": {found.row.reason}" if found.row.reason else ""
    say(f"Rollout {found.row.id} of {local(found.row.started)} by {found.row.actor} · {found.row.state}{reason}")
    if failed:
        _show_failed(found)
    elif each_device:
        _show_devices(found)
    else:
        _show_summary(found)


def _as_json(found: RolloutRecord) -> dict[str, Any]:
    return {
        "rollout": rollout_as_json(found.row),
        "plan": plan_as_json(found.plan),
        "results": [asdict(result) for result in found.results],
        "verified": sorted(found.verified),
        "surprises": [asdict(result) for result in surprises(found.plan, found.results)],
    }


def _show_summary(found: RolloutRecord) -> None:
    say_surprises(surprises(found.plan, found.results))
    cut = _show_failures(figures.failures(found))
    _show_shares(found)
    cut |= _show_waiting(figures.waiting(found))
    say(f"Plan {found.plan.hash} · {found.plan.scope}")
    cut |= show_work(found.plan)
    if cut:
        say(f"Everything is listed by: mvpc rollout show {found.row.id} --devices", style=DIM)
    _say_next(found)


def _show_failures(failed: Sequence[figures.Failure]) -> bool:
    """Equal failures together, the most frequent first; returns whether something was left out."""
    groups: dict[tuple[tuple[str, ...], str], list[str]] = {}
    for each in failed:
        groups.setdefault((each.components, each.error), []).append(each.device)
    if not groups:
        return False
    rows = [
        [", ".join(components), len(devices), line, _names(devices)]
        for (components, line), devices in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]
    say(f"{count(len({each.device for each in failed}), 'device')} failed", style=BAD)
    print_table("", ["component", "devices", "what was said", "laptops"], rows[:_MANY])
    if len(rows) > _MANY:
        say(f"… and {len(rows) - _MANY} more kinds of failure", style=DIM)
    return len(rows) > _MANY


def _show_shares(found: RolloutRecord) -> None:
    """How the rings came out and, where there are several, the ressorts."""
    fared = figures.fates(found)
    proved = Counter(ring.name for ring in found.plan.rings for name in ring.devices if name in found.verified)
    columns = ["devices", "verified", "changed", "unchanged", "failed", "waiting", "open"]
    rings = [
        [group.name, group.total, proved[group.name], *_numbers(group)] for group in figures.by_ring(found.plan, fared)
    ]
    print_table("", ["ring", *columns], rings)
    ressorts = figures.by_ressort(found.plan, fared)
    if len(ressorts) > 1:
        verified = Counter(found.plan.ressorts.get(name, "none").upper() for name in found.verified)
        rows = [[group.name, group.total, verified[group.name], *_numbers(group)] for group in ressorts]
        print_table("", ["ressort", *columns], rows)


def _numbers(group: figures.Group) -> list[int]:
    counts = group.counts
    waiting = counts.get(Fate.UNREACHABLE, 0) + counts.get(Fate.DEFERRED, 0)
    shown = [counts.get(fate, 0) for fate in (Fate.CHANGED, Fate.UNCHANGED, Fate.FAILED)]
    return [*shown, waiting, counts.get(Fate.OPEN, 0)]


def _show_waiting(waiting: Sequence[figures.Waiting]) -> bool:
    """Who waits, with the reason; returns whether names were left out."""
    names = sorted(name for each in waiting for name in each.devices)
    if names:
        say(f"{count(len(names), 'device')} waiting: {_names(names)}", style=WARN)
    return len(names) > _NAMED


def _names(devices: Sequence[str]) -> str:
    shown = ", ".join(devices[:_NAMED])
    return f"{shown} and {len(devices) - _NAMED} more" if len(devices) > _NAMED else shown


def _show_failed(found: RolloutRecord) -> None:
    failed = [result for result in found.results if result.outcome.is_bad]
    if not failed:
        say("nothing failed")
    for result in sorted(failed, key=lambda result: (result.device, result.component)):
        where = figures.place(found.plan, result.device)
        say(f"{result.device} · {where} · {result.component} · {local(result.at)}", style=BAD)
        for line in result.error.splitlines():
            say(f"  {line}")


def _show_devices(found: RolloutRecord) -> None:
    names = sorted(
        found.results, key=lambda result: (not result.outcome.is_bad, not result.outcome.waits, result.device)
    )
    print_table("", ["device", "component", "outcome", "verified", "what was done"], _result_rows(found, names))
    left = [name for name, fate in figures.fates(found).items() if fate is Fate.OPEN]
    if left:
        say(f"{count(len(left), 'device')} open, since the rollout came to rest before their turn: {', '.join(left)}")
    show_work(found.plan, most=None)


def _result_rows(found: RolloutRecord, results: Iterable[ComponentResult]) -> Iterable[list[object]]:
    for result in results:
        proved = "yes" if result.device in found.verified else ""
        done = result.error or "; ".join(result.changes)
        yield [result.device, result.component, result.outcome, proved, done]


def _say_next(found: RolloutRecord) -> None:
    number, state = found.row.id, found.row.state
    if any(result.outcome.is_bad for result in found.results):
        say(f"Next: mvpc rollout show {number} --failed, then mvpc rollout retry {number}")
    elif state in RESUMABLE - {RolloutState.RUNNING}:
        promote = " --promote" if state is RolloutState.HELD else ""
        say(f"Next: mvpc rollout resume {number}{promote}")

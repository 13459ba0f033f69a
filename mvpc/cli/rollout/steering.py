"""Carry a rollout on, repeat it, pause it, end it."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.cli.console import say
from mvpc.cli.context import current_project, now
from mvpc.cli.planning import JsonLinesOption
from mvpc.cli.rollout.carrying_on import carry_on
from mvpc.cli.rollout.ending import finish
from mvpc.cli.rollout.running import run
from mvpc.cli.rollout.scheduling import schedule_of
from mvpc.cli.rollout.starting import begin, made_now
from mvpc.cli.rollout.views.jsonlines import print_end
from mvpc.cli.rollout.views.words import named
from mvpc.cli.words import count
from mvpc.errors import InputError, RolloutError
from mvpc.fleet import Selection
from mvpc.model import RESUMABLE, Outcome, RolloutRecord, RolloutState
from mvpc.outcomes import worst_of_each
from mvpc.project import Project
from mvpc.schedule import Limits
from mvpc.store.read import Reader
from mvpc.store.write import Store

Number = Annotated[int, typer.Argument(help="Number of the rollout.")]

_NOBODY = {
    False: "no laptop failed or was not reached; nothing to do",
    True: "no laptop failed; nothing to do",
}
_NAMED = 10
"""How many laptops a message names."""


def resume(
    number: Number,
    promote: Annotated[
        bool, typer.Option("--promote", help="Open the gate that holds it, or go on before its time.")
    ] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Carry a rollout on where it came to rest. Laptops are asked first; what they prove is not done again."""
    project = current_project()
    found = _resumable(project, number)
    if found.row.state is RolloutState.HELD and not promote:
        raise RolloutError(
            f"rollout {number} is held: {found.row.reason}",
            hint=f"To open the gate: mvpc rollout resume {number} --promote",
        )
    finish(found.plan, run(carry_on(project, found, promote=promote), as_json=as_json), as_json=as_json)


def retry(
    number: Number,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Begin a new rollout for the laptops of an earlier one that failed or were not reached."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number)
    outcomes = Outcome if not failed else [each for each in Outcome if each.is_bad]
    names = {each: _with_worst(found, each) for each in outcomes if not each.is_done}
    bad = {name for each in names.values() for name in each}
    if as_json and not yes:
        raise InputError("--json cannot ask back", hint="Add --yes")
    if not as_json:
        words = [f"{count(len(each), 'laptop')} {named(word)} ({_some(each)})" for word, each in names.items() if each]
        say(f"Rollout {number}: {'; '.join(words) or _NOBODY[failed]}")
    if bad:
        schedule = schedule_of(current_project(), Limits())
        begin(*made_now(Selection(devices=tuple(sorted(bad)))), schedule=schedule, yes=yes, as_json=as_json)
    elif as_json:
        print_end(now(), {"plan": None, "rollout": None})


def _with_worst(found: RolloutRecord, outcome: Outcome) -> list[str]:
    """Laptops that came out like this at worst, by name."""
    worst = worst_of_each((result.device, result.outcome) for result in found.results)
    return sorted(name for name, each in worst.items() if each is outcome)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def pause(number: Number) -> None:
    """Let a running rollout rest as soon as what is in flight has finished."""
    _wish(number, RolloutState.PAUSED)


def cancel(number: Number) -> None:
    """End a rollout for good. What is in flight finishes; laptops that it did not reach are left as they are.

    Of a rollout that is done, what still waits for sleeping laptops is cancelled.
    """
    project = current_project()
    with Reader(project.database) as reader:
        done = reader.rollout(number).row.state is RolloutState.DONE
    if done and (withdrawn := Store(project.database).withdraw(number)):
        say(f"rollout {number} was done; it waits for {count(withdrawn, 'laptop')} no longer")
        return
    _wish(number, RolloutState.CANCELLED)


def _resumable(project: Project, number: int) -> RolloutRecord:
    with Reader(project.database) as reader:
        found = reader.rollout(number)
    if found.row.state is RolloutState.RUNNING:
        raise RolloutError(f"rollout {number} is running", hint=f"To let it rest: mvpc rollout pause {number}")
    if found.row.state not in RESUMABLE:
        raise InputError(f"rollout {number} is {found.row.state}", hint="Begin a new one")
    return found


def _wish(number: int, state: RolloutState) -> None:
    project = current_project()
    with Reader(project.database) as reader:
        found = reader.rollout(number).row
    if found.state not in RESUMABLE:
        raise InputError(f"rollout {number} is {found.state} already")
    Store(project.database).wish(number, state)
    rests = "rests" if state is RolloutState.PAUSED else "ends"
    when = "when what is in flight has finished" if found.state is RolloutState.RUNNING else "now"
    say(f"rollout {number} {rests} {when}")

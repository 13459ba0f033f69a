"""Carry a rollout on, repeat it, pause it, end it; serve laptops that come back."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from mvpc.cli import signals
from mvpc.cli.console import say
from mvpc.cli.context import actor, current_project, today
from mvpc.cli.planning import JsonLinesOption, examine
from mvpc.cli.planview import show_plan
from mvpc.cli.rollout.approving import check_approval
from mvpc.cli.rollout.running import finish, run
from mvpc.cli.rollout.starting import begin, made_now
from mvpc.cli.words import count
from mvpc.errors import InputError, RolloutError
from mvpc.fleet import Fleet, Selection
from mvpc.job import make_job
from mvpc.model import RESUMABLE, Gate, Reach, Ring, RolloutRecord, RolloutState
from mvpc.project import Project
from mvpc.store.read import Reader
from mvpc.store.write import Store

Number = Annotated[int, typer.Argument(help="Number of the rollout.")]

_RETURNED = (Ring(name="returned", percent=100, gate=Gate(quorum_percent=0)),)


def resume(
    number: Number,
    promote: Annotated[bool, typer.Option("--promote", help="Open the gate that holds it.")] = False,
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
    fleet = Fleet(project, on=today())
    subjects = examine(fleet, fleet.named(found.plan.ressorts), ask=True)
    job = make_job(found.plan, subjects, actor=actor(), earlier=found)
    finish(found.plan, run(job, as_json=as_json), as_json=as_json)


def retry(
    number: Number,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Begin a new rollout for the laptops of an earlier one that failed or were not reached."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number)
    bad = {result.device for result in found.results if not result.outcome.is_done}
    if not bad:
        say(f"no laptop of rollout {number} failed or was unreachable")
        return
    if as_json and not yes:
        raise InputError("--json cannot ask back", hint="Add --yes")
    begin(*made_now(Selection(devices=tuple(sorted(bad)))), yes=yes, as_json=as_json)


def pause(number: Number) -> None:
    """Let a running rollout rest as soon as what is in flight has finished."""
    _wish(number, RolloutState.PAUSED)


def cancel(number: Number) -> None:
    """End a rollout for good. What is in flight finishes; laptops that were not reached are left as they are."""
    _wish(number, RolloutState.CANCELLED)


def watch(
    once: Annotated[bool, typer.Option("--once", help="Sweep once and exit, for a systemd timer.")] = False,
    every: Annotated[int, typer.Option(min=10, help="Seconds between two sweeps.")] = 300,
) -> None:
    """Serve laptops that were asleep and have come back, with what their profiles say now."""
    project = current_project()
    while True:
        _sweep(project)
        if code := signals.exit_code():
            raise typer.Exit(code)
        if once:
            return
        time.sleep(every)


def _sweep(project: Project) -> None:
    with Reader(project.database) as reader:
        waiting = set(reader.waiting())
    fleet = Fleet(project, on=today())
    subjects = [subject for subject in examine(fleet, fleet.named(waiting), ask=True) if subject.probe]
    back = [subject for subject in subjects if subject.probe and subject.probe.reach is Reach.REACHED]
    say(f"{count(len(waiting), 'laptop')} waiting, {len(back)} back")
    plan = fleet.plan(f"{count(len(back), 'returned laptop')}", back, _RETURNED)
    if plan.changes:
        job = make_job(plan, back, actor=actor())
        check_approval(project, job)
        show_plan(plan, each_device=False)
        run(job, as_json=False)
    # Those that came back and already are what they should be wait no longer.
    Store(project.database).settle([each.device.hostname for each in back if each.device.hostname not in plan.devices])


def purge(laptop: Annotated[str, typer.Argument(help="Hostname, inventory number or serial.")]) -> None:
    """Let nothing wait for a laptop any more. What its profile says stays; the next rollout to it begins afresh."""
    project = current_project()
    with Reader(project.database) as reader:
        name = reader.find(laptop).hostname
    Store(project.database).settle([name])
    say(f"nothing waits for {name} any more")


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

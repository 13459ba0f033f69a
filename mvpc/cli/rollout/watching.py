"""`mvpc rollout watch`: serve laptops that come back, and go on with rollouts whose time has come.

One sweep survives whatever is wrong with one laptop or one rollout: it says a line and goes on with the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Annotated, NoReturn

import typer

from mvpc.cli import signals
from mvpc.cli.console import BAD, say
from mvpc.cli.context import actor, current_project, now, today
from mvpc.cli.planning import ask_all
from mvpc.cli.planview import show_plan
from mvpc.cli.rollout.carrying_on import carry_on, turn_of
from mvpc.cli.rollout.ending import SAMPLE_DIFFERED
from mvpc.cli.rollout.running import run
from mvpc.cli.rollout.surprises import say_surprises
from mvpc.cli.words import count
from mvpc.deferred import RETURNED, Waits, queue
from mvpc.errors import LockedError, MvpcError, RolloutError
from mvpc.fleet import Fleet
from mvpc.job import make_job
from mvpc.model import Action, Deferred, Gate, Plan, Reach, Ring, RolloutRow, RolloutState, Schedule
from mvpc.plan import Subject
from mvpc.project import Project
from mvpc.rollout import Rollout
from mvpc.schedule import Turn, is_open
from mvpc.store.read import Reader
from mvpc.store.write import Store

_RINGS = (Ring(name="returned", percent=100, gate=Gate(quorum_percent=0)),)

FINE, TROUBLE, FAILED = 0, 1, 3
"""Exit codes of a sweep: nothing wrong; something kept it from its work; laptops failed."""
TERMINATED = 143
"""Exit code of a command that SIGTERM ended."""


def watch(
    once: Annotated[bool, typer.Option("--once", help="Sweep once and exit, for a systemd timer.")] = False,
    every: Annotated[int, typer.Option(min=10, help="Seconds between two sweeps.")] = 300,
) -> None:
    """Serve laptops that were asleep and have come back, with what their profiles say now.

    Also goes on with rollouts that rest until their time comes. Ends on SIGTERM; laptops finish what they are at.

    Exit codes with --once: 0 done, also when nobody came back; 1 something kept it from its work; 3 laptops failed;
    6 laptops of a rollout's sample were not unchanged.
    """
    try:
        while True:
            code = _attempt(_sweep)
            if stopped := signals.exit_code():
                _end(stopped)
            if once:
                raise typer.Exit(code)
            time.sleep(every)
    except signals.Interrupted as signal:
        _end(signal.exit_code)


def _end(code: int) -> NoReturn:
    """Leave after a signal. SIGTERM is how services are told to end: nothing went wrong (systemd.service(5))."""
    say("watch has ended")
    raise typer.Exit(FINE if code == TERMINATED else code)


def _attempt(work: Callable[[], int]) -> int:
    """Do one part of a sweep; what goes wrong becomes a line. Laptops in other hands are nothing to worry about."""
    try:
        return work()
    except LockedError as error:
        say(error)
        return FINE
    except MvpcError as error:
        for problem in error.problems:
            say(problem, style=BAD)
        return TROUBLE


def _sweep() -> int:
    project = current_project()
    with Reader(project.database) as reader:
        scheduled = reader.scheduled()
    codes = [_attempt(partial(_go_on, project, row)) for row in scheduled]
    codes += _serve(project)
    return min(filter(None, codes), default=FINE)


# --- rollouts whose time has come --------------------------------------------------------------


def _go_on(project: Project, row: RolloutRow) -> int:
    with Reader(project.database) as reader:
        record = reader.rollout(row.id)
    turn, why = turn_of(row)
    if record.row.state is not RolloutState.SCHEDULED or turn is Turn.WAITING:
        return FINE
    if turn is Turn.EXPIRED:
        say(f"Rollout {row.id} is over: {why}")
        _stop(project, row.id, why)
        return FINE
    say(f"Rollout {row.id} goes on")
    try:
        job = carry_on(project, record)
    except RolloutError as error:
        # It would be the same at every sweep: the rollout rests until a person has looked.
        _stop(project, row.id, error.problems[0].what)
        raise
    return _code(run(job, as_json=False))


def _stop(project: Project, number: int, why: str) -> None:
    """Let a rollout rest for good, unless somebody has gone on with it while its laptops were asked."""
    with Reader(project.database) as reader:
        scheduled = reader.rollout(number).row.state is RolloutState.SCHEDULED
    if scheduled:
        Store(project.database).wish(number, RolloutState.STOPPED, reason=why)


def _code(done: Rollout) -> int:
    say(f"Rollout {done.number}: {done.state}{f', {done.reason}' if done.reason else ''}")
    say_surprises(done.surprises)
    if any(outcome.is_bad for outcome in done.counts):
        return FAILED
    return SAMPLE_DIFFERED if done.surprises else FINE


# --- laptops that came back --------------------------------------------------------------------


def _serve(project: Project) -> list[int]:
    with Reader(project.database) as reader:
        waiting, leased = reader.waiting(), reader.leased()
    judged = queue(waiting, now())
    due = {each.device: each for each in judged if each.turn is Turn.DUE and each.device not in leased}
    fleet = Fleet(project, on=today())
    subjects, problems = fleet.sound_subjects(fleet.named(due))
    for problem in problems:
        say(problem, style=BAD)
    back = [each for each in ask_all(fleet, subjects) if each.probe and each.probe.reach is Reach.REACHED]
    say(_summary(judged, leased, len(back)))
    codes = [TROUBLE] if problems else []
    for schedule in dict.fromkeys(each.schedule for each in due.values()):
        group = [subject for subject in back if due[subject.device.hostname].schedule == schedule]
        if group and not signals.reason():
            codes.append(_attempt(partial(_serve_group, fleet, group, schedule, waiting)))
    return codes


def _summary(judged: Iterable[Waits], leased: Mapping[str, int], back: int) -> str:
    """`3 laptops waiting, 1 back, 1 for their time, 1 locked by a running rollout, 2 expired`."""
    turns = [each.turn for each in judged]
    numbers = {
        "for their time": turns.count(Turn.WAITING),
        "locked by a running rollout": sum(each.device in leased for each in judged),
        "expired: see mvpc rollout waiting": turns.count(Turn.EXPIRED),
    }
    more = "".join(f", {number} {words}" for words, number in numbers.items() if number)
    return f"{count(len(turns) - turns.count(Turn.EXPIRED), 'laptop')} waiting, {back} back{more}"


def _serve_group(
    fleet: Fleet, back: list[Subject], schedule: Schedule, waiting: Mapping[str, tuple[Deferred, ...]]
) -> int:
    """Serve laptops that waited with the same schedule; those that need nothing wait no longer."""
    project = fleet.project
    plan = _plan(fleet, back)
    Store(project.database).settle([each.device.hostname for each in back if each.device.hostname not in plan.devices])
    allowed, code = back, FINE
    if held := _beyond_approval(project, plan, waiting):
        say(
            f"{count(len(held), 'laptop')}: profiles have changed since their rollout; above {project.approve_above} "
            "a second person must approve. Next: mvpc plan -o FILE, then mvpc rollout approve FILE",
            style=BAD,
        )
        allowed, code = [each for each in back if each.device.hostname not in held], TROUBLE
        plan = _plan(fleet, allowed)
    if not plan.changes:
        return code
    show_plan(plan, each_device=False)
    job = make_job(plan, allowed, actor=actor())
    job = replace(job, schedule=schedule, whenever=not is_open(schedule, now()))
    return code or _code(run(job, as_json=False))


def _plan(fleet: Fleet, back: list[Subject]) -> Plan:
    return fleet.plan(count(len(back), RETURNED), back, _RINGS)


def _beyond_approval(project: Project, plan: Plan, waiting: Mapping[str, tuple[Deferred, ...]]) -> set[str]:
    """Laptops that would get something else than waited for them, which nobody has approved, if they are too many."""
    known = {(entry.device, entry.component): entry.digest for entries in waiting.values() for entry in entries}
    news = {
        change.device
        for change in plan.changes
        if change.action is not Action.REPAIR and known.get((change.device, change.component)) != change.digest
    }
    return news if project.approve_above and len(news) > project.approve_above else set()

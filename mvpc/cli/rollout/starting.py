"""Begin a rollout: from a selection made just now, or from a plan that was reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import typer

from mvpc.cli.console import confirm, say
from mvpc.cli.context import actor, current_project, login, today
from mvpc.cli.planning import examine, rings_for, thoroughness
from mvpc.cli.planview import show_plan
from mvpc.cli.rollout.ending import finish
from mvpc.cli.words import count
from mvpc.fleet import Fleet, Selection
from mvpc.job import make_job
from mvpc.model import Device, Plan, Schedule
from mvpc.plan import Subject
from mvpc.planfile import made_by, read_plan
from mvpc.project import Project
from mvpc.schedule import schedule_words


def made_now(selection: Selection, *, full: bool = False, rings: str = "") -> tuple[Plan, list[Subject]]:
    """A plan for what the laptops of a selection are now, in the rings of the project or in those given."""
    project = current_project()
    fleet = Fleet(project, on=today())
    chosen = rings_for(fleet, rings)
    devices = fleet.select(selection)
    if _renew(project, devices):
        devices = fleet.select(selection)
    subjects = examine(fleet, devices, ask=True)
    extent = thoroughness(fleet.project, full=full)
    return made_by(login(), fleet.plan(str(selection), subjects, chosen, extent)), subjects


def _renew(project: Project, devices: Sequence[Device]) -> int:
    """Renew certificates that are due, unless somebody would have to type the passphrase: `mvpc ca renew`."""
    if not project.host_authority or project.passphrase_file is None:
        return 0
    from mvpc.cli.authorities import renew  # noqa: PLC0415 - loads cryptography

    if number := renew(project, devices):
        say(f"{count(number, 'certificate')} renewed", err=True)
    return number


def from_file(path: Path) -> tuple[Plan, list[Subject]]:
    """The plan in a file, with what its laptops are now."""
    plan = read_plan(path)
    fleet = Fleet(current_project(), on=today())
    return plan, examine(fleet, fleet.named(plan.ressorts), ask=True)


def begin(plan: Plan, subjects: list[Subject], *, schedule: Schedule, yes: bool, as_json: bool) -> NoReturn:
    """Show a plan, ask, carry it out, and leave with the exit code that says how it ended."""
    job = replace(make_job(plan, subjects, actor=actor()), schedule=schedule)
    if not as_json:
        show_plan(plan, each_device=False)
    if not as_json and schedule != Schedule(zone=schedule.zone):
        say(f"When: {schedule_words(schedule)}; missed: {schedule.catch_up}")
    if not plan.changes and not job.asleep:
        finish(plan, None, as_json=as_json)
    from mvpc.cli.rollout.approving import check_approval  # noqa: PLC0415 - loads SQLAlchemy
    from mvpc.cli.rollout.running import run  # noqa: PLC0415 - the same

    check_approval(current_project(), job)
    if plan.changes and not yes and not confirm("Roll out?"):
        say("nothing was changed")
        raise typer.Exit(1)
    finish(plan, run(job, as_json=as_json), as_json=as_json)

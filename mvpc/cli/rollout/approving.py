"""Four eyes: `mvpc rollout approve`, and the rule that it serves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import say
from mvpc.cli.context import current_project, login, now
from mvpc.cli.planview import show_plan
from mvpc.cli.words import count
from mvpc.errors import InputError, RolloutError
from mvpc.job import Job
from mvpc.planfile import read_plan
from mvpc.project import Project
from mvpc.store.read import Reader
from mvpc.store.write import Store

_HASH = re.compile("[0-9a-f]{32}")
"""See `planfile.fingerprint`. Part of a hash would be the word for no plan at all."""


def approve(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan's file, which is shown; or only its hash.")],
) -> None:
    """Give your word for a plan that somebody else made and will roll out. It counts for exactly this plan."""
    plan_hash = _reviewed(Path(plan)) if Path(plan).is_file() else plan
    if not _HASH.fullmatch(plan_hash):
        what = f"there is no file {plan!r}, and a plan's hash has 32 digits from 0 to f"
        raise InputError(what, hint="Name the file of the plan, or its whole hash")
    Store(current_project().database).approve(plan_hash, approver=login(), at=now())
    say(f"{login()} approved plan {plan_hash}; somebody else may roll it out")


def _reviewed(path: Path) -> str:
    plan = read_plan(path)
    if plan.maker == login():
        raise RolloutError(f"{login()} made this plan and cannot approve it", hint="Let another person look at it")
    show_plan(plan, each_device=False)
    return plan.hash


def check_approval(project: Project, job: Job) -> None:
    """A plan for many devices, those counted that sleep, needs the word of a second person.

    That is nobody who made it, and nobody who rolls it out.

    Raises:
        RolloutError: it has not been given; says whose word does not count.
    """
    plan = job.plan
    # The sample changes nothing that was not approved before.
    devices = {*plan.devices, *(change.device for change in job.asleep)} - {*plan.sample}
    if not project.approve_above or len(devices) <= project.approve_above:
        return
    with Reader(project.database) as reader:
        approvers = set(reader.approvers(plan.hash))
    own = {plan.maker: "made it", login(): "rolls it out"}
    if approvers - own.keys():
        return
    ruled_out = "".join(
        f"; {name} {what}, so that word does not count" for name, what in own.items() if name in approvers
    )
    raise RolloutError(
        f"plan {plan.hash} is for {count(len(devices), 'device')}; above {project.approve_above} somebody else must "
        f"approve it{ruled_out}",
        hint=f"Let another person run: mvpc rollout approve {plan.hash}",
    )

"""`mvpc rollout`: plan, ask, converge ring by ring, verify; carry on, steer, and look back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import confirm, say
from mvpc.cli.context import actor, current_project, today
from mvpc.cli.planning import AuthorityOption, DeviceOption, JsonOption, RessortOption, examine, show_plan
from mvpc.cli.rollout import looking, reporting, steering
from mvpc.cli.rollout.running import check_approval, finish, run
from mvpc.errors import InputError
from mvpc.fleet import Fleet, Selection
from mvpc.job import make_job
from mvpc.model import Plan
from mvpc.plan import Subject, make_plan
from mvpc.planfile import read_plan

app = typer.Typer(add_completion=False, rich_markup_mode=None, invoke_without_command=True)
app.command("list")(looking.list_rollouts)
app.command("show")(looking.show_rollout)
app.command("report")(reporting.report)
app.command("metrics")(reporting.metrics)
app.command("approve")(steering.approve)
app.command("resume")(steering.resume)
app.command("retry")(steering.retry)
app.command("pause")(steering.pause)
app.command("cancel")(steering.cancel)
app.command("watch")(steering.watch)
app.command("purge")(steering.purge)


@app.callback()
def rollout(
    ctx: typer.Context,
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    everyone: Annotated[bool, typer.Option("--all", help="Roll out to the whole fleet.")] = False,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Roll out exactly this plan, made with `mvpc plan -o FILE`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring laptops to what their profiles say: show the plan, ask, converge ring by ring, verify.

    Exit codes: 0 done, 3 devices failed or were refused, 4 no device could be reached, 5 at rest before the end.
    """
    if ctx.invoked_subcommand is not None:
        return
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    if (selection != Selection()) + everyone + (plan is not None) != 1:
        raise InputError("which laptops?", hint="Name a --ressort, an --authority or a --device, or --all, or a --plan")
    if as_json and not yes:
        raise InputError("--json cannot ask back", hint="Add --yes")
    _roll_out(*(_from_file(plan) if plan else _made_now(selection)), yes=yes, as_json=as_json)


def _made_now(selection: Selection) -> tuple[Plan, list[Subject]]:
    project = current_project()
    fleet = Fleet(project, on=today())
    subjects = examine(fleet, fleet.select(selection), ask=True)
    return make_plan(str(selection), subjects, project.rings), subjects


def _from_file(path: Path) -> tuple[Plan, list[Subject]]:
    plan = read_plan(path)
    fleet = Fleet(current_project(), on=today())
    return plan, examine(fleet, fleet.named(plan.ressorts), ask=True)


def _roll_out(plan: Plan, subjects: list[Subject], *, yes: bool, as_json: bool) -> None:
    if not as_json:
        show_plan(plan, each_device=False)
    job = make_job(plan, subjects, actor=actor())
    if not plan.changes and not job.asleep:
        finish(plan, None, as_json=as_json)
    check_approval(current_project(), plan)
    if plan.changes and not yes and not confirm("Roll out?"):
        say("nothing was changed")
        raise typer.Exit(1)
    finish(plan, run(job, quiet=as_json), as_json=as_json)

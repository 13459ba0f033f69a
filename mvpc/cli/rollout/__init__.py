"""`mvpc rollout`: plan, ask, converge ring by ring, verify; carry on, steer, and look back."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.context import current_project
from mvpc.cli.lazy import LazyCommand, LazyGroup
from mvpc.cli.planning import AuthorityOption, DeviceOption, FullOption, JsonLinesOption, RessortOption, RingsOption
from mvpc.cli.rollout.scheduling import CatchUpRule, NotAfter, NotBefore, Window, schedule_of
from mvpc.cli.rollout.starting import begin, from_file, made_now
from mvpc.errors import InputError
from mvpc.fleet import Selection
from mvpc.schedule import Limits


class RolloutGroup(LazyGroup):
    """Beginning a rollout, and everything around one."""

    LAZY = (
        LazyCommand("list", "mvpc.cli.rollout.looking:list_rollouts"),
        LazyCommand("show", "mvpc.cli.rollout.showing:show_rollout"),
        LazyCommand("report", "mvpc.cli.rollout.reporting:report"),
        LazyCommand("metrics", "mvpc.cli.rollout.reporting:metrics"),
        LazyCommand("approve", "mvpc.cli.rollout.approving:approve"),
        LazyCommand("waiting", "mvpc.cli.rollout.waiting:waiting"),
        LazyCommand("resume", "mvpc.cli.rollout.steering:resume"),
        LazyCommand("retry", "mvpc.cli.rollout.steering:retry"),
        LazyCommand("pause", "mvpc.cli.rollout.steering:pause"),
        LazyCommand("cancel", "mvpc.cli.rollout.steering:cancel"),
        LazyCommand("watch", "mvpc.cli.rollout.watching:watch"),
        LazyCommand("purge", "mvpc.cli.rollout.waiting:purge"),
    )

    def hint(self, word: str) -> str:
        """How to roll out to a laptop, for a word that resembles no command."""
        if get_close_matches(word, self.commands):
            return ""
        return f"Laptops are named with --device {word}, ressorts with --ressort {word}, the fleet with --all"


app = typer.Typer(cls=RolloutGroup, add_completion=False, rich_markup_mode=None, invoke_without_command=True)


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
    full: FullOption = False,
    rings: RingsOption = "",
    not_before: NotBefore = "",
    not_after: NotAfter = "",
    window: Window = "",
    catch_up: CatchUpRule = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before starting.")] = False,
    as_json: JsonLinesOption = False,
) -> None:
    """Bring laptops to what their profiles say: show the plan, ask, converge ring by ring, verify.

    Exit codes: 0 done, 3 devices failed or were refused, 4 no device could be reached, 5 at rest before the end,
    6 laptops of the sample were not unchanged.
    """
    if ctx.invoked_subcommand is not None:
        return
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    if (selection != Selection()) + everyone + (plan is not None) != 1:
        raise InputError("which laptops?", hint="Name a --ressort, an --authority or a --device, or --all, or a --plan")
    if plan and (full or rings):
        option = "--full" if full else "--rings"
        raise InputError(
            f"{option} belongs to the making of a plan", hint=f"Make one with: mvpc plan {option} ... -o FILE"
        )
    if as_json and not yes:
        raise InputError("--json cannot ask back", hint="Add --yes")
    limits = Limits(not_before=not_before, not_after=not_after, window=window, catch_up=catch_up)
    schedule = schedule_of(current_project(), limits)
    work = from_file(plan) if plan else made_now(selection, full=full, rings=rings)
    begin(*work, schedule=schedule, yes=yes, as_json=as_json)

"""`mvpc plan`: who would change, what and why; who would not, and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.completing import laptops
from mvpc.cli.console import WARN, print_json, say
from mvpc.cli.context import current_project, login, today
from mvpc.cli.options import JsonOption
from mvpc.cli.planning import (
    AuthorityOption,
    DeviceOption,
    FullOption,
    RessortOption,
    RingsOption,
    examine,
    plan_as_json,
    rings_for,
    thoroughness,
)
from mvpc.cli.planview import show_plan
from mvpc.cli.versions import stale_lines, version_lines
from mvpc.errors import InputError, NotFoundError
from mvpc.fleet import Fleet, Selection
from mvpc.model import Plan
from mvpc.plan import Subject
from mvpc.planfile import made_by, to_data
from mvpc.project import Project
from mvpc.store.read import Reader

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"allow_extra_args": True})
def plan(
    ctx: typer.Context,
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    everyone: Annotated[bool, typer.Option("--all", help="The whole fleet; so is naming nothing.")] = False,  # noqa: ARG001 - says what is the default
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the laptops how they are, or trust our records.")
    ] = True,
    each_device: Annotated[bool, typer.Option("--devices", help="List every device, not only counts.")] = False,
    why: Annotated[
        str,
        typer.Option("--why", help="Say why this laptop is in its ring and has its versions.", autocompletion=laptops),
    ] = "",
    full: FullOption = False,
    rings: RingsOption = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plan to a file, to be approved and rolled out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show who would change, what and why; who would not, and why. Changes nothing on any laptop."""
    if ctx.args:
        raise typer.BadParameter(
            f"laptops are named with --device {ctx.args[0]}, ressorts with --ressort {ctx.args[0]}"
        )
    fleet = Fleet(current_project(), on=today())
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    chosen = rings_for(fleet, rings)
    subjects = examine(fleet, fleet.select(selection), ask=ask)
    extent = thoroughness(fleet.project, full=full)
    made = made_by(login(), fleet.plan(str(selection), subjects, chosen, extent))
    if output:
        _write(made, output)
    if as_json:
        print_json(plan_as_json(made))
    elif why:
        for line in _why(fleet, made, subjects, why):
            say(line)
    else:
        show_plan(made, each_device=each_device)
        for line in stale_lines(fleet, subjects):
            say(line, style=WARN)
        if output:
            say(f"Written to {output}. {_next_step(fleet.project, made, output)}")


def _next_step(project: Project, made: Plan, path: Path) -> str:
    many = project.approve_above and len({*made.devices} - {*made.sample}) > project.approve_above
    return f"Next, somebody else: mvpc rollout approve {path}" if many else f"Next: mvpc rollout --plan {path}"


def _write(made: Plan, path: Path) -> None:
    try:
        path.write_text(json.dumps(to_data(made), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"the plan cannot be written ({error.strerror})", where=str(path)) from error


def _why(fleet: Fleet, made: Plan, subjects: Sequence[Subject], text: str) -> Iterator[str]:
    with Reader(fleet.project.database) as reader:
        name = reader.find(text).hostname
    subject = next((each for each in subjects if each.device.hostname == name), None)
    if subject is None:
        raise NotFoundError(f"{name} is not in this plan", hint="Select it with --ressort, --authority or --device")
    skipped = {each.device: each.detail for each in made.skipped}
    place = made.places.get(name)
    yield f"{name} is in ring {place}" if place else f"{name} is in no ring: {skipped[name]}"
    if subject.bundle:
        yield from version_lines(fleet, subject)

"""`mvpc plan`: who would change, what and why; who would not, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import print_json, say
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
from mvpc.errors import InputError, NotFoundError
from mvpc.fleet import Fleet, Selection
from mvpc.model import Plan
from mvpc.planfile import made_by, to_data
from mvpc.store.read import Reader

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def plan(
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    everyone: Annotated[bool, typer.Option("--all", help="The whole fleet; so is naming nothing.")] = False,  # noqa: ARG001 - says what is the default
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the laptops how they are, or trust our records.")
    ] = True,
    each_device: Annotated[bool, typer.Option("--devices", help="List every device, not only counts.")] = False,
    why: Annotated[str, typer.Option("--why", help="Say why this laptop is in its ring.")] = "",
    full: FullOption = False,
    rings: RingsOption = "",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the plan to a file, to be approved and rolled out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show who would change, what and why; who would not, and why. Changes nothing on any laptop."""
    fleet = Fleet(current_project(), on=today())
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    chosen = rings_for(fleet.project, rings)
    subjects = examine(fleet, fleet.select(selection), ask=ask)
    extent = thoroughness(fleet.project, full=full)
    made = made_by(login(), fleet.plan(str(selection), subjects, chosen, extent))
    if output:
        _write(made, output)
    if as_json:
        print_json(plan_as_json(made))
    elif why:
        say(_why(fleet, made, why))
    else:
        show_plan(made, each_device=each_device)


def _write(made: Plan, path: Path) -> None:
    try:
        path.write_text(json.dumps(to_data(made), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise InputError(f"the plan cannot be written ({error.strerror})", where=str(path)) from error


def _why(fleet: Fleet, made: Plan, text: str) -> str:
    with Reader(fleet.project.database) as reader:
        name = reader.find(text).hostname
    if name in made.places:
        return f"{name} is in ring {made.places[name]}"
    for skipped in made.skipped:
        if skipped.device == name:
            return f"{name} is in no ring: {skipped.detail}"
    raise NotFoundError(f"{name} is not in this plan", hint="Select it with --ressort, --authority or --device")

"""`mvpc plan`: who would change, what and why; who would not, and why."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.cli.console import print_json
from mvpc.cli.context import current_project, today
from mvpc.cli.planning import (
    AuthorityOption,
    DeviceOption,
    JsonOption,
    RessortOption,
    decide,
    plan_as_json,
    show_plan,
)
from mvpc.fleet import Fleet, Selection

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def plan(
    ressort: RessortOption = "",
    authority: AuthorityOption = "",
    device: DeviceOption = None,
    everyone: Annotated[bool, typer.Option("--all", help="The whole fleet; so is naming nothing.")] = False,  # noqa: ARG001 - the default
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Ask the laptops how they are, or trust our records.")
    ] = True,
    each_device: Annotated[bool, typer.Option("--devices", help="List every device, not only counts.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show who would change, what and why; who would not, and why. Changes nothing on any laptop."""
    fleet = Fleet(current_project(), on=today())
    selection = Selection(ressort=ressort, authority=authority, devices=tuple(device or ()))
    made = decide(fleet, selection, ask=ask).plan
    if as_json:
        print_json(plan_as_json(made))
    else:
        show_plan(made, each_device=each_device)

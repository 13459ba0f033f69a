"""`mvpc lab simulate`: a fleet of invented laptops to rehearse with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvpc.chances import MARKER, Chances
from mvpc.cli.console import say
from mvpc.cli.context import actor, current_project, now, today
from mvpc.cli.words import count
from mvpc.inventory.difference import difference
from mvpc.organisation import load_organisation
from mvpc.project import Project
from mvpc.simulated import invent, make_folder
from mvpc.store.write import Store


def simulate(
    number: Annotated[int, typer.Argument(min=1, max=100_000, help="How many laptops.")],
    folder: Annotated[Path | None, typer.Option(help="Where; default: .mvpc-simulated in the project folder.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same laptops.")] = 1,
    failing: Annotated[float, typer.Option(min=0, max=100, help="Percent on which something fails.")] = 0.5,
    away: Annotated[float, typer.Option(min=0, max=100, help="Percent that do not answer.")] = 20,
    hanging: Annotated[float, typer.Option(min=0, max=100, help="Percent that never come to an end.")] = 1,
    slow: Annotated[float, typer.Option(min=0, max=100, help="Percent that need ten times as long.")] = 5,
    replace: Annotated[bool, typer.Option("--replace", help="Remove a simulated fleet that lies there.")] = False,
) -> None:
    """Make a project folder whose laptops are all simulated, to rehearse rollouts. Boots nothing, calls nobody.

    Profiles, organisation and mvpc.toml are copied into it. Every command works there, and says that it is simulated.
    """
    project = current_project()
    project.require_real()
    chances = Chances(seed=seed, failing=failing, away=away, hanging=hanging, slow=slow)
    devices = invent(number, load_organisation(project.root), operator=project.operator, on=today(), seed=seed)

    def fill(simulated: Project) -> None:
        found = difference([], devices)
        Store(simulated.database).save(found, actor=actor(), at=now(), action="simulate")

    made = make_folder(project, folder or project.root / ".mvpc-simulated", chances, fill, replace=replace)
    say(f"{count(number, 'simulated laptop')} in {made.root}; how they behave: {made.root / MARKER}")
    say(f"Next: cd {made.root}, then mvpc plan, mvpc rollout --all, mvpc status ...")

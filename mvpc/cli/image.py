"""`mvpc image`: build images from their definitions."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.catalogue import load_catalogue
from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import current_project
from mvpc.cli.options import JsonOption
from mvpc.cli.software.listing import OutputOption, hand_over
from mvpc.errors import NotFoundError
from mvpc.images import build, find_image, installed_packages, load_definition
from mvpc.report import Contents

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def image() -> None:
    """Build the images that make a bare laptop a managed one."""


@app.command("build")
def build_image(
    name: Annotated[str, typer.Argument(help="Name of a folder below images/.")] = "standard",
    force: Annotated[
        bool, typer.Option("--force", help="Build again although nothing changed: newer packages.")
    ] = False,
) -> None:
    """Build a root file system. Needs root; does nothing when the definition has not changed."""
    project = current_project()
    definition = load_definition(project.root / "images" / name)
    project.make_state()
    made = build(definition, project.images / definition.name, on_step=say, force=force)
    say(f"{made.name}: {made.os} in {made.rootfs}")


@app.command()
def sbom(
    name: Annotated[str, typer.Argument(help="Name of a built image.")] = "standard",
    output: OutputOption = None,
) -> None:
    """Write all packages of a built image as a CycloneDX 1.6 bill of materials (JSON)."""
    project = current_project()
    found = find_image(project.images / name)
    contents = Contents(name=name, kind="operating-system", os=found.os, packages=installed_packages(found))
    hand_over(contents, load_catalogue(project.root), output)


@app.command("list")
def list_images(as_json: JsonOption = False) -> None:
    """List the image definitions, and which of them are built."""
    project = current_project()
    found = []
    for folder in sorted(path.parent for path in (project.root / "images").glob("*/image.yml")):
        definition = load_definition(folder)
        try:
            built = find_image(project.images / definition.name).digest[:12]
        except NotFoundError:
            built = ""
        found.append({"name": definition.name, "os": definition.os, "built": built})
    if as_json:
        print_json({"images": found})
        return
    print_table("", ["image", "os", "built"], [[each["name"], each["os"], each["built"] or "no"] for each in found])

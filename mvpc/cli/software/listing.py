"""`mvpc software sbom`: everything that is installed on one laptop, as a bill of materials."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

from mvpc.catalogue import Product
from mvpc.cli.console import say
from mvpc.cli.context import current_project, now, today
from mvpc.cli.files import replace_file
from mvpc.cli.options import LaptopArgument
from mvpc.cli.words import count
from mvpc.errors import InputError, MvpcError
from mvpc.fleet import Fleet
from mvpc.model import Device, SoftwareAnswer
from mvpc.project import Project
from mvpc.report import Contents, sbom_json
from mvpc.software import Questions, SoftwareQuestion
from mvpc.store.read import Reader

OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; without it, on the screen.")
]


def sbom(
    laptop: LaptopArgument,
    output: OutputOption = None,
) -> None:
    """Ask a laptop for all of its packages and Flatpaks, and write them as a CycloneDX 1.6 bill of materials (JSON)."""
    project = current_project()
    fleet = Fleet(project, on=today())
    with Reader(project.database) as reader:
        device = reader.find(laptop)
    if not fleet.askable([device]):
        raise InputError("this laptop cannot be asked", where=device.hostname, hint="mvpc plan --device says why")
    said = _ask(project, device)
    contents = Contents(
        name=device.hostname, kind="device", os=device.os, packages=said.packages, flatpaks=said.flatpaks
    )
    hand_over(contents, fleet.profiles.catalogue, output)


def hand_over(contents: Contents, catalogue: Mapping[str, Product], output: Path | None) -> None:
    """Write the bill of materials of a laptop or an image, on the screen without a file."""
    text = sbom_json(contents, catalogue, made_at=now(), serial=uuid4())
    if output is None:
        typer.echo(text, nl=False)
        return
    replace_file(output, text)
    flatpaks = f" and {count(len(contents.flatpaks), 'Flatpak')}" if contents.flatpaks else ""
    say(f"{count(len(contents.packages), 'package')}{flatpaks} of {contents.name} are listed in {output}")


def _ask(project: Project, device: Device) -> SoftwareAnswer:
    from mvpc.cli.laptops import prober  # noqa: PLC0415 - loads the rollout

    if project.chances:
        raise InputError("simulated laptops have no software", where=device.hostname, hint="Ask a real one")
    everything = {device.hostname: Questions(software=SoftwareQuestion())}
    answer = next(iter(prober(project, questions=everything).probe([device])))
    if answer.software is None:
        hint = "Try again when it is awake; mvpc status says what is known of it"
        raise MvpcError(f"no answer: {answer.detail}", where=device.hostname, hint=hint)
    return answer.software

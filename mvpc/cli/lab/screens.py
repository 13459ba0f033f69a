"""`mvpc lab desktop`: a person at a screen of a laptop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import say
from mvpc.cli.context import current_project
from mvpc.cli.files import replace_file
from mvpc.cli.lab.opening import open_lab
from mvpc.errors import LabError, NotFoundError
from mvpc.lab.desktop import PORT, SECONDS, Screen, desktop_program, parse_screen
from mvpc.model import Device
from mvpc.project import Project
from mvpc.store.read import Reader


def desktop(
    laptop: Annotated[str, typer.Argument(help="Hostname.")],
    picture: Annotated[
        Path | None, typer.Option("--picture", metavar="FILE", help="Write a picture of the screen there, as PNG.")
    ] = None,
) -> None:
    """Log a person in on a screen of its own, and say how to look at it. For images with a desktop."""
    project = current_project()
    if laptop not in {each.hostname for each in open_lab().list()}:
        raise NotFoundError(f"the lab has no laptop {laptop}", hint="See `mvpc lab list`")
    with Reader(project.database) as reader:
        device = reader.find(laptop)
    screen = _screen(project, device, picture=picture is not None)
    if picture:
        replace_file(picture, screen.picture)
        say(f"the screen of {laptop} is in {picture}")
    say(f"{screen.person} is logged in on {laptop} ({screen.session})")
    say(f"Look: a VNC viewer at {device.address}:{PORT}, password {screen.password}")


def _screen(project: Project, device: Device, *, picture: bool) -> Screen:
    from mvpc.cli.enrolling import visitor_of  # noqa: PLC0415 - loads the certificates

    said = visitor_of(project).say(device, desktop_program(picture=picture), seconds=SECONDS)
    try:
        return parse_screen(said)
    except LabError as error:
        raise LabError(error.problems[0].what, where=device.hostname, hint=error.problems[0].hint) from error

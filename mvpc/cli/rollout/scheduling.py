"""Options that say when a rollout may touch laptops."""

from __future__ import annotations

from typing import Annotated

import typer

from mvpc.cli.context import now
from mvpc.model import Schedule
from mvpc.project import Project
from mvpc.schedule import Limits, read_schedule

NotBefore = Annotated[
    str, typer.Option(metavar="WHEN", help="Start nothing before: 2026-12-01, '2026-12-01 18:00', 12h, 2d; or now.")
]
NotAfter = Annotated[str, typer.Option(metavar="WHEN", help="Start nothing after: as --not-before, 14d, 2w; or never.")]
Window = Annotated[
    str,
    typer.Option(metavar="HOURS", help="Only in these hours: 'Mon-Fri 18:00-06:00; Sat,Sun 00:00-24:00'; or always."),
]
CatchUpRule = Annotated[
    str,
    typer.Option(metavar="RULE", help="For laptops that slept through a window: next-window, at-once, or drop."),
]


def schedule_of(project: Project, limits: Limits) -> Schedule:
    """The schedule that the options say, over the defaults of mvpc.toml; raises InputError."""
    return read_schedule(limits.over(project.limits), zone=project.timezone, now=now())

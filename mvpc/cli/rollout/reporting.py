"""Hand on: `mvpc rollout report`, a page for people, and `mvpc rollout metrics`, numbers for monitoring."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import say
from mvpc.cli.context import current_project, now, today
from mvpc.cli.files import replace_file
from mvpc.cli.rollout.looking import NumberOrNewest, newest
from mvpc.deferred import queue
from mvpc.errors import InputError
from mvpc.fleet import Fleet
from mvpc.report import metrics_text, report_html
from mvpc.schedule import Turn
from mvpc.store.read import Reader


def report(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the HTML page.")],
    number: NumberOrNewest = 0,
) -> None:
    """Write one rollout as a single HTML page to read, to print and to hand on."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number or newest(reader))
    replace_file(output, report_html(found, made_at=now().astimezone()))
    say(f"rollout {found.row.id} is described in {output}")


def metrics(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.prom", help="Where to write the numbers.")],
) -> None:
    """Write numbers of the fleet and of the last rollout that a person began, for the node exporter's textfiles."""
    if output.suffix != ".prom":
        raise InputError("the node exporter reads only files that end in .prom", where=str(output))
    project = current_project()
    fleet = Fleet(project, on=today())
    with Reader(project.database) as reader:
        devices = Counter((fleet.ressort_of(device), device.state) for device in reader.devices())
        last = reader.last_begun()
        turns = Counter(each.turn for each in queue(reader.waiting(), now()))
        expired = turns[Turn.EXPIRED]
        text = metrics_text(
            devices=devices,
            waiting=turns.total() - expired,
            expired=expired,
            last=last,
            simulated=project.chances is not None,
        )
    replace_file(output, text)

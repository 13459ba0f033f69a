"""Hand on: `mvpc rollout report`, a page for people, and `mvpc rollout metrics`, numbers for monitoring."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from mvpc.cli.console import say
from mvpc.cli.context import current_project, now, today
from mvpc.deferred import queue
from mvpc.errors import InputError
from mvpc.fleet import Fleet
from mvpc.report import metrics_text, report_html
from mvpc.schedule import Turn
from mvpc.store.read import Reader

Number = Annotated[int, typer.Argument(help="Number of the rollout.")]


def report(
    number: Number,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write the HTML page.")],
) -> None:
    """Write one rollout as a single HTML page to read, to print and to hand on."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number)
    _replace(output, report_html(found, made_at=now().astimezone()))
    say(f"rollout {number} is described in {output}")


def metrics(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE.prom", help="Where to write the numbers.")],
) -> None:
    """Write the numbers of the fleet and of the latest rollout for the node exporter's textfile collector."""
    if output.suffix != ".prom":
        raise InputError("the node exporter reads only files that end in .prom", where=str(output))
    project = current_project()
    fleet = Fleet(project, on=today())
    with Reader(project.database) as reader:
        devices = Counter((fleet.ressort_of(device), device.state) for device in reader.devices())
        latest = reader.rollouts(limit=1)
        last = reader.rollout(latest[0].id) if latest else None
        turns = Counter(each.turn for each in queue(reader.waiting(), now()))
        expired = turns[Turn.EXPIRED]
        text = metrics_text(
            devices=devices,
            waiting=turns.total() - expired,
            expired=expired,
            last=last,
            simulated=project.chances is not None,
        )
    _replace(output, text)


def _replace(path: Path, text: str) -> None:
    """Write the file whole or not at all: whoever reads it sees the old text or the new one."""
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise InputError("this is no file that could be replaced", where=str(path))
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.new")
    try:
        with fresh.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(target)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError("there is no such folder", where=str(path.parent)) from error
    finally:
        fresh.unlink(missing_ok=True)

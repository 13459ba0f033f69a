"""Look back: `mvpc rollout list`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import typer

from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import current_project
from mvpc.cli.options import JsonOption
from mvpc.cli.words import local
from mvpc.errors import NotFoundError
from mvpc.model import RolloutRow
from mvpc.schedule import to_data
from mvpc.store.read import Reader

NumberOrNewest = Annotated[
    int, typer.Argument(help="Number of the rollout; without it, the newest.", show_default=False)
]


def list_rollouts(
    limit: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20, as_json: JsonOption = False
) -> None:
    """List the latest rollouts."""
    with Reader(current_project().database) as reader:
        found = reader.rollouts(limit=limit)
    if as_json:
        print_json({"rollouts": [rollout_as_json(row) for row in found]})
        return
    if not found:
        say("no rollouts yet; begin with: mvpc plan")
        return
    rows = [
        [
            row.id,
            local(row.started),
            row.actor,
            row.scope,
            row.state,
            ", ".join(f"{number} {word}" for word, number in row.counts.items()),
        ]
        for row in found
    ]
    print_table("", ["rollout", "started", "by", "scope", "state", "devices"], rows)


def newest(reader: Reader) -> int:
    """Number of the newest rollout; raises NotFoundError where there is none."""
    if found := reader.rollouts(limit=1):
        return found[0].id
    raise NotFoundError("there is no rollout yet", hint="Begin one with: mvpc rollout --all")


def rollout_as_json(row: RolloutRow) -> dict[str, Any]:
    """One rollout in short as plain data with stable keys."""
    return asdict(row) | {"schedule": to_data(row.schedule)}

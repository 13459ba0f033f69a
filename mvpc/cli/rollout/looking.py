"""Look back: `mvpc rollout list` and `mvpc rollout show`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import current_project
from mvpc.cli.planning import JsonOption, plan_as_json
from mvpc.cli.planview import show_plan
from mvpc.cli.rollout.surprises import say_surprises
from mvpc.cli.words import local
from mvpc.model import ComponentResult, RolloutRecord
from mvpc.sample import surprises
from mvpc.store.read import Reader


def list_rollouts(
    limit: Annotated[int, typer.Option(min=1, help="How many of the latest.")] = 20, as_json: JsonOption = False
) -> None:
    """List the latest rollouts."""
    with Reader(current_project().database) as reader:
        found = reader.rollouts(limit=limit)
    if as_json:
        print_json({"rollouts": [asdict(row) for row in found]})
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


def show_rollout(
    number: Annotated[int, typer.Argument(help="Number of the rollout.")], as_json: JsonOption = False
) -> None:
    """Show one rollout: its plan, and what came of every device and component."""
    with Reader(current_project().database) as reader:
        found = reader.rollout(number)
    if as_json:
        print_json(
            {
                "rollout": asdict(found.row),
                "plan": plan_as_json(found.plan),
                "results": _plain(found.results),
                "surprises": _plain(surprises(found.plan, found.results)),
            }
        )
        return
    reason = f": {found.row.reason}" if found.row.reason else ""
    say(f"Rollout {number} of {local(found.row.started)} by {found.row.actor} · {found.row.state}{reason}")
    show_plan(found.plan, each_device=False)
    _show_results(found)
    say_surprises(surprises(found.plan, found.results))


def _plain(results: Sequence[ComponentResult]) -> list[dict[str, Any]]:
    return [asdict(result) for result in results]


def _show_results(found: RolloutRecord) -> None:
    rows = [
        [result.device, result.component, result.outcome, result.error or "; ".join(result.changes)]
        for result in found.results
    ]
    print_table("", ["device", "component", "outcome", "what was done"], rows)

"""What waits for sleeping laptops: `mvpc rollout waiting` and `mvpc rollout purge`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mvpc.cli.completing import laptops
from mvpc.cli.console import print_json, print_table, say
from mvpc.cli.context import current_project, now
from mvpc.cli.options import JsonOption
from mvpc.cli.rollout.looking import rollout_as_json
from mvpc.cli.words import count, local
from mvpc.deferred import Waits, queue
from mvpc.errors import InputError
from mvpc.model import RolloutRow
from mvpc.schedule import Turn, schedule_words, to_data
from mvpc.store.read import Reader
from mvpc.store.write import Store


def waiting(as_json: JsonOption = False) -> None:
    """List what waits for sleeping laptops: since when, for which time, and why it was not served yet."""
    with Reader(current_project().database) as reader:
        found, rollouts = queue(reader.waiting(), now()), reader.scheduled()
    if as_json:
        print_json(_as_data(found, rollouts))
        return
    for row in rollouts:
        say(f"Rollout {row.id} of {row.actor} waits: {row.reason}")
    if found:
        print_table("", ["laptop", "waits for it", "since", "rollout", "when", "why not yet"], map(_row, found))
    say(_sum(found))


def purge(
    laptops: Annotated[
        list[str] | None, typer.Argument(help="Hostnames, inventory numbers or serials.", autocompletion=laptops)
    ] = None,
    expired: Annotated[bool, typer.Option("--expired", help="All laptops for which the time has passed.")] = False,
) -> None:
    """Let nothing wait for laptops any more. What their profiles say stays; the next rollout to them begins afresh."""
    if bool(laptops) == expired:
        raise InputError("which laptops?", hint="Name them, or give --expired")
    project = current_project()
    with Reader(project.database) as reader:
        names = [reader.find(laptop).hostname for laptop in laptops or ()]
        if expired:
            names = [each.device for each in queue(reader.waiting(), now()) if each.turn is Turn.EXPIRED]
    Store(project.database).settle(names)
    say(f"nothing waits for {', '.join(names) if laptops else count(len(names), 'laptop')} any more")


def _row(waits: Waits) -> list[object]:
    why = f"{waits.turn}: {waits.why}" if waits.turn is Turn.EXPIRED else waits.why
    when = schedule_words(waits.schedule)
    return [waits.device, ", ".join(waits.components), local(waits.since), waits.rollout, when, why]


def _sum(found: Sequence[Waits]) -> str:
    """`3 laptops waiting, 1 of them for its time, 2 expired`."""
    turns = Counter(each.turn for each in found)
    later = f", {turns[Turn.WAITING]} of them for their time" if turns[Turn.WAITING] else ""
    expired = f", {turns[Turn.EXPIRED]} expired" if turns[Turn.EXPIRED] else ""
    return f"{count(turns[Turn.DUE] + turns[Turn.WAITING], 'laptop')} waiting{later}{expired}"


def _as_data(found: Sequence[Waits], rollouts: Sequence[RolloutRow]) -> dict[str, Any]:
    turns = Counter(each.turn for each in found)
    return {
        "counts": {turn: turns[turn] for turn in Turn},
        "laptops": [asdict(each) | {"schedule": to_data(each.schedule)} for each in found],
        "rollouts": [rollout_as_json(row) for row in rollouts],
    }

"""Which view of a rollout fits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mvpc.cli.console import terminal
from mvpc.cli.context import now
from mvpc.cli.rollout.views.jsonlines import JsonLines
from mvpc.cli.rollout.views.lines import PlainLines
from mvpc.cli.rollout.views.live import LiveView
from mvpc.rollout import Observer


@contextmanager
def watching(*, as_json: bool) -> Iterator[Observer]:
    """The view that fits: JSON where it is asked for, live on a terminal that can, else lines."""
    console = terminal()
    if as_json:
        yield JsonLines()
    elif console.is_terminal and not console.is_dumb_terminal:
        live = LiveView(console, now=now)
        with live.on_screen():
            yield live
    else:
        yield PlainLines(console)

"""The live view: redrawn in place a few times a second, however many results arrive. Its last frame stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from threading import Lock

from rich.console import Console, RenderableType
from rich.live import Live

from mvpc.cli import signals
from mvpc.cli.rollout.views.frame import frame
from mvpc.model import RolloutEvent
from mvpc.progress import Progress

_FRAMES_PER_SECOND = 2
_LAST_FRAME = 40
"""Lines that the last frame may fill: it is not redrawn, so it may be higher than the terminal."""


class LiveView:
    """Shows a rollout on a terminal while it is `on_screen`."""

    def __init__(self, console: Console, *, now: Callable[[], datetime]) -> None:
        self._console, self._now = console, now
        self._progress, self._lock = Progress(), Lock()
        self._height = 0

    @contextmanager
    def on_screen(self) -> Iterator[None]:
        """Draw frames for as long as the context lasts."""
        live = Live(console=self._console, get_renderable=self._frame, refresh_per_second=_FRAMES_PER_SECOND)
        with signals.shown_by_view(), live:
            try:
                yield
            finally:
                self._height = _LAST_FRAME

    def observe(self, event: RolloutEvent) -> None:
        """Take the event into the next frame."""
        with self._lock:
            self._progress.observe(event)

    def _frame(self) -> RenderableType:
        size = self._console.size
        height = self._height or size.height - 1
        with self._lock:
            return frame(self._progress, now=self._now(), width=size.width, height=height, stop=signals.reason())

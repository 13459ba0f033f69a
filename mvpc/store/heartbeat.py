"""Signs of life beside the work, so that a process that hangs or was frozen loses what it had taken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

from mvpc.errors import MvpcError


@contextmanager
def beating(beat: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Call `beat` every so many seconds while the context is open. One that fails is made up for by the next."""
    done = Event()

    def keep_beating() -> None:
        while not done.wait(seconds):
            with suppress(MvpcError):
                beat()

    thread = Thread(target=keep_beating, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()

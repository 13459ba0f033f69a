"""One change of the lab at a time, over all processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import IO

from mvpc.errors import LabError

LOCK_S = 120

_held: set[int] = set()
_guard = Lock()


@contextmanager
def locks_for_a_command() -> Iterator[tuple[int, ...]]:
    """What a command inherits so that the lab stays locked until it has ended: when we are killed, it outlives us."""
    with _guard:
        copies = tuple(map(os.dup, _held))
    try:
        yield copies
    finally:
        for descriptor in copies:
            os.close(descriptor)


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Hold the lock of the lab in the folder `home`, which is made; it dies with us and the commands that we run.

    Raises:
        LabError: somebody else holds it, or we are not root.
    """
    path = home / "lock"
    with _open(path) as file:
        deadline = time.monotonic() + LOCK_S
        while not _taken(file.fileno()):
            if time.monotonic() > deadline:
                hint = "Wait until the other command has ended"
                raise LabError("somebody else is changing the lab", where=str(path), hint=hint)
            time.sleep(0.1)
        with _guard:
            _held.add(file.fileno())
        try:
            yield
        finally:
            with _guard:
                _held.discard(file.fileno())


def _open(path: Path) -> IO[str]:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        return path.open("w", encoding="ascii")
    except PermissionError as error:
        raise LabError("the lab needs root", where=str(path), hint="Run it with sudo") from error


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

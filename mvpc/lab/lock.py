"""One change of the lab at a time, over all processes."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from mvpc.errors import LabError

LOCK_S = 30


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """Hold the lock of the lab in the folder `home`, which is made; it dies with us.

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
        yield


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

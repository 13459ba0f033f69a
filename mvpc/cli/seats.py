"""How many new laptops are at the desk at one time. Loads nothing, so that whoever finds no seat costs little."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mvpc.errors import MvpcError

SEATS = 8
"""Each takes about 80 MB for a second or two, and anybody in the provisioning network may come."""


@contextmanager
def a_seat(folder: Path) -> Iterator[None]:
    """Have one of the seats; the kernel gives it back when the process dies.

    Raises:
        MvpcError: all are taken. A new laptop tells people, and comes again after some seconds.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for number in range(SEATS):
        with (folder / str(number)).open("ab") as seat:
            try:
                fcntl.flock(seat, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield
            return
    raise MvpcError(f"{SEATS} laptops are at the desk already", hint="A new laptop comes again by itself")

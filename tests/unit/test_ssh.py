from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from mvpc.model import Reach
from mvpc.ssh import session
from mvpc.ssh.session import NotReachedError

PROGRAM = """
import socket, sys
from pathlib import Path
import mvpc.ssh.session
from mvpc.testing import NOON, a_device

silent = socket.create_server(("127.0.0.1", 0))
mvpc.ssh.session.GREETING_SECONDS = 0.4
key = Path(sys.argv[1])
host_key = " ".join(mvpc.ssh.make_key(key, comment="x").split()[:2])
prober = mvpc.ssh.SshProber(user="x", port=silent.getsockname()[1], key=key, now=lambda: NOON)
(probe,) = prober.probe([a_device(address="127.0.0.1", host_key=host_key)])
print(probe.reach, probe.detail)
"""


def test_a_laptop_whose_sshd_hangs_is_unreachable_and_no_traceback_is_shown(tmp_path: Path):
    # In a process of its own: pytest catches what is logged, which would hide what a terminal shows.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path / "key"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("unreachable SSH did not come up")
    assert done.stderr == ""


class Silent:
    """An SSH client whose laptop lets us in and says no more."""

    def exec_command(self, *_: object, **__: object) -> None:
        raise TimeoutError


@dataclass
class Lossy:
    """A connection that had to send a part of its segments again."""

    laptop: tuple[str, int]
    again: int

    def getpeername(self) -> tuple[str, int]:
        return self.laptop

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO)
        return struct.pack("=100xI32xI", self.again, 20)[:size]


@contextmanager
def an_sshd(*, alive: bool = True) -> Iterator[tuple[str, int]]:
    """Where it listens for one caller, and says its name to it if it is alive."""

    def greet() -> None:
        with server.accept()[0] as caller, suppress(OSError):
            caller.send(b"SSH-2.0-OpenSSH\r\n" if alive else b"")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        greeting = pool.submit(greet)
        yield server.getsockname()
        socket.create_connection(server.getsockname()).close()  # where nobody has called
        greeting.result()


@pytest.mark.parametrize(
    ("alive", "again", "reach"),
    [(True, 0, Reach.BROKEN), (True, 1, Reach.BROKEN), (True, 8, Reach.UNREACHABLE), (False, 0, Reach.UNREACHABLE)],
)
def test_a_laptop_that_falls_silent_is_broken_only_where_packets_arrive_and_its_sshd_still_answers(
    alive: bool, again: int, reach: Reach
):
    with an_sshd(alive=alive) as laptop, pytest.raises(NotReachedError) as silent:
        session._run(Silent(), "", Lossy(laptop, again))  # type: ignore[arg-type]
    assert silent.value.reach is reach

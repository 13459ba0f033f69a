from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize(("there", "reach"), [(True, Reach.BROKEN), (False, Reach.UNREACHABLE)])
def test_a_laptop_that_falls_silent_has_gone_unless_its_sshd_still_answers(there: bool, reach: Reach):
    def greet() -> None:
        with server.accept()[0] as caller:
            caller.send(b"SSH-2.0-OpenSSH\r\n" if there else b"")

    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        greeting = pool.submit(greet)
        with pytest.raises(NotReachedError) as silent:
            session._run(Silent(), "", server.getsockname())  # type: ignore[arg-type]
        greeting.result()
    assert silent.value.reach is reach

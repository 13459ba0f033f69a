from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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

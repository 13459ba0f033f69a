"""strongSwan in laptops of the lab, for tests: containers may not change networks, so it is started from outside.

The controller's kernel need not know ESP: charon then carries it itself, over a TUN device (kernel-libipsec).
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

PACKAGES = "charon-systemd strongswan-swanctl libstrongswan-standard-plugins libstrongswan-extra-plugins"
PACKAGES += " libcharon-extra-plugins"
_USERLAND = "/etc/strongswan.d/charon/kernel-libipsec.conf"


@dataclass
class Charon:
    """strongSwan in one running container."""

    root: Path
    """The container's file system, as the lab keeps it."""
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait(timeout=20)

    def start(self) -> None:
        """Start it, and load what lies in /etc/swanctl."""
        self.put(_USERLAND, b"kernel-libipsec {\n  load = yes\n}\n")
        self.background("/usr/sbin/charon-systemd")
        self.wait_until("swanctl", "--stats")
        self.succeed("swanctl", "--load-all", "--noprompt")

    def background(self, *argv: str) -> None:
        """Run a command in the container until the test is over, with the rights that containers lack."""
        quiet = subprocess.DEVNULL
        self._running.append(subprocess.Popen(self._argv(*argv), stdin=quiet, stdout=quiet, stderr=quiet))

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the container, whatever comes of it."""
        return subprocess.run(self._argv(*argv), capture_output=True, text=True, timeout=120, check=False)

    def succeed(self, *argv: str) -> str:
        """The output of a command that must succeed."""
        done = self.run(*argv)
        assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def wait_until(self, *argv: str, says: str = "") -> str:
        """Try a command until it succeeds and says this; its output."""
        for _ in range(60):
            done = self.run(*argv)
            if done.returncode == 0 and says in done.stdout:
                return done.stdout
            time.sleep(0.5)
        raise AssertionError(f"{argv} never said {says!r}: {done.stdout}{done.stderr}")

    def put(self, path: str, content: bytes, *, mode: int = 0o644) -> None:
        """Write a file in the container."""
        place = self._inside / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(mode)

    @property
    def _inside(self) -> Path:
        return Path(f"/proc/{self._leader}/root")

    @property
    def _leader(self) -> int:
        """Process 1 of the container: the child of the systemd-nspawn that was told of its file system."""
        for folder in Path("/proc").iterdir():
            words = _words(folder)
            if words[:1] == ["systemd-nspawn"] and f"--directory={self.root}" in words:
                children = (folder / "task" / folder.name / "children").read_text().split()
                return int(next(each for each in children if Path(f"/proc/{each}/comm").read_text() == "systemd\n"))
        raise AssertionError(f"no container runs from {self.root}")

    def _argv(self, *argv: str) -> list[str]:
        ways = ["--mount", "--uts", "--ipc", "--net", "--pid"]
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        return ["nsenter", f"--target={self._leader}", *ways, "--", "env", "-i", path, *argv]


def _words(folder: Path) -> list[str]:
    try:
        return (folder / "cmdline").read_text().split("\0")
    except OSError:
        return []

"""Laptops of the lab as a test handles them, in the manner of the NixOS test driver."""

from __future__ import annotations

import base64
import io
import shlex
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mvpc.lab import Lab

KNOCK_S = 30
"""How long ssh waits for a laptop that emulates its processor, on a busy machine."""
GONE_S = 60


@dataclass(frozen=True)
class Machine:
    """One laptop. Commands run as root, over SSH, believing only the host key that the lab reports."""

    lab: Lab
    hostname: str
    key: Path
    """Private key of the administrator."""

    def run(self, command: str, *, stdin: str = "", timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a shell command, whatever comes of it. A laptop that does not answer is exit code 255."""
        laptop = next(each for each in self.lab.list() if each.hostname == self.hostname)
        known = self.key.with_name(f"known-{self.hostname}")
        known.write_text(f"{laptop.address} {laptop.host_key}\n")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={known}"]
        flags = [part for each in (*options, f"ConnectTimeout={KNOCK_S}") for part in ("-o", each)]
        argv = ["ssh", "-F", "none", *flags, "-i", str(self.key), f"mvpc-admin@{laptop.address}"]
        return subprocess.run(
            [*argv, f"sudo -n sh -c {shlex.quote(command)}"],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def succeed(self, command: str, *, stdin: str = "", timeout_s: float = 900) -> str:
        """The output of a command that must succeed."""
        done = self.run(command, stdin=stdin, timeout_s=timeout_s)
        assert done.returncode == 0, f"{self.hostname}: {command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def fail(self, command: str) -> str:
        """The output of a command that must fail, on a laptop that answers."""
        done = self.run(command)
        assert done.returncode not in {0, 255}, f"{self.hostname}: {command}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    def wait_until_succeeds(self, command: str, *, timeout_s: float = 600) -> str:
        """Try a command again and again; its output when it succeeds."""
        deadline = time.monotonic() + timeout_s
        while (done := self.run(command)).returncode:
            assert time.monotonic() < deadline, f"{self.hostname}: {command}\n{done.stdout}{done.stderr}"
            time.sleep(0.5)
        return done.stdout

    def write(self, path: str, content: str, *, mode: str = "0644") -> None:
        """Put a file on the laptop."""
        self.write_all({path: content}, mode=mode)

    def write_all(self, files: Mapping[str, str], *, mode: str = "0644") -> None:
        """Put files on the laptop, path -> content, with one login: it is dear where a processor is emulated."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for path, content in files.items():
                about = tarfile.TarInfo(path.lstrip("/"))
                about.size, about.mode = len(content.encode()), int(mode, 8)
                tar.addfile(about, io.BytesIO(content.encode()))
        packed = base64.b64encode(archive.getvalue()).decode()
        self.succeed("base64 -d | tar --extract --directory=/ --no-same-owner", stdin=packed)

    def block(self) -> None:
        """Pull its cable; it does not notice."""
        self.lab.block(self.hostname)

    def unblock(self) -> None:
        """Plug its cable in again."""
        self.lab.unblock(self.hostname)

    def crash(self) -> None:
        """Take its power away at this very moment."""
        self.lab.stop(self.hostname)

    def start(self) -> None:
        """Switch it on again, with the disk it had."""
        self.lab.start(self.hostname)


def eventually(look: Callable[[], str], *words: str, timeout_s: float = 300) -> str:
    """Look again and again until all these words are there; what was seen then."""
    deadline = time.monotonic() + timeout_s
    while not all(word in (seen := look()) for word in words):
        assert time.monotonic() < deadline, f"never saw {words} in:\n{seen}"
        time.sleep(0.5)
    return seen


def leftovers(lab: Lab) -> list[str]:
    """Everything of the lab that stays on this controller, as one sees it without asking mvpc."""
    deadline = time.monotonic() + GONE_S
    while (seen := everything_of(lab)) and time.monotonic() < deadline:
        time.sleep(0.2)  # a shell that was to start a program, and learns that nobody wants it any more
    return seen


def everything_of(lab: Lab) -> list[str]:
    seen = [
        *subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *subprocess.run(["ip", "netns"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout.splitlines(),
        *Path("/proc/mounts").read_text().splitlines(),
        *(str(path) for path in lab.home.glob("*/*") if path.parent.name != "cache"),  # packages are kept
        *map(str, Path("/run/wireguard").glob("*.sock")),
    ]
    words = (lab.bridge, f"{lab.home}/")
    return [line for line in seen if any(word in line for word in words) and not line.startswith("Z")]

"""ansible-playbook as a process: a clean environment, event lines from a pipe, and an end that leaves nothing."""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mvpc.errors import RolloutError
from mvpc.text import safe

_LINE_BYTES = 4 << 20
"""More than any line of our callback can have."""
_CHUNK = 1 << 16
"""Bytes that are read at once."""
_GRACE = 5.0
"""Seconds for processes to end by themselves when asked to."""


@dataclass(kw_only=True, slots=True)
class Playbook:
    """A running ansible-playbook."""

    process: subprocess.Popen[bytes]
    events: int
    """Read end of the pipe that event lines come from."""
    folder: Path
    _rest: bytes = field(default=b"", init=False)

    def lines(self) -> list[bytes] | None:
        """Event lines that have come by now, without waiting; None when there will be no more."""
        # Asked first: what it wrote before it ended is then in the pipe.
        ended = self.process.poll() is not None
        waiting = select.poll()
        waiting.register(self.events, select.POLLIN)
        if not waiting.poll(0):
            return None if ended else []
        chunk = os.read(self.events, _CHUNK)
        if not chunk or len(self._rest) > _LINE_BYTES:
            return None
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        return whole

    def has_ended(self) -> bool:
        """Whether Ansible itself came to an end, after the last of its lines or a moment later."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=1)
        return self.process.returncode is not None

    def complaint(self) -> str:
        """The last useful line that Ansible wrote besides its events."""
        with (self.folder / "output").open("rb") as output:
            output.seek(max(0, (self.folder / "output").stat().st_size - 65536))
            lines = [line for line in output.read().decode(errors="replace").splitlines() if line.strip()]
        useful = [line for line in lines if "ERROR" in line] or lines
        return safe(useful[-1], limit=400) if useful else ""


@contextmanager
def playbook(folder: Path, arguments: Sequence[str], *, config: Path) -> Iterator[Playbook]:
    """Start ansible-playbook in the run folder; on leaving, it and everything that it started has ended.

    Core dumps are switched off for mvpc itself too: both hold secrets.

    Raises:
        RolloutError: there is no ansible-playbook.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    events, writer = os.pipe()
    try:
        with (folder / "output").open("xb") as output:
            process = subprocess.Popen(
                [program(), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env={**clean_environment(folder, config), "MVPC_EVENTS_FD": str(writer)},
                pass_fds=[writer],
                start_new_session=True,
                umask=0o077,
            )
    except BaseException:
        os.close(events)
        raise
    finally:
        os.close(writer)
    try:
        yield Playbook(process=process, events=events, folder=folder)
    finally:
        _end(process)
        end_marked(folder)
        os.close(events)


def end_marked(folder: Path) -> None:
    """End every process of the run in this folder: workers, SSH clients and their masters, wherever they are.

    Ansible's workers and SSH masters have sessions of their own, so no process group holds them all. But all have
    inherited the run folder as HOME, and no other process has it.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + _GRACE
        while (marked := _marked(folder)) and time.monotonic() < deadline:
            for pid in marked:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(0.05)


def program() -> str:
    """Path of ansible-playbook; raises RolloutError when there is none."""
    beside = Path(sys.executable).with_name("ansible-playbook")
    found = str(beside) if beside.is_file() else shutil.which("ansible-playbook")
    if not found:
        raise RolloutError("ansible-playbook is not installed", hint="Install mvpc again as README.md says")
    return found


def clean_environment(folder: Path, config: Path) -> dict[str, str]:
    """Nothing of the caller's environment but PATH: no proxy, no ANSIBLE_*, no agent (CVE-2018-10874)."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "ANSIBLE_CONFIG": str(config),
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(timeout=_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _marked(folder: Path) -> list[int]:
    mark = b"\0HOME=%b\0" % os.fsencode(folder)
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and _has(entry, mark)]


def _has(entry: Path, mark: bytes) -> bool:
    with suppress(OSError):
        return mark in b"\0" + (entry / "environ").read_bytes() + b"\0"
    return False

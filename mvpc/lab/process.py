"""Processes that outlive us, and are still known for certain afterwards."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab.host import ENVIRONMENT

GONE_S = 60
"""For a process that was killed: the kernel frees its memory first, and a disk that it waits for may be busy."""
_WAIT_THEN_RUN = 'read -r go && exec "$@" </dev/null'
"""Ends when the pipe closes before a word came: its maker died before it had written down the process id."""


def start(
    argv: Sequence[str], *, log: Path, before: Callable[[int], None], environment: dict[str, str] | None = None
) -> int:
    """Start a process in a session of its own, output to `log`, and return its id.

    `before` gets the process id while the program has not begun yet; if we die in there, it never begins.
    """
    # Not subprocess.Popen, whose objects complain about processes that are left running.
    reading, writing = os.pipe()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        pid = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _WAIT_THEN_RUN, "sh", *argv],
            ENVIRONMENT | (environment or {}),
            file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0), *((os.POSIX_SPAWN_DUP2, output, to) for to in (1, 2))],
            setsid=True,
        )
        before(pid)
        os.write(writing, b"go\n")
        return pid
    finally:
        for descriptor in (reading, writing, output):
            os.close(descriptor)


def identity(pid: int) -> str:
    """What tells a process from all others before and after it: this boot and its start time; empty when it is gone."""
    fields = _fields(pid)
    return f"{_boot()}:{fields[19]}" if fields and fields[0] not in "ZX" else ""


def is_running(pid: int, known: str) -> bool:
    """Whether the process is still the one whose `identity` was noted."""
    return bool(known) and identity(pid) == known


def in_namespace(namespace: Path) -> Iterator[int]:
    """Every process in a network namespace: all of a laptop's own processes."""
    with suppress(FileNotFoundError):
        wanted = namespace.stat()
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
                if os.path.samestat((folder / "ns/net").stat(), wanted) and identity(int(folder.name)):
                    yield int(folder.name)


def kill(pid: int, known: str, *, gently_s: float = 0) -> None:
    """End a process: by asking first when `gently_s` is given. Returns when it is gone, with the rest of its session.

    Raises:
        LabError: something of it did not go within `GONE_S`.
    """
    if gently_s and is_running(pid, known):
        _signal(pid, signal.SIGTERM)
        if _gone(pid, known, gently_s):
            return
    if is_running(pid, known):
        _signal(pid, signal.SIGKILL)
    if not _gone(pid, known, GONE_S):
        raise LabError(f"process {pid} does not end")
    deadline = time.monotonic() + GONE_S
    while orphans := list(_session(pid, known)):
        if time.monotonic() > deadline:
            raise LabError(f"process {orphans[0]} does not end")
        for orphan in orphans:
            _signal(orphan, signal.SIGKILL)
        time.sleep(0.01)


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _session(leader: int, known: str) -> Iterator[int]:
    """Processes that a dead leader left in its session. A session's number is not given out again while any lives."""
    boot, _, started = known.partition(":")
    if not known or identity(leader) or boot != _boot():
        return
    for folder in Path("/proc").glob("[0-9]*"):
        fields = _fields(int(folder.name))
        alive = fields and fields[0] not in "ZX"
        if alive and fields[3] == str(leader) and int(fields[19]) >= int(started):
            yield int(folder.name)


def _gone(pid: int, known: str, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while is_running(pid, known):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return True


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _fields(pid: int) -> list[str]:
    """Fields 3 and following of proc_pid_stat(5). The name before them may hold blanks and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []

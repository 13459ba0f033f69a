"""The laptop's own files, commands and names, and how a file is changed so that no crash leaves half of it."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from mvpc.device.converge.words import Failure, gist


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str = ""
    err: str = ""


NOT_FOUND, TIMED_OUT = 127, 124  # exit codes, as shell and timeout(1) give them


class Machine:
    """The laptop itself: its files, commands, owners and host name. Tests put another one in its place."""

    lock_seconds = 60.0
    """How long an apply waits for another one to end."""
    settle_seconds = 8.0
    """How long a probe waits for a change of the way in to settle; a good one takes two or three."""
    package_lock_seconds = 300.0
    """How long it waits for others who work on packages, such as unattended-upgrades."""

    def __init__(self, root: Path = Path("/")) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where the absolute path `name` really is."""
        return self.root / name.lstrip("/")

    def run(self, argv: Sequence[str], *, timeout: float = 60, stdin: str = "") -> Ran:
        """Run a command. When its time (seconds) is up, it ends with all that it has started."""
        pipe = subprocess.PIPE
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C",
            "DEBIAN_FRONTEND": "noninteractive",
            "APT_LISTCHANGES_FRONTEND": "none",
        }
        try:
            child = subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
            )
        except OSError as error:
            return Ran(NOT_FOUND, err=f"{argv[0]}: {error.strerror}")
        try:
            out, err = child.communicate(stdin.encode(), timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            return Ran(TIMED_OUT, err=f"{argv[0]} did not end within {timeout:.0f} s")
        return Ran(child.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def free(self, name: str) -> tuple[int, int]:
        """Room in the file system of the absolute path `name`: MiB, and files where their number is limited."""
        disk = os.statvfs(self.path(name))
        return disk.f_bavail * disk.f_frsize >> 20, disk.f_favail if disk.f_files else sys.maxsize

    def owner_ids(self, owner: str, group: str) -> tuple[int, int]:
        """User and group number; raises KeyError while one does not exist."""
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid

    def chown(self, descriptor: int, uid: int, gid: int) -> None:
        """Give an open file its owner."""
        os.fchown(descriptor, uid, gid)

    def resolves(self, name: str) -> bool | None:
        """Whether a host name has an address; None when nobody can say."""
        import socket  # noqa: PLC0415 - rarely needed, and slow to import

        try:
            return bool(socket.getaddrinfo(name, None))
        except OSError as error:
            return False if error.errno == socket.EAI_NONAME else None

    def hostname(self) -> str:
        """The name that the kernel has."""
        return os.uname().nodename

    def set_hostname(self, name: str) -> None:
        """Give the kernel the name; /etc/hostname is a file like any other."""
        from socket import sethostname  # noqa: PLC0415 - rarely needed, and slow to import

        sethostname(name)


def run_well(machine: Machine, *argv: str, timeout: float = 60, stdin: str = "") -> str:
    """Output of a command that must succeed, else Failure with what it said."""
    ran = machine.run(argv, timeout=timeout, stdin=stdin)
    if ran.code != 0:
        raise Failure(f"{' '.join(argv[:2])}: {gist(ran.err, ran.out) or f'exit code {ran.code}'}")
    return ran.out


def read_text(path: Path) -> str:
    """The stripped text of a small file; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def look(path: Path) -> os.stat_result | None:
    """What is at a path, links not followed; None when nothing is."""
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name beside `path` for what shall take its place in one step; folders are made when missing.

    Hidden, so that no daemon takes it for one of its drop-ins, and always the same, so that the
    leftover of a crash goes with the next try.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(".mvpc-" + path.name)
    fresh.unlink(missing_ok=True)
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write(fresh: Path, data: bytes, *, mode: int, own: Callable[[int], None]) -> None:
    """Make a new file with its mode and owner; it is on the disk afterwards."""
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        own(descriptor)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)


def write_private(machine: Machine, path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Replace a file of root's in a folder that only root may enter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o700)
    uid, gid = machine.owner_ids("root", "root")
    with replacing(path) as fresh:
        write(fresh, data, mode=mode, own=lambda descriptor: machine.chown(descriptor, uid, gid))


def delete(path: Path) -> None:
    """Remove a file or link for good."""
    path.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and removals in a folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

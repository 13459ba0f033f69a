"""One disposable laptop: its record, its disk, its container."""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mvpc.errors import InputError, LabError, NotFoundError
from mvpc.lab import cgroup, process
from mvpc.lab.host import run, runs_systemd
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.network import Network
from mvpc.model import HOSTNAME

BOOT_S = 90
RECORD = "laptop.json"

_UNTIL_POWER_OFF = 'while "$@"; [ $? -eq 133 ]; do :; done'
"""With --keep-unit systemd-nspawn does not restart a laptop that reboots: it ends with 133, for a service to do so."""

_HOST_KEY = re.compile(r"ecdsa-sha2-nistp384 [A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class LaptopSpec:
    """A laptop that is wanted."""

    hostname: str

    def __post_init__(self) -> None:
        if not HOSTNAME.fullmatch(self.hostname):
            hint = "At most 15 lower-case letters, digits and hyphens, a letter first"
            raise InputError("this is no hostname", where=self.hostname[:40], hint=hint)


@dataclass(frozen=True, kw_only=True, slots=True)
class Laptop:
    """A laptop of the lab."""

    hostname: str
    address: str
    image: str
    """The folder of the image whose files lie below its disk."""
    build: str
    """Which build of it: a disk is of no use over any other."""
    host_key: str = ""
    """`ecdsa-sha2-nistp384 AAAA...`; empty before the first boot."""
    pid: int = 0
    """The process that looks after its container; 0 when it is off."""

    @property
    def running(self) -> bool:
        """Whether it is switched on."""
        return self.pid > 0


@dataclass(frozen=True, slots=True)
class Case:
    """Where a laptop keeps its things on the controller."""

    folder: Path

    @property
    def root(self) -> Path:
        """Its file system while it is on: the image with its disk laid over."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """Everything it wrote to its console, over all boots."""
        return self.folder / "console.log"

    def read(self) -> Laptop:
        """The laptop's record; raises NotFoundError when there is none."""
        try:
            return Laptop(**json.loads((self.folder / RECORD).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            what = f"the lab has no laptop {self.folder.name}"
            raise NotFoundError(what, where=str(self.folder), hint="See `mvpc lab list`") from error

    def write(self, laptop: Laptop) -> None:
        """Keep the record; whether it runs is not part of it."""
        temporary = self.folder / f"{RECORD}.new"
        temporary.write_text(json.dumps(asdict(replace(laptop, pid=0))), encoding="utf-8")
        temporary.replace(self.folder / RECORD)


def insert_disk(case: Case, laptop: Laptop) -> None:
    """Mount the laptop's file system at `case.root`; a new laptop gets an empty disk."""
    if not laptop.host_key:
        # Its first boot never ended. What lies there may be torn.
        shutil.rmtree(case.folder / "disk", ignore_errors=True)
    folders = {name: case.folder / name for name in ("disk", "work", "root")}
    for folder in folders.values():
        folder.mkdir(mode=0o755, exist_ok=True)
    lower = Path(laptop.image) / "rootfs"
    if any(mark in str(lower) for mark in ',:\\"'):
        raise LabError("the path of the image must not hold commas, colons or backslashes", where=str(lower))
    options = f"lowerdir={lower},upperdir={folders['disk']},workdir={folders['work']}"
    try:
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(case.root)])
    except LabError as error:
        hint = "The lab's folder must lie on a file system like ext4, xfs or btrfs, not on an overlay"
        raise LabError(f"{laptop.hostname}: {error}", where=str(case.folder), hint=hint) from error


def switch_on(case: Case, laptop: Laptop, network: Network, journal: Journal) -> Laptop:
    """Boot the container and wait until its sshd answers; its host key is known then.

    Raises:
        LabError: it does not come up; names the log of its console.
    """
    name = network.namespace(laptop.hostname)

    def note(pid: int) -> None:
        journal.note(Made(Kind.PROCESS, str(pid), laptop.hostname, process.identity(pid)))
        if not runs_systemd():
            cgroup.enter(cgroup_of(name), pid)

    # /proc/sys/net is the laptop's own, since it has a network namespace of its own.
    environment = {"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}
    pid = process.start(arguments(case, laptop, name), log=case.console, before=note, environment=environment)
    known = process.identity(pid)
    deadline = time.monotonic() + BOOT_S
    while not _answers(laptop.address):
        if not process.is_running(pid, known):
            raise LabError(f"{laptop.hostname} stopped while it started", where=str(case.console))
        if time.monotonic() > deadline:
            raise LabError(f"the sshd of {laptop.hostname} did not answer within {BOOT_S} s", where=str(case.console))
        time.sleep(0.05)
    return replace(laptop, pid=pid, host_key=_host_key(case, laptop))


def arguments(case: Case, laptop: Laptop, name: str) -> list[str]:
    """The command line of the container, systemd-nspawn(1), with somebody who starts it again after a reboot."""
    return [
        *("sh", "-c", _UNTIL_POWER_OFF, "sh"),
        "systemd-nspawn",
        "--quiet",
        "--boot",
        "--register=no",
        # With systemd as init, nspawn asks it for a scope of its own. Elsewhere nobody could give it one.
        *([] if runs_systemd() else ["--keep-unit"]),
        f"--directory={case.root}",
        f"--machine={name}",
        f"--hostname={laptop.hostname}",
        f"--network-namespace-path=/run/netns/{name}",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
    ]


def cgroup_of(name: str) -> str:
    """The control group of a container, below each hierarchy."""
    return f"mvpc-lab-{name}"


def belongings(case: Case, laptop: Laptop, network: Network) -> list[Made]:
    """Everything that a running laptop has on this machine, but for its process and its disk."""
    name = network.namespace(laptop.hostname)
    found: Mapping[Kind, tuple[str, ...]] = {
        Kind.NAMESPACE: (name,),
        Kind.MOUNT: (str(case.root), f"/run/systemd/nspawn/unix-export/{name}"),
        Kind.INTERFACE: (network.cable(laptop.address),),
        Kind.CGROUP: () if runs_systemd() else (cgroup_of(name),),
        Kind.FOLDER: (f"/run/systemd/nspawn/unix-export/{name}", f"/run/systemd/nspawn/propagate/{name}"),
    }
    return [Made(kind, each, laptop.hostname) for kind, names in found.items() for each in names]


def _answers(address: str) -> bool:
    """Whether an SSH server introduces itself (RFC 4253, 4.2)."""
    try:
        with socket.create_connection((address, 22), timeout=2) as connection:
            return connection.recv(8) == b"SSH-2.0-"
    except OSError:
        return False


def _host_key(case: Case, laptop: Laptop) -> str:
    path = case.root / "etc/ssh/ssh_host_ecdsa_key.pub"
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            found = _HOST_KEY.match(file.read(1000))
    except OSError:
        found = None
    if not found:
        raise LabError(f"{laptop.hostname} has no host key of type ecdsa", where=str(path))
    return found[0]

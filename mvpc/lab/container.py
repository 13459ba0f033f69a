"""A laptop as a container: its own systemd and network on the controller's kernel, up in about a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from mvpc.lab import cgroup, process
from mvpc.lab.boot import read_host_key, wait_for_ssh
from mvpc.lab.disk import lay_over
from mvpc.lab.host import runs_systemd
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.laptop import Case, Laptop
from mvpc.lab.network import Network, lay_cable

BOOT_S = 300
"""A busy controller is slow. One that dies is noticed at once."""
_TUN = Path("/dev/net/tun")
"""For tunnels that programs carry themselves, where the controller's kernel knows neither WireGuard nor ESP."""

_UNTIL_POWER_OFF = 'while "$@"; [ $? -eq 133 ]; do :; done'
"""With --keep-unit systemd-nspawn does not restart a laptop that reboots: it ends with 133, for a service to do so."""


def insert_disk(case: Case, laptop: Laptop, _: Network, furnish: Callable[[Path], None]) -> None:
    """Mount the laptop's file system at `case.root`; `furnish` gives a new one its first files."""
    lay_over(case, laptop)
    if not laptop.host_key:
        furnish(case.root)


def plug_in(laptop: Laptop, network: Network) -> None:
    """Make the laptop's network namespace with its interface and address."""
    lay_cable(network, laptop.hostname, laptop.address)


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
    wait_for_ssh(case, laptop, pid, within_s=BOOT_S)
    return replace(laptop, pid=pid, host_key=read_host_key(laptop, case.root / "etc/ssh/ssh_host_ecdsa_key.pub"))


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
        # In its network namespace root may do what a laptop's root may: packet filters, routes, tunnels.
        "--capability=CAP_NET_ADMIN",
        *([f"--bind={_TUN}"] if _TUN.is_char_device() else []),
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

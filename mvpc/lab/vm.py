"""A laptop as a virtual machine: a kernel of its own, for Wi-Fi, WireGuard and IPsec that the controller's may lack.

QEMU runs it without KVM, since a controller is often a virtual machine itself: a boot takes about half a minute.
It has a TPM 2.0 of its own, which swtpm plays.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab import process
from mvpc.lab.boot import read_host_key, wait_for_ssh
from mvpc.lab.disk import lay_over
from mvpc.lab.host import run
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.laptop import Case, Laptop
from mvpc.lab.network import Network, plug_tap
from mvpc.lab.vmfiles import add_vm_files

BOOT_S = 900
"""A busy controller emulates a processor slowly. One that dies is noticed at once."""
MEMORY_MB = 1024
DISK_GB = 8
MKFS_S = 300

_WITH_TPM = """\
rm -f "$1/socket"
swtpm socket --tpm2 --tpmstate dir="$1" --ctrl type=unixio,path="$1/socket",mode=0600 --terminate &
for _ in $(seq 100); do [ -S "$1/socket" ] && break; sleep 0.1; done
shift
exec "$@"
"""
"""QEMU takes the place of this shell. swtpm(8) ends when QEMU does, at the latest with their session."""


def insert_disk(case: Case, laptop: Laptop, network: Network, furnish: Callable[[Path], None]) -> None:
    """Write the disk of a new laptop: the image with its first files, 500 MB in a sparse file of 8 GB."""
    if laptop.host_key:
        return
    lay_over(case, laptop)
    furnish(case.root)
    add_vm_files(case.root, laptop, network)
    disk = _disk(case)
    disk.unlink(missing_ok=True)
    argv = ["mkfs.ext4", "-q", "-L", "root", "-d", str(case.root), str(disk), f"{DISK_GB}G"]
    # It takes seconds, and must not go on writing when we are killed.
    run(["setpriv", "--pdeathsig=KILL", *argv], timeout_s=MKFS_S)
    run(["umount", str(case.root)])
    for name in ("disk", "work"):
        shutil.rmtree(case.folder / name)


def plug_in(laptop: Laptop, network: Network) -> None:
    """Make the controller's end of the laptop's cable; QEMU holds the other one."""
    plug_tap(network, laptop.address)


def switch_on(case: Case, laptop: Laptop, network: Network, journal: Journal) -> Laptop:
    """Boot the machine and wait until its sshd answers; it has told its host key by then.

    Raises:
        LabError: the image has no kernel, or it does not come up; names the log of its console.
    """

    def note(pid: int) -> None:
        journal.note(Made(Kind.PROCESS, str(pid), laptop.hostname, process.identity(pid)))

    _tpm(case).mkdir(mode=0o700, exist_ok=True)
    argv = ["sh", "-c", _WITH_TPM, "sh", str(_tpm(case)), *arguments(case, laptop, network)]
    pid = process.start(argv, log=case.console, before=note)
    wait_for_ssh(case, laptop, pid, within_s=BOOT_S)
    return replace(laptop, pid=pid, host_key=read_host_key(laptop, _told_key(case)))


def arguments(case: Case, laptop: Laptop, network: Network) -> list[str]:
    """The command line of QEMU, qemu-system-x86_64(1)."""
    kernel, initrd = kernel_of(laptop)
    return [
        *("qemu-system-x86_64", "-name", laptop.hostname, "-nodefaults", "-no-user-config", "-display", "none"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MB)),
        *("-kernel", str(kernel), "-initrd", str(initrd)),
        *("-append", "root=/dev/vda rw console=ttyS0 loglevel=4"),
        # Unsafe only when the controller itself goes down: what the laptop wrote outlives QEMU in the page cache.
        *("-drive", f"file={_disk(case)},if=virtio,format=raw,cache=unsafe"),
        *("-netdev", f"tap,id=lab,ifname={network.cable(laptop.address)},script=no,downscript=no"),
        *("-device", f"virtio-net-pci,netdev=lab,mac={network.hardware_address(laptop.address)},romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", f"socket,id=tpm,path={_tpm(case)}/socket"),
        *("-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm"),
        *("-chardev", f"file,id=console,path={case.console},append=on", "-serial", "chardev:console"),
        *("-chardev", f"file,id=key,path={_told_key(case)}", "-serial", "chardev:key"),
    ]


def belongings(case: Case, laptop: Laptop, network: Network) -> list[Made]:
    """Everything that a running laptop has on this machine, but for its process and its disk."""
    mount = Made(Kind.MOUNT, str(case.root), laptop.hostname)
    return [mount, Made(Kind.INTERFACE, network.cable(laptop.address), laptop.hostname)]


def kernel_of(laptop: Laptop) -> tuple[Path, Path]:
    """Kernel and initial RAM disk of the laptop's image; raises LabError when it has none."""
    boot = Path(laptop.image) / "rootfs" / "boot"
    found = sorted(boot.glob("vmlinuz-*"), key=lambda path: [int(part) for part in re.findall(r"\d+", path.name)])
    initrd = boot / found[-1].name.replace("vmlinuz", "initrd.img", 1) if found else boot
    if not initrd.is_file():
        name = Path(laptop.image).name
        hint = "Use the image vm, or add linux-image-amd64 and initramfs-tools to the packages of this one"
        raise LabError(f"the image {name} has no kernel, so no virtual machine can boot it", where=str(boot), hint=hint)
    return found[-1], initrd


def _disk(case: Case) -> Path:
    return case.folder / "disk.raw"


def _tpm(case: Case) -> Path:
    """What the laptop's TPM keeps, over all boots."""
    return case.folder / "tpm"


def _told_key(case: Case) -> Path:
    """What the laptop wrote to its second serial line."""
    return case.folder / "host-key"

"""Undo what the journal says, also after a crash: whatever is there goes, whatever is not there is fine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from mvpc.errors import LabError
from mvpc.lab import cgroup, process, sysctl
from mvpc.lab.host import run
from mvpc.lab.journal import Journal, Kind, Made

NETNS = Path("/run/netns")
NSPAWN = Path("/run/systemd/nspawn")


def in_order(entries: Iterable[Made]) -> list[Made]:
    """What must go first comes first: processes, then what they hold; mounts inside others before these."""
    kinds = list(Kind)
    return sorted(entries, key=lambda made: (kinds.index(made.kind), -made.name.count("/")))


def undo(journal: Journal, entries: Iterable[Made]) -> None:
    """Remove these things and strike them out.

    Raises:
        LabError: names what could not be removed; everything else is gone by then, and it stays in the journal.
    """
    chosen = in_order(entries)
    if not chosen:
        return
    # Twice: what a container did last, while it was killed, may be seen only after the first look.
    _attempt(chosen)
    failed = _attempt(chosen)
    journal.forget([made for made in chosen if made not in failed])
    if failed:
        reasons = "; ".join(f"{made.kind} {made.name} ({reason})" for made, reason in failed.items())
        hint = f"It is still noted in {journal.path}; run `mvpc lab down` again"
        raise LabError(f"could not remove {reasons}", hint=hint)


def _attempt(chosen: Iterable[Made]) -> dict[Made, str]:
    """What could not be removed, and why."""
    failed = {}
    for made in chosen:
        try:
            _UNDO[made.kind](made)
        except (LabError, OSError) as error:
            failed[made] = str(error)
    return failed


def _end_process(made: Made) -> None:
    process.kill(int(made.name), made.detail, gently_s=0 if made.owner else 5)


def _remove_namespace(made: Made) -> None:
    path = NETNS / made.name
    while inside := list(process.in_namespace(path)):
        for pid in inside:
            process.kill(pid, process.identity(pid))
    if path.exists():
        _unmount_all(path)
        path.unlink()


def _unmount(made: Made) -> None:
    path = Path(made.name)
    if mounted_at(path):
        # systemd-nspawn locks its root directory, and leaves the lock's file behind when it is killed.
        about = path.stat()
        (NSPAWN / "locks" / f"inode-{about.st_dev}:{about.st_ino}").unlink(missing_ok=True)
    _unmount_all(path)


def _unmount_all(path: Path) -> None:
    """Mounts may lie upon each other at one place. Detaching never waits for somebody who still looks into it."""
    for _ in range(mounted_at(path)):
        run(["umount", "--lazy", str(path)])


def mounted_at(path: Path) -> int:
    """How many mounts lie upon each other at this place (proc_pid_mountinfo(5))."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return sum(line.split()[4] == str(path) for line in lines)


def _remove_interface(made: Made) -> None:
    if Path("/sys/class/net", made.name).exists():
        # A peer's namespace may go at this very moment and take the interface with it.
        with suppress(LabError):
            run(["ip", "link", "delete", made.name])
    if Path("/sys/class/net", made.name).exists():
        raise LabError("it is still there")


def _give_back_sysctl(made: Made) -> None:
    ours, lab = made.detail.split()
    sysctl.give_back(made.name, ours=ours, lab=lab)


def _remove_folder(made: Made) -> None:
    folder = Path(made.name)
    below = f" {folder}/"
    if below in Path("/proc/self/mounts").read_text(encoding="utf-8"):
        raise LabError("something is still mounted in it")
    if folder.exists():
        shutil.rmtree(folder)


def _remove_file(made: Made) -> None:
    Path(made.name).unlink(missing_ok=True)


def _remove_cgroup(made: Made) -> None:
    cgroup.remove(made.name)


_UNDO: Mapping[Kind, Callable[[Made], None]] = {
    Kind.PROCESS: _end_process,
    Kind.NAMESPACE: _remove_namespace,
    Kind.MOUNT: _unmount,
    Kind.INTERFACE: _remove_interface,
    Kind.CGROUP: _remove_cgroup,
    Kind.SYSCTL: _give_back_sysctl,
    Kind.FILE: _remove_file,
    Kind.FOLDER: _remove_folder,
}

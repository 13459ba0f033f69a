"""The way back: what a change may touch of the way in is kept, and comes back unless the controller gets in again.

Before the first step that touches such a file, copies of all of them and of the ledger are stored with a program that
restores them (`mvpc/device/undo.py`), and a timer is set that runs it; a unit does so at the next boot. Whoever reaches
the laptop over a new connection afterwards, by a probe, confirms the change: copies and timer go. Precedents are Junos
`commit confirmed` and netplan(8) `try`.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterable, Mapping
from typing import Any

from mvpc.device.converge.ledger import LEDGER
from mvpc.device.converge.machine import Machine, delete, look, replacing, run_well, write, write_private
from mvpc.device.converge.words import Failure

UNDO = "/var/lib/mvpc/undo"
MANIFEST, UNDONE, SCRIPT = f"{UNDO}/manifest.json", f"{UNDO}/undone.json", f"{UNDO}/undo.py"
WAY_IN = (
    "/etc/ssh/",
    "/etc/NetworkManager/",
    "/etc/nftables",
    "/etc/strongswan.d/",
    "/etc/swanctl/",
    "/etc/systemd/network/",
    "/etc/systemd/system/mvpc-kill",
    "/etc/systemd/resolved.conf.d/",
    "/etc/systemd/system/strongswan.service.d/",
)
"""A mistake in a file below these can keep everybody out."""
UNIT_FOLDER = "/etc/systemd/system"
WORKING_SECONDS, CONFIRM_SECONDS = 600, 180
"""Until it comes back: while the apply is at work, and after it. 802.1X may take 25 s to come up, a VPN 60 s."""
TIMER = "mvpc-undo"
BOOT_UNIT = "/etc/systemd/system/mvpc-undo-boot.service"
BOOT_WANTS = "/etc/systemd/system/sysinit.target.wants/mvpc-undo-boot.service"
BOOT_TEXT = f"""[Unit]
Description=Take back a change that nobody confirmed
DefaultDependencies=no
ConditionPathExists={MANIFEST}
After=local-fs.target
Before=network-pre.target sysinit.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I {SCRIPT} boot
"""


class Guard:
    """Keeps the way back of one apply. Without a script nothing is kept."""

    def __init__(self, machine: Machine, script: str, generation: int) -> None:
        self.machine, self.script, self.generation = machine, script, generation
        self.armed = False

    def arm(self, paths: Iterable[str], words: Iterable[str], ledger: bytes) -> None:
        """Before the first step on the way in: keep these files, and set the timer.

        Args:
            paths: files that the apply may change, and that everybody comes in by.
            words: notifications that their services need.
            ledger: what the ledger must say when they come back.

        Raises:
            Failure: the timer cannot be set, or OSError; nothing has been touched then.
        """
        if self.armed or not self.script:
            return
        # What an earlier change kept is older than this one, and true as long as nobody confirmed that one.
        if is_pending(self.machine):
            raise Failure("an earlier change is not confirmed yet; try again in a few minutes")
        drop_copies(self.machine)
        write_private(self.machine, self.machine.path(SCRIPT), self.script.encode())
        kept = [keep(self.machine, path, str(number)) for number, path in enumerate(paths)]
        kept.append(self._ledger(ledger))
        told = [*farewells(kept), *commands(words)]
        manifest = {"generation": self.generation, "files": kept, "notify": told}
        watch_the_boot(self.machine)
        set_timer(self.machine, WORKING_SECONDS)
        write_private(self.machine, self.machine.path(MANIFEST), json.dumps(manifest).encode())
        self.armed = True

    def count_down(self, ledger: bytes) -> None:
        """After the last step: from now on there is so much time to get in again."""
        if self.armed:
            self._ledger(ledger)
            set_timer(self.machine, CONFIRM_SECONDS)

    def _ledger(self, text: bytes) -> dict[str, Any]:
        write_private(self.machine, self.machine.path(f"{UNDO}/ledger"), text)
        uid, gid = self.machine.owner_ids("root", "root")
        return {"path": LEDGER, "kind": "file", "copy": "ledger", "mode": 0o600, "uid": uid, "gid": gid}


def is_guarded(path: str) -> bool:
    """Whether a mistake in the file can keep everybody out."""
    return path.startswith(WAY_IN)


def keep(machine: Machine, path: str, name: str) -> dict[str, Any]:
    """Copy a file, link or nothing into the folder; what the manifest must know of it."""
    place = machine.path(path)
    now = look(place)
    if now is None:
        return {"path": path, "kind": "absent"}
    if stat.S_ISLNK(now.st_mode):
        return {"path": path, "kind": "link", "target": os.fspath(place.readlink())}
    write_private(machine, machine.path(f"{UNDO}/{name}"), place.read_bytes())
    owner = {"uid": now.st_uid, "gid": now.st_gid}
    return {"path": path, "kind": "file", "copy": name, "mode": stat.S_IMODE(now.st_mode), **owner}


def farewells(kept: Iterable[Mapping[str, Any]]) -> list[list[str]]:
    """What stops the units that the change brings, before systemd forgets how: afterwards it reads their files anew."""
    gone = (each["path"].rpartition("/") for each in kept if each["kind"] == "absent")
    brought = (name for folder, _, name in gone if folder == UNIT_FOLDER and name.endswith(".service"))
    return [["systemctl", "stop", "--", name] for name in brought]


def commands(words: Iterable[str]) -> list[list[str]]:
    """What lets services read restored files, from the notifications that the changed ones have."""
    units = sorted({word.split()[1] for word in words if " " in word})
    restarts = [["systemctl", "try-reload-or-restart", "--", unit] for unit in units]
    return [["systemctl", "daemon-reload"], ["nmcli", "connection", "reload"], *restarts]


def watch_the_boot(machine: Machine) -> None:
    """Let the next boot take the change back as well: timers do not survive it."""
    uid, gid = machine.owner_ids("root", "root")
    with replacing(machine.path(BOOT_UNIT)) as fresh:
        write(fresh, BOOT_TEXT.encode(), mode=0o644, own=lambda descriptor: machine.chown(descriptor, uid, gid))
    with replacing(machine.path(BOOT_WANTS)) as fresh:
        fresh.symlink_to(BOOT_UNIT)


def set_timer(machine: Machine, seconds: int) -> None:
    """Take the change back after so many seconds from now, whatever was set before; raises Failure."""
    machine.run(["systemctl", "stop", "--", f"{TIMER}.timer"])
    when = [f"--on-active={seconds}", "--timer-property=AccuracySec=1s"]
    run_well(machine, "systemd-run", "--quiet", "--collect", f"--unit={TIMER}", *when, "/usr/bin/python3", "-I", SCRIPT)


def confirm(machine: Machine, lock: str) -> None:
    """Somebody got in over a new connection: the change stays. Not while an apply is still at work."""
    if not is_pending(machine):
        return
    with machine.path(lock).open("rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        delete(machine.path(MANIFEST))
    machine.run(["systemctl", "stop", "--", f"{TIMER}.timer"])
    for path in (BOOT_WANTS, BOOT_UNIT):
        delete(machine.path(path))
    drop_copies(machine)


def drop_copies(machine: Machine) -> None:
    """Remove what an earlier change has kept."""
    from shutil import rmtree  # noqa: PLC0415 - rarely needed, and slow to import

    rmtree(machine.path(UNDO), ignore_errors=True)


def is_pending(machine: Machine) -> bool:
    """Whether a change waits to be confirmed."""
    return look(machine.path(MANIFEST)) is not None


def undone(machine: Machine) -> Mapping[str, Any] | None:
    """The change that was last taken back, until another one is made: its generation, and when that was."""
    try:
        told = json.loads(machine.path(UNDONE).read_bytes())
        return {"generation": int(told["generation"]), "at": int(told["at"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None

"""The way back: what a change may touch of the way in is kept, and comes back unless the controller gets in again.

Before the first step that touches it, copies of all such files and of the ledger are stored with the program that
restores them (`mvpc/device/undo`), and a timer is set that runs it; a unit does so at the next boot. What may cut off
the session that makes the change waits until its answer is on the way: then the change settles, and is taken back at
once where a way that was open before is not open again. Whoever reaches the laptop over a new connection afterwards, by
a probe, confirms the change: copies and timer go. Precedents are Junos `commit confirmed` and netplan(8) `try`.
"""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mvpc.device.converge.kept import (
    BOOT_UNIT,
    BOOT_WANTS,
    COUNTING,
    LAST_TIMER,
    MANIFEST,
    SCRIPT,
    TIMER,
    UNDO,
    at_network_manager,
    drop_copies,
    is_pending,
)
from mvpc.device.converge.ledger import LEDGER
from mvpc.device.converge.machine import Machine, look, read_text, replacing, run_well, write, write_private
from mvpc.device.converge.observed import UnitState
from mvpc.device.converge.resources import CONNECTIONS
from mvpc.device.converge.words import Failure

WORKING_SECONDS, CONFIRM_SECONDS = 600, 180
"""Until it comes back: while the apply is at work, and after it. 802.1X may take 25 s to come up, a VPN 60 s."""
CHECKPOINT_SECONDS, OVERLAPPING = WORKING_SECONDS + CONFIRM_SECONDS + 60, 8
"""Of NetworkManager's checkpoint: later than our own timer, and beside those of others (CheckpointCreate, flag 0x8)."""
SETTLING = "mvpc-settle"
AT_STAKE = "mvpc: the way in changes now"
"""Said on standard error, so that whoever sees the session break knows that the change may have cut it off."""
BOOT_TEXT = f"""[Unit]
Description=Take back a change that nobody confirmed
DefaultDependencies=no
ConditionPathExists={MANIFEST}
After=local-fs.target
Before=network-pre.target sysinit.target

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I -S {SCRIPT} boot
Restart=on-failure
RestartSec=30s
"""


class Stake(NamedTuple):
    """What is at stake of the way in when a run begins with it."""

    components: tuple[str, ...]
    files: tuple[str, ...]
    """All that the run may change."""
    notify: tuple[str, ...]
    """Notifications that their services need."""
    units: Mapping[str, UnitState]
    """Units that go by these files, as they are."""
    connections: tuple[str, ...] | None
    """UUIDs of what NetworkManager has active; None where none of it is at stake."""


class Guard:
    """Keeps the way back of one apply. Without a script nothing is kept."""

    def __init__(self, machine: Machine, script: str, generation: int) -> None:
        self.machine, self.script, self.generation = machine, script, generation
        self.armed = False
        self.touched: set[str] = set()
        """Files of the way in, and units that go by them, that the run has changed."""
        self.risky: frozenset[str] = frozenset()
        """Notifications by which services read files of the way in."""
        self.later: dict[str, None] = {}
        """Notifications that wait until the answer is on its way."""
        self.manifest: dict[str, Any] = {}

    def arm(self, stake: Stake, ledger: bytes) -> None:
        """Before the first step on the way in: keep what is at stake, and set the timer.

        Args:
            stake: what the run may change, and how things are.
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
        kept = [keep(self.machine, path, str(number)) for number, path in enumerate(stake.files)]
        kept.append(self._ledger(ledger))
        self.manifest = {
            "generation": self.generation,
            "components": list(stake.components),
            "files": kept,
            "notify": commands(stake.notify),
            "units": [state_of(name, unit) for name, unit in stake.units.items()],
            **seen(self.machine),
            "connections": stake.connections,
            "checkpoint": "" if stake.connections is None else checkpoint(self.machine),
            "later": [],
            "boot": [BOOT_WANTS, BOOT_UNIT],
            "timer": f"{TIMER}.timer",
        }
        watch_the_boot(self.machine)
        # One that outlived its own change would take back this one too early.
        self.machine.run(["systemctl", "stop", "--", f"{TIMER}.timer", f"{LAST_TIMER}.timer"])
        set_timer(self.machine, TIMER, WORKING_SECONDS)
        self._write()
        self.risky = frozenset(word for word in stake.notify if word == "connections" or " " in word)
        self.armed = True
        sys.stderr.write(f"{AT_STAKE}\n")
        sys.stderr.flush()

    def postpones(self, word: str) -> bool:
        """Whether a notification may cut off the session, so that it has to wait for the answer."""
        return self.armed and word in self.risky

    def count_down(self, components: Sequence[str], ledger: bytes) -> None:
        """After the last step: let the change settle; from now on there is so much time to get in again."""
        if not self.armed:
            if self.script and not is_pending(self.machine):
                drop_copies(self.machine)  # what was taken back has been made up for
            return
        self._ledger(ledger)
        active = self.manifest["connections"]
        changed = {uuid: name for uuid, name in self._changed_connections() if uuid in (active or ())}
        self.manifest["connections"] = None if active is None else list(changed)
        self.manifest["components"] = list(components)
        self.manifest["later"] = [*deliveries(self.later), *(bring_up(*each) for each in changed.items())]
        # The first timer goes when the second one is there: without either, nothing would take the change back.
        set_timer(self.machine, LAST_TIMER, CONFIRM_SECONDS)
        self.manifest["timer"] = f"{LAST_TIMER}.timer"
        self._write()
        self.machine.run(["systemctl", "stop", "--", f"{TIMER}.timer"])
        write_private(self.machine, self.machine.path(COUNTING), b"")
        run_well(self.machine, "systemd-run", "--quiet", "--collect", f"--unit={SETTLING}", *undo("settle"))

    def _changed_connections(self) -> Iterator[tuple[str, str]]:
        """UUIDs and names of connections that changed themselves, or that use a certificate which did."""
        for path in sorted(self.machine.path(CONNECTIONS).glob("mvpc-*.nmconnection")):
            text = read_text(path)
            uuid = re.search(r"^uuid=(\S+)$", text, re.MULTILINE)
            used = {f"{CONNECTIONS}/{path.name}", *(line.partition("=")[2] for line in text.splitlines())}
            if uuid and used & self.touched:
                yield uuid[1], path.stem

    def _write(self) -> None:
        write_private(self.machine, self.machine.path(MANIFEST), json.dumps(self.manifest).encode())

    def _ledger(self, text: bytes) -> dict[str, Any]:
        write_private(self.machine, self.machine.path(f"{UNDO}/ledger"), text)
        uid, gid = self.machine.owner_ids("root", "root")
        return {"path": LEDGER, "kind": "file", "copy": "ledger", "mode": 0o600, "uid": uid, "gid": gid}


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


def commands(words: Iterable[str]) -> list[list[str]]:
    """What lets services read restored files, from the notifications that the changed ones have."""
    return [deliver for _, deliver in deliveries(word for word in sorted(words) if " " in word)]


def state_of(name: str, unit: UnitState) -> dict[str, Any]:
    """What the manifest must know of a unit."""
    return {"name": name, "enabled": unit.enabled, "active": unit.active, "masked": unit.masked}


def deliveries(words: Iterable[str]) -> list[tuple[str, list[str]]]:
    """Notifications in words and as commands."""
    verbs = {"reload": "try-reload-or-restart", "restart": "try-restart"}
    found = []
    for word in words:
        verb, _, unit = word.partition(" ")
        argv = ["systemctl", verbs[verb], "--", unit] if unit else ["nmcli", "connection", "reload"]
        found.append((word if unit else "reload of NetworkManager's connections", argv))
    return found


def bring_up(uuid: str, name: str) -> tuple[str, list[str]]:
    """How an active connection takes over what is in its file now."""
    return f"activation of {name}", ["nmcli", "--wait", "60", "connection", "up", "uuid", uuid]


def seen(machine: Machine) -> Mapping[str, Any]:
    """Rules of nftables and open ways before the change, as the stored program sees them; neither when it cannot."""
    ran = machine.run(undo("look"))
    try:
        found: dict[str, Any] = json.loads(ran.out)
    except ValueError:
        return {"rules": None, "ways": {"sshd": [], "router": False, "names": [], "tunnel": False}}
    return found


def checkpoint(machine: Machine) -> str:
    """Let NetworkManager remember which connection each device has; the object's path, or empty when it cannot."""
    said = at_network_manager(machine, "Create", "aouu", "0", str(CHECKPOINT_SECONDS), str(OVERLAPPING))
    found = re.search(r'"(/[\w/]+)"', said)
    return found[1] if found else ""


def undo(*words: str) -> list[str]:
    """The stored program as a command."""
    return ["/usr/bin/python3", "-I", "-S", SCRIPT, *words]


def watch_the_boot(machine: Machine) -> None:
    """Let the next boot take the change back as well: timers do not survive it."""
    uid, gid = machine.owner_ids("root", "root")
    with replacing(machine.path(BOOT_UNIT)) as fresh:
        write(fresh, BOOT_TEXT.encode(), mode=0o644, own=lambda descriptor: machine.chown(descriptor, uid, gid))
    with replacing(machine.path(BOOT_WANTS)) as fresh:
        fresh.symlink_to(BOOT_UNIT)


def set_timer(machine: Machine, name: str, seconds: int) -> None:
    """Take the change back after so many seconds from now; raises Failure.

    What cannot be taken back at once, since the disk is full perhaps, is tried again until it can.
    """
    when = [f"--on-active={seconds}", "--timer-property=AccuracySec=1s"]
    when += ["--property=Restart=on-failure", "--property=RestartSec=30s"]
    run_well(machine, "systemd-run", "--quiet", "--collect", f"--unit={name}", *when, *undo())

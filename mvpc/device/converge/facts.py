"""Facts about the laptop that every answer carries, and those that only a probe asks for."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from mvpc.device.converge.connections import vpn_state
from mvpc.device.converge.files import KEYS
from mvpc.device.converge.kept import is_pending, undone
from mvpc.device.converge.killswitch import kill_switch
from mvpc.device.converge.ledger import Ledger
from mvpc.device.converge.machine import Machine, look, read_text
from mvpc.device.converge.observed import Observed
from mvpc.device.converge.request import Order
from mvpc.device.converge.services import services
from mvpc.device.converge.software import software
from mvpc.device.converge.versions import on_offer


def cheap_facts(machine: Machine, ledger: Ledger) -> dict[str, Any]:
    """What can be read without starting a process."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', read_text(machine.path("/etc/os-release")), re.MULTILINE))
    boot = re.search(r"^btime (\d+)", read_text(machine.path("/proc/stat")), re.MULTILINE)
    uptime = read_text(machine.path("/proc/uptime")).split(".")[0]
    return {
        "os": f"{release.get('ID', 'unknown')}-{release.get('VERSION_ID', '')}".rstrip("-"),
        "kernel": os.uname().release,
        "boot_time": int(boot[1]) if boot else None,
        "uptime_s": int(uptime) if uptime.isdigit() else None,
        "clock": int(time.time()),
        "reboot_required": look(machine.path("/run/reboot-required")) is not None,
        "disk_free_mb": machine.free("/")[0],
        "disk_encrypted": is_encrypted(machine),
        "wireguard_public_key": read_text(machine.path(f"{KEYS}/wireguard.pub")) or None,
        "ledger": ledger.state,
        "unconfirmed": is_pending(machine),
        "undone": undone(machine),
    }


def is_encrypted(machine: Machine) -> bool:
    """Whether dm-crypt is anywhere below the file system at /, at any depth (LVM on LUKS, for example)."""
    mounts = [line.split() for line in read_text(machine.path("/proc/self/mountinfo")).splitlines()]
    sources = [words[words.index("-") + 2] for words in mounts if words[4] == "/"]
    source = machine.path(sources[-1]) if sources and sources[-1].startswith("/dev/") else None
    if source is None or not source.exists():
        return False
    number = source.stat().st_rdev
    return is_crypt(machine.path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"))


def is_crypt(device: Path) -> bool:
    """Whether a block device, or one that it is made of, is a dm-crypt mapping."""
    if read_text(device / "dm" / "uuid").startswith("CRYPT-"):
        return True
    slaves = device / "slaves"
    return slaves.is_dir() and any(map(is_crypt, slaves.iterdir()))


def probed_facts(machine: Machine, seen: Observed, order: Order) -> dict[str, Any]:
    """What takes a process each; only a probe asks for it."""
    connections = seen.connections()
    shown = [{key: each[key] for key in ("id", "type", "state")} for each in (connections or [])[:100]]
    return {
        "failed_units": seen.failed_units()[:50],
        "connections": shown,
        "vpn": {"state": vpn_state(machine, connections)},
        "kill_switch": kill_switch(machine),
        **({"updates_pending": updates_pending(machine), "updates_counted": int(time.time())} if order.updates else {}),
        **({"software": software(machine, order.software)} if order.software else {}),
        **({"services": services(machine, order.services)} if order.services else {}),
        **({"on_offer": on_offer(machine, order.versions)} if order.versions else {}),
    }


def updates_pending(machine: Machine) -> int | None:
    """How many packages could be upgraded, as far as the package lists on the disk know; None without lists."""
    if not any(machine.path("/var/lib/apt/lists").glob("*_*")):
        return None
    ran = machine.run(["apt-get", "-q", "-s", "-o", "Debug::NoLocking=true", "upgrade"])
    return sum(line.startswith("Inst ") for line in ran.out.splitlines()) if ran.code == 0 else None

"""Phases of networks: the laptop's own key, and profiles that NetworkManager must know; and how the VPN is."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from mvpc.device.converge.files import KEYS
from mvpc.device.converge.machine import Machine, look, run_well, write_private
from mvpc.device.converge.resources import Connection
from mvpc.device.converge.walk import Walk
from mvpc.device.converge.words import Step

IKEV2 = "/etc/swanctl/conf.d/mvpc.conf"


def key_steps(walk: Walk) -> Iterator[Step]:
    """Private keys are made on the laptop and never leave it."""
    if not any("wireguard" in file.device_keys.values() for file in walk.wanted_files()):
        return
    private, public = (walk.machine.path(f"{KEYS}/wireguard.{end}") for end in ("key", "pub"))
    now = look(private)
    make = partial(make_wireguard_key, walk.machine, private, public)
    if now is None or look(public) is None:
        yield Step("wireguard key is missing", "wireguard key made", make)
    elif stat.S_IMODE(now.st_mode) != 0o600:
        yield Step("wireguard key differs (mode)", "wireguard key updated (mode)", make)


def make_wireguard_key(machine: Machine, private: Path, public: Path) -> None:
    """Make what is missing of a key pair (wg(8)); the key goes through pipes, never through an argument."""
    key = private.read_text().strip() if look(private) else run_well(machine, "wg", "genkey").strip()
    write_private(machine, private, f"{key}\n".encode())
    write_private(machine, public, run_well(machine, "wg", "pubkey", stdin=key).encode(), mode=0o644)


def connection_steps(walk: Walk) -> Iterator[Step]:
    """NetworkManager must know each profile; what is still to be announced to it cannot be known yet."""
    wanted = walk.wanted(Connection)
    to_come = "connections" in walk.pending or "connections" in walk.run.guard.later
    known = walk.seen.connections() if wanted and not to_come else None
    if known is None:
        return
    uuids = {each["uuid"] for each in known}
    for each in wanted:
        if each.uuid not in uuids:
            path = os.fspath(walk.machine.path(each.identity))
            load = partial(run_well, walk.machine, "nmcli", "connection", "load", path)
            yield Step(f"connection {each.id} is unknown to NetworkManager", f"connection {each.id} loaded", load)


def vpn_state(machine: Machine, connections: Sequence[Mapping[str, str]] | None) -> str:
    """One of unknown, none, down, silent (no WireGuard handshake in the last three minutes), up."""
    if look(machine.path(IKEV2)):
        return ikev2_state(machine)
    if connections is None:
        return "unknown"
    tunnels = [each for each in connections if each["type"] in {"wireguard", "vpn"}]
    active = [each for each in tunnels if each["state"] == "activated"]
    if not active:
        return "down" if tunnels else "none"
    if any(each["type"] == "vpn" for each in active):
        return "up"
    handshakes = machine.run(["wg", "show", "all", "latest-handshakes"]).out.split()[2::3]
    return "up" if any(time.time() - int(each) < 180 for each in handshakes if each.isdigit()) else "silent"


def ikev2_state(machine: Machine) -> str:
    """`up` when the IKE SA is established and its child carries traffic, swanctl(8); unknown without strongSwan."""
    ran = machine.run(["swanctl", "--list-sas", "--ike", "mvpc", "--raw"])
    if ran.code != 0:
        return "unknown"
    return "up" if "state=ESTABLISHED" in ran.out and "state=INSTALLED" in ran.out else "down"

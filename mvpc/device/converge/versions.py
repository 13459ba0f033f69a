"""Whether exact versions can be had; only a probe that asks for it is told, before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping

from mvpc.device.converge.machine import Machine
from mvpc.device.converge.packages import lists_are_old, offers, update_lists
from mvpc.device.converge.software import installed

FRESH_SECONDS = 900
"""So old may package lists be that decide whether a version is there; a laptop that has all its versions needs none."""


def on_offer(machine: Machine, wanted: Mapping[str, str]) -> dict[str, bool] | None:
    """Package that has not this version yet -> whether a source has it; None when sources cannot be looked at."""
    there = {name: version for name, version, *_ in installed(machine, sorted(wanted))}
    coming = {name: version for name, version in wanted.items() if there.get(name) != version}
    if coming and lists_are_old(machine, FRESH_SECONDS) and (update_lists(machine) or lists_are_old(machine)):
        return None
    offered = {*offers(machine, coming)}
    return {name: (name, version) in offered for name, version in coming.items()}

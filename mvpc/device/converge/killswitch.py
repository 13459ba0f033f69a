"""How the kill switch is (`mvpc/render/killswitch.py`), in words for the helpdesk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mvpc.device.converge.machine import Machine, look

SWITCH = "/etc/systemd/system/mvpc-kill.service"


def kill_switch(machine: Machine) -> dict[str, Any] | None:
    """`state` is on, off (it should be there), or closed (its file is damaged); None where there shall be none."""
    if not look(machine.path(SWITCH)):
        return None
    ran = machine.run(["nft", "--json", "list", "table", "inet", "mvpc_kill"])
    if ran.code != 0:
        return {"state": "off"}
    chains = {each["name"] for each in objects(ran.out, "chain")}
    return {"state": "closed" if "closed" in chains else "on"}


def objects(listing: str, kind: str) -> Iterable[Mapping[str, Any]]:
    """The objects of one kind in nft's answer, libnftables-json(5)."""
    return [each[kind] for each in json.loads(listing)["nftables"] if kind in each]

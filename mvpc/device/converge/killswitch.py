"""How the kill switch is (`mvpc/render/killswitch.py`), in words for the helpdesk."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mvpc.device.converge.machine import Machine, look

SWITCH = "/etc/systemd/system/mvpc-kill.service"


def kill_switch(machine: Machine) -> dict[str, Any] | None:
    """`state`, or None where there shall be no switch.

    It is on; off, though it should be there; closed, since its file is damaged; portal or trusted, open for a while.
    """
    if not look(machine.path(SWITCH)):
        return None
    ran = machine.run(["nft", "--json", "list", "table", "inet", "mvpc_kill"])
    if ran.code != 0:
        return {"state": "off"}
    filled = {each["name"] for each in objects(ran.out, "set") if each.get("elem")}
    found = {"closed"} & {each["name"] for each in objects(ran.out, "chain")} | {"portal", "trusted"} & filled
    return {"state": min(found, default="on")}  # in alphabetical order the most telling one comes first


def objects(listing: str, kind: str) -> Iterable[Mapping[str, Any]]:
    """The objects of one kind in nft's answer, libnftables-json(5)."""
    return [each[kind] for each in json.loads(listing)["nftables"] if kind in each]

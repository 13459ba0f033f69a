"""Flatpaks: a list, and what brings the laptop to it by itself. mvpc/programs/flatpaks.py explains how."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from mvpc.model import File, Package, Resource, Unit
from mvpc.render.kept import FOLDER, kept
from mvpc.render.software.chosen import Chosen
from mvpc.render.template import fill
from mvpc.settings import FlatpakRemote

EXPORTS = "/var/lib/flatpak/exports/share/applications"
"""Where installed Flatpaks put their menu entries (flatpak-installation(5))."""

_PROGRAM = f"{FOLDER}/flatpaks"
_LIST = "/etc/mvpc/flatpaks.json"
_UNITS = "/etc/systemd/system"
_SERVICE = "mvpc-flatpaks.service"
_UPDATE = "mvpc-flatpaks-update"


def flatpaks(chosen: Chosen, remotes: Mapping[str, FlatpakRemote]) -> Iterator[Resource]:
    """Everything that Flatpaks need; nothing where the profile chose none, and then what was there goes."""
    if not chosen.flatpaks:
        return
    notify = ("daemon-reload", f"restart {_SERVICE}")
    yield Package(name="flatpak")
    yield File(path=_LIST, content=_list(chosen, remotes), notify=notify)
    yield kept("flatpaks", notify=notify)
    yield File(path=f"{_UNITS}/{_SERVICE}", content=fill("flatpaks-service", program=_PROGRAM), notify=notify)
    update = fill("flatpaks-update-service", program=_PROGRAM)
    yield File(path=f"{_UNITS}/{_UPDATE}.service", content=update, notify=("daemon-reload",))
    yield File(path=f"{_UNITS}/{_UPDATE}.timer", content=fill("flatpaks-update-timer"), notify=("daemon-reload",))
    yield Unit(name=_SERVICE)
    yield Unit(name=f"{_UPDATE}.timer")


def _list(chosen: Chosen, remotes: Mapping[str, FlatpakRemote]) -> str:
    products = [product for product, _ in chosen.flatpaks.values()]
    used = {each.remote: remotes[each.remote] for each in products}
    apps = {product.app: {"remote": product.remote, "branch": product.branch} for product in products}
    sources = {name: {"url": remote.url, "key": _bare(remote.key)} for name, remote in used.items()}
    return json.dumps({"remotes": sources, "apps": apps}, indent=2, sort_keys=True) + "\n"


def _bare(armoured: str) -> str:
    """A key as flatpakrepo files have it: base64 on one line, without headers and checksum (RFC 4880, 6.2)."""
    body = armoured.partition("\n\n")[2].splitlines()
    return "".join(line for line in body if not line.startswith(("-----", "=")))

"""Menu entries of services, programs that start at log-in, and which program opens which file."""

from __future__ import annotations

from collections.abc import Iterator

from mvpc.catalogue import FlatpakProduct
from mvpc.model import File
from mvpc.render.software.chosen import Chosen
from mvpc.render.software.flatpaks import EXPORTS
from mvpc.render.template import fill

_ENTRIES = "/usr/share/applications"
_AUTOSTART = "/etc/xdg/autostart"
_MIME = "/etc/xdg/mimeapps.list"


def menu_entries(chosen: Chosen) -> Iterator[File]:
    """Files below /usr/share/applications and /etc/xdg."""
    for name, (service, choice) in chosen.services.items():
        entry = fill(
            "web-entry",
            name=service.name,
            comment=service.description,
            url=choice.settings["url"].replace("%", "%%"),
            icon=service.icon,
        )
        yield File(path=f"{_ENTRIES}/mvpc-{name}.desktop", content=entry)
    for product, choice in chosen.programs.values():
        starts = product.autostart if choice.autostart is None else choice.autostart
        if product.desktop and starts:
            folder = EXPORTS if isinstance(product, FlatpakProduct) else _ENTRIES
            yield File(path=f"{_AUTOSTART}/mvpc-{product.desktop}", target=f"{folder}/{product.desktop}")
    if defaults := _defaults(chosen):
        yield File(path=_MIME, content=fill("mimeapps", defaults=defaults))


def _defaults(chosen: Chosen) -> dict[str, list[str]]:
    """Type of file -> entries of programs that open it, the preferred one first (mime-apps-spec 1.0.1)."""
    found: dict[str, list[str]] = {}
    for product, choice in chosen.programs.values():
        for kind in product.opens:
            entries = found.setdefault(kind, [])
            entries.insert(0 if choice.preferred else len(entries), product.desktop or "")
    return dict(sorted(found.items()))

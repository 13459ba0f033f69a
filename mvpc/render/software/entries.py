"""Menu entries of services, programs that start at log-in, and which program opens which file."""

from __future__ import annotations

from collections.abc import Iterator

from mvpc.errors import InputError
from mvpc.model import File
from mvpc.render.software.chosen import Chosen
from mvpc.render.template import fill

_ENTRIES = "/usr/share/applications"
_AUTOSTART = "/etc/xdg/autostart"
_MIME = "/etc/xdg/mimeapps.list"


def menu_entries(chosen: Chosen) -> Iterator[File]:
    """Files below /usr/share/applications and /etc/xdg.

    Raises:
        InputError: two products are preferred for the same type of file.
    """
    for name, (service, choice) in chosen.services.items():
        entry = fill(
            "web-entry",
            name=service.name,
            comment=service.description,
            url=choice.settings["url"].replace("%", "%%"),
            icon=service.icon,
        )
        yield File(path=f"{_ENTRIES}/mvpc-{name}.desktop", content=entry)
    for product, choice in chosen.packaged.values():
        if product.desktop and choice.autostart:
            yield File(path=f"{_AUTOSTART}/mvpc-{product.desktop}", target=f"{_ENTRIES}/{product.desktop}")
    if defaults := _defaults(chosen):
        yield File(path=_MIME, content=fill("mimeapps", defaults=defaults))


def _defaults(chosen: Chosen) -> dict[str, list[str]]:
    """Type of file -> entries of programs that open it, the preferred one first (mime-apps-spec 1.0.1)."""
    found: dict[str, list[str]] = {}
    preferred: dict[str, str] = {}
    for name, (product, choice) in chosen.packaged.items():
        for kind in product.opens:
            entries = found.setdefault(kind, [])
            if not choice.preferred:
                entries.append(product.desktop or "")
            elif kind in preferred:
                step = "Write preferred: false for one of them"
                raise InputError(f"{preferred[kind]} and {name} are both preferred for {kind}", hint=step)
            else:
                preferred[kind] = name
                entries.insert(0, product.desktop or "")
    return dict(sorted(found.items()))

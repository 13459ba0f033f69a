"""Files that carry settings of products to the laptop: policies of browsers, registries, dconf."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mvpc.catalogue import Choice, FileTemplate, Program
from mvpc.errors import InputError
from mvpc.model import File
from mvpc.render.formats import BadTemplateError, written
from mvpc.render.software.chosen import Chosen

_DCONF = "/etc/dconf/"
_DCONF_PROFILE = "/etc/dconf/profile/user"


def policies(chosen: Chosen) -> Iterator[File]:
    """One file for every template of every chosen product; raises InputError when a template fails."""
    found = [
        _file(name, template, values(product, choice, chosen))
        for name, (product, choice) in chosen.programs.items()
        for template in product.files
    ]
    yield from found
    if any(file.path.startswith(f"{_DCONF}db/") for file in found):
        # Debian has no profile, and without one dconf reads no database but the user's own (dconf(7)).
        yield File(path=_DCONF_PROFILE, content="user-db:user\nsystem-db:local\n", notify=("dconf",))


def values(product: Program, choice: Choice, chosen: Chosen) -> dict[str, Any]:
    """What the templates of a product know: its settings, and what the profile chose besides."""
    services = [
        {"name": service.name, "url": each.settings["url"], "certificates": list(service.certificates)}
        for service, each in chosen.services.values()
    ]
    settings = {name: _plain(setting.type, choice.settings.get(name)) for name, setting in product.settings.items()}
    return {**settings, "services": services, "languages": list(chosen.languages), "smart_cards": chosen.smart_cards}


def _plain(kind: str, value: Any) -> Any:
    """Maps keyed by name as templates want them: names that are switched on, addresses that are there."""
    if kind in {"names", "paths"}:
        return sorted(name for name, state in (value or {}).items() if state == "present")
    if kind == "urls":
        return {name: url for name, url in sorted((value or {}).items()) if url}
    return value


def _file(product: str, template: FileTemplate, known: Mapping[str, Any]) -> File:
    try:
        content = written(template.content, template.format, known)
    except BadTemplateError as error:
        raise InputError(
            f"product {product}: {template.path}: {error}",
            hint=f"Mend profiles/catalogue/{product}.yml; mvpc catalogue check names the line",
        ) from error
    return File(path=template.path, content=content, notify=("dconf",) if template.path.startswith(_DCONF) else ())

"""Fill every template of the catalogue once, before any laptop needs one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mvpc.catalogue import Product, Program, Setting, place_in
from mvpc.errors import Problem
from mvpc.render.formats import BadTemplateError, written

_SAMPLES: Mapping[str, Any] = {
    "boolean": True,
    "text": "text",
    "url": "https://www.mv.example/",
    "path": "/etc/mvpc/pki/mv-ca.pem",
    "names": ["one", "two"],
    "paths": ["/etc/mvpc/pki/mv-ca.pem", "/etc/mvpc/pki/other.pem"],
    "urls": {"one": "https://www.mv.example/1", "two": "https://www.mv.example/2"},
}
_EMPTY: Mapping[str, Any] = {"names": [], "paths": [], "urls": {}}
_SERVICE = {"name": 'A "service" & more', "url": "https://www.mv.example/", "certificates": ["/etc/mvpc/pki/mv-ca.pem"]}


def template_problems(root: Path, catalogue: Mapping[str, Product]) -> Iterator[Problem]:
    """Templates that fail with nothing set but the defaults, or with every setting set."""
    for name, product in catalogue.items():
        if isinstance(product, Program):
            yield from _problems(root, name, product)


def _problems(root: Path, name: str, product: Program) -> Iterator[Problem]:
    for number, template in enumerate(product.files):
        for values in (_bare(product.settings), _full(product.settings)):
            try:
                written(template.content, template.format, values)
            except BadTemplateError as error:
                place = place_in(root, name, ("files", number, "content"))
                yield Problem(f"{place.file}:{place.line + error.line}", f"files.{number}.content: {error}")
                break


def _bare(settings: Mapping[str, Setting]) -> dict[str, Any]:
    values = {name: _EMPTY.get(each.type, each.default) for name, each in settings.items()}
    return {**values, "services": [], "languages": ["de"], "smart_cards": False}


def _full(settings: Mapping[str, Setting]) -> dict[str, Any]:
    values = {name: _sample(each) for name, each in settings.items()}
    return {**values, "services": [_SERVICE, _SERVICE], "languages": ["de", "en"], "smart_cards": True}


def _sample(setting: Setting) -> Any:
    if setting.type == "choice":
        return setting.choices[-1]
    if setting.type == "integer":
        return setting.maximum if setting.maximum is not None else setting.minimum or 1
    return _SAMPLES[setting.type]

"""What a profile may say about a product, as lines to paste into a layer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from mvpc.catalogue.products import Product
from mvpc.catalogue.settings import Setting

_WIDTH = 60
"""At most so far to the right stand remarks, unless a line is longer itself."""
_COMMON: Mapping[str, tuple[Any, str]] = {
    "version": ({"debian-13": "1.0-1"}, "exactly this version, for each release that has one"),
    "preferred": (True, "opens its types of files before all others"),
    "autostart": (True, "starts at log-in"),
}
_EXAMPLES: Mapping[str, Any] = {
    "boolean": True,
    "text": "some words",
    "url": "https://intranet.mv.example/",
    "path": "/etc/mvpc/example",
    "names": {"some-name": "present"},
    "paths": {"/etc/mvpc/example": "present"},
    "urls": {"Some name": "https://intranet.mv.example/"},
}
"""Type of a setting without a default -> a value of it."""


def example(name: str, product: Product) -> str:
    """YAML that chooses a product. Everything else that can be set stands there in comments, one key a line."""
    optional = [
        (f"    # {key}: {json.dumps(value, ensure_ascii=False)}", why) for key, value, why in _optional(product)
    ]
    width = min(_WIDTH, max((len(text) for text, _ in optional), default=0))
    lines = (f"{text:{width}}  # {why}" for text, why in optional)
    return "\n".join(("software:", f"  {name}:", "    state: present", *lines))


def _optional(product: Product) -> Iterator[tuple[str, Any, str]]:
    """Key, value and what there is to say about it."""
    for key, (value, meaning) in _COMMON.items():
        if key in product.fields:
            yield key, value, meaning
    for key, setting in product.own_settings.items():
        if setting.default is not None:
            yield key, setting.default, "default"
        else:
            yield key, _value(setting), "example"


def _value(setting: Setting) -> Any:
    """A value of the right type; null, which sets nothing, where only people can know one."""
    if setting.type == "choice":
        return setting.choices[0]
    if setting.type == "integer":
        return setting.minimum if setting.minimum is not None else setting.maximum or 0
    return None if setting.pattern else _EXAMPLES[setting.type]

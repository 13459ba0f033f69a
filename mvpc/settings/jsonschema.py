"""JSON Schema of a layer, for editors: it completes keys and shows what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mvpc.catalogue import Choice, Product
from mvpc.settings.models import Settings

_LOCK = {
    "description": "Paths that layers below this one may not set, such as base.ssh.",
    "type": "array",
    "items": {"type": "string", "examples": ["base.ssh", "vpn.provider"]},
    "minItems": 1,
    "uniqueItems": True,
}


def json_schema(catalogue: Mapping[str, Product]) -> dict[str, Any]:
    """The schema of one layer file. Every key is optional, since a layer says only what it changes."""
    schema = _partial(Settings.model_json_schema())
    schema["$defs"].pop(Choice.__name__)
    properties = schema["properties"]
    properties["software"] = _software(properties["software"]["description"], catalogue)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mvpc profile layer",
        "description": "One layer of the profiles. Layers merge: maps key by key, everything else replaces.",
        **{key: value for key, value in schema.items() if key != "description"},
        "properties": {"lock": _LOCK, **properties},
    }


def _software(description: str, catalogue: Mapping[str, Product]) -> dict[str, Any]:
    entries = {name: _product(product) for name, product in sorted(catalogue.items())}
    return {"description": description, "type": "object", "properties": entries, "additionalProperties": False}


def _product(product: Product) -> dict[str, Any]:
    """One product: its state alone, or a map."""
    full = _partial(product.choice_model.model_json_schema())
    full.pop("description", None)
    state = {"enum": ["present", "absent", None]}
    return {"description": product.description, "anyOf": [state, full]}


_DROPPED = {"required", "default", "title"}
"""What holds only for the whole of all layers, or says nothing."""
_NAMED = {"properties", "patternProperties", "$defs"}
"""Below these stand names, not keywords."""


def _partial(schema: Any) -> Any:
    """The schema for a part of the settings: nothing is required, and maps whose names have a pattern are closed."""
    if isinstance(schema, list):
        return [_partial(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: {name: _partial(each) for name, each in value.items()} if key in _NAMED else _partial(value)
        for key, value in schema.items()
        if key not in _DROPPED
    }
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return kept

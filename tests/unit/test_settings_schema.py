from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from mvpc.catalogue import load_catalogue
from mvpc.settings import json_schema

PROJECT = Path(__file__).parents[2]
PROFILES = PROJECT / "profiles"
LAYERS = sorted({*PROFILES.glob("*.yml"), *PROFILES.glob("*/*.yml")} - {*PROFILES.glob("catalogue/*.yml")})


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json_schema(load_catalogue(PROJECT))


def messages(schema: dict[str, Any], layer: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(schema).iter_errors(layer)]


def test_the_stored_schema_is_current(schema: dict[str, Any]):
    stored = json.loads((PROFILES / "schema.json").read_text(encoding="utf-8"))
    assert stored == schema, "run: mvpc profile schema > profiles/schema.json"


def test_the_schema_is_a_valid_schema(schema: dict[str, Any]):
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", LAYERS, ids=lambda path: path.stem)
def test_the_sample_layers_fit_the_schema_and_name_it(schema: dict[str, Any], path: Path):
    text = path.read_text(encoding="utf-8")
    assert messages(schema, yaml.safe_load(text) or {}) == []
    reference = text.partition("\n")[0].removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / reference).resolve() == PROFILES / "schema.json"


@pytest.mark.parametrize(
    "layer",
    [
        {"vpm": {}},
        {"vpn": {"tunel": "full"}},
        {"vpn": {"tunnel": "half"}},
        {"vpn": {"mtu": "1380"}},
        {"software": {"unknown": "present"}},
        {"software": {"gimp": True}},
        {"software": {"libreoffice": {"default_format": "docx"}}},
        {"software": {"libreoffice": {"homepage": "https://www.mv.example/"}}},
        {"software": {"desktop": {"lock_after_minutes": 0}}},
        {"software": {"qpdf": {"version": {"debian-11": "1"}}}},
        {"base": {"sysctl": {"sysrq": 0}}},
        {"wifi": {"networks": {"LAN": {}}}},
        {"wifi": {"networks": {"lan": {"psk": "text"}}}},
        {"base": {"updates": {"window": {"days": {"montag": "present"}}}}},
        {"lock": "vpn"},
        {"lock": []},
    ],
)
def test_editors_see_what_mvpc_would_refuse(schema: dict[str, Any], layer: Any):
    assert messages(schema, layer)


def test_a_layer_may_hold_any_part(schema: dict[str, Any]):
    assert messages(schema, {}) == []
    assert messages(schema, {"wifi": {"networks": {"lan": {"state": "absent"}}}, "lock": ["wifi"]}) == []
    assert messages(schema, {"base": {"updates": {"window": {"start": "20:00"}}}}) == []


def test_every_setting_says_what_it_means(schema: dict[str, Any]):
    assert [path for path, part in properties(schema) if not described(schema, part)] == []


def described(schema: dict[str, Any], part: dict[str, Any]) -> bool:
    """Editors show the description of a referenced part where there is none beside the reference."""
    named = part.get("$ref", "").removeprefix("#/$defs/")
    return "description" in part or "description" in schema["$defs"].get(named, {})


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in schema["properties"].items():
        yield name, part
    for definition, parts in schema["$defs"].items():
        for name, part in parts["properties"].items():
            yield f"{definition}.{name}", part

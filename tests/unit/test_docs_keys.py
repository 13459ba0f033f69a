"""The pages that list keys are complete, current, and show what mvpc really takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.profile_keys import SAMPLES, profile_keys, rows
from mvpc.catalogue import load_catalogue
from mvpc.localroles import load_local_roles
from mvpc.profiles import merge, read_layer
from mvpc.settings import Settings, json_schema, validate

ROOT = Path(__file__).parents[2]
PROFILE_KEYS = ROOT / "docs/reference/profile-keys.md"
BLOCKS = ("lock", *Settings.model_fields)


def test_the_page_of_profile_keys_is_current():
    assert PROFILE_KEYS.read_text(encoding="utf-8") == profile_keys(), "run: make docs"


def test_every_key_of_the_schema_has_a_line():
    schema = json_schema({})
    paths = {path for block in BLOCKS for path in _paths(schema, schema["properties"][block], block)}
    assert paths - _keys(PROFILE_KEYS) - {"software"} == {
        each for each in paths if each.startswith("wifi.wired.eap.")
    }, "the keys of wifi.wired.eap are those of wifi.networks.<name>.eap, and `software` those of products"


def test_every_key_of_products_has_a_line():
    products = load_catalogue(ROOT).values()
    own = {name for product in products for name in product.fields}
    assert {f"software.<name>.{name}" for name in own} <= {key.removesuffix(".<name>") for key in _keys(PROFILE_KEYS)}


@pytest.mark.parametrize("block", BLOCKS)
def test_every_line_says_what_a_key_takes_and_means(block: str):
    assert [row.key for row in rows(block) if not (row.values and row.meaning)] == []


@pytest.mark.parametrize("block", BLOCKS)
def test_every_sample_is_a_valid_profile(block: str, tmp_path: Path):
    tasks = tmp_path / "playbooks/local/printers/tasks/main.yml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text("---\n- ansible.builtin.debug:\n", encoding="utf-8")
    merged = merge([read_layer(SAMPLES / f"{block}.yml", root=ROOT)])

    validate(merged, catalogue=load_catalogue(ROOT), roles=load_local_roles(tmp_path), admin="mvpc-admin")

    assert (SAMPLES / f"{block}.yml").read_text(encoding="utf-8").startswith(f"{block}:")


def _keys(page: Path) -> set[str]:
    """First cells of the tables of a page."""
    return set(re.findall(r"(?m)^\| `([^`]+)` \|", page.read_text(encoding="utf-8")))


def _paths(schema: dict[str, Any], part: dict[str, Any], path: str) -> Iterator[str]:
    """Every path of a JSON Schema, with `<name>` where people choose names."""
    part = next((each for each in part.get("anyOf", []) if "$ref" in each), part)
    part = schema["$defs"][part["$ref"].removeprefix("#/$defs/")] if "$ref" in part else part
    if "propertyNames" in part or part.get("additionalProperties") is True:
        values = [*part.get("patternProperties", {}).values(), part["additionalProperties"]][0]
        yield from _paths(schema, values if isinstance(values, dict) else {}, f"{path}.<name>")
        return
    yield path
    for name, each in part.get("properties", {}).items():
        yield from _paths(schema, each, f"{path}.{name}")

"""The pages that list keys are complete, current, and show what mvpc really takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docs.profile_keys import SAMPLES, profile_keys, rows
from docs.project_keys import Section, project_keys, sections
from mvpc.catalogue import load_catalogue
from mvpc.editions import editions
from mvpc.localroles import load_local_roles
from mvpc.model import CatchUp, TpmRule
from mvpc.profiles import merge, read_layer
from mvpc.project import KEYS, MARKER, Project, load_project
from mvpc.ringconfig import RING_KEYS
from mvpc.settings import Settings, json_schema, validate

ROOT = Path(__file__).parents[2]
PROFILE_KEYS = ROOT / "docs/reference/profile-keys.md"
PROJECT_KEYS = ROOT / "docs/reference/project-keys.md"
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


def test_the_page_of_project_keys_is_current():
    assert PROJECT_KEYS.read_text(encoding="utf-8") == project_keys(), "run: make docs"


def test_every_key_of_a_project_has_a_line():
    known = {f"{section}.{key}" for section, keys in KEYS.items() for key in keys}
    rings = {f"rollout.ring.{key}" for key in RING_KEYS}
    assert _keys(PROJECT_KEYS) == known - {"rollout.ring"} | rings


def test_every_line_of_a_project_is_valid_and_explained(tmp_path: Path):
    _project(tmp_path, [each.sample for each in _sections()])
    first = {each.name: each for each in reversed(_sections())}.values()
    assert [each.name for each in first if not each.words] == []
    assert [f"{each.name}.{entry.key}" for each in first for entry in each.entries if not entry.meaning] == []


def test_values_in_comments_are_the_defaults_unless_another_one_is_named(tmp_path: Path):
    shown = [
        Section(each.head, each.words, [entry for entry in each.entries if entry.default in {None, "needed"}])
        for each in _sections()
    ]
    assert _project(tmp_path, [each.sample for each in shown]) == _project(tmp_path, [])


@pytest.mark.parametrize(
    ("key", "values"),
    [("catch_up", CatchUp), ("tpm", TpmRule), ("crypto", editions())],
    ids=["catch_up", "tpm", "crypto"],
)
def test_a_key_with_few_values_names_them_all(key: str, values: tuple[str, ...]):
    words = next(entry.words for each in _sections() for entry in each.entries if entry.key == key)
    assert [value for value in values if value not in words] == []


def test_a_default_in_words_is_told_from_what_a_key_means():
    (section,) = sections(
        "# Who.\n[ssh]\n\n# no word about user\n\n# Key of\n# it. Default: none, ever.\n# key = 1\nport = 2\n"
    )
    key, port = section.entries
    assert (section.words, key.meaning, key.default) == ("Who.", "Key of it.", "none, ever")
    assert (port.words, port.value, port.default) == ("", "2", None)


def _sections() -> list[Section]:
    return sections((ROOT / MARKER).read_text(encoding="utf-8"))


def _project(folder: Path, parts: list[str]) -> Project:
    (folder / MARKER).write_text("\n".join(parts), encoding="utf-8")
    return load_project(folder)


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

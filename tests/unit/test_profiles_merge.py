"""Merge cases as files: numbered layers in, and either `merged.txt` or `problems.txt` out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvpc.errors import InputError
from mvpc.model import Scalar, Source
from mvpc.profiles import Merged, dotted, merge, read_layer

CASES = Path(__file__).parents[1] / "cases" / "merge"


def outcome(case: Path) -> tuple[str, str]:
    """Name and content of the file that the layers of a case lead to."""
    try:
        merged = merge([read_layer(path, root=case) for path in sorted(case.glob("*.yml"))])
    except InputError as error:
        return "problems.txt", "".join(f"{problem}\n" for problem in error.problems)
    return "merged.txt", as_text(merged)


def as_text(merged: Merged) -> str:
    lines = []
    for keys, origin in merged.origins.items():
        history = [(origin.value, origin.source), *origin.overrides]
        lines.append(f"{dotted(keys)} = " + " over ".join(placed(*each) for each in history))
    return "".join(f"{line}\n" for line in lines)


def placed(value: Scalar, source: Source) -> str:
    return f"{json.dumps(value)} ({source})"


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_layers_merge_as_the_case_says(case: Path):
    name, text = outcome(case)
    expected = {path.name: path.read_text(encoding="utf-8") for path in case.glob("*.txt")}
    assert {name: text} == expected

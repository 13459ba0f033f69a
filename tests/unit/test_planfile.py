"""A plan in a file is the plan that was reviewed, to the letter, or is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvpc.errors import InputError
from mvpc.plan import Subject, make_plan
from mvpc.planfile import made_by, read_plan, to_data
from mvpc.testing import a_bundle, a_device, a_probe

PLAN = made_by(
    "ute",
    make_plan(
        "all",
        [
            Subject(
                device=a_device(),
                ressort="fm",
                operator="zdmv",
                bundle=a_bundle(),
                probe=a_probe(digests={"base": "a"}),
            )
        ],
    ),
)


def test_a_plan_comes_back_from_its_file(tmp_path: Path):
    (tmp_path / "plan.json").write_text(json.dumps(to_data(PLAN)))
    assert read_plan(tmp_path / "plan.json") == PLAN


@pytest.mark.parametrize(
    ("key", "value"),
    [("maker", "jan"), ("basis", "0" * 12), ("changes", []), ("ressorts", {}), ("rings", []), ("hash", "0" * 12)],
)
def test_a_plan_that_was_changed_by_hand_is_refused(tmp_path: Path, key: str, value: object):
    (tmp_path / "plan.json").write_text(json.dumps(to_data(PLAN) | {key: value}))
    with pytest.raises(InputError, match=r"plan\.json: this plan was changed after it was made\. Make a new one\."):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', "null"])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match="this is no plan"):
        read_plan(tmp_path / "plan.json")

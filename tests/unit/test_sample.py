from __future__ import annotations

import pytest

from mvpc.model import Action, Change, ComponentResult, Outcome, Plan
from mvpc.sample import draw, surprises
from mvpc.testing import NOON


def laptops(number: int) -> list[str]:
    return [f"nb-{each:06}" for each in range(number)]


@pytest.mark.parametrize(
    ("unchanged", "percent", "drawn"),
    [
        (15_000, 1, 150),
        (15_000, 0.5, 75),
        (150, 1, 2),
        (50, 1, 1),
        (49, 1, 0),  # one of fewer would be more than 2 %
        (2, 50, 1),
        (2, 100, 2),
        (15_000, 0, 0),
        (0, 100, 0),
    ],
)
def test_the_sample_is_the_share_rounded_to_the_nearest_laptop(unchanged: int, percent: float, drawn: int):
    assert len(draw(laptops(unchanged), percent=percent, salt="a")) == drawn


def test_another_salt_draws_others_and_the_same_salt_the_same():
    one, two = (draw(laptops(1000), percent=2, salt=salt) for salt in ("a", "b"))
    assert one != two
    assert draw(laptops(1000)[::-1], percent=2, salt="a") == one[::-1]


def test_only_a_change_in_the_sample_is_a_surprise():
    changes = tuple(
        Change(device=name, component="base", action=Action.FULL, reason="sample", digest="a")
        for name in ("nb-1", "nb-2", "nb-3")
    )
    plan = Plan(scope="all", changes=changes, skipped=(), ressorts={}, sample=("nb-1", "nb-2"), hash="h")
    outcomes = {"nb-1": Outcome.CHANGED, "nb-2": Outcome.UNCHANGED, "nb-3": Outcome.CHANGED}
    results = [
        ComponentResult(device=name, component="base", outcome=outcome, at=NOON) for name, outcome in outcomes.items()
    ]
    assert [result.device for result in surprises(plan, results)] == ["nb-1"]

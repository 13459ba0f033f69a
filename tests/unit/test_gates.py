"""Why a rollout stops at a ring: a sentence with the limit, and with the first laptop and its reason."""

from __future__ import annotations

import pytest

from mvpc.gates import Tally, missing_quorum, trip
from mvpc.model import ComponentResult, Gate, Outcome, PlannedRing
from mvpc.testing import NOON


def tally(outcome: Outcome, *errors: str) -> Tally:
    counted = Tally(ring=PlannedRing(name="pilot", gate=Gate(), devices=("nb-1", "nb-2", "nb-3", "nb-4", "nb-5")))
    for number, error in enumerate(errors, 1):
        counted.count(
            ComponentResult(device=f"nb-{number}", component="vpn", outcome=outcome, digest="", at=NOON, error=error)
        )
    return counted


def test_it_names_the_first_laptop_that_failed_and_why():
    stopped = trip(tally(Outcome.ROLLED_BACK, "taken back: the tunnel mvpc-vpn did not come up", "something else"))
    limit = "2 of 5 devices failed in ring pilot; the limit is 2 % or 5"
    assert stopped == f"{limit}; nb-1, vpn: taken back: the tunnel mvpc-vpn did not come up"


def test_of_many_lines_it_says_the_first_that_says_something():
    assert trip(tally(Outcome.FAILED, "\n  apt-get failed\nand said much more")).endswith("; nb-1, vpn: apt-get failed")


@pytest.mark.parametrize("outcome", [Outcome.UNREACHABLE, Outcome.DEFERRED, Outcome.CHANGED])
def test_laptops_that_wait_or_are_done_stop_nothing(outcome: Outcome):
    assert trip(tally(outcome, "no answer")) == ""


@pytest.mark.parametrize(
    ("verified", "missing"),
    [(200, ""), (199, "only 199 of 250 devices in ring pilot are verified, 80 % must be")],
)
def test_a_quorum_is_met_by_its_share_to_the_last_laptop_and_not_by_one_less(verified: int, missing: str):
    devices = tuple(f"nb-{number}" for number in range(250))
    ring = PlannedRing(name="pilot", gate=Gate(quorum_percent=80), devices=devices)
    assert missing_quorum(Tally(ring=ring, verified=verified)) == missing

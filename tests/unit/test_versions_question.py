"""Whether a laptop can get exact versions."""

from __future__ import annotations

from typing import Any

import pytest

from mvpc.device.converge import versions
from mvpc.device.converge.machine import Ran
from mvpc.device.converge.request import read_order
from mvpc.device.converge.versions import on_offer
from mvpc.device.converge.words import Refused
from mvpc.device.versions import parse_on_offer

MADISON = """\
      qpdf |  12.2.0-1 | http://mirror.mv.example/debian trixie/main amd64 Packages
      qpdf |  12.1.0-1 | http://mirror.mv.example/debian trixie/main Sources
"""


class Laptop:
    """A laptop with jq, whose sources have one version of qpdf."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, argv: list[str], **_: object) -> Ran:
        self.ran.append(argv[0])
        return Ran(0, "installed jq 1.7-1 amd64 jq\n" if argv[0] == "dpkg-query" else MADISON)


@pytest.fixture
def lists(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How the package lists of the laptop are: whether old, and which source an update refuses."""
    state: dict[str, Any] = {"old": False, "refused": "", "updates": 0}

    def update(_: object) -> str:
        state.update(updates=state["updates"] + 1, old=state.get("stays", False))
        return str(state["refused"])

    monkeypatch.setattr(versions, "lists_are_old", lambda *_: state["old"])
    monkeypatch.setattr(versions, "update_lists", update)
    return state


def asked(laptop: Laptop | None = None, **wanted: str) -> dict[str, bool] | None:
    return on_offer(laptop or Laptop(), wanted)  # type: ignore[arg-type]


def test_a_version_is_on_offer_when_a_source_of_packages_has_it(lists: dict[str, Any]):
    assert asked(qpdf="12.2.0-1") == {"qpdf": True}
    assert asked(qpdf="12.1.0-1") == {"qpdf": False}


def test_a_version_that_is_there_already_costs_no_look_at_the_sources(lists: dict[str, Any]):
    lists["old"] = True
    laptop = Laptop()
    assert asked(laptop, jq="1.7-1") == {}
    assert (laptop.ran, lists["updates"]) == (["dpkg-query"], 0)


def test_old_lists_are_fetched_first(lists: dict[str, Any]):
    lists["old"] = True
    assert asked(qpdf="12.2.0-1") == {"qpdf": True}
    assert lists["updates"] == 1


@pytest.mark.parametrize("fault", [{"stays": True}, {"refused": "source x is refused"}])
def test_a_laptop_whose_sources_fail_cannot_tell(lists: dict[str, Any], fault: dict[str, Any]):
    lists.update(fault, old=True)
    assert asked(qpdf="12.2.0-1") is None


@pytest.mark.parametrize("odd", [None, [], {"qpdf": 1}, {"qpdf": "1; x"}, {"-x": "1"}])
def test_an_odd_question_is_refused(odd: object):
    head = {"format": 1, "action": "probe", "device": "nb-1", "generation": 0, "diff": False, "updates": False}
    with pytest.raises(Refused):
        read_order({**head, "undo": "", "components": [], "versions": odd})


@pytest.mark.parametrize(("said", "read"), [(None, None), ({}, {}), ({"qpdf": True}, {"qpdf": True})])
def test_an_answer_is_read(said: object, read: object):
    assert parse_on_offer(said, {"qpdf": "1"}) == read


@pytest.mark.parametrize("odd", [[], {"other": True}, {"qpdf": 1}])
def test_an_answer_of_another_shape_is_refused(odd: object):
    with pytest.raises(ValueError, match=r"^versions: "):
        parse_on_offer(odd, {"qpdf": "1"})

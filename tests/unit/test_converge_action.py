"""The converge task when a change of the way in is taken back, or breaks the session that makes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from mvpc.device import Answer, ComponentAnswer
from mvpc.device.converge.guard import AT_STAKE
from playbooks.collections.ansible_collections.mvpc.fleet.plugins.action import converge

BUNDLE: Mapping[str, Any] = {
    "device": "nb-1",
    "generation": 7,
    "components": [{"name": "vpn", "digest": "v2"}, {"name": "software", "digest": "s2"}],
}
UNDONE = {"generation": 7, "at": 1, "booting": False, "reason": "no router answers any more", "components": ["vpn"]}
BROKEN = AnsibleConnectionFailure(f"Failed to connect to the host via ssh: {AT_STAKE}\nTimeout, server not responding.")


def answer(vpn: str = "v2", software: str = "s2", **facts: Any) -> Answer:
    parts = [
        ComponentAnswer(name=name, digest=digest, outcome="changed", changes=("file changed",), error="", diff="")
        for name, digest in (("vpn", vpn), ("software", software))
    ]
    facts = {"unconfirmed": False, "undone": None, **facts}
    return Answer(device="nb-1", machine_id="a", generation=7, components=tuple(parts), facts=facts, error="")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the task tells of each component, when the laptop says one thing after the other."""
    monkeypatch.setattr(converge, "AGAIN_PAUSE", 0)
    monkeypatch.setattr(converge, "AGAIN_SECONDS", 1)
    monkeypatch.setattr(converge, "_bundle", lambda _variables: BUNDLE)
    monkeypatch.setattr(ActionBase, "run", lambda *_: {})

    def tell(*says: Answer | Exception) -> dict[str, tuple[str, str]]:
        task = object.__new__(converge.ActionModule)
        arguments = {"components": ["vpn", "software"], "journal": None}
        fakes = {
            "_task": SimpleNamespace(check_mode=False, diff=False),
            "_connection": SimpleNamespace(reset=lambda: None),
            "validate_argument_spec": lambda _spec: (None, arguments),
            "_ask": replaying(says),
        }
        for name, fake in fakes.items():
            setattr(task, name, fake)
        result = task.run(None, {})
        return {part["name"]: (part["outcome"], part["error"]) for part in result["mvpc_components"]}

    return tell


def replaying(says: Sequence[Answer | Exception]) -> Any:
    left: Iterator[Answer | Exception] = iter(says)

    def ask(*_: object) -> Answer:
        said = next(left, says[-1])
        if isinstance(said, Exception):
            raise said
        return said

    return ask


def test_a_change_that_is_confirmed_is_told_as_the_laptop_told_it(told):
    assert told(answer(unconfirmed=True), answer(unconfirmed=True), answer()) == {
        "vpn": ("changed", ""),
        "software": ("changed", ""),
    }


def test_what_was_taken_back_is_told_with_the_reason_and_the_rest_stays_done(told):
    assert told(answer(unconfirmed=True), AnsibleConnectionFailure("no route"), answer(vpn="", undone=UNDONE)) == {
        "vpn": ("rolled_back", "taken back: no router answers any more"),
        "software": ("changed", ""),
    }


def test_a_laptop_that_somebody_restarted_waits(told):
    restarted = {**UNDONE, "booting": True, "reason": "the laptop was started again before anybody got in"}
    assert told(answer(unconfirmed=True), answer(vpn="", undone=restarted))["vpn"][0] == "deferred"


def test_what_an_earlier_rollout_had_taken_back_does_not_matter(told):
    assert told(answer(unconfirmed=True), answer(undone={**UNDONE, "generation": 6}))["vpn"] == ("changed", "")


def test_a_laptop_that_does_not_come_back_has_failed(told):
    with pytest.raises(AnsibleActionFail, match="has not come back yet"):
        told(answer(unconfirmed=True), AnsibleConnectionFailure("no route"))


def test_a_session_that_breaks_is_no_failure_when_the_ledger_says_that_all_is_done(told):
    assert told(BROKEN, answer(unconfirmed=True), answer()) == {"vpn": ("changed", ""), "software": ("changed", "")}


def test_a_session_that_the_change_breaks_tells_what_was_taken_back(told):
    assert told(BROKEN, answer(vpn="", software="s1", undone=UNDONE)) == {
        "vpn": ("rolled_back", "taken back: no router answers any more"),
        "software": ("deferred", "the session broke before it was done"),
    }


@pytest.mark.parametrize(
    "says",
    [
        [BROKEN, AnsibleConnectionFailure("no route")],
        [BROKEN, answer(vpn="")],
        [AnsibleConnectionFailure("ssh: connect to host nb-1: Connection timed out")],
    ],
    ids=["it stays away", "it was not finished", "there was no session yet"],
)
def test_a_laptop_that_went_to_sleep_is_unreachable(told, says: list[Answer | Exception]):
    with pytest.raises(AnsibleConnectionFailure) as unreachable:
        told(*says)
    assert AT_STAKE not in str(unreachable.value)

"""From events to results: every component of the work gets exactly one, whatever Ansible or a laptop does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from mvpc.model import ComponentResult, HostWork, Outcome
from mvpc.text import safe

_REFUSALS = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED": (
        "refused: its SSH host key is not the one in the inventory: not the laptop we know. "
        "Find out who answers at its address; enter the new key only if the laptop was installed anew"
    ),
    "Host key verification failed": "refused: it offers another kind of SSH host key than the inventory holds",
    "Permission denied (": "refused: it does not let mvpc log in. Check user and key in mvpc.toml and on the laptop",
}
"""What OpenSSH says -> what it means. Ansible calls all of them unreachable, but the laptop has answered."""

_UNREACHABLE_MARKS = ("via ssh: ", "over ssh: ", "over SSH: ")


@dataclass(kw_only=True)
class Tally:
    """What is still awaited, and whether Ansible has begun at all."""

    waiting: dict[tuple[str, str], str]
    """(device, component) -> digest that it must have afterwards, in the order of the work."""
    begun: bool = False
    trouble: dict[str, str] = field(default_factory=dict)
    """Laptop -> what Ansible last complained about there."""

    @classmethod
    def of(cls, work: Sequence[HostWork]) -> Tally:
        """Await every component of the work."""
        return cls(
            waiting={
                (item.device.hostname, name): item.bundle.component(name).digest
                for item in work
                for name in item.components
            }
        )

    def take(self, line: bytes) -> Iterator[ComponentResult]:
        """Results that follow from one event line. What nobody awaits, and what is no event, is passed over."""
        event = _event(line)
        kind = event.get("event")
        self.begun = self.begun or kind == "start"
        if kind == "trouble":
            self.trouble[str(event.get("host"))] = str(event.get("text"))
        elif kind == "result":
            yield from self._results(event)
        elif kind == "lost":
            yield from self._lost(event)

    def rest(self, reason: str) -> Iterator[ComponentResult]:
        """Fail everything that got no result."""
        for device, component in list(self.waiting):
            error = self.trouble.get(device) or reason
            yield self._close(device, component, outcome=Outcome.FAILED, at=_now(), error=_shown(error))

    def _results(self, event: Mapping[str, Any]) -> Iterator[ComponentResult]:
        device, component = str(event.get("host")), str(event.get("component"))
        if (device, component) in self.waiting:
            yield self._result(device, component, event)

    def _lost(self, event: Mapping[str, Any]) -> Iterator[ComponentResult]:
        """Nothing more will be heard of the laptop, so this is the result of all that is awaited of it."""
        device, said = str(event.get("host")), str(event.get("error")).removeprefix("Task failed: ")
        lost = _unreached(said) if event.get("outcome") == Outcome.UNREACHABLE else (Outcome.FAILED, _shown(said))
        for name in [name for host, name in self.waiting if host == device]:
            yield self._close(device, name, outcome=lost[0], at=_at(event), error=lost[1])

    def _result(self, device: str, component: str, event: Mapping[str, Any]) -> ComponentResult:
        digest = str(event.get("digest", ""))
        outcome, error = _outcome(event), str(event.get("error", ""))
        if outcome.is_done and digest != self.waiting[device, component]:
            outcome, error = Outcome.FAILED, "the laptop's ledger does not show what was sent"
        return self._close(
            device,
            component,
            outcome=outcome,
            digest=safe(digest, limit=128),
            at=_at(event),
            changes=tuple(_shown(change) for change in event.get("changes", ())),
            error=_shown(error),
        )

    def _close(self, device: str, component: str, **fields: Any) -> ComponentResult:
        del self.waiting[device, component]
        return ComponentResult(device=device, component=component, **fields)


def _event(line: bytes) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _outcome(event: Mapping[str, Any]) -> Outcome:
    try:
        return Outcome(str(event.get("outcome")))
    except ValueError:
        return Outcome.FAILED


def _unreached(said: str) -> tuple[Outcome, str]:
    for words, meaning in _REFUSALS.items():
        if words in said:
            return Outcome.FAILED, meaning
    for mark in _UNREACHABLE_MARKS:
        said = said.rpartition(mark)[2]
    return Outcome.UNREACHABLE, _shown(said)


def _at(event: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(str(event.get("at"))).astimezone(UTC)
    except ValueError:
        return _now()


def _now() -> datetime:
    return datetime.now(tz=UTC)


def _shown(text: object) -> str:
    """On one line: Ansible's own complaints have several, such as the places where it looked for a file."""
    return safe(" ".join(str(text).split()), limit=400)

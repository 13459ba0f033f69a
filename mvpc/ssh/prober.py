"""Ask many laptops at once how they are."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvpc.device import FORMAT, Answer, parse_answer, program
from mvpc.device.questions import ANSWERS, parse_facts, request_fields
from mvpc.model import Device, Outcome, Probe, Reach
from mvpc.ssh.calls import Calls
from mvpc.ssh.session import ANSWER_SECONDS, Login, NotReachedError, connect, exchange, load_key, silence
from mvpc.ssh.trust import HostAuthority
from mvpc.text import safe

if TYPE_CHECKING:
    from mvpc.software import Questions  # loads pydantic

_CHECKS_SECONDS = 240
"""What a laptop that is asked for more than how it is may take longer; the device program gives up before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SshProber:
    """Asks many laptops at once; see `mvpc.rollout.Prober`."""

    user: str
    port: int
    key: Path
    now: Callable[[], datetime] = lambda: datetime.now(tz=UTC)
    at_once: int = 48
    authority: HostAuthority | None = None
    """Whose host certificates are believed beside the host keys of the inventory."""
    updates: bool = False
    """Whether laptops shall count their pending updates as well: it takes each of them longer than all the rest."""
    questions: Mapping[str, Questions] = field(default_factory=dict)
    """Hostname -> what the laptop is asked besides."""

    def probe(self, devices: Sequence[Device]) -> Iterator[Probe]:
        """Ask every device; yields answers as they come, one for each device.

        Raises:
            MvpcError: our own SSH key cannot be used.
        """
        if not devices:
            return
        login = Login(user=self.user, port=self.port, key=load_key(self.key, now=self.now()), authority=self.authority)
        with closing(Calls(self.port)) as calls, ThreadPoolExecutor(min(self.at_once, len(devices))) as pool:
            inquiry = _Inquiry(deque(devices), calls, pool, partial(self._ask, login), room=2 * self.at_once)
            try:
                while inquiry.open:
                    inquiry.call()
                    for device, reached in calls.settled():
                        if isinstance(reached, OSError):
                            yield self._unanswered(device, Reach.UNREACHABLE, silence(self.port, reached))
                        else:
                            inquiry.ask(device, reached)
                    yield from inquiry.answers()
            finally:
                inquiry.cancel()

    def _ask(self, login: Login, device: Device, connection: socket.socket | None) -> Probe:
        try:
            with connection or connect(device, self.port) as connected:
                asked = self.questions.get(device.hostname)
                text = program(_question(device, updates=self.updates, questions=asked))
                seconds = ANSWER_SECONDS + (_CHECKS_SECONDS if asked else 0)
                answer = parse_answer(exchange(device, login, connected, text, seconds=seconds))
                said = parse_facts(answer.facts, asked) if asked and not answer.error else {}
        except NotReachedError as reason:
            return self._unanswered(device, reason.reach, str(reason))
        except ValueError as error:
            return self._unanswered(device, Reach.BROKEN, f"its answer is no valid report: {error}")
        if answer.error:
            return self._unanswered(device, Reach.BROKEN, answer.error)
        return self._answered(device, answer, said)

    def _unanswered(self, device: Device, reach: Reach, detail: str) -> Probe:
        return Probe(device=device.hostname, at=self.now(), reach=reach, detail=safe(detail, limit=300))

    def _answered(self, device: Device, answer: Answer, said: Mapping[str, Any]) -> Probe:
        return Probe(
            device=device.hostname,
            at=self.now(),
            reach=Reach.REACHED,
            generation=answer.generation,
            digests={part.name: part.digest for part in answer.components},
            drift={
                part.name: tuple(safe(change, limit=300) for change in part.changes)
                for part in answer.components
                if part.outcome != Outcome.UNCHANGED
            },
            facts={name: fact for name, fact in answer.facts.items() if name not in ANSWERS},
            **said,
        )


@dataclass(slots=True)
class _Inquiry:
    """Which laptops are still to be called, and which ones a thread talks to."""

    waiting: deque[Device]
    calls: Calls
    pool: ThreadPoolExecutor
    talk: Callable[[Device, socket.socket | None], Probe]
    room: int = field(kw_only=True)
    """Laptops that have answered and whose turn has not come; with more nobody new is called."""
    asked: dict[Future[Probe], socket.socket | None] = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether an answer is still missing."""
        return bool(self.waiting or self.calls.pending or self.asked)

    def call(self) -> None:
        """Call as many as may be called at once."""
        while self.waiting and self.calls.pending < self.calls.most and len(self.asked) < self.room:
            device = self.waiting.popleft()
            if not self.calls.start(device):
                self.ask(device, None)

    def ask(self, device: Device, connection: socket.socket | None) -> None:
        """Let a thread talk to a laptop as soon as one is free."""
        future = self.pool.submit(self.talk, device, connection)
        self.asked[future] = connection
        future.add_done_callback(lambda _: self.calls.wake())

    def answers(self) -> Iterator[Probe]:
        """Answers that are complete."""
        for future in [each for each in self.asked if each.done()]:
            del self.asked[future]
            yield future.result()

    def cancel(self) -> None:
        """Talk to nobody new."""
        for future, connection in self.asked.items():
            if future.cancel() and connection:
                connection.close()


def _question(device: Device, *, updates: bool, questions: Questions | None) -> dict[str, object]:
    return {
        "format": FORMAT,
        "action": "probe",
        "device": device.hostname,
        "generation": 0,
        "diff": False,
        "updates": updates,
        "undo": "",
        "components": [],
        **(request_fields(questions) if questions else {}),
    }

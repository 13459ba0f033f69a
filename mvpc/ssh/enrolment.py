"""The visits to one laptop that its enrolment takes: it makes its key, it gets its identity, it proves it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mvpc.device import FORMAT, component_to_dict, parse_answer, program, undo_source
from mvpc.device.enrolment import KeyRequest, enrolment_program, parse_key_request
from mvpc.enrolment import EnrolmentError
from mvpc.errors import MvpcError
from mvpc.model import Component, Device, Reach, TpmRule
from mvpc.ssh.session import ANSWER_SECONDS, Login, NotReachedError, connect, exchange, load_key
from mvpc.ssh.trust import HostAuthority
from mvpc.text import safe

PROVE_SECONDS = 120
"""How long to try to log in by the certificate. The laptop takes the change back after 180 seconds."""

_NEXT_STEP = {
    TpmRule.PREFER: "",
    TpmRule.NEVER: "",
    TpmRule.REQUIRE: 'Mend that on the laptop, or accept a file: tpm = "prefer" under [identity] in mvpc.toml',
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Visits laptops over SSH, as `mvpc.enrolment` needs it."""

    user: str
    port: int
    key: Path
    now: Callable[[], datetime]
    authority: HostAuthority | None

    def ask(self, device: Device, curve: str, words: Sequence[str], *, tpm: TpmRule, fresh: bool) -> KeyRequest:
        """Let the laptop make its key and show the words.

        Raises:
            EnrolmentError: what answers is not the laptop in the inventory.
            MvpcError: it was not reached, or cannot make a key.
        """
        text = self.say(device, enrolment_program(device.hostname, curve, words, tpm=tpm, fresh=fresh))
        try:
            return parse_key_request(text)
        except ValueError as error:
            what = f"it cannot be asked for a key: {safe(error, limit=300)}"
            raise MvpcError(what, where=device.hostname, hint=_NEXT_STEP[tpm]) from error

    def install(self, device: Device, component: Component, *, generation: int) -> None:
        """Apply one component; raises MvpcError with what the laptop says when that fails.

        It touches sshd, so the laptop takes it back unless `prove` follows (ADR 16).
        """
        request = _request(device, "apply", generation=generation, undo=undo_source())
        try:
            text = self.say(device, program(request | {"components": [component_to_dict(component)]}))
            answer = parse_answer(text)
            problem = answer.error or next((part.error for part in answer.components if part.error), "")
        except ValueError as error:
            problem = str(error)
        if problem:
            hint = f"Its certificates are in the register; to try again: mvpc rollout --device {device.hostname}"
            what = f"its identity could not be installed: {safe(problem, limit=300)}"
            raise MvpcError(what, where=device.hostname, hint=hint)

    def prove(self, device: Device, authority: HostAuthority) -> None:
        """Log in once more, believing nothing but the laptop's certificate, and so confirm the change of its sshd.

        The laptop looks first whether all that worked does so still, so this is tried for a while.

        Raises:
            MvpcError: the certificate does not let us in, or something works no more; the laptop goes back to what it
                was.
        """
        visitor, stranger = replace(self, authority=authority), replace(device, host_key="")
        deadline = time.monotonic() + PROVE_SECONDS
        while True:
            time.sleep(1)
            late = time.monotonic() > deadline
            try:
                facts = parse_answer(visitor.say(stranger, program(_request(device, "probe")))).facts
            except MvpcError:
                if late:
                    raise
                continue
            except ValueError as error:
                facts = {"unconfirmed": True, "why": str(error)}
            if isinstance(undone := facts.get("undone"), dict):
                what = f"it took its new identity back: {safe(undone.get('reason'), limit=300)}"
                raise MvpcError(what, where=device.hostname)
            if facts.get("unconfirmed") is not True:
                return
            if late:
                why = safe(facts.get("why", "it still looks whether all is well"), limit=300)
                raise MvpcError(f"it did not prove itself: {why}", where=device.hostname)

    def say(self, device: Device, text: str, *, seconds: int = ANSWER_SECONDS) -> str:
        """Run a program on the laptop, as root; returns what it prints within so many seconds.

        Raises:
            EnrolmentError: what answers is not the laptop in the inventory.
            MvpcError: it was not reached, or did not run the program.
        """
        login = Login(user=self.user, port=self.port, key=load_key(self.key, now=self.now()), authority=self.authority)
        try:
            return exchange(device, login, connect(device, self.port), text, seconds=seconds)
        except NotReachedError as reason:
            kind = EnrolmentError if reason.reach is Reach.REFUSED else MvpcError
            raise kind(safe(reason, limit=300), where=device.hostname) from reason


def _request(device: Device, action: str, *, generation: int = 0, undo: str = "") -> dict[str, Any]:
    return {
        "format": FORMAT,
        "action": action,
        "device": device.hostname,
        "generation": generation,
        "diff": False,
        "updates": False,
        "undo": undo,
        "components": [],
    }

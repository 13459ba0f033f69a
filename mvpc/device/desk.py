"""The desk, where new laptops ask to be enrolled: what images bring for it, how a question is read and answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from mvpc.device import one_text
from mvpc.device.enrolment import KEYMAKING, MAX_ANSWER, KeyRequest, key_request
from mvpc.secret import Secret

PROGRAM = "usr/local/lib/mvpc/enrol.py"
UNIT = "etc/systemd/system/mvpc-enrol.service"

_UNIT = """\
[Unit]
Description=Ask the controller to enrol this new laptop
ConditionPathExists=!/etc/mvpc/pki/device.pem
Wants=network-online.target
After=network-online.target mvpc-host-key.service ssh.service
Before=getty@tty1.service console-getty.service

[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -I /usr/local/lib/mvpc/enrol.py
StandardInput=tty-force
StandardOutput=tty
StandardError=journal
TTYPath=/dev/console

[Install]
WantedBy=multi-user.target
"""
"""Until a laptop is enrolled, or a person has given up, nobody is asked to log in on its first screen."""

_QUESTION = {"format": int, "token": str, "request": str, "serial": str, "generation": int, "no_tpm": str}


@dataclass(frozen=True, kw_only=True, slots=True)
class DeskAddress:
    """Where new laptops find the desk of their controller, and how they know it. Nothing in it is secret."""

    address: str
    port: int
    account: str
    host_key: str
    """Of the controller, one line: the only one that a new laptop believes."""
    curve: str
    """Of the keys that laptops make, as NIST calls it."""
    tpm: str
    """Whether these should be in a TPM: prefer, require, never."""


def first_boot_files(desk: DeskAddress, words: Sequence[str]) -> dict[str, tuple[str, int]]:
    """Path below the root of an image -> content and mode; `words` is the list that fingerprints are shown with."""
    parts = [files("mvpc.device").joinpath(f"{name}.py").read_text("utf-8") for name in (*KEYMAKING, "firstboot")]
    settings = json.dumps(asdict(desk) | {"words": list(words)})
    text = f"{one_text(parts)}\n\nraise SystemExit(first_boot(json.loads({settings!r})))\n"
    return {PROGRAM: (text, 0o644), UNIT: (_UNIT, 0o644)}


def read_question(text: str) -> tuple[Secret, KeyRequest]:
    """The token and the request of a new laptop, trusting none of it; raises ValueError with a reason in words."""
    if len(text) > MAX_ANSWER:
        raise ValueError("what it sent is too long")
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("what it sent is not valid JSON") from None
    if not isinstance(data, dict) or {name: type(value) for name, value in data.items()} != _QUESTION:
        raise ValueError("what it sent has not the right fields")
    if data["format"] != 1 or not 0 <= data["generation"] < 1 << 63:
        raise ValueError("what it sent is of another format")
    if not data["request"].isascii():
        raise ValueError("its certificate request is not ASCII")
    return Secret(data["token"]), key_request(data)


def answer(*, error: str = "", device: str = "", account: str = "", key: str = "") -> str:
    """What the desk says: why it refuses, or the laptop's name, and whom it must let in with which public key."""
    return json.dumps({"format": 1, "error": error, "device": device, "account": account, "key": key})

"""How the program for enrolment is sent to a laptop, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from mvpc.device import one_text
from mvpc.text import safe

MAX_ANSWER = 1 << 16
"""Bytes; an answer has about 1 KiB."""

KEYMAKING = ("keytools", "tpmkey", "keymaking")
"""The modules that make a laptop's key. Each imports only from those before it."""
MAX_REASON = 200

_FIELDS = {"format": int, "request": str, "serial": str, "generation": int, "no_tpm": str, "error": str}


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyRequest:
    """What a laptop asks for. As hostile as the laptop."""

    request: str
    """Certificate request in PEM."""
    serial: str
    generation: int
    """Of its ledger: what is applied next must not be older."""
    no_tpm: str
    """Why its key is in no TPM, in its own words; empty when it is in one, as it says."""


def enrolment_program(hostname: str, curve: str, words: Sequence[str], *, tpm: str, fresh: bool) -> str:
    """Source text for `mvpc.device.PYTHON` on a laptop.

    Args:
        hostname: the name that the inventory gives it.
        curve: of the key, as NIST calls it.
        words: the list that fingerprints are shown with.
        tpm: whether the key should be in a TPM, as mvpc.toml says it: prefer, require, never.
        fresh: whether a key that is there already must not be used any more.
    """
    source = one_text(files("mvpc.device").joinpath(f"{name}.py").read_text(encoding="utf-8") for name in KEYMAKING)
    request = json.dumps({"device": hostname, "curve": curve, "tpm": tpm, "fresh": fresh, "words": list(words)})
    return f"{source}\n\nraise SystemExit(main(json.loads({request!r})))\n"


def parse_key_request(text: str) -> KeyRequest:
    """Read the last line that a laptop wrote, trusting none of it.

    Raises:
        ValueError: with a reason that quotes nothing but the laptop's own error, in one line.
    """
    if len(text) > MAX_ANSWER:
        raise ValueError("the answer is too long")
    try:
        data: Any = json.loads(text.rstrip().rpartition("\n")[2])
    except (ValueError, RecursionError):
        raise ValueError("the answer is not valid JSON") from None
    if not isinstance(data, dict) or {name: type(value) for name, value in data.items()} != _FIELDS:
        raise ValueError("the answer has not the right fields")
    if data["format"] != 1 or not 0 <= data["generation"] < 1 << 63:
        raise ValueError("the answer is of another format")
    if data["error"]:
        raise ValueError(data["error"])
    return key_request(data)


def key_request(data: Mapping[str, Any]) -> KeyRequest:
    """What a laptop asks for, from fields of the right types."""
    return KeyRequest(
        request=data["request"],
        serial=data["serial"],
        generation=data["generation"],
        no_tpm=safe(data["no_tpm"], limit=MAX_REASON),
    )

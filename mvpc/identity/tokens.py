"""One-time tokens for enrolment: 160 random bits, of which only a hash is kept."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta

from mvpc.model import TOKEN_LIFE, Device, Token
from mvpc.secret import Secret

NONE_MADE = "no token was made for it"
_BYTES = 20
_GROUP = 4


def make_token(device: Device, ressort: str, *, now: datetime, life: timedelta = TOKEN_LIFE) -> tuple[Secret, Token]:
    """A new token for one laptop, and what is kept of it.

    Raises:
        ValueError: `life` is longer than an hour, or nothing.
    """
    if not timedelta() < life <= TOKEN_LIFE:
        raise ValueError("a token lives between one and 60 minutes")
    text = base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower()
    shown = "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))
    kept = Token(device=device.hostname, hash=_hash(shown), serial=device.serial, ressort=ressort, expires=now + life)
    return Secret(shown), kept


def refusal(token: Token | None, presented: Secret, device: Device, ressort: str, *, now: datetime) -> str:
    """Why this token does not let this laptop in; empty when it does.

    `token` is the one that was kept for this laptop, or None. The comparison takes the same time whatever is presented.
    """
    right = hmac.compare_digest(token.hash if token else _hash(""), _hash(presented.reveal()))
    if token is None:
        return NONE_MADE
    reasons = {
        "the token is not the one that was made for it": not right,
        "the token was used before": token.used_at is not None,
        "the token has expired": now >= token.expires,
        "the token was made for another serial number": token.serial != device.serial,
        f"the token was made when it belonged to ressort {token.ressort}": token.ressort != ressort,
    }
    return next((reason for reason, holds in reasons.items() if holds), "")


def _hash(shown: str) -> str:
    """Letters and digits alone count, so that people may type it as they like.

    y and z count as one: new laptops take their German keyboard for an American one. It costs less than 2 of 160 bits.
    """
    return hashlib.sha256(re.sub(r"[^a-z2-7]", "", shown.lower().replace("y", "z")).encode()).hexdigest()

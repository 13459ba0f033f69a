"""Make foreign text safe to show: what a laptop or a spreadsheet says may hold control characters."""

from __future__ import annotations

import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that steer a terminal or a reader instead of showing something."""


def safe(text: object, *, limit: int = 2000) -> str:
    r"""The text on one line, with every control, escape and bidi character made visible as `\xNN` or `\uNNNN`.

    Longer text is cut at `limit` characters and ends with `…`.
    """
    raw = str(text)
    shown = "".join(map(_visible, raw[:limit]))
    return shown if len(raw) <= limit else shown + "…"


def first_line(text: str) -> str:
    """The first line that says something; empty where none does."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _visible(character: str) -> str:
    if character.isascii():
        return character if character.isprintable() else f"\\x{ord(character):02x}"
    if unicodedata.category(character) not in _HIDDEN:
        return character
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"

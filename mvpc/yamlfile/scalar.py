"""Plain text in YAML: what it means, and what would be bent into something else."""

from __future__ import annotations

import re

from mvpc.model import Scalar

_INTEGER = re.compile(r"(?:0|-?[1-9][0-9]{0,17})\Z")
_TRUE = {"yes", "on", "y", "true"}
_FALSE = {"no", "off", "n", "false"}
_DECIMAL = "a decimal number and would drop zeros at its end, as in 1.10"
_BENT = (
    (re.compile(r"[-+]?[0-9][0-9_]*(?::[0-9]{1,2})+(?:\.[0-9_]*)?\Z"), "a time of day or a number to base 60"),
    (re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?\Z"), "a date"),
    (re.compile(r"[-+]?0[0-9_]+\Z"), "a number with a leading zero, which YAML takes as octal"),
    (re.compile(r"[-+]?0[xob][0-9a-fA-F_]+\Z"), "a number in another base"),
    (re.compile(r"[-+]?[0-9][0-9_]*\Z"), "a number, in a form that people rarely mean"),
    (re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?\Z"), _DECIMAL),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z"), "an infinite number"),
)
"""YAML 1.1 and 1.2 core schemas: what a parser turns into something else than the text that stands there."""


def bent(text: str) -> tuple[str, str] | None:
    """What is wrong with plain text that YAML would change, and the fix."""
    if text in {"true", "false", "null"} or _INTEGER.match(text):
        return None
    if not text:
        return "the value is missing", 'Write it, or null, or "" for empty text, or remove the line'
    lower = text.lower()
    if lower in _TRUE | _FALSE:
        meant = "true" if lower in _TRUE else "false"
        return f"YAML reads {text} as {meant}", f'Write {meant}, or "{text}" in quotes if it is text'
    if lower in {"~", "null"}:
        return f"YAML reads {text} as null", f'Write null, or "{text}" in quotes if it is text'
    if text == "=":
        return "YAML gives = a meaning of its own", "Put it in quotes"
    kind = next((kind for pattern, kind in _BENT if pattern.match(text)), None)
    return (f"YAML reads this as {kind}", "Put it in quotes") if kind else None


def resolved(text: str) -> Scalar:
    """What plain text means, where `bent` found nothing wrong."""
    words: dict[str, Scalar] = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    return int(text) if _INTEGER.match(text) else text

"""Bytes to text: UTF-8 without anything that an editor would not show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mvpc.errors import InputError, Problem

MAX_BYTES = 1 << 20
"""Larger files are no hand-written settings."""

HIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
"""Control, line-separator and bidi characters: an editor does not show them, and parsers disagree about them."""


def decoded(data: bytes, file: str) -> str:
    """The text of a file; raises InputError for what is no UTF-8 or cannot be seen."""
    if len(data) > MAX_BYTES:
        raise InputError("the file is larger than 1 MiB", where=f"{file}:1", hint="Split it, or check what it is")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError("the text is not UTF-8", where=f"{file}:{line}", hint="Save the file as UTF-8") from error
    problems = tuple(_hidden_characters(text, file))
    if problems:
        raise InputError.of(problems)
    return text


def _hidden_characters(text: str, file: str) -> Iterator[Problem]:
    if not HIDDEN.search(text):
        return
    for number, line in enumerate(text.split("\n"), start=1):
        found = HIDDEN.search(line)
        if not found:
            continue
        where = f"{file}:{number}"
        if found[0] == "\t":
            yield Problem(where, "a tab stands here", "Use spaces")
        else:
            yield Problem(where, f"the invisible character U+{ord(found[0]):04X} stands here", "Delete it")

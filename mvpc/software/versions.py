"""The order of Debian versions (deb-version(7)), as dpkg sees it."""

from __future__ import annotations

import re

_PARTS = re.compile(r"(\D*)(\d*)")


def version_key(version: str) -> tuple[int, tuple[object, ...], tuple[object, ...]]:
    """What to sort versions by, oldest first."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, "0"
    return int(epoch) if epoch.isdecimal() else 0, _key(upstream), _key(revision)


def _key(text: str) -> tuple[object, ...]:
    """Letters and numbers in turn. Both kinds always alternate, so equal places hold equal types."""
    found: list[object] = []
    for letters, digits in _PARTS.findall(text):
        if letters or digits:
            found += [(*map(_weight, letters), _END), int(digits or 0)]
    return (*found, (_END,))


_END = 0


def _weight(letter: str) -> int:
    """`~` sorts before the end, letters before everything else."""
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256

"""A fingerprint as words that two people read to each other, or one person compares on two screens.

The list is BIP-39's English one (github.com/bitcoin/bips, MIT): 2048 words, 11 bits each, and no two words begin with
the same four letters.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

NUMBER = 6
"""Words of a fingerprint: 66 bits. Nobody finds a second key with the same ones within the hour of a token."""
_BITS = 11


def words_of(fingerprint: str) -> str:
    """The first 66 bits of a fingerprint (hexadecimal) as six words."""
    start = int(fingerprint, 16) >> (4 * len(fingerprint) - NUMBER * _BITS)
    mask = (1 << _BITS) - 1
    return " ".join(word_list()[start >> shift & mask] for shift in range((NUMBER - 1) * _BITS, -1, -_BITS))


def same_words(one: str, other: str) -> bool:
    """Whether two texts are the same words, however they are set; hyphens count as blanks."""
    return one.replace("-", " ").casefold().split() == other.replace("-", " ").casefold().split()


@cache
def word_list() -> tuple[str, ...]:
    """All words in the order of their numbers."""
    return tuple(files(__package__).joinpath("words.txt").read_text(encoding="ascii").split())

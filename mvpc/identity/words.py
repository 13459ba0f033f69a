"""A fingerprint as people compare it on two screens: six words to read, or a QR code to scan.

The list is BIP-39's English one (github.com/bitcoin/bips, MIT): 2048 words, 11 bits each, and no two words begin with
the same four letters.

A QR code (ISO/IEC 18004) holds the whole fingerprint as the text `SHA256:` and 64 capital hexadecimal digits, so that a
phone shows what `openssl pkey -pubout -outform DER | sha256sum` prints of the same key.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import segno

NUMBER = 6
"""Words of a fingerprint: 66 bits. Nobody finds a second key with the same ones within the hour of a token."""
_BITS = 11


def words_of(fingerprint: str) -> str:
    """The first 66 bits of a fingerprint (hexadecimal) as six words."""
    start = int(fingerprint, 16) >> (4 * len(fingerprint) - NUMBER * _BITS)
    mask = (1 << _BITS) - 1
    return " ".join(word_list()[start >> shift & mask] for shift in range((NUMBER - 1) * _BITS, -1, -_BITS))


def code_of(fingerprint: str) -> str:
    """The text of a fingerprint's QR code. Capitals and digits alone make the smallest code."""
    return f"SHA256:{fingerprint.upper()}"


def code_modules(fingerprint: str) -> tuple[tuple[bool, ...], ...]:
    """The QR code, row by row, with the margin that the standard asks for; True is dark."""
    rows = segno.make_qr(code_of(fingerprint), error="l", boost_error=False).matrix_iter(border=4)
    return tuple(tuple(map(bool, row)) for row in rows)


def same_fingerprint(typed: str, fingerprint: str) -> bool:
    """Whether a person's text is the words or the code of a fingerprint, however it is set; hyphens count as blanks."""
    found = typed.replace("-", " ").casefold().split()
    return found in (words_of(fingerprint).split(), [code_of(fingerprint).casefold()])


@cache
def word_list() -> tuple[str, ...]:
    """All words in the order of their numbers."""
    return tuple(files(__package__).joinpath("words.txt").read_text(encoding="ascii").split())

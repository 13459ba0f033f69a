from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from mvpc.text import safe


def test_words_in_any_language_stay_as_they_are():
    assert safe("Müller, Straße 3 – „Wismar“ 東京") == "Müller, Straße 3 – „Wismar“ 東京"


def test_escape_sequences_and_bidi_marks_become_visible():
    assert safe("\x1b[31mred\x9b \u202egnp.exe\r\n") == "\\x1b[31mred\\x9b \\u202egnp.exe\\x0d\\x0a"


def test_long_text_is_cut_and_says_so():
    assert safe("x" * 10, limit=4) == "xxxx…"


@given(st.text())
def test_nothing_that_steers_a_terminal_survives(text: str):
    assert not [c for c in safe(text) if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]

"""How the device program starts: from what an apply has kept, or else from its text; the answer is the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest

from mvpc.device import start
from mvpc.device.start import LABEL_BYTES, compiled

TEXT = "def main(request):\n    return request['a'] + 1\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "mvpc" / "program"


def answer(code: CodeType) -> int:
    names: dict[str, object] = {}
    exec(code, names)
    main = names["main"]
    assert callable(main)
    return int(main({"a": 1}))


@pytest.fixture
def counted(monkeypatch) -> list[str]:
    """The texts that were compiled."""
    texts: list[str] = []

    def count(text: str, *more: str, dont_inherit: bool) -> CodeType:
        texts.append(text)
        code: CodeType = compile(text, *more, dont_inherit=dont_inherit)
        return code

    monkeypatch.setattr(start, "compile", count, raising=False)
    return texts


def test_a_probe_keeps_nothing_and_an_apply_keeps_what_all_later_ones_start_from(place, counted):
    assert answer(compiled(TEXT, keep=False, path=place)) == 2
    assert not place.parent.exists()
    assert answer(compiled(TEXT, keep=True, path=place)) == 2
    assert counted == [TEXT, TEXT]

    assert answer(compiled(TEXT, keep=False, path=place)) == 2
    assert answer(compiled(TEXT, keep=True, path=place)) == 2
    assert counted == [TEXT, TEXT]


def test_only_root_can_enter_where_it_is_kept(place):
    compiled(TEXT, keep=True, path=place)
    assert [oct(each.stat().st_mode & 0o777) for each in (place.parent, place)] == ["0o700", "0o600"]
    assert [each.name for each in place.parent.iterdir()] == ["program"]


def test_another_text_or_another_python_starts_from_its_text_and_takes_the_place(place, counted, monkeypatch):
    compiled(TEXT, keep=True, path=place)
    newer = TEXT.replace("+ 1", "+ 2")
    assert answer(compiled(newer, keep=True, path=place)) == 3
    assert answer(compiled(newer, keep=False, path=place)) == 3
    assert counted == [TEXT, newer]

    monkeypatch.setattr(sys, "version", "3.99.0 (another one)")
    assert answer(compiled(newer, keep=False, path=place)) == 3
    assert counted == [TEXT, newer, newer]


@pytest.mark.parametrize("length", [0, 1, LABEL_BYTES, 2 * LABEL_BYTES, -1])
def test_what_a_crash_left_half_written_is_not_started_from(place, length):
    compiled(TEXT, keep=True, path=place)
    place.write_bytes(place.read_bytes()[:length])
    assert answer(compiled(TEXT, keep=False, path=place)) == 2
    assert answer(compiled(TEXT, keep=True, path=place)) == 2


@pytest.mark.parametrize("position", [0, LABEL_BYTES, 2 * LABEL_BYTES, -1])
def test_a_single_wrong_byte_is_noticed(place, counted, position):
    compiled(TEXT, keep=True, path=place)
    data = bytearray(place.read_bytes())
    data[position] ^= 1
    place.write_bytes(data)
    assert answer(compiled(TEXT, keep=False, path=place)) == 2
    assert counted == [TEXT, TEXT]


def test_a_full_disk_or_a_file_in_the_way_stops_nothing(place):
    place.parent.write_text("in the way")
    assert answer(compiled(TEXT, keep=True, path=place)) == 2


def test_a_bug_shows_no_line_of_the_request(tmp_path):
    text = (Path(start.__file__)).read_text(encoding="utf-8")
    broken = (
        f'{text}\nPROGRAM = \'def main(order): return 1 / 0\'\nREQUEST = \'{{"action": "probe", "psk": "hunter2"}}\'\n'
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-S", "-"],
        input=f"{broken}start(PROGRAM, REQUEST)\n",
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert ran.returncode == 1
    assert "ZeroDivisionError" in ran.stderr
    assert "hunter2" not in ran.stderr

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mvpc.errors import InputError
from mvpc.model import Source
from mvpc.yamlfile import MappingNode, ScalarNode, SequenceNode, load, parse, to_plain

PLACE = re.compile(r"^f\.yml:[1-9][0-9]*$")
SAMPLES = sorted(Path(__file__).parents[2].glob("profiles/**/*.yml"))


def plain(text: str) -> Any:
    return to_plain(parse(text, file="f.yml"))


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(InputError) as caught:
        parse(text, file="f.yml")
    assert all(PLACE.match(problem.where) for problem in caught.value.problems)
    return [str(problem) for problem in caught.value.problems]


@pytest.fixture(params=["libyaml", "pure python"], autouse=True)
def both_parsers(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    if request.param == "pure python":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)


def test_text_numbers_and_words_keep_their_kind():
    text = "a: word\nb: 'quoted'\nc: 12\nd: -3\ne: true\nf: false\ng: null\nh: [1, x]\ni: {k: 0}\nj: |\n  one\n  two\n"
    assert plain(text) == {
        "a": "word",
        "b": "quoted",
        "c": 12,
        "d": -3,
        "e": True,
        "f": False,
        "g": None,
        "h": [1, "x"],
        "i": {"k": 0},
        "j": "one\ntwo\n",
    }


def test_every_node_knows_its_line():
    node = parse("a: 1\nb:\n  c: 2\n  d:\n    - one\n    - two\n", file="f.yml")
    assert isinstance(node, MappingNode)
    inner = node.entries["b"]
    assert isinstance(inner, MappingNode)
    items = inner.entries["d"]
    assert isinstance(items, SequenceNode)
    assert [node.entries["a"].source.line, inner.source.line, inner.entries["c"].source.line] == [1, 2, 3]
    assert [items.source.line, *(item.source.line for item in items.items)] == [4, 5, 6]


def test_an_entry_stands_at_its_key_even_when_the_value_begins_later():
    node = parse("a:\n\n  long text\n", file="f.yml")
    assert isinstance(node, MappingNode)
    assert node.entries["a"] == ScalarNode("long text", Source("f.yml", 1))


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "\ufeff# with a byte order mark\n"])
def test_a_file_without_content_is_an_empty_map(text: str):
    assert plain(text) == {}


def test_windows_line_ends_are_read_like_any_other():
    assert plain("a: 1\r\nb: 2\r\n") == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    "word",
    ["1.2.3", "10.0.0.1", "10.0.0.0/8", "2001:db8::1", "a:b", "x=1", "12 h", "1.2.3.4:51820", "-", "v1.10", "0x", "+"],
)
def test_text_that_yaml_leaves_alone_needs_no_quotes(word: str):
    if word != "-":
        assert plain(f"a: {word}") == {"a": word}


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("NO", 'YAML reads NO as false. Write false, or "NO" in quotes'),
        ("no", 'Write false, or "no" in quotes'),
        ("Yes", 'Write true, or "Yes" in quotes'),
        ("on", 'Write true, or "on" in quotes'),
        ("off", "Write false"),
        ("y", "Write true"),
        ("True", "Write true"),
        ("FALSE", "Write false"),
        ("~", "Write null"),
        ("Null", "Write null"),
        ("1.10", "a decimal number and would drop zeros at its end, as in 1.10. Put it in quotes"),
        (".5", "a decimal number"),
        ("1e3", "a decimal number"),
        ("0755", "leading zero, which YAML takes as octal. Put it in quotes"),
        ("00123", "leading zero"),
        ("0x1F", "another base"),
        ("0o17", "another base"),
        ("1_000", "rarely mean"),
        ("+5", "rarely mean"),
        ("99999999999999999999", "rarely mean"),
        ("20:00", "a time of day"),
        ("12:30:45", "a time of day"),
        ("00:11:22:33:44:55", "a time of day"),
        ("2026-12-06", "a date. Put it in quotes"),
        ("2026-12-06 08:12:00", "a date"),
        (".inf", "an infinite number"),
        (".NaN", "an infinite number"),
        ("=", "Put it in quotes"),
        ("", "the value is missing"),
    ],
)
def test_what_yaml_would_bend_is_refused_with_the_fix(word: str, fix: str):
    assert fix in problems(f"a: {word}\n")[0]
    assert plain(f'a: "{word}"\n') == {"a": word}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yml:3: key 'a' was already given in line 1. Keep one of the two"),
        ("a: &x 1\nb: 2\n", "f.yml:1: an anchor (&name) stands here"),
        ("a: *x\n", "f.yml:1: an alias (*name) stands here"),
        ("<<: {a: 1}\n", "f.yml:1: a merge key (<<) stands here"),
        ("a: !!python/object/apply:os.system [id]\n", "f.yml:1: a tag (!name) stands here"),
        ("a: !vault x\n", "f.yml:1: a tag (!name) stands here"),
        ("a: 1\n---\nb: 2\n", "f.yml:2: a second document starts here"),
        ("on: 1\n", "f.yml:1: YAML reads on as true"),
        ("1: x\n", "f.yml:1: a key must be text. Put it in quotes"),
        ("null: x\n", "f.yml:1: a key must be text"),
        ("? [a, b]\n: 1\n", "f.yml:1: a key must be text"),
        ('"a\\nb": 1\n', "f.yml:1: the key holds an invisible character"),
        ('"a\\eb": 1\n', "f.yml:1: the key holds an invisible character"),
    ],
)
def test_what_has_no_place_in_a_settings_file_is_refused(text: str, said: str):
    assert any(line.startswith(said) for line in problems(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n\tb: 2\n", "f.yml:2: a tab stands here. Use spaces"),
        ("a: 1\nb: \x1b[31m\n", "f.yml:2: the invisible character U+001B stands here"),
        ("a: \u202etxt\n", "f.yml:1: the invisible character U+202E stands here"),
        ("a: x\u2028b: y\n", "f.yml:1: the invisible character U+2028 stands here"),
        ("a: 1\rb: 2\n", "f.yml:1: the invisible character U+000D stands here"),
    ],
)
def test_what_an_editor_does_not_show_is_refused(text: str, said: str):
    assert problems(text)[0].startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 'x\nb: 2\n", "f.yml:1: a quote or bracket that opens here is never closed"),
        ("a: b: c\n", "f.yml:1: a `: ` is not allowed here"),
        ("a: 1\nb\n", "f.yml:2: a `:` is missing after the key"),
        ("a: 1\nb: @x\n", "f.yml:2: text that begins with this character must stand in quotes"),
        ("a:\n  b: 1\n c: 2\n", "f.yml:3: the line does not fit the ones above it"),
        ("a: 1\n- b\n", "f.yml:2: the line does not fit the ones above it"),
        ('a: "\\q"\n', "f.yml:1: an unknown escape"),
        ("%YAML 3.0\n---\na: 1\n", "f.yml:1: this is not valid YAML"),
    ],
)
def test_syntax_errors_are_sentences_with_a_line(text: str, said: str):
    assert problems(text)[0].startswith(said)


def test_all_problems_of_a_file_come_at_once():
    found = problems("a: NO\nb: 1.10\nb: 2\nc: [1, 0755]\nd: *x\n")
    assert [line.split(":")[1] for line in found] == ["1", "2", "3", "4", "5"]


def test_a_password_in_the_wrong_place_is_not_shown():
    text = "psk: 0123456789\nkey: 2026-01-01 secret\nother: *secret\nlast: 'secret\n"
    assert not any("secret" in line or "0123456789" in line for line in problems(text))


def test_an_alias_bomb_is_refused_before_it_grows():
    levels = "\n".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 100))
    assert len(problems(f"a0: &a0 x\n{levels}\n")) > 100


@pytest.mark.parametrize("bomb", ["[" * 200_000, "{a: " * 100_000, "- " * 200_000])
def test_deep_nesting_is_refused_at_once(bomb: str):
    assert problems(bomb) == ["f.yml:1: nested deeper than 32 levels."]


def test_a_long_number_costs_no_time():
    assert problems(f"a: {'1' * 900_000}x.\nb: {'1' * 90_000}") != []


def test_text_in_another_encoding_is_refused_with_its_line():
    assert problems("a: 1\nb: Müller\n".encode("cp1252")) == ["f.yml:2: the text is not UTF-8. Save the file as UTF-8."]


def test_a_large_file_is_refused():
    assert problems(b"a: 1\n" * 300_000) == ["f.yml:1: the file is larger than 1 MiB. Split it, or check what it is."]


def test_half_a_character_is_refused():
    assert problems('a: "\\ud800"\n')[0].startswith("f.yml:1: ")


def test_a_character_that_no_text_file_can_hold_is_refused():
    assert problems('a: "x\\0y"\n') == ["f.yml:1: the text holds the character NUL (\\0). Remove it."]


def test_load_names_the_file_relative_to_the_project(tmp_path: Path):
    path = tmp_path / "profiles" / "base.yml"
    path.parent.mkdir()
    path.write_text("a: 1\n")
    assert load(path, root=tmp_path) == MappingNode(
        {"a": ScalarNode(1, Source("profiles/base.yml", 1))}, Source("profiles/base.yml", 1)
    )


@pytest.mark.parametrize("name", ["missing.yml", "folder.yml"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str):
    (tmp_path / "folder.yml").mkdir()
    with pytest.raises(InputError, match=f"{name}: the file does not exist or is no regular file"):
        load(tmp_path / name, root=tmp_path)


@given(
    st.text(alphabet=st.sampled_from(list("ab:-[]{}'\"\\\n #&*!|>%@`?,<0123.~\t\x1b")) | st.characters(), max_size=60)
)
def test_any_text_is_read_or_refused_with_a_line(text: str):
    readable_or_refused(text.encode("utf-8", errors="surrogatepass"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_broken_samples_are_read_or_refused_with_a_line(path: Path):
    random_ = random.Random(path.stem)
    for _ in range(25):
        data = bytearray(path.read_bytes())
        for _ in range(random_.randint(1, 4)):
            start = random_.randrange(len(data))
            data[start : start + random_.randint(0, 3)] = random_.choice(
                [b"", b":", b"\n", b"\t", b"'", b'"', b"{", b"]", b"&a ", b"*a", b"\xff", b"\x00", b"- ", b"NO", b"  "]
            )
        readable_or_refused(bytes(data))


def readable_or_refused(data: bytes) -> None:
    try:
        parse(data, file="f.yml")
    except InputError as error:
        assert all(PLACE.match(problem.where) and problem.what for problem in error.problems)

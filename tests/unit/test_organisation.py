from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from mvpc.errors import InputError, NotFoundError
from mvpc.organisation import Organisation, load_organisation

SAMPLE = Path(__file__).parents[2]

ORGANISATION = """\
operators: {zdmv: Zentrum, police: Polizei}
ressorts:
  im: {name: Inneres, from: "1990-10-27"}
  fm: {name: Finanzen, from: "1990-10-27"}
sites: {schwerin: Schwerin, waldeck: Waldeck}
authorities:
  zdmv:
    name: Zentrum für Digitalisierung
    sites: [schwerin]
    belongs:
      - {ressort: im, operator: zdmv, from: "2023-01-01", to: "2025-07-21"}
      - {ressort: fm, operator: zdmv, from: "2025-07-22"}
  pp-rostock:
    name: Polizeipräsidium Rostock
    sites: [waldeck]
    belongs: [{ressort: im, operator: police, from: "2011-03-01"}]
"""


def read(folder: Path, text: str) -> Organisation:
    (folder / "inventory").mkdir(exist_ok=True)
    (folder / "inventory" / "organisation.yml").write_text(text, encoding="utf-8")
    return load_organisation(folder)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        read(folder, text)
    return [str(problem) for problem in caught.value.problems]


def test_an_authority_changes_its_ressort_on_the_day_of_the_recut(tmp_path: Path):
    organisation = read(tmp_path, ORGANISATION)
    assert organisation.ressort_of("zdmv", date(2025, 7, 21)) == "im"
    assert organisation.ressort_of("zdmv", date(2025, 7, 22)) == "fm"
    assert organisation.authorities_of("im", date(2025, 7, 21)) == ("zdmv", "pp-rostock")
    assert organisation.authorities_of("im", date(2025, 7, 22)) == ("pp-rostock",)


def test_codes_are_found_in_any_case_and_names_in_full(tmp_path: Path):
    organisation = read(tmp_path, ORGANISATION.replace("  zdmv:\n", "  ZDMV:\n"))
    assert organisation.authority("ZdMv").code == "zdmv"
    assert organisation.authority("zentrum für digitalisierung ").code == "zdmv"
    assert organisation.operator_of("PP-Rostock", date(2026, 1, 1)) == "police"
    assert organisation.site("Waldeck").code == "waldeck"


def test_an_unknown_authority_is_answered_with_the_nearest_ones(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"authority 'pp-rostok' is not known. Perhaps pp-rostock"):
        read(tmp_path, ORGANISATION).authority("pp-rostok")


def test_an_authority_does_not_exist_before_its_first_day(tmp_path: Path):
    with pytest.raises(NotFoundError, match=r"does not exist on 2022-12-31. It exists 2023-01-01 to 2025-07-21"):
        read(tmp_path, ORGANISATION).ressort_of("zdmv", date(2022, 12, 31))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("ressort: fm,", "ressort: fmm,", "inventory/organisation.yml:12: ressort 'fmm' is not known. Perhaps fm."),
        ("operator: police", "operator: polic", ":16: operator 'polic' is not known. Perhaps police."),
        ("sites: [waldeck]", "sites: [walldeck]", ":15: site 'walldeck' is not known. Perhaps waldeck."),
        ("sites: [waldeck]", "sites: waldeck", ":15: a list with at least one entry is expected here."),
        ('to: "2025-07-21"', 'to: "2025-07-22"', ":10: two periods overlap: 2023-01-01 to 2025-07-22 and since"),
        ('to: "2025-07-21"', 'to: "21.7.2025"', ":11: '21.7.2025' is no date."),
        ('to: "2025-07-21"', 'to: "2022-07-21"', ":11: it ends (2022-07-21) before it begins (2023-01-01)."),
        ('to: "2025-07-21"', 'until: "2025-07-21"', ":11: until is not known here."),
        ('"2011-03-01"', '"1989-03-01"', ":16: im does not exist all that time, only since 1990-10-27."),
        ("    name: Polizeipräsidium Rostock\n", "", ":13: name is missing."),
        ("  pp-rostock:", "  ZDMV:", ":13: the code zdmv is there twice."),
        ("  pp-rostock:", "  pp rostock:", ":13: 'pp rostock' is no code."),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, old: str, new: str, problem: str):
    found = problems(tmp_path, ORGANISATION.replace(old, new, 1))
    assert any(problem in text for text in found), found


def test_all_problems_are_reported_at_once(tmp_path: Path):
    text = ORGANISATION.replace("ressort: fm", "ressort: xx").replace("[waldeck]", "[nowhere]")
    assert [line.split(": ")[0] for line in problems(tmp_path, text)] == [
        "inventory/organisation.yml:12",
        "inventory/organisation.yml:15",
    ]


def test_a_file_without_content_says_what_belongs_into_it(tmp_path: Path):
    assert problems(tmp_path, "")[0] == "inventory/organisation.yml:1: operators is missing. Add it."


def test_the_sample_holds_nine_ressorts_and_the_recut_of_2025():
    sample = load_organisation(SAMPLE)
    assert set(sample.ressorts) == {"stk", "im", "fm", "jm", "wm", "lm", "bm", "wkm", "sm"}
    assert all(sample.authorities_of(code, date(2026, 12, 1)) for code in sample.ressorts)
    assert sample.ressort_of("zdmv", date(2025, 7, 21)) == "im"
    assert "fa-schwerin" in sample.authorities_of("FM", date(2026, 12, 1))
    assert sample.operator_of("pp-rostock", date(2026, 12, 1)) == "police"

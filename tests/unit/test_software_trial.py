from __future__ import annotations

import csv
import io
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from mvpc.catalogue import PackagedProduct, Verify
from mvpc.model import Reach, SoftwareSeen
from mvpc.report import software_csv, software_html
from mvpc.software import Wish
from mvpc.software.trial import Asked, LaptopSoftware, ProductFigures, State, Trial, trial
from mvpc.software.versions import version_key
from mvpc.testing import NOON, a_device
from tests.unit.test_releases import A_FLATPAK
from tests.unit.test_report import HOSTILE, Page


def a_product(name: str, **fields: Any) -> PackagedProduct:
    values: dict[str, Any] = {"name": name.title(), "description": "x", "function": "pdf", "licence": "MIT"}
    values |= {"packages": (name,), "source": "https://x.example/", "verify": (Verify(argv=(name,)),)}
    return PackagedProduct(**{**values, **fields})


CATALOGUE = {"qpdf": a_product("qpdf"), "jq": a_product("jq", function="data")}


def a_wish(product: str, version: str = "") -> Wish:
    packages = CATALOGUE[product].packages
    return Wish(product=CATALOGUE[product], packages=packages, versioned=packages, version=version)


def a_laptop(
    number: int, packages: dict[str, str] | None, *, error: str = "", version: str = "", **fields: Any
) -> LaptopSoftware:
    """A laptop that wants qpdf; without packages it was never asked."""
    seen = None
    if packages is not None:
        answer = {"answered": NOON, "packages": packages, "checks": {"qpdf": error, "reader": error}}
        seen = SoftwareSeen(device=f"nb-{number}", asked=NOON, reach=Reach.REACHED, **answer)  # type: ignore[arg-type]
    values = {"device": a_device(f"nb-{number}"), "ressort": "fm", "wanted": {"qpdf": a_wish("qpdf", version)}}
    return LaptopSoftware(**{**values, "seen": seen, **fields})


def the_trial(*laptops: LaptopSoftware) -> Trial:
    return trial("FM", laptops, CATALOGUE)


def figures(*laptops: LaptopSoftware, product: str = "qpdf") -> ProductFigures:
    return next(each for each in the_trial(*laptops).products if each.product == product)


# --- versions --------------------------------------------------------------------------------


def test_versions_are_in_the_order_of_dpkg():
    # Each pair was put to dpkg --compare-versions.
    ordered = ["1~~", "1~", "1", "1.0~rc1", "1.0-1~bpo12+1", "1.0-1", "1.0-1+b2", "1.0a", "1.0+dfsg-1", "9.9", "10.0"]
    ordered += ["140.4.0esr-1~deb13u1", "140.5.0esr-1~deb13u1", "1:0.1"]
    for older, newer in pairwise(ordered):
        assert version_key(older) < version_key(newer), (older, newer)


# --- counting --------------------------------------------------------------------------------


def test_installed_versions_are_listed_oldest_first():
    laptops = [
        a_laptop(number, {"qpdf": version}) for number, version in enumerate(("12-1", "9-2", "12-1~rc1", "12-1"))
    ]
    assert list(figures(*laptops).installed.items()) == [("9-2", 1), ("12-1~rc1", 1), ("12-1", 2)]


def test_every_laptop_that_chose_a_product_is_in_exactly_one_state():
    found = figures(
        a_laptop(1, {"qpdf": "12-1"}),
        a_laptop(2, {"qpdf": "12-1"}, error="exit code 1: no"),
        a_laptop(3, {}),
        a_laptop(4, None),
    )
    assert found.states == {State.WORKING: 1, State.FAILED: 1, State.MISSING: 1, State.UNKNOWN: 1}
    assert (found.chosen, found.working) == (4, 1 / 3)
    assert [(each.device, each.error) for each in found.troubles] == [
        ("nb-2", "exit code 1: no"),
        ("nb-3", "not installed: qpdf"),
    ]


def test_100_percent_means_all_of_them():
    laptops = [a_laptop(number, {"qpdf": "12-1"}, error="bad" if number == 0 else "") for number in range(3000)]
    assert (figures(*laptops).working_percent, figures(*laptops[1:]).working_percent) == ("99.9 %", "100 %")


def test_nothing_is_said_to_work_or_not_where_no_laptop_answered():
    assert figures(a_laptop(1, None)).working is None


def test_a_product_that_was_chosen_after_the_answer_is_unknown():
    for packages in ({"qpdf": "12-1", "jq": "1"}, {"qpdf": "12-1"}):
        laptop = a_laptop(1, packages, wanted={"jq": a_wish("jq")})
        assert laptop.state("jq") == (State.UNKNOWN, "chosen since the laptop was asked")


def test_another_version_than_the_pinned_one_is_counted():
    found = figures(a_laptop(1, {"qpdf": "12-1"}, version="12-1"), a_laptop(2, {"qpdf": "9-1"}, version="12-1"))
    assert (found.wanted, found.other_version) == ({"12-1": 2}, 1)


def test_a_product_that_nobody_chose_and_that_is_there_is_counted():
    found = figures(a_laptop(1, {"qpdf": "12-1", "jq": "1"}), product="jq")
    assert (found.chosen, found.unchosen) == (0, 1)


def test_a_flatpak_has_its_version_and_is_missing_where_it_is_not_installed():
    wish = Wish(product=A_FLATPAK, packages=("org.a.A",), versioned=("org.a.A",))
    laptops = [
        a_laptop(0, {"org.a.A": "1.2 (0123456789ab)"}, wanted={"reader": wish}),
        a_laptop(1, {}, wanted={"reader": wish}),
        a_laptop(2, {"org.a.A": "commit ba9876543210"}, wanted={}),
    ]
    [found] = trial("FM", laptops, {"reader": A_FLATPAK}).products
    assert found.installed == {"1.2 (0123456789ab)": 1}
    assert [(each.device, each.error) for each in found.troubles] == [("nb-1", "not installed: org.a.A")]
    assert found.unchosen == 1


def test_every_selected_laptop_is_counted_once_also_those_that_gave_no_answer():
    away = SoftwareSeen(device="nb-3", asked=NOON, reach=Reach.UNREACHABLE)
    before = SoftwareSeen(device="nb-4", asked=NOON, reach=Reach.UNREACHABLE, answered=NOON - timedelta(days=3))
    found = the_trial(
        a_laptop(1, {}),
        a_laptop(2, None),
        a_laptop(3, None, seen=away),
        a_laptop(4, None, seen=before),
        a_laptop(5, None, askable=False, wanted={}),
    )
    assert found.asked == dict.fromkeys(Asked, 1)
    assert (found.oldest, found.newest) == (NOON - timedelta(days=3), NOON)


# --- the page --------------------------------------------------------------------------------


def test_the_page_shows_every_state_and_fetches_nothing():
    html = software_html(
        the_trial(a_laptop(1, {"qpdf": "12-1"}), a_laptop(2, {"qpdf": "9-1"}, error="bad"), a_laptop(3, None)),
        made_at=NOON,
    )
    page = Page(html)
    assert page.row("Qpdf") == ["Qpdf", "pdf", "", "50 %", "3", "1", "1", "0", "1"]
    assert page.row("qpdf")[3] == "9-1× 1,12-1× 1"
    assert page.row("FM") == ["FM", "", "3", "1", "1", "0", "1"]
    assert ["qpdf", "failed", "bad", "1", "nb-2"] in page.rows
    assert ["FM", "fa-schwerin", "never asked", "", "1", "nb-3"] in page.rows
    assert "http" not in html.replace("http-equiv", "")
    assert not {"script", "img", "link", "a"} & set(page.tags)


def test_equal_failures_stand_together_on_the_page_the_most_frequent_first():
    laptops = [a_laptop(1, {"qpdf": "1"}, error="rare"), *(a_laptop(n, {"qpdf": "1"}, error="often") for n in (2, 3))]
    rows = Page(software_html(the_trial(*laptops), made_at=NOON)).rows
    assert [row for row in rows if row[1:2] == ["failed"]] == [
        ["qpdf", "failed", "often", "2", "nb-2,nb-3"],
        ["qpdf", "failed", "rare", "1", "nb-1"],
    ]


def test_what_a_laptop_says_stays_text_on_the_page():
    html = software_html(the_trial(a_laptop(1, {"qpdf": "1"}, error=HOSTILE)), made_at=NOON)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert not [each for each in html if each in "\x1b\u202e"]


def test_a_page_about_nothing_can_be_made():
    assert "No laptop has answered yet" in software_html(trial("all", [], CATALOGUE), made_at=NOON)


# --- the spreadsheet -------------------------------------------------------------------------


def rows(*laptops: LaptopSoftware) -> list[dict[str, str]]:
    text = software_csv(the_trial(*laptops), zone=NOON)
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=";"))


def test_the_spreadsheet_has_a_row_for_each_product_of_each_laptop():
    row, silent, windows = rows(
        a_laptop(1, {"qpdf": "9-1"}, version="12-1"), a_laptop(2, None), a_laptop(3, None, askable=False, wanted={})
    )
    assert (row["Produkt"], row["Soll-Version"], row["Ist-Version"], row["Ergebnis"]) == (
        *("qpdf", "12-1", "9-1"),
        "funktioniert",
    )
    assert (silent["Abfrage"], silent["Ergebnis"]) == ("nie gefragt", "unbekannt")
    assert (windows["Rechnername"], windows["Abfrage"], windows["Produkt"]) == ("nb-3", "nicht abfragbar", "")


@pytest.mark.parametrize(
    "error", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\n=1", "\u00a0+1", "\uff1d1"]
)
def test_what_a_laptop_says_is_no_formula(error: str):
    (row,) = rows(a_laptop(1, {"qpdf": "9-1"}, error=error))
    assert row["Meldung"].startswith("'")

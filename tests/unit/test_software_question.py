from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mvpc.catalogue import Verify, load_catalogue
from mvpc.device.converge.machine import NOT_FOUND, Ran
from mvpc.device.converge.request import Check, Inquiry, read_order
from mvpc.device.converge.software import APART, software
from mvpc.device.converge.words import Failure, Refused
from mvpc.device.software import parse_software, software_request
from mvpc.model import InstalledFlatpak, InstalledPackage
from mvpc.settings import Profiles
from mvpc.software import SoftwareQuestion, question, wishes
from mvpc.testing import a_device

REPOSITORY = Path(__file__).parents[2]
QUESTION = SoftwareQuestion(
    packages=("qpdf", "jq"),
    flatpaks=("org.a.A",),
    checks={"qpdf": (Verify(argv=("qpdf", "--version"), output="^qpdf"),)},
)
ROW = ["qpdf", "12.2.0-1", "amd64", "qpdf"]
NOTHING: dict[str, Any] = {"packages": [], "flatpaks": []}
FLATPAK = ["org.a.A", "1.2", "0123456789ab", "x86_64", "stable", "mv", "system,current"]


class Laptop:
    """A laptop with three packages, whose commands end as `ends` says."""

    def __init__(self, **ends: Ran) -> None:
        self.ends = ends
        self.ran: list[str] = []

    def run(self, argv: list[str], **_: Any) -> Ran:
        if argv[0] == "dpkg-query":
            lines = (
                "installed qpdf 12.2.0-1 amd64 qpdf",
                "installed libqpdf30 12.2.0-1 amd64 qpdf",
                "installed jq 1.7-1 amd64 jq",
                "config-files tree 2.1-1 amd64 tree",
            )
            return Ran(0, "\n".join(lines))
        if argv[0] == "flatpak":
            return self.ends.get("flatpak", Ran(NOT_FOUND))
        assert tuple(argv[: len(APART)]) == APART
        self.ran.append(argv[argv.index("--") + 1])
        return self.ends[self.ran[-1]]


def a_check(program: str, **fields: Any) -> Check:
    values = {"product": program, "argv": (program,), "exit": 0, "output": "", "seconds": 30}
    return Check(**{**values, **fields})


def asked(
    laptop: Laptop, *checks: Check, packages: tuple[str, ...] = (), flatpaks: tuple[str, ...] = ()
) -> dict[str, Any]:
    return software(laptop, Inquiry(packages, flatpaks, checks))  # type: ignore[arg-type]


# --- on the laptop ---------------------------------------------------------------------------


def test_a_laptop_tells_packages_that_it_was_asked_about_and_has_with_others_of_the_same_source():
    library = ["libqpdf30", "12.2.0-1", "amd64", "qpdf"]
    assert asked(Laptop(), packages=("qpdf", "tree"))["packages"] == [ROW, library]


def test_a_laptop_that_is_asked_about_no_names_tells_all():
    assert [name for name, *_ in asked(Laptop())["packages"]] == ["qpdf", "libqpdf30", "jq"]


FLATPAKS = Ran(
    0, "org.a.A\t1.2\t0123456789ab\tx86_64\tstable\tmv\tcurrent\norg.b.B\t\tba9876543210\tx86_64\t1\tmv\truntime\n"
)


def test_a_laptop_tells_the_flatpaks_that_it_was_asked_about_and_has():
    told = asked(Laptop(flatpak=FLATPAKS), packages=("qpdf",), flatpaks=("org.a.A", "org.c.C"))
    assert told["flatpaks"] == [["org.a.A", "1.2", "0123456789ab", "x86_64", "stable", "mv", "current"]]


def test_a_laptop_that_is_asked_about_no_names_tells_all_flatpaks_with_their_runtimes():
    assert [name for name, *_ in asked(Laptop(flatpak=FLATPAKS))["flatpaks"]] == ["org.a.A", "org.b.B"]


def test_a_laptop_that_is_asked_about_packages_alone_starts_no_flatpak():
    assert asked(Laptop(flatpak=Ran(1, "", "must not run")), packages=("qpdf",))["flatpaks"] == []


def test_a_laptop_without_flatpak_has_none_and_one_whose_flatpak_fails_says_so():
    assert asked(Laptop(), packages=("qpdf",), flatpaks=("org.a.A",))["flatpaks"] == []
    with pytest.raises(Failure, match="flatpak list: error: locked"):
        asked(Laptop(flatpak=Ran(1, "", "error: locked")), packages=("qpdf",), flatpaks=("org.a.A",))


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (Ran(0, "qpdf version 12"), ""),
        (Ran(0, "", "qpdf version 12"), ""),
        (Ran(0, "something"), "it did not print what it should: something"),
        (Ran(2, "", "\n  no such file\nmore"), "exit code 2: no such file"),
        (Ran(203), "exit code 203: nothing was printed"),
        (Ran(124), "qpdf did not end within 30 s"),
    ],
)
def test_a_check_says_in_one_line_why_it_failed(end: Ran, expected: str):
    assert asked(Laptop(qpdf=end), a_check("qpdf", output="^qpdf"))["checks"] == {"qpdf": expected}


def test_the_first_failure_of_a_product_is_the_one_that_is_told():
    laptop = Laptop(one=Ran(1, "first"), two=Ran(1, "second"))
    told = asked(laptop, a_check("one", product="p"), a_check("two", product="p"))
    assert (told["checks"], laptop.ran) == ({"p": "exit code 1: first"}, ["one"])


# --- the request -----------------------------------------------------------------------------


def a_request(software: object) -> dict[str, Any]:
    head = {"format": 1, "action": "probe", "device": "nb-1", "generation": 0, "diff": False, "updates": False}
    return {**head, "undo": "", "components": [], "software": software}


def test_a_question_arrives_as_it_left():
    order = read_order(a_request(software_request(QUESTION)))
    assert order.software == Inquiry(
        ("qpdf", "jq"), ("org.a.A",), (Check("qpdf", ("qpdf", "--version"), 0, "^qpdf", 30),)
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"packages": []},
        {"packages": [], "checks": []},
        {"packages": ["-x"], "flatpaks": [], "checks": []},
        {"packages": [], "flatpaks": ["--user"], "checks": []},
        {**NOTHING, "checks": {}},
        {**NOTHING, "checks": [{"product": "qpdf"}]},
        {
            "packages": [],
            "flatpaks": [],
            "checks": [{"product": "q", "argv": [], "exit": 0, "output": "", "seconds": 1}],
        },
        {
            "packages": [],
            "flatpaks": [],
            "checks": [{"product": "q", "argv": ["x"], "exit": True, "output": "", "seconds": 1}],
        },
        {
            "packages": [],
            "flatpaks": [],
            "checks": [{"product": "q", "argv": ["x"], "exit": 0, "output": "(", "seconds": 1}],
        },
    ],
)
def test_an_odd_question_is_refused_before_anything_is_run(odd: object):
    with pytest.raises(Refused):
        read_order(a_request(odd))


# --- the answer ------------------------------------------------------------------------------


def test_a_good_answer_becomes_packages_and_complaints_made_safe():
    answer = parse_software({"packages": [ROW], "flatpaks": [], "checks": {"qpdf": "bad \x1b[2J"}}, QUESTION)
    assert answer.packages == (InstalledPackage("qpdf", "12.2.0-1", "amd64", "qpdf"),)
    assert answer.checks == {"qpdf": r"bad \x1b[2J"}


def test_what_makers_call_their_flatpaks_version_is_made_safe_and_its_commit_tells_builds_apart():
    odd = ["org.b.B", "2 \x1b[2J", "ba9876543210", "x86_64", "1", "mv", "system,runtime"]
    answer = parse_software({"packages": [], "flatpaks": [FLATPAK, odd], "checks": {"qpdf": ""}}, QUESTION)
    one, other = answer.flatpaks
    assert one == InstalledFlatpak("org.a.A", "1.2", "0123456789ab", "x86_64", "stable", "mv", is_runtime=False)
    assert (one.state, other.state) == ("1.2 (0123456789ab)", r"2 \x1b[2J (ba9876543210)")
    assert other.is_runtime


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {"packages": [ROW]},
        {"packages": [ROW], "checks": {"qpdf": ""}},
        {"packages": [ROW], "flatpaks": [["org.a.A", "1"]], "checks": {"qpdf": ""}},
        {
            "packages": [ROW],
            "flatpaks": [[1, *FLATPAK[1:]]],
            "checks": {"qpdf": ""},
        },
        {
            "packages": [ROW],
            "flatpaks": [[*FLATPAK[:2], "=cmd()", *FLATPAK[3:]]],
            "checks": {"qpdf": ""},
        },
        {"packages": [ROW], "flatpaks": [FLATPAK] * 1_001, "checks": {"qpdf": ""}},
        {"packages": [ROW], "flatpaks": [], "checks": {}},
        {"packages": [ROW], "flatpaks": [], "checks": {"qpdf": 1}},
        {"packages": [ROW], "flatpaks": [], "checks": {"qpdf": "", "other": ""}},
        {"packages": [["qpdf", "1"]], "flatpaks": [], "checks": {"qpdf": ""}},
        {"packages": [["=cmd()", "1", "amd64", "x"]], "flatpaks": [], "checks": {"qpdf": ""}},
        {"packages": [["qpdf", "1\n", "amd64", "qpdf"]], "flatpaks": [], "checks": {"qpdf": ""}},
        {"packages": [ROW] * 20_001, "flatpaks": [], "checks": {"qpdf": ""}},
    ],
)
def test_an_answer_of_another_shape_is_refused(odd: object):
    with pytest.raises(ValueError, match=r"^software: "):
        parse_software(odd, QUESTION)


# --- what is asked ---------------------------------------------------------------------------


def test_a_laptop_is_asked_about_packages_of_all_products_and_checks_of_the_chosen_ones():
    profiles = Profiles(REPOSITORY, admin="mvpc-admin")
    settings = profiles.of(workplace="standard", ressort="fm", authority="fa-schwerin", hostname="nb-1").settings
    asked_about = question(a_device(), settings, load_catalogue(REPOSITORY))
    chosen = wishes(a_device(), settings, profiles.catalogue)
    assert asked_about.checks.keys() == chosen.keys() != set()
    assert {name for wish in chosen.values() for name in wish.packages} <= set(asked_about.packages)
    assert "xpdf" in set(asked_about.packages) - {name for wish in chosen.values() for name in wish.packages}

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mvpc.cli.app import app
from mvpc.deferred import RETURNED
from mvpc.inventory.difference import difference
from mvpc.model import (
    Action,
    Change,
    ComponentResult,
    Gate,
    LifeCycle,
    Outcome,
    Plan,
    PlannedRing,
    RolloutRecord,
    RolloutRow,
    RolloutState,
    Skip,
    Skipped,
)
from mvpc.report import metrics_text, report_html
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

HOSTILE = """<script>alert(1)</script>"'><img src=http://evil.example/x onerror=alert(2)>\x1b[2J\u202e"""
VOID = {"meta", "br"}


def a_change(device: str, **fields: Any) -> Change:
    values = {"component": "vpn", "action": Action.UPDATE, "reason": "vpn.mtu 1380 -> 1400", "digest": "d"}
    return Change(device=device, **(values | fields))


def a_result(device: str, outcome: Outcome = Outcome.CHANGED, **fields: Any) -> ComponentResult:
    values: dict[str, Any] = {"component": "vpn", "at": NOON}
    return ComponentResult(device=device, outcome=outcome, **(values | fields))


def a_record(*results: ComponentResult, row: dict[str, Any] | None = None, **plan: Any) -> RolloutRecord:
    changes = plan.pop("changes", tuple(a_change(result.device) for result in results))
    names = tuple(dict.fromkeys(change.device for change in changes))
    values: dict[str, Any] = {
        "scope": "ressort fm",
        "changes": changes,
        "skipped": (),
        "ressorts": dict.fromkeys(names, "fm"),
        "rings": (PlannedRing(name="first", gate=Gate(), devices=names),) if names else (),
        "hash": "abc123",
    }
    head: dict[str, Any] = {
        "id": 7,
        "started": NOON,
        "ended": NOON + timedelta(minutes=3),
        "state": RolloutState.DONE,
        "reason": "",
        "ring": 0,
        "actor": "müller",
        "scope": "ressort fm",
        "plan_hash": "abc123",
        "counts": {},
    }
    return RolloutRecord(row=RolloutRow(**(head | (row or {}))), plan=Plan(**(values | plan)), results=results)


class Page(HTMLParser):
    """The page as a browser takes it: elements with attributes, cells by row, and whether all is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row and row[0] == first)


def everywhere_hostile() -> RolloutRecord:
    name = HOSTILE
    return a_record(
        a_result(name, Outcome.FAILED, error=HOSTILE),
        a_result("nb-2", Outcome.UNREACHABLE, error=HOSTILE),
        row={"actor": HOSTILE, "reason": HOSTILE, "state": RolloutState.STOPPED},
        scope=HOSTILE,
        hash=HOSTILE,
        changes=(a_change(name, component=HOSTILE, reason=HOSTILE, source=HOSTILE),),
        skipped=(Skipped(device=HOSTILE + "3", why=Skip.REFUSED, detail=HOSTILE),),
        ressorts={name: HOSTILE, "nb-2": HOSTILE},
        authorities={name: HOSTILE},
        rings=(PlannedRing(name=HOSTILE, gate=Gate(), devices=(name,)),),
    )


def test_hostile_text_of_devices_stays_text():
    html = report_html(everywhere_hostile(), made_at=NOON)
    page = Page(html)
    assert not {"script", "img", "iframe", "link", "a", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html


def test_control_and_bidi_characters_are_made_visible():
    html = report_html(everywhere_hostile(), made_at=NOON)
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "\\x1b[2J\\u202e" in html


def test_the_page_fetches_nothing():
    html = report_html(everywhere_hostile(), made_at=NOON)
    page = Page(html)
    assert [value for name, value in page.attributes if name in {"src", "href", "xlink:href", "srcset"}] == []
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'") in page.attributes
    style = html[html.index("<style>") : html.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)


def test_counts_agree_with_the_record():
    record = a_record(
        a_result("nb-1"),
        a_result("nb-2", Outcome.UNCHANGED),
        a_result("nb-3"),
        a_result("nb-3", Outcome.FAILED, component="wifi", error="boom"),
        a_result("nb-4", Outcome.UNREACHABLE),
        changes=tuple(a_change(f"nb-{number}") for number in (1, 2, 3, 4, 5)),
        skipped=(Skipped(device="nb-6", why=Skip.NOT_LINUX, detail="windows-11"),),
    )
    html = report_html(record, made_at=NOON)
    page = Page(html)
    assert page.row("FM") == ["FM", "", "5", "1", "1", "1", "0", "1", "1"]
    assert page.row("first") == ["first", "", "5", "1", "1", "1", "0", "1", "1"]
    assert "6 laptops selected" in html
    assert re.findall(r"<b>(\d+)</b><span>([a-z ]+)", html) == [
        ("1", "changed"),
        ("1", "unchanged"),
        ("1", "failed"),
        ("0", "deferred"),
        ("1", "unreachable"),
        ("1", "open"),
        ("1", "not touched"),
    ]
    assert ["vpn", "update", "vpn.mtu 1380 -> 1400", "", "5"] in page.rows


def test_rings_stand_in_the_order_of_the_rollout():
    rings = tuple(
        PlannedRing(name=name, gate=Gate(), devices=(device,))
        for name, device in [("zero", "nb-1"), ("again", "nb-2"), ("last", "nb-3")]
    )
    html = report_html(a_record(*(a_result(f"nb-{at}") for at in (1, 2, 3)), rings=rings), made_at=NOON)
    assert [row[0] for row in Page(html).rows if row[0] in {"zero", "again", "last"}] == ["zero", "again", "last"]


def test_sleeping_laptops_wait_and_are_counted_once():
    record = a_record(
        a_result("nb-1"),
        a_result("nb-2", Outcome.UNREACHABLE),
        a_result("nb-2", Outcome.UNREACHABLE, component="wifi"),
        changes=(a_change("nb-1"),),
        skipped=(Skipped(device="nb-2", why=Skip.UNREACHABLE, detail="vpn, wifi wait"),),
        ressorts={"nb-1": "fm", "nb-2": "im"},
    )
    html = report_html(record, made_at=NOON)
    assert "2 laptops selected" in html
    assert ["IM", "vpn, wifi", "no answer before the rollout", "1", "nb-2"] in Page(html).rows
    assert Page(html).row("in no ring (asleep)")[2] == "1"
    assert "Every selected laptop was in the rollout" in html


def test_what_failed_on_a_laptop_for_the_same_reason_is_said_once():
    parts = [("wifi", "no result in time"), ("base", "no result in time"), ("vpn", "boom")]
    record = a_record(*(a_result("nb-1", Outcome.FAILED, component=name, error=error) for name, error in parts))
    assert [row[2:] for row in Page(report_html(record, made_at=NOON)).rows if row[0] == "nb-1"] == [
        ["base, wifi", "no result in time"],
        ["vpn", "boom"],
    ]


def test_laptops_that_wait_alike_stand_together():
    record = a_record(*(a_result(f"nb-{at}", Outcome.UNREACHABLE) for at in (2, 1)), a_result("nb-3"))
    assert ["FM", "vpn", "no answer", "2", "nb-1,nb-2"] in Page(report_html(record, made_at=NOON)).rows


def test_a_failure_shows_its_first_line_only():
    html = report_html(a_record(a_result("nb-1", Outcome.FAILED, error="\n  first\nsecond")), made_at=NOON)
    assert Page(html).row("nb-1")[-1] == "first"
    assert "second" not in html


def test_an_empty_rollout_has_a_page_too():
    html = report_html(a_record(), made_at=NOON)
    assert "0 laptops selected" in html
    assert "There are no results" in html
    assert Page(html).open == []


def test_a_running_rollout_shows_how_long_it_has_taken():
    record = a_record(a_result("nb-1"), row={"ended": None, "state": RolloutState.RUNNING})
    assert "1 h 5 min so far" in report_html(record, made_at=NOON + timedelta(minutes=65))


@pytest.mark.parametrize("number", [1, 3, 5, 7, 99, 100, 562, 15000])
def test_the_line_stays_inside_its_drawing(number: int):
    results = [a_result(f"nb-{at}", at=NOON + timedelta(seconds=at)) for at in range(number)]
    html = report_html(a_record(*results), made_at=NOON)
    points = re.findall(r'<polyline points="([^"]+)"', html)[0].split()
    places = [tuple(map(float, point.split(","))) for point in points]
    assert places == sorted(places, key=lambda place: (place[0], -place[1]))
    assert all(48 <= across <= 744 and 12 <= up <= 178 for across, up in places)
    assert len(points) < 1000


def test_umlauts_stay_as_they_are():
    assert "by müller" in report_html(a_record(), made_at=NOON)


SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\d+)')
LABEL = re.compile(r'([a-z]+)="((?:[^"\\\n]|\\["\\n])*)"')


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], int]:
    """The Prometheus text format 0.0.4 as strictly as it can be read."""
    assert text.endswith("\n")
    found: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    described: list[str] = []
    for line in text.split("\n")[:-1]:
        if help_ := re.fullmatch(r"# HELP ([a-z_]+) \S.*", line):
            assert help_[1] not in described, "a family is given once"
            described.append(help_[1])
        elif kind := re.fullmatch(r"# TYPE ([a-z_]+) gauge", line):
            assert kind[1] == described[-1]
        else:
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] == described[-1]
            labels = tuple((name, re.sub(r"\\(.)", r"\1", value)) for name, value in LABEL.findall(sample[2] or ""))
            assert (sample[1], labels) not in found
            found[sample[1], labels] = int(sample[3])
    return found


def test_metrics_can_be_parsed_and_say_what_is_known():
    record = a_record(a_result("nb-1"), a_result("nb-2", Outcome.FAILED), row={"state": RolloutState.STOPPED})
    found = parse(metrics_text(devices={("fm", LifeCycle.IN_USE): 561}, waiting=12, expired=3, last=record))
    assert found["mvpc_devices", (("ressort", "fm"), ("state", "in_use"))] == 561
    assert found["mvpc_waiting_devices", ()] == 12
    assert found["mvpc_expired_devices", ()] == 3
    assert found["mvpc_last_rollout_timestamp_seconds", ()] == int(NOON.timestamp())
    assert found["mvpc_last_rollout_devices", (("outcome", "failed"),)] == 1
    assert found["mvpc_last_rollout_devices", (("outcome", "unreachable"),)] == 0
    states = {labels[0][1]: value for (name, labels), value in found.items() if name == "mvpc_last_rollout_state"}
    assert states == {state.value: int(state is RolloutState.STOPPED) for state in RolloutState}


def sample_of(*results: ComponentResult) -> RolloutRecord:
    """A rollout with a sample of two unchanged laptops."""
    return a_record(*results, changes=(a_change("nb-1"), a_change("nb-2")), sample=("nb-1", "nb-2"))


def test_a_sample_that_differs_cannot_be_overlooked():
    record = sample_of(a_result("nb-1", changes=(HOSTILE,)), a_result("nb-2", Outcome.UNCHANGED))
    html = report_html(record, made_at=NOON)
    assert "Not all of them were unchanged" in html
    assert Page(html).row("nb-1")[:2] == ["nb-1", "vpn"]
    found = parse(metrics_text(devices={}, waiting=0, expired=0, last=record))
    assert found["mvpc_last_rollout_sample_devices", ()] == 2
    assert found["mvpc_last_rollout_sample_differing", ()] == 1


def test_a_sample_without_a_difference_says_how_far_it_came():
    html = report_html(sample_of(a_result("nb-2", Outcome.UNCHANGED)), made_at=NOON)
    assert "1 of them were walked to the end, and nothing had to be changed" in html


def test_label_values_are_escaped():
    found = parse(metrics_text(devices={('a"b\\c\nd', LifeCycle.SPARE): 1}, waiting=0, expired=0, last=None))
    assert found["mvpc_devices", (("ressort", 'a"b\\c\\x0ad'), ("state", "spare"))] == 1


def test_without_inventory_and_rollouts_there_are_metrics_all_the_same():
    assert parse(metrics_text(devices={}, waiting=0, expired=0, last=None)) == {
        ("mvpc_waiting_devices", ()): 0,
        ("mvpc_expired_devices", ()): 0,
    }


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mvpc.toml").touch()
    (tmp_path / "inventory").mkdir()
    organisation = Path(__file__).parents[2] / "inventory/organisation.yml"
    (tmp_path / "inventory/organisation.yml").write_bytes(organisation.read_bytes())
    store = Store(tmp_path / ".mvpc/mvpc.db")
    store.save(difference([], [a_device("nb-000123")]), actor="t", at=NOON, action="add")
    record = a_record(a_result("nb-000123", Outcome.UNREACHABLE))
    number = store.begin_rollout(record.plan, actor="t", at=NOON)
    store.record(number, record.results, {("nb-000123", "vpn"): {}})
    store.end_rollout(number, at=NOON, state=RolloutState.DONE, reason="")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_write_whole_files_and_nothing_else(project: Path):
    before = set(project.iterdir())
    (project / "mvpc.prom").write_text("old")
    for arguments in (["report", "1", "-o", "report.html"], ["metrics", "-o", "mvpc.prom"]):
        done = CliRunner().invoke(app, ["rollout", *arguments])
        assert done.exit_code == 0, done.output
    assert set(project.iterdir()) - before == {project / "report.html", project / "mvpc.prom"}
    assert "Rollout 1" in (project / "report.html").read_text(encoding="utf-8")
    found = parse((project / "mvpc.prom").read_text(encoding="utf-8"))
    assert found["mvpc_waiting_devices", ()] == 1
    assert sum(value for (name, _), value in found.items() if name == "mvpc_devices") == 1


def test_what_the_watch_serves_does_not_hide_that_a_rollout_was_stopped(project: Path):
    store, record = Store(project / ".mvpc/mvpc.db"), a_record(a_result("nb-000123"))
    for scope, state in (("all", RolloutState.STOPPED), ("1 " + RETURNED, RolloutState.DONE)):
        number = store.begin_rollout(replace(record.plan, scope=scope), actor="t", at=NOON)
        store.record(number, record.results, {("nb-000123", "vpn"): {}})
        store.record_proofs(number, ["nb-000123"])
        store.end_rollout(number, at=NOON, state=state, reason="")
    assert CliRunner().invoke(app, ["rollout", "metrics", "-o", "mvpc.prom"]).exit_code == 0
    found = parse((project / "mvpc.prom").read_text(encoding="utf-8"))
    assert found["mvpc_last_rollout_state", (("state", "stopped"),)] == 1
    assert found["mvpc_last_rollout_verified_devices", ()] == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "99", "-o", "report.html"],
        ["report", "1", "-o", "missing/report.html"],
        ["report", "1", "-o", "."],
        ["metrics", "-o", "mvpc.txt"],
        ["metrics", "-o", "missing/mvpc.prom"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_written_is_refused_in_words(project: Path, arguments: list[str]):
    before = set(project.iterdir())
    done = CliRunner().invoke(app, ["rollout", *arguments])
    assert done.exit_code == 2, done.output
    assert set(project.iterdir()) == before

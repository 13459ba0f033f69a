"""`mvpc status`: which central services laptops reach, since when not, and why."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mvpc.cli.app import app
from mvpc.inventory.difference import ImportDifference
from mvpc.model import Probe, Reach, Reachability, ServiceAnswer
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

REPOSITORY = Path(__file__).parents[2]
HOUR = timedelta(hours=1)
NAMES = {"e-akte": "E-Akte", "cloud": "Landescloud"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Three laptops of one ressort."""
    (tmp_path / "mvpc.toml").touch()
    for folder in ("profiles", "inventory"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".mvpc").mkdir()
    store = Store(tmp_path / ".mvpc" / "mvpc.db")
    devices = tuple(a_device(f"nb-{number}", number=0) for number in (1, 2, 3))
    store.save(ImportDifference(new=devices), actor="ute", at=NOON, action="import")
    return store


def said(laptop: str = "nb-1", *, after: timedelta = timedelta(0), **states: Reachability | tuple[str, str]) -> Probe:
    """What a laptop says about services, e-akte written e_akte."""
    answers = []
    for key, given in states.items():
        product = key.replace("_", "-")
        state, detail = given if isinstance(given, tuple) else (given, "")
        url = f"https://{product}.mv.example/"
        state = Reachability(state)
        answers.append(ServiceAnswer(product=product, name=NAMES[product], url=url, state=state, detail=detail))
    return Probe(device=laptop, at=NOON + after, reach=Reach.REACHED, services=tuple(answers))


def status(*arguments: str) -> str:
    done = CliRunner().invoke(app, ["status", *arguments])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


GOOD = Reachability.REACHABLE


def test_the_screen_of_a_laptop_names_what_is_reachable_and_why_something_is_not(store: Store):
    store.record_probes([said(e_akte=("untrusted", "self-signed certificate"), cloud=GOOD)])
    screen = status("nb-1")
    assert "Landescloud reachable (asked " in screen
    assert "E-Akte NOT reachable since " in screen
    assert ": certificate not trusted (self-signed certificate)" in screen


def test_not_reachable_counts_from_the_first_failure_also_when_the_reason_changes(store: Store):
    store.record_probes([said(cloud=GOOD)])
    store.record_probes([said(cloud=Reachability.NO_ROUTE, after=HOUR)])
    store.record_probes([said(cloud=("status", "503"), after=2 * HOUR)])
    with Reader(Path(".mvpc/mvpc.db")) as reader:
        [cloud] = reader.service_states()["nb-1"]
    assert (cloud.since, cloud.at, cloud.why) == (NOON + HOUR, NOON + 2 * HOUR, "answered 503")


def test_reachable_again_counts_from_then(store: Store):
    store.record_probes([said(cloud=Reachability.NO_ROUTE)])
    store.record_probes([said(cloud=GOOD, after=HOUR)])
    with Reader(Path(".mvpc/mvpc.db")) as reader:
        assert reader.service_states()["nb-1"][0].since == NOON + HOUR


def test_a_service_that_is_not_chosen_any_more_is_forgotten(store: Store):
    store.record_probes([said(e_akte=GOOD, cloud=GOOD), said("nb-2", cloud=GOOD)])
    store.record_probes([said(cloud=GOOD), Probe(device="nb-2", at=NOON, reach=Reach.UNREACHABLE)])
    with Reader(Path(".mvpc/mvpc.db")) as reader:
        found = {name: [each.product for each in states] for name, states in reader.service_states().items()}
    assert found == {"nb-1": ["cloud"], "nb-2": ["cloud"]}


def test_the_fleet_is_counted_by_service_with_the_reasons(store: Store):
    store.record_probes([said("nb-1", cloud=GOOD), said("nb-2", cloud=("status", "503"))])
    store.record_probes([said("nb-3", cloud=("unasked", "no python"))])
    assert "Landescloud 1 1 1 answered 503 × 1" in status()
    [cloud] = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)["services"]
    assert (cloud["reachable"], cloud["not_reachable"], cloud["unknown"]) == (1, 1, 1)
    assert cloud["why"] == {"answered 503": 1}


def test_a_fleet_that_was_never_asked_shows_no_services(store: Store):
    assert "Services" not in status()

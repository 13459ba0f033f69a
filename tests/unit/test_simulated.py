from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

import pytest

from mvpc.chances import Chances, chances_text, read_chances
from mvpc.errors import InputError
from mvpc.model import HostWork, Outcome, Reach
from mvpc.organisation import load_organisation
from mvpc.project import load_project
from mvpc.simulated import Laptops, SimulatedProber, SimulatedRunner, invent, make_folder
from mvpc.testing import NOON, a_bundle, a_device

SAMPLE = Path(__file__).parents[2]
DAY = date(2026, 11, 23)
CALM = Chances(failing=0, away=0, hanging=0, slow=0, component_seconds=0)
NAMES = [f"sim-{number:06}" for number in range(1, 1001)]


def laptops(folder: Path, **chances: float) -> Laptops:
    return Laptops(memory=folder / "laptops.db", chances=replace(CALM, **chances))  # type: ignore[arg-type]


def work(*names: str, generation: int = 1) -> list[HostWork]:
    return [
        HostWork(device=a_device(name), bundle=a_bundle(name), components=("base", "vpn"), generation=generation)
        for name in names
    ]


def converge(fleet: Laptops, items: list[HostWork], at=NOON) -> dict[tuple[str, str], Outcome]:
    results = chain.from_iterable(SimulatedRunner(laptops=fleet, now=lambda: at).run(items))
    return {(result.device, result.component): result.outcome for result in results}


def probe(fleet: Laptops, *names: str, at=NOON):
    devices = [a_device(name) for name in names]
    return {each.device: each for each in SimulatedProber(laptops=fleet, now=lambda: at).probe(devices)}


# --- how they behave -------------------------------------------------------------------------


def test_a_laptop_remembers_what_was_converged_on_it_even_when_mvpc_was_killed(tmp_path):
    converge(laptops(tmp_path), work("sim-1", generation=7))
    answer = probe(laptops(tmp_path), "sim-1")["sim-1"]
    assert (answer.reach, answer.generation, answer.digests) == (Reach.REACHED, 7, {"base": "a", "vpn": "a"})


def test_a_laptop_that_was_never_worked_on_answers_with_an_empty_ledger(tmp_path):
    answer = probe(laptops(tmp_path), "sim-1")["sim-1"]
    assert (answer.reach, answer.generation, answer.digests) == (Reach.REACHED, 0, {})


def test_every_component_gets_exactly_one_result_whatever_the_laptops_do(tmp_path):
    fleet = laptops(tmp_path, failing=20, away=20, hanging=20, slow=20)
    batches = list(SimulatedRunner(laptops=fleet, now=lambda: NOON).run(work(*NAMES[:100])))
    found = Counter((result.device, result.component) for result in chain.from_iterable(batches))
    assert found == {(name, part): 1 for name in NAMES[:100] for part in ("base", "vpn")}


def test_a_laptop_that_is_what_it_should_be_is_unchanged(tmp_path):
    fleet = laptops(tmp_path)
    assert set(converge(fleet, work("sim-1")).values()) == {Outcome.CHANGED}
    assert set(converge(fleet, work("sim-1", generation=2)).values()) == {Outcome.UNCHANGED}


def test_shares_are_as_asked_for(tmp_path):
    fleet = laptops(tmp_path, failing=30, away=20, hanging=10)
    outcomes = converge(fleet, work(*NAMES))
    silent = {name for (name, _), outcome in outcomes.items() if outcome is Outcome.UNREACHABLE}
    failed = {name for (name, _), outcome in outcomes.items() if outcome is Outcome.FAILED}
    assert 160 <= len(silent) <= 240
    assert 240 <= len(failed) <= 360  # 37 % of the 80 % that are there


def test_a_laptop_is_away_for_the_prober_as_for_the_runner_and_comes_back_later(tmp_path):
    fleet = laptops(tmp_path, away=20)
    away = {name for name, answer in probe(fleet, *NAMES).items() if answer.reach is Reach.UNREACHABLE}
    outcomes = converge(fleet, work(*NAMES))
    assert away == {name for (name, _), outcome in outcomes.items() if outcome is Outcome.UNREACHABLE}
    later = probe(fleet, *away, at=NOON + timedelta(seconds=2 * CALM.away_seconds))
    back = [name for name, answer in later.items() if answer.reach is Reach.REACHED]
    assert 0.6 < len(back) / len(away) < 1


def test_one_component_fails_and_its_ledger_says_that_it_did_not_finish(tmp_path):
    fleet = laptops(tmp_path, failing=100)
    outcomes = converge(fleet, work("sim-1"))
    assert sorted(outcomes.values()) == [Outcome.CHANGED, Outcome.FAILED]
    digests = probe(fleet, "sim-1")["sim-1"].digests
    assert {part: digests[part] for (_, part), outcome in outcomes.items() if outcome is Outcome.FAILED} in (
        {"base": ""},
        {"vpn": ""},
    )


def test_what_failed_may_succeed_in_the_next_rollout_but_what_hangs_hangs_again(tmp_path):
    def bad(fleet: Laptops, generation: int) -> set[str]:
        found = converge(fleet, work(*NAMES, generation=generation))
        return {name for (name, _), outcome in found.items() if outcome is Outcome.FAILED}

    failing, hanging = laptops(tmp_path, failing=10), laptops(tmp_path, hanging=10)
    assert bad(failing, 1) != bad(failing, 2)
    assert bad(hanging, 1) == bad(hanging, 2) != set()


def test_the_same_seed_gives_the_same_behaviour_and_another_one_does_not(tmp_path):
    for name in ("first", "again", "other"):
        (tmp_path / name).mkdir()
    first = converge(laptops(tmp_path / "first", failing=20, away=20), work(*NAMES))
    assert first == converge(laptops(tmp_path / "again", failing=20, away=20), work(*NAMES))
    assert first != converge(laptops(tmp_path / "other", failing=20, away=20, seed=2), work(*NAMES))


# --- the inventory ---------------------------------------------------------------------------


def test_the_same_seed_invents_the_same_laptops():
    organisation = load_organisation(SAMPLE)
    first, again, other = (list(invent(50, organisation, operator="zdmv", on=DAY, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_invented_laptops_are_spread_and_cannot_be_taken_for_real_ones():
    organisation = load_organisation(SAMPLE)
    fleet = list(invent(2000, organisation, operator="zdmv", on=DAY, seed=1))
    assert {organisation.operator_of(device.authority, DAY) for device in fleet} == {"zdmv"}
    assert len({organisation.ressort_of(device.authority, DAY) for device in fleet}) > 5
    assert len({device.model for device in fleet}) > 3
    assert all(device.site in organisation.authority(device.authority).sites for device in fleet)
    assert all(device.hostname.startswith("sim-") and device.address.startswith("198.1") for device in fleet)
    assert len({device.host_key for device in fleet}) == 2000


def test_an_operator_without_authorities_is_named():
    with pytest.raises(InputError, match="operator nobody serves no authority"):
        list(invent(1, load_organisation(SAMPLE), operator="nobody", on=DAY, seed=1))


# --- the folder ------------------------------------------------------------------------------


def original(folder: Path) -> Path:
    (folder / "real" / "profiles").mkdir(parents=True)
    (folder / "real" / "inventory").mkdir()
    (folder / "real" / "profiles" / "base.yml").touch()
    (folder / "real" / "inventory" / "organisation.yml").touch()
    (folder / "real" / "mvpc.toml").write_text('[ssh]\nkey = "/srv/key"\n[state]\nfolder = "/var/lib/mvpc"\n')
    return folder / "real"


def test_the_folder_keeps_its_state_to_itself_whatever_mvpc_toml_says(tmp_path):
    real = load_project(original(tmp_path))
    made = make_folder(real, tmp_path / "sim", Chances(away=3), lambda _: None)
    assert (made.chances, made.state) == (Chances(away=3), tmp_path / "sim" / ".mvpc")
    assert made.ssh_key.is_relative_to(made.state)
    assert (made.root / "profiles" / "base.yml").is_file()
    assert real.chances is None


def test_a_folder_is_replaced_only_when_it_is_simulated_and_that_is_wished(tmp_path):
    real = load_project(original(tmp_path))
    with pytest.raises(InputError, match="no simulated fleet"):
        make_folder(real, real.root, Chances(), lambda _: None, replace=True)
    make_folder(real, tmp_path / "sim", Chances(), lambda _: None)
    with pytest.raises(InputError, match="--replace"):
        make_folder(real, tmp_path / "sim", Chances(), lambda _: None)
    made = make_folder(real, tmp_path / "sim", Chances(seed=2), lambda _: None, replace=True)
    assert made.chances == Chances(seed=2)


def test_a_folder_that_could_not_be_filled_is_not_there(tmp_path):
    def fail(_):
        raise InputError("no")

    with pytest.raises(InputError, match="no"):
        make_folder(load_project(original(tmp_path)), tmp_path / "sim", Chances(), fail)
    assert [path.name for path in tmp_path.iterdir()] == ["real"]


def test_chances_are_read_as_they_were_written(tmp_path):
    assert read_chances(tmp_path) is None
    (tmp_path / "simulated.toml").write_text(chances_text(Chances(seed=4, away=12.5)))
    assert read_chances(tmp_path) == Chances(seed=4, away=12.5)


def test_every_mistake_in_the_chances_is_named_at_once(tmp_path):
    (tmp_path / "simulated.toml").write_text('seed = 1.5\naway = 120\nslow = "5"\nfast = 1\naway_seconds = 0\n')
    with pytest.raises(InputError) as caught:
        read_chances(tmp_path)
    assert [str(problem).partition(".")[0] + "." for problem in caught.value.problems] == ["simulated."] * 5
    assert {problem.what.partition(" ")[0] for problem in caught.value.problems} == {
        "seed",
        "away",
        "slow",
        "fast",
        "away_seconds",
    }

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mvpc.cli.app import app
from mvpc.model import Probe, Reach
from mvpc.store.write import Store
from mvpc.testing import HOST_KEY, NOON

PROJECT = Path(__file__).parents[2]
KEY = "7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg="
PEERS = Path("gateway/wireguard-peers.conf")


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three laptops of the sample inventory; lab-01 has told its key."""
    (tmp_path / "mvpc.toml").touch()
    for part in ("inventory", "profiles"):
        shutil.copytree(PROJECT / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MVPC_USER", "ute")
    assert mvpc("device", "import", "inventory/lab.csv", "--yes").exit_code == 0
    for name in ("lab-01", "lab-02"):
        assert mvpc("device", "set", name, f"host_key={HOST_KEY}").exit_code == 0
    tell("lab-01", KEY)


def mvpc(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(app, arguments, input=answer)


def tell(name: str, key: str) -> None:
    facts = {"wireguard_public_key": key}
    answer = Probe(device=name, at=NOON, reach=Reach.REACHED, facts=facts)
    Store(Path(".mvpc/mvpc.db").resolve()).record_probes([answer])


def dump(key: str = KEY, ranges: str = "10.64.0.1/32") -> str:
    return f"wg0\t{key}\t(none)\t(none)\t{ranges}\t0\t0\t0\toff\n"


def test_the_files_of_the_gateway_hold_who_told_a_key_and_name_who_waits():
    done = mvpc("vpn", "gateway")
    assert done.exit_code == 0
    assert "gateway/wireguard-peers.conf: 1 added (lab-01)\n" in done.stdout
    assert (
        "1 laptop cannot be let in yet:\n  lab-02: its key is not known yet: mvpc status lab-02 --live\n" in done.stdout
    )
    assert PEERS.read_text().endswith(f"# laptop lab-01\n[Peer]\nPublicKey = {KEY}\nAllowedIPs = 10.64.0.1/32\n")
    assert PEERS.stat().st_mode & 0o777 == 0o640


def test_a_second_run_leaves_the_files_alone():
    mvpc("vpn", "gateway")
    before = PEERS.stat()
    assert "wireguard-peers.conf: unchanged" in mvpc("vpn", "gateway").stdout
    assert PEERS.stat().st_ino == before.st_ino


def test_a_lost_laptop_and_a_new_key_are_told_by_name():
    mvpc("vpn", "gateway")
    tell("lab-01", "58pVtkDKii3Yf1dpLgbr8J7vuArGTFJw/dHRNDHTznU=")
    assert "1 changed (lab-01)" in mvpc("vpn", "gateway").stdout
    assert mvpc("device", "lost", "lab-01", "--yes", "--reason", "x").exit_code == 0
    told = json.loads(mvpc("vpn", "gateway", "--json").stdout)["files"]["wireguard-peers.conf"]
    assert (told["written"], told["removed"], told["added"]) == (True, ["lab-01"], [])
    assert "[Peer]" not in PEERS.read_text()


def test_ikev2_files_without_any_ikev2_profile_and_unknown_providers_are_refused():
    assert "no profile of these laptops has vpn.ikev2" in mvpc("vpn", "gateway", "--provider", "ikev2").stderr
    done = mvpc("vpn", "gateway", "--provider", "openvpn")
    assert (done.exit_code, "Write ikev2 or wireguard" in done.stderr) == (2, True)
    assert not Path("gateway").exists()


def test_when_no_profile_has_ikev2_any_more_nobody_stays_in_its_file():
    old = Path("gateway/swanctl/conf.d/mvpc.conf")
    old.parent.mkdir(parents=True)
    old.write_text("# laptop lab-01\nconnections {\n  lab-01 : mvpc-laptop {\n  }\n}\n# end\n")
    assert "swanctl/conf.d/mvpc.conf: 1 removed (lab-01)" in mvpc("vpn", "gateway").stdout
    assert "lab-01" not in old.read_text()


def test_a_gateway_that_agrees_is_said_to():
    done = mvpc("vpn", "check", "-", answer=dump())
    assert (done.exit_code, done.stdout) == (0, "gateway and inventory agree on 1 laptop\n")


def test_a_gateway_that_does_not_agree_ends_with_3_and_says_where():
    Path("said").write_text(dump(ranges="10.64.0.1/32,0.0.0.0/0") + dump("x\x1b[31m"))
    done = mvpc("vpn", "check", "said", "--json")
    found = [(each["kind"], each["who"]) for each in json.loads(done.stdout)["faults"]]
    assert (done.exit_code, found) == (3, [("addresses", "lab-01"), ("unknown", "x\x1b[31m")])
    shown = mvpc("vpn", "check", "said").stdout
    assert "\x1b" not in shown
    assert "x\\x1b[31m" in shown


@pytest.mark.parametrize("said", ["", "hello\n", "\x00" * 100, "\ufffd\n" * 5])
def test_what_is_no_gateways_output_is_bad_input(said: str):
    done = mvpc("vpn", "check", "-", answer=said)
    assert (done.exit_code, "no output of a gateway" in done.stderr) == (2, True)


def test_a_file_that_is_not_there_is_named():
    assert mvpc("vpn", "check", "nowhere").stderr.startswith("mvpc: nowhere: the file cannot be read")


def test_the_gateway_of_the_lab_says_which_file_it_misses_and_who_writes_it():
    Path("empty").mkdir()
    for given, missing in (("nowhere", "nowhere"), ("empty", "empty/wireguard-peers.conf")):
        done = mvpc("lab", "gateway", given)
        assert done.exit_code == 2
        assert f"{missing}: the file of the laptops to let in cannot be read" in done.output
        assert f"Write it: mvpc vpn gateway -o {given}" in done.output

"""The guard of the device program: what is kept before a change of the way in, and what becomes of the change."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mvpc.device.converge.guard import AT_STAKE
from mvpc.device.converge.machine import Ran
from tests.unit.test_converge import (
    KEYFILES,
    SSHD,
    WIFI_UUID,
    Laptop,
    Service,
    apply,
    ask,
    component,
    connection,
    drift,
    file,
    package,
    unit,
)

RELOAD = ["reload ssh.service"]
UNDO = "/var/lib/mvpc/undo"
WAYS = {"sshd": [22], "router": True, "names": ["wlan0"], "tunnel": False}
RULES = "table inet mine {\n}\n"
CHECKPOINT = "/org/freedesktop/NetworkManager/Checkpoint/1"
WIFI = f"{KEYFILES}/mvpc-wifi-lan.nmconnection"


class Guarded(Laptop):
    """A laptop on which the program of the way back can be stored and started."""

    settle_seconds = 0.0
    seen = json.dumps({"rules": RULES, "ways": WAYS})
    """What the program says before the change."""

    def run(self, argv: Sequence[str], *, timeout: float = 60, stdin: str = "") -> Ran:
        if argv[0] == "/usr/bin/python3":
            self.commands.append(" ".join(argv))
            return Ran(0, self.seen)
        return super().run(argv, timeout=timeout, stdin=stdin)

    def _systemd_run(self, _words: list[str], _stdin: str) -> Ran:
        return Ran(0)

    def _busctl(self, words: list[str], _stdin: str) -> Ran:
        return Ran(0, f'o "{CHECKPOINT}"\n' if "CheckpointCreate" in words else "")

    @property
    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(f"{UNDO}/manifest.json"))
        return found

    def told(self, start: str) -> list[str]:
        return [line for line in self.commands if line.startswith(start)]


@pytest.fixture(autouse=True)
def _fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def laptop(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path / "laptop")


def change(laptop: Guarded, *components: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    answer = ask(laptop, "apply", *components, undo="print('the program')", **more)
    assert answer["error"] == ""
    return answer


def facts(laptop: Guarded) -> dict[str, Any]:
    found: dict[str, Any] = ask(laptop, "probe")["facts"]
    return found


def test_a_change_that_is_not_on_the_way_in_keeps_nothing(laptop: Guarded):
    answer = change(laptop, component(file("/etc/motd", "hello\n"), package(), unit()))
    assert answer["facts"]["unconfirmed"] is False
    assert not laptop.path(UNDO).exists()


def test_before_a_change_of_the_way_in_everything_is_kept_that_brings_it_back(laptop: Guarded):
    laptop.put(SSHD, "Port 22\n", mode=0o640)
    answer = change(laptop, component(file(notify=RELOAD), unit("ssh.service")), component(package(), name="software"))
    assert answer["facts"]["unconfirmed"] is True

    manifest = laptop.manifest
    assert [(each["path"], each["kind"]) for each in manifest["files"]] == [
        (SSHD, "file"),
        ("/var/lib/mvpc/ledger.json", "file"),
    ]
    assert laptop.text(f"{UNDO}/{manifest['files'][0]['copy']}") == "Port 22\n"
    assert manifest["notify"] == [["systemctl", "try-reload-or-restart", "--", "ssh.service"]]
    assert manifest["units"] == [{"name": "ssh.service", "enabled": True, "active": True, "masked": False}]
    assert (manifest["ways"], manifest["rules"]) == (WAYS, RULES)
    assert (manifest["connections"], manifest["checkpoint"]) == (None, "")
    assert laptop.text(f"{UNDO}/undo.py") == "print('the program')"


def test_a_link_is_kept_as_a_link(laptop: Guarded):
    laptop.path(SSHD).parent.mkdir(parents=True)
    laptop.path(SSHD).symlink_to("elsewhere")
    change(laptop, component(file()))
    assert laptop.manifest["files"][0] == {"path": SSHD, "kind": "link", "target": "elsewhere"}


def test_what_an_earlier_change_left_behind_does_not_settle_this_one(laptop: Guarded):
    laptop.put(f"{UNDO}/settled", "")
    change(laptop, component(file()))
    assert facts(laptop)["unconfirmed"] is True


def test_where_the_program_cannot_look_no_way_counts_as_open_and_no_table_as_empty(laptop: Guarded):
    laptop.seen = "Traceback (most recent call last)"
    change(laptop, component(file(notify=RELOAD)))
    assert laptop.manifest["ways"] == {"sshd": [], "router": False, "names": [], "tunnel": False}
    assert laptop.manifest["rules"] is None


def test_only_components_that_touched_the_way_in_are_unfinished_when_they_come_back(laptop: Guarded):
    change(laptop, component(file(notify=RELOAD)), component(package(), name="software"))
    assert laptop.manifest["components"] == ["base"]
    told = json.loads(laptop.text(f"{UNDO}/ledger"))
    assert {name: entry["digest"] for name, entry in told["components"].items()} == {"base": "", "software": "d1"}
    assert laptop.ledger()["components"]["base"]["digest"] == "d1"


def test_a_laptop_that_took_a_change_back_differs_in_nothing_but_that_it_is_unfinished(laptop: Guarded):
    apply(laptop, file())
    change(laptop, component(file(content="Port 23\n"), digest="d2"))
    laptop.put(SSHD, "PermitRootLogin no\n")
    laptop.put("/var/lib/mvpc/ledger.json", laptop.text(f"{UNDO}/ledger"))
    assert drift(laptop) == ["the last apply did not finish"]


def test_the_timer_is_set_before_the_first_file_is_touched_and_shortened_after_the_last(laptop: Guarded):
    seen: list[str] = []
    laptop.stamp = lambda what: seen.append(f"{laptop.path(SSHD).exists()} {what}")
    change(laptop, component(file(notify=RELOAD)))
    timers = [line for line in seen if " before systemd-run" in line]
    assert "False before systemd-run --quiet --collect --unit=mvpc-undo --on-active=600" in timers[0]
    assert "True before systemd-run --quiet --collect --unit=mvpc-undo-confirm --on-active=180" in timers[1]
    assert all("--property=Restart=on-failure --property=RestartSec=30s" in line for line in timers[:2])
    assert "--unit=mvpc-settle /usr/bin/python3 -I -S /var/lib/mvpc/undo/undo.py settle" in timers[2]


def test_a_crash_after_the_first_file_finds_the_manifest_that_brings_it_back(laptop: Guarded):
    seen: list[tuple[bool, bool]] = []
    laptop.stamp = lambda _what: seen.append(
        (laptop.path(SSHD).exists(), laptop.path(f"{UNDO}/manifest.json").exists())
    )
    change(laptop, component(file(notify=RELOAD)))
    assert (True, True) in seen
    assert (True, False) not in seen


def test_the_first_timer_goes_when_the_second_is_there(laptop: Guarded):
    change(laptop, component(file(notify=RELOAD)))
    told = [line.replace("systemd-run --quiet --collect ", "") for line in laptop.commands if "mvpc-undo" in line]
    assert [line.partition(" --on")[0] for line in told] == [
        "systemctl stop -- mvpc-undo.timer mvpc-undo-confirm.timer",
        "--unit=mvpc-undo",
        "--unit=mvpc-undo-confirm",
        "systemctl stop -- mvpc-undo.timer",
    ]
    assert laptop.manifest["timer"] == "mvpc-undo-confirm.timer"


def test_whoever_sees_the_session_break_has_heard_that_the_change_may_be_the_cause(
    laptop: Guarded, capsys: pytest.CaptureFixture[str]
):
    change(laptop, component(file("/etc/motd")))
    assert capsys.readouterr().err == ""
    change(laptop, component(file()), generation=2)
    assert capsys.readouterr().err == f"{AT_STAKE}\n"


def test_what_may_cut_off_the_session_waits_for_the_answer(laptop: Guarded):
    answer = change(
        laptop, component(file(notify=RELOAD), file("/etc/cups/cupsd.conf", notify=["restart cups.service"]))
    )
    assert "notified: reload ssh.service" in answer["components"][0]["changes"]
    assert laptop.told("systemctl try") == []  # cups does not run, and ssh has to wait
    command = ["systemctl", "try-reload-or-restart", "--", "ssh.service"]
    assert laptop.manifest["later"] == [["reload ssh.service", command]]


def test_a_restart_of_something_else_does_not_wait(laptop: Guarded):
    laptop.units["cups.service"] = Service(enabled=True, active=True)
    change(laptop, component(file(notify=RELOAD), file("/etc/cups/cupsd.conf", notify=["restart cups.service"])))
    assert laptop.told("systemctl try") == ["systemctl try-restart -- cups.service"]


def wifi(secret: str, **more: Any) -> dict[str, Any]:
    return connection(
        "mvpc-wifi-lan", content=f"[connection]\nuuid={WIFI_UUID}\n[wifi-security]\npsk={secret}\n", **more
    )


def test_an_active_connection_takes_over_its_new_settings_after_the_answer(laptop: Guarded):
    apply(laptop, wifi("old"))
    laptop.known = {WIFI_UUID: ""}
    change(laptop, component(wifi("new"), digest="d2"))
    assert not laptop.told("nmcli connection reload")
    assert laptop.manifest["later"] == [
        ["reload of NetworkManager's connections", ["nmcli", "connection", "reload"]],
        ["activation of mvpc-wifi-lan", ["nmcli", "--wait", "60", "connection", "up", "uuid", WIFI_UUID]],
    ]
    assert (laptop.manifest["connections"], laptop.manifest["checkpoint"]) == ([WIFI_UUID], CHECKPOINT)


def test_a_connection_that_is_not_active_is_left_to_networkmanager(laptop: Guarded):
    change(laptop, component(wifi("new")))
    assert [words for words, _ in laptop.manifest["later"]] == ["reload of NetworkManager's connections"]
    assert laptop.manifest["connections"] == []


def test_a_connection_whose_certificate_changes_is_brought_up_anew(laptop: Guarded):
    apply(laptop, wifi("x\n[802-1x]\nca-cert=/etc/mvpc/pki/radius-ca.pem"))
    laptop.known = {WIFI_UUID: ""}
    change(laptop, component(file("/etc/mvpc/pki/radius-ca.pem", "another"), name="identity"))
    assert [words for words, _ in laptop.manifest["later"]] == ["activation of mvpc-wifi-lan"]


KILL = "[Service]\nType=oneshot\nExecStart=/usr/sbin/nft -f /etc/mvpc/kill.nft\n"


def test_a_unit_that_loads_rules_is_on_the_way_in(laptop: Guarded):
    laptop.units["kill.service"] = Service()
    change(laptop, component(file("/etc/systemd/system/kill.service", KILL), unit("kill.service")))
    assert laptop.manifest["units"] == [{"name": "kill.service", "enabled": False, "active": False, "masked": False}]
    assert laptop.manifest["files"][0] == {"path": "/etc/systemd/system/kill.service", "kind": "absent"}


@pytest.mark.parametrize("path", ["/etc/nftables.conf", "/etc/nftables.d/kill.nft", "/etc/mvpc/own.nft"])
def test_rules_are_on_the_way_in_wherever_they_lie(laptop: Guarded, path: str):
    change(laptop, component(file(path, "table inet kill {}\n")))
    assert laptop.manifest["files"][0] == {"path": path, "kind": "absent"}


def test_a_unit_that_loads_rules_and_goes_is_on_the_way_in_as_well(laptop: Guarded):
    laptop.units["kill.service"] = Service()
    apply(laptop, file("/etc/systemd/system/kill.service", KILL), unit("kill.service"))
    change(laptop, component(file("/etc/motd"), digest="d2"))
    assert laptop.manifest["units"] == [{"name": "kill.service", "enabled": True, "active": True, "masked": False}]
    assert laptop.units["kill.service"].active is False


def test_packages_of_a_tunnel_that_goes_are_removed_by_the_next_apply(laptop: Guarded):
    laptop.available["strongswan-swanctl"] = "6.0"
    tunnel = (package("strongswan-swanctl"), file("/etc/swanctl/conf.d/mvpc.conf", "connections {}\n"))
    apply(laptop, *tunnel)
    change(laptop, component(wifi("new"), digest="d2"))
    assert "strongswan-swanctl" in laptop.packages
    laptop.put(f"{UNDO}/settled", "")
    facts(laptop)
    change(laptop, component(wifi("newer"), digest="d3"))
    assert "strongswan-swanctl" not in laptop.packages


def test_a_new_connection_confirms_only_what_has_settled(laptop: Guarded):
    change(laptop, component(wifi("new")))
    assert facts(laptop)["unconfirmed"] is True
    laptop.put(f"{UNDO}/settled", "")
    assert facts(laptop)["unconfirmed"] is False
    assert laptop.told("busctl")[-1].endswith(f"CheckpointDestroy o {CHECKPOINT}")
    assert not laptop.path(UNDO).exists()
    assert not laptop.path("/etc/systemd/system/mvpc-undo-boot.service").exists()


def test_a_probe_waits_a_moment_for_a_change_to_settle(laptop: Guarded):
    laptop.settle_seconds = 20.0
    change(laptop, component(wifi("new")))
    threading.Timer(0.1, laptop.put, (f"{UNDO}/settled", "")).start()
    assert facts(laptop)["unconfirmed"] is False


def test_a_probe_does_not_wait_for_an_apply_that_is_still_at_work(laptop: Guarded, monkeypatch: pytest.MonkeyPatch):
    laptop.settle_seconds = 20.0
    laptop.put(f"{UNDO}/manifest.json", "{}")
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it waits"))
    assert facts(laptop)["unconfirmed"] is True


def test_a_change_that_was_taken_back_is_told_until_the_next_one(laptop: Guarded):
    undone = {"generation": 7, "at": 1, "booting": False, "reason": "no router answers any more", "components": ["vpn"]}
    laptop.put(f"{UNDO}/undone.json", json.dumps(undone))
    assert facts(laptop)["undone"] == undone
    change(laptop, component(file("/etc/motd")))
    assert facts(laptop)["undone"] is None


def test_a_second_change_has_to_wait_until_the_first_is_confirmed(laptop: Guarded):
    change(laptop, component(file(notify=RELOAD)))
    answer = change(laptop, component(file(content="Port 23\n", notify=RELOAD), digest="d2"), generation=2)
    assert answer["components"][0]["error"] == "an earlier change is not confirmed yet; try again in a few minutes"
    assert laptop.text(SSHD) == "PermitRootLogin no\n"


# --- what is refused before anything is touched -----------------------------------------------

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
CA = "/etc/swanctl/x509ca/mvpc-vpn.pem"


def refusal(laptop: Guarded, *resources: Any) -> str:
    answer = change(laptop, component(file("/etc/motd", "hello\n"), *resources))
    assert not laptop.path("/etc/motd").exists()
    assert not laptop.path(UNDO).exists()
    return str(answer["components"][0]["error"])


def test_a_file_that_its_program_refuses_is_refused_before_anything_is_touched(laptop: Guarded):
    words = refusal(laptop, file(content="BAD\n", validate=["validator", "%s"]))
    assert words == f"file {SSHD}: refused by validator (exit code 255): {SSHD} line 1: BAD"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            Ran(1, "notAfter=Nov  1 00:00:00 2026 GMT\nCertificate will expire\n"),
            f"file {CA}: the certificate expired on Nov  1 00:00:00 2026 GMT",
        ),
        (Ran(1, err="Could not read certificate from <stdin>\n"), f"file {CA}: not a valid certificate"),
    ],
)
def test_a_certificate_that_is_none_or_expired_is_refused(laptop: Guarded, said: Ran, words: str):
    laptop.broken = {"openssl x509": said}
    assert refusal(laptop, file(CA, PEM)) == words


def test_a_keyfile_that_networkmanager_cannot_read_is_refused_without_quoting_it(laptop: Guarded):
    laptop.offline = Ran(2, err="Error: psk: invalid value 'secret'")
    words = refusal(laptop, wifi("secret"))
    assert words == "connection mvpc-wifi-lan: NetworkManager cannot read it (nmcli --offline, exit code 2)"


@pytest.mark.parametrize(
    ("knows", "words"),
    [
        (
            {"old.example": True, "new.example": False},
            "connection mvpc-wifi-lan: the gateway new.example has no address",
        ),
        ({"old.example": None, "new.example": False}, ""),
        ({"old.example": True, "new.example": None}, ""),
    ],
    ids=["a network that knows the old one", "an offline laptop", "a server that does not answer"],
)
def test_a_gateway_without_address_is_refused_where_the_old_one_has_some(
    laptop: Guarded, monkeypatch: pytest.MonkeyPatch, knows: dict[str, bool | None], words: str
):
    apply(laptop, wifi("x\nendpoint=old.example:51820"))
    monkeypatch.setattr(laptop, "resolves", knows.get)
    answer = change(laptop, component(wifi("x\nendpoint=new.example:51820"), digest="d2"))
    assert answer["components"][0]["error"] == words


def test_everything_that_is_wrong_is_said_at_once(laptop: Guarded):
    laptop.broken = {"openssl x509": Ran(1)}
    words = refusal(laptop, file(content="BAD\n", validate=["validator", "%s"]), file(CA, PEM))
    assert (words.count("refused by validator"), words.count("not a valid certificate")) == (1, 1)

"""What a laptop does about its tunnel, wherever it is: the program with a laptop that is made of answers."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mvpc.programs import commands, networks, tunnel
from mvpc.render.kept import kept
from tests.acceptance.certificates import Certificate, authority, issue

LAN = "/etc/NetworkManager/system-connections/mvpc-wifi-lan-mv.nmconnection"
WITNESS = {"address": "10.65.0.80", "port": 443, "name": "intern.mv.example", "authority": "/etc/mvpc/pki/mv-ca.pem"}


class Laptop:
    """Answers commands, and remembers them."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.loaded = True
        self.routes = {"-4": [("wlan0", 600)], "-6": []}
        self.active = ["mvpc-vpn"]
        self.on_air: list[str] = []
        self.handshake = 0
        self.associations = ""
        self.uptime = 5000
        self.seconds = 0
        self.sets: dict[str, list[str]] = {"trusted": [], "portal": []}

    def said(self, *argv: str, stdin: str = "") -> str:  # noqa: PLR0911 - a table of answers
        self.ran.append(" ".join(argv))
        command = " ".join(argv)
        if argv[0] == "ip" and "route" in argv:
            return json.dumps([{"dst": "default", "dev": dev, "metric": at} for dev, at in self.routes[argv[2]]])
        if command.startswith("nft --json list table"):
            return '{"nftables": []}' if self.loaded else ""
        if command.startswith("nft --json list set"):
            elements = [{"elem": {"val": each, "timeout": 9}} for each in self.sets[argv[-1]]]
            return json.dumps({"nftables": [{"metainfo": {}}, {"set": {"name": argv[-1], "elem": elements}}]})
        if command == "nft -f -":
            return self._fill(stdin)
        if "FILENAME,DEVICE,STATE" in argv:
            return "".join(f"{each}:wlan0:activated\n" for each in self.on_air)
        if argv[:3] == ("nmcli", "-t", "-f"):
            return "".join(f"{each}\n" for each in self.active)
        if argv[0] == "wg":
            return f"wg-mvpc\tkey=\t{self.handshake}\n"
        if "--list-sas" in argv:
            return self.associations
        return "Link 2 (wlan0): ~home\n" if argv[:2] == ("resolvectl", "domain") and len(argv) == 3 else ""

    def _fill(self, script: str) -> str:
        for line in script.splitlines():
            name = line.split()[4]
            self.sets[name] = [] if line.startswith("flush") else [*self.sets[name], line.split('"')[1]]
            self.seconds = 0 if line.startswith("flush") else int(line.split()[-2].rstrip("s"))
        return ""

    def did(self, *begins: str) -> list[str]:
        return [each for each in self.ran if each.startswith(begins)]


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Laptop:
    made = Laptop()
    for part in (tunnel, networks, commands):
        monkeypatch.setattr(part, "said", made.said)
    monkeypatch.setattr(tunnel, "SETTINGS", tmp_path / "tunnel.json")
    (tmp_path / "tunnel.json").write_text(json.dumps(settings()))
    monkeypatch.setattr(tunnel, "NOTE", tmp_path / "run/portal.json")
    monkeypatch.setattr(tunnel, "OPENINGS", tmp_path / "run/openings.json")
    monkeypatch.setattr(tunnel, "LOCK", tmp_path / "run/tunnel.lock")
    monkeypatch.setattr(tunnel, "uptime", lambda: made.uptime)
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(tunnel, "log", lambda _: None)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return made


def settings(**others: Any) -> dict[str, Any]:
    return {
        "provider": "ikev2",
        "connection": "mvpc-vpn",
        "kill_switch": True,
        "portal_minutes": 10,
        "portal_minutes_per_hour": 20,
        "addresses": ["10.64.0.123"],
        "trusted": {"connections": [LAN], "witness": None},
        **others,
    }


START = ("swanctl --initiate", "nmcli --wait 20 connection up")
LEAVE = ("swanctl --terminate", "nmcli connection down")


# --- always on


@pytest.mark.parametrize(("associations", "starts"), [("", 1), ("mvpc: CONNECTING", 0), ("mvpc: INSTALLED", 0)])
def test_an_ikev2_tunnel_is_started_where_it_is_neither_up_nor_on_its_way(
    laptop: Laptop, associations: str, starts: int
):
    laptop.associations = associations
    tunnel.keep(settings())
    assert len(laptop.did(*START)) == starts


@pytest.mark.parametrize(("active", "starts"), [([], 1), (["mvpc-vpn"], 0)])
def test_a_wireguard_tunnel_is_started_where_it_is_down(laptop: Laptop, active: list[str], starts: int):
    laptop.active = active
    tunnel.keep(settings(provider="wireguard"))
    assert len(laptop.did(*START)) == starts


def test_a_switch_that_is_gone_is_loaded_again_and_only_where_there_shall_be_one(laptop: Laptop):
    laptop.loaded = False
    tunnel.keep(settings(kill_switch=False))
    assert not laptop.did("systemctl")
    tunnel.keep(settings())
    assert laptop.did("systemctl") == ["systemctl reload-or-restart -- mvpc-kill.service"]


# --- trusted networks


def test_a_network_that_let_us_in_by_802_1x_needs_no_tunnel_and_opens_its_interface_alone(laptop: Laptop):
    laptop.on_air, laptop.associations = [LAN], "mvpc: INSTALLED"
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == ["wlan0"]
    assert laptop.did(*LEAVE) and not laptop.did(*START)


def test_another_network_of_the_same_name_is_another_connection_and_proves_nothing(laptop: Laptop):
    laptop.on_air = [LAN.replace("lan-mv", "lan-mv-1")]
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == []
    assert laptop.did(*START)


def test_a_proof_of_one_interface_does_not_cover_the_cable_that_packets_leave_by(laptop: Laptop):
    laptop.on_air, laptop.routes["-4"] = [LAN], [("wlan0", 600), ("eth0", 100)]
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == []
    assert laptop.did(*START)


def test_neither_does_it_cover_another_way_out_for_ipv6(laptop: Laptop):
    laptop.on_air, laptop.routes["-6"] = [LAN], [("eth0", 100)]
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == []


def test_a_laptop_that_leaves_the_trusted_network_is_closed_and_gets_its_tunnel(laptop: Laptop):
    laptop.sets["trusted"] = ["wlan0"]
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == []
    assert laptop.did(*START)


def test_without_a_switch_a_trusted_network_still_needs_no_tunnel(laptop: Laptop):
    laptop.on_air = [LAN]
    tunnel.keep(settings(kill_switch=False, provider="wireguard"))
    assert laptop.did(*LEAVE) == ["nmcli connection down id mvpc-vpn"]
    assert not laptop.did("nft")


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    folder = tmp_path_factory.mktemp("pki")
    return {name: authority(folder, name) for name in ("ours", "foreign")}


@contextmanager
def a_server(certificate: Certificate) -> Iterator[int]:
    """A TLS server on this machine; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def serve(listening: socket.socket) -> None:
        client, _ = listening.accept()
        with client:
            client.settimeout(5)
            try:
                context.wrap_socket(client, server_side=True).close()
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(timeout=5)


@pytest.mark.parametrize(
    ("signed_by", "name", "believed"),
    [
        ("ours", "intern.mv.example", True),
        ("foreign", "intern.mv.example", False),
        ("ours", "other.mv.example", False),
    ],
)
def test_the_server_inside_must_have_its_name_certified_by_the_authority_of_the_profile(
    laptop: Laptop,
    monkeypatch: pytest.MonkeyPatch,
    authorities: dict[str, Certificate],
    tmp_path: Path,
    *,
    signed_by: str,
    name: str,
    believed: bool,
):
    monkeypatch.setattr(networks, "sources", lambda *_: ["127.0.0.1"])
    with a_server(issue(authorities[signed_by], tmp_path, "server", usage="serverAuth", subject=name)) as port:
        witness = {**WITNESS, "address": "127.0.0.1", "port": port, "authority": str(authorities["ours"].certificate)}
        assert networks.answers_witness(witness, "lo", []) is believed


def test_without_the_certificate_of_the_authority_nothing_is_believed(laptop: Laptop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(networks, "sources", lambda *_: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        witness = {**WITNESS, "address": "127.0.0.1", "port": listening.getsockname()[1], "authority": "/nowhere"}
        assert networks.answers_witness(witness, "lo", []) is False


def test_the_tunnels_own_address_is_never_asked_from(monkeypatch: pytest.MonkeyPatch):
    addresses = [{"addr_info": [{"local": "192.168.1.7"}, {"local": "10.64.0.123"}]}]
    monkeypatch.setattr(commands, "said", lambda *_: json.dumps(addresses))
    assert list(networks.sources("wlan0", 4, ["10.64.0.123"])) == ["192.168.1.7"]


# --- signing in


@pytest.mark.parametrize(
    ("others", "user", "said"),
    [
        ({}, 33, "for people, not for services"),
        ({}, 65534, "for people, not for services"),
        ({"portal_minutes": 0}, 1000, "no kill switch here that people may open"),
    ],
)
def test_the_switch_is_not_opened_for_everybody(
    laptop: Laptop, capsys: pytest.CaptureFixture[str], *, others: dict[str, Any], user: int, said: str
):
    assert tunnel.portal(settings(**others), user) == 1
    assert said in capsys.readouterr().err
    assert laptop.sets["portal"] == []


def test_nor_without_a_network_or_with_the_tunnel_up(laptop: Laptop, capsys: pytest.CaptureFixture[str]):
    laptop.associations = "mvpc: INSTALLED"
    assert tunnel.portal(settings(), 1000) == 1
    laptop.associations, laptop.routes = "", {"-4": [], "-6": []}
    assert tunnel.portal(settings(), 1000) == 1
    said = capsys.readouterr().err
    assert "The tunnel is up" in said and "Connect to it first" in said


@pytest.mark.parametrize("user", [0, 1000, 200_000])
def test_people_open_it_for_their_way_out_and_its_own_name_server_answers(laptop: Laptop, user: int):
    assert tunnel.portal(settings(provider="wireguard"), user) == 0
    assert laptop.sets["portal"] == ["wlan0"]
    assert "resolvectl domain wlan0 ~." in laptop.ran
    assert laptop.did(*LEAVE) == ["nmcli connection down id mvpc-vpn"]


def test_who_has_not_signed_in_yet_is_left_in_peace_and_wireguard_steps_aside(laptop: Laptop):
    tunnel.portal(settings(provider="wireguard"), 1000)
    laptop.ran.clear()
    tunnel.keep(settings(provider="wireguard"))
    assert laptop.did(*LEAVE)
    assert laptop.sets["portal"] == ["wlan0"]


def test_it_closes_when_the_gateway_answers_and_names_are_asked_for_as_before(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
):
    tunnel.portal(settings(provider="wireguard"), 1000)
    monkeypatch.setattr("time.time", lambda: 1000.0)
    laptop.handshake = 990
    tunnel.keep(settings(provider="wireguard"))
    assert laptop.sets["portal"] == []
    assert "resolvectl domain wlan0 ~home" in laptop.ran
    assert not tunnel.NOTE.exists()


def test_when_its_time_is_over_the_rest_is_put_back(laptop: Laptop):
    tunnel.portal(settings(), 1000)
    laptop.sets["portal"] = []  # the kernel has closed it
    tunnel.keep(settings())
    assert "resolvectl domain wlan0 ~home" in laptop.ran
    assert laptop.did(*START)


def test_a_second_call_does_not_forget_what_to_put_back(laptop: Laptop):
    for _ in range(2):
        tunnel.portal(settings(), 1000)
    assert json.loads(tunnel.NOTE.read_text()) == {"wlan0": ["~home"]}


def later(laptop: Laptop, minutes: int, *, closed: bool = False) -> None:
    """Let time go by; the kernel may have closed the switch by then."""
    laptop.uptime += minutes * 60
    if closed:
        laptop.sets["portal"] = []


def test_a_second_call_does_not_begin_the_time_anew(laptop: Laptop, capsys: pytest.CaptureFixture[str]):
    tunnel.portal(settings(), 1000)
    later(laptop, 7)
    laptop.ran.clear()
    assert tunnel.portal(settings(), 1000) == 0
    assert not laptop.did("nft -f", "resolvectl")
    assert "It is open, for 3 more minutes" in capsys.readouterr().out


def test_a_log_in_that_failed_has_a_second_go_and_a_third_one_waits_until_an_hour_is_over(
    laptop: Laptop, capsys: pytest.CaptureFixture[str]
):
    for _ in range(2):
        assert tunnel.portal(settings(), 1000) == 0
        later(laptop, 10, closed=True)
    assert tunnel.portal(settings(), 1000) == 1
    assert laptop.sets["portal"] == []
    assert "In 42 min it can be opened again" in capsys.readouterr().err
    later(laptop, 41)
    assert tunnel.portal(settings(), 1000) == 1
    later(laptop, 1)
    assert tunnel.portal(settings(), 1000) == 0
    assert laptop.seconds == 2 * 60


def test_another_network_and_another_activation_of_the_same_one_get_no_time_of_their_own(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch
):
    for number in range(2):
        monkeypatch.setattr(tunnel, "activations", lambda number=number: {f"/{number}:802-11-wireless"})
        laptop.routes["-4"] = [(f"wlan{number}", 600)]
        assert tunnel.portal(settings(), 1000) == 0
        later(laptop, 10)
        laptop.sets["portal"] = []  # NetworkManager, before the next one is up
    assert tunnel.portal(settings(), 1000) == 1


def test_only_minutes_in_which_it_was_open_count(laptop: Laptop):
    for _ in range(8):
        assert tunnel.portal(settings(), 1000) == 0
        later(laptop, 1)
        tunnel.close(settings())
    assert tunnel.portal(settings(), 1000) == 0
    assert laptop.seconds == 10 * 60


def test_what_stays_open_since_the_laptop_slept_is_closed(laptop: Laptop):
    tunnel.portal(settings(), 1000)
    later(laptop, 600)
    tunnel.keep(settings())
    assert laptop.sets["portal"] == []
    assert laptop.did(*START)


def test_when_another_network_comes_up_in_the_meantime_it_stays_shut(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    networks = iter(["/1:802-11-wireless", "/2:802-11-wireless"])
    monkeypatch.setattr(tunnel, "activations", lambda: {next(networks)})
    assert tunnel.portal(settings(), 1000) == 1
    assert laptop.sets["portal"] == []
    assert "another network came up" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["", "[]", "{", '"x"'])
def test_a_damaged_note_of_what_was_before_does_not_stay(laptop: Laptop, damage: str):
    tunnel.portal(settings(), 1000)
    tunnel.NOTE.write_text(damage)
    tunnel.close(settings())
    assert not tunnel.NOTE.exists()
    assert "resolvectl domain wlan0 " in laptop.ran


def test_an_opening_that_nobody_would_close_is_closed_before_the_tunnel_comes_up(laptop: Laptop):
    laptop.sets["portal"] = ["wlan0"]
    tunnel.keep(settings())
    assert laptop.sets["portal"] == []
    assert laptop.ran.index("nft -f -") < laptop.ran.index(laptop.did(*START)[0])


@pytest.mark.parametrize(
    ("seen", "trusted"),
    [(["one", "one", "one"], ["wlan0"]), (["one", "other"], []), (["one", "one", "other"], [])],
)
def test_a_proof_counts_for_the_network_that_gave_it_alone(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, *, seen: list[str], trusted: list[str]
):
    networks = iter(seen)
    monkeypatch.setattr(tunnel, "activations", lambda: {next(networks)})
    monkeypatch.setattr(tunnel, "proves", lambda *_: True)
    tunnel.keep(settings())
    assert laptop.sets["trusted"] == trusted
    assert bool(laptop.did(*START)) is not bool(trusted)


def test_nobody_closes_what_somebody_is_just_about_to_open(
    laptop: Laptop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    timer = threading.Thread(target=tunnel.main, args=(["keep"],))

    def takes_a_while(_: object) -> None:
        timer.start()
        timer.join(timeout=0.5)  # without a lock it is through by then

    monkeypatch.setattr(tunnel, "leave_out", takes_a_while)
    monkeypatch.setenv("SUDO_UID", "1000")
    assert tunnel.main(["portal"]) == 0
    timer.join()
    assert laptop.sets["portal"] == ["wlan0"]
    assert tunnel.NOTE.exists()
    assert "One moment" in capsys.readouterr().out


# --- the program itself


def test_it_reads_its_settings_and_says_what_it_can_do(laptop: Laptop, capsys: pytest.CaptureFixture[str]):
    tunnel.LOCK.parent.rmdir()  # as after a boot
    assert (tunnel.main(["keep"]), tunnel.main(["close"]), tunnel.main(["--help"])) == (0, 0, 2)
    assert "keep, portal or close" in capsys.readouterr().err


def test_on_laptops_it_is_one_file_that_needs_nothing_of_mvpc(tmp_path: Path):
    text = kept("tunnel").content
    assert text.startswith("#!/usr/bin/python3 -I\n")
    assert "from mvpc" not in text
    (tmp_path / "tunnel").write_text(text)
    argv = [sys.executable, "-I", str(tmp_path / "tunnel"), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "mvpc-tunnel: say keep, portal or close\n")


def test_a_command_that_fails_or_is_missing_says_nothing():
    assert commands.said("false") == commands.said("there-is-no-such-command") == ""
    assert commands.said("cat", stdin="x") == "x"
    assert commands.answer("echo", "no JSON") is None

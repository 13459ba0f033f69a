"""What a laptop does about its tunnel, wherever it is: the program with a laptop that is made of answers."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mvpc.programs import tunnel
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
        return ""

    def did(self, *begins: str) -> list[str]:
        return [each for each in self.ran if each.startswith(begins)]


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Laptop:
    made = Laptop()
    monkeypatch.setattr(tunnel, "said", made.said)
    monkeypatch.setattr(tunnel, "SETTINGS", tmp_path / "tunnel.json")
    (tmp_path / "tunnel.json").write_text(json.dumps(settings()))
    monkeypatch.setattr(tunnel, "NOTE", tmp_path / "run/portal.json")
    monkeypatch.setattr(tunnel, "LOCK", tmp_path / "run/tunnel.lock")
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
    monkeypatch.setattr(tunnel, "sources", lambda *_: ["127.0.0.1"])
    with a_server(issue(authorities[signed_by], tmp_path, "server", usage="serverAuth", subject=name)) as port:
        witness = {**WITNESS, "address": "127.0.0.1", "port": port, "authority": str(authorities["ours"].certificate)}
        assert tunnel.answers_witness(witness, "lo", []) is believed


def test_without_the_certificate_of_the_authority_nothing_is_believed(laptop: Laptop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tunnel, "sources", lambda *_: ["127.0.0.1"])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        witness = {**WITNESS, "address": "127.0.0.1", "port": listening.getsockname()[1], "authority": "/nowhere"}
        assert tunnel.answers_witness(witness, "lo", []) is False


def test_the_tunnels_own_address_is_never_asked_from(monkeypatch: pytest.MonkeyPatch):
    addresses = [{"addr_info": [{"local": "192.168.1.7"}, {"local": "10.64.0.123"}]}]
    monkeypatch.setattr(tunnel, "said", lambda *_: json.dumps(addresses))
    assert list(tunnel.sources("wlan0", 4, ["10.64.0.123"])) == ["192.168.1.7"]


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


def test_a_command_that_fails_or_is_missing_says_nothing():
    assert tunnel.said("false") == tunnel.said("there-is-no-such-command") == ""
    assert tunnel.said("cat", stdin="x") == "x"
    assert tunnel.answer("echo", "no JSON") is None

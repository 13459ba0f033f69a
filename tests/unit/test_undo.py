"""The program that brings a laptop back from a change of its way in, on a laptop that is a temporary folder."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mvpc.device import undo_source
from mvpc.device.undo import network, settling, taking_back, tools, ways
from mvpc.device.undo.network import tables
from mvpc.device.undo.start import NOT_CONFIRMED, NOT_ENDED, RESTARTED, start
from mvpc.device.undo.ways import addresses_in, answers_query, closed_ways, greets, open_ways, scope_of

SSHD = "/etc/ssh/sshd_config.d/10-mvpc.conf"
NOTHING_OPEN = {"sshd": [], "router": False, "names": [], "tunnel": False}
MANIFEST: dict[str, Any] = {
    "generation": 7,
    "components": ["base"],
    "files": [],
    "notify": [],
    "units": [],
    "rules": "",
    "ways": NOTHING_OPEN,
    "connections": None,
    "checkpoint": "",
    "later": [],
    "boot": ["/etc/systemd/system/mvpc-undo-boot.service"],
    "timer": "mvpc-undo.timer",
}


class Tools:
    """What the laptop's tools say; a command that is not named here does not exist."""

    def __init__(self, **says: str | Callable[[Sequence[str]], str]) -> None:
        self.says, self.told = says, list[str]()

    def __call__(self, argv: Sequence[str], *, stdin: str = "", seconds: float = 60) -> tuple[int, str]:
        self.told.append(" ".join([*argv, *([stdin] if stdin else [])]))
        says = self.says.get(Path(argv[0]).name)
        if says is None:
            return 127, "No such file or directory"
        return 0, says if isinstance(says, str) else says(argv)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "undo").mkdir()
    (tmp_path / "root/etc/ssh/sshd_config.d").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(settling, "SETTLE_SECONDS", 0.0)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[Tools], Tools]:
    def put_in_place(these: Tools) -> Tools:
        for module in (network, settling, taking_back, ways):
            monkeypatch.setattr(module, "run", these)
        return these

    return put_in_place


def undo(root: Path, *files: dict[str, Any], words: Sequence[str] = (), **manifest: Any) -> Path:
    folder = root.parent / "undo"
    (folder / "manifest.json").write_text(json.dumps({**MANIFEST, "files": list(files), **manifest}))
    assert start(words, folder, root) == 0
    return folder


def a_file(path: str = SSHD, mode: int = 0o640) -> dict[str, Any]:
    return {"path": path, "kind": "file", "copy": "0", "mode": mode, "uid": os.getuid(), "gid": os.getgid()}


def told(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "undone.json").read_text())
    return found


# --- taking back ------------------------------------------------------------------------------


def test_a_file_gets_back_its_content_and_mode(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:]).write_text("after")
    undo(root, a_file())
    assert (root / SSHD[1:]).read_text() == "before"
    assert (root / SSHD[1:]).stat().st_mode & 0o777 == 0o640


def test_what_was_not_there_goes_and_what_was_deleted_comes_back(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / "etc/new").write_text("after")
    undo(root, a_file("/etc/gone/with/its/folder"), {"path": "/etc/new", "kind": "absent"})
    assert not (root / "etc/new").exists()
    assert (root / "etc/gone/with/its/folder").read_text() == "before"


def test_a_link_points_again_where_it_did(root: Path):
    (root / "etc/resolv.conf").write_text("after")
    undo(root, {"path": "/etc/resolv.conf", "kind": "link", "target": "/run/systemd/resolve/stub-resolv.conf"})
    assert os.fspath((root / "etc/resolv.conf").readlink()) == "/run/systemd/resolve/stub-resolv.conf"


def test_a_folder_that_stands_where_a_file_was_goes(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:] / "below").mkdir(parents=True)
    undo(root, a_file())
    assert (root / SSHD[1:]).read_text() == "before"


def test_what_a_try_left_that_was_cut_short_is_in_nobodys_way(root: Path):
    (root.parent / "undo/0").write_text("before")
    for place in (root / "etc/resolv.conf", root / SSHD[1:]):
        place.with_name(f".mvpc-{place.name}").write_text("half")
    undo(root, a_file(), {"path": "/etc/resolv.conf", "kind": "link", "target": "/run/resolv.conf"})
    assert (root / SSHD[1:]).read_text() == "before"
    assert os.fspath((root / "etc/resolv.conf").readlink()) == "/run/resolv.conf"
    assert [path.name for path in root.rglob(".mvpc-*")] == []


def test_whoever_confirms_at_the_same_moment_is_waited_for(root: Path):
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:]).write_text("after")
    manifest = root.parent / "undo/manifest.json"
    manifest.write_text(json.dumps({**MANIFEST, "files": [a_file()]}))
    with (root.parent / "undo.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        too_late = threading.Thread(target=start, args=([], root.parent / "undo", root))
        too_late.start()
        too_late.join(timeout=0.3)
        manifest.unlink()
    too_late.join()
    assert (root / SSHD[1:]).read_text() == "after"


@pytest.mark.parametrize("words", [[], ["boot"]])
def test_nothing_happens_when_somebody_has_confirmed(root: Path, words: list[str]):
    (root / SSHD[1:]).write_text("after")
    assert start(words, root.parent / "undo", root) == 0
    assert (root / SSHD[1:]).read_text() == "after"
    assert not (root.parent / "undo/undone.json").exists()


@pytest.mark.parametrize(
    ("words", "settled", "reason"),
    [([], True, NOT_CONFIRMED), ([], False, NOT_ENDED), (["boot"], True, RESTARTED)],
)
def test_it_tells_what_it_took_back_and_why_and_does_so_once(root: Path, words: list[str], settled: bool, reason: str):
    if settled:
        (root.parent / "undo/settled").touch()
    folder = undo(root, {"path": "/etc/new", "kind": "absent"}, words=words)
    assert (told(folder)["generation"], told(folder)["components"]) == (7, ["base"])
    assert (told(folder)["reason"], told(folder)["booting"]) == (reason, words == ["boot"])
    assert not (folder / "manifest.json").exists()


def test_services_are_told_unless_the_laptop_boots(root: Path):
    undo(root, notify=[["touch", str(root / "told")], ["/no/such/program"], ["touch", str(root / "last")]])
    assert (root / "told").exists()
    assert (root / "last").exists()
    undo(root, notify=[["touch", str(root / "booting")]], words=["boot"])
    assert not (root / "booting").exists()


def test_units_run_again_as_they_did(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(systemctl=""))
    unit = {"name": "strongswan.service", "enabled": True, "active": True, "masked": False}
    undo(root, units=[unit, {"name": "kill.service", "enabled": False, "active": False, "masked": False}])
    assert [line.removeprefix("systemctl ") for line in tools.told if line.startswith("systemctl")] == [
        "stop -- kill.service",
        "disable -- kill.service",
        "daemon-reload",
        "unmask -- strongswan.service",
        "enable -- strongswan.service",
        "start -- strongswan.service",
        "unmask -- kill.service",
        "stop -- mvpc-undo.timer",
    ]


def test_a_unit_that_was_masked_is_masked_again(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(systemctl=""))
    undo(root, units=[{"name": "nftables.service", "enabled": False, "active": False, "masked": True}])
    assert [line for line in tools.told if "mask" in line] == ["systemctl mask -- nftables.service"]


def test_while_the_laptop_boots_nobody_waits_for_units(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(systemctl=""))
    unit = {"name": "strongswan.service", "enabled": True, "active": True, "masked": False}
    undo(
        root, units=[unit, {"name": "kill.service", "enabled": False, "active": False, "masked": False}], words=["boot"]
    )
    assert "systemctl stop --no-block -- kill.service" in tools.told
    assert not [line for line in tools.told if line.startswith("systemctl start")]


def test_what_would_do_it_at_the_next_boot_goes_when_it_is_done(root: Path):
    unit = root / "etc/systemd/system/mvpc-undo-boot.service"
    unit.parent.mkdir(parents=True)
    unit.touch()
    undo(root, words=["boot"])
    assert not unit.exists()


RULES = "table inet filter {\n\tchain input {\n\t\tpolicy accept;\n\t}\n}\n"
DROP = "table inet filter {\n\tchain input {\n\t\tpolicy drop;\n\t}\n}\n"
OTHERS = "table ip docker {\n\tchain output {\n\t}\n}\n"


def test_tables_of_nftables_hold_again_what_they_did_and_those_of_others_are_left_alone(
    root: Path, use: Callable[[Tools], Tools]
):
    tools = use(Tools(nft=DROP + OTHERS + "table inet new {\n}\n"))
    undo(root, rules=RULES + OTHERS)
    loaded = [line.removeprefix("nft -f - ") for line in tools.told if line.startswith("nft -f")]
    assert loaded == [
        f"add table inet filter\ndelete table inet filter\n{RULES}",
        "add table inet new\ndelete table inet new\n\n",
    ]


def test_tables_come_back_after_services_that_load_their_own(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nft=DROP, systemctl=""))
    undo(root, rules=RULES, notify=[["systemctl", "try-reload-or-restart", "--", "nftables.service"]])
    told = [line.split("\n")[0] for line in tools.told if "nftables.service" in line or line.startswith("nft -f")]
    assert told == ["systemctl try-reload-or-restart -- nftables.service", "nft -f - add table inet filter"]


@pytest.mark.parametrize(("code", "rules"), [(0, RULES), (127, ""), (1, None)])
def test_no_rules_and_rules_that_nobody_could_read_are_two_things(
    code: int, rules: str | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(network, "run", lambda _argv: (code, RULES))
    assert network.ruleset() == rules


def test_a_table_that_nobody_could_read_before_the_change_is_left_alone(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nft=RULES))
    undo(root, rules=None)
    assert not [line for line in tools.told if line.startswith("nft -f")]


def test_tables_are_read_as_nft_lists_them():
    assert tables("# Warning: table ip docker is managed by iptables-nft\n" + OTHERS + RULES) == {
        "ip docker": OTHERS.rstrip("\n"),
        "inet filter": RULES.rstrip("\n"),
    }


TIMED = """table inet mvpc_kill {
	set trusted {
		type ifname
		flags timeout
		elements = { "eth0" timeout 4m,
				"wlan0" timeout 3m }
	}

	set all_alike {
		type ipv4_addr
		timeout 1h
		elements = { 192.0.2.1, 192.0.2.9 timeout 3m }
	}

	map some {
		type ipv4_addr : verdict
		flags timeout
		elements = { 192.0.2.1 : drop, 192.0.2.2 timeout 5m comment "a, } b" : drop,
				192.0.2.3 comment "no timeout 5m, really" : accept }
	}

	chain output {
		oifname @trusted accept
	}
}
"""
LASTING = """table inet mvpc_kill {
	set trusted {
		type ifname
		flags timeout
	}

	set all_alike {
		type ipv4_addr
		timeout 1h
	}

	map some {
		type ipv4_addr : verdict
		flags timeout
		elements = { 192.0.2.1 : drop, 192.0.2.3 comment "no timeout 5m, really" : accept }
	}

	chain output {
		oifname @trusted accept
	}
}
"""
"""As nftables 1.0.6 lists it."""


def test_elements_that_go_by_themselves_do_not_come_back(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nft=DROP))
    undo(root, rules=DROP + TIMED)
    loaded = [line.removeprefix("nft -f - ") for line in tools.told if line.startswith("nft -f")]
    assert loaded == [f"add table inet mvpc_kill\ndelete table inet mvpc_kill\n{LASTING}"]


def test_neither_are_they_a_reason_to_load_a_table_again(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nft=TIMED))
    undo(root, rules=LASTING)
    assert not [line for line in tools.told if line.startswith("nft -f")]


def test_networkmanager_goes_back_to_its_checkpoint(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nmcli="", busctl=""))
    undo(root, connections=["uuid-1"], checkpoint="/org/freedesktop/NetworkManager/Checkpoint/3")
    assert tools.told[-3] == "nmcli connection reload"
    assert tools.told[-2].endswith("CheckpointRollback o /org/freedesktop/NetworkManager/Checkpoint/3")


def test_without_a_checkpoint_the_old_profiles_are_brought_up(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(nmcli=""))
    undo(root, connections=["uuid-1", "uuid-2"], checkpoint="/org/freedesktop/NetworkManager/Checkpoint/3")
    assert tools.told[-3:-1] == [f"nmcli --wait 45 connection up uuid uuid-{number}" for number in (1, 2)]


def test_a_file_that_cannot_be_restored_keeps_nothing_else_from_coming_back(root: Path, use: Callable[[Tools], Tools]):
    tools = use(Tools(systemctl="", nmcli=""))
    (root.parent / "undo/0").write_text("before")
    (root / SSHD[1:]).write_text("after")
    (root / "etc/new").write_text("after")
    unit = {"name": "strongswan.service", "enabled": True, "active": True, "masked": False}
    new = {"path": "/etc/new", "kind": "absent"}
    with pytest.raises(SystemExit) as end:
        undo(root, lost("/etc/one"), a_file(), lost("/etc/two"), new, units=[unit], connections=["uuid-1"])
    assert str(end.value) == (
        "/etc/one cannot be restored: No such file or directory\n/etc/two cannot be restored: No such file or directory"
    )
    assert (root / SSHD[1:]).read_text() == "before"
    assert not (root / "etc/new").exists()
    assert {"systemctl daemon-reload", "systemctl start -- strongswan.service"} < set(tools.told)
    assert "nmcli --wait 45 connection up uuid uuid-1" in tools.told
    assert not (root.parent / "undo/undone.json").exists()


def test_what_could_not_be_restored_is_restored_by_the_next_try_for_the_same_reason(
    root: Path, use: Callable[[Tools], Tools]
):
    tools = use(Tools(systemctl="", nmcli=""))
    folder = root.parent / "undo"
    (folder / "0").write_text("before")
    (folder / "settled").touch()
    with pytest.raises(SystemExit):
        undo(root, a_file(), lost("/etc/one"), connections=["uuid-1"])
    assert not (folder / "settled").exists(), "nobody may confirm what is half there"
    tools.told.clear()
    with pytest.raises(SystemExit):
        start([], folder, root)
    assert not [line for line in tools.told if line.startswith("nmcli")], "it cuts connections at each try"
    (folder / "lost").write_text("one")
    assert start([], folder, root) == 0
    assert ((root / SSHD[1:]).read_text(), (root / "etc/one").read_text()) == ("before", "one")
    assert told(folder)["reason"] == NOT_CONFIRMED
    assert "nmcli --wait 45 connection up uuid uuid-1" in tools.told
    assert not (folder / "manifest.json").exists()


def lost(path: str) -> dict[str, Any]:
    """A file whose copy is not there."""
    return {**a_file(path), "copy": "lost"}


# --- settling ---------------------------------------------------------------------------------


def test_a_change_settles_when_services_have_read_it_and_nothing_is_closed(root: Path):
    folder = undo(root, words=["settle"], later=[["restart x.service", ["touch", str(root / "told")]]])
    assert (root / "told").exists()
    assert (folder / "settled").exists()
    assert (folder / "manifest.json").exists()


def test_a_service_that_cannot_read_the_change_brings_it_back_at_once(root: Path):
    (root / "etc/new").write_text("after")
    command = ["sh", "-c", "echo first; echo 'Job for x.service failed.' >&2; exit 1"]
    folder = undo(
        root, {"path": "/etc/new", "kind": "absent"}, words=["settle"], later=[["restart x.service", command]]
    )
    assert told(folder)["reason"] == "restart x.service failed: Job for x.service failed."
    assert not (root / "etc/new").exists()


def test_a_way_that_was_open_and_is_closed_brings_the_change_back_at_once(root: Path):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
    folder = undo(root, words=["settle"], ways={**NOTHING_OPEN, "sshd": [port]})
    assert told(folder)["reason"] == f"sshd does not answer on port {port} any more"
    assert not (folder / "settled").exists()


# --- ways -------------------------------------------------------------------------------------


@contextmanager
def a_server(greeting: bytes) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                connection = server.accept()[0]
            except OSError:
                return
            connection.sendall(greeting)
            connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.close()


@contextmanager
def a_name_server(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            question, client = server.recvfrom(512)
            server.sendto(answer(question), client)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize(("greeting", "is_sshd"), [(b"SSH-2.0-OpenSSH_10.0\r\n", True), (b"220 mail\r\n", False)])
def test_sshd_is_known_by_its_greeting(greeting: bytes, is_sshd: bool):
    with a_server(greeting) as port:
        assert greets(port) is is_sshd


def test_a_name_server_that_refuses_has_answered_and_one_that_is_not_there_has_not():
    with a_name_server(lambda question: question[:2] + b"\x81\x05" + question[4:]) as port:
        assert answers_query("127.0.0.1", port)
    assert not answers_query("127.0.0.1", port)


def test_an_answer_to_somebody_else_is_none():
    with a_name_server(lambda question: bytes([question[0] ^ 1, question[1]]) + question[2:]) as port:
        assert not answers_query("127.0.0.1", port)


RESOLVED = "Global: 10.65.0.53#dns.example\nLink 2 (wlan0): 192.0.2.1 fe80::1%wlan0\nLink 5 (wg-mvpc):\n"


def test_name_servers_are_those_of_systemd_resolved(root: Path, use: Callable[[Tools], Tools]):
    use(Tools(resolvectl=RESOLVED))
    assert ways.name_servers(root) == {"global": ["10.65.0.53"], "wlan0": ["192.0.2.1", "fe80::1%wlan0"]}


def test_name_servers_are_those_of_resolv_conf_elsewhere(root: Path, use: Callable[[Tools], Tools]):
    use(Tools())
    assert ways.name_servers(root) == {}
    (root / "etc/resolv.conf").write_text("search mv.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n")
    assert ways.name_servers(root) == {"resolv.conf": ["192.0.2.1", "192.0.2.2"]}


def test_an_interface_that_was_made_anew_is_the_same_network():
    assert scope_of("Link 5 (wg-mvpc)") == scope_of("Link 17 (wg-mvpc)") == "wg-mvpc"
    assert addresses_in("10.0.0.1 example.org 2001:db8::1#name") == ["10.0.0.1", "2001:db8::1"]


def names_closed(
    monkeypatch: pytest.MonkeyPatch, root: Path, before: list[str], now: dict[str, list[str]]
) -> list[str]:
    monkeypatch.setattr(ways, "name_servers", lambda _root: now)
    monkeypatch.setattr(ways, "answers_query", lambda server: server == "192.0.2.1")
    return list(closed_ways({**NOTHING_OPEN, "names": before}, root))


@pytest.mark.parametrize(
    ("before", "now", "closed"),
    [
        (["global"], {"global": ["192.0.2.9", "192.0.2.1"]}, []),
        (["global"], {"global": ["192.0.2.9"]}, ["no name server of global answers any more (192.0.2.9)"]),
        (
            ["global", "wlan0"],
            {"global": ["192.0.2.9"], "wlan0": ["192.0.2.1"]},
            ["no name server of global answers any more (192.0.2.9)"],
        ),
        (["global", "wlan0"], {"global": ["192.0.2.1"], "wlan0": ["192.0.2.9"]}, []),
        ([], {"wlan0": ["192.0.2.9"]}, []),
        (["wlan0", "wg-mvpc"], {"wlan0": ["192.0.2.1"]}, []),
        (["wlan0"], {"wlan0": ["192.0.2.9"]}, ["no name server answers any more"]),
        (["wlan0"], {}, ["there are no name servers any more"]),
    ],
    ids=[
        "one still answers",
        "none answers",
        "only those of another network answer",
        "a kill switch keeps those of another network out",
        "none answered before",
        "a network has gone",
        "none of another network answers either",
        "none are left",
    ],
)
def test_name_servers_must_answer_where_one_did_before(
    monkeypatch: pytest.MonkeyPatch, root: Path, before: list[str], now: dict[str, list[str]], closed: list[str]
):
    assert names_closed(monkeypatch, root, before, now) == closed


@pytest.mark.parametrize(("tunnel", "closed"), [(True, []), (False, ["no router answers any more"])])
def test_a_router_may_fall_silent_behind_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, root: Path, use: Callable[[Tools], Tools], tunnel: bool, closed: list[str]
):
    use(Tools())
    monkeypatch.setattr(ways, "tunnel_is_up", lambda _root: tunnel)
    assert list(closed_ways({**NOTHING_OPEN, "router": True}, root)) == closed


def test_a_router_is_known_by_the_default_route(use: Callable[[Tools], Tools]):
    tools = use(
        Tools(
            ip=lambda argv: (
                '[{"dst":"default","gateway":"192.0.2.1","dev":"wlan0"},{"dst":"default","dev":"wg-mvpc"}]'
                if "-4" in argv
                else '[{"dst":"default","gateway":"fe80::1","dev":"wlan0"}]'
            )
        )
    )
    assert ways.routers() == ["192.0.2.1", "fe80::1%wlan0"]
    assert not ways.answers_ping("192.0.2.1")  # no ping(8) at all
    assert tools.told[-1].endswith(" 192.0.2.1")


UP = "list-sa event {mvpc {state=ESTABLISHED child-sas {mvpc-1 {state=INSTALLED}}}}\n"


@pytest.mark.parametrize(
    ("place", "tools", "is_up"),
    [
        (ways.IKEV2, Tools(swanctl=UP), True),
        (ways.IKEV2, Tools(swanctl="list-sas reply {}\n"), False),
        (ways.IKEV2, Tools(), False),
        (ways.WIREGUARD, Tools(wg="wg-mvpc\tkey=\t9999999999\n"), True),
        (ways.WIREGUARD, Tools(wg="wg-mvpc\tkey=\t0\n"), False),
    ],
)
def test_a_tunnel_is_up_when_it_carries_traffic(
    root: Path, use: Callable[[Tools], Tools], place: str, tools: Tools, is_up: bool
):
    (root / place[1:]).parent.mkdir(parents=True)
    (root / place[1:]).touch()
    use(tools)
    assert ways.tunnel_is_up(root) is is_up
    closed = list(closed_ways({**NOTHING_OPEN, "tunnel": True}, root))
    assert closed == ([] if is_up else ["the tunnel mvpc-vpn did not come up"])


def test_that_the_tunnel_is_down_is_said_before_the_name_servers_behind_it_are_missed(
    monkeypatch: pytest.MonkeyPatch, root: Path, use: Callable[[Tools], Tools]
):
    (root / ways.WIREGUARD[1:]).parent.mkdir(parents=True)
    (root / ways.WIREGUARD[1:]).touch()
    use(Tools(wg="wg-mvpc\tkey=\t0\n"))
    monkeypatch.setattr(ways, "name_servers", lambda _root: {"wg-mvpc": ["192.0.2.53"]})
    monkeypatch.setattr(ways, "answers_query", lambda _server: False)
    assert list(closed_ways({**NOTHING_OPEN, "names": ["wg-mvpc"], "tunnel": True}, root)) == [
        "the tunnel mvpc-vpn did not come up",
        "no name server of wg-mvpc answers any more (192.0.2.53)",
    ]


def test_a_tunnel_that_the_profile_takes_away_is_not_missed(root: Path, use: Callable[[Tools], Tools]):
    use(Tools())
    assert list(closed_ways({**NOTHING_OPEN, "tunnel": True}, root)) == []


def test_on_a_laptop_without_any_tools_nothing_is_open(root: Path, use: Callable[[Tools], Tools]):
    use(Tools())
    assert open_ways(root) == NOTHING_OPEN


# --- the whole --------------------------------------------------------------------------------


def test_the_program_is_one_text_that_runs_alone(tmp_path: Path):
    (tmp_path / "undo.py").write_text(undo_source())
    ran = subprocess.run(
        [sys.executable, "-I", tmp_path / "undo.py", "look"], capture_output=True, text=True, check=True
    )
    seen = json.loads(ran.stdout)
    assert seen.keys() == {"rules", "ways"}
    assert seen["ways"].keys() == NOTHING_OPEN.keys()


def test_a_command_that_does_not_exist_or_does_not_end_is_a_failure():
    assert tools.run(["/no/such/program"])[0] == 127
    assert tools.run(["sleep", "5"], seconds=0.1) == (124, "sleep did not end within 0 s")

"""The device program against a laptop made of a temporary folder and tools that live in memory."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mvpc.device.converge.answer import main, respond, shortened
from mvpc.device.converge.machine import Machine, Ran, read_text
from mvpc.device.converge.packages import APT

SSHD = "/etc/ssh/sshd_config.d/10-mvpc.conf"
KEYFILES = "/etc/NetworkManager/system-connections"
WIFI_UUID = "11111111-1111-4111-8111-111111111111"
VPN_UUID = "22222222-2222-4222-8222-222222222222"
PRIVATE_KEY = "cGVyaGFwcyBhIHByaXZhdGUga2V5IG9mIDMyIGJ5dGU="


# --- the laptop of these tests ---------------------------------------------------------------


@dataclass
class Service:
    """What systemd would know of a unit; `loaded` is the configuration it last read."""

    enabled: bool = False
    active: bool = False
    masked: bool = False
    loaded: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    def properties(self) -> str:
        says = {
            "LoadState": "masked" if self.masked else "loaded",
            "ActiveState": "active" if self.active else "inactive",
            "SubState": "running" if self.active else "dead",
            "UnitFileState": "masked" if self.masked else "enabled" if self.enabled else "disabled",
            "Type": "simple",
            "RemainAfterExit": "no",
            "Result": "success",
            "ConditionResult": "yes" if self.active else "no",
            "ConditionTimestampMonotonic": "17" if self.active else "0",
            "ExecMainExitTimestampMonotonic": "0",
            **self.more,
        }
        return "".join(f"{key}={value}\n" for key, value in says.items())


class Laptop(Machine):
    """A laptop whose tools are these methods. `fuse` counts the steps to its death or to a full disk."""

    lock_seconds = 0.0

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.name = "debian"
        self.packages = {"openssh-server": "1:10.0", "sudo": "1.9"}
        self.available = {"vim": "9.1", "keepassxc": "2.7", "cups": "2.4"}
        self.units = {"ssh.service": Service(enabled=True, active=True), "cups.service": Service()}
        self.reads = {"ssh.service": SSHD}
        self.known: dict[str, str] = {}
        self.network_manager = True
        self.offline = Ran(0)
        self.room = {"/": 9000, "/var": 9000}
        self.inodes = {"/": 90_000, "/var": 90_000}
        self.broken: dict[str, Ran] = {}
        self.unfinished: dict[str, str] = {}
        self.commands: list[str] = []
        self.stamp = lambda _what: None
        self.put("/etc/machine-id", "a" * 32 + "\n")

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(mode)

    def text(self, path: str) -> str:
        return self.path(path).read_text(encoding="utf-8")

    # the seam

    def free(self, name: str) -> tuple[int, int]:
        return self.room[name], self.inodes[name]

    def owner_ids(self, owner: str, group: str) -> tuple[int, int]:
        if owner == "nobody-yet":
            raise KeyError(f"getpwnam(): name not found: {owner!r}")
        return os.getuid(), os.getgid()

    def chown(self, descriptor: int, uid: int, gid: int) -> None:
        assert (uid, gid) == (os.getuid(), os.getgid())

    def hostname(self) -> str:
        return self.name

    def set_hostname(self, name: str) -> None:
        self.stamp("hostname")
        self.name = name

    def run(self, argv: Sequence[str], *, timeout: float = 60, stdin: str = "") -> Ran:
        line = " ".join(argv)
        self.commands.append(line)
        for start, ran in self.broken.items():
            if line.startswith(start):
                return ran
        reads = argv[0] == "dpkg-query" or argv[1:2] == ["show"] or "--simulate" in argv
        self.stamp("before " + line) if not reads else None
        tool: Callable[..., Ran] = getattr(self, "_" + argv[0].replace("-", "_"))
        ran = tool(list(argv[1:]), stdin)
        self.stamp("after " + line) if not reads else None
        return ran

    # the tools

    def _dpkg_query(self, words: list[str], _stdin: str) -> Ran:
        if "--" not in words:
            return Ran(0, "".join(f"{self.unfinished.get(name, 'ii ')}|{name}\n" for name in self.packages))
        names = words[words.index("--") + 1 :]
        rows = [f"installed {name} amd64 {self.packages[name]}" for name in names if name in self.packages]
        return Ran(0 if len(rows) == len(names) else 1, "\n".join(rows))

    def _dpkg(self, _words: list[str], _stdin: str) -> Ran:
        return Ran(0)

    def _apt_config(self, _words: list[str], _stdin: str) -> Ran:
        return Ran(0)

    def _apt_get(self, words: list[str], _stdin: str) -> Ran:
        if "upgrade" in words:
            return Ran(0, "Inst base-files [1] (2 Debian [amd64])\nConf base-files (2 Debian [amd64])\n")
        if "update" in words:
            self.put("/var/lib/apt/lists/mirror_example_Packages", "")
            return Ran(0)
        names = [word for word in words[words.index("install") + 1 :] if not word.startswith("--")]
        unknown = [name for name in names if not name.endswith("-") and name.split("=")[0] not in self.available]
        if unknown:
            return Ran(100, err=f"Reading package lists...\nE: Unable to locate package {unknown[0]}\n")
        if "--simulate" in words:
            return Ran(0, "".join(f"Remv {name[:-1]} [1]\n" for name in names if name.endswith("-")))
        for name in names:
            if name.endswith("-"):
                self.packages.pop(name[:-1], None)
            else:
                self.packages[name.split("=")[0]] = [*name.split("="), self.available[name.split("=")[0]]][1]
        return Ran(0)

    def _systemctl(self, words: list[str], _stdin: str) -> Ran:
        if words[0] == "show":
            *asked, pattern = words[words.index("--") + 1 :]
            assert (pattern, words[1]) == ("*", "--state=failed")
            asked += [name for name, unit in self.units.items() if unit.more.get("ActiveState") == "failed"]
            nowhere = "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n"
            says = [self.units[name].properties() if name in self.units else nowhere for name in asked]
            return Ran(0, "\n".join(f"Id={name}\n{text}" for name, text in zip(asked, says, strict=True)))
        if words[0] == "daemon-reload":
            return Ran(0)
        unit = self.units.get(words[-1])
        if unit is None:
            return Ran(1, err=f"Failed: Unit {words[-1]} does not exist.")
        self._act(words[0], unit, words[-1], now="--now" in words)
        return Ran(0)

    def _act(self, verb: str, unit: Service, name: str, *, now: bool) -> None:
        if verb in {"enable", "disable"}:
            unit.enabled = verb == "enable"
        if verb in {"mask", "unmask"}:
            unit.masked = verb == "mask"
        if verb == "stop" or (now and verb in {"mask", "disable"}):
            unit.active = False
        if verb == "start":
            unit.active = True
        if verb in {"start", "try-restart", "try-reload-or-restart"} and unit.active:
            unit.loaded = read_text(self.path(self.reads.get(name, "/nowhere")))

    def _journalctl(self, _words: list[str], _stdin: str) -> Ran:
        return Ran(0)

    def _nmcli(self, words: list[str], _stdin: str) -> Ran:
        if "--offline" in words:
            return self.offline
        if not self.network_manager:
            return Ran(8, err="Error: NetworkManager is not running.")
        if "show" in words:
            rows = [f"name\\:of {uuid[:3]}:{uuid}:wireguard:activated" for uuid in self.known]
            return Ran(0, "\n".join(rows))
        files = [Path(words[2])] if words[1] == "load" else sorted(self.path(KEYFILES).glob("[!.]*"))
        if words[1] == "reload":
            self.known = {}
        for file in files:
            text = file.read_text(encoding="utf-8")
            if "uuid=" in text:
                self.known[text.split("uuid=")[1].split()[0]] = text
        return Ran(0)

    def _dconf(self, _words: list[str], _stdin: str) -> Ran:
        return Ran(0)

    def _wg(self, words: list[str], stdin: str) -> Ran:
        if words[0] == "show":
            return Ran(0)
        return Ran(0, PRIVATE_KEY + "\n" if words == ["genkey"] else f"public-of-{stdin[:4]}\n")

    def _validator(self, words: list[str], _stdin: str) -> Ran:
        bad = "BAD" in Path(words[-1]).read_text(encoding="utf-8")
        return Ran(255 if bad else 0, err=f"{words[-1]} line 1: BAD\n" if bad else "")

    # what came of it

    def state(self) -> dict[str, Any]:
        """Everything that one can see of the laptop from outside, with the ledger."""
        return {
            "files": {str(path.relative_to(self.root)): shape(path) for path in sorted(self.root.rglob("*"))},
            "packages": dict(self.packages),
            "units": {name: (unit.enabled, unit.active, unit.masked, unit.loaded) for name, unit in self.units.items()},
            "known": dict(self.known),
            "name": self.name,
        }

    def ledger(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.text("/var/lib/mvpc/ledger.json"))
        return data


def shape(path: Path) -> tuple[str, str, int]:
    if path.is_symlink():
        return "link", os.fspath(path.readlink()), 0
    content = path.read_text(encoding="utf-8") if path.is_file() else ""
    return "file" if path.is_file() else "folder", content, stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _fast_disk(monkeypatch):
    """Waiting for the disk proves nothing here and takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)
    os.umask(0o022)


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    return Laptop(tmp_path / "laptop")


# --- requests --------------------------------------------------------------------------------


def file(path: str = SSHD, content: str = "PermitRootLogin no\n", **more: Any) -> dict[str, Any]:
    return {"kind": "file", "path": path, "content": content, **more}


def package(name: str = "vim", **more: Any) -> dict[str, Any]:
    return {"kind": "package", "name": name, **more}


def unit(name: str = "cups.service", **more: Any) -> dict[str, Any]:
    return {"kind": "unit", "name": name, **more}


def connection(name: str = "lan", uuid: str = WIFI_UUID, **more: Any) -> dict[str, Any]:
    content = f"[connection]\nid={name}\nuuid={uuid}\ntype=wifi\n"
    return {"kind": "connection", "id": name, "uuid": uuid, "content": content, **more}


def vpn() -> dict[str, Any]:
    text = f"[connection]\nuuid={VPN_UUID}\n[wireguard]\nprivate-key=@KEY@\n"
    return connection("mvpc-vpn", VPN_UUID, content=text, device_keys={"@KEY@": "wireguard"})


def component(*resources: Any, name: str = "base", digest: str = "d1") -> dict[str, Any]:
    return {"name": name, "digest": digest, "resources": list(resources)}


def ask(laptop: Laptop, action: str, *components: Any, generation: int = 1, **more: Any) -> dict[str, Any]:
    request = {
        "format": 1,
        "action": action,
        "device": "nb-1",
        "generation": generation,
        "diff": False,
        "updates": False,
        "undo": "",
    }
    laptop.commands.clear()
    return respond({**request, "components": list(components), **more}, laptop)


def apply(laptop: Laptop, *resources: Any, digest: str = "d1", **more: Any) -> dict[str, Any]:
    """Apply one component; its report."""
    answer = ask(laptop, "apply", component(*resources, digest=digest), **more)
    assert answer["error"] == ""
    report: dict[str, Any] = answer["components"][0]
    return report


def check(laptop: Laptop, *resources: Any) -> dict[str, Any]:
    report: dict[str, Any] = ask(laptop, "check", component(*resources))["components"][0]
    return report


def drift(laptop: Laptop) -> list[str]:
    answer = ask(laptop, "probe")
    assert answer["error"] == ""
    return [change for report in answer["components"] for change in report["changes"]]


EVERYTHING = (
    package("vim"),
    file(notify=["reload ssh.service"]),
    file("/etc/hostname", "nb-1\n", notify=["hostname"]),
    file("/etc/localtime", "", target="/usr/share/zoneinfo/Europe/Berlin"),
    connection(),
    vpn(),
    unit("cups.service"),
)


# --- apply, check, probe are one walk --------------------------------------------------------


def test_applying_makes_a_laptop_what_it_should_be(laptop):
    report = apply(laptop, *EVERYTHING)

    assert report["outcome"] == "changed"
    assert report["digest"] == "d1"
    assert report["changes"] == [
        "package vim installed",
        "wireguard key made",
        f"file {SSHD} created",
        "file /etc/hostname created",
        "file /etc/localtime created",
        "connection lan created",
        "connection mvpc-vpn created",
        "notified: connections",
        "notified: hostname",
        "unit cups.service enabled",
        "unit cups.service started",
        "notified: reload ssh.service",
    ]
    assert laptop.name == "nb-1"
    assert laptop.units["ssh.service"].loaded == "PermitRootLogin no"
    assert set(laptop.known) == {WIFI_UUID, VPN_UUID}
    assert shape(laptop.path(f"{KEYFILES}/lan.nmconnection"))[2] == 0o600


def test_a_check_tells_what_an_apply_then_does_and_touches_nothing(laptop):
    before = laptop.state()
    foreseen = check(laptop, *EVERYTHING)

    assert laptop.state() == before
    assert foreseen["digest"] == ""
    assert foreseen["changes"] == apply(laptop, *EVERYTHING)["changes"]


def test_a_second_apply_changes_nothing_and_writes_nothing(laptop):
    apply(laptop, *EVERYTHING)
    ledger = laptop.path("/var/lib/mvpc/ledger.json").stat()

    assert check(laptop, *EVERYTHING)["outcome"] == "unchanged"
    assert apply(laptop, *EVERYTHING)["outcome"] == "unchanged"
    assert laptop.path("/var/lib/mvpc/ledger.json").stat() == ledger
    assert drift(laptop) == []


def test_an_unchanged_laptop_costs_one_process_per_tool(laptop):
    apply(laptop, *EVERYTHING)
    apply(laptop, *EVERYTHING)

    assert [command.split()[0] for command in laptop.commands] == ["dpkg-query", "nmcli", "systemctl"]


def test_a_new_digest_or_generation_is_remembered_without_a_change(laptop):
    apply(laptop, file())
    answer = ask(laptop, "apply", component(file(), digest="d2"), generation=9)

    assert answer["components"][0] | {"outcome": "unchanged", "digest": "d2"} == answer["components"][0]
    assert answer["generation"] == laptop.ledger()["generation"] == 9
    assert ask(laptop, "apply", component(file(), digest="d2"), generation=10)["generation"] == 10


# --- drift -----------------------------------------------------------------------------------


def edit(laptop: Laptop) -> None:
    laptop.put(SSHD, "PermitRootLogin yes\n")


def open_up(laptop: Laptop) -> None:
    laptop.path(SSHD).chmod(0o666)


def remove(laptop: Laptop) -> None:
    laptop.path(SSHD).unlink()


def put_link(laptop: Laptop) -> None:
    remove(laptop)
    laptop.put("/tmp/trap", "PermitRootLogin no\n")
    laptop.path(SSHD).symlink_to(laptop.path("/tmp/trap"))


def turn_link(laptop: Laptop) -> None:
    laptop.path("/etc/localtime").unlink()
    laptop.path("/etc/localtime").symlink_to("/usr/share/zoneinfo/UTC")


def stop(laptop: Laptop) -> None:
    laptop.units["cups.service"].active = False


def disable(laptop: Laptop) -> None:
    laptop.units["cups.service"].enabled = False


def mask(laptop: Laptop) -> None:
    laptop.units["cups.service"] = Service(masked=True)


def uninstall(laptop: Laptop) -> None:
    del laptop.packages["vim"]


def forget_connection(laptop: Laptop) -> None:
    del laptop.known[VPN_UUID]


def leak_keyfile(laptop: Laptop) -> None:
    laptop.path(f"{KEYFILES}/lan.nmconnection").chmod(0o644)


@pytest.mark.parametrize(
    ("by_hand", "found"),
    [
        (edit, [f"file {SSHD} differs (content)"]),
        (open_up, [f"file {SSHD} differs (mode)"]),
        (remove, [f"file {SSHD} is missing"]),
        (put_link, [f"file {SSHD} differs (kind of file)"]),
        (turn_link, ["file /etc/localtime differs (target)"]),
        (stop, ["unit cups.service is stopped"]),
        (disable, ["unit cups.service is disabled"]),
        (mask, ["unit cups.service is masked", "unit cups.service is disabled", "unit cups.service is stopped"]),
        (uninstall, ["package vim is missing"]),
        (forget_connection, ["connection mvpc-vpn is unknown to NetworkManager"]),
        (leak_keyfile, ["connection lan differs (mode)"]),
    ],
)
def test_what_is_changed_by_hand_is_found_and_mended(laptop, by_hand, found):
    apply(laptop, *EVERYTHING)
    healthy = laptop.state()
    by_hand(laptop)

    assert drift(laptop) == found
    assert apply(laptop, *EVERYTHING)["outcome"] == "changed"
    after = laptop.state()
    after["files"].pop("tmp", None), after["files"].pop("tmp/trap", None)
    assert after == healthy


def test_a_link_at_the_destination_is_replaced_and_never_followed(laptop):
    laptop.put("/etc/shadow", "root secret\n", mode=0o640)
    laptop.path(SSHD).parent.mkdir(parents=True)
    laptop.path(SSHD).symlink_to(laptop.path("/etc/shadow"))

    apply(laptop, file())

    assert laptop.text("/etc/shadow") == "root secret\n"
    assert shape(laptop.path(SSHD)) == ("file", "PermitRootLogin no\n", 0o644)


def test_a_folder_at_the_destination_is_left_alone(laptop):
    laptop.put(f"{SSHD}/keep", "mine")

    report = apply(laptop, file())

    assert report["outcome"] == "failed"
    assert "Is a directory" in report["error"]
    assert laptop.text(f"{SSHD}/keep") == "mine"


# --- leaving ---------------------------------------------------------------------------------


def test_what_leaves_a_component_leaves_the_laptop(laptop):
    apply(laptop, *EVERYTHING)
    report = apply(laptop, file("/etc/other", "x"))

    assert "vim" not in laptop.packages
    assert not laptop.path(SSHD).exists()
    assert not laptop.path("/etc/localtime").is_symlink()
    assert laptop.known == {}
    assert laptop.units["cups.service"] == Service()
    assert "notified: reload ssh.service" in report["changes"]
    assert laptop.units["ssh.service"].loaded == ""
    assert drift(laptop) == []


def test_what_another_component_has_stays(laptop):
    shared = (package("vim"), file(), connection(), unit())
    ask(laptop, "apply", component(*shared), component(*shared, name="wifi"))

    apply(laptop)

    assert "vim" in laptop.packages
    assert laptop.path(SSHD).exists()
    assert set(laptop.known) == {WIFI_UUID}
    assert laptop.units["cups.service"].active


def test_a_resource_that_moves_to_another_component_is_not_touched(laptop):
    ask(laptop, "apply", component(package("vim"), unit()), component(name="software"))
    answer = ask(laptop, "apply", component(), component(package("vim"), unit(), name="software"))
    assert [report["changes"] for report in answer["components"]] == [[], []]

    ask(laptop, "apply", component(), component(name="software"))
    assert "vim" not in laptop.packages  # mvpc still knows that it was mvpc that installed it


def test_packages_and_units_that_were_there_before_stay(laptop):
    laptop.packages["vim"] = "9.1"
    apply(laptop, package("vim"), unit("ssh.service"))

    assert apply(laptop)["changes"] == []
    assert "vim" in laptop.packages
    assert laptop.units["ssh.service"].active


def test_a_mask_is_taken_back(laptop):
    apply(laptop, unit("ssh.service", masked=True))
    assert laptop.units["ssh.service"].masked

    apply(laptop)
    assert not laptop.units["ssh.service"].masked


def test_a_renamed_connection_keeps_its_uuid(laptop):
    apply(laptop, connection("old"))
    apply(laptop, connection("new"))

    assert [path.name for path in laptop.path(KEYFILES).iterdir()] == ["new.nmconnection"]
    assert "id=new" in laptop.known[WIFI_UUID]


def test_a_file_makes_room_for_a_folder_of_its_name(laptop):
    apply(laptop, file("/etc/app", "x"))
    assert apply(laptop, file("/etc/app/conf", "y"))["outcome"] == "changed"
    assert laptop.text("/etc/app/conf") == "y"


def test_a_probe_names_failed_units_and_asks_systemd_once(laptop):
    apply(laptop, unit("cups.service"), file(notify=["reload ssh.service"]))
    laptop.units["backup.service"] = Service(more={"ActiveState": "failed"})

    assert ask(laptop, "probe")["facts"]["failed_units"] == ["backup.service"]
    [asked] = [line for line in laptop.commands if line.startswith("systemctl")]
    assert asked.endswith("-- cups.service *"), "nobody has to be notified, so ssh.service does not matter"


def test_a_laptop_without_managed_units_names_failed_ones_too(laptop):
    assert ask(laptop, "probe")["facts"]["failed_units"] == []
    laptop.units["cups.service"] = Service(more={"ActiveState": "failed"})
    assert ask(laptop, "probe")["facts"]["failed_units"] == ["cups.service"]


def test_a_silent_systemd_is_told_of_where_it_matters_and_the_rest_of_the_answer_comes(laptop):
    apply(laptop, unit("cups.service"))
    laptop.broken["systemctl show"] = Ran(1, err="Failed to connect to bus")

    answer = ask(laptop, "probe")
    assert (answer["error"], answer["facts"]["failed_units"]) == ("", [])
    assert answer["components"][0]["error"] == "systemctl show: Failed to connect to bus"


def test_pending_updates_are_counted_only_when_asked_for(laptop):
    laptop.put("/var/lib/apt/lists/mirror_example_Packages", "")
    assert "updates_pending" not in ask(laptop, "probe")["facts"]
    assert not any("apt-get" in line for line in laptop.commands)
    assert ask(laptop, "probe", updates=True)["facts"]["updates_pending"] == 1


# --- packages --------------------------------------------------------------------------------


def test_installs_and_removals_are_one_transaction(laptop):
    laptop.packages["cups"] = "2.4"
    apply(laptop, package("vim"), package("keepassxc", version="2.7"), package("cups", present=False))

    taken = [line for line in laptop.commands if " install " in line and "--simulate" not in line]
    assert len(taken) == 1
    assert taken[0].endswith("install vim keepassxc=2.7 cups-")
    assert laptop.packages.keys() == {"openssh-server", "sudo", "vim", "keepassxc"}


def transactions(laptop: Laptop) -> list[str]:
    return [line.partition(" install ")[2] for line in laptop.commands if " install " in line]


def test_all_components_of_a_laptop_share_one_transaction_and_each_tells_of_its_own(laptop):
    base, software = component(package("vim"), file()), component(package("keepassxc"), name="software", digest="d2")

    answer = ask(laptop, "apply", base, software)

    assert transactions(laptop) == ["keepassxc vim"]
    assert [(part["name"], part["outcome"], part["digest"], part["changes"]) for part in answer["components"]] == [
        ("base", "changed", "d1", ["package vim installed", f"file {SSHD} created"]),
        ("software", "changed", "d2", ["package keepassxc installed"]),
    ]
    assert drift(laptop) == []


def test_a_component_that_spoils_the_shared_transaction_fails_alone(laptop):
    base, software = component(package("vim"), file()), component(package("vlm"), name="software", digest="d2")

    answer = ask(laptop, "apply", base, software)

    assert [(part["outcome"], part["digest"], part["error"]) for part in answer["components"]] == [
        ("changed", "d1", ""),
        ("failed", "", "apt-get install: E: Unable to locate package vlm"),
    ]
    assert "vim" in laptop.packages
    assert laptop.path(SSHD).exists()


def test_components_that_want_opposite_things_have_transactions_of_their_own(laptop):
    base, software = component(package("vim")), component(package("vim", version="9.1"), name="software")
    ask(laptop, "apply", base, software)
    assert transactions(laptop) == ["vim", "vim=9.1"]


def test_a_removal_that_would_take_along_what_is_wanted_is_refused(laptop):
    laptop.packages["cups"] = "2.4"
    laptop.broken = {f"{' '.join(APT)} --no": Ran(0, "Remv openssh-server [1]\nRemv cups [2]\n")}

    report = apply(laptop, package("cups", present=False))

    assert report["error"] == "removing cups would also remove openssh-server"
    assert "cups" in laptop.packages


def test_package_lists_are_fetched_when_missing_or_older_than_their_sources(laptop):
    def updates() -> bool:
        return any(line.endswith(" update") for line in laptop.commands)

    apply(laptop, package("vim"))
    assert updates()
    apply(laptop, package("vim"), package("keepassxc"))
    assert not updates()
    old = laptop.path("/var/lib/mvpc/apt-updated").stat().st_mtime - 7 * 3600
    os.utime(laptop.path("/var/lib/mvpc/apt-updated"), (old, old))
    apply(laptop, package("vim"), package("cups"))
    assert updates()


def test_apts_own_files_are_written_before_packages_are_installed(laptop):
    changes = apply(laptop, package("vim"), file("/etc/apt/sources.list.d/mv.sources", "x"), file())["changes"]
    assert [change.split()[1] for change in changes] == ["/etc/apt/sources.list.d/mv.sources", "vim", SSHD]


def test_a_broken_dpkg_is_repaired_once_before_a_transaction(laptop):
    laptop.broken = {"dpkg --audit": Ran(0, "The following packages are only half configured\n")}
    apply(laptop, package("vim"))
    assert laptop.commands.count("dpkg --force-confold --configure -a") == 1


def half_configured(laptop: Laptop, name: str) -> None:
    laptop.packages[name] = "1"
    laptop.unfinished[name] = "iF "
    laptop.broken = {
        "dpkg --audit": Ran(0, "The following packages are only half configured\n"),
        "dpkg --force-confold": Ran(1, err=f"dpkg: error processing package {name} (--configure)\n"),
    }


def test_a_broken_package_that_nobody_wants_anew_is_for_a_person_to_mend_and_nothing_is_installed(laptop):
    half_configured(laptop, "vendor-driver")
    report = apply(laptop, package("vim"), file())
    assert report["outcome"] == "needs_repair"
    assert report["error"].startswith("dpkg --configure -a: vendor-driver broken: dpkg: error processing")
    assert "vim" not in laptop.packages


def test_a_broken_package_that_is_wanted_is_installed_anew(laptop):
    half_configured(laptop, "vim")
    laptop.packages.pop("vim")
    assert apply(laptop, package("vim"))["outcome"] == "changed"


def test_a_transaction_that_leaves_a_broken_package_is_for_a_person_to_mend(laptop):
    laptop.packages["vendor-driver"] = "1"
    laptop.unfinished["vendor-driver"] = "iHR"
    report = apply(laptop, package("vlm"))
    assert report["outcome"] == "needs_repair"
    assert "vendor-driver broken: apt-get install: E: Unable to locate package vlm" in report["error"]


@contextmanager
def package_lock_held(laptop: Laptop, name: str) -> Iterator[subprocess.Popen[str]]:
    """Another process has the lock, as dpkg and apt take it (fcntl(2))."""
    laptop.put(name, "")
    program = (
        "import fcntl, sys; lock = open(sys.argv[1], 'w'); fcntl.lockf(lock, 2); print(flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", program, laptop.path(name)], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdout
        process.stdout.readline()
        laptop.put(f"/proc/{process.pid}/comm", "unattended-upgr\n")
        yield process


@pytest.mark.parametrize("name", ["/var/lib/dpkg/lock-frontend", "/var/lib/apt/lists/lock"])
def test_somebody_else_who_works_on_packages_is_waited_for_and_then_named(laptop, name):
    laptop.package_lock_seconds = 0.0
    apply(laptop, unit())
    with package_lock_held(laptop, name) as process:
        before = laptop.state()
        report = apply(laptop, package("vim"), file())
        assert (report["outcome"], report["changes"]) == ("deferred", [])
        assert report["error"] == f"packages are being worked on by unattended-upgr (process {process.pid}, {name})"
        assert laptop.state() == before
        assert apply(laptop, file())["outcome"] == "changed"
    assert apply(laptop, package("vim"), file())["outcome"] == "changed"


def test_somebody_else_who_comes_to_an_end_in_time_does_not_matter(laptop):
    laptop.package_lock_seconds = 20.0
    with package_lock_held(laptop, "/var/lib/dpkg/lock") as process:
        assert process.stdin
        ending = threading.Timer(0.3, process.stdin.close)
        ending.start()
        assert apply(laptop, package("vim"))["outcome"] == "changed"
        ending.join()


def test_the_laptops_own_apt_says_how_long_to_wait(laptop):
    laptop.package_lock_seconds = 20.0
    laptop.broken = {"apt-config": Ran(0, "0\n")}
    with package_lock_held(laptop, "/var/lib/dpkg/lock"):
        assert apply(laptop, package("vim"))["outcome"] == "deferred"


def test_somebody_who_was_quicker_than_the_transaction_defers_it(laptop):
    laptop.broken = {"apt-get": Ran(100, err="E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by 812\n")}
    assert apply(laptop, package("vim"))["outcome"] == "deferred"


def test_a_package_that_is_nowhere_is_named(laptop):
    report = apply(laptop, package("vlm"))
    assert report["error"] == "apt-get install: E: Unable to locate package vlm"
    assert report["digest"] == ""


def test_a_version_that_is_nowhere_is_named_with_those_that_are(laptop):
    laptop.broken = {
        " ".join(APT): Ran(100, err="E: Version '99.0-1' for 'vim' was not found\n"),
        "apt-cache madison vim": Ran(
            0,
            " vim | 2:9.1-2 | http://mirror trixie-security/main amd64 Packages\n"
            " vim | 2:9.1-1 | http://mirror trixie/main amd64 Packages\n"
            " vim | 2:9.1-0 | http://mirror trixie/main Sources\n",
        ),
    }
    report = apply(laptop, package("vim", version="99.0-1"))
    assert report["error"].endswith("Version '99.0-1' for 'vim' was not found; there is 2:9.1-2, 2:9.1-1")


def test_a_source_that_apt_refuses_is_named_before_what_is_missing_because_of_it(laptop):
    said = "E: The repository 'http://apt.mv.example/own ./ Release' is not signed.\n"
    laptop.broken = {f"{' '.join(APT)} update": Ran(100, err=said)}
    assert apply(laptop, package("vlm"))["error"] == (
        "source http://apt.mv.example/own is refused (The repository 'http://apt.mv.example/own ./ Release' is not "
        "signed): give it the key that signs it, or take it away; apt-get install: E: Unable to locate package vlm"
    )


def test_a_source_that_apt_refuses_does_not_keep_other_packages_away(laptop):
    laptop.broken = {f"{' '.join(APT)} update": Ran(100, err="E: The repository 'http://x Release' is not signed.\n")}
    laptop.put("/var/lib/apt/lists/mirror_example_Packages", "")
    assert apply(laptop, package("vim"))["outcome"] == "changed"


# --- units -----------------------------------------------------------------------------------

ONCE = {"Type": "oneshot", "ExecMainExitTimestampMonotonic": "99"}


@pytest.mark.parametrize(
    ("service", "found"),
    [
        (Service(enabled=True, more={"ConditionTimestampMonotonic": "5"}), []),  # systemd-timesyncd in a container
        (Service(enabled=True), ["unit x.service is stopped"]),  # its condition was never looked at
        (Service(enabled=True, more=ONCE), []),
        (Service(enabled=True, more={**ONCE, "Result": "exit-code"}), ["unit x.service is stopped"]),
        (Service(enabled=True, more={**ONCE, "RemainAfterExit": "yes"}), ["unit x.service is stopped"]),
        (Service(active=True, more={"UnitFileState": "static"}), []),
        (Service(active=True, more={"UnitFileState": "enabled-runtime"}), ["unit x.service is disabled"]),
        (
            Service(enabled=True, more={"ActiveState": "activating", "SubState": "auto-restart"}),
            ["unit x.service is stopped"],
        ),
    ],
)
def test_a_unit_runs_when_starting_it_would_change_nothing(laptop, service, found):
    laptop.units["x.service"] = Service(enabled=True, active=True)
    apply(laptop, unit("x.service"))
    laptop.units["x.service"] = service
    assert drift(laptop) == found


def test_a_unit_that_does_not_exist_is_fine_only_when_nobody_wants_it(laptop):
    assert apply(laptop, unit("no.service", enabled=False, running=False))["outcome"] == "unchanged"
    assert "no.service does not exist" in apply(laptop, unit("no.service"))["error"]


def test_a_unit_that_does_not_stay_up_fails_its_component(laptop):
    laptop.broken = {"systemctl start": Ran(0)}
    assert apply(laptop, unit())["error"] == "still so after the change: unit cups.service is stopped"


def test_a_unit_that_cannot_start_is_quoted(laptop):
    laptop.broken = {
        "systemctl start": Ran(1, err="Job failed. See journalctl."),
        "journalctl": Ran(0, "no such key\n"),
    }
    assert apply(laptop, unit())["error"] == "cups.service: no such key"
    laptop.broken["journalctl"] = Ran(0)
    assert apply(laptop, unit())["error"] == "systemctl start: Job failed. See journalctl."


# --- notifications ---------------------------------------------------------------------------


def test_a_notification_comes_once_however_many_files_ask_for_it(laptop):
    word: dict[str, Any] = {"notify": ["reload ssh.service", "daemon-reload"]}
    apply(laptop, file(**word), file("/etc/b", "b", **word))
    assert [line for line in laptop.commands if "try-" in line or "daemon" in line] == [
        "systemctl daemon-reload",
        "systemctl try-reload-or-restart -- ssh.service",
    ]


def test_rules_of_the_desktop_are_compiled_after_they_change_and_after_they_go(laptop):
    rules = file("/etc/dconf/db/local.d/50-mvpc", "[a]\nb=true\n", notify=["dconf"])
    apply(laptop, rules)
    assert laptop.commands == ["dconf update"]
    apply(laptop, rules, generation=2)
    assert laptop.commands == []
    apply(laptop, generation=3)
    assert laptop.commands == ["dconf update"]


def test_a_restart_makes_a_reload_needless_and_a_start_both(laptop):
    apply(
        laptop,
        file(notify=["reload ssh.service", "restart ssh.service"]),
        file("/b", notify=["restart cups.service"]),
        unit(),
    )
    assert [line for line in laptop.commands if "try-" in line] == ["systemctl try-restart -- ssh.service"]


def test_a_failed_notification_is_delivered_by_the_next_apply(laptop):
    laptop.broken = {"systemctl try-": Ran(1, err="Job for ssh.service failed.")}
    assert apply(laptop, file(notify=["reload ssh.service"]))["digest"] == ""
    assert drift(laptop) == ["the last apply did not finish", "outstanding: reload ssh.service"]

    laptop.broken = {}
    assert apply(laptop, file(notify=["reload ssh.service"]))["changes"] == ["notified: reload ssh.service"]
    assert laptop.units["ssh.service"].loaded == "PermitRootLogin no"
    assert drift(laptop) == []


# --- components that others work on ----------------------------------------------------------


def digest_in_ledger(laptop: Laptop, name: str) -> str:
    return str({part["name"]: part["digest"] for part in ask(laptop, "probe")["components"]}[name])


def test_what_others_begin_is_unfinished_until_an_apply_says_that_it_is_done(laptop):
    role = component(name="local-printers", digest="d1")
    begun = ask(laptop, "begin", role, generation=5)
    assert (begun["error"], begun["generation"]) == ("", 5)
    assert digest_in_ledger(laptop, "local-printers") == ""
    assert drift(laptop) == ["the last apply did not finish"]
    [done] = ask(laptop, "apply", role, generation=5)["components"]
    assert (done["outcome"], done["digest"]) == ("unchanged", "d1")
    assert drift(laptop) == []
    ask(laptop, "begin", role, generation=6)
    assert digest_in_ledger(laptop, "local-printers") == ""


def test_beginning_touches_no_other_component_and_keeps_what_this_one_has(laptop):
    apply(laptop, file())
    ask(laptop, "begin", component(name="local-printers"))
    assert digest_in_ledger(laptop, "base") == "d1"
    ask(laptop, "begin", component(name="base"))
    apply(laptop, digest="d2")
    assert not laptop.path(SSHD).exists()  # the ledger still knew that the file was there


def test_an_older_generation_cannot_begin_anything(laptop):
    apply(laptop, generation=5)
    refused = ask(laptop, "begin", component(name="local-printers"), generation=4)
    assert "generation 4 is older than 5" in refused["error"]


# --- validation, failure, refusal ------------------------------------------------------------


def test_a_file_that_its_reader_refuses_leaves_the_old_one_in_place(laptop):
    apply(laptop, file())
    report = apply(laptop, file(content="BAD\n", validate=["validator", "-f", "%s"]))

    assert report["error"] == f"file {SSHD}: refused by validator (exit code 255): {SSHD} line 1: BAD"
    assert laptop.text(SSHD) == "PermitRootLogin no\n"
    assert [path.name for path in laptop.path(SSHD).parent.iterdir()] == ["10-mvpc.conf"]


def test_what_a_validator_says_of_a_secret_file_is_not_passed_on(laptop):
    report = apply(laptop, file(content="BAD\n", mode="0640", validate=["validator", "%s"]))
    assert report["error"].endswith("its content is secret")


def test_a_component_that_fails_stops_and_the_others_are_still_tried(laptop):
    answer = ask(
        laptop,
        "apply",
        component(file("/etc/first", "BAD", validate=["validator", "%s"]), unit()),
        component(file("/etc/other", "x"), name="wifi"),
    )
    assert [report["outcome"] for report in answer["components"]] == ["failed", "changed"]
    assert not laptop.units["cups.service"].active
    assert {name: entry["digest"] for name, entry in laptop.ledger()["components"].items()} == {
        "base": "",
        "wifi": "d1",
    }


def test_an_owner_that_does_not_exist_is_a_change_to_come_and_then_an_error(laptop):
    assert check(laptop, file(owner="nobody-yet"))["changes"] == [f"file {SSHD} created"]
    assert "name not found: 'nobody-yet'" in apply(laptop, file(owner="nobody-yet"))["error"]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"format": 2}, "the request is not of format 1"),
        ({"action": "destroy"}, "unknown action 'destroy'"),
        ({"generation": "7"}, "generation, diff, updates or components: not of the right type"),
        ({"extra": 1}, "request: unknown or missing: extra"),
        ({"components": [component(), component()]}, "a component is given twice"),
        ({"components": [component(file(), file())]}, "component base: a resource is given twice"),
        ({"components": [component({"kind": "user"})]}, "component base: unknown kind of resource: 'user'"),
        ({"components": [component(["file"])]}, "component base: unknown kind of resource: 'no object'"),
        ({"components": [component(file(sha256="0" * 64))]}, "component base: file: unknown or missing: sha256"),
        ({"components": [component(file(mode="644"))]}, "component base: mode: not a valid value"),
        ({"components": [component(file("/etc/../x"))]}, "component base: path: not a valid value"),
        ({"components": [component(file("etc/x"))]}, "component base: path: not a valid value"),
        ({"components": [component(file("//etc/x"))]}, "component base: path: not a valid value"),
        ({"components": [component(file(content="\ud800"))]}, "component base: content: not a valid value"),
        ({"components": [component(file("/etc/\udfff"))]}, "component base: path: not a valid value"),
        (
            {"components": [component(file(device_keys={"": "wireguard"}))]},
            "component base: device_keys: not of type Mapping[str, str]",
        ),
        ({"components": [component(file(notify=["run me"]))]}, "component base: notify: not a valid value"),
        ({"components": [component(file(present=1))]}, "component base: present: not of type bool"),
        ({"components": [component(package("-oX=y"))]}, "component base: package: not a valid value"),
        ({"components": [component(unit("--now"))]}, "component base: unit: not a valid value"),
        ({"components": [component(connection("../x"))]}, "component base: id: not a valid value"),
        ({"components": [component(name="Base!")]}, "component: not a valid value"),
    ],
)
def test_a_request_that_is_not_understood_is_refused_as_a_whole(laptop, odd, reason):
    before = laptop.state()
    request = {
        "format": 1,
        "action": "apply",
        "device": "nb-1",
        "generation": 1,
        "diff": False,
        "updates": False,
        "undo": "",
        "components": [],
    }

    answer = respond({**request, **odd}, laptop)

    assert answer["error"] == reason
    assert answer["components"] == []
    after = laptop.state()
    after["files"] = {path: what for path, what in after["files"].items() if not path.startswith("var")}
    assert after == before


@pytest.mark.parametrize("request_", [None, [], "x", {"format": True}])
def test_a_request_that_is_no_request_is_refused(laptop, request_):
    assert respond(request_, laptop)["error"]


def test_an_older_generation_is_refused(laptop):
    apply(laptop, file(), generation=7)
    answer = ask(laptop, "apply", component(file(content="old")), generation=6)

    assert answer["error"] == "generation 6 is older than 7, which was applied already"
    assert answer["generation"] == 7
    assert laptop.text(SSHD) == "PermitRootLogin no\n"


def test_a_cloned_laptop_believes_nothing_of_its_ledger(laptop):
    apply(laptop, file(), generation=7)
    laptop.put("/etc/machine-id", "b" * 32)

    answer = ask(laptop, "probe")
    assert (answer["generation"], answer["components"]) == (0, [])
    assert answer["facts"]["ledger"] == "of another machine"
    assert apply(laptop, file(), generation=1)["digest"] == "d1"
    assert laptop.ledger()["machine_id"] == "b" * 32


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"machine_id": 1}', '{"format": 1, "components": {"x": 1}}'])
def test_a_damaged_ledger_counts_as_none(laptop, text):
    laptop.put("/var/lib/mvpc/ledger.json", text)
    assert ask(laptop, "probe")["error"] == ""
    assert apply(laptop, file())["digest"] == "d1"


def test_only_one_apply_runs_at_a_time(laptop):
    laptop.put("/var/lib/mvpc/lock", "")
    with laptop.path("/var/lib/mvpc/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        [report] = ask(laptop, "apply", component(file()))["components"]
        assert (report["outcome"], report["error"]) == ("deferred", "another run holds /var/lib/mvpc/lock")
        assert ask(laptop, "probe")["error"] == ""
    assert not laptop.path(SSHD).exists()
    assert ask(laptop, "apply", component(file()))["error"] == ""


def test_an_apply_waits_for_one_that_is_about_to_end(laptop):
    laptop.put("/var/lib/mvpc/lock", "")
    laptop.lock_seconds = 10.0
    with laptop.path("/var/lib/mvpc/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ending = threading.Timer(0.3, lambda: fcntl.flock(held, fcntl.LOCK_UN))
        ending.start()
        assert ask(laptop, "apply", component(file()))["error"] == ""
        ending.join()
    assert laptop.path(SSHD).exists()


def test_who_finds_the_lock_held_is_told_since_when_and_by_which_generation(laptop):
    refusals: list[str] = []
    twin = Laptop(laptop.root)
    laptop.stamp = lambda _: refusals.append(apply(twin, file(), generation=8)["error"])

    apply(laptop, unit(), generation=7)

    when = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert re.fullmatch(f"another run holds /var/lib/mvpc/lock: generation 7 since {when}", refusals[0])
    assert laptop.text("/var/lib/mvpc/lock") == ""


@pytest.mark.parametrize("text", ["x" * 1000, "generation 7 since \x1b[2J", "\n", "ß"])
def test_what_no_run_has_written_into_the_lock_is_not_passed_on(laptop, text):
    laptop.put("/var/lib/mvpc/lock", text)
    with laptop.path("/var/lib/mvpc/lock").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert apply(laptop, file())["error"] == "another run holds /var/lib/mvpc/lock"


# --- preflight -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/", "/var"])
@pytest.mark.parametrize("wanted", [package("keepassxc"), file(content="new\n"), connection("new"), vpn()])
def test_without_room_on_the_disk_nothing_is_begun(laptop, place, wanted):
    apply(laptop, package("vim"), file())
    laptop.room[place] = 199
    before = laptop.state()

    report = apply(laptop, wanted, unit(), digest="d2")

    assert report["error"] == f"{place}: only 199 MB free, 200 needed"
    assert (report["outcome"], report["digest"], report["changes"]) == ("failed", "d1", [])
    assert laptop.state() == before


def test_without_inodes_nothing_is_begun(laptop):
    laptop.inodes["/var"] = 1999
    assert apply(laptop, file())["error"] == "/var: only 1999 files (inodes) free, 2000 needed"
    assert not laptop.path(SSHD).exists()


def test_a_boot_partition_without_room_keeps_packages_away_and_nothing_else(laptop):
    laptop.put("/boot/vmlinuz", "")
    laptop.room["/boot"], laptop.inodes["/boot"] = 99, 0
    assert apply(laptop, package("vim"))["error"] == "/boot: only 99 MB free, 100 needed: remove old kernels"
    assert apply(laptop, file())["error"] == ""
    laptop.room["/boot"] = 100
    assert apply(laptop, package("vim"))["error"] == ""


def test_a_full_disk_does_not_stop_what_needs_no_room(laptop):
    apply(laptop, *EVERYTHING)
    laptop.room = {"/": 0, "/var": 0}

    assert apply(laptop, *EVERYTHING)["outcome"] == "unchanged"
    assert apply(laptop, file(present=False), unit(running=False))["outcome"] == "changed"
    assert "vim" not in laptop.packages
    assert check(laptop, file())["outcome"] == "changed"


def test_with_just_enough_room_an_apply_goes_on(laptop):
    laptop.room = {"/": 200, "/var": 200}
    assert apply(laptop, *EVERYTHING)["outcome"] == "changed"


# --- secrets, diffs, size --------------------------------------------------------------------


def test_the_laptops_own_key_goes_into_the_keyfile_and_nowhere_else(laptop):
    answer = ask(laptop, "apply", component(vpn()), diff=True)

    assert PRIVATE_KEY in laptop.text(f"{KEYFILES}/mvpc-vpn.nmconnection")
    assert shape(laptop.path("/etc/mvpc/keys/wireguard.key"))[2] == 0o600
    assert shape(laptop.path("/etc/mvpc/keys"))[2] == 0o700
    assert PRIVATE_KEY not in json.dumps(answer) + laptop.text("/var/lib/mvpc/ledger.json") + str(laptop.commands)
    assert answer["facts"]["wireguard_public_key"] == f"public-of-{PRIVATE_KEY[:4]}"


def test_the_key_stays_the_same(laptop):
    apply(laptop, vpn())
    laptop.broken = {"wg genkey": Ran(0, "another\n")}
    laptop.path("/etc/mvpc/keys/wireguard.pub").unlink()
    apply(laptop, vpn())
    assert PRIVATE_KEY in laptop.text("/etc/mvpc/keys/wireguard.key")


def test_the_key_of_its_certificate_goes_where_strongswan_reads_it_and_nowhere_else(laptop):
    made = laptop.path("/etc/mvpc/pki/device.key")
    made.parent.mkdir(parents=True)
    made.write_text("-----BEGIN PRIVATE KEY-----\nMIG2\n-----END PRIVATE KEY-----\n")
    own = file("/etc/swanctl/private/mvpc.pem", "@K@\n", mode="0600", device_keys={"@K@": "device"})
    answer = ask(laptop, "apply", component(own), diff=True)
    assert laptop.text("/etc/swanctl/private/mvpc.pem") == made.read_text()
    assert "MIG2" not in json.dumps(answer) + laptop.text("/var/lib/mvpc/ledger.json")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (Ran(0, "list-sa event {mvpc {state=ESTABLISHED child-sas {mvpc-1 {state=INSTALLED}}}}\n"), "up"),
        (Ran(0, "list-sa event {mvpc {state=ESTABLISHED child-sas {}}}\n"), "down"),
        (Ran(0, "list-sa event {mvpc {state=CONNECTING}}\n"), "down"),
        (Ran(0, ""), "down"),
        (Ran(111, err="connecting to 'unix:///var/run/charon.vici' failed\n"), "unknown"),
        (Ran(127), "unknown"),
    ],
)
def test_a_probe_says_how_an_ikev2_tunnel_is(laptop, said: Ran, state: str):
    apply(laptop, file("/etc/swanctl/conf.d/mvpc.conf", "connections {}\n"))
    laptop.broken = {"swanctl --list-sas": said}
    assert ask(laptop, "probe")["facts"]["vpn"] == {"state": state}


def test_a_key_that_others_may_read_is_closed_again(laptop):
    apply(laptop, vpn())
    laptop.path("/etc/mvpc/keys/wireguard.key").chmod(0o644)
    assert apply(laptop, vpn())["changes"] == ["wireguard key updated (mode)"]
    assert shape(laptop.path("/etc/mvpc/keys/wireguard.key"))[1:] == (PRIVATE_KEY + "\n", 0o600)


def test_the_ledger_is_private_and_holds_no_contents(laptop):
    apply(laptop, file(content="psk=hunter2", mode="0600"), connection(content="psk=hunter2"))
    assert shape(laptop.path("/var/lib/mvpc/ledger.json"))[2] == 0o600
    assert shape(laptop.path("/var/lib/mvpc"))[2] == 0o700
    assert "hunter2" not in laptop.text("/var/lib/mvpc/ledger.json")


@pytest.mark.parametrize("action", ["check", "apply"])
def test_a_diff_shows_files_that_everybody_may_read(laptop, action):
    laptop.put(SSHD, "PermitRootLogin yes\n")
    laptop.put("/etc/was-secret", "hunter2\n", mode=0o600)
    secrets = [
        file("/etc/secret", "hunter2", mode="0640"),
        file("/etc/was-secret", "plain\n"),
        file("/etc/keyed", "hunter2 @KEY@", device_keys={"@KEY@": "wireguard"}),
        connection(content="hunter2"),
    ]
    report = ask(laptop, action, component(file(content="Größe no\n"), *secrets), diff=True)["components"][0]

    assert report["diff"] == f"--- {SSHD}\n+++ {SSHD}\n@@ -1 +1 @@\n-PermitRootLogin yes\n+Größe no\n"


def test_the_answer_is_one_line_of_ascii_that_fits(laptop, capsys):
    files = [file(f"/etc/many/{number}-{'ä' * 100}", "ü" * 30_000) for number in range(300)]
    request = {
        "format": 1,
        "action": "apply",
        "device": "nb-1",
        "generation": 1,
        "diff": True,
        "updates": False,
        "undo": "",
    }
    parts = [component(*files[start::4], name=f"c{start}") for start in range(4)]

    assert main({**request, "components": parts}, laptop) == 0

    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert text.isascii()
    assert len(text) < 1 << 20


def test_long_lists_of_changes_are_cut(laptop):
    files = [file(f"/etc/many/{number}", "x") for number in range(300)]
    answer = json.loads(shortened(ask(laptop, "check", component(*files))))
    assert len(answer["components"][0]["changes"]) == 201
    assert answer["components"][0]["changes"][-1] == "and 100 more"


def test_contents_with_unicode_arrive_as_they_are(laptop):
    text = "Ministerium für Inneres 🛡️\n\u2028\x00\ttab\r\n"
    apply(laptop, file(content=text))
    assert laptop.path(SSHD).read_bytes() == text.encode()
    assert drift(laptop) == []


def test_without_network_manager_keyfiles_are_only_written(laptop):
    laptop.network_manager = False
    assert apply(laptop, connection())["outcome"] == "changed"
    assert apply(laptop, connection())["outcome"] == "unchanged"


def test_a_bug_is_told_without_values(laptop, monkeypatch):
    monkeypatch.setattr("mvpc.device.converge.answer.carry_out", lambda *_: 1 / 0)
    assert ask(laptop, "probe")["error"] == "bug in the device program: ZeroDivisionError"


# --- crashes ---------------------------------------------------------------------------------


class Killed(BaseException):
    """The power is gone; nothing that runs after it may have an effect."""


class Fuse:
    """Lets `steps` steps pass, then breaks: once with an error, or for good."""

    def __init__(self, steps: int, breaking: BaseException) -> None:
        self.steps, self.breaking, self.burnt = steps, breaking, False

    def __call__(self, _what: str) -> None:
        self.steps -= 1
        if self.steps == 0 or (self.steps < 0 and isinstance(self.breaking, Killed)):
            self.burnt = True
            raise self.breaking


@contextmanager
def fused(laptop: Laptop, fuse: Fuse) -> Iterator[None]:
    """Every system call that changes something, and every command, passes the fuse."""
    with pytest.MonkeyPatch.context() as patch:
        calls = [(Path, "replace"), (Path, "unlink"), (Path, "symlink_to"), (Path, "mkdir")]
        for owner, name in [*calls, (os, "fsync")]:
            patch.setattr(owner, name, passing(fuse, getattr(owner, name), name))
        patch.setattr(laptop, "stamp", fuse)
        yield


def passing(fuse: Fuse, call: Any, name: str) -> Any:
    def guarded(*args: Any, **kwargs: Any) -> Any:
        fuse(name)
        return call(*args, **kwargs)

    return guarded


BEFORE = (
    package("keepassxc"),
    file("/etc/old.conf", "x", notify=["reload ssh.service"]),
    file(content="PermitRootLogin prohibit-password\n", notify=["reload ssh.service"]),
    connection("old"),
    connection("gone", "33333333-3333-4333-8333-333333333333"),
    unit("ssh.service"),
)


def disturbed_run(root: Path, fuse: Fuse) -> tuple[Laptop, dict[str, Any]]:
    laptop = Laptop(root)
    apply(laptop, *BEFORE)
    answer: dict[str, Any] = {}
    with fused(laptop, fuse), suppress(Killed):
        answer = ask(laptop, "apply", component(*EVERYTHING), generation=2)
    return laptop, answer


def test_a_run_that_dies_anywhere_is_finished_by_the_next(tmp_path):
    undisturbed = disturbed_run(tmp_path / "undisturbed", Fuse(1 << 30, Killed()))[0].state()
    for steps in range(1, 1000):
        fuse = Fuse(steps, Killed())
        laptop, _ = disturbed_run(tmp_path / str(steps), fuse)
        if not fuse.burnt:
            break
        report = ask(laptop, "apply", component(*EVERYTHING), generation=2)["components"][0]
        assert (steps, report["error"], report["digest"]) == (steps, "", "d1")
        assert laptop.state() == undisturbed, f"killed at step {steps}"
        assert drift(laptop) == []
    assert steps > 100


def test_a_full_disk_is_told_and_the_next_run_finishes(tmp_path):
    undisturbed = disturbed_run(tmp_path / "undisturbed", Fuse(1 << 30, Killed()))[0].state()
    for steps in range(1, 1000):
        fuse = Fuse(steps, OSError(errno.ENOSPC, "full"))
        laptop, answer = disturbed_run(tmp_path / str(steps), fuse)
        if not fuse.burnt:
            break
        told = answer["error"] + "".join(report["error"] for report in answer["components"])
        assert "full" in told, f"failed at step {steps}"
        probe = ask(laptop, "probe")
        assert (steps, probe["error"], probe["facts"]["ledger"]) == (steps, "", "ok")
        report = ask(laptop, "apply", component(*EVERYTHING), generation=2)["components"][0]
        assert (steps, report["error"], report["digest"]) == (steps, "", "d1")
        assert laptop.state() == undisturbed, f"failed at step {steps}"


def test_a_ledger_that_cannot_be_written_keeps_its_old_text_and_nothing_is_touched(laptop, monkeypatch):
    apply(laptop, file())
    old = laptop.text("/var/lib/mvpc/ledger.json")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mvpc.device.converge.ledger.write_private", full)
    report = apply(laptop, file(content="new"), generation=2)

    assert (report["outcome"], report["error"], report["digest"]) == ("failed", "No space left on device", "d1")
    assert laptop.text("/var/lib/mvpc/ledger.json") == old
    assert laptop.text(SSHD) == "PermitRootLogin no\n"

"""The device program on a booted Debian: real systemd, apt, sshd and NetworkManager, no network.

Needs root and a Debian root file system with systemd, NetworkManager, openssh-server and Python: the path
in MVPC_TEST_ROOTFS, or the one of the project's standard image. It is only read; all changes go to an overlay.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mvpc.device import PYTHON, Answer, ComponentAnswer, component_to_dict, parse_answer, program
from mvpc.model import Component, Connection, File, Package, Resource, Unit

pytestmark = pytest.mark.lab

ROOTFS = Path(
    os.environ.get("MVPC_TEST_ROOTFS") or Path(__file__).parents[2] / ".mvpc" / "images" / "standard" / "rootfs"
)
SSHD = "/etc/ssh/sshd_config.d/10-mvpc.conf"


def why_not() -> str:
    """What is missing on this machine, as a sentence; empty when nothing is."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [tool for tool in ("systemd-nspawn", "nsenter", "mount", "dpkg-deb") if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)}"
    return "" if (ROOTFS / "usr/bin/systemctl").exists() else f"needs a Debian root file system in {ROOTFS}"


@dataclass(frozen=True)
class Debian:
    """A booted Debian. `init` is the process id of its systemd."""

    root: Path
    init: int

    def run(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", f"--target={self.init}", "--all", *argv]
        return subprocess.run(inside, input=stdin, text=True, capture_output=True, timeout=600, check=False)

    def sh(self, script: str) -> str:
        return self.run("sh", "-ec", script).stdout.strip()

    def ask(self, action: str, *components: Component, generation: int = 1, diff: bool = False) -> Answer:
        ran = self.run(*PYTHON.split(), stdin=program(request(action, components, generation, diff)))
        assert ran.stderr == ""
        return parse_answer(ran.stdout)

    def apply(self, *resources: Resource) -> ComponentAnswer:
        answer = self.ask("apply", component(*resources))
        assert answer.error == ""
        return answer.components[0]

    def drift(self) -> tuple[str, ...]:
        return tuple(change for part in self.ask("probe").components for change in part.changes)


def request(action: str, components: Sequence[Component], generation: int, diff: bool) -> dict[str, Any]:
    return {
        "format": 1,
        "action": action,
        "device": "nb-1",
        "generation": generation,
        "diff": diff,
        "updates": True,
        "undo": "",
        "components": [component_to_dict(each) for each in components],
    }


def component(*resources: Resource, digest: str = "d1") -> Component:
    return Component(name="base", digest=digest, resources=resources)


# --- boot and clean-up -----------------------------------------------------------------------


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    if reason := why_not():
        pytest.skip(reason)
    root = tmp_path / "root"
    for name in ("upper", "work", "root"):
        (tmp_path / name).mkdir()
    layers = f"lowerdir={ROOTFS},upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(root)], check=True)
    process: subprocess.Popen[bytes] | None = None
    try:
        prepare(root)
        process = boot(root, tmp_path / "console.log")
        yield Debian(root, wait_for_init(process))
    finally:
        if process is not None:
            stop(process)
        subprocess.run(["umount", str(root)], check=True)


def prepare(root: Path) -> None:
    (root / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (root / "etc/hostname").write_text("nb-fresh\n")
    for path in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").glob("*")):
        path.unlink(missing_ok=True)
    repository = root / "srv/packages"
    repository.mkdir(parents=True)
    for name in ("mvpc-test-one", "mvpc-test-two"):
        make_package(repository, name)
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/packages ./\n")


def make_package(repository: Path, name: str) -> None:
    """A package with a unit, in a repository that is a folder: no network is needed."""
    tree = repository / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: {name}\nVersion: 1.0\nArchitecture: all\nMaintainer: test <test@mv.example>\nDescription: test\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    units = tree / "usr/lib/systemd/system"
    units.mkdir(parents=True)
    service = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    (units / f"{name}.service").write_text(service)
    (tree / "usr/share" / name).mkdir(parents=True)
    (tree / "usr/share" / name / "data").write_bytes(os.urandom(1 << 20))
    (tree / "DEBIAN/postinst").write_text("#!/bin/sh\n[ ! -e /run/postinst ] || . /run/postinst\n")
    (tree / "DEBIAN/postinst").chmod(0o755)
    package = repository / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", tree, package], check=True, capture_output=True)
    with (repository / "Packages").open("a") as index:
        digest = hashlib.sha256(package.read_bytes()).hexdigest()
        index.write(f"{control}Filename: ./{name}.deb\nSize: {package.stat().st_size}\nSHA256: {digest}\n\n")
    shutil.rmtree(tree)


def boot(root: Path, console: Path) -> subprocess.Popen[bytes]:
    with console.open("wb") as log:
        return subprocess.Popen(
            [
                "systemd-nspawn",
                "--boot",
                "--quiet",
                "--register=no",
                "--keep-unit",
                "--private-network",
                "--link-journal=no",
                f"--directory={root}",
                f"--machine=mvpc-converge-{os.getpid()}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for_init(process: subprocess.Popen[bytes]) -> int:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and process.poll() is None:
        found = children.read_text().split()
        if found and state_of(found[0]) in {"running", "degraded"}:
            return int(found[0])
        time.sleep(0.2)
    pytest.fail("the Debian did not boot")


def state_of(init: str) -> str:
    argv = ["nsenter", f"--target={init}", "--all", "systemctl", "is-system-running"]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM makes nspawn power the Debian off; what does not go is killed with all that is inside."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(60)
    if process.poll() is None:
        process.kill()
        process.wait()


# --- what is applied -------------------------------------------------------------------------

WIFI = """[connection]
id=mvpc-wlan
uuid=4a4b2d4e-0000-4000-8000-000000000001
type=wifi
[wifi]
mode=infrastructure
ssid=LAN-MV
[wifi-security]
key-mgmt=wpa-eap
pmf=3
[802-1x]
eap=tls;
identity=host/nb-1.mv.example
ca-cert=/etc/mvpc/pki/radius-ca.pem
domain-match=radius.mv.example;
client-cert=/etc/mvpc/pki/device.pem
private-key=/etc/mvpc/pki/device.key
private-key-password-flags=4
[ipv4]
method=auto
[ipv6]
method=auto
"""
VPN = """[connection]
id=mvpc-vpn
uuid=4a4b2d4e-0000-4000-8000-000000000002
type=wireguard
interface-name=wg-mv0
autoconnect=false
[wireguard]
private-key=@WIREGUARD_PRIVATE_KEY@
[wireguard-peer.q83vEjRWeJC83vEjRWeJC83vEjRWeJC83vEjRWeJCw0=]
endpoint=192.0.2.10:51820
allowed-ips=10.0.0.0/8;
[ipv4]
method=manual
address1=10.64.3.7/32
[ipv6]
method=disabled
"""
WIFI_CONNECTION = Connection(id="mvpc-wlan", uuid="4a4b2d4e-0000-4000-8000-000000000001", content=WIFI)
VPN_CONNECTION = Connection(
    id="mvpc-vpn",
    uuid="4a4b2d4e-0000-4000-8000-000000000002",
    content=VPN,
    device_keys={"@WIREGUARD_PRIVATE_KEY@": "wireguard"},
)


def sshd(content: str) -> File:
    return File(
        path=SSHD, content=content, validate=("/usr/sbin/sshd", "-t", "-f", "%s"), notify=("reload ssh.service",)
    )


@pytest.fixture
def network(debian: Debian) -> Callable[[], set[str]]:
    return lambda: set(debian.sh("nmcli -t -f NAME connection show").split()) - {"lo"}


def test_a_fresh_debian_becomes_what_it_should_be_and_back(debian, network):
    keyed = () if debian.run("wg", "--version").returncode else (VPN_CONNECTION,)
    everything = (
        File(path="/etc/hostname", content="nb-1\n", notify=("hostname",)),
        Package(name="mvpc-test-one"),
        Unit(name="mvpc-test-one.service"),
        Unit(name="ssh.service"),
        Unit(name="systemd-timesyncd.service")
        if debian.sh("ls /usr/lib/systemd/systemd-timesyncd")
        else Unit(name="dbus.service"),
        sshd("LoginGraceTime 47\n"),
        WIFI_CONNECTION,
        *keyed,
    )

    foreseen = debian.ask("check", component(*everything), diff=True).components[0]
    done = debian.apply(*everything)

    assert (done.outcome, done.error) == ("changed", "")
    assert foreseen.changes == done.changes
    assert "+LoginGraceTime 47" in foreseen.diff
    assert debian.sh("hostname") == "nb-1"
    assert debian.sh("dpkg-query -W -f '${db:Status-Status}' mvpc-test-one") == "installed"
    assert debian.sh("systemctl is-active mvpc-test-one; systemctl is-enabled mvpc-test-one") == "active\nenabled"
    assert "logingracetime 47" in debian.sh("sshd -T").lower()
    assert network() == {"mvpc-wlan", *(each.id for each in keyed)}
    assert debian.sh("stat -c %a /var/lib/mvpc/ledger.json /var/lib/mvpc/program") == "600\n600"
    if keyed:
        private = debian.sh("cat /etc/mvpc/keys/wireguard.key")
        assert private in debian.sh("cat /etc/NetworkManager/system-connections/mvpc-vpn.nmconnection")
        assert (
            debian.run("wg", "pubkey", stdin=private).stdout.strip()
            == debian.ask("probe").facts["wireguard_public_key"]
        )

    assert debian.apply(*everything).outcome == "unchanged"
    assert debian.drift() == ()

    assert debian.apply().outcome == "changed"
    assert network() == set()
    assert debian.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "mvpc-test-one").stdout in {"", "config-files"}
    assert "logingracetime 47" not in debian.sh("sshd -T").lower()
    assert debian.sh("systemctl is-active ssh") == "active"
    assert debian.drift() == ()


def test_what_is_changed_by_hand_is_found_and_mended(debian, network):
    wanted = (
        Package(name="mvpc-test-one"),
        Unit(name="mvpc-test-one.service"),
        sshd("LoginGraceTime 47\n"),
        WIFI_CONNECTION,
    )
    debian.apply(*wanted)

    debian.sh(f"echo LoginGraceTime 48 > {SSHD}; chmod 600 {SSHD}")
    debian.sh("systemctl disable --now mvpc-test-one")
    debian.sh("chmod 644 /etc/NetworkManager/system-connections/mvpc-wlan.nmconnection; nmcli connection reload")

    assert debian.drift() == (
        f"file {SSHD} differs (content, mode)",
        "connection mvpc-wlan differs (mode)",
        "connection mvpc-wlan is unknown to NetworkManager",
        "unit mvpc-test-one.service is disabled",
        "unit mvpc-test-one.service is stopped",
    )
    assert debian.apply(*wanted).error == ""
    assert debian.drift() == ()
    assert network() == {"mvpc-wlan"}

    debian.sh("dpkg --remove mvpc-test-one")
    assert debian.drift()[0] == "package mvpc-test-one is missing"
    assert debian.apply(*wanted).error == ""
    assert debian.drift() == ()


def test_packages_are_exchanged_in_one_transaction(debian):
    debian.apply(Package(name="mvpc-test-one"))
    done = debian.apply(Package(name="mvpc-test-two", version="1.0"))

    assert done.changes == ("package mvpc-test-two 1.0 installed", "package mvpc-test-one removed")
    assert debian.sh("dpkg-query -W -f '${db:Status-Status} ' 'mvpc-test-*'").split().count("installed") == 1
    assert debian.sh("grep -c ^Start-Date /var/log/apt/history.log") == "2"


def test_removing_what_the_laptop_is_reached_with_is_refused(debian):
    libssl = debian.sh("dpkg-query -W -f '${Package}' 'libwrap0' || true") or "openssh-client"
    error = debian.apply(Package(name=libssl, present=False)).error
    assert "would also remove openssh-server" in error
    assert debian.sh("systemctl is-active ssh") == "active"


def test_a_file_that_sshd_refuses_never_arrives(debian):
    debian.apply(sshd("LoginGraceTime 47\n"))
    failed = debian.apply(sshd("LoginGraceTime perhaps\n"))

    assert failed.outcome == "failed"
    assert "refused by /usr/sbin/sshd" in failed.error
    assert f"{SSHD} line 1" in failed.error
    assert debian.sh(f"cat {SSHD}") == "LoginGraceTime 47"


def test_a_keyfile_that_network_manager_refuses_is_an_error(debian):
    bad = Connection(id="bad", uuid="4a4b2d4e-0000-4000-8000-000000000003", content="[connection]\nid=bad\n")
    assert debian.apply(bad).error.startswith(
        "connection bad: NetworkManager cannot read it (nmcli --offline, exit code "
    )


def test_a_controller_that_was_overtaken_is_refused_by_the_laptop_itself(debian):
    new, old = (File(path="/etc/motd", content=f"{word}\n") for word in ("new", "old"))
    assert debian.ask("apply", component(new), generation=7).error == ""
    refused = debian.ask("apply", component(old, digest="d0"), generation=6)
    assert refused.error == "generation 6 is older than 7, which was applied already"
    assert debian.sh("cat /etc/motd") == "new"


def test_without_room_on_the_disk_nothing_is_begun(debian):
    debian.sh("mount -t tmpfs -o size=100m tmpfs /var")
    failed = debian.apply(sshd("LoginGraceTime 47\n"))

    assert re.fullmatch(r"/var: only \d\d+ MB free, 200 needed", failed.error)
    assert (failed.outcome, failed.digest, failed.changes) == ("failed", "", ())
    assert debian.run("test", "-e", SSHD).returncode == 1

    debian.sh("umount --lazy /var")
    assert debian.apply(sshd("LoginGraceTime 47\n")).error == ""


def test_with_a_full_boot_partition_no_package_is_begun(debian):
    debian.sh("mkdir -p /boot; mount -t tmpfs -o size=60m tmpfs /boot")
    failed = debian.apply(Package(name="mvpc-test-one"))

    assert re.fullmatch(r"/boot: only \d\d MB free, 100 needed: remove old kernels", failed.error)
    assert debian.apply(sshd("LoginGraceTime 47\n")).error == ""
    debian.sh("umount /boot")
    assert debian.apply(Package(name="mvpc-test-one")).error == ""


def test_a_half_installed_package_is_repaired(debian):
    debian.apply(Package(name="mvpc-test-one"))
    debian.sh("sed -i '/^Package: mvpc-test-one$/,/^$/s/^Status: .*/Status: install ok unpacked/' /var/lib/dpkg/status")

    assert debian.drift() == ("package mvpc-test-one is missing",)
    assert debian.apply(Package(name="mvpc-test-one")).error == ""
    assert debian.drift() == ()


def test_dpkg_that_is_killed_in_the_middle_is_finished_in_the_same_run(debian):
    debian.sh("echo 'rm /run/postinst; kill -KILL $PPID' >/run/postinst")
    report = debian.apply(Package(name="mvpc-test-one"))

    assert (report.outcome, report.error) == ("changed", "")
    assert (
        debian.sh("test ! -e /run/postinst; dpkg --audit; dpkg-query -W -f '${db:Status-Abbrev}' mvpc-test-one") == "ii"
    )


def test_a_broken_package_of_somebody_else_stops_package_work_and_nothing_else_and_says_what_to_do(debian):
    debian.sh("echo 'exit 1' >/run/postinst; apt-get -q update; apt-get -q -y install mvpc-test-two || true")
    needy, other = component(Package(name="mvpc-test-one")), replace(component(sshd("LoginGraceTime 47\n")), name="vpn")
    software, vpn = debian.ask("apply", needy, other).components

    assert (software.outcome, vpn.outcome) == ("needs_repair", "changed")
    assert software.error.startswith("dpkg --configure -a: mvpc-test-two broken: ")
    assert debian.run("dpkg-query", "-W", "mvpc-test-one").returncode == 1

    debian.sh("rm /run/postinst; dpkg --configure -a")
    assert debian.apply(Package(name="mvpc-test-one")).outcome == "changed"


def test_a_disk_that_is_full_in_the_middle_of_a_package_is_a_failure_that_the_next_run_heals(debian):
    debian.sh("mkdir -p /usr/share/mvpc-test-one; mount -t tmpfs -o size=100k tmpfs /usr/share/mvpc-test-one")
    failed = debian.apply(Package(name="mvpc-test-one"))
    assert failed.outcome in {"failed", "needs_repair"}
    assert "No space left on device" in failed.error

    debian.sh("umount /usr/share/mvpc-test-one")
    assert debian.apply(Package(name="mvpc-test-one")).outcome == "changed"
    assert debian.sh("dpkg --audit") == ""


def test_a_full_disk_leaves_no_half_keyfile(debian):
    folder = "/etc/NetworkManager/system-connections"
    debian.sh(f"mount -t tmpfs -o size=8k tmpfs {folder}; cat /dev/urandom >{folder}/full 2>/dev/null || true")
    failed = debian.apply(WIFI_CONNECTION)

    assert (failed.outcome, failed.digest) == ("failed", "")
    assert "No space left on device" in failed.error
    assert debian.sh(f"ls -A {folder}") == "full"


def test_a_package_run_of_somebody_else_is_named_and_waited_for_and_its_lock_stays(debian):
    lock = "/var/lib/dpkg/lock-frontend"
    debian.sh("echo 'DPkg::Lock::Timeout \"1\";' >/etc/apt/apt.conf.d/99-patience")
    debian.sh("echo 'until [ -e /run/go ]; do sleep 0.1; done' >/run/postinst; apt-get -q update")
    debian.sh("systemd-run --unit=somebody apt-get -q -y install mvpc-test-two; until pgrep dpkg; do sleep 0.1; done")
    inode = debian.sh(f"stat -c %i {lock}")
    busy = debian.apply(Package(name="mvpc-test-one"))

    assert (busy.outcome, busy.digest, busy.changes) == ("deferred", "", ())
    assert re.fullmatch(rf"packages are being worked on by apt-get \(process \d+, {lock}\)", busy.error)

    debian.sh("echo 'DPkg::Lock::Timeout \"300\";' >/etc/apt/apt.conf.d/99-patience")
    debian.sh("systemd-run sh -c 'sleep 1; rm /run/postinst; touch /run/go'")
    assert debian.apply(Package(name="mvpc-test-one")).outcome == "changed"
    assert debian.sh(f"stat -c %i {lock}") == inode
    assert debian.sh("dpkg-query -W -f '${db:Status-Abbrev}' mvpc-test-two") == "ii"


@pytest.mark.parametrize("delay", [0.08, 0.14, 0.2, 0.3, 0.5, 0.8, 1.2])
def test_a_run_that_is_killed_is_finished_by_the_next(debian, network, delay):
    wanted = (
        Package(name="mvpc-test-one"),
        sshd("LoginGraceTime 47\n"),
        WIFI_CONNECTION,
        Unit(name="mvpc-test-one.service"),
    )
    source = program(request("apply", [component(*wanted)], 1, diff=False))
    subprocess.run(
        ["nsenter", f"--target={debian.init}", "--all", "timeout", "-s", "KILL", str(delay), *PYTHON.split()],
        input=source.encode(),
        capture_output=True,
        check=False,
    )

    time.sleep(1)  # what it had started ends by itself
    assert debian.apply(*wanted).error == ""
    assert debian.drift() == ()
    assert network() == {"mvpc-wlan"}
    assert debian.sh("systemctl is-active mvpc-test-one ssh") == "active\nactive"
    assert debian.apply(*wanted).outcome == "unchanged"

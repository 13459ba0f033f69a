"""The lab's own reckoning: journal, order of clean-up, mirror, names. Needs neither root nor network."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path

import pytest

from mvpc.errors import InputError, LabError, NotFoundError
from mvpc.images import load_definition
from mvpc.lab import Broadcast, Lab, Laptop, LaptopSpec, Login, Radius, missing_requirements, process, vm
from mvpc.lab.air import configuration
from mvpc.lab.cleanup import in_order, undo
from mvpc.lab.container import arguments, belongings
from mvpc.lab.host import check_requirements
from mvpc.lab.journal import Journal, Kind, Made
from mvpc.lab.laptop import Case
from mvpc.lab.mirror import Mirror, config, names_of
from mvpc.lab.network import Network
from mvpc.lab.radius import link_local
from mvpc.lab.servers import ServerAuthority
from mvpc.lab.services import Services
from mvpc.lab.setup import AdminKey, apt_sources, prepare, read_image
from mvpc.lab.sysctl import raise_inotify_limit
from mvpc.lab.vmfiles import add_vm_files
from mvpc.secret import Secret
from mvpc.settings import WifiNetwork

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDyAf2IJn3klgf/J15WFQzMz1Bv6KF/Xy/HFwk/O3+7Q admin\n"
A_LAPTOP = Laptop(hostname="nb-000001", address="10.0.0.2", image="", build="", serial="PF-1")
NETWORK = Network("mvpc0", IPv4Network("10.77.0.0/24"))
MIRROR = Mirror(folder=Path("/lab/mirror"), cache=Path("/lab/cache"), address="10.77.0.1")


def laptop(hostname: str = "nb-000001", address: str = "10.77.0.11") -> Laptop:
    return Laptop(hostname=hostname, address=address, image="/images/standard", build="abc@now")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A built image as far as the lab looks at it."""
    folder = tmp_path / "standard"
    home = folder / "rootfs" / "home" / "mvpc-admin"
    home.mkdir(parents=True)
    etc = folder / "rootfs" / "etc"
    etc.mkdir()
    (etc / "passwd").write_text(f"mvpc-admin:x:{os.getuid()}:{os.getgid()}::/home/mvpc-admin:/bin/bash\n")
    sources = [
        {"uri": "http://deb.example/debian", "suites": ["trixie", "trixie-updates"], "component": "main"},
        {"uri": "http://sec.example/debian-security", "suites": ["trixie-security"], "component": "main"},
    ]
    (folder / "image.json").write_text(json.dumps({"digest": "abc", "built": "now", "sources": sources}))
    return folder


# --- journal and clean-up --------------------------------------------------------------------


def test_the_journal_returns_what_was_noted_once_and_in_order(tmp_path):
    journal = Journal(tmp_path / "journal")
    bridge, cable = Made(Kind.INTERFACE, "mvpc0"), Made(Kind.INTERFACE, "mvpc0v11", "nb-000001")
    journal.note(bridge, cable)
    journal.note(bridge)

    assert Journal(tmp_path / "journal").entries() == [bridge, cable]


def test_a_line_that_a_crash_tore_is_passed_over_and_spoils_no_other(tmp_path):
    journal = Journal(tmp_path / "journal")
    first, second = Made(Kind.MOUNT, "/a"), Made(Kind.MOUNT, "/b")
    journal.note(first)
    with journal.path.open("a") as file:
        file.write('{"kind": "mou')
    journal.note(second)

    assert journal.entries() == [first, second]


def test_notes_and_strokes_of_many_threads_lose_nothing(tmp_path):
    made = [Made(Kind.FOLDER, f"/{number}") for number in range(40)]

    def note_and_forget(number: int) -> None:
        Journal(tmp_path / "journal").note(made[number])
        if number % 2:
            Journal(tmp_path / "journal").forget([made[number]])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(note_and_forget, range(40)))
    assert set(Journal(tmp_path / "journal").entries()) == set(made[::2])


def test_processes_go_first_and_inner_mounts_before_outer_ones():
    case = Case(Path("/lab/laptops/nb-000001"))
    made = [Made(Kind.FOLDER, str(case.folder), "nb-000001"), *belongings(case, laptop(), NETWORK)]
    made += [Made(Kind.MOUNT, "/lab"), Made(Kind.PROCESS, "4711", "nb-000001", "boot:1")]

    kinds = [each.kind for each in in_order(made)]
    mounts = [each.name for each in in_order(made) if each.kind is Kind.MOUNT]
    assert kinds[:2] == [Kind.PROCESS, Kind.NAMESPACE]
    assert kinds[-1] == Kind.FOLDER
    assert mounts[-1] == "/lab"


def test_things_that_are_not_there_are_struck_out_without_an_error(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.note(
        Made(Kind.PROCESS, "4194304", "nb-000001", "another-boot:17"),
        Made(Kind.PROCESS, "4194304", "nb-000001", ""),
        Made(Kind.NAMESPACE, "mvpc-none-nb-000001", "nb-000001"),
        Made(Kind.MOUNT, str(tmp_path / "nothing"), "nb-000001"),
        Made(Kind.INTERFACE, "mvpcnone", "nb-000001"),
        Made(Kind.FOLDER, str(tmp_path / "nothing"), "nb-000001"),
    )
    undo(journal, journal.entries())

    assert journal.entries() == []


def test_what_cannot_be_removed_is_named_and_stays_in_the_journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    (tmp_path / "file").write_text("not a folder")
    stubborn, easy = Made(Kind.FOLDER, str(tmp_path / "file")), Made(Kind.FOLDER, str(tmp_path / "easy"))
    (tmp_path / "easy").mkdir()
    journal.note(stubborn, easy)

    with pytest.raises(LabError, match=r"could not remove folder .*file"):
        undo(journal, journal.entries())
    assert journal.entries() == [stubborn]
    assert not (tmp_path / "easy").exists()


@pytest.fixture
def inotify_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parameter of a machine of its own."""
    monkeypatch.setattr("mvpc.lab.sysctl._PARAMETERS", tmp_path / "sys")
    monkeypatch.setattr("mvpc.lab.sysctl._CLAIMS", tmp_path / "claims")
    place = tmp_path / "sys/fs/inotify/max_user_instances"
    place.parent.mkdir(parents=True)
    place.write_text("128\n")
    return place


def test_the_lab_that_goes_down_first_leaves_the_inotify_limit_to_those_that_still_run(tmp_path, inotify_limit):
    first, second = Journal(tmp_path / "first"), Journal(tmp_path / "second")
    raise_inotify_limit(first, "mvpca")
    raise_inotify_limit(second, "mvpcb")
    raise_inotify_limit(second, "mvpcb")

    undo(first, first.entries())
    assert int(inotify_limit.read_text()) == 8192
    undo(second, second.entries())
    assert int(inotify_limit.read_text()) == 128


def test_an_inotify_limit_that_somebody_else_has_set_stays(tmp_path, inotify_limit):
    journal = Journal(tmp_path / "journal")
    inotify_limit.write_text("65536")
    raise_inotify_limit(journal, "mvpca")
    assert journal.entries() == []

    inotify_limit.write_text("128")
    raise_inotify_limit(journal, "mvpca")
    inotify_limit.write_text("4096")
    undo(journal, journal.entries())
    assert inotify_limit.read_text() == "4096"


# --- processes -------------------------------------------------------------------------------


def wait_until(look: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not look():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_is_noted_before_it_begins_and_ends_when_asked(tmp_path):
    log = tmp_path / "log"
    noted: list[tuple[int, str]] = []

    def note(pid: int) -> None:
        noted.append((pid, log.read_text()))

    pid = process.start(["sh", "-c", "echo begun; sleep 60"], log=log, before=note)
    known = process.identity(pid)
    wait_until(lambda: "begun" in log.read_text())

    assert noted == [(pid, "")]
    assert process.is_running(pid, known)
    process.kill(pid, known)
    assert not process.is_running(pid, known)


def test_a_process_whose_maker_dies_before_noting_it_never_begins(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from mvpc.lab import process\n"
        "process.start(['touch', sys.argv[1]], log=Path(sys.argv[2]),"
        " before=lambda pid: (print(pid, flush=True), os.kill(os.getpid(), signal.SIGKILL)))"
    )
    argv = [sys.executable, "-c", script, str(tmp_path / "begun"), str(tmp_path / "log")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)

    assert done.returncode == -signal.SIGKILL
    wait_until(lambda: process.identity(int(done.stdout)) == "")
    assert not (tmp_path / "begun").exists()


def test_a_process_that_only_has_the_same_number_is_left_alone():
    process.kill(os.getpid(), "another-boot:17")
    process.kill(os.getpid(), process.identity(os.getpid()) + "0")


def test_what_a_dead_leader_left_in_its_session_is_ended_too(tmp_path):
    log = tmp_path / "log"
    pid = process.start(["sh", "-c", "sleep 600 & echo $!; wait"], log=log, before=lambda pid: None)
    known = process.identity(pid)
    wait_until(lambda: log.read_text().endswith("\n"))
    os.kill(pid, signal.SIGKILL)
    orphan = int(log.read_text())
    process.kill(pid, known)

    assert process.identity(orphan) == ""


# --- network ---------------------------------------------------------------------------------


def test_addresses_start_at_the_eleventh_and_fill_gaps():
    assert str(NETWORK.controller) == "10.77.0.1"
    assert str(NETWORK.free_address(set())) == "10.77.0.11"
    assert str(NETWORK.free_address({"10.77.0.11", "10.77.0.13"})) == "10.77.0.12"


def test_a_full_network_says_so():
    small = Network("mvpc0", IPv4Network("10.77.0.0/27"))

    with pytest.raises(LabError, match="full"):
        small.free_address({str(address) for address in small.addresses})


def test_interface_names_fit_the_kernels_fifteen_characters():
    large = Network("mvpclab99", IPv4Network("10.0.0.0/16"))

    assert len(large.cable("10.0.255.254")) <= 15


def test_a_laptop_has_the_same_hardware_address_for_each_boot_and_another_than_its_neighbour():
    assert NETWORK.hardware_address("10.77.0.11") == "02:6d:0a:4d:00:0b"
    assert NETWORK.hardware_address("10.77.0.12") == "02:6d:0a:4d:00:0c"


@pytest.mark.parametrize(("bridge", "addresses"), [("a-b", "10.0.0.0/24"), ("mvpc0", "10.0.0.0/30")])
def test_a_network_that_cannot_work_is_refused(bridge, addresses):
    with pytest.raises(InputError):
        Network(bridge, IPv4Network(addresses))


# --- mirror ----------------------------------------------------------------------------------


def test_the_mirror_listens_on_the_bridge_alone_and_keeps_everything_in_its_own_folders():
    text = config(MIRROR, {"debian": "http://deb.example/debian"})
    paths = [
        word.rstrip(";") for line in text.splitlines() if "_path " in line or "pid " in line for word in line.split()
    ]

    assert [line.strip() for line in text.splitlines() if "listen" in line] == ["listen 10.77.0.1:3142;"]
    assert all(path.startswith("/lab/") for path in paths if path.startswith("/"))
    assert "proxy_http_version 1.1;" in text


def test_every_archive_has_its_place_on_the_mirror_and_packages_stay_in_the_cache():
    text = config(MIRROR, {"debian": "http://deb.example/debian", "sec": "https://sec.example/x"})

    assert "proxy_pass http://debian/debian/;\n" in text
    assert "proxy_set_header Host deb.example;" in text
    assert "location /sec/pool/ { proxy_pass https://sec/x/pool/; proxy_cache_valid 200 90d; }" in text
    assert "proxy_ssl_name sec.example;" in text
    assert "upstream debian { server deb.example:80 max_fails=0; server" in text
    assert "upstream sec { server sec.example:443 max_fails=0; server" in text


def test_archives_of_the_same_path_on_different_hosts_get_different_names():
    names = names_of(["http://a.example/debian", "http://b.example/debian", "http://a.example/debian"])

    assert len(names) == 2
    assert names["debian"] == "http://a.example/debian"


def test_a_laptop_takes_every_archive_of_its_image_through_the_mirror(image):
    text = apt_sources(read_image(image), MIRROR)

    assert "URIs: http://10.77.0.1:3142/debian\nSuites: trixie trixie-updates\n" in text
    assert "URIs: http://10.77.0.1:3142/debian-security\nSuites: trixie-security\n" in text
    assert ".example" not in text


# --- laptops ---------------------------------------------------------------------------------


def test_a_new_laptop_knows_its_name_without_asking_a_server_and_who_may_log_in(image):
    root = image / "rootfs"
    prepare(root, A_LAPTOP, sources="", key=AdminKey("mvpc-admin", KEY))

    keys = root / "home/mvpc-admin/.ssh/authorized_keys"
    assert (root / "etc/hostname").read_text() == "nb-000001\n"
    assert (root / "etc/mvpc/serial").read_text() == "PF-1\n"
    assert "127.0.1.1 nb-000001\n" in (root / "etc/hosts").read_text()
    assert (keys.read_text(), keys.stat().st_mode & 0o777, keys.parent.stat().st_mode & 0o777) == (KEY, 0o600, 0o700)
    assert "unmanaged-devices=interface-name:host0" in (root / "etc/NetworkManager/conf.d/05-lab.conf").read_text()


def test_an_image_without_the_administrators_account_says_how_to_add_it(image):
    with pytest.raises(LabError, match=r"no account someone\. Add it to accounts in image\.yml"):
        prepare(image / "rootfs", A_LAPTOP, sources="", key=AdminKey("someone", KEY))


@pytest.mark.parametrize("key", ["", "-----BEGIN OPENSSH PRIVATE KEY-----\n", KEY + KEY, "ssh-ed25519"])
def test_what_is_no_single_public_key_is_refused_and_not_shown(key):
    with pytest.raises(InputError, match="no public SSH key"):
        AdminKey("mvpc-admin", key)


@pytest.mark.parametrize("name", ["../../etc", "NB-1", "1nb", "nb_1", "a" * 16, "-x", ""])
def test_a_hostname_that_could_be_a_path_or_an_option_is_refused(name):
    with pytest.raises(InputError, match="no hostname"):
        LaptopSpec(name)


def test_a_container_gets_its_own_name_network_and_nothing_of_the_controllers_settings():
    argv = arguments(Case(Path("/lab/laptops/nb-000001")), laptop(), "mvpc0-nb-000001")

    assert {
        "--directory=/lab/laptops/nb-000001/root",
        "--network-namespace-path=/run/netns/mvpc0-nb-000001",
        "--hostname=nb-000001",
        "--resolv-conf=off",
    } <= set(argv)


@pytest.fixture
def bootable(image: Path) -> Path:
    """An image with two kernels."""
    boot = image / "rootfs" / "boot"
    boot.mkdir()
    for version in ("6.12.9-amd64", "6.12.118-amd64"):
        (boot / f"vmlinuz-{version}").touch()
        (boot / f"initrd.img-{version}").touch()
    return image


def machine(image: Path) -> Laptop:
    return Laptop(hostname="vm-01", kind="vm", address="10.77.0.11", image=str(image), build="abc@now")


def test_a_virtual_machine_boots_the_newest_kernel_of_its_image_and_hangs_on_the_bridge(bootable):
    argv = " ".join(vm.arguments(Case(Path("/lab/laptops/vm-01")), machine(bootable), NETWORK))

    assert f"-kernel {bootable}/rootfs/boot/vmlinuz-6.12.118-amd64 " in argv
    assert f"-initrd {bootable}/rootfs/boot/initrd.img-6.12.118-amd64 " in argv
    assert "tap,id=lab,ifname=mvpc0v11,script=no,downscript=no" in argv
    assert "mac=02:6d:0a:4d:00:0b" in argv


def test_an_image_without_a_kernel_says_which_image_has_one(image):
    with pytest.raises(LabError, match=r"standard has no kernel.*Use the image vm"):
        vm.kernel_of(machine(image))


def test_a_virtual_machine_gets_its_address_and_tells_its_host_key_at_boot(bootable):
    root = bootable / "rootfs"
    add_vm_files(root, machine(bootable), NETWORK)

    units = root / "etc/systemd/system"
    assert "ip address replace 10.77.0.11/24 dev host0" in (units / "mvpc-lab-network.service").read_text()
    assert "Before=ssh.service" in (units / "mvpc-lab-host-key.service").read_text()
    assert "DefaultDeviceTimeoutSec=15min" in (root / "etc/systemd/system.conf.d/lab.conf").read_text()
    wanted = sorted(path.name for path in (units / "multi-user.target.wants").iterdir())
    assert wanted == ["mvpc-lab-air.service", "mvpc-lab-host-key.service", "mvpc-lab-network.service"]


def test_virtual_machines_name_the_debian_packages_that_they_lack(monkeypatch):
    monkeypatch.setattr("mvpc.lab.host.shutil.which", lambda tool, path: None if "qemu" in tool else f"/usr/bin/{tool}")
    monkeypatch.setattr("mvpc.lab.host.os.geteuid", lambda: 0)

    assert missing_requirements() == ()
    with pytest.raises(LabError, match=r"the lab needs qemu-system-x86.*apt-get install .* qemu-system-x86"):
        check_requirements("vm")


def test_the_image_of_virtual_machines_has_everything_that_the_standard_image_has():
    folder = Path(__file__).parents[2] / "images"
    standard, virtual = (load_definition(folder / name) for name in ("standard", "vm"))

    assert set(standard.packages) < set(virtual.packages)
    assert standard.model_dump(exclude={"name", "packages"}) == virtual.model_dump(exclude={"name", "packages"})


def test_an_image_that_was_not_built_says_how_to_build_it(tmp_path):
    with pytest.raises(LabError, match="mvpc image build standard"):
        read_image(tmp_path / "standard")


# --- infrastructure -------------------------------------------------------------------------


def test_the_lab_certifies_its_servers_so_that_a_strict_laptop_believes_them(tmp_path):
    made = ServerAuthority(tmp_path / "servers")
    made.make()
    own = made.certificate.read_bytes()
    made.make()
    assert made.certificate.read_bytes() == own, "laptops trust the one that was there first"
    made.issue(["vpn.mv.example", "x.mv.example"], tmp_path / "own.pem", tmp_path / "own.key", list_at="http://x/crl")
    made.write_list(tmp_path / "list.crl")

    argv = ["openssl", "verify", "-crl_check", "-purpose", "sslserver", "-verify_hostname", "x.mv.example"]
    argv += ["-CAfile", str(made.certificate), "-CRLfile", str(tmp_path / "list.crl"), str(tmp_path / "own.pem")]
    assert subprocess.run(argv, check=True, capture_output=True, text=True).stdout.endswith(": OK\n")


def test_a_gateway_names_the_debian_packages_that_it_lacks(monkeypatch):
    monkeypatch.setattr("mvpc.lab.host.shutil.which", lambda tool, path: f"/usr/bin/{tool}")
    monkeypatch.setattr("mvpc.lab.host.Path.exists", lambda path: "libipsec" not in path.name)
    monkeypatch.setattr("mvpc.lab.host.os.geteuid", lambda: 0)

    assert missing_requirements("gateway", "ikev2") == ("libcharon-extra-plugins",)


def a_broadcast(**networks: dict[str, object]) -> Broadcast:
    found = {name: WifiNetwork.model_validate(each) for name, each in networks.items()}
    return Broadcast(networks=found, keys={name: Secret("twenty characters at least") for name in ("guest", "old")})


EAP = {"ca_certificate": "/etc/mvpc/pki/radius-ca.pem", "domain_match": "radius.mv.example"}
PSK = {"secret": "wifi/guest"}


def test_an_access_point_sends_out_each_network_as_the_profile_describes_it(tmp_path):
    broadcast = a_broadcast(
        lan={"ssid": "LAN-MV", "eap": EAP},
        guest={"ssid": "Gäste", "security": "sae", "psk": PSK, "hidden": True},
        old={"ssid": "alt", "security": "wpa-psk", "psk": PSK},
    )
    (tmp_path / "secret").write_text("between us\n")
    radius = Radius(NETWORK, Services("radius", tmp_path, Journal(tmp_path / "journal")), tmp_path)

    lan, guest, old = configuration("vm-01", "169.254.0.11", broadcast, radius).split("bss=")
    assert {"ssid2=4c414e2d4d56", "ieee80211w=2", "ieee8021x=1", "auth_server_addr=169.254.0.3"} <= set(lan.split("\n"))
    assert {"auth_server_shared_secret=between us", "disable_pmksa_caching=1"} <= set(lan.split("\n"))
    assert {"wpa_key_mgmt=SAE", "ignore_broadcast_ssid=1", "sae_password=twenty characters at least"} <= set(
        guest.split("\n")
    )
    assert f"ssid2={'Gäste'.encode().hex()}" in guest
    assert {"wlan1_2", "wpa_passphrase=twenty characters at least"} <= set(old.split("\n"))
    assert "ieee8021x" not in guest + old


def test_access_points_reach_the_radius_server_where_laptops_have_no_route():
    assert link_local("10.77.0.11") == "169.254.0.11"
    assert link_local("10.114.3.4") == "169.254.3.4"


@pytest.mark.parametrize(("kind", "what"), [("container", "is a container, which has no air"), ("vm", "is off")])
def test_only_a_virtual_machine_that_runs_has_air(tmp_path, monkeypatch, kind, what):
    monkeypatch.setattr("mvpc.lab.lab.check_requirements", lambda *_: None)
    lab = Lab(tmp_path / "lab")
    case = Case(lab.home / "laptops" / "nb-000001")
    case.folder.mkdir(parents=True)
    case.write(Laptop(hostname="nb-000001", kind=kind, address="10.0.0.2", image="", build=""))
    radius = Radius(NETWORK, Services("radius", tmp_path, Journal(tmp_path / "journal")), tmp_path)

    with pytest.raises(LabError, match=what):
        lab.send_out("nb-000001", a_broadcast(), radius, Login("mvpc-admin", tmp_path / "key"))


# --- the lab ---------------------------------------------------------------------------------


def test_on_a_machine_without_a_lab_list_is_empty_and_down_makes_nothing(tmp_path):
    lab = Lab(tmp_path / "lab")

    lab.down()
    assert lab.list() == ()
    assert not lab.home.exists()


def test_a_laptop_that_the_lab_does_not_have_is_named(tmp_path):
    (tmp_path / "lab").mkdir()
    lab = Lab(tmp_path / "lab")

    with pytest.raises(NotFoundError, match="no laptop nb-000009"):
        lab.down(["nb-000009"])
    with pytest.raises(NotFoundError, match="no laptop nb-000009"):
        lab.stop("nb-000009")


def test_a_second_change_at_the_same_time_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mvpc.lab.lock.LOCK_S", 0)
    lab = Lab(tmp_path / "lab")

    with lab._changing(), pytest.raises(LabError, match="somebody else is changing the lab"):
        lab.down()


CHANGER = """
import os, sys
from pathlib import Path
from mvpc.lab.host import run
from mvpc.lab.lock import one_at_a_time
with one_at_a_time(Path(sys.argv[1])):
    run(["sh", "-c", f"kill -KILL {os.getpid()}; read -r go <{sys.argv[2]}"])
"""


def test_what_a_killed_controller_was_about_to_do_is_done_before_the_next_change(tmp_path, monkeypatch):
    monkeypatch.setattr("mvpc.lab.lock.LOCK_S", 0)
    lab, gate = Lab(tmp_path / "lab"), tmp_path / "gate"
    os.mkfifo(gate)
    killed = subprocess.run([sys.executable, "-c", CHANGER, str(lab.home), str(gate)], check=False)
    assert killed.returncode == -signal.SIGKILL

    with pytest.raises(LabError, match="somebody else is changing the lab"):
        lab.down()
    gate.write_text("go\n")
    monkeypatch.setattr("mvpc.lab.lock.LOCK_S", 120)
    lab.down()


def test_without_root_a_lab_of_root_is_neither_empty_nor_a_bug(tmp_path, monkeypatch):
    lab = Lab(tmp_path / "lab")
    (lab.home / "laptops" / "nb-000001").mkdir(parents=True)
    (lab.home / "laptops" / "nb-000001" / "laptop.json").touch()

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    for action in (lab.down, lambda: lab.stop("nb-000001")):
        with pytest.raises(LabError, match="the lab needs root"):
            action()
    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(PermissionError):
        lab.list()


def test_a_folder_whose_name_would_mean_something_in_a_configuration_is_refused(tmp_path):
    with pytest.raises(InputError, match="plain characters"):
        Lab(tmp_path / "my lab; user root")


def test_labs_that_are_tested_side_by_side_do_not_share_a_network():
    acceptance = Path(__file__).parents[1] / "acceptance"
    texts = [path.read_text(encoding="utf-8") for path in acceptance.glob("test_*.py")]
    networks = [IPv4Network(found) for text in texts for found in re.findall(r'addresses="([\d./]+)"', text)]
    assert len(networks) > 8
    assert not [(one, other) for one, other in combinations(networks, 2) if one.overlaps(other)]

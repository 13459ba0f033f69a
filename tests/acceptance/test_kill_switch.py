"""A laptop with a kill switch: what leaves it while its tunnel is up, down, on its way, damaged, or not needed.

Two containers: lab-01 is enrolled and gets a full IKEv2 tunnel by a rollout, lab-02 plays the gateway. What they assert
they see on the laptop's cable. The tests run in order.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, PSK, SOURCE, Admin, an_admin
from tests.acceptance.certificates import Certificate, authority, issue
from tests.acceptance.charon import INSTALL, Charon, a_gateway, hand_over, installed, with_vpn
from tests.acceptance.uplink import EVERYTHING, Uplink, kinds
from tests.serving import serving

pytestmark = NEEDS_LAB

CONTROLLER, LAPTOP, GATEWAY, ROUTER = "10.113.0.1", "10.113.0.11", "10.113.0.12", "10.113.0.250"
BEHIND, NAME, INSIDE, WITNESS_PORT = "10.65.0.1", "vpn.mv.example", "intern.mv.example", 8443
TCP, UDP = 6, 17
PROFILE = f"""
vpn:
  provider: ikev2
  tunnel: full
  address_pool: 10.64.0.0/16
  ikev2: {{address: {GATEWAY}, identity: {NAME}, revocation: relaxed}}
  dns: {{servers: {{{BEHIND}: present}}}}
  kill_switch:
    enabled: true
    management: {{{CONTROLLER}/32: present}}
  trusted_network:
    witness: {{address: {CONTROLLER}, port: {WITNESS_PORT}, name: {INSIDE}, authority: /etc/mvpc/pki/inside-ca.pem}}
"""
USERLAND = """\
[Service]
ExecStartPost=-/usr/sbin/nft insert rule inet mvpc_kill through oifname ipsec0 accept
ExecReload=-/usr/sbin/nft insert rule inet mvpc_kill through oifname ipsec0 accept
"""
"""The controller's kernel may know no ESP, so strongSwan carries it over an interface of its own."""
UNMANAGED = """\
[keyfile]
unmanaged-devices+=interface-name:ipsec0;interface-name:guest0
"""
"""With ESP in the kernel there is no such interface. NetworkManager takes its coming and going for another network, and
at each it would let the laptop look after its tunnel in the middle of a test."""
OFTEN = "[Unit]\nStartLimitIntervalSec=0\n"
"""Tests start strongSwan more often than systemd would let anybody."""
HALT = "/run/halt"
HALTED = f"[Unit]\nConditionPathExists=!{HALT}\n"
TUNNEL = ((GATEWAY, UDP, 500), (GATEWAY, UDP, 4500))
MVPC = ((CONTROLLER, TCP, -22), (CONTROLLER, TCP, WITNESS_PORT))
TALK = ("python3", "-c", (SOURCE / "tests/acceptance/programs/talk.py").read_text(), ROUTER, BEHIND)
SEND = """
import socket, time
while True:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"hello", ("198.51.100.7", 9))
    except OSError:
        pass
    time.sleep(0.001)
"""
BLIND_ONCE = "#!/bin/sh\nrm /usr/local/sbin/nft\nexit 1\n"
"""An nft that does not tell what there is, the first time."""
ROUTING = (
    "sh",
    "-c",
    "ip rule; ip route show table all; ip address; ip neighbour; sysctl net.ipv4.ip_forward; nft list ruleset",
)


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="ks", addresses="10.113.0.0/24") as person:
        person.open_authorities()
        person.mvpc("image", "build")
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.boot(2)
        with_vpn(person.root / "profiles", PROFILE)
        (person.root / "profiles/authorities/fa-schwerin.yml").write_text("{}\n")
        yield person


@pytest.fixture(scope="module")
def authorities(admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Certificate]:
    """Those of the gateway, of the server inside, and one that nobody believes."""
    folder = tmp_path_factory.mktemp("pki")
    made = {name: authority(folder, name) for name in ("vpn-ca", "inside-ca", "foreign")}
    (admin.root / "inventory/trust").mkdir(exist_ok=True)
    for name in ("vpn-ca", "inside-ca"):
        (admin.root / f"inventory/trust/{name}.pem").write_bytes(made[name].certificate.read_bytes())
    return made


@pytest.fixture(scope="module")
def gateway(admin: Admin, authorities: dict[str, Certificate]) -> Charon:
    return a_gateway(admin, "lab-02", authorities["vpn-ca"], name=NAME, behind=BEHIND)


@pytest.fixture(scope="module")
def laptop(admin: Admin, authorities: dict[str, Certificate]) -> Charon:
    """lab-01, enrolled, with a way out that leads nowhere but over its cable."""
    admin.mvpc("ca", "init")
    made = installed(admin, "lab-01")
    made.carry_esp()
    made.put("/etc/systemd/system/mvpc-kill.service.d/userland.conf", USERLAND.encode())
    made.put("/etc/systemd/system/mvpc-vpn.service.d/halt.conf", HALTED.encode())
    made.put("/etc/systemd/system/strongswan.service.d/often.conf", OFTEN.encode())
    made.put("/etc/NetworkManager/conf.d/06-userland.conf", UNMANAGED.encode())
    made.succeed("systemctl", "reload", "NetworkManager.service")
    made.succeed("useradd", "--create-home", "person")
    admin.enrol("lab-01")
    plug_in(made)
    return made


def plug_in(laptop: Charon) -> None:
    """Give the laptop default routes by way of a router that does not exist: nothing leaves the lab."""
    for command in (
        "address replace 2001:db8:113::11/64 dev host0 nodad",
        f"neighbour replace {ROUTER} lladdr 02:00:00:00:00:fa dev host0 nud permanent",
        "neighbour replace fe80::fa lladdr 02:00:00:00:00:fa dev host0 nud permanent",
        f"route replace default via {ROUTER} dev host0",
        "-6 route replace default via fe80::fa dev host0",
    ):
        laptop.succeed("ip", *command.split())


@pytest.fixture
def uplink(admin: Admin) -> Iterator[Uplink]:
    """The laptop's cable while a test runs."""
    with listening(admin) as made:
        yield made


def listening(admin: Admin) -> Uplink:
    network = admin.lab.network
    return Uplink(network.cable(LAPTOP), network.hardware_address(LAPTOP))


def talk(laptop: Charon) -> None:
    """Let a program on the laptop try everything: IPv4, IPv6, names of the network's own server and of ours."""
    laptop.run("runuser", "-u", "person", "--", *TALK)


@pytest.fixture(scope="module")
def guest(laptop: Charon) -> str:
    """A container on the laptop, as the engines for them make it: the laptop passes on what it sends."""
    name = "guest"
    for command in (
        f"ip netns add {name}",
        f"ip link add guest0 type veth peer name inside netns {name}",
        "ip address add 10.90.0.1/24 dev guest0",
        "ip address add 2001:db8:90::1/64 dev guest0 nodad",
        "ip link set guest0 up",
        f"ip -netns {name} address add 10.90.0.2/24 dev inside",
        f"ip -netns {name} address add 2001:db8:90::2/64 dev inside nodad",
        f"ip -netns {name} link set inside up",
        f"ip -netns {name} route add default via 10.90.0.1",
        f"ip -netns {name} -6 route add default via 2001:db8:90::1",
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    ):
        laptop.succeed(*command.split())
    return name


def talk_inside(laptop: Charon, guest: str) -> None:
    """Let a program in a container on the laptop try everything."""
    laptop.succeed("ip", "netns", "exec", guest, *TALK)


def sign_in(laptop: Charon, *, user: str = "person") -> subprocess.CompletedProcess[str]:
    """Let somebody on the laptop open the switch for a sign-in page."""
    return laptop.run("runuser", "-u", user, "--", "/usr/local/bin/mvpc-portal")


def wait_for_tunnel(laptop: Charon) -> None:
    laptop.wait_until("swanctl", "--list-sas", "--ike", "mvpc", says="INSTALLED")


def look_after(laptop: Charon) -> None:
    """Let the laptop look after its tunnel. To start what runs already would be no new look."""
    laptop.succeed("systemctl", "restart", "mvpc-vpn.service")


@contextmanager
def left_alone(laptop: Charon) -> Iterator[None]:
    """Nothing looks after the tunnel meanwhile: it would load a switch again that is off, and start the tunnel."""
    laptop.succeed("touch", HALT)
    laptop.succeed("systemctl", "stop", "mvpc-vpn.service")
    try:
        yield
    finally:
        laptop.succeed("rm", HALT)


@contextmanager
def stopped(laptop: Charon, *units: str) -> Iterator[None]:
    laptop.succeed("systemctl", "stop", *units)
    try:
        yield
    finally:
        laptop.succeed("systemctl", "start", *units)


@contextmanager
def without_gateway(admin: Admin, laptop: Charon) -> Iterator[None]:
    """The gateway's cable is pulled from a tunnel that was up; strongSwan does not wait until it tries again."""
    wait_for_tunnel(laptop)
    admin.machine("lab-02").block()
    try:
        yield
    finally:
        admin.machine("lab-02").unblock()
        laptop.succeed("systemctl", "restart", "strongswan.service")


def test_the_same_laptop_leaks_everything_without_a_switch(laptop: Charon, uplink: Uplink):
    talk(laptop)
    assert kinds(uplink.beside(*TUNNEL, *MVPC)) >= EVERYTHING


def test_a_rollout_brings_the_switch_and_leaves_other_tables_alone(admin: Admin, laptop: Charon, gateway: Charon):
    admin.mvpc("ca", "publish")
    assert "1 added (lab-01)" in hand_over(admin, gateway)
    admin.machine("lab-01").succeed(f"{INSTALL} nftables && nft add table inet others")
    admin.mvpc("rollout", "--device", "lab-01", "--yes")
    assert laptop.succeed("nft", "list", "tables").splitlines() == ["table inet others", "table inet mvpc_kill"]
    wait_for_tunnel(laptop)
    assert "vpn up · kill switch on" in admin.mvpc("status", "lab-01", "--live")


def test_with_the_tunnel_up_everything_goes_through_it(laptop: Charon, uplink: Uplink, guest: str):
    assert "1 received" in laptop.succeed("ping", "-c1", "-W5", BEHIND)
    talk(laptop)
    talk_inside(laptop, guest)
    assert uplink.beside(*TUNNEL, *MVPC) == []
    assert kinds(uplink.packets) >= {"v4 udp 4500"}


def test_when_the_gateway_disappears_nothing_leaves_beside_the_tunnel(admin: Admin, laptop: Charon, uplink: Uplink):
    with without_gateway(admin, laptop):
        talk(laptop)
        laptop.run("swanctl", "--terminate", "--ike", "mvpc", "--force", "--timeout", "1")
        talk(laptop)
    assert uplink.beside(*TUNNEL, *MVPC) == []


def test_when_strongswan_dies_nothing_leaves_beside_the_tunnel(
    admin: Admin, laptop: Charon, uplink: Uplink, guest: str
):
    with without_gateway(admin, laptop):
        laptop.succeed("systemctl", "kill", "--signal=KILL", "strongswan.service")
        talk(laptop)
        laptop.succeed("systemctl", "stop", "strongswan.service")
        talk(laptop)
        talk_inside(laptop, guest)
        assert uplink.beside(*TUNNEL, *MVPC) == []


def test_the_same_capture_sees_it_all_as_soon_as_the_switch_is_off(admin: Admin, laptop: Charon, guest: str):
    with left_alone(laptop), stopped(laptop, "strongswan.service", "mvpc-kill.service"):
        for tries in (partial(talk, laptop), partial(talk_inside, laptop, guest)):
            with listening(admin) as uplink:
                tries()
            assert kinds(uplink.beside(*TUNNEL, *MVPC)) >= EVERYTHING, f"{tries} on {laptop.succeed(*ROUTING)}"


def test_the_tunnel_returns_by_itself_when_the_gateway_does(admin: Admin, laptop: Charon, gateway: Charon):
    with without_gateway(admin, laptop):
        laptop.succeed("systemctl", "restart", "strongswan.service")
        assert "INSTALLED" not in laptop.succeed("swanctl", "--list-sas")
        admin.machine("lab-02").unblock()
        wait_for_tunnel(laptop)


def test_the_timer_brings_it_back_after_a_gateway_that_refused(laptop: Charon, gateway: Charon):
    with refusing(gateway):
        laptop.succeed("systemctl", "restart", "strongswan.service")
        # strongSwan has given up for good
        laptop.wait_until("sh", "-c", "swanctl --list-sas | grep -c . | grep -x 0")
    wait_for_tunnel(laptop)
    assert "mvpc-vpn.timer" in laptop.succeed("systemctl", "show", "--property=TriggeredBy", "mvpc-vpn.service")


@contextmanager
def refusing(gateway: Charon) -> Iterator[None]:
    """The gateway knows nobody."""
    gateway.succeed("mv", "/etc/swanctl/conf.d/mvpc.conf", "/root/")
    try:
        gateway.succeed("swanctl", "--load-conns")
        yield
    finally:
        gateway.succeed("mv", "/root/mvpc.conf", "/etc/swanctl/conf.d/")
        gateway.succeed("swanctl", "--load-conns")


def test_a_switch_that_somebody_flushed_is_loaded_again(laptop: Charon):
    laptop.succeed("nft", "flush", "ruleset")
    look_after(laptop)
    assert "table inet mvpc_kill" in laptop.succeed("nft", "list", "tables")
    laptop.succeed("nft", "flush", "ruleset")
    laptop.succeed("systemctl", "restart", "nftables.service")  # its configuration begins with flush ruleset
    laptop.wait_until("nft", "list", "tables", says="table inet mvpc_kill")


def test_a_switch_that_is_there_is_not_opened_by_a_look_that_took_it_for_gone(laptop: Charon, uplink: Uplink):
    before = times_gone(laptop)
    with stopped(laptop, "strongswan.service"), somebody_sending(laptop):
        laptop.put("/usr/local/sbin/nft", BLIND_ONCE.encode(), mode=0o755)
        look_after(laptop)
    assert times_gone(laptop) == before + 1
    assert uplink.beside(*TUNNEL, *MVPC) == []


def times_gone(laptop: Charon) -> int:
    """How often the laptop had to load its switch again."""
    return laptop.succeed("journalctl", "--output=cat", "--identifier=mvpc-tunnel").count("was gone")


@contextmanager
def somebody_sending(laptop: Charon) -> Iterator[None]:
    """All the time, so that it is seen when the switch is open for a moment."""
    laptop.succeed("systemd-run", "--quiet", "--unit=sender", "--uid=person", "python3", "-c", SEND)
    try:
        yield
    finally:
        laptop.succeed("systemctl", "stop", "sender.service")


def test_people_may_sign_in_to_a_network_for_a_while(admin: Admin, laptop: Charon, uplink: Uplink):
    wait_for_tunnel(laptop)
    assert "nothing to sign in to" in sign_in(laptop).stderr
    with without_gateway(admin, laptop):
        laptop.succeed("systemctl", "restart", "strongswan.service")
        assert "services" in sign_in(laptop, user="nobody").stderr
        talk(laptop)
        assert uplink.beside(*TUNNEL, *MVPC) == []

        assert "For 10 minutes" in sign_in(laptop).stdout
        assert "It is open, for 10 more minutes" in sign_in(laptop).stdout
        talk(laptop)
        assert kinds(uplink.beside(*TUNNEL, *MVPC)) == {"v4 tcp 443", "v6 tcp 443", "v4 udp 53"}
        assert "open for a sign-in page" in admin.mvpc("status", "lab-01", "--live")
        assert "opened the kill switch" in laptop.succeed("journalctl", "--output=cat", "--identifier=mvpc-tunnel")


def test_the_kernel_closes_it_without_anybody_there(admin: Admin, laptop: Charon):
    with without_gateway(admin, laptop):
        laptop.succeed("systemctl", "restart", "strongswan.service")
        assert sign_in(laptop).returncode == 0
        with left_alone(laptop):
            hurried = "flush set inet mvpc_kill portal; add element inet mvpc_kill portal { host0 timeout 1s }"
            laptop.succeed("nft", hurried)
            laptop.succeed("sleep", "1.5")
            with listening(admin) as uplink:
                talk(laptop)
    assert uplink.beside(*TUNNEL, *MVPC) == []


def test_it_closes_at_once_when_the_tunnel_is_up(admin: Admin, laptop: Charon, uplink: Uplink):
    with without_gateway(admin, laptop):
        laptop.succeed("systemctl", "restart", "strongswan.service")
        assert sign_in(laptop).returncode == 0
    wait_for_tunnel(laptop)
    look_after(laptop)
    assert '"host0"' not in laptop.succeed("nft", "list", "set", "inet", "mvpc_kill", "portal")
    talk(laptop)
    assert kinds(uplink.beside(*TUNNEL, *MVPC)) <= {"v4 tcp 443", "v6 tcp 443", "v4 udp 53"}


class Witness(BaseHTTPRequestHandler):
    """Says nothing: that it has a certificate is all that anybody wants to know."""

    def log_message(self, *_: object) -> None:
        pass


def inside(certificate: Certificate) -> AbstractContextManager[str]:
    """A server that proves with this certificate that the network is the state's own, or tries to."""
    return serving(Witness, CONTROLLER, WITNESS_PORT, certificate=certificate)


def test_in_a_network_that_proves_itself_there_is_no_tunnel_and_no_switch(
    admin: Admin, laptop: Charon, uplink: Uplink, authorities: dict[str, Certificate], tmp_path: Path
):
    wait_for_tunnel(laptop)
    with inside(issue(authorities["inside-ca"], tmp_path, "inside", usage="serverAuth", subject=INSIDE)):
        # The laptop gives the witness four seconds, and asks again in a minute.
        looks = "systemctl restart mvpc-vpn.service && nft list set inet mvpc_kill trusted"
        laptop.wait_until("sh", "-c", looks, says='"host0"')
        assert "INSTALLED" not in laptop.run("swanctl", "--list-sas", "--ike", "mvpc").stdout
        talk(laptop)
        assert "kill switch open, trusted network" in admin.mvpc("status", "lab-01", "--live")
    assert kinds(uplink.beside(*TUNNEL, *MVPC)) >= EVERYTHING


@pytest.mark.parametrize(("signed_by", "name"), [("foreign", INSIDE), ("inside-ca", "other.mv.example")])
def test_a_network_that_only_pretends_gets_nothing(
    laptop: Charon,
    uplink: Uplink,
    authorities: dict[str, Certificate],
    tmp_path: Path,
    *,
    signed_by: str,
    name: str,
):
    with inside(issue(authorities[signed_by], tmp_path, "spoofed", usage="serverAuth", subject=name)):
        look_after(laptop)
        wait_for_tunnel(laptop)
        talk(laptop)
    assert (CONTROLLER, WITNESS_PORT) in {(each.target, each.port) for each in uplink.packets}
    assert '"host0"' not in laptop.succeed("nft", "list", "set", "inet", "mvpc_kill", "trusted")


def test_a_laptop_that_boots_with_damaged_rules_is_shut_and_a_rollout_mends_it(admin: Admin, laptop: Charon):
    with damaged_rules(laptop):
        machine = admin.machine("lab-01")
        machine.crash()
        machine.start()
        plug_in(laptop)
        with listening(admin) as uplink:
            talk(laptop)
            assert "its rules are damaged" in admin.mvpc("status", "lab-01", "--live")
        assert uplink.beside(*MVPC) == []
        admin.mvpc("rollout", "--device", "lab-01", "--yes")
        wait_for_tunnel(laptop)
        assert "kill switch on" in admin.mvpc("status", "lab-01", "--live")


@contextmanager
def damaged_rules(laptop: Charon) -> Iterator[None]:
    rules = "/etc/nftables.d/mvpc-kill.nft"
    good = laptop.succeed("cat", rules)
    laptop.succeed("sh", "-c", f"echo damaged >{rules}; sync")
    try:
        yield
    finally:
        laptop.put(rules, good.encode())
        laptop.succeed("systemctl", "reload-or-restart", "mvpc-kill.service")


def test_a_laptop_on_which_nft_itself_fails_at_boot_lets_no_person_out_and_says_so(admin: Admin, laptop: Charon):
    with nft_fails_at_boot(admin, laptop):
        # Through a tunnel that is up nothing would leave in the clear.
        with left_alone(laptop), stopped(laptop, "strongswan.service"):
            with listening(admin) as uplink:
                laptop.run(*TALK)  # as root
            assert kinds(uplink.packets) >= EVERYTHING
            with listening(admin) as uplink:
                talk(laptop)
            assert not kinds(uplink.beside((BEHIND, UDP, 53))) & EVERYTHING  # services may ask for names
        status = admin.mvpc("status", "lab-01", "--live")
        assert "DRIFTED" in status
        assert "mvpc-kill.service" in status
        assert "kill switch NOT LOADED" in status

    wait_for_tunnel(laptop)
    look_after(laptop)
    assert "kill switch on" in admin.mvpc("status", "lab-01", "--live")
    assert "prohibit" not in laptop.succeed("ip", "rule") + laptop.succeed("ip", "-6", "rule")


@contextmanager
def nft_fails_at_boot(admin: Admin, laptop: Charon) -> Iterator[None]:
    laptop.succeed("sh", "-c", "chmod a-x /usr/sbin/nft; sync")
    machine = admin.machine("lab-01")
    try:
        machine.crash()
        machine.start()
        laptop.run("systemctl", "is-system-running", "--wait")
        plug_in(laptop)
        yield
    finally:
        laptop.succeed("chmod", "a+x", "/usr/sbin/nft")


def test_where_the_profile_no_longer_wants_it_the_switch_goes(admin: Admin, laptop: Charon):
    base = admin.root / "profiles/base.yml"
    base.write_text(base.read_text().replace("    enabled: true", "    enabled: false"))
    admin.mvpc("rollout", "--device", "lab-01", "--yes")
    assert "kill switch" not in admin.mvpc("status", "lab-01", "--live")
    assert "mvpc_kill" not in laptop.succeed("nft", "list", "tables")
    assert "mvpc-" not in laptop.succeed("ls", "/etc/nftables.d", "/usr/local/bin")

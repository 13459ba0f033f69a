"""Every kind of change that cuts a laptop off takes itself back: with real sshd, systemd, nftables and strongSwan.

One laptop for each kind, all at the same time, since a laptop waits up to three minutes. lab-07 is gateway and name
server. What comes of a wrong gateway in a profile is seen as an admin sees it: in the rollout, and afterwards.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mvpc.device import PYTHON, component_to_dict, program, undo_source
from mvpc.model import ComponentResult, File, HostWork, Outcome, Resource, Unit
from tests.acceptance.admin import HEADER, NEEDS_LAB, PSK, Admin, an_admin
from tests.acceptance.certificates import Certificate, authority, issue
from tests.acceptance.charon import INSTALL, PACKAGES, with_vpn
from tests.acceptance.mistakes import converge, mistake

SECONDS = 180 + 30
"""Within which a laptop must be as before: how long it waits, and what it takes to restore things."""
LAPTOPS = [f"lab-0{number}" for number in range(1, 9)]
BOTH = ("--device", "lab-01", "--device", "lab-02")
AUTHORITY = "/etc/swanctl/x509ca/mvpc-vpn.pem"
GATEWAY, BEHIND, NAME = "10.115.0.17", "10.65.0.1", "vpn.mv.example"
PROFILE = f"""
vpn:
  provider: ikev2
  tunnel: split
  routes: {{10.65.0.0/24: present}}
  address_pool: 10.64.0.0/16
  ikev2:
    address: {GATEWAY}
    identity: {NAME}
    revocation: ifuri
"""
NAME_SERVER = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 53))
while True:
    question, client = server.recvfrom(512)
    server.sendto(question[:2] + bytes((0x81, 0x05)) + question[4:], client)
"""

pytestmark = NEEDS_LAB


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="back", addresses="10.115.0.0/25") as person:
        person.open_authorities()
        rows = [f"LAB-{name};{name};{name};Debian 13;Standard;zdmv;schwerin;übergeben;lab\n" for name in LAPTOPS]
        (person.root / "devices.csv").write_text(HEADER + "".join(rows))
        person.mvpc("image", "build")
        person.mvpc("device", "import", "devices.csv", "--yes")
        person.boot(len(LAPTOPS))
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        yield person


# --- changes that no profile makes, each on a laptop of its own --------------------------------


@dataclass(frozen=True)
class Kind:
    """A change that cuts a laptop off, and what the laptop says when it has taken it back."""

    laptop: str
    before: str
    """What makes the laptop one that the change can cut off, in shell."""
    change: tuple[Resource, ...]
    reason: str


def sshd(name: str, content: str) -> File:
    path, validate = f"/etc/ssh/sshd_config.d/{name}", ("/usr/sbin/sshd", "-t", "-f", "%s")
    return File(path=path, content=content, validate=validate, notify=("reload ssh.service",))


def resolved(server: str) -> str:
    return f"[Resolve]\nDNS={server}\n"


RESOLVED = "/etc/systemd/resolved.conf.d/mvpc-vpn.conf"
DROP_ALL = """table inet filter {
    chain input { type filter hook input priority 0; policy drop; }
    chain output { type filter hook output priority 0; policy drop; }
}
"""
UNIT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f /etc/own.nft
[Install]
WantedBy=multi-user.target
"""
KINDS = {
    "drop-all firewall": Kind(
        "lab-03",
        f"{INSTALL} nftables && systemctl enable --now nftables && nft add table inet mine",
        (
            File(
                path="/etc/nftables.conf",
                content=f"flush ruleset\n{DROP_ALL}",
                validate=("/usr/sbin/nft", "-c", "-f", "%s"),
                notify=("reload nftables.service",),
            ),
        ),
        "sshd does not answer on port 22 any more",
    ),
    "drop-all firewall that breaks the session": Kind(
        "lab-08",
        f"{INSTALL} nftables",
        (
            File(path="/etc/own.nft", content=DROP_ALL),
            File(path="/etc/systemd/system/own.service", content=UNIT, notify=("daemon-reload",)),
            Unit(name="own.service"),
        ),
        "sshd does not answer on port 22 any more",
    ),
    "wrong name server": Kind(
        "lab-04",
        f"{INSTALL} systemd-resolved && mkdir -p /etc/systemd/resolved.conf.d && "
        f"printf '{resolved(GATEWAY)}' >{RESOLVED} && systemctl restart systemd-resolved",
        (File(path=RESOLVED, content=resolved("10.115.0.99"), notify=("restart systemd-resolved.service",)),),
        "no name server of global answers any more (10.115.0.99)",
    ),
    "wrong sshd port": Kind(
        "lab-05",
        "true",
        (sshd("00-port.conf", "Port 2222\n"),),
        "sshd does not answer on port 22 any more",
    ),
    "nobody may log in": Kind(
        "lab-06",
        "true",
        (sshd("00-users.conf", "DenyUsers mvpc-admin\n"),),
        "nobody got in over a new connection in time",
    ),
}
STATE = """sudo sh -c '
    nft list ruleset
    ls /etc/ssh/sshd_config.d /etc/systemd/system
    cat /etc/systemd/resolved.conf.d/*
    ss --no-header --listening --tcp --numeric | awk "{print \\$4}" | sort
' 2>&1"""


@dataclass(frozen=True)
class Course:
    """What came of some changes: by laptop, how it was before, where somebody looked, and what it said."""

    before: Mapping[str, str]
    results: Mapping[str, ComponentResult]


@pytest.fixture(scope="module")
def under_way(admin: Admin, infrastructure: None) -> Iterator[Future[Course]]:
    """All kinds at once, while other tests do something else."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(cut_off, admin)


def cut_off(admin: Admin) -> Course:
    with ThreadPoolExecutor(len(KINDS)) as pool:
        list(pool.map(lambda kind: admin.machine(kind.laptop).succeed(kind.before), KINDS.values()))
    before = {kind.laptop: admin.on(kind.laptop, STATE) for kind in KINDS.values()}
    work = [mistake(admin, kind.laptop, *kind.change) for kind in KINDS.values()]
    return replace(course_of(admin, work), before=before)


def course_of(admin: Admin, work: Sequence[HostWork]) -> Course:
    return Course({}, {result.device: result for result in converge(admin, work)})


def seconds_in_force(admin: Admin, laptop: str) -> float:
    """How long a change held that was taken back: by the laptop's clock, from when it began to wait for us."""
    until = float(admin.json("status", laptop, "--live")["facts"]["undone"]["at"])
    told = "sudo journalctl --quiet --output=short-unix --unit=mvpc-undo-confirm.timer | grep Started | cut -d' ' -f1"
    return until - max(begun for begun in map(float, admin.on(laptop, told).split()) if begun < until + 1)


# --- changes of a tunnel -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def infrastructure(admin: Admin) -> None:
    """lab-07 answers as a name server."""
    admin.machine("lab-07").write("/root/names.py", NAME_SERVER)
    admin.on("lab-07", "sudo systemd-run --quiet --unit=names python3 /root/names.py")


@pytest.fixture(scope="module")
def gateway_authority(admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    made = authority(tmp_path_factory.mktemp("pki"), "vpn-ca")
    (admin.root / "inventory/trust").mkdir(exist_ok=True)
    (admin.root / "inventory/trust/vpn-ca.pem").write_bytes(made.certificate.read_bytes())
    return made


@pytest.fixture(scope="module")
def tunnels(admin: Admin, under_way: object, gateway_authority: Certificate) -> None:
    """lab-01 and lab-02, enrolled and in their tunnels to lab-07."""
    with_vpn(admin.root / "profiles", PROFILE)
    admin.mvpc("ca", "init")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: with_userland_ipsec(admin, name), ("lab-01", "lab-02", "lab-07")))
    for name in ("lab-01", "lab-02"):
        admin.enrol(name)
    raise_gateway(admin, gateway_authority)
    admin.mvpc("rollout", *BOTH, "--yes")
    for name in ("lab-01", "lab-02"):
        admin.machine(name).wait_until_succeeds(f"ping -c1 -W2 {BEHIND}")


def with_userland_ipsec(admin: Admin, name: str) -> None:
    """The controller's kernel need not know ESP: charon then carries it itself, over a TUN device."""
    config = "/etc/strongswan.d/charon/kernel-libipsec.conf"
    admin.machine(name).succeed(
        f"{INSTALL} {PACKAGES} && echo 'kernel-libipsec {{ load = yes }}' >{config} && systemctl restart strongswan"
    )


def raise_gateway(admin: Admin, gateway_authority: Certificate) -> None:
    """lab-07 with its own certificate, a host behind it, and the files that mvpc writes for gateways."""
    own = issue(gateway_authority, gateway_authority.key.parent, "gateway", usage="serverAuth", subject=NAME)
    admin.mvpc("ca", "publish")
    admin.mvpc("vpn", "gateway", "-o", "known-gateway")
    made = admin.root / "known-gateway/swanctl"
    files = {f"/etc/swanctl/{path.relative_to(made)}": as_text(path) for path in made.rglob("*") if path.is_file()}
    files |= {
        "/etc/swanctl/x509/gateway.pem": own.certificate.read_text(),
        "/etc/swanctl/private/gateway.pem": own.key.read_text(),
    }
    admin.machine("lab-07").write_all(files, mode="0600")
    admin.on("lab-07", f"sudo ip address add {BEHIND}/32 dev lo; sudo swanctl --load-all --noprompt")


def as_text(path: Path) -> str:
    """A file of the gateway; its list of revoked certificates is none otherwise."""
    if path.suffix != ".crl":
        return path.read_text()
    argv = ["openssl", "crl", "-inform", "DER", "-in", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def set_gateway(admin: Admin, address: str) -> None:
    base = admin.root / "profiles/base.yml"
    lines = [
        f"    address: {address}" if line.startswith("    address: ") else line for line in base.read_text().split("\n")
    ]
    base.write_text("\n".join(lines))


NOT_UP = "taken back: the tunnel mvpc-vpn did not come up"


@pytest.fixture(scope="module")
def pilot(admin: Admin, tunnels: None) -> str:
    """The laptop of the two that a rollout takes first."""
    set_gateway(admin, "10.115.0.99")
    plan = admin.json("plan", *BOTH)
    return str(plan["rings"][0]["devices"][0])


@pytest.fixture(scope="module")
def with_a_wrong_authority(
    admin: Admin, pilot: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Future[Course]]:
    """Meanwhile the other laptop is told of another authority than the gateway's."""
    other = next(name for name in ("lab-01", "lab-02") if name != pilot)
    foreign = authority(tmp_path_factory.mktemp("foreign"), "vpn-ca").certificate.read_text()
    wrong = File(path=AUTHORITY, content=foreign, notify=("restart strongswan.service",))
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(course_of, admin, [mistake(admin, other, wrong)])


def test_a_wrong_gateway_is_taken_back_and_the_rollout_stops_in_the_pilot_ring(
    admin: Admin, pilot: str, with_a_wrong_authority: object
):
    said = " ".join(admin.mvpc("rollout", *BOTH, "--yes", expect=3).split())
    assert seconds_in_force(admin, pilot) < SECONDS
    assert f"stopped: 1 of 1 devices failed in ring pilot; the limit is 2 % or 5; {pilot}, vpn: {NOT_UP}" in said
    row = admin.newest_rollout()
    assert row
    assert row.counts == {"rolled_back": 1}
    shown = " ".join(admin.mvpc("rollout", "show", str(row.id)).split())
    assert f"{pilot}, vpn: {NOT_UP}" in shown

    told = " ".join(admin.mvpc("status", pilot).split())
    assert "ROLLED_BACK" in told
    assert f"vpn: {NOT_UP}" in told
    assert "it is as it was before: correct the profile" in told
    admin.machine(pilot).wait_until_succeeds(f"ping -c1 -W2 {BEHIND}")


def test_a_wrong_authority_of_the_gateway_is_taken_back(
    admin: Admin, with_a_wrong_authority: Future[Course], gateway_authority: Certificate
):
    [result] = with_a_wrong_authority.result().results.values()
    assert seconds_in_force(admin, result.device) < SECONDS
    assert (result.outcome, result.error) == (Outcome.ROLLED_BACK, NOT_UP)
    assert admin.on(result.device, f"sudo cat {AUTHORITY}") == gateway_authority.certificate.read_text()
    admin.machine(result.device).wait_until_succeeds(f"ping -c1 -W2 {BEHIND}")


def test_a_corrected_profile_is_rolled_out_again(admin: Admin, pilot: str):
    set_gateway(admin, GATEWAY)
    admin.mvpc("rollout", "--device", pilot, "--yes")
    assert "OK" in admin.mvpc("status", pilot, "--live")


def test_an_expired_certificate_is_refused_before_anything_is_touched(
    admin: Admin, tunnels: None, gateway_authority: Certificate, tmp_path: Path
):
    expired = issue(gateway_authority, tmp_path, "old", usage="clientAuth", subject="lab-07", days=0)
    time.sleep(1)
    certificate = File(path="/etc/swanctl/x509/gateway.pem", content=expired.certificate.read_text())
    [result] = converge(admin, [mistake(admin, "lab-07", certificate)])
    assert result.outcome is Outcome.FAILED
    assert result.error.startswith(f"file {certificate.path}: the certificate expired on ")
    assert expired.certificate.read_text() != admin.on("lab-07", f"sudo cat {certificate.path}")


@pytest.fixture(scope="module")
def course(under_way: Future[Course]) -> Course:
    return under_way.result()


@pytest.mark.parametrize("name", KINDS)
def test_a_change_that_cuts_a_laptop_off_takes_itself_back_and_says_why(admin: Admin, course: Course, name: str):
    kind = KINDS[name]
    result = course.results[kind.laptop]
    assert (result.outcome, result.error) == (Outcome.ROLLED_BACK, f"taken back: {kind.reason}")
    assert seconds_in_force(admin, kind.laptop) < SECONDS
    assert admin.on(kind.laptop, STATE) == course.before[kind.laptop]
    facts = admin.json("status", kind.laptop, "--live")["facts"]
    assert (facts["unconfirmed"], facts["undone"]["components"]) == (False, ["mistake"])
    assert kind.reason in admin.mvpc("status", kind.laptop)


def test_a_change_after_which_we_get_in_again_is_confirmed_and_leaves_nothing_behind(admin: Admin, pilot: str):
    assert "10-mvpc.conf" in admin.on(pilot, "ls /etc/ssh/sshd_config.d")
    assert "undo.py" not in admin.on(pilot, "sudo ls -R /var/lib/mvpc")
    assert "mvpc-undo" not in admin.on(pilot, "systemctl list-timers --all; ls -R /etc/systemd/system")


def test_a_laptop_that_loses_power_before_anyone_got_in_takes_the_change_back_when_it_boots(
    admin: Admin, course: Course
):
    lockout = mistake(admin, "lab-06", *KINDS["nobody may log in"].change, generation=1002)
    request = {"format": 1, "action": "apply", "device": "lab-06", "generation": lockout.generation, "diff": False}
    request |= {"updates": False, "undo": undo_source()}
    request["components"] = [component_to_dict(each) for each in lockout.bundle.components]
    assert '"unconfirmed": true' in send(admin, "lab-06", program(request))
    await_login(admin, "lab-06", works=False)

    admin.mvpc("lab", "off", "lab-06")
    admin.mvpc("lab", "on", "lab-06")
    await_login(admin, "lab-06", works=True)
    undone = admin.json("status", "lab-06", "--live")["facts"]["undone"]
    assert (undone["generation"], undone["reason"]) == (1002, "the laptop was started again before anybody got in")


def await_login(admin: Admin, laptop: str, *, works: bool) -> None:
    deadline = time.monotonic() + 300
    while ("yes" in admin.on(laptop, "echo yes", check=False)) is not works:
        assert time.monotonic() < deadline, f"{laptop}: logging in should {'work' if works else 'fail'}"
        time.sleep(1)


def send(admin: Admin, laptop: str, text: str) -> str:
    """Run a program as root on the laptop, in one session."""
    options = ["-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={admin.root / f'known-{laptop}'}"]
    login = ["-i", str(admin.root / ".mvpc/ssh/id_ecdsa"), f"mvpc-admin@{admin.addresses[laptop]}"]
    argv = ["ssh", "-F", "none", *options, *login, f"sudo -n {PYTHON}"]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True, timeout=120).stdout

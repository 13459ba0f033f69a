"""An enrolled laptop's IKEv2 tunnel to a gateway with mvpc's files, until it is lost. The tests run in order.

Two laptops: one plays the gateway. What they assert they ask strongSwan.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.acceptance.admin import NEEDS_LAB, PSK, Admin, an_admin
from tests.acceptance.certificates import Certificate, authority
from tests.acceptance.charon import Charon, a_gateway, enrol, hand_over, installed, with_vpn

pytestmark = NEEDS_LAB

GATEWAY, BEHIND, NAME = "10.98.0.12", "10.65.0.1", "vpn.mv.example"
PROFILE = f"""
vpn:
  provider: ikev2
  tunnel: split
  routes: {{10.65.0.0/24: present}}
  address_pool: 10.64.0.0/16
  ikev2:
    address: {GATEWAY}
    identity: {NAME}
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="vpn", addresses="10.98.0.0/24") as person:
        person.open_authorities()
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.boot(2)
        with_vpn(person.root / "profiles", PROFILE)
        yield person


@pytest.fixture(scope="module")
def gateway_authority(admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    made = authority(tmp_path_factory.mktemp("pki"), "vpn-ca")
    (admin.root / "inventory/trust").mkdir(exist_ok=True)
    (admin.root / "inventory/trust/vpn-ca.pem").write_bytes(made.certificate.read_bytes())
    return made


@pytest.fixture(scope="module")
def gateway(admin: Admin, gateway_authority: Certificate) -> Charon:
    return a_gateway(admin, "lab-02", gateway_authority, name=NAME, behind=BEHIND)


@pytest.fixture(scope="module")
def laptop(admin: Admin, gateway_authority: Certificate) -> Charon:
    """lab-01, enrolled, with the files that its profile renders to; test_kill_switch.py rolls out such ones."""
    admin.mvpc("ca", "init")
    made = installed(admin, "lab-01")
    enrol(admin, "lab-01")
    admin.mvpc("profile", "render", "lab-01", "-o", "known-rendered")
    for file in (admin.root / "known-rendered").rglob("*"):
        if file.is_file() and {"swanctl", "system", "lib"} & set(file.parts):
            path = f"/{file.relative_to(admin.root / 'known-rendered')}"
            made.put(path, file.read_bytes(), mode=file.stat().st_mode & 0o777)
    made.succeed("cp", "/etc/mvpc/pki/device.key", "/etc/swanctl/private/mvpc.pem")
    made.succeed("systemctl", "daemon-reload")
    made.start()
    return made


def revocation_list(issuer: Certificate) -> bytes:
    """An empty one of the gateway's authority: without any, a strict laptop builds no tunnel."""
    folder = issuer.key.parent
    (folder / "index").touch()
    (folder / "number").write_text("01\n")
    config = folder / "ca.cnf"
    config.write_text(f"[ca]\ndefault_ca=c\n[c]\ndatabase={folder}/index\ncrlnumber={folder}/number\n")
    with config.open("a") as more:
        more.write("crl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n")  # how strongSwan finds it
    wanted = ["-config", config, "-gencrl", "-keyfile", issuer.key, "-cert", issuer.certificate, "-crldays", "2"]
    made = subprocess.run(["openssl", "ca", *map(str, wanted), "-md", "sha384"], capture_output=True, check=True)
    return made.stdout


def says(admin: Admin, gateway: Charon, listing: str, *, expect: int = 0) -> str:
    """What mvpc makes of the gateway's own words."""
    (admin.root / "known-said").write_text(gateway.succeed("swanctl", listing))
    return admin.mvpc("vpn", "check", "known-said", expect=expect)


def test_strongswan_takes_the_files_of_laptop_and_gateway(admin: Admin, laptop: Charon, gateway: Charon):
    admin.mvpc("ca", "publish")
    assert "1 added (lab-01)" in hand_over(admin, gateway)
    assert "loaded connection 'mvpc'" in laptop.succeed("swanctl", "--load-all", "--noprompt")
    units = ("mvpc-vpn.service", "mvpc-vpn.timer", "strongswan.service")
    assert "mvpc" not in laptop.run("systemd-analyze", "verify", *units).stderr
    assert "agree on 1 laptop" in says(admin, gateway, "--list-conns")


def test_the_laptop_refuses_a_gateway_that_may_be_revoked(laptop: Charon, gateway: Charon):
    refused = laptop.run("swanctl", "--initiate", "--child", "mvpc", "--timeout", "30")
    assert "certificate status is not available" in refused.stdout
    assert "INSTALLED" not in gateway.succeed("swanctl", "--list-sas")


def test_the_tunnel_carries_traffic_with_the_algorithms_of_the_edition(
    admin: Admin, laptop: Charon, gateway: Charon, gateway_authority: Certificate
):
    laptop.put("/etc/swanctl/x509crl/test.crl", revocation_list(gateway_authority))
    laptop.succeed("swanctl", "--load-creds", "--noprompt")
    laptop.succeed("swanctl", "--initiate", "--child", "mvpc", "--timeout", "20")
    shown = gateway.wait_until("swanctl", "--list-sas", says="INSTALLED")
    assert "lab-01: #" in shown
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384" in shown
    assert "1 received" in laptop.succeed("ping", "-c1", "-W5", BEHIND)
    assert "agree on 1 laptop" in says(admin, gateway, "--list-sas")


def test_a_lost_laptop_comes_in_no_more(admin: Admin, laptop: Charon, gateway: Charon):
    admin.mvpc("device", "lost", "lab-01", "--reason", "left in a train")
    assert "lab-01" in says(admin, gateway, "--list-conns", expect=3)
    assert "1 removed (lab-01)" in hand_over(admin, gateway)
    gateway.run("swanctl", "--terminate", "--ike", "lab-01")
    refused = laptop.run("swanctl", "--initiate", "--child", "mvpc", "--timeout", "20")
    assert refused.returncode != 0
    assert "ESTABLISHED" not in gateway.succeed("swanctl", "--list-sas")

"""An enrolled laptop's IKEv2 tunnel to the gateway of the lab, until it is lost. The tests run in order.

What they assert they ask strongSwan.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from mvpc.lab import Gateway
from mvpc.lab.gateway import LIST, PAGE, WEB_SERVER
from tests.acceptance.admin import NEEDS_GATEWAY, PSK, Admin, an_admin
from tests.acceptance.charon import Charon, installed, with_vpn
from tests.acceptance.driver import eventually

pytestmark = NEEDS_GATEWAY

PROFILE = """
vpn:
  provider: ikev2
  tunnel: split
  routes: {10.65.0.0/24: present}
  address_pool: 10.64.0.0/16
  ikev2:
    address: 10.98.0.2
    identity: vpn.mv.example
"""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="vpn", addresses="10.98.0.0/24") as person:
        person.open_authorities()
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.boot(1)
        with_vpn(person.root / "profiles", PROFILE)
        yield person


@pytest.fixture(scope="module")
def gateway(admin: Admin) -> Gateway:
    """The gateway of the lab, whose authority laptops trust; it knows nobody yet, and its list of revoked is away."""
    told = admin.json("lab", "gateway")
    (admin.root / "inventory/trust").mkdir(exist_ok=True)
    shutil.copy(told["authority"], admin.root / "inventory/trust/vpn-ca.pem")
    gateway = admin.lab.raise_gateway()
    revocation_list(gateway).rename(revocation_list(gateway).with_suffix(".away"))
    return gateway


def revocation_list(gateway: Gateway) -> Path:
    """The list of revoked server certificates, where the lab's web server finds it."""
    return gateway.services.folder / "published" / LIST


@pytest.fixture(scope="module")
def laptop(admin: Admin, gateway: Gateway) -> Charon:
    """lab-01, enrolled, with the files that its profile renders to; test_kill_switch.py rolls out such ones."""
    admin.mvpc("ca", "init")
    made = installed(admin, "lab-01")
    admin.enrol("lab-01")
    admin.mvpc("profile", "render", "lab-01", "-o", "known-rendered")
    for file in (admin.root / "known-rendered").rglob("*"):
        if file.is_file() and {"swanctl", "system", "lib", "tunnel.json"} & set(file.parts):
            path = f"/{file.relative_to(admin.root / 'known-rendered')}"
            made.put(path, file.read_bytes(), mode=file.stat().st_mode & 0o777)
    made.succeed("cp", "/etc/mvpc/pki/device.key", "/etc/swanctl/private/mvpc.pem")
    made.succeed("systemctl", "daemon-reload")
    made.start()
    return made


def hand_over(admin: Admin) -> str:
    """Let mvpc write the gateway's files and give them to the gateway; what mvpc said."""
    said = admin.mvpc("vpn", "gateway", "-o", "known-gateway")
    admin.mvpc("lab", "gateway", "known-gateway")
    return said


def says(admin: Admin, gateway: Gateway, listing: str, *, expect: int = 0) -> str:
    """What mvpc makes of the gateway's own words."""
    (admin.root / "known-said").write_text(gateway.swanctl(listing))
    return admin.mvpc("vpn", "check", "known-said", expect=expect)


def test_strongswan_takes_the_files_of_laptop_and_gateway(admin: Admin, laptop: Charon, gateway: Gateway):
    admin.mvpc("ca", "publish")
    assert "1 added (lab-01)" in hand_over(admin)
    assert "loaded connection 'mvpc'" in laptop.succeed("swanctl", "--load-all", "--noprompt")
    units = ("mvpc-vpn.service", "mvpc-vpn.timer", "strongswan.service")
    assert "mvpc" not in laptop.run("systemd-analyze", "verify", *units).stderr
    assert "agree on 1 laptop" in says(admin, gateway, "--list-conns")


def test_the_laptop_refuses_a_gateway_that_may_be_revoked(laptop: Charon, gateway: Gateway):
    initiate = partial(laptop.run, "swanctl", "--initiate", "--child", "mvpc", "--timeout", "60")
    eventually(lambda: initiate().stdout, "certificate status is not available")
    assert "INSTALLED" not in gateway.swanctl("--list-sas")


def test_the_tunnel_carries_traffic_with_the_algorithms_of_the_edition(admin: Admin, laptop: Charon, gateway: Gateway):
    revocation_list(gateway).with_suffix(".away").rename(revocation_list(gateway))

    def look() -> str:
        laptop.run("systemctl", "start", "mvpc-vpn.service")  # what a timer does every minute
        return gateway.swanctl("--list-sas")

    shown = eventually(look, "lab-01: #", "INSTALLED")
    assert "AES_GCM_16-256/PRF_HMAC_SHA2_384/ECP_384" in shown
    fetch = f"import urllib.request as u; print(u.urlopen('http://{WEB_SERVER}/', timeout=60).read())"
    assert PAGE.strip() in laptop.succeed("python3", "-c", fetch)
    assert "agree on 1 laptop" in says(admin, gateway, "--list-sas")


def test_a_lost_laptop_is_thrown_out_and_comes_in_no_more(admin: Admin, laptop: Charon, gateway: Gateway):
    admin.mvpc("device", "lost", "lab-01", "--yes", "--reason", "left in a train")
    assert "lab-01" in says(admin, gateway, "--list-conns", expect=3)
    assert "1 removed (lab-01)" in hand_over(admin)
    assert "lab-01" not in gateway.swanctl("--list-sas")
    refused = laptop.run("swanctl", "--initiate", "--child", "mvpc", "--timeout", "60")
    assert refused.returncode != 0
    assert "ESTABLISHED" not in gateway.swanctl("--list-sas")

"""A laptop is enrolled, proves itself to outsiders, and is lost. The tests run in order on one real laptop.

What they assert they ask OpenSSH and OpenSSL, never mvpc's own records.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.admin import NEEDS_LAB, PSK, Admin, an_admin

pytestmark = NEEDS_LAB

EARS = """#!/bin/bash
wire=/var/tmp/wire
bash -c "$SSH_ORIGINAL_COMMAND" < <(exec tee -a $wire 2>/dev/null) > >(exec tee -a $wire) 2> >(exec tee -a $wire >&2)
"""
"""What every SSH session of the laptop runs from now on: it writes down all that goes in and out, in the clear."""


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Admin]:
    with an_admin(tmp_path_factory.mktemp("project"), name="pki", addresses="10.96.0.0/24") as person:
        person.open_authorities()
        person.mvpc("device", "import", "inventory/lab.csv", "--yes")
        person.mvpc("secret", "set", "wifi/guest-psk", answer=f"{PSK}\n")
        person.boot(1)
        overhear(person)
        yield person


def overhear(admin: Admin) -> None:
    machine = admin.machine("lab-01")
    machine.write("/usr/local/bin/ears", EARS, mode="0755")
    machine.write("/etc/ssh/sshd_config.d/00-ears.conf", "ForceCommand /usr/local/bin/ears\n")
    machine.succeed("install -m 0666 /dev/null /var/tmp/wire; systemctl reload ssh")


def inside(admin: Admin) -> Path:
    """The laptop's file system, for what must not go over its network."""
    return admin.lab.home / "laptops/lab-01/root"


def history(admin: Admin) -> str:
    return str(admin.json("device", "show", "lab-01")["history"])


def test_before_it_is_enrolled_an_outsider_does_not_know_it(admin: Admin):
    admin.mvpc("device", "token", "lab-01", expect=1)
    admin.mvpc("ca", "init", "--name", "MV")
    assert "Host key verification failed" in admin.outsider("lab-01").stderr


def test_a_wrong_token_is_refused_and_recorded(admin: Admin):
    admin.token("lab-01")
    said = admin.mvpc("device", "enroll", "lab-01", answer="aaaa-bbbb\n", expect=1)
    assert "the token is not the one that was made for it" in said
    assert "refused: the token is not the one" in history(admin)


def test_a_swapped_host_key_is_refused_and_recorded_before_the_token_is_used(admin: Admin):
    token = admin.token("lab-01")
    with a_swapped_host_key(admin):
        said = admin.mvpc("device", "enroll", "lab-01", answer=f"{token}\n", expect=1)
    assert "not the laptop we know" in said
    assert history(admin).count("not the laptop we know") == 1
    words = "zoo zoo zoo zoo zoo zoo"
    said = admin.mvpc("device", "enroll", "lab-01", "--words", words, answer=f"{token}\n", expect=1)
    assert "the words on its screen are not those" in said, "the token was used up by somebody else's laptop"


def test_other_words_than_on_its_screen_are_refused(admin: Admin):
    words = "zoo zoo zoo zoo zoo zoo"
    said = admin.mvpc("device", "enroll", "lab-01", "--words", words, answer=f"{admin.token('lab-01')}\n", expect=1)
    assert "the words on its screen are not those" in said
    assert "no such file" in admin.on("lab-01", "ls /etc/mvpc/pki/device.pem 2>&1", check=False).lower()


def test_with_a_token_and_the_words_on_its_screen_it_is_enrolled(admin: Admin):
    token = admin.token("lab-01")
    words = admin.on("lab-01", "head -n 1 /run/mvpc/enrolment").strip()
    said = admin.mvpc("device", "enroll", "lab-01", "--words", words, answer=f"{token}\n")
    assert "lab-01 is enrolled" in said
    assert "mvpc-undo" not in admin.on("lab-01", "systemctl list-timers --all"), "the change of sshd was not confirmed"
    assert "the token was used before" in admin.mvpc("device", "enroll", "lab-01", answer=f"{token}\n", expect=1)
    assert "refused: the token was used before" in history(admin)


def test_the_device_certificate_says_what_the_inventory_says(admin: Admin):
    shown = admin.on("lab-01", "openssl x509 -in /etc/mvpc/pki/device.pem -noout -subject -ext extendedKeyUsage")
    assert "CN=lab-01, serialNumber=LAB01" in shown
    assert "TLS Web Client Authentication" in shown
    verify = "openssl verify -purpose sslclient -CAfile /etc/mvpc/pki/ca.pem /etc/mvpc/pki/device.pem"
    assert admin.on("lab-01", verify).strip().endswith(": OK")


def test_certificate_and_key_belong_together_and_the_key_is_its_own(admin: Admin):
    of_key = admin.on("lab-01", "sudo openssl pkey -in /etc/mvpc/pki/device.key -pubout")
    assert admin.on("lab-01", "openssl x509 -in /etc/mvpc/pki/device.pem -noout -pubkey") == of_key
    assert admin.on("lab-01", "sudo stat -c '%a %U' /etc/mvpc/pki/device.key").strip() == "600 root"
    secret = (inside(admin) / "etc/mvpc/pki/device.key").read_text().splitlines()[1]
    found = subprocess.run(["grep", "-rlF", secret, str(admin.root), "/dev/shm"], capture_output=True, check=False)
    assert found.stdout == b""


def test_an_outsider_who_trusts_only_the_authority_logs_in(admin: Admin):
    done = admin.outsider("lab-01")
    assert (done.returncode, done.stdout.strip()) == (0, "lab-01"), done.stderr


def test_a_rollout_finds_its_identity_in_order_and_believes_its_certificate(admin: Admin):
    with a_swapped_host_key(admin):
        done = admin.json("rollout", "--device", "lab-01", "--yes")
    assert done["rollout"]["counts"] == {"changed": 1}
    assert "identity" not in {change["component"] for change in done["plan"]["changes"]}


@contextmanager
def a_swapped_host_key(admin: Admin) -> Iterator[None]:
    """Let the inventory hold the host key of another laptop."""
    admin.mvpc("device", "set", "lab-01", f"host_key={a_strange_key(admin)}")
    try:
        yield
    finally:
        admin.mvpc("device", "set", "lab-01", f"host_key={admin.host_keys['lab-01']}")


def a_strange_key(admin: Admin) -> str:
    path = admin.root / "strange"
    path.unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-b", "384", "-N", "", "-f", path], check=True)
    return " ".join(path.with_suffix(".pub").read_text().split()[:2])


def test_a_person_logs_in_by_a_certificate_for_the_day_and_not_without(admin: Admin):
    a_strange_key(admin)
    key = admin.root / "strange"
    assert "Permission denied" in admin.outsider("lab-01", key=key).stderr
    admin.mvpc("ca", "sign-user", f"{key}.pub")
    done = admin.outsider("lab-01", key=key)
    assert (done.returncode, done.stdout.strip()) == (0, "lab-01"), done.stderr


def test_a_certificate_that_was_changed_by_hand_is_brought_back(admin: Admin):
    admin.on("lab-01", "echo x | sudo tee -a /etc/mvpc/pki/ca.pem")
    assert "DRIFTED" in admin.mvpc("status", "lab-01", "--live")
    admin.mvpc("rollout", "--device", "lab-01", "--yes")
    assert "OK" in admin.mvpc("status", "lab-01", "--live")


def test_none_of_its_private_keys_ever_went_over_the_wire(admin: Admin):
    wire = (inside(admin) / "var/tmp/wire").read_text(errors="replace")
    assert "BEGIN CERTIFICATE REQUEST" in wire and "mvpc-vpn" in wire, "nobody listened"
    tunnel = (inside(admin) / "etc/NetworkManager/system-connections/mvpc-vpn.nmconnection").read_text()
    [of_the_tunnel] = [line.partition("=")[2] for line in tunnel.splitlines() if line.startswith("private-key=")]
    of_files = [(inside(admin) / path).read_text().splitlines()[1:-1] for path in (KEY, HOST_KEY)]
    secrets = [of_the_tunnel, *(line for lines in of_files for line in lines)]
    assert all(len(each) > 20 for each in secrets)
    assert [each for each in secrets if each in wire] == []


KEY, HOST_KEY = "etc/mvpc/pki/device.key", "etc/ssh/ssh_host_ecdsa_key"


def test_a_lost_laptop_is_in_both_lists_and_no_outsider_believes_it(admin: Admin):
    certificate = admin.root / "lost.pem"
    certificate.write_text(admin.on("lab-01", "cat /etc/mvpc/pki/device.pem"))
    admin.mvpc("device", "lost", "lab-01", "--yes", "--reason", "left in a train")
    published = admin.root / ".mvpc/published"
    checked = subprocess.run(
        [
            *("openssl", "verify", "-crl_check"),
            *("-CAfile", str(published / "devices.pem"), "-CRLfile", str(published / "devices.crl"), str(certificate)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "certificate revoked" in checked.stdout + checked.stderr
    refused = admin.outsider("lab-01", f"RevokedHostKeys={published / 'ssh-hosts.krl'}")
    assert (refused.returncode, "revoked" in refused.stderr) == (255, True), refused.stderr
    assert "state lost" in admin.mvpc("status", "lab-01")
    assert admin.json("rollout", "--device", "lab-01", "--yes")["plan"]["changes"] == []
    said = admin.mvpc("device", "enroll", "lab-01", answer="x\n", expect=1)
    assert "state lost" in said

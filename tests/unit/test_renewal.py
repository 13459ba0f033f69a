"""Renewal: the same key, a new term, for laptops that are in service."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from mvpc.editions import edition
from mvpc.identity.given import given
from mvpc.identity.ssh import SshAuthority, public_line
from mvpc.identity.x509 import DeviceAuthority, certify_oneself
from mvpc.model import Certificate, LifeCycle
from mvpc.renewal import due, renewed
from mvpc.testing import NOON, a_device

RULES = edition("openssh-modern").certificates
KEY = ec.generate_private_key(ec.SECP384R1())
DEVICES = DeviceAuthority(key=KEY, certificate=certify_oneself(KEY, "MV", RULES, now=NOON), rules=RULES)
HOSTS = SshAuthority(key=KEY, rules=RULES)
LAPTOP = a_device()
OWN = ec.generate_private_key(ec.SECP256R1()).public_key()
ISSUED = [DEVICES.issue(LAPTOP, OWN, now=NOON), HOSTS.issue_host("nb-000123", public_line(OWN), now=NOON)]


@pytest.mark.parametrize(("days", "number"), [(0, 0), (59, 0), (60, 2), (89, 2), (200, 2)])
def test_at_two_thirds_of_their_life_both_certificates_are_due(days: int, number: int):
    assert len(due([LAPTOP], ISSUED, now=NOON + timedelta(days=days))) == number


def test_a_renewal_keeps_the_key_and_is_not_due_again():
    later = NOON + timedelta(days=61)
    made = renewed(due([LAPTOP], ISSUED, now=later), DEVICES, HOSTS, now=later)
    assert [each.fingerprint for each in made] == [each.fingerprint for each in ISSUED]
    assert {each.serial for each in made}.isdisjoint(each.serial for each in ISSUED)
    assert due([LAPTOP], [*ISSUED, *made], now=later) == []


@pytest.mark.parametrize("state", [LifeCycle.LOST, LifeCycle.RETIRED, LifeCycle.RETURNED])
def test_laptops_that_are_not_in_service_are_not_renewed(state: LifeCycle):
    assert due([replace(LAPTOP, state=state)], ISSUED, now=NOON + timedelta(days=61)) == []


def test_a_laptop_that_was_renamed_is_due_at_once():
    renamed = [replace(each, device="nb-000777") for each in ISSUED]
    wanted = due([replace(LAPTOP, hostname="nb-000777")], renamed, now=NOON)
    assert {each.name for each in renewed(wanted, DEVICES, HOSTS, now=NOON)} == {"nb-000777"}


def test_revoked_certificates_are_not_renewed():
    gone = [replace(each, revoked_at=NOON) for each in ISSUED]
    assert due([LAPTOP], gone, now=NOON + timedelta(days=61)) == []


def identities(issued: list[Certificate]) -> dict[str, datetime]:
    found = given(issued, device_authorities="CA", user_authority="U", trusted={"radius-ca": "PEM"})
    return {name: each.until for name, each in found.items()}


def test_a_laptop_is_given_its_newest_certificates_and_only_both_together():
    later = NOON + timedelta(days=61)
    made = renewed(due([LAPTOP], ISSUED, now=later), DEVICES, HOSTS, now=later)
    assert identities(ISSUED[:1]) == {}
    assert identities(ISSUED) == {"nb-000123": ISSUED[0].not_after}
    assert identities([*made, *ISSUED]) == {"nb-000123": made[0].not_after}
    assert identities([replace(each, revoked_at=NOON) for each in ISSUED]) == {}


@pytest.mark.parametrize("curve", [ec.SECP256R1, ec.SECP384R1, ec.SECP521R1], ids=["P-256", "P-384", "P-521"])
def test_a_key_in_the_tpm_stays_there_and_what_the_laptop_is_given_names_its_curve(
    curve: type[ec.EllipticCurve], request: pytest.FixtureRequest
):
    own, later = ec.generate_private_key(curve()).public_key(), NOON + timedelta(days=61)
    issued = [replace(DEVICES.issue(LAPTOP, own, now=NOON), in_tpm=True), ISSUED[1]]
    made = renewed(due([LAPTOP], issued, now=later), DEVICES, HOSTS, now=later)
    assert [each.in_tpm for each in made] == [True, False]
    [found] = given([*issued, *made], device_authorities="CA", user_authority="U", trusted={}).values()
    assert found.tpm_curve == request.node.callspec.id


def test_of_a_key_in_a_file_no_curve_is_named():
    [found] = given(ISSUED, device_authorities="CA", user_authority="U", trusted={}).values()
    assert found.tpm_curve == ""

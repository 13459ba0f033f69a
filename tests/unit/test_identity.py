"""Tokens, words, requests and certificates: what they hold, and what somebody who attacks them gets."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mvpc.editions import edition
from mvpc.identity import current
from mvpc.identity.keys import fingerprint
from mvpc.identity.requests import read_request
from mvpc.identity.ssh import SshAuthority, distrust, public_line
from mvpc.identity.tokens import make_token, refusal
from mvpc.identity.words import code_modules, same_fingerprint, word_list, words_of
from mvpc.identity.x509 import DeviceAuthority, certify_oneself
from mvpc.model import CertificateKind
from mvpc.secret import Secret
from mvpc.testing import NOON, a_device

RULES = edition("bsi-tr-02102-2026-01").certificates
LAPTOP = a_device("nb-000123", serial="PF-1")
KEY = ec.generate_private_key(ec.SECP384R1())


def a_request(common_name: str = "nb-000123", *, key=KEY, hash_=None, more=(), **extra_names: str) -> str:
    names = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    names += [x509.NameAttribute(getattr(NameOID, name.upper()), value) for name, value in extra_names.items()]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(names))
    for extension in more:
        builder = builder.add_extension(extension, critical=True)
    hash_ = None if isinstance(key, ed25519.Ed25519PrivateKey) else hash_ or hashes.SHA384()
    return builder.sign(key, hash_).public_bytes(Encoding.PEM).decode()


def forged(signed: str, written: str) -> str:
    """A request in which another name was written after it had been signed."""
    der = x509.load_pem_x509_csr(a_request(signed).encode()).public_bytes(Encoding.DER)
    return x509.load_der_x509_csr(der.replace(signed.encode(), written.encode())).public_bytes(Encoding.PEM).decode()


def an_authority() -> DeviceAuthority:
    key = ec.generate_private_key(ec.SECP384R1())
    return DeviceAuthority(key=key, certificate=certify_oneself(key, "MV devices", RULES, now=NOON), rules=RULES)


# --- words


def test_the_word_list_is_the_published_one():
    text = "\n".join(word_list()) + "\n"
    digest = "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_a_fingerprint_is_six_words_of_its_first_66_bits():
    assert words_of("00" * 32) == "abandon abandon abandon abandon abandon abandon"
    assert words_of("ff" * 32) == "zoo zoo zoo zoo zoo zoo"
    assert words_of("8000" + "00" * 30).split()[0] == word_list()[1024]
    assert words_of("00" * 8 + "40" + "00" * 23).split()[-1] == word_list()[1]


@pytest.mark.parametrize(
    ("typed", "same"),
    [
        ("zoo abandon abandon abandon abandon abandon", True),
        (" Zoo-ABANDON abandon\tabandon-abandon abandon\n", True),
        ("abandon zoo abandon abandon abandon abandon", False),
        ("zoo abandon", False),
        ("", False),
        (f"SHA256:FFE{'0' * 61}", True),
        (f" sha256:ffe{'0' * 61}\n", True),
        (f"SHA256:FFE{'0' * 60}1", False),
        ("SHA256:FFE", False),
    ],
)
def test_words_and_codes_are_compared_as_people_type_and_phones_scan_them(typed: str, same: bool):
    assert same_fingerprint(typed, f"ffe{'0' * 61}") is same


def test_a_code_fits_on_a_text_screen_with_the_margin_that_scanners_need():
    modules = code_modules("0123456789abcdef" * 4)
    assert {len(row) for row in modules} == {len(modules)} == {29 + 2 * 4}
    assert not any(any(row) for row in (*modules[:4], *modules[-4:]))


# --- tokens


def test_a_token_has_160_bits_and_only_its_hash_is_kept():
    shown, kept = make_token(LAPTOP, "fm", now=NOON)
    other, _ = make_token(LAPTOP, "fm", now=NOON)
    assert len(shown.reveal().replace("-", "")) * 5 == 160
    assert shown != other
    assert shown.reveal() not in repr(kept)
    assert shown.reveal().replace("-", "") not in repr(kept)


def test_a_token_lets_its_laptop_in_however_it_is_typed():
    shown, kept = make_token(LAPTOP, "fm", now=NOON)
    for typed in (shown.reveal(), shown.reveal().upper(), shown.reveal().replace("-", " ")):
        assert refusal(kept, Secret(typed), LAPTOP, "fm", now=NOON) == ""


def test_a_token_may_be_typed_on_a_german_keyboard_that_counts_as_an_american_one():
    shown, kept = make_token(LAPTOP, "fm", now=NOON)
    typed = shown.reveal().translate(str.maketrans("yz-", "zy/"))
    assert refusal(kept, Secret(typed), LAPTOP, "fm", now=NOON) == ""


@pytest.mark.parametrize(
    ("changes", "ressort", "minutes", "reason"),
    [
        ({"used_at": NOON}, "fm", 1, "the token was used before"),
        ({}, "fm", 60, "the token has expired"),
        ({"serial": "PF-2"}, "fm", 1, "the token was made for another serial number"),
        ({}, "im", 1, "the token was made when it belonged to ressort fm"),
        ({"hash": "00" * 32}, "fm", 1, "the token is not the one that was made for it"),
    ],
    ids=["replayed", "expired", "other laptop", "other ressort", "forged"],
)
def test_a_token_is_refused(changes: dict[str, object], ressort: str, minutes: int, reason: str):
    shown, kept = make_token(LAPTOP, "fm", now=NOON)
    presented = replace(kept, **changes)  # type: ignore[arg-type]
    assert refusal(presented, shown, LAPTOP, ressort, now=NOON + timedelta(minutes=minutes)) == reason


def test_without_a_token_nobody_is_let_in_not_even_with_an_empty_one():
    assert refusal(None, Secret(""), LAPTOP, "fm", now=NOON) == "no token was made for it"


@pytest.mark.parametrize("life", [timedelta(minutes=61), timedelta(), timedelta(minutes=-1)])
def test_no_token_lives_longer_than_an_hour(life: timedelta):
    with pytest.raises(ValueError, match="60 minutes"):
        make_token(LAPTOP, "fm", now=NOON, life=life)


# --- requests


def test_the_key_of_a_good_request_is_certified():
    assert fingerprint(read_request(a_request(), "nb-000123", RULES)) == fingerprint(KEY.public_key())


CERTIFY_OTHERS = x509.BasicConstraints(ca=True, path_length=None)
OTHER_NAME = x509.SubjectAlternativeName([x509.DNSName("nb-000999")])
BAD_REQUESTS = {
    "foreign name": (a_request("nb-000999"), "names another device"),
    "no name": (a_request("nb-000123", country_name="DE"), "names another device"),
    "wants to be an authority": (a_request(more=[CERTIFY_OTHERS]), "asks for extensions"),
    "wants another name": (a_request(more=[OTHER_NAME]), "asks for extensions"),
    "weak curve": (a_request(key=ec.generate_private_key(ec.SECP192R1()), hash_=hashes.SHA256()), "too weak"),
    "small RSA": (a_request(key=rsa.generate_private_key(65537, 1024), hash_=hashes.SHA256()), "another kind"),
    "Ed25519": (a_request(key=ed25519.Ed25519PrivateKey.generate()), "another kind"),
    "DSA": (a_request(key=dsa.generate_private_key(1024), hash_=hashes.SHA256()), "another kind"),
    "changed name": (forged("nb-000999", "nb-000123"), "not signed by its own key"),
    "nothing": ("", "cannot be read"),
    "no PEM": ("\x00" * 100, "cannot be read"),
    "not ASCII": ("-----BEGIN CERTIFICATE REQUEST-----\nä\n-----END CERTIFICATE REQUEST-----\n", "cannot be read"),
    "a flood": (a_request() + " " * 9000, "too long"),
}


@pytest.mark.parametrize("case", BAD_REQUESTS, ids=str)
def test_a_bad_request_is_refused_in_words_that_quote_nothing_of_it(case: str):
    pem, reason = BAD_REQUESTS[case]
    with pytest.raises(ValueError, match=reason) as caught:
        read_request(pem, "nb-000123", RULES)
    assert "nb-000999" not in str(caught.value)


# --- device certificates


def test_a_device_certificate_holds_what_the_inventory_says():
    authority = an_authority()
    issued = authority.issue(LAPTOP, KEY.public_key(), now=NOON)
    read = x509.load_pem_x509_certificate(issued.text.encode())
    read.verify_directly_issued_by(authority.certificate)
    assert read.subject.rfc4514_string() == "2.5.4.5=PF-1,CN=nb-000123"
    extensions = read.extensions
    assert extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["nb-000123"]
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert (issued.kind, issued.device, int(issued.serial, 16)) == (
        CertificateKind.DEVICE,
        "nb-000123",
        read.serial_number,
    )
    assert issued.holds(NOON)
    assert issued.due - NOON < timedelta(days=60) < timedelta(days=90) - (NOON - issued.not_before)


def test_no_device_certificate_outlives_its_authority():
    authority = an_authority()
    end = authority.certificate.not_valid_after_utc
    issued = authority.issue(LAPTOP, KEY.public_key(), now=end - timedelta(days=10))
    assert issued.not_after == end


def test_a_revoked_certificate_is_on_the_list():
    authority = an_authority()
    issued = replace(authority.issue(LAPTOP, KEY.public_key(), now=NOON), revoked_at=NOON, reason="lost")
    found = x509.load_der_x509_crl(authority.revocation_list([issued], number=7, now=NOON))
    assert [each.serial_number for each in found] == [int(issued.serial, 16)]
    assert found.is_signature_valid(authority.key.public_key())


def test_the_newest_certificate_that_was_not_revoked_is_the_current_one():
    authority = an_authority()
    old = authority.issue(LAPTOP, KEY.public_key(), now=NOON)
    new = authority.issue(LAPTOP, KEY.public_key(), now=NOON + timedelta(days=60))
    key = ("nb-000123", CertificateKind.DEVICE)
    assert current([new, old]) == {key: new}
    assert current([replace(new, revoked_at=NOON), old]) == {key: old}


# --- SSH certificates

HOSTS = SshAuthority(key=ec.generate_private_key(ec.SECP384R1()), rules=RULES)
AUTHORITY = public_line(HOSTS.key.public_key())
HOST_KEY = public_line(KEY.public_key())
ISSUED = HOSTS.issue_host("nb-000123", HOST_KEY, now=NOON)


def test_a_host_certificate_proves_its_host():
    assert distrust(ISSUED.text, AUTHORITY, "nb-000123", (), now=NOON) == ""


_USER = HOSTS.issue_user("nb-000123", HOST_KEY, now=NOON)
_STRANGER = SshAuthority(key=ec.generate_private_key(ec.SECP384R1()), rules=RULES)
BAD_HOSTS = {
    "another device": (ISSUED.text, "nb-000124", NOON, "for another device"),
    "expired": (ISSUED.text, "nb-000123", NOON + timedelta(days=91), "not valid now"),
    "not yet valid": (ISSUED.text, "nb-000123", NOON - timedelta(days=1), "not valid now"),
    "user certificate": (_USER.text, "nb-000123", NOON, "not one for hosts"),
    "another authority": (
        _STRANGER.issue_host("nb-000123", HOST_KEY, now=NOON).text,
        "nb-000123",
        NOON,
        "from another authority",
    ),
    "plain key": (HOST_KEY, "nb-000123", NOON, "no certificate"),
    "changed": (ISSUED.text[:-9] + "AAAA" + ISSUED.text[-5:], "nb-000123", NOON, "signature is wrong"),
    "rubbish": ("ssh-rsa AAAA", "nb-000123", NOON, "cannot be read"),
}


@pytest.mark.parametrize("case", BAD_HOSTS, ids=str)
def test_a_host_certificate_is_distrusted(case: str):
    text, hostname, moment, reason = BAD_HOSTS[case]
    assert reason in distrust(text, AUTHORITY, hostname, (), now=moment)


def test_a_revoked_host_certificate_is_distrusted():
    assert "revoked" in distrust(ISSUED.text, AUTHORITY, "nb-000123", {ISSUED.serial}, now=NOON)


@pytest.mark.parametrize(
    "line", ["", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDp2c6YkWTyXBZjmzYkIyMbdgyIBXfEdyCgEIiOAb3xw"]
)
def test_a_key_that_the_edition_does_not_list_is_not_certified(line: str):
    with pytest.raises(ValueError, match=r"no public SSH key|too weak or of another kind"):
        HOSTS.issue_host("nb-000123", line, now=NOON)

"""Enrol one laptop: check what it asks for, let people compare, certify, and leave a trace of every refusal.

The order is the rule. The laptop is asked first, so that a laptop that sleeps uses up no token. Then the token is used
up, whatever comes after: a token that was presented once is worth nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from mvpc.device.enrolment import KeyRequest
from mvpc.editions import CertificateRules
from mvpc.errors import MvpcError
from mvpc.identity.keys import PublicKey, fingerprint
from mvpc.identity.requests import read_request
from mvpc.identity.tokens import NONE_MADE, refusal
from mvpc.model import NEXT_STATES, ROLLED_OUT_STATES, Arrival, Certificate, Device, LifeCycle, Token, TpmRule
from mvpc.secret import Secret


class EnrolmentError(MvpcError):
    """A laptop was not enrolled; the reason is in its history."""


class DeviceSigner(Protocol):
    """The authority of device certificates."""

    def issue(self, device: Device, key: PublicKey, *, now: datetime) -> Certificate:
        """Certify a laptop's key."""


class HostSigner(Protocol):
    """The authority of SSH host certificates."""

    def issue_host(self, hostname: str, public_key: str, *, now: datetime) -> Certificate:
        """Certify a laptop's host key; raises ValueError when the edition does not accept it."""


class Recorder(Protocol):
    """The register."""

    def use_token(self, token: Token, *, at: datetime) -> bool:
        """Use a token up; False when somebody else did."""

    def refuse(self, hostname: str, reason: str, *, at: datetime) -> None:
        """Note why a laptop was not enrolled; the same once a minute at most."""

    def record(self, certificates: Sequence[Certificate], *, at: datetime, action: str) -> None:
        """Keep what was issued."""

    def revoke(self, certificates: Sequence[Certificate], reason: str, *, at: datetime) -> None:
        """Revoke what it replaces."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Applicant:
    """Everything that is known of a laptop before it is asked."""

    device: Device
    ressort: str
    presented: Secret
    """The token that somebody typed."""
    token: Token | None
    """What was kept of the token that was made for it."""
    issued: Sequence[Certificate] = ()
    """What it was given before."""

    @property
    def needs_fresh_key(self) -> bool:
        """Whether a key of it was revoked: whoever had the laptop then may have the key as well."""
        return bool(self.revoked_keys)

    @property
    def revoked_keys(self) -> Collection[str]:
        """Fingerprints of keys that must never be certified again."""
        return {each.fingerprint for each in self.issued if each.revoked_at and each.reason != REPLACED}


REPLACED = "replaced by a new enrolment"


@dataclass(frozen=True, kw_only=True, slots=True)
class Seams:
    """What an enrolment works with."""

    same_key: Callable[[str], bool]
    """Whether a person finds this fingerprint on the laptop's own screen, as words or as a QR code."""
    devices: DeviceSigner
    ssh_hosts: HostSigner
    recorder: Recorder
    rules: CertificateRules
    tpm: TpmRule
    now: Callable[[], datetime]


def enrol(applicant: Applicant, seams: Seams, ask: Callable[[Device], KeyRequest]) -> KeyRequest:
    """Certify a laptop's key and its host key. Returns what the laptop asked for.

    `ask` lets the laptop make its key; it raises MvpcError when it is not reached, EnrolmentError when it is another.

    Raises:
        EnrolmentError: it was refused; the reason is in its history.
        MvpcError: it cannot be enrolled as it is now, or was not reached; nothing was used up.
    """
    device = applicant.device
    check_service(device)
    host = _host_certificate(device, seams)
    with recorded(device, seams.recorder, now=seams.now):
        asked = ask(device)
        check_permission(applicant, asked, seams.recorder, now=seams.now())
        key = key_of(applicant, asked.request, device.hostname, seams.rules)
        check_place(device, asked.no_tpm, seams.tpm)
        _compare(device, key, seams)
    _issue(applicant, key, host, seams, in_tpm=not asked.no_tpm)
    return asked


def enrol_arrived(applicant: Applicant, arrival: Arrival, seams: Seams) -> None:
    """The same for a laptop that came to the desk by itself: it was asked and had its token taken there.

    Raises:
        EnrolmentError: it was refused; the reason is in its history.
        MvpcError: it cannot be enrolled as it is now.
    """
    device = applicant.device
    check_service(device)
    host = _host_certificate(device, seams)
    with recorded(device, seams.recorder, now=seams.now):
        key = key_of(applicant, arrival.request, arrival.serial, seams.rules)
        check_place(device, arrival.no_tpm, seams.tpm)
        _compare(device, key, seams)
    _issue(applicant, key, host, seams, in_tpm=not arrival.no_tpm)


def check_service(device: Device) -> None:
    """Raise MvpcError for a device that mvpc does not manage, or not in the state that it is in."""
    name = device.hostname
    if not device.is_linux:
        raise MvpcError(f"{device.os} is not managed by mvpc", where=name)
    if device.state not in ROLLED_OUT_STATES:
        steps = ", then ".join(f"state={state}" for state in _way_back(device.state))
        hint = f"When it is ready: mvpc device set {name} {steps}" if steps else ""
        raise MvpcError(f"a device in state {device.state} is not enrolled", where=name, hint=hint)


def _way_back(state: LifeCycle) -> list[LifeCycle]:
    """The shortest way into a state in which laptops are enrolled; empty where none leads there."""
    ways = [[following] for following in sorted(NEXT_STATES[state])]
    while ways:
        way = ways.pop(0)
        if way[-1] in ROLLED_OUT_STATES:
            return way
        ways += [[*way, following] for following in sorted(NEXT_STATES[way[-1]] - {*way})]
    return []


def check_permission(applicant: Applicant, asked: KeyRequest, recorder: Recorder, *, now: datetime) -> None:
    """Use the token up, and look whose serial number this is; raises EnrolmentError."""
    device = applicant.device
    if reason := refusal(applicant.token, applicant.presented, device, applicant.ressort, now=now):
        raise refused(device, reason)
    assert applicant.token is not None  # noqa: S101 - `refusal` has looked
    if not recorder.use_token(applicant.token, at=now):
        raise refused(device, "the token was used before")
    if asked.serial.casefold() != device.serial.casefold():
        raise refused(device, "it has another serial number than the inventory says, or none")


def key_of(applicant: Applicant, request: str, name: str, rules: CertificateRules) -> PublicKey:
    """The key that a request is for. `name` is all that the request may call itself; raises EnrolmentError."""
    try:
        key = read_request(request, name, rules)
    except ValueError as error:
        raise refused(applicant.device, str(error)) from None
    if fingerprint(key) in applicant.revoked_keys:
        raise refused(applicant.device, "it presents a key that was revoked")
    return key


def check_place(device: Device, no_tpm: str, rule: TpmRule) -> None:
    """Refuse a key in a file where it must be in a TPM; raises EnrolmentError. `no_tpm` is the laptop's own reason."""
    if rule is TpmRule.REQUIRE and no_tpm:
        raise refused(device, f"its key is in a file and must be in a TPM ([identity] tpm in mvpc.toml): {no_tpm}")


def refused(device: Device, reason: str) -> EnrolmentError:
    """The error that says so, with the next step. A missing token needs no search for its cause."""
    step = f"mvpc device token {device.hostname}"
    hint = f"Make one: {step}" if reason == NONE_MADE else f"Find out why. Then, with a new token: {step}"
    return EnrolmentError(reason, where=device.hostname, hint=hint)


@contextmanager
def recorded(device: Device, recorder: Recorder, *, now: Callable[[], datetime]) -> Iterator[None]:
    """Leave a trace of a refusal in the laptop's history."""
    try:
        yield
    except EnrolmentError as error:
        recorder.refuse(device.hostname, error.problems[0].what, at=now())
        raise


def _host_certificate(device: Device, seams: Seams) -> Certificate:
    name = device.hostname
    if not device.host_key:
        hint = "Read it on the laptop's own screen (cat /etc/ssh/ssh_host_ecdsa_key.pub) and enter it: mvpc device set"
        raise MvpcError("the inventory holds no SSH host key for it", where=name, hint=f"{hint} {name} host_key=...")
    try:
        return seams.ssh_hosts.issue_host(name, device.host_key, now=seams.now())
    except ValueError as error:
        hint = f"Enter its ECDSA host key: mvpc device set {name} host_key=..."
        raise MvpcError(f"its SSH host key cannot be certified: {error}", where=name, hint=hint) from error


def _compare(device: Device, key: PublicKey, seams: Seams) -> None:
    if not seams.same_key(fingerprint(key)):
        raise refused(device, "the words on its screen are not those of the key that arrived")


def _issue(applicant: Applicant, key: PublicKey, host: Certificate, seams: Seams, *, in_tpm: bool) -> None:
    now = seams.now()
    certificates = [replace(seams.devices.issue(applicant.device, key, now=now), in_tpm=in_tpm), host]
    old = [each for each in applicant.issued if not each.revoked_at]
    seams.recorder.revoke(old, REPLACED, at=now)
    seams.recorder.record(certificates, at=now, action="enrol")

"""A new laptop comes to the desk of its controller, which so far knows neither its address nor its SSH host key.

It logs in with its own host key, so sshd has proven that it holds that key, and it knows the controller's from its
image. What it brings is taken down when its token is right, and waits for a person (`mvpc.enrolment.enrol_arrived`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mvpc.device.enrolment import KeyRequest
from mvpc.editions import CertificateRules
from mvpc.enrolment import Applicant, Recorder, check_permission, check_place, check_service, key_of, recorded, refused
from mvpc.identity.ssh import read_public_key
from mvpc.model import Arrival, Device, TpmRule


class ArrivalRecorder(Recorder, Protocol):
    """The register, as the desk needs it."""

    def keep_arrival(self, arrival: Arrival) -> None:
        """Keep what a new laptop brought; what it brought before is void."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Desk:
    """What the desk works with."""

    recorder: ArrivalRecorder
    rules: CertificateRules
    tpm: TpmRule
    others: Iterable[Device]
    """The whole inventory: no two laptops have one host key."""
    now: Callable[[], datetime]


def arrive(applicant: Applicant, asked: KeyRequest, *, host_key: str, address: str, desk: Desk) -> Arrival:
    """Take down what a new laptop brings, after every check that needs no person.

    Raises:
        EnrolmentError: it was refused; the reason is in its history.
        MvpcError: it cannot be enrolled as it is now; nothing was used up.
    """
    device = applicant.device
    check_service(device)
    with recorded(device, desk.recorder, now=desk.now):
        check_permission(applicant, asked, desk.recorder, now=desk.now())
        key_of(applicant, asked.request, asked.serial, desk.rules)
        check_place(device, asked.no_tpm, desk.tpm)
        try:
            read_public_key(host_key, desk.rules)
        except ValueError as error:
            raise refused(device, f"its SSH host key cannot be certified: {error}") from None
        if twin := next((each.hostname for each in desk.others if _are_twins(each, device, host_key)), ""):
            raise refused(device, f"{twin} has the same SSH host key: one is a copy of the other's disk")
    arrival = Arrival(
        device=device.hostname,
        request=asked.request,
        serial=asked.serial,
        generation=asked.generation,
        host_key=host_key,
        address=address,
        at=desk.now(),
        no_tpm=asked.no_tpm,
    )
    desk.recorder.keep_arrival(arrival)
    return arrival


def _are_twins(one: Device, other: Device, host_key: str) -> bool:
    return one.hostname != other.hostname and one.host_key.split()[:2] == host_key.split()[:2]

"""Invent laptops: the same seed gives the same fleet. Names, numbers and addresses say that none of them exists."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from ipaddress import IPv4Network
from random import Random

from mvpc.errors import InputError
from mvpc.model import Device, LifeCycle, Workplace
from mvpc.organisation import Authority, Organisation

_NOWHERE = IPv4Network("198.18.0.0/15")
"""Reserved for benchmarks (RFC 2544): routed nowhere."""

_KIND = b"ecdsa-sha2-nistp256"

_MODELS = {
    ("Lenovo", "ThinkPad T14 Gen 5"): 35,
    ("Dell", "Latitude 5450"): 25,
    ("Fujitsu", "Lifebook U7413"): 20,
    ("HP", "EliteBook 640 G11"): 15,
    ("Lenovo", "ThinkPad P16s Gen 3"): 5,
}
"""Vendor and model -> weight."""

_WORKPLACES = {Workplace.STANDARD: 70, Workplace.MOBILE: 20, Workplace.PERFORMANCE: 7, Workplace.SPECIAL: 3}

_STATES = {LifeCycle.IN_USE: 95, LifeCycle.IMAGED: 3, LifeCycle.SPARE: 2}


def invent(number: int, organisation: Organisation, *, operator: str, on: date, seed: int) -> Iterator[Device]:
    """So many enrolled laptops of the authorities that the operator serves on a day; large authorities and small ones.

    Args:
        number: how many.
        organisation: where they may stand.
        operator: whose authorities get laptops; empty means everybody's.
        on: the day.
        seed: the same one gives the same laptops.

    Raises:
        InputError: the operator serves no authority on that day.
    """
    served = _served(organisation, operator, on)
    if not served:
        raise InputError(f"operator {operator} serves no authority on {on}", hint="See inventory/organisation.yml")
    chance = Random(seed)  # noqa: S311 - invention, not cryptography
    sizes = [chance.paretovariate(1.5) for _ in served]
    for position, owner in enumerate(chance.choices(served, sizes, k=number), start=1):
        yield _laptop(position, owner, chance, on)


def _served(organisation: Organisation, operator: str, on: date) -> Sequence[Authority]:
    return [
        authority
        for authority in organisation.authorities.values()
        if any(on in period.span and operator in {"", period.operator} for period in authority.periods)
    ]


def _laptop(position: int, owner: Authority, chance: Random, on: date) -> Device:
    name = f"sim-{position:06}"
    [(vendor, model)] = chance.choices(list(_MODELS), list(_MODELS.values()))
    [workplace] = chance.choices(list(_WORKPLACES), list(_WORKPLACES.values()))
    [state] = chance.choices(list(_STATES), list(_STATES.values()))
    delivered = on - timedelta(days=chance.randrange(5 * 365))
    return Device(
        inventory_number=f"SIM-{position:06}",
        hostname=name,
        serial=f"SIM{position:06}",
        vendor=vendor,
        model=model,
        workplace=workplace,
        authority=owner.code,
        site=chance.choice(owner.sites),
        room=str(chance.randrange(100, 500)),
        state=state,
        address=str(_NOWHERE[position]),
        host_key=_host_key(name, chance),
        delivered=delivered,
        warranty_until=delivered + timedelta(days=4 * 365),
    )


def _host_key(name: str, chance: Random) -> str:
    """Looks like a key of the kind that every edition of our rules allows (RFC 5656, 3.1), but nobody has its half."""
    point = b"\x04" + hashlib.sha512(f"{name} {chance.random()}".encode()).digest()
    parts = (_KIND, b"nistp256", point)
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"{_KIND.decode()} {base64.b64encode(blob).decode()}"

"""Renew the certificates of 15,000 laptops: `python tests/bench/bench_certificates.py`.

The goal is below 60 CPU-seconds for a device certificate each. Host certificates are measured beside them. A few keys
repeat, since making them is the laptops' work.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import cycle

from cryptography.hazmat.primitives.asymmetric import ec

from mvpc.editions import edition
from mvpc.identity.ssh import SshAuthority, public_line
from mvpc.identity.x509 import DeviceAuthority, certify_oneself
from mvpc.model import Certificate
from mvpc.renewal import due, renewed
from mvpc.testing import a_device

NUMBER = 15_000
THEN = datetime(2026, 11, 23, tzinfo=UTC)
RULES = edition("bsi-tr-02102-2026-01").certificates


def main() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    devices = DeviceAuthority(key=key, certificate=certify_oneself(key, "bench", RULES, now=THEN), rules=RULES)
    hosts = SshAuthority(key=ec.generate_private_key(ec.SECP384R1()), rules=RULES)
    keys = [ec.generate_private_key(ec.SECP384R1()).public_key() for _ in range(20)]
    pattern = a_device()
    fleet = [replace(pattern, number=n, hostname=f"nb-{n:06}") for n in range(1, NUMBER + 1)]
    of_devices = [devices.issue(laptop, each, now=THEN) for laptop, each in zip(fleet, cycle(keys), strict=False)]
    lines = cycle([public_line(each) for each in keys])
    of_hosts = [hosts.issue_host(laptop.hostname, next(lines), now=THEN) for laptop in fleet]
    later = THEN + timedelta(days=61)

    def renew(issued: list[Certificate]) -> list[Certificate]:
        return renewed(due(fleet, issued, now=later), devices, hosts, now=later)

    for name, issued in (("device", of_devices), ("host", of_hosts)):
        wall, cpu, made = measured(partial(renew, issued))
        sys.stdout.write(f"renewed {len(made)} {name} certificates in {wall:.1f} s ({cpu:.1f} s CPU; goal 60)\n")


def measured(work: Callable[[], list[Certificate]]) -> tuple[float, float, list[Certificate]]:
    """Wall and processor seconds of the work, and its result."""
    began, cpu = time.perf_counter(), time.process_time()
    made = work()
    return time.perf_counter() - began, time.process_time() - cpu, made


if __name__ == "__main__":
    main()

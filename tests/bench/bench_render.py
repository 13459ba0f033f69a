"""Compile 15,000 generated laptops of the sample project: `python tests/bench/bench_render.py`.

The goal is below 30 s and 1 GiB on 2 cores. Nothing is kept but digests, as in a plan.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from mvpc.compile import Compiler
from mvpc.model import Device, Workplace
from mvpc.organisation import load_organisation
from mvpc.render import Renderer
from mvpc.secret import Secret
from mvpc.settings import Profiles
from mvpc.testing import a_device

ROOT = Path(__file__).parents[2]
NUMBER = 15_000
DAY = date(2026, 11, 23)
HOST_KEY = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA=="


def fleet(authorities: list[str]) -> list[Device]:
    """Laptops spread over all authorities and workplaces."""
    kinds = list(Workplace)
    pattern = a_device(host_key=HOST_KEY)
    return [
        replace(
            pattern,
            number=number,
            hostname=f"nb-{number:06}",
            authority=authorities[number % len(authorities)],
            workplace=kinds[number % len(kinds)],
        )
        for number in range(1, NUMBER + 1)
    ]


def main() -> None:
    organisation = load_organisation(ROOT)
    devices = fleet([code for ressort in organisation.ressorts for code in organisation.authorities_of(ressort, DAY)])
    profiles = Profiles(ROOT)
    renderer = Renderer(
        catalogue=profiles.catalogue, secrets=lambda name: Secret(f"{name} long enough"), digest_key=b"k" * 32
    )
    compiler = Compiler(profiles, renderer)
    started, cpu = time.perf_counter(), time.process_time()
    digests = {
        device.hostname: [
            part.digest
            for part in compiler.compile(device, organisation.ressort_of(device.authority, DAY)).bundle.components
        ]
        for device in devices
    }
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"compiled {len(digests)} laptops in {wall:.1f} s ({cpu:.1f} s CPU), peak {memory:.0f} MiB\n")


if __name__ == "__main__":
    main()

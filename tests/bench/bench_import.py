"""How long an import of 15,000 rows takes, from the bytes of the file to the stored inventory.

Run it with: python tests/bench/bench_import.py [rows]
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path

from mvpc.inventory.entries import Known
from mvpc.inventory.reading import read_devices
from mvpc.organisation import load_organisation
from mvpc.store.read import Reader
from mvpc.store.write import Store

HEADER = (
    "Inventarnummer;Rechnername;Seriennummer;Hersteller;Modell;Betriebssystem;Arbeitsplatzprofil;Behörde;Standort;Raum"
)
MODELS = (("Lenovo", "ThinkPad T14 Gen 5"), ("Dell", "Latitude 5450"), ("Fujitsu", "Lifebook U7413"))


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 15_000
    organisation = load_organisation(Path(__file__).parents[2])
    data = "\r\n".join([HEADER, *map(row, range(rows))]).encode("cp1252")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state" / "mvpc.db"
        for step in ("first", "again"):
            begin = time.perf_counter()
            store = Store(path)
            with Reader(path) as records:
                known = Known(devices=records.devices(), organisation=organisation, on=date(2026, 12, 1))
            found = read_devices(data, file="devices.csv", known=known)
            checked = time.perf_counter()
            store.save(found.difference, actor="bench", at=datetime.now(tz=UTC), action="import")
            end = time.perf_counter()
            sys.stdout.write(
                f"{step}: {rows} rows ({found.found}), {len(found.difference.new)} new: "
                f"check {checked - begin:.2f} s, store {end - checked:.2f} s, total {end - begin:.2f} s\n"
            )


def row(number: int) -> str:
    vendor, model = MODELS[number % len(MODELS)]
    return (
        f"{number:08};nb-{number:06};PF{number:07X};{vendor};{model};Debian 13;Standard;Finanzamt Schwerin;Schwerin;"
        f"Gebäude {number % 7}, {number % 400}"
    )


if __name__ == "__main__":
    main()

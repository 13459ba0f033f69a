"""What runs on a laptop: compare it with what it should be and, when told to, make it so.

    probe   walk what the ledger remembers and touch nothing: drift and facts
    check   walk the given components and touch nothing: what an apply would do
    apply   the same walk, and every step is taken
    begin   no walk: note that somebody else works on the components now; an apply follows when that is done

Several modules to read, one text to send: `mvpc.device.program` joins `PARTS`, puts `mvpc/device/start.py`
before them and the request behind them, and all of it goes over stdin to `python3 -I -S -` as root. The last
line of stdout is the answer, one JSON object. So a part needs Python >= 3.9, its standard library, and parts
before it, no more.

A walk goes through the phases of `phases.PHASES`. Each looks at the laptop and yields the steps that are
missing. Only an apply takes them, and then the phase must find nothing more to do. Before the first step
the ledger says "unfinished" and names the notifications that must follow; it says "done" last. So a run
that dies anywhere is finished by the next one, and no service that needs a reload is forgotten.
"""

from __future__ import annotations

PARTS = (
    "words",
    "machine",
    "resources",
    "request",
    "ledger",
    "observed",
    "wayin",
    "kept",
    "guard",
    "walk",
    "files",
    "connections",
    "refusing",
    "packagelocks",
    "packages",
    "units",
    "phases",
    "software",
    "killswitch",
    "services",
    "versions",
    "facts",
    "answer",
)
"""The modules of this package. Each imports only from those before it, by `from ... import name`."""

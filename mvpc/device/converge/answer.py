"""The way from a request to its answer: one run at a time, and an answer whatever happens."""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from io import FileIO
from typing import Any

from mvpc.device.converge.facts import cheap_facts, probed_facts
from mvpc.device.converge.guard import Guard
from mvpc.device.converge.kept import confirm
from mvpc.device.converge.ledger import Ledger
from mvpc.device.converge.machine import Machine
from mvpc.device.converge.observed import Observed
from mvpc.device.converge.phases import Report, open_up, walk_through
from mvpc.device.converge.request import Order, read_order
from mvpc.device.converge.resources import Component
from mvpc.device.converge.walk import Run, Walk
from mvpc.device.converge.words import FORMAT, MAX_WORDS, Busy, Failure, Refused, explain

LOCK = "/var/lib/mvpc/lock"
MAX_ANSWER = 1 << 20  # bytes; the controller refuses more
MAX_CHANGES = 200
WRITING = frozenset({"begin", "apply"})


def main(request: Any, machine: Machine | None = None) -> int:
    """Answer a request on stdout. The exit code is 0 whenever there is an answer."""
    os.umask(0o022)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a lost connection must not stop an apply half-way
    answer = respond(request, machine or Machine())
    sys.stdout.write(shortened(answer) + "\n")
    sys.stdout.flush()
    return 0


def respond(request: Any, machine: Machine) -> dict[str, Any]:
    """Carry out a request. Whatever happens, the answer is whole."""
    ledger = Ledger(machine)
    reports: list[Report] = []
    facts: dict[str, Any] = {}
    error = ""
    try:
        order = read_order(request)
        with only_run(machine, order.generation) if order.action in WRITING else nullcontext():
            ledger = Ledger(machine)
            facts = carry_out(order, machine, ledger, reports)
    except Busy as problem:
        reports.extend(not_begun(ledger, each, problem) for each in order.components)
    except (Refused, Failure, OSError) as problem:
        error = explain(problem)
    except Exception as bug:  # noqa: BLE001 - a traceback is no answer, and could show secrets
        error = f"bug in the device program: {type(bug).__name__}"
    return {
        "format": FORMAT,
        "device": machine.hostname(),
        "machine_id": ledger.machine_id,
        "generation": ledger.generation,
        "components": [vars(report) for report in reports],
        "facts": facts,
        "error": error[:MAX_WORDS],
    }


def not_begun(ledger: Ledger, component: Component, problem: Failure) -> Report:
    """What is told of a component that nobody has touched."""
    return Report(component.name, ledger.entry(component.name).digest, problem.outcome, error=explain(problem))


def carry_out(order: Order, machine: Machine, ledger: Ledger, reports: list[Report]) -> dict[str, Any]:
    """Walk over all components, add their reports, and return the facts."""
    if order.action == "probe":
        known = [Component(name, entry.digest, entry.resources) for name, entry in ledger.entries.items()]
        order = order._replace(components=tuple(known))
        confirm(machine)
    elif order.generation < ledger.generation:
        raise Refused(f"generation {order.generation} is older than {ledger.generation}, which was applied already")
    else:
        ledger.next_generation = order.generation
    run = begin(order, machine, ledger)
    walks = [Walk(run, component) for component in order.components]
    reports.extend(map(open_up, walks) if order.action == "begin" else walk_through(walks))
    if order.action in WRITING:
        close(ledger, reports)
    facts = cheap_facts(machine, ledger)
    return {**facts, **probed_facts(machine, run.seen, order)} if order.action == "probe" else facts


def begin(order: Order, machine: Machine, ledger: Ledger) -> Run:
    """What the walks share. Nothing is asked of the laptop yet."""
    resources = [each for component in order.components for each in component.resources]
    resources += [each for entry in ledger.entries.values() for each in entry.resources]
    guard = Guard(machine, order.undo, order.generation)
    words = [word for entry in ledger.entries.values() for word in entry.pending]
    if order.action != "probe":  # which does not tell of what it would have to notify
        words += [word for each in resources for word in getattr(each, "notify", ())]
    owned = {each.identity for each in resources if getattr(each, "ours", False)}
    return Run(machine, order, ledger, Observed(machine, resources, words), owned, guard, walks=[])


def close(ledger: Ledger, reports: Sequence[Report]) -> None:
    """Remember the generation. A disk that already failed a component is not told of twice."""
    try:
        ledger.close()
    except OSError:
        if not any(report.error for report in reports):
            raise


@contextmanager
def only_run(machine: Machine, generation: int) -> Iterator[None]:
    """Hold the lock that only one apply can have; raises Busy when another one keeps it.

    It waits a while: after a controller died, the apply that it began still finishes its component.
    """
    path = machine.path(LOCK)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+b", buffering=0) as lock:
        deadline = time.monotonic() + machine.lock_seconds
        while not locked(lock):
            if time.monotonic() >= deadline:
                raise Busy(f"another run holds {LOCK}{holder(lock)}")
            time.sleep(0.2)
        note(lock, f"generation {generation} since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}")
        try:
            yield
        finally:
            note(lock, "")


def locked(lock: FileIO) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def note(lock: FileIO, text: str) -> None:
    """Tell whoever finds the lock held. It is the lock that counts: a full disk stops nothing here."""
    with suppress(OSError):
        lock.truncate(0)
        lock.write(text.encode())


def holder(lock: FileIO) -> str:
    """What the run that holds the lock has noted; empty when it has not got that far."""
    text = lock.read(100).decode("ascii", "replace")
    return f": {text}" if re.fullmatch(r"generation \d+ since [\dTZ:-]+", text) else ""


def shortened(answer: dict[str, Any]) -> str:
    """The answer as one line of ASCII that fits: long texts are cut, then diffs and changes are left out."""
    for report in answer["components"]:
        more = len(report["changes"]) - MAX_CHANGES
        report["changes"] = [words[:MAX_WORDS] for words in report["changes"][:MAX_CHANGES]]
        report["changes"] += [f"and {more} more"] if more > 0 else []
        report["error"] = report["error"][:MAX_WORDS]
    for left_out in ("diff", "changes"):
        if len(json.dumps(answer)) < MAX_ANSWER:
            break
        for report in answer["components"]:
            report[left_out] = report[left_out][:0]
    return json.dumps(answer)

"""mvpc beside Ansible and pyinfra, on the same laptops, in one run: `LAPTOPS=20 python -m tests.bench.peers`.

All three bring equal laptops of the lab to the same end state; that it is the same is asked of the laptops afterwards.
TOOLS=mvpc,pyinfra,ansible names who takes part. Needs root and the lab's image.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.bench.peers.laptops import BRIDGE, Laptops, laptops, missing
from tests.bench.peers.measure import Meter, Took
from tests.bench.peers.tools import Ansible, Mvpc, Pyinfra, Tool, versions

NEW, NOTHING, ONE, CHOSEN, SINGLE, QUARTER, HALF = (
    "everything new",
    "nothing to do, drift verified",
    "one file of one component changed",
    "the same, task chosen by hand (--tags)",
    "the same on one laptop only",
    "the same on a quarter of the laptops",
    "half switched off: added",
)
GOALS = {
    NOTHING: {"ansible": 50.0, "pyinfra": 5.0},
    ONE: {"ansible": 10.0, "pyinfra": 1.5},
    NEW: {"ansible": 5.0, "pyinfra": 1.0},
}
HALF_SECONDS = 5.0
FIXED_SECONDS, SLOPE = 5.0, 1.2
"""Where p % of the laptops change: at most the fixed part and this many times p % of the time for all."""
SHORT = 20.0
"""Runs that take less (seconds) are done three times, and the median counts."""

Figures = dict[str, dict[str, Took]]
"""Row -> tool -> what it took."""


def main() -> None:
    """Measure, and print the table."""
    if lacking := missing():
        sys.stdout.write(f"left out, since here is no lab; it needs {lacking}\n")
        return
    # Ends like any other error, so that the laptops are taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    number = int(os.environ.get("LAPTOPS", "20"))
    chosen = os.environ.get("TOOLS", "mvpc,pyinfra,ansible").split(",")
    figures: Figures = {row: {} for row in (NOTHING, ONE, CHOSEN, SINGLE, QUARTER, NEW, HALF)}
    with tempfile.TemporaryDirectory(prefix="mvpc-bench-") as folder, laptops(number) as machines:
        room = Path(folder)
        _warm_up(machines)
        for tool in _tools(machines, room):
            if tool.name in chosen:
                _compare(tool, machines, room, figures)
    _print(figures, number)


def _warm_up(machines: Laptops) -> None:
    """Fill the cache of the lab's mirror with the first laptop, so that nobody waits for the archive."""
    machines.renew(machines.names[:1])
    machines.mvpc("rollout", "--device", machines.names[0], "--yes")


def _tools(machines: Laptops, room: Path) -> list[Tool]:
    forks = len(machines.names)
    ours, theirs = Meter(room / "log", machines.root, BRIDGE), Meter(room / "log", room, BRIDGE)
    return [Mvpc(machines, ours), Pyinfra(machines, theirs, room, forks), Ansible(machines, theirs, room, forks)]


def _compare(tool: Tool, machines: Laptops, room: Path, figures: Figures) -> None:
    def note(row: str, took: Took) -> None:
        figures[row][tool.name] = took
        sys.stdout.write(f"{tool.name}: {row}: {took.wall:.1f} s ({took.cpu:.1f} + {took.laptops:.1f} s CPU)\n")
        sys.stdout.flush()

    everyone = machines.names
    machines.change(0)
    machines.renew(everyone)
    tool.prepare()
    note(NEW, tool.run(everyone))
    _same(tool, machines, room)
    note(NOTHING, _typical(lambda _: tool.run(everyone)))
    if not tool.was_idle():
        raise SystemExit(f"{tool.name} found something to do:\n{_tail(room)}")
    note(ONE, _typical(lambda turn: _changed(tool, machines, turn)))
    if isinstance(tool, Ansible):
        _change(tool, machines, 9)
        note(CHOSEN, tool.run_chosen(everyone))
    _same(tool, machines, room)
    if isinstance(tool, Mvpc):
        for row, some in _parts(everyone).items():
            note(row, _typical(lambda turn, some=some: _changed_on(tool, machines, some, turn)))  # type: ignore[misc]
        _changed_on(tool, machines, (), 0)
    awake, asleep = everyone[::2], everyone[1::2]
    without = tool.run(awake)
    machines.switch_off(asleep)
    with_them = tool.run(everyone, away=len(asleep))
    note(HALF, Took(with_them.wall - without.wall, with_them.cpu - without.cpu))


def _changed(tool: Tool, machines: Laptops, turn: int) -> Took:
    _change(tool, machines, turn + 1)
    return tool.run(machines.names)


def _parts(everyone: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Row -> the laptops that change in it."""
    return {SINGLE: everyone[:1], QUARTER: everyone[: max(1, len(everyone) // 4)]}


def _changed_on(tool: Tool, machines: Laptops, names: tuple[str, ...], turn: int) -> Took:
    machines.change_some(names, turn + 20)
    return tool.run(machines.names)


def _change(tool: Tool, machines: Laptops, value: int) -> None:
    machines.change(value)
    tool.prepare()


def _typical(run: Callable[[int], Took]) -> Took:
    took = [run(0)]
    while took[0].wall < SHORT and len(took) < 3:
        took.append(run(len(took)))
    return Took(*(median(getattr(each, what) for each in took) for what in ("wall", "cpu", "laptops")))


def _same(tool: Tool, machines: Laptops, room: Path) -> None:
    if tool.name == "mvpc":
        machines.write_for_peers(room)
    if found := machines.differences(room):
        raise SystemExit(f"after {tool.name} the laptops are not what they should be:\n" + "\n".join(found[:20]))


def _tail(room: Path) -> str:
    return (room / "log").read_text(encoding="utf-8", errors="replace")[-3000:]


def _print(figures: Figures, number: int) -> None:
    out = [f"\n{number} laptops; {versions()}; seconds wall (CPU of controller + laptops), ratio to mvpc, goal\n"]
    for row, tools in figures.items():
        cells = [f"{row:<40}"]
        for name, took in tools.items():
            cost = f"{took.cpu:.1f} + {took.laptops:.1f}"
            cells.append(f"{name} {took.wall:.1f} ({cost}){_ratio(row, name, took, tools)}")
        cells += _bound(row, figures, number)
        out.append(" | ".join(cells))
    sys.stdout.write("\n".join(out) + "\n")


def _bound(row: str, figures: Figures, number: int) -> list[str]:
    """What the row may take at most, where that follows from the time for all."""
    laptops_of = {row: len(names) for row, names in _parts(tuple(map(str, range(number)))).items()}
    if row not in laptops_of or "mvpc" not in figures[ONE]:
        return []
    share = laptops_of[row] / number
    return [f"goal <= {FIXED_SECONDS + SLOPE * share * figures[ONE]['mvpc'].wall:.1f} s"]


def _ratio(row: str, name: str, took: Took, tools: dict[str, Took]) -> str:
    if row == HALF:
        return f", goal <= {HALF_SECONDS:.0f} s" if name == "mvpc" else ""
    ours = tools.get("mvpc") or tools.get("mvpc" if row != CHOSEN else "")
    if name == "mvpc" or ours is None:
        return ""
    goal = GOALS.get(row, {}).get(name)
    wanted = f", goal {goal:g}x" if goal else ""
    return f" = {took.wall / ours.wall:.1f}x, CPU {took.work / ours.work:.1f}x{wanted}"


if __name__ == "__main__":
    main()

"""What a fleet of 15,000 simulated laptops costs the controller: `python tests/bench/bench_fleet.py [laptops]`.

Goals: a plan in 15 s and 1 GiB; a rollout with 20 % away and 1 % hanging that ends by itself below 1 GiB; storing
results at most 2 % of the CPU of a real rollout. Simulated laptops do no work, so this is mvpc's own share.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mvpc.inventory.difference import difference
from mvpc.model import COMPONENTS, ComponentResult, Outcome, Plan
from mvpc.store.read import Reader
from mvpc.store.write import Store
from mvpc.testing import NOON, a_device

ROOT = Path(__file__).parents[2]
GATES_OPEN = "".join(
    f'[[rollout.ring]]\nname = "{name}"\npercent = {percent}\n'
    "max_failed = 100000\nmax_failed_percent = 100\nquorum_percent = 0\n"
    for name, percent in (("pilot", 1), ("early", 10), ("broad", 100))
)
REAL_CPU = 0.49
"""Controller CPU in seconds for one result of a real rollout: one file changed on 8 lab laptops, see figures.md."""


@dataclass(frozen=True)
class Cost:
    wall: float
    cpu: float
    memory: float

    def __str__(self) -> str:
        return f"{self.wall:6.1f} s wall {self.cpu:6.1f} s CPU {self.memory:5.0f} MiB"


def main() -> None:
    laptops = int(sys.argv[1]) if len(sys.argv) > 1 else 15_000
    with tempfile.TemporaryDirectory() as folder:
        root = simulated(Path(folder), laptops)
        say("plan, nothing rolled out yet", mvpc(root, "plan"))
        say("rollout, 20 % away, 1 % hanging", mvpc(root, "rollout", "--all", "--yes", expect=3))
        for command in (
            "status",
            "status sim-000001",
            "rollout list",
            "rollout show 1",
            "rollout report 1 -o page.html",
        ):
            say(command, mvpc(root, *command.split()))
        proportion(root, laptops)
        storage(Path(folder))


def simulated(folder: Path, laptops: int) -> Path:
    """A simulated fleet whose gates let everything pass."""
    for name in ("profiles", "inventory"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "mvpc.toml").write_text(f'[organisation]\noperator = "zdmv"\n{GATES_OPEN}')
    say(f"lab simulate {laptops}", mvpc(folder, "lab", "simulate", str(laptops)))
    return folder / ".mvpc-simulated"


def proportion(root: Path, laptops: int) -> None:
    """Roll out one changed kernel setting to about 0, 1, 10 and 100 % of the fleet."""
    behave(root, away=0, hanging=0, failing=0, component_seconds=0)
    mvpc(root, "rollout", "--all", "--yes")
    for authorities in (), near(root, laptops / 100), near(root, laptops / 10), None:
        changed = touch(root, authorities, laptops)
        say(f"rollout, {changed / laptops:.1%} changed", mvpc(root, "rollout", "--all", "--yes"))


def near(root: Path, wanted: float) -> tuple[str, ...]:
    """Some authorities that have about so many laptops together."""
    chosen: list[str] = []
    found = sizes(root)
    if wanted < min(found.values()):
        return (min(found, key=found.__getitem__),)
    for code, number in sorted(found.items(), key=lambda each: -each[1]):
        if number <= wanted * 1.02:
            chosen.append(code)
            wanted -= number
    return tuple(chosen)


def touch(root: Path, authorities: tuple[str, ...] | None, fleet: int) -> int:
    """Change a setting of these authorities, or of the whole fleet; returns how many laptops that concerns."""
    if authorities is None:
        base = root / "profiles" / "base.yml"
        base.write_text(base.read_text().replace("kernel.dmesg_restrict: 1", "kernel.dmesg_restrict: 0"))
        return fleet
    for code in authorities:
        layer = f"base: {{sysctl: {{kernel.panic: {len(authorities)}}}}}\n"
        (root / "profiles" / "authorities" / f"{code}.yml").write_text(layer)
    return sum(sizes(root)[code] for code in authorities)


def sizes(root: Path) -> Counter[str]:
    """Laptops of each authority that has no layer of its own in the sample project, which is left as it is."""
    own = {path.stem for path in (ROOT / "profiles" / "authorities").glob("*.yml")}
    with Reader(root / ".mvpc" / "mvpc.db") as reader:
        return Counter(device.authority for device in reader.devices() if device.authority not in own)


def storage(folder: Path, *, results: int = 20_000, together: int = 50) -> None:
    """What the Recorder needs for a result, beside what a real rollout needs for it in all."""
    store = Store(folder / "storage" / "mvpc.db")
    devices = [a_device(f"nb-{number:06}", number=0) for number in range(results // len(COMPONENTS))]
    store.save(difference([], devices), actor="bench", at=NOON, action="add")
    rollout = store.begin_rollout(
        Plan(scope="all", changes=(), skipped=(), ressorts={}, hash="h"), actor="bench", at=NOON
    )
    found = [
        ComponentResult(
            device=device.hostname,
            component=component,
            outcome=Outcome.CHANGED,
            digest="d" * 64,
            at=NOON,
            changes=("file /etc/sysctl.d/60-mvpc.conf updated (content)",) * 3,
        )
        for device in devices
        for component in COMPONENTS
    ]
    inputs = {(each.device, each.component): {f"base.sysctl.x{at}": at for at in range(15)} for each in found}
    for size in (1, together):
        some = found[: 500 * size][: len(found)]
        begun = time.process_time()
        for at in range(0, len(some), size):
            part = some[at : at + size]
            store.record(rollout, part, {key: inputs[key] for key in ((each.device, each.component) for each in part)})
        each = (time.process_time() - begun) / len(some)
        share = each / REAL_CPU
        sys.stdout.write(f"store results, {size} at a time: {each * 1000:.2f} ms CPU each, {share:.2%} of a real one\n")


def behave(root: Path, **chances: float) -> None:
    (root / "simulated.toml").write_text("".join(f"{name} = {value}\n" for name, value in chances.items()))


def mvpc(folder: Path, *arguments: str, expect: int = 0) -> Cost:
    begun = time.perf_counter()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "mvpc", *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != expect:
        sys.exit(f"{arguments}: exit {process.returncode}\n{(folder / 'output').read_text()[-2000:]}")
    return Cost(time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def say(what: str, cost: Cost) -> None:
    sys.stdout.write(f"{what:<36}{cost}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

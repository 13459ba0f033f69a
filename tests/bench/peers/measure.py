"""Wall time of a command, CPU of the controller with all that it starts, and CPU of the laptops meanwhile."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_GROUPS = (Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))
_NAME = "mvpc-bench-peers"
_ENTER = 'echo $$ >"$0/cgroup.procs" && exec "$@"'
_SECONDS = 1800


@dataclass(frozen=True, slots=True)
class Took:
    """What a command cost."""

    wall: float
    cpu: float
    laptops: float = 0.0
    """CPU seconds of all laptops together: unlike wall, hardly changed by what else this machine has to do."""

    @property
    def work(self) -> float:
        """CPU seconds at both ends."""
        return self.cpu + self.laptops


@dataclass(frozen=True, slots=True)
class Meter:
    """Measures commands. Everything they print goes to `log`."""

    log: Path
    folder: Path
    bridge: str
    """Of the lab whose laptops work for the command."""

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str],
        expect: Sequence[int] = (0,),
        cwd: Path | None = None,
    ) -> Took:
        """Run to the end, and fail loudly when it ends otherwise than expected."""
        group = _group()
        enter = ["sh", "-c", _ENTER, str(group)] if group else []
        with self.log.open("wb") as log:
            cpu, laptops, began = _cpu(group), _laptops_cpu(self.bridge), time.perf_counter()
            done = subprocess.run(
                [*enter, *argv],
                cwd=cwd or self.folder,
                env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=_SECONDS,
                check=False,
            )
            wall = time.perf_counter() - began
        # SSH clients that wait for the next task (ControlPersist) belong to the run, and end with it.
        _end_rest(group)
        if done.returncode not in expect:
            raise SystemExit(f"{argv[0]} ended with {done.returncode}:\n{self.text()[-4000:]}")
        return Took(wall, _cpu(group) - cpu, _laptops_cpu(self.bridge) - laptops)

    def text(self) -> str:
        """What the last command printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")


def _group() -> Path | None:
    """A control group that counts CPU time of whatever is started, also of what outlives its parent."""
    for parent in _GROUPS:
        if (parent / "cgroup.procs").exists():
            with suppress(OSError):
                (parent / _NAME).mkdir(exist_ok=True)
                return parent / _NAME
    return None


def _cpu(group: Path | None) -> float:
    if group is None:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
    if (group / "cpuacct.usage").exists():
        return int((group / "cpuacct.usage").read_text()) / 1e9
    return int((group / "cpu.stat").read_text().split()[1]) / 1e6


def _laptops_cpu(bridge: str) -> float:
    """CPU seconds of all laptops of a lab so far; 0 where systemd keeps their control groups elsewhere."""
    stats = [each for parent in _GROUPS for each in parent.glob(f"mvpc-lab-{bridge}-*/cpu.stat")]
    return sum(int(each.read_text().split()[1]) for each in stats) / 1e6


def _end_rest(group: Path | None) -> None:
    while group and (left := (group / "cgroup.procs").read_text().split()):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGTERM)
        time.sleep(0.05)

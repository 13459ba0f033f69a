"""What is: one question per tool for all resources of a run, asked when it is first needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mvpc.device.converge.machine import NOT_FOUND, Machine, run_well
from mvpc.device.converge.resources import Package, Unit
from mvpc.device.converge.words import Failure, gist

UNIT_QUESTIONS = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Type,RemainAfterExit,Result,"
    "ConditionResult,ConditionTimestampMonotonic,ExecMainExitTimestampMonotonic"
)


class UnitState(NamedTuple):
    """What systemd says of a unit (org.freedesktop.systemd1(5))."""

    says: Mapping[str, str]

    @property
    def masked(self) -> bool:
        """Whether it cannot be started at all."""
        return self.says["UnitFileState"] == "masked"

    @property
    def starts_at_boot(self) -> bool:
        """Whether enabling it would change nothing."""
        return self.says["UnitFileState"] in {"enabled", "static", "alias", "indirect", "generated"}

    @property
    def enabled(self) -> bool:
        """Whether disabling it would change something."""
        return self.says["UnitFileState"] in {"enabled", "enabled-runtime"}

    @property
    def active(self) -> bool:
        """Whether it runs now; one that is about to be started once more after a crash does not."""
        state = self.says["ActiveState"]
        starting = state == "activating" and not self.says["SubState"].startswith("auto-restart")
        return starting or state in {"active", "reloading", "refreshing"}

    @property
    def settled(self) -> bool:
        """Whether starting it would change nothing: it runs, has done its work, or does not want to run here."""
        never = {"", "0"}
        unwilling = self.says["ConditionResult"] == "no" and self.says["ConditionTimestampMonotonic"] not in never
        once = self.says["Type"] == "oneshot" and self.says["RemainAfterExit"] == "no"
        ended_well = self.says["Result"] == "success" and self.says["ExecMainExitTimestampMonotonic"] not in never
        return self.active or unwilling or (once and ended_well)


class Observed:
    """What the tools of the laptop say about all resources of a run, until told to look again."""

    def __init__(self, machine: Machine, resources: Sequence[Any], notifications: Iterable[str]) -> None:
        self.machine = machine
        self.package_names = sorted({each.name for each in resources if isinstance(each, Package)})
        notified = {word.split()[1] for word in notifications if " " in word}
        self.unit_names = sorted({each.name for each in resources if isinstance(each, Unit)} | notified)
        self._answers: dict[str, Any] = {}

    def forget(self, questions: Iterable[str]) -> None:
        """Ask again when next needed: `packages`, `units`, `connections`."""
        for question in questions:
            self._answers.pop(question, None)

    def version(self, package: str) -> str:
        """The installed version; empty when the package is not (completely) installed."""
        if "packages" not in self._answers:
            self._answers["packages"] = ask_dpkg(self.machine, self.package_names)
        return str(self._answers["packages"].get(package, ""))

    def unit(self, name: str) -> UnitState:
        """The state of a unit, which need not exist."""
        return UnitState(self._units()[0][name])

    def failed_units(self) -> list[str]:
        """Names of all units of the laptop that have failed; none when systemd does not answer."""
        try:
            return self._units()[1]
        except Failure:
            return []

    def _units(self) -> tuple[dict[str, dict[str, str]], list[str]]:
        if "units" not in self._answers:
            self._answers["units"] = ask_systemd(self.machine, self.unit_names)
        answer: tuple[dict[str, dict[str, str]], list[str]] = self._answers["units"]
        return answer

    def connections(self) -> list[dict[str, str]] | None:
        """What NetworkManager knows; None while it does not run."""
        if "connections" not in self._answers:
            self._answers["connections"] = ask_network_manager(self.machine)
        answer: list[dict[str, str]] | None = self._answers["connections"]
        return answer


def ask_dpkg(machine: Machine, names: Sequence[str]) -> dict[str, str]:
    """Installed package -> version, under its plain name and under `name:architecture`."""
    if not names:
        return {}
    layout = "${db:Status-Status} ${Package} ${Architecture} ${Version}\n"
    ran = machine.run(["dpkg-query", "--show", f"--showformat={layout}", "--", *names])
    if ran.code > 1:  # 1: some are unknown, which is an answer
        raise Failure(f"dpkg-query: {gist(ran.err)}")
    rows = [line.split() for line in ran.out.splitlines()]
    installed = [row[1:] for row in rows if len(row) == 4 and row[0] == "installed"]
    return {key: version for name, arch, version in installed for key in (name, f"{name}:{arch}")}


def ask_systemd(machine: Machine, names: Sequence[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Unit -> its properties, where units that do not exist answer too; and the names of all units that have failed."""
    # A state limits only what a pattern finds, so one process answers both questions.
    argv = ["systemctl", "show", "--state=failed", f"--property={UNIT_QUESTIONS}", "--", *names, "*"]
    blocks = [block for block in run_well(machine, *argv).strip("\n").split("\n\n") if block]
    if len(blocks) < len(names):
        raise Failure(f"systemctl show: {len(blocks)} answers to {len(names)} questions")
    blank = dict.fromkeys(UNIT_QUESTIONS.split(","), "")
    said = [{**blank, **dict(line.split("=", 1) for line in block.splitlines() if "=" in line)} for block in blocks]
    return dict(zip(names, said)), [each["Id"] for each in said[len(names) :]]  # noqa: B905 - `strict` is younger


def ask_network_manager(machine: Machine) -> list[dict[str, str]] | None:
    """Connections with id, uuid, type and state; None while NetworkManager does not run."""
    ran = machine.run(["nmcli", "--terse", "--fields", "NAME,UUID,TYPE,STATE", "connection", "show"])
    if ran.code in {NOT_FOUND, 8}:  # 8: NetworkManager is not running, nmcli(1)
        return None
    if ran.code != 0:
        raise Failure(f"nmcli: {gist(ran.err)}")
    rows = [re.split(r"(?<!\\):", line) for line in ran.out.splitlines()]
    plain = [[re.sub(r"\\(.)", r"\1", cell) for cell in row] for row in rows if len(row) == 4]
    return [{"id": name, "uuid": uuid, "type": kind, "state": state} for name, uuid, kind, state in plain]

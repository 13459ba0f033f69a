# GNU General Public License v3.0 or later (see LICENSE)
"""Action `mvpc.fleet.converge`: one laptop, one SSH round trip. Documented in plugins/modules/converge.py."""

from __future__ import annotations

import json
import resource
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

from mvpc.device import PYTHON, Answer, ComponentAnswer, parse_answer, program, undo_source
from mvpc.device.converge.guard import AT_STAKE
from mvpc.errors import MvpcError
from mvpc.model import HostWork, Outcome
from mvpc.text import safe

SPEC = {
    "components": {"type": "list", "elements": "str", "required": True},
    "journal": {"type": "str", "choices": ["begin", "end", "failed"]},
}
TOO_MUCH = "the laptop talks without end; it was cut off"
SHUT_OUT = "after the change nobody could get in any more, and the laptop has not come back yet by taking it back"
AGAIN_SECONDS, AGAIN_PAUSE = 240, 2
"""How long to try to get in again, and how long to wait before each try. The laptop takes a change back after 180."""
SPARE_MEMORY = 64 << 20
"""Bytes that a worker may need for a laptop beyond what it has at the start."""
SPARE_SECONDS = 15
"""CPU seconds that a worker may need for a laptop; it usually needs a fraction of one."""


class ActionModule(ActionBase):  # noqa: D101 - see the module documentation
    TRANSFERS_FILES = False
    _supports_async = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Send the program and the components; returns what the laptop says has happened."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(SPEC)
        names, journal, variables = arguments["components"], arguments["journal"], task_vars or {}
        if journal == "failed":
            return result | _given_up(names, variables)
        if journal == "begin":
            return result if self._task.check_mode else result | self._begin(_bundle(variables), names)
        action, bundle = "check" if self._task.check_mode else "apply", _bundle(variables)
        try:
            answer = self._ask(action, bundle, names)
        except AnsibleConnectionFailure as broken:
            said = str(broken)
            if AT_STAKE not in said:
                raise
            answer = later = self._recover(bundle, names, AnsibleConnectionFailure(said.replace(AT_STAKE, "")))
        else:
            later = self._get_in_again(bundle) if answer.facts.get("unconfirmed") is True else answer
        return result | _told(names, answer, _taken_back(bundle, later))

    def _recover(self, bundle: Mapping[str, Any], names: Sequence[str], broken: AnsibleConnectionFailure) -> Answer:
        """The answer that was lost with its session, from the laptop's ledger.

        A laptop whose lid was closed has not been cut off by the change: it is unreachable, as the session said.
        """
        try:
            later = self._get_in_again(bundle)
        except AnsibleActionFail:
            raise broken from None
        answer = _reconstructed(bundle, names, later)
        if _taken_back(bundle, later) or all(part.outcome == Outcome.CHANGED for part in answer.components):
            return answer
        raise broken

    def _get_in_again(self, bundle: Mapping[str, Any]) -> Answer:
        """Confirm a change of the way in, over a new connection: the one that is open proves nothing any more.

        Returns what the laptop says once the change is confirmed or taken back.
        """
        deadline = time.monotonic() + AGAIN_SECONDS
        while time.monotonic() < deadline:
            time.sleep(AGAIN_PAUSE)
            self._connection.reset()
            with suppress(AnsibleConnectionFailure, AnsibleActionFail):
                answer = self._ask("probe", bundle, [])
                if answer.facts.get("unconfirmed") is False:
                    return answer
        raise AnsibleActionFail(SHUT_OUT)

    def _begin(self, bundle: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
        answer = self._ask("begin", bundle, names)
        if answer.error:
            raise AnsibleActionFail(safe(answer.error, limit=400))
        return {"changed": False}

    def _ask(self, action: str, bundle: Mapping[str, Any], names: Sequence[str]) -> Answer:
        source = program(
            {
                "format": 1,
                "action": action,
                "device": bundle["device"],
                "generation": bundle["generation"],
                "diff": bool(self._task.diff),
                "updates": False,
                "undo": undo_source() if action == "apply" else "",
                "components": [_component(bundle, name) for name in names],
            }
        )
        _limit_worker()
        # With input Ansible asks for no terminal, so the answer comes unmixed; see `exec_command` of its ssh plugin.
        try:
            ran = self._low_level_execute_command(PYTHON, in_data=source.encode())
        except MemoryError:
            raise AnsibleActionFail(TOO_MUCH) from None
        try:
            return parse_answer(ran["stdout"])
        except ValueError as error:
            raise AnsibleActionFail(_no_answer(ran["rc"], ran["stderr"], error)) from None


def _bundle(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the laptop should be: from the file that mvpc wrote, or else rendered from the project."""
    try:
        if path := variables.get("mvpc_bundle_file"):
            stored: dict[str, Any] = json.loads(Path(str(path)).read_text(encoding="utf-8"))
            return stored
        if root := variables.get("mvpc_project"):
            return _render(Path(str(root)), str(variables["inventory_hostname"]))
    except MvpcError as error:
        raise AnsibleActionFail("; ".join(map(str, error.problems))) from error
    except OSError as error:
        raise AnsibleActionFail(f"the bundle cannot be read ({error.strerror})") from error
    raise AnsibleActionFail("there is no bundle for this host. Use the inventory inventory/mvpc.yml")


def _render(root: Path, hostname: str) -> Mapping[str, Any]:
    # Here, since mvpc's own runs never need them, and they import much.
    from mvpc.fleet import Fleet, Selection  # noqa: PLC0415
    from mvpc.playbook.folder import bundle_data  # noqa: PLC0415
    from mvpc.project import load_project  # noqa: PLC0415
    from mvpc.store.read import Reader  # noqa: PLC0415

    project = load_project(root)
    fleet = Fleet(project, on=datetime.now().astimezone().date())
    [device] = fleet.select(Selection(devices=(hostname,)))
    with Reader(project.database) as reader:
        newest = reader.rollouts(limit=1)
        seen = reader.device_states([hostname]).get(hostname)
    # Laptops accept no older generation than the one they have, which may be higher after a lost database.
    generation = max(newest[0].id if newest else 0, seen.generation if seen else 0)
    bundle = fleet.compile(device).bundle
    return bundle_data(HostWork(device=device, bundle=bundle, components=bundle.names, generation=generation))


def _component(bundle: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    for component in bundle["components"]:
        if component["name"] == name:
            found: Mapping[str, Any] = component
            return found
    raise AnsibleActionFail(f"the bundle of {bundle['device']} has no component {name}")


def _limit_worker() -> None:
    """Let a laptop that talks without end exhaust this worker, which serves no other, and not the controller."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _limit(resource.RLIMIT_AS, pages * resource.getpagesize() + SPARE_MEMORY)
    signal.signal(signal.SIGXCPU, _too_much)
    _limit(resource.RLIMIT_CPU, int(time.process_time()) + SPARE_SECONDS)


def _limit(what: int, soft: int) -> None:
    resource.setrlimit(what, (soft, resource.getrlimit(what)[1]))


def _too_much(*_: object) -> None:
    raise AnsibleActionFail(TOO_MUCH)


def _no_answer(rc: int, stderr: str, error: ValueError) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()]
    said = f": {safe(lines[-1], limit=300)}" if lines else ""
    return f"the laptop gave no valid answer ({safe(error, limit=200)}; exit code {rc}){said}"


def _given_up(names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of components whose role failed; the callback knows why, and site.yml reads the fact."""
    before = variables.get("ansible_facts", {}).get("mvpc_failed_roles", ())
    nothing = {"outcome": str(Outcome.FAILED), "digest": "", "changes": [], "error": ""}
    return {
        "changed": False,
        "mvpc_components": [{"name": name, **nothing} for name in names],
        "ansible_facts": {"mvpc_failed_roles": [*before, *names]},
    }


def _reconstructed(bundle: Mapping[str, Any], names: Sequence[str], later: Answer) -> Answer:
    """What a laptop would have answered whose session broke: its ledger has the digests of what is done."""
    held = {part.name: part.digest for part in later.components}
    blank = ComponentAnswer(name="", digest="", outcome=str(Outcome.CHANGED), changes=(), error="", diff="")
    undone = replace(blank, outcome=str(Outcome.DEFERRED), error="the session broke before it was done")
    parts = [
        replace(blank, name=name, digest=digest) if held.get(name) == digest else replace(undone, name=name)
        for name, digest in ((name, _component(bundle, name)["digest"]) for name in names)
    ]
    return replace(later, components=tuple(parts))


@dataclass(frozen=True)
class TakenBack:
    """What a laptop took back of what this very rollout had made of it."""

    components: frozenset[str]
    outcome: Outcome
    why: str

    def __bool__(self) -> bool:
        return bool(self.components)


def _taken_back(bundle: Mapping[str, Any], later: Answer) -> TakenBack:
    """What the laptop says of it. One that was started again by somebody waits: that is no fault of the change."""
    told = later.facts.get("undone")
    if not isinstance(told, dict) or told.get("generation") != bundle["generation"]:
        return TakenBack(frozenset(), Outcome.UNCHANGED, "")
    components = told.get("components")
    return TakenBack(
        frozenset(map(str, components)) if isinstance(components, list) else frozenset(),
        Outcome.DEFERRED if told.get("booting") is True else Outcome.ROLLED_BACK,
        f"taken back: {told.get('reason')}",
    )


def _told(names: Sequence[str], answer: Answer, taken_back: TakenBack) -> dict[str, Any]:
    parts = [_as_it_is(part, taken_back) for part in answer.components if part.name in names]
    missing = sorted(set(names) - {part.name for part in parts})
    if answer.error or missing:
        raise AnsibleActionFail(safe(answer.error or f"the laptop's answer lacks {', '.join(missing)}", limit=400))
    failed = [part for part in parts if not Outcome(part.outcome).is_done]
    told: dict[str, Any] = {
        "changed": any(part.outcome == Outcome.CHANGED for part in parts),
        "failed": bool(failed),
        "msg": safe("; ".join(f"{part.name}: {part.error}" for part in failed), limit=400),
        "mvpc_components": [_told_of(part) for part in parts],
    }
    if diff := "".join(part.diff for part in parts):
        told["diff"] = [{"prepared": "\n".join(map(safe, diff.split("\n")))}]
    return told


def _as_it_is(part: ComponentAnswer, taken_back: TakenBack) -> ComponentAnswer:
    if part.name not in taken_back.components:
        return part
    return replace(part, outcome=str(taken_back.outcome), digest="", error=taken_back.why)


def _told_of(part: ComponentAnswer) -> dict[str, Any]:
    return {
        "name": part.name,
        "outcome": part.outcome,
        "digest": part.digest,
        "changes": [safe(change, limit=400) for change in part.changes],
        "error": safe(part.error, limit=400),
    }

# GNU General Public License v3.0 or later (see LICENSE)
"""Callback `mvpc.fleet.events`: what happened, as JSON lines."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: events
type: notification
short_description: One JSON object per line for everything that mvpc.fleet.converge did
version_added: 0.1.0
description:
  - The only output of mvpc's own runs, which use it as their C(stdout_callback).
  - Every line has C(event) and C(at) (UTC). C(start) has nothing else, C(finish) has C(hosts), the number of laptops
    that were tried. C(result) is one component of a laptop and has C(host), C(component), C(outcome) (V(changed),
    V(unchanged), V(deferred), V(failed), V(rolled_back) or V(needs_repair)), C(changes), C(digest) and C(error).
    C(lost) is a laptop of which nothing more will come, and has C(host), C(outcome) (V(failed) or V(unreachable)) and
    C(error). C(trouble) has C(host) and C(text); it is a failure of another task or a warning of Ansible.
  - Lists and texts are cut, so that no laptop can fill a disk.
options:
  descriptor:
    description: Number of an inherited file descriptor that lines are written to.
    type: int
    env:
      - name: MVPC_EVENTS_FD
  file:
    description: File that lines are appended to when there is no descriptor. Without both, standard output is used.
    type: path
    env:
      - name: MVPC_EVENTS_FILE
requirements:
  - enable it with C(callbacks_enabled), or as C(stdout_callback)
author:
  - The mvpc authors (@mvpc)
"""

CONVERGE = "mvpc.fleet.converge"
LOCKED = ("Could not get lock /var/", "frontend lock was locked by another process")
"""What apt and dpkg say when somebody else works on packages; both end with an error that is none of the role's."""
MAX_CHANGES = 200
MAX_TEXT = 2000


class CallbackModule(CallbackBase):  # noqa: D101 - see DOCUMENTATION
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "mvpc.fleet.events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._out: TextIO = sys.stdout
        self._changed: dict[str, list[str]] = {}
        """Laptop -> tasks that changed something since its current role of the site began."""
        self._failed: dict[str, str] = {}
        """Laptop -> what failed last."""

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Open what the options name."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        if (descriptor := self.get_option("descriptor")) is not None:
            # SSH clients and their masters must not hold the pipe open.
            os.set_inheritable(descriptor, False)
            self._out = open(descriptor, "w", encoding="ascii")  # noqa: PTH123, SIM115 - open to the end
        elif path := self.get_option("file"):
            self._out = open(path, "a", encoding="ascii", opener=_private)  # noqa: SIM115

    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ARG002
        """Say that the run has begun."""
        self._write("start")

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Say that the run has come to its end."""
        self._write("finish", hosts=len(stats.processed))

    def v2_runner_on_ok(self, result: Any) -> None:
        """Tell what came of the components of a laptop."""
        self._warn(result)
        host = result.host.get_name()
        if _journal(result) == "begin":
            self._changed[host], self._failed[host] = [], ""
        elif not self._results(result) and result.is_changed():
            self._changed.setdefault(host, []).append(f"task {result.task.name or result.task.action}")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Tell which components failed, or that the laptop gave no answer at all."""
        self._warn(result)
        if self._results(result):
            return
        if result.task.action == CONVERGE and not _journal(result):
            self._lost(result, "failed")
        elif not ignore_errors:
            self._failed[result.host.get_name()] = _why(result)
            self._trouble(result.host.get_name(), _why(result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Tell that the laptop did not answer, and what SSH said."""
        self._lost(result, "unreachable")

    def _results(self, result: Any) -> bool:
        """Tell what the laptop said of each component; False when it said nothing."""
        told = result.result.get("mvpc_components") if result.task.action == CONVERGE else None
        for part in told or ():
            self._result(result.host.get_name(), part if not _journal(result) else self._with_role(result, part))
        return bool(told)

    def _with_role(self, result: Any, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """What came of a component whose work other tasks have done: their changes and their failure."""
        host = result.host.get_name()
        changes = [*part["changes"], *self._changed.pop(host, ())]
        outcome = "changed" if changes and part["outcome"] == "unchanged" else part["outcome"]
        why = self._failed.pop(host, "") or "the role failed"
        error = part["error"] or (why if outcome == "failed" else "")
        if outcome == "failed" and any(words in error for words in LOCKED):
            outcome = "deferred"
        return {**part, "changes": changes, "outcome": outcome, "error": error}

    def _result(self, host: str, part: Mapping[str, Any]) -> None:
        self._write(
            "result",
            host=host,
            component=_cut(part["name"]),
            outcome=_cut(part["outcome"]),
            changes=[_cut(change) for change in part["changes"][:MAX_CHANGES]],
            digest=_cut(part["digest"]),
            error=_cut(part["error"]),
        )

    def _lost(self, result: Any, outcome: str) -> None:
        self._write("lost", host=result.host.get_name(), outcome=outcome, error=_cut(result.result.get("msg", "")))

    def _warn(self, result: Any) -> None:
        for warning in result.result.get("warnings") or ():
            self._trouble(result.host.get_name(), warning)

    def _trouble(self, host: str, text: object) -> None:
        self._write("trouble", host=host, text=_cut(text))

    def _write(self, event: str, **fields: Any) -> None:
        line = {"event": event, "at": datetime.now(tz=UTC).isoformat(timespec="milliseconds"), **fields}
        try:
            print(json.dumps(line), file=self._out, flush=True)
        except BrokenPipeError:
            # Nobody listens any more: mvpc was killed, and what is not recorded must not go on.
            os.kill(os.getpid(), signal.SIGTERM)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _journal(result: Any) -> str:
    """Which entry of a role's journal the task writes; empty for every other task."""
    return str(result.task.args.get("journal", "")) if result.task.action == CONVERGE else ""


def _why(result: Any) -> str:
    """The failure in words: the task, what it says, and the first line of what its command said."""
    told = result.result
    failed = [item for item in told.get("results") or () if isinstance(item, dict) and item.get("failed")]
    told = failed[0] if failed else told
    said = str(told.get("msg") or told.get("reason") or told.get("censored") or "failed").removeprefix("Task failed: ")
    lines = [line.strip() for line in str(told.get("stderr") or "").splitlines() if line.strip()]
    said = f"{said}: {lines[0]}" if lines else said
    return said if _journal(result) else f"task {result.task.name or result.task.action}: {said}"


def _cut(text: object) -> str:
    shown = str(text)
    return shown if len(shown) <= MAX_TEXT else shown[:MAX_TEXT] + "…"

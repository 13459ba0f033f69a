"""Everything that mvpc writes: the inventory with its history, rollouts, results and probes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from mvpc.inventory.difference import DeviceChange, ImportDifference
from mvpc.model import ANY_TIME, ROLLED_OUT_STATES, ComponentResult, Outcome, Plan, Probe, RolloutState, Schedule
from mvpc.outcomes import count_worst
from mvpc.store import answers, deferred, inventory, leases, rows, seen, tables
from mvpc.store.bulk import many, put
from mvpc.store.database import migrate, open_engine, writing
from mvpc.store.heartbeat import beating
from mvpc.store.process import BEAT_SECONDS, beat, is_alive, own_process
from mvpc.store.tables import table_of

_ROLLOUT = table_of(tables.RolloutTable)
_PLAN = table_of(tables.RolloutPlanRow)
_APPROVAL = table_of(tables.ApprovalRow)
_PROOF = table_of(tables.ProofRow)
_INPUTS = table_of(tables.ComponentInputs)
_RESULT = table_of(tables.ComponentResultRow)
_COMPONENT = table_of(tables.ComponentStateRow)


class Store:
    """The database, opened for writing; made or migrated when it must be. Fulfils `rollout.Recorder`.

    Each method is one transaction and durable when it returns. Threads may share a store.

    Raises:
        MvpcError: (all methods) the database is damaged, in use, or written by a newer mvpc.
    """

    def __init__(self, path: Path) -> None:
        migrate(path)
        self._path = path
        self._engine = open_engine(path)

    def save(self, difference: ImportDifference, *, actor: str, at: datetime, action: str) -> None:
        """Store new and changed devices with one history entry each, all or nothing.

        Nothing waits any more for a laptop that leaves service. One with another host key was enrolled anew: what the
        old one proved says nothing of it, and what waited for the old one is gone.

        Raises:
            MvpcError: a device has changed since the difference was made, or a name is taken; nothing was stored.
        """
        with writing(self._engine, self._path) as connection:
            entry = {"at": rows.moment(at), "actor": actor, "action": action}
            inventory.store(connection, difference, entry, self._path)
            deferred.forget(
                connection, [change.before.number for change in difference.changed if _waits_no_more(change)]
            )
            seen.forget(
                connection, [change.before.number for change in difference.changed if _is_enrolled_anew(change)]
            )

    def begin_rollout(self, plan: Plan, *, actor: str, at: datetime, schedule: Schedule = ANY_TIME) -> int:
        """Store plan and schedule, take the devices for us alone, and return the rollout's number, ever rising.

        Raises:
            RolloutError: somebody else is rolling out to one of the devices; nothing was stored.
        """
        row = {
            "started": rows.moment(at),
            **_running(actor),
            "ring": 0,
            "scope": plan.scope,
            "plan_hash": plan.hash,
            "schedule": rows.schedule_text(schedule),
            "counts": "{}",
        }
        with writing(self._engine, self._path) as connection:
            number = int(connection.execute(insert(_ROLLOUT).returning(_ROLLOUT.c.id), row).scalar_one())
            connection.execute(insert(_PLAN), {"rollout": number, "plan": rows.plan_text(plan)})
            leases.take(connection, number, inventory.numbers(connection, plan.devices, self._path))
            return number

    def resume_rollout(self, rollout: int, *, devices: Sequence[str], actor: str) -> None:
        """Take the devices again and mark the rollout as running.

        Raises:
            RolloutError: it is running already, or is over, or somebody else has one of the devices.
        """
        with writing(self._engine, self._path) as connection:
            leases.require_rest(connection, rollout)
            leases.take(connection, rollout, inventory.numbers(connection, devices, self._path))
            row = {**_running(actor), "ended": None}
            connection.execute(update(_ROLLOUT).where(_ROLLOUT.c.id == rollout), row)

    def keep_alive(self, rollout: int) -> AbstractContextManager[None]:
        """Give signs of life for a rollout while the context is open, so that its laptops stay ours."""
        return beating(lambda: self._beat(rollout), seconds=BEAT_SECONDS)

    def _beat(self, rollout: int) -> None:
        with writing(self._engine, self._path) as connection:
            connection.execute(update(_ROLLOUT).where(_ROLLOUT.c.id == rollout), {"beat": beat()})

    def reach_ring(self, rollout: int, ring: int) -> RolloutState | None:
        """Note the ring that begins now; returns what somebody wished meanwhile, or None.

        Raises:
            RolloutError: somebody else has taken over, since we gave no signs of life.
        """
        here = _ROLLOUT.c.id == rollout
        with writing(self._engine, self._path) as connection:
            leases.require(connection, rollout)
            connection.execute(update(_ROLLOUT).where(here), {"ring": ring})
            wish = connection.execute(select(_ROLLOUT.c.wish).where(here)).scalar_one()
        return RolloutState(wish) if wish else None

    def postpone(self, rollout: int, until: datetime) -> None:
        """Let the rollout touch no laptop before this moment; other limits of its schedule stay."""
        here = _ROLLOUT.c.id == rollout
        with writing(self._engine, self._path) as connection:
            schedule = rows.schedule(connection.execute(select(_ROLLOUT.c.schedule).where(here)).scalar_one())
            later = max(until, schedule.not_before or until)
            text = rows.schedule_text(replace(schedule, not_before=later))
            connection.execute(update(_ROLLOUT).where(here), {"schedule": text})

    def wish(self, rollout: int, state: RolloutState, *, reason: str = "by a person") -> None:
        """Ask a running rollout to pause or to end; one that rests is brought to that state at once, for that reason.

        Nothing waits for a cancelled rollout any more.
        """
        here = _ROLLOUT.c.id == rollout
        with writing(self._engine, self._path) as connection:
            found = connection.execute(select(_ROLLOUT).where(here)).one()
            if found.state == RolloutState.RUNNING and is_alive(found.process, found.beat):
                connection.execute(update(_ROLLOUT).where(here), {"wish": str(state)})
                return
            leases.dispossess(connection, rollout)
            connection.execute(update(_ROLLOUT).where(here), {"state": str(state), "reason": reason})
            if state is RolloutState.CANCELLED:
                deferred.withdraw(connection, rollout)

    def withdraw(self, rollout: int) -> int:
        """Let nothing wait for a rollout any more; returns how many laptops that were."""
        with writing(self._engine, self._path) as connection:
            return deferred.withdraw(connection, rollout)

    def approve(self, plan_hash: str, *, approver: str, at: datetime) -> None:
        """Note a person's word for a plan."""
        with writing(self._engine, self._path) as connection:
            row = {"plan_hash": plan_hash, "approver": approver, "at": rows.moment(at)}
            connection.execute(upsert(_APPROVAL).values(row).on_conflict_do_nothing())

    def record(
        self,
        rollout: int,
        results: Sequence[ComponentResult],
        inputs: Mapping[tuple[str, str], Mapping[str, object]],
    ) -> None:
        """Store results of components, with the settings that they were made from.

        A laptop that was not reached, or was busy, proves nothing: its result is kept, what it last proved stays.

        Raises:
            RolloutError: somebody else has taken over, since we gave no signs of life; nothing was stored.
        """
        with writing(self._engine, self._path) as connection:
            leases.require(connection, rollout)
            numbers = inventory.numbers(connection, {result.device for result in results}, self._path)
            proved = [result for result in results if not result.outcome.waits]
            digests = _store_inputs(connection, proved, inputs)
            put(connection, _RESULT, [_result_row(rollout, numbers, result) for result in results])
            put(connection, _COMPONENT, [_state_row(rollout, numbers, digests, result) for result in proved])
            seen.forget_drift(connection, numbers, proved)
            deferred.note(connection, rollout, numbers, results)

    def confirm(
        self, proofs: Sequence[ComponentResult], inputs: Mapping[tuple[str, str], Mapping[str, object]]
    ) -> None:
        """Store what laptops proved when they were asked: it outweighs what we remembered of them."""
        if not proofs:
            return
        with writing(self._engine, self._path) as connection:
            numbers = inventory.numbers(connection, {proof.device for proof in proofs}, self._path)
            digests = _store_inputs(connection, proofs, inputs)
            found = [_state_row(None, numbers, digests, proof) for proof in proofs]
            put(connection, _COMPONENT, found, only=("outcome", "digest", "inputs_digest", "at", "error"))
            deferred.note(connection, 0, numbers, proofs)

    def settle(self, devices: Sequence[str]) -> None:
        """Let nothing wait for these laptops any more: they need nothing, or somebody purged it."""
        with writing(self._engine, self._path) as connection:
            deferred.forget(connection, inventory.numbers(connection, devices, self._path).values())

    def record_probes(self, probes: Sequence[Probe]) -> None:
        """Store what laptops said. One that did not answer as itself leaves standing what it said before."""
        answers.record_probes(self._path, probes)

    def record_software(self, probes: Sequence[Probe]) -> None:
        """Store what laptops said about their software. The last answer of one that gave none stays."""
        with writing(self._engine, self._path) as connection:
            numbers = inventory.numbers(connection, {probe.device for probe in probes}, self._path)
            seen.note_software(connection, numbers, probes)

    def record_proofs(self, rollout: int, devices: Sequence[str]) -> None:
        """Store which laptops said that they are what the rollout wanted."""
        with writing(self._engine, self._path) as connection:
            numbers = inventory.numbers(connection, devices, self._path)
            found = [{"rollout": rollout, "device": number} for number in numbers.values()]
            many(connection, upsert(_PROOF).on_conflict_do_nothing(), found)

    def end_rollout(self, rollout: int, *, at: datetime, state: RolloutState, reason: str) -> None:
        """Let the rollout come to rest, count its devices over all its legs, and give them free.

        Does nothing when somebody else has taken over. What waits for it replaces what waited before; nothing waits
        for a cancelled one.
        """
        ended = {"ended": rows.moment(at), "state": str(state), "reason": reason, "wish": ""}
        query = select(_RESULT.c.device, _RESULT.c.outcome).where(_RESULT.c.rollout == rollout)
        with writing(self._engine, self._path) as connection:
            if not leases.is_ours(connection, rollout):
                return
            worst = count_worst((row.device, Outcome(row.outcome)) for row in connection.execute(query))
            row = ended | {"counts": rows.packed({str(outcome): number for outcome, number in worst.items()})}
            connection.execute(update(_ROLLOUT).where(_ROLLOUT.c.id == rollout), row)
            leases.give_back(connection, rollout)
            deferred.supersede(connection, rollout)
            if state is RolloutState.CANCELLED:
                deferred.withdraw(connection, rollout)


def _waits_no_more(change: DeviceChange) -> bool:
    return _is_enrolled_anew(change) or change.after.state not in ROLLED_OUT_STATES


def _is_enrolled_anew(change: DeviceChange) -> bool:
    return bool(change.before.host_key) and change.after.host_key != change.before.host_key


def _running(actor: str) -> dict[str, str]:
    return {
        "state": str(RolloutState.RUNNING),
        "reason": "",
        "wish": "",
        "process": own_process(),
        "beat": beat(),
        "actor": actor,
    }


def _store_inputs(
    connection: Connection,
    results: Sequence[ComponentResult],
    inputs: Mapping[tuple[str, str], Mapping[str, object]],
) -> dict[tuple[str, str], str]:
    """Store each distinct set of settings once; returns (device, component) -> its digest."""
    digests, texts = {}, {}
    for result in results:
        key = (result.device, result.component)
        if key in inputs:
            text = rows.packed(dict(inputs[key]))
            digests[key] = hashlib.sha256(text.encode()).hexdigest()
            texts[digests[key]] = text
    known = [{"digest": digest, "inputs": text} for digest, text in texts.items()]
    many(connection, upsert(_INPUTS).on_conflict_do_nothing(), known)
    return digests


def _result_row(rollout: int | None, numbers: Mapping[str, int], result: ComponentResult) -> dict[str, Any]:
    return {
        "rollout": rollout,
        "device": numbers[result.device],
        "component": result.component,
        "outcome": str(result.outcome),
        "digest": result.digest,
        "at": rows.moment(result.at),
        "changes": rows.packed(list(result.changes)),
        "error": result.error,
    }


def _state_row(
    rollout: int | None, numbers: Mapping[str, int], digests: Mapping[tuple[str, str], str], result: ComponentResult
) -> dict[str, Any]:
    row = _result_row(rollout, numbers, result)
    del row["changes"]
    return row | {"inputs_digest": digests.get((result.device, result.component))}

"""The fleet as numbers, in the Prometheus text format 0.0.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from mvpc.model import LifeCycle, Outcome, RolloutRecord, RolloutState
from mvpc.report.figures import worst
from mvpc.sample import surprises
from mvpc.text import safe


@dataclass(frozen=True, slots=True)
class _Sample:
    value: int
    labels: Mapping[str, str]


def metrics_text(
    *,
    devices: Mapping[tuple[str, LifeCycle], int],
    waiting: int,
    expired: int,
    last: RolloutRecord | None,
    simulated: bool = False,
) -> str:
    """What Prometheus reads. Without any rollout there are no numbers about the last one.

    Args:
        devices: number of devices by ressort code and state.
        waiting: number of devices that something waits for.
        expired: number of devices for which the time of a change has passed.
        last: the latest rollout that a person began.
        simulated: whether the fleet is. Its numbers have names of their own, which no rule for the real fleet matches.
    """
    prefix = "mvpc_simulated" if simulated else "mvpc"
    fleet = [_Sample(number, {"ressort": code, "state": state}) for (code, state), number in sorted(devices.items())]
    lines = [
        *_family(f"{prefix}_devices", "Devices in the inventory.", fleet),
        *_family(f"{prefix}_waiting_devices", "Devices that a change waits for.", [_Sample(waiting, {})]),
        *_family(f"{prefix}_expired_devices", "Devices that a change waited for in vain.", [_Sample(expired, {})]),
        *(_last_rollout(last, f"{prefix}_last_rollout") if last else ()),
    ]
    return "".join(f"{line}\n" for line in lines)


def _last_rollout(last: RolloutRecord, name: str) -> Iterator[str]:
    began = [_Sample(int(last.row.started.timestamp()), {})]
    yield from _family(f"{name}_timestamp_seconds", "When the latest rollout was started.", began)
    counts = Counter(worst(last.results).values())
    outcomes = [_Sample(counts[outcome], {"outcome": outcome}) for outcome in Outcome]
    yield from _family(f"{name}_devices", "Devices of the latest rollout by worst outcome.", outcomes)
    proved = [_Sample(len(last.verified), {})]
    yield from _family(f"{name}_verified_devices", "Devices that proved afterwards to be what it wanted.", proved)
    differing = {result.device for result in surprises(last.plan, last.results)}
    sample = [_Sample(len(last.plan.sample), {})]
    yield from _family(f"{name}_sample_devices", "Unchanged devices that it walked in full.", sample)
    meaning = "Devices of the sample that were not unchanged; anything but 0 means that digests or probes lie."
    yield from _family(f"{name}_sample_differing", meaning, [_Sample(len(differing), {})])
    states = [_Sample(last.row.state is state, {"state": state}) for state in RolloutState]
    yield from _family(f"{name}_state", "1 for the state of the latest rollout, 0 for others.", states)


def _family(name: str, meaning: str, samples: list[_Sample]) -> Iterator[str]:
    if not samples:
        return
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} gauge"
    for sample in samples:
        labels = ",".join(f'{key}="{_escaped(value)}"' for key, value in sample.labels.items())
        yield f"{name}{{{labels}}} {sample.value:d}" if labels else f"{name} {sample.value:d}"


def _escaped(value: str) -> str:
    return safe(value).replace("\\", "\\\\").replace('"', '\\"')

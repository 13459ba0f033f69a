"""The values that cross module borders. All frozen; none of them knows a database, a file or a screen."""

from __future__ import annotations

from mvpc.model.answers import ComponentResult, ComponentState, Deferred, DeviceSeen, Outcome, Probe, Reach
from mvpc.model.bundles import (
    COMPONENTS,
    Bundle,
    Component,
    Connection,
    File,
    Origin,
    Package,
    Resource,
    Scalar,
    Source,
    Unit,
)
from mvpc.model.devices import (
    HOSTNAME,
    NEXT_STATES,
    ROLLED_OUT_STATES,
    Device,
    DeviceEvent,
    Filter,
    LifeCycle,
    Workplace,
)
from mvpc.model.plans import Action, Change, Gate, Plan, PlannedRing, Ring, Skip, Skipped
from mvpc.model.rollouts import RESUMABLE, HostWork, RolloutRecord, RolloutRow, RolloutState

__all__ = [
    "COMPONENTS",
    "HOSTNAME",
    "NEXT_STATES",
    "RESUMABLE",
    "ROLLED_OUT_STATES",
    "Action",
    "Bundle",
    "Change",
    "Component",
    "ComponentResult",
    "ComponentState",
    "Connection",
    "Deferred",
    "Device",
    "DeviceEvent",
    "DeviceSeen",
    "File",
    "Filter",
    "Gate",
    "HostWork",
    "LifeCycle",
    "Origin",
    "Outcome",
    "Package",
    "Plan",
    "PlannedRing",
    "Probe",
    "Reach",
    "Resource",
    "Ring",
    "RolloutRecord",
    "RolloutRow",
    "RolloutState",
    "Scalar",
    "Skip",
    "Skipped",
    "Source",
    "Unit",
    "Workplace",
]

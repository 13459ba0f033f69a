"""The tables. Migrations under `migrations/` make them; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table
from sqlmodel import Field, SQLModel


def table_of(model: type[SQLModel]) -> Table:
    """The table behind a model, for statements in bulk."""
    table: Table = model.__table__  # type: ignore[attr-defined] # SQLModel adds it
    return table


_NUMBERED = {"sqlite_autoincrement": True}
"""A number is never given twice, not even after its row is gone."""


def _name() -> Column[str]:
    """Unique in any case: `PF12` and `pf12` are one serial number."""
    return Column(String(collation="NOCASE"), nullable=False, unique=True)


class DeviceRow(SQLModel, table=True):
    """One laptop. Rows are never deleted: a retired device keeps its number and names."""

    __tablename__ = "device"
    __table_args__ = _NUMBERED

    number: int | None = Field(default=None, primary_key=True)
    inventory_number: str = Field(sa_column=_name())
    hostname: str = Field(sa_column=_name())
    serial: str = Field(sa_column=_name())
    vendor: str
    model: str
    os: str
    workplace: str
    authority: str = Field(index=True)
    site: str
    room: str
    state: str = Field(index=True)
    address: str
    host_key: str
    delivered: str | None = None
    warranty_until: str | None = None


class DeviceEventRow(SQLModel, table=True):
    """History of devices. Triggers refuse to change or delete entries."""

    __tablename__ = "device_event"
    __table_args__ = _NUMBERED

    id: int | None = Field(default=None, primary_key=True)
    device: int = Field(foreign_key="device.number", index=True)
    at: str
    actor: str
    action: str
    changes: str
    """JSON: field -> [before, after]."""


class RolloutTable(SQLModel, table=True):
    """One rollout, in a small row: SQLite reads all of it for its last column, and writes all of it at most changes."""

    __tablename__ = "rollout"
    __table_args__ = _NUMBERED

    id: int | None = Field(default=None, primary_key=True)
    started: str
    ended: str | None = None
    state: str
    reason: str
    ring: int
    wish: str
    """What somebody asked of a running rollout: paused, cancelled, or nothing."""
    process: str
    """Who is at work, as `store.process` names it; empty when the laptops were taken from it."""
    beat: str
    """When that process last gave a sign of life."""
    schedule: str
    """JSON: when it may touch laptops."""
    actor: str
    scope: str
    plan_hash: str
    counts: str
    """JSON: outcome -> devices; empty until the rollout has ended."""


class RolloutPlanRow(SQLModel, table=True):
    """The plan of a rollout, which never changes, and has megabytes for a whole fleet."""

    __tablename__ = "rollout_plan"

    rollout: int = Field(
        sa_column=Column(Integer, ForeignKey("rollout.id"), primary_key=True, autoincrement=False, nullable=False)
    )
    plan: str
    """JSON."""


class LeaseRow(SQLModel, table=True):
    """A laptop that a rollout has for itself; it holds as long as that rollout's process gives signs of life."""

    __tablename__ = "lease"

    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    rollout: int = Field(foreign_key="rollout.id")


class ApprovalRow(SQLModel, table=True):
    """A second person's word for a plan."""

    __tablename__ = "approval"

    plan_hash: str = Field(primary_key=True)
    approver: str = Field(primary_key=True)
    at: str


class ProofRow(SQLModel, table=True):
    """A laptop that said at the end of its ring that it is what the rollout wanted."""

    __tablename__ = "proof"

    rollout: int = Field(foreign_key="rollout.id", primary_key=True)
    device: int = Field(foreign_key="device.number", primary_key=True)


class DeferredRow(SQLModel, table=True):
    """A component that waits for its laptop to wake up."""

    __tablename__ = "deferred"

    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    component: str = Field(primary_key=True)
    rollout: int = Field(foreign_key="rollout.id")
    """The newest rollout that did not reach it."""
    since: str
    """When the first one did not."""
    digest: str
    """What it would have been brought to."""


class CertificateRow(SQLModel, table=True):
    """A certificate that was issued. Revoked ones stay: lists of revocations are made from them."""

    __tablename__ = "certificate"
    __table_args__ = (Index("ix_certificate_device", "device", "kind"),)

    kind: str = Field(primary_key=True)
    serial: str = Field(primary_key=True)
    device: int | None = Field(default=None, foreign_key="device.number")
    """None for user certificates."""
    name: str
    not_before: str
    not_after: str
    fingerprint: str
    text: str
    in_tpm: bool
    actor: str
    revoked_at: str | None = None
    reason: str


class EnrolmentTokenRow(SQLModel, table=True):
    """A one-time token; of the token itself only a hash."""

    __tablename__ = "enrolment_token"
    __table_args__ = _NUMBERED

    id: int | None = Field(default=None, primary_key=True)
    device: int = Field(foreign_key="device.number", index=True)
    hash: str
    serial: str
    ressort: str
    expires: str
    used_at: str | None = None


class ArrivalRow(SQLModel, table=True):
    """A new laptop that waits for a person to compare its key; gone when that is decided."""

    __tablename__ = "arrival"

    device: int = Field(primary_key=True, foreign_key="device.number")
    request: str
    serial: str
    generation: int
    host_key: str
    address: str
    at: str
    no_tpm: str


class ComponentInputs(SQLModel, table=True):
    """Settings that components were made from, each distinct set once."""

    __tablename__ = "component_inputs"

    digest: str = Field(primary_key=True)
    inputs: str
    """JSON: path -> value, without secrets."""


class ComponentResultRow(SQLModel, table=True):
    """What happened to one component of one laptop in one rollout."""

    __tablename__ = "component_result"
    __table_args__ = (Index("ix_component_result_device", "device", "rollout"),)

    rollout: int = Field(foreign_key="rollout.id", primary_key=True)
    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    component: str = Field(primary_key=True)
    outcome: str
    digest: str
    at: str
    changes: str
    """JSON list."""
    error: str


class ComponentStateRow(SQLModel, table=True):
    """What one component of one laptop last proved."""

    __tablename__ = "component_state"

    device: int = Field(foreign_key="device.number", primary_key=True)
    component: str = Field(primary_key=True)
    outcome: str
    digest: str
    inputs_digest: str | None = Field(default=None, foreign_key="component_inputs.digest")
    at: str
    rollout: int | None = Field(default=None, foreign_key="rollout.id")
    """None when the laptop proved it without any rollout of this database."""
    error: str


class DeviceStateRow(SQLModel, table=True):
    """What probes and rollouts last learned of one laptop."""

    __tablename__ = "device_state"

    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    at: str
    reach: str
    detail: str
    last_seen: str | None = None
    generation: int
    digests: str
    drift: str
    facts: str


class SoftwareStateRow(SQLModel, table=True):
    """What one laptop last said about its software."""

    __tablename__ = "software_state"

    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    asked: str
    reach: str
    detail: str
    answered: str | None = None
    packages: str
    """JSON: package -> version."""
    checks: str
    """JSON: product -> why it does not work."""


class ServiceStateRow(SQLModel, table=True):
    """Whether one laptop last reached one central service."""

    __tablename__ = "service_state"

    device: int = Field(sa_column=Column(Integer, ForeignKey("device.number"), primary_key=True, autoincrement=False))
    product: str = Field(primary_key=True)
    name: str
    url: str
    state: str
    detail: str
    at: str
    since: str
    """When it began to be reachable, or not to be."""

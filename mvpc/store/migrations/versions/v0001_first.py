"""The first tables: inventory with history, certificates, rollouts with results, what is known of each laptop."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _inventory()
    _identity()
    _rollouts()
    _state()


def downgrade() -> None:
    """Remove all tables."""
    for table in (
        "service_state",
        "software_state",
        "device_state",
        "component_state",
        "component_result",
        "component_inputs",
        "approval",
        "proof",
        "deferred",
        "lease",
        "rollout_plan",
        "rollout",
        "arrival",
        "enrolment_token",
        "certificate",
        "device_event",
        "device",
    ):
        op.drop_table(table)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(), nullable=nullable)


def _name(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(collation="NOCASE"), nullable=False, unique=True)


def _device(*, key: bool = False) -> sa.Column[int]:
    reference = sa.ForeignKey("device.number")
    return sa.Column("device", sa.Integer(), reference, primary_key=key, nullable=False, autoincrement=False)


def _inventory() -> None:
    op.create_table(
        "device",
        sa.Column("number", sa.Integer(), primary_key=True),
        *map(_name, ("inventory_number", "hostname", "serial")),
        *map(_text, ("vendor", "model", "os", "workplace", "authority", "site", "room", "state")),
        *map(_text, ("address", "host_key")),
        _text("delivered", nullable=True),
        _text("warranty_until", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_device_authority", "device", ["authority"])
    op.create_index("ix_device_state", "device", ["state"])
    op.create_table(
        "device_event",
        sa.Column("id", sa.Integer(), primary_key=True),
        _device(),
        *map(_text, ("at", "actor", "action", "changes")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_device_event_device", "device_event", ["device"])
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER device_event_no_{verb.lower()} BEFORE {verb} ON device_event "
            "BEGIN SELECT RAISE(ABORT, 'the history of devices is append-only'); END"
        )


def _identity() -> None:
    op.create_table(
        "certificate",
        sa.Column("kind", sa.String(), primary_key=True),
        sa.Column("serial", sa.String(), primary_key=True),
        sa.Column("device", sa.Integer(), sa.ForeignKey("device.number"), nullable=True),
        *map(_text, ("name", "not_before", "not_after", "fingerprint", "text")),
        sa.Column("in_tpm", sa.Boolean(), nullable=False),
        _text("actor"),
        _text("revoked_at", nullable=True),
        _text("reason"),
    )
    op.create_index("ix_certificate_device", "certificate", ["device", "kind"])
    op.create_table(
        "enrolment_token",
        sa.Column("id", sa.Integer(), primary_key=True),
        _device(),
        *map(_text, ("hash", "serial", "ressort", "expires")),
        _text("used_at", nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_enrolment_token_device", "enrolment_token", ["device"])
    op.create_table(
        "arrival",
        sa.Column("device", sa.Integer(), sa.ForeignKey("device.number"), primary_key=True),
        *map(_text, ("request", "serial")),
        sa.Column("generation", sa.Integer(), nullable=False),
        *map(_text, ("host_key", "address", "at", "no_tpm")),
    )


def _rollouts() -> None:
    op.create_table(
        "rollout",
        sa.Column("id", sa.Integer(), primary_key=True),
        _text("started"),
        _text("ended", nullable=True),
        *map(_text, ("state", "reason")),
        sa.Column("ring", sa.Integer(), nullable=False),
        *map(_text, ("wish", "process", "beat", "schedule", "actor", "scope", "plan_hash", "counts")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "rollout_plan",
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), primary_key=True, autoincrement=False),
        _text("plan"),
    )
    op.create_table(
        "lease",
        _device(key=True),
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), nullable=False),
    )
    op.create_table(
        "deferred",
        _device(key=True),
        sa.Column("component", sa.String(), primary_key=True),
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), nullable=False),
        *map(_text, ("since", "digest")),
    )
    op.create_table(
        "approval",
        sa.Column("plan_hash", sa.String(), primary_key=True),
        sa.Column("approver", sa.String(), primary_key=True),
        _text("at"),
    )
    op.create_table(
        "proof",
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), primary_key=True),
        sa.Column("device", sa.Integer(), sa.ForeignKey("device.number"), primary_key=True),
    )
    op.create_table(
        "component_inputs",
        sa.Column("digest", sa.String(), primary_key=True),
        _text("inputs"),
    )
    op.create_table(
        "component_result",
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), primary_key=True),
        _device(key=True),
        sa.Column("component", sa.String(), primary_key=True),
        *map(_text, ("outcome", "digest", "at", "changes", "error")),
    )
    op.create_index("ix_component_result_device", "component_result", ["device", "rollout"])


def _state() -> None:
    op.create_table(
        "component_state",
        _device(key=True),
        sa.Column("component", sa.String(), primary_key=True),
        *map(_text, ("outcome", "digest")),
        sa.Column("inputs_digest", sa.String(), sa.ForeignKey("component_inputs.digest"), nullable=True),
        _text("at"),
        sa.Column("rollout", sa.Integer(), sa.ForeignKey("rollout.id"), nullable=True),
        _text("error"),
    )
    op.create_table(
        "device_state",
        _device(key=True),
        *map(_text, ("at", "reach", "detail")),
        _text("last_seen", nullable=True),
        sa.Column("generation", sa.Integer(), nullable=False),
        *map(_text, ("digests", "drift", "facts")),
    )
    op.create_table(
        "software_state",
        _device(key=True),
        *map(_text, ("asked", "reach", "detail")),
        _text("answered", nullable=True),
        *map(_text, ("packages", "checks")),
    )
    op.create_table(
        "service_state",
        _device(key=True),
        sa.Column("product", sa.String(), primary_key=True),
        *map(_text, ("name", "url", "state", "detail", "at", "since")),
    )

"""The site's own Ansible roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from mvpc.catalogue import Presence
from mvpc.strict import StrictModel


class RoleChoice(StrictModel):
    """A role that is planned, rolled out and taken off like a component of mvpc."""

    state: Presence = "present"
    """absent: the role is no longer run; its tasks/remove.yml is, once, where it has one."""
    variables: Mapping[str, Any] = {}
    """Variables of the role, each with the role's name in front: printers_server. Plain data, never templates."""
    max_age_days: Annotated[int, Field(ge=1, le=365)] = 30
    """After so many days the role is run again: what it did cannot be looked at from outside."""

"""The lab of this project."""

from __future__ import annotations

from ipaddress import IPv4Network

from mvpc.cli.context import current_project
from mvpc.errors import InputError
from mvpc.lab import Lab


def open_lab() -> Lab:
    """The lab that `mvpc.toml` describes.

    Raises:
        InputError: its addresses are no network, or all laptops of this project are simulated.
    """
    project = current_project()
    project.require_real()
    try:
        addresses = IPv4Network(project.lab_addresses)
    except ValueError as error:
        raise InputError(f"lab.addresses is no network ({error})", where="mvpc.toml") from error
    return Lab(project.lab_home, project.lab_bridge, addresses)

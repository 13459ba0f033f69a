"""What `mvpc lab air` does: bring profiles and the device authority to the access points of the lab."""

from __future__ import annotations

from pathlib import Path

from mvpc.cli.context import today
from mvpc.errors import InputError, MvpcError
from mvpc.fleet import Fleet, Selection
from mvpc.lab import Broadcast, Lab, Login, Trust
from mvpc.project import Project

ANY_NAME = "radius.mv.example"
"""What the server is called where no profile says it."""


def fill_air(project: Project, lab: Lab) -> tuple[dict[str, list[str]], Path]:
    """Start the RADIUS server and every access point; what each virtual machine hears, and whom to trust.

    Raises:
        InputError: no virtual machine runs.
        MvpcError: there are no authorities yet, or they have not published their list.
    """
    running = [each.hostname for each in lab.list() if each.kind == "vm" and each.running]
    if not running:
        raise InputError("no virtual machine runs, and nothing else has air", hint="Boot one: mvpc lab up --vm 1")
    fleet = Fleet(project, on=today())
    broadcasts = {hostname: _broadcast(fleet, hostname) for hostname in running}
    radius = lab.raise_radius(_names(broadcasts), _trust(project))
    for hostname, broadcast in broadcasts.items():
        lab.send_out(hostname, broadcast, radius, Login(project.ssh_user, project.ssh_key))
    heard = {name: _told(made) for name, made in broadcasts.items()}
    return heard, radius.authority


def _broadcast(fleet: Fleet, hostname: str) -> Broadcast:
    [device] = fleet.select(Selection(devices=(hostname,)))
    wifi = fleet.profile_of(device).settings.wifi
    networks = {name: network for name, network in wifi.networks.items() if network.state == "present"}
    wired = wifi.wired if wifi.wired and wifi.wired.state == "present" else None
    keys = {name: fleet.secrets(network.psk.secret) for name, network in networks.items() if network.psk}
    if not networks:
        raise InputError(f"the profile of {hostname} has no wireless network", hint="Add one below wifi.networks")
    return Broadcast(networks=networks, keys=keys, wired=wired)


def _names(broadcasts: dict[str, Broadcast]) -> list[str]:
    """Every name by which a profile wants to know the RADIUS server."""
    found = [each for made in broadcasts.values() for each in (*made.networks.values(), made.wired) if each]
    return sorted({each.eap.domain_match for each in found if each.eap}) or [ANY_NAME]


def _trust(project: Project) -> Trust:
    chain, revoked = project.publish / "devices.pem", project.publish / "devices.crl"
    try:
        return Trust(authority=chain.read_text(encoding="ascii"), revoked=revoked.read_bytes())
    except OSError as error:
        hint = "Make them: mvpc ca init, then mvpc ca publish"
        what = "the RADIUS server needs the device authority and its list of revoked certificates"
        raise MvpcError(what, where=str(project.publish), hint=hint) from error


def _told(broadcast: Broadcast) -> list[str]:
    networks = broadcast.networks.values()
    heard = [f"{each.ssid} ({each.security}{', hidden' if each.hidden else ''})" for each in networks]
    return heard + (["cable0 (802.1X)"] if broadcast.wired else [])

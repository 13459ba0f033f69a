"""The bridge that laptops hang on, and the cable of each laptop."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from mvpc.errors import InputError, LabError
from mvpc.lab.host import run
from mvpc.lab.journal import Journal, Kind, Made

INSIDE = "host0"
"""The name of a laptop's network interface, as systemd-nspawn(1) names it."""


@dataclass(frozen=True, slots=True)
class Network:
    """The network of one lab. The controller has the first address; laptops follow from the eleventh on."""

    bridge: str
    addresses: IPv4Network

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9]{0,8}", self.bridge):
            raise InputError("a bridge name has at most nine lower-case letters and digits", where=self.bridge)
        if not 16 <= self.addresses.prefixlen <= 27:
            raise InputError("the lab's network must be between /16 and /27", where=str(self.addresses))

    @property
    def controller(self) -> IPv4Address:
        """The address of the bridge itself."""
        return self.addresses[1]

    def free_address(self, taken: set[str]) -> IPv4Address:
        """The lowest laptop address that nobody has; raises LabError when the network is full."""
        last = self.addresses.num_addresses - 1
        for number in range(11, last):
            if str(self.addresses[number]) not in taken:
                return self.addresses[number]
        raise LabError(f"the lab's network {self.addresses} is full", hint="Stop laptops: mvpc lab down HOSTNAME")

    def namespace(self, hostname: str) -> str:
        """The name of a laptop's network namespace; its container has the same name."""
        return f"{self.bridge}-{hostname}"

    def hardware_address(self, address: str) -> str:
        """The same for each boot, as with real laptops: else the controller sends to the old one for half a minute."""
        return "02:6d:" + ":".join(f"{byte:02x}" for byte in IPv4Address(address).packed)

    def cable(self, address: str) -> str:
        """The name of a laptop's interface on the bridge, at most 15 characters."""
        number = int(IPv4Address(address)) - int(self.addresses.network_address)
        return f"{self.bridge}v{number}"


def make_bridge(network: Network, journal: Journal) -> None:
    """Make the bridge unless it is there already.

    Raises:
        LabError: its name or its addresses belong to somebody else.
    """
    made = Made(Kind.INTERFACE, network.bridge)
    if Path("/sys/class/net", network.bridge).exists():
        if made not in journal.entries():
            hint = "Choose another name for the lab's bridge"
            raise LabError(f"the interface {network.bridge} exists and is not the lab's", hint=hint)
    else:
        _refuse_overlap(network)
        journal.note(made)
        # An address of its own: by itself a bridge takes that of a cable, and would still hear a laptop cut off there.
        address = network.hardware_address(str(network.controller))
        run(["ip", "link", "add", network.bridge, "address", address, "type", "bridge"])
    # Said again for a bridge that a crash left half made.
    prefix = f"{network.controller}/{network.addresses.prefixlen}"
    run(["ip", "address", "replace", prefix, "dev", network.bridge])
    run(["ip", "link", "set", network.bridge, "up"])


def lay_cable(network: Network, hostname: str, address: str) -> None:
    """Make the laptop's network namespace with its interface and address.

    There is no default route: the lab reaches nothing but the controller, and says so at once.
    """
    namespace, cable = network.namespace(hostname), network.cable(address)
    outside = (
        f"netns add {namespace}",
        f"link add {cable} type veth peer name {INSIDE} address {network.hardware_address(address)} netns {namespace}",
        f"link set {cable} master {network.bridge} up",
    )
    inside = (
        f"address add {address}/{network.addresses.prefixlen} dev {INSIDE}",
        f"link set {INSIDE} up",
        "link set lo up",
    )
    run(["ip", "-batch", "-"], stdin="\n".join(outside) + "\n")
    run(["ip", "-netns", namespace, "-batch", "-"], stdin="\n".join(inside) + "\n")


def plug_tap(network: Network, address: str) -> None:
    """Make the interface on the bridge whose other end a virtual machine holds."""
    cable = network.cable(address)
    commands = f"tuntap add dev {cable} mode tap\nlink set {cable} master {network.bridge} up\n"
    run(["ip", "-batch", "-"], stdin=commands)


def cut_off(network: Network, address: str) -> None:
    """Take the laptop's cable off the bridge. Setting it down instead would keep it away for a second afterwards.

    The loose end must not answer ARP: Linux would, for any address of the controller, and then be heard.
    """
    run(["ip", "link", "set", network.cable(address), "arp", "off", "nomaster"])


def let_in(network: Network, address: str) -> None:
    """Put the laptop's cable back, and make the controller forget that nobody answered."""
    neighbour = f"{address} lladdr {network.hardware_address(address)} dev {network.bridge} nud stale"
    commands = f"link set {network.cable(address)} arp on master {network.bridge}\nneighbour replace {neighbour}\n"
    run(["ip", "-batch", "-"], stdin=commands)


def _refuse_overlap(network: Network) -> None:
    for route in json.loads(run(["ip", "-json", "-4", "route", "show", "table", "all"])):
        target = str(route.get("dst", "default"))
        if route.get("type", "unicast") != "unicast" or target == "default":
            continue
        if IPv4Network(target, strict=False).overlaps(network.addresses):
            place = f"{target} dev {route.get('dev', '?')}"
            hint = "Choose another network for the lab"
            raise LabError(f"the lab's network {network.addresses} overlaps the route {place}", hint=hint)

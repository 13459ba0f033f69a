"""Settings: the strict schema of a merged profile, and the profiles of all devices."""

from __future__ import annotations

from mvpc.settings.base import Apt, Base, Day, FlatpakRemote, Ssh, Updates, Window
from mvpc.settings.beside import TrustedNetwork
from mvpc.settings.checking import Report, check, secret_problems
from mvpc.settings.comparison import Difference, Side, compare
from mvpc.settings.effective import DEFAULT, Value, effective
from mvpc.settings.jsonschema import json_schema
from mvpc.settings.kinds import present
from mvpc.settings.local import RoleChoice
from mvpc.settings.models import Settings
from mvpc.settings.stacks import Profile, Profiles
from mvpc.settings.validation import validate
from mvpc.settings.vpn import Dns, Gateway, Ikev2, Vpn
from mvpc.settings.wifi import Eap, SecretRef, Wifi, WifiNetwork, Wired

__all__ = [
    "DEFAULT",
    "Apt",
    "Base",
    "Day",
    "Difference",
    "Dns",
    "Eap",
    "FlatpakRemote",
    "Gateway",
    "Ikev2",
    "Profile",
    "Profiles",
    "Report",
    "RoleChoice",
    "SecretRef",
    "Settings",
    "Side",
    "Ssh",
    "TrustedNetwork",
    "Updates",
    "Value",
    "Vpn",
    "Wifi",
    "WifiNetwork",
    "Window",
    "Wired",
    "check",
    "compare",
    "effective",
    "json_schema",
    "present",
    "secret_problems",
    "validate",
]

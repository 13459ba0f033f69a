from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mvpc.catalogue import PackagedProduct, Verify
from mvpc.device.tpmkey import HANDLE as KEY_IN_TPM
from mvpc.editions import edition, editions
from mvpc.errors import InputError, SecretError
from mvpc.keyfile import lint, parse
from mvpc.model import Bundle, Connection, File, Identity, Package, Unit
from mvpc.render import Renderer
from mvpc.secret import Secret
from mvpc.settings import Settings
from mvpc.testing import NOON, a_device

ECDSA = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBA=="
WIREGUARD = {
    "provider": "wireguard",
    "gateway": {"endpoint": "vpn.mv.example:51820", "public_key": "7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg="},
    "address_pool": "10.64.0.0/16",
    "dns": {"servers": {"10.1.0.53": "present"}, "domains": {"mv.example": "present"}},
}
IKEV2 = {
    "provider": "ikev2",
    "ikev2": {"address": "192.0.2.10", "identity": "vpn.mv.example"},
    "address_pool": "10.64.0.0/16",
    "dns": {"servers": {"10.1.0.53": "present"}, "domains": {"mv.example": "present"}},
}
ENROLLED = Identity(
    serial="1f",
    until=NOON,
    device_certificate="PEM of the laptop\n",
    device_authorities="PEM\n",
    host_certificate="x",
    user_authority="x",
    trusted={"vpn-ca": "PEM of the gateway's authority\n"},
)
EAP = {"ca_certificate": "/etc/mvpc/pki/radius-ca.pem", "domain_match": "radius.mv.example"}
ANY: dict[str, Any] = {
    "name": "x",
    "description": "x",
    "function": "pdf",
    "licence": "Apache-2.0",
    "source": "https://x.example/",
    "verify": (Verify(argv=("true",)),),
}
CATALOGUE = {
    "qpdf": PackagedProduct(**ANY, packages=("qpdf", "fonts")),
    "cups": PackagedProduct(
        **ANY,
        packages=("cups", "fonts"),
        releases={"ubuntu-24.04": ()},
        units=("cups.service",),
    ),
}


def bundle(
    settings: dict[str, Any],
    *,
    psk: str = "a long enough passphrase",
    identity: Identity | None = None,
    **device: Any,
) -> Bundle:
    renderer = Renderer(
        catalogue=CATALOGUE,
        secrets=lambda _: Secret(psk),
        digest_key=b"k" * 32,
        identities={"nb-000123": identity} if identity else {},
    )
    laptop = a_device(**{"host_key": ECDSA} | device)
    software = {name: {"state": state} for name, state in settings.get("software", {}).items()}
    return renderer.render(laptop, Settings.model_validate({**settings, "software": software}), {})


def files(made: Bundle) -> dict[str, File]:
    return {part.path: part for part in made.component("base").resources if isinstance(part, File)}


def connections(made: Bundle, component: str) -> dict[str, dict[str, dict[str, str]]]:
    parts = made.component(component).resources
    return {part.id: parse(part.content) for part in parts if isinstance(part, Connection)}


def test_the_same_input_always_gives_the_same_bundle():
    settings = {"vpn": WIREGUARD, "software": {"qpdf": "present"}}
    assert bundle(settings) == bundle(settings)


def test_a_component_changes_its_digest_only_when_it_changes_itself():
    before, after = bundle({}), bundle({"software": {"qpdf": "present"}})
    assert before.component("base").digest == after.component("base").digest
    assert before.component("software").digest != after.component("software").digest


def test_a_rotated_secret_changes_the_digest():
    settings = {"wifi": {"networks": {"guest": {"ssid": "Gast", "security": "sae", "psk": {"secret": "wifi/guest"}}}}}
    assert bundle(settings).component("wifi").digest != bundle(settings, psk="b" * 20).component("wifi").digest


def test_digests_of_two_projects_tell_nothing_about_each_other():
    other = Renderer(catalogue={}, secrets=Secret, digest_key=b"x" * 32)
    made = other.render(a_device(host_key=ECDSA), Settings(), {})
    assert made.component("base").digest != bundle({}).component("base").digest


def test_the_laptop_gets_its_name_its_time_and_a_hardened_ssh_server():
    made = bundle({"base": {"timezone": "Europe/Berlin", "time_servers": {"ntp.mv.example": "present"}}})
    found = files(made)
    assert found["/etc/hostname"].content == "nb-000123\n"
    assert found["/etc/localtime"].target == "/usr/share/zoneinfo/Europe/Berlin"
    assert "NTP=ntp.mv.example\n" in found["/etc/systemd/timesyncd.conf.d/10-mvpc.conf"].content
    sshd = found["/etc/ssh/sshd_config.d/10-mvpc.conf"]
    assert "PermitRootLogin no\nPasswordAuthentication no\n" in sshd.content
    assert "AllowUsers mvpc-admin\n" in sshd.content
    assert "curve25519" not in sshd.content
    assert sshd.validate == ("/usr/sbin/sshd", "-t", "-f", "%s")


def test_a_crypto_edition_that_would_lock_us_out_is_refused_with_the_laptop_named():
    with pytest.raises(InputError, match=r"nb-000123: its SSH host key in the inventory is ssh-ed25519"):
        bundle({}, host_key="ssh-ed25519 AAAA")
    bundle({"base": {"ssh": {"crypto": "openssh-modern"}}}, host_key="ssh-ed25519 AAAA")


def test_every_edition_that_a_profile_may_name_is_a_file():
    assert editions() == ("bsi-tr-02102-2026-01", "openssh-modern")
    assert all(edition(name).sshd for name in editions())


def test_updates_happen_in_their_window_and_an_old_window_is_taken_back():
    window = {"start": "20:00", "end": "01:30", "days": {"monday": "present", "friday": "present", "sunday": "absent"}}
    path = "/etc/systemd/system/apt-daily-upgrade.timer.d/10-mvpc.conf"
    timer = files(bundle({"base": {"updates": {"window": window}}}))[path]
    assert "OnCalendar=Mon,Fri *-*-* 20:00\nRandomizedDelaySec=330m\n" in timer.content
    assert not files(bundle({}))[path].present


def test_switched_off_updates_stop_the_timers():
    made = bundle({"base": {"updates": {"automatic": False}}})
    timers = [part for part in made.component("base").resources if isinstance(part, Unit) and "apt-daily" in part.name]
    assert [(unit.enabled, unit.running) for unit in timers] == [(False, False)] * 2


KEY = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEZ\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_source_of_the_site_carries_the_key_that_signs_it():
    source = {"url": "http://apt.mv.example/own", "suite": "trixie", "components": {"main": "present"}, "key": KEY}
    found = files(bundle({"base": {"apt": {"sources": {"own": source}}}}))
    assert found["/etc/apt/sources.list.d/mvpc-own.sources"].content.endswith(
        "URIs: http://apt.mv.example/own\nSuites: trixie\nComponents: main\nSigned-By:\n"
        " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEZ\n =abcd\n -----END PGP PUBLIC KEY BLOCK-----\n"
    )
    assert "/etc/apt/sources.list" not in found


PIN = "/etc/apt/preferences.d/40-mvpc-own.pref"


def pinned(mirror: str = "http://mirror.example/debian", **more: str) -> str:
    source = {"url": "https://apt.mv.example:8443/own", "suite": "./", "key": KEY, **more}
    found = files(bundle({"base": {"apt": {"mirror": mirror, "sources": {"own": source}}}}))
    return found[PIN].content if PIN in found else ""


def test_a_source_replaces_no_package_that_others_have_unless_the_profile_says_so():
    assert pinned().endswith('Package: *\nPin: origin "apt.mv.example"\nPin-Priority: 100\n')
    assert pinned(replaces="present") == ""


@pytest.mark.parametrize(
    ("mirror", "url"),
    [
        ("http://apt.mv.example/debian", "https://apt.mv.example/own"),
        ("http://m.example/", "http://mirror.debian.org/x"),
    ],
)
def test_a_source_on_the_host_of_the_distribution_does_not_hold_back_the_distribution(mirror: str, url: str):
    assert pinned(mirror, url=url) == ""


def test_a_source_on_the_host_of_one_that_replaces_packages_does_not_hold_it_back():
    own = {"url": "http://apt.mv.example/own", "suite": "./", "key": KEY}
    over = {**own, "url": "http://apt.mv.example/over", "replaces": "present"}
    found = files(bundle({"base": {"apt": {"sources": {"own": own, "over": over}}}}))
    assert not [path for path in found if path.startswith("/etc/apt/preferences.d/40-")]


def test_a_source_that_is_switched_off_is_left_out():
    source = {"state": "absent", "url": "http://apt.mv.example/own", "suite": "./", "key": KEY}
    assert not any("mvpc-own" in path for path in files(bundle({"base": {"apt": {"sources": {"own": source}}}})))


def test_a_mirror_replaces_what_the_laptop_came_with():
    found = files(bundle({"base": {"apt": {"mirror": "http://apt.mv.example/debian"}}}))
    assert "URIs: http://apt.mv.example/debian\nSuites: trixie trixie-updates\n" in (
        found["/etc/apt/sources.list.d/mvpc.sources"].content
    )
    assert not found["/etc/apt/sources.list.d/debian.sources"].present
    assert "/etc/apt/sources.list.d/mvpc.sources" not in files(bundle({}))


def test_a_full_tunnel_takes_everything_and_all_names():
    keyfile = connections(bundle({"vpn": WIREGUARD}), "vpn")["mvpc-vpn"]
    peer = keyfile["wireguard-peer.7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg="]
    assert peer["allowed-ips"] == "0.0.0.0/0;::/0;"
    assert (keyfile["ipv4"]["address1"], keyfile["ipv4"]["dns-search"]) == ("10.64.0.123/32", "~.;")
    assert keyfile["ipv6"]["address1"] == "fd6d:7670:6300::a40:7b/128"


def test_a_split_tunnel_takes_only_its_routes_and_domains():
    split = WIREGUARD | {"tunnel": "split", "routes": {"10.0.0.0/8": "present"}}
    keyfile = connections(bundle({"vpn": split}), "vpn")["mvpc-vpn"]
    peer = keyfile["wireguard-peer.7Np3bO5PJbp7a1x4nE8YtYyaYFqNcv8uLdrsd3iJLzg="]
    assert (peer["allowed-ips"], keyfile["ipv4"]["dns-search"]) == ("10.0.0.0/8;", "~mv.example;")
    assert keyfile["ipv6"] == {"method": "disabled"}


def test_the_private_key_of_the_tunnel_is_a_place_holder():
    parts = bundle({"vpn": WIREGUARD}).component("vpn").resources
    connection = next(part for part in parts if isinstance(part, Connection))
    assert connection.device_keys == {"@WIREGUARD_PRIVATE_KEY@": "wireguard"}
    assert "private-key=@WIREGUARD_PRIVATE_KEY@\n" in connection.content


def test_a_pool_that_is_too_small_names_the_laptop():
    with pytest.raises(InputError, match=r"nb-000123: .* no address for device number 300"):
        bundle({"vpn": WIREGUARD | {"address_pool": "10.64.0.0/24"}}, number=300)


def test_without_a_vpn_the_component_is_empty_so_that_an_old_one_is_removed():
    assert bundle({}).component("vpn").resources == ()


NETWORKS = {
    "lan-mv": {"ssid": "LAN-MV", "eap": EAP, "priority": 10},
    "secret": {"ssid": "Minister", "security": "wpa-eap-suite-b-192", "eap": EAP, "hidden": True},
    "guest": {"ssid": "Gäste", "security": "sae", "psk": {"secret": "wifi/guest"}},
    "printer": {"ssid": "Drucker", "security": "wpa-psk", "psk": {"secret": "wifi/printer"}},
    "old": {"ssid": "Alt", "state": "absent"},
}


def test_every_wifi_keyfile_passes_our_own_lint():
    parts = bundle({"wifi": {"networks": NETWORKS, "wired": {"eap": EAP}}}).component("wifi").resources
    texts = [part.content for part in parts if isinstance(part, Connection)]
    assert [lint(text, mode="0600") for text in texts] == [[]] * 6


def test_the_cable_wants_the_same_log_in_and_other_ports_come_after_it():
    found = connections(bundle({"wifi": {"wired": {"eap": EAP}}}), "wifi")
    assert sorted(found) == ["mvpc-wired", "mvpc-wired-other"]
    log_in, other = found["mvpc-wired"], found["mvpc-wired-other"]
    assert (log_in["connection"]["type"], log_in["802-1x"]["optional"]) == ("ethernet", "false")
    assert log_in["802-1x"]["domain-match"] == "radius.mv.example"
    assert "802-1x" not in other
    assert int(log_in["connection"]["autoconnect-priority"]) > 0 > int(other["connection"]["autoconnect-priority"])
    strict = {"wifi": {"wired": {"eap": EAP, "other_ports": False}}}
    assert sorted(connections(bundle(strict), "wifi")) == ["mvpc-wired"]
    assert bundle({"wifi": {"wired": {"state": "absent"}}}).component("wifi").resources == ()


def test_networks_log_in_as_the_laptop_never_as_a_person():
    found = connections(bundle({"wifi": {"networks": NETWORKS}}), "wifi")
    assert sorted(found) == ["mvpc-wifi-guest", "mvpc-wifi-lan-mv", "mvpc-wifi-printer", "mvpc-wifi-secret"]
    assert found["mvpc-wifi-lan-mv"]["802-1x"]["identity"] == "host/nb-000123"
    assert found["mvpc-wifi-lan-mv"]["802-1x"]["domain-match"] == "radius.mv.example"
    assert found["mvpc-wifi-secret"]["wifi"]["hidden"] == "true"
    assert "pairwise" not in found["mvpc-wifi-secret"]["wifi-security"]


@pytest.mark.parametrize("psk", ["short", "x" * 64, "ünreachable on some cards", "line\nbreak and much more"])
def test_a_bad_wifi_key_is_refused_without_being_shown(psk: str):
    with pytest.raises(InputError) as caught:
        bundle({"wifi": {"networks": {"guest": NETWORKS["guest"]}}}, psk=psk)
    assert "wifi/guest" in str(caught.value)
    assert psk not in str(caught.value)


def test_a_missing_secret_stops_before_anything_is_made():
    def missing(name: str) -> Secret:
        raise SecretError(f"secret {name} cannot be read")

    renderer = Renderer(catalogue={}, secrets=missing, digest_key=b"k" * 32)
    settings = Settings.model_validate({"wifi": {"networks": {"guest": NETWORKS["guest"]}}})
    with pytest.raises(SecretError, match="wifi/guest"):
        renderer.render(a_device(host_key=ECDSA), settings, {})


def test_a_package_that_one_product_needs_stays_when_another_goes():
    parts = bundle({"software": {"qpdf": "present", "cups": "absent"}}).component("software").resources
    names = {each.name: each.present for each in parts if isinstance(each, Package)}
    assert names == {"fonts": True, "libnss-systemd": True, "qpdf": True, "cups": False}


def test_a_product_brings_its_units():
    assert Unit(name="cups.service") in bundle({"software": {"cups": "present"}}).component("software").resources


# --- IKEv2


def tunnel_files(made: Bundle) -> dict[str, File]:
    return {part.path: part for part in made.component("vpn").resources if isinstance(part, File)}


def test_an_enrolled_laptop_gets_an_ikev2_tunnel_with_its_certificate_and_the_algorithms_of_the_edition():
    found = tunnel_files(bundle({"vpn": IKEV2}, identity=ENROLLED))
    connection = found["/etc/swanctl/conf.d/mvpc.conf"]
    assert connection.mode == "0640"
    for line in (
        "remote_addrs = 192.0.2.10",
        "vips = 10.64.0.123, fd6d:7670:6300::a40:7b",
        "remote_ts = 0.0.0.0/0, ::/0",
        "id = nb-000123",
        "id = vpn.mv.example",
        "revocation = strict",
        "start_action = start",
        "keyingtries = 0",
    ):
        assert f"    {line}\n" in connection.content
    assert "proposals = aes256gcm16-prfsha384-ecp384, " in connection.content
    assert not {"x25519", "modp", "sha1", "chacha20"} & set(connection.content.replace(",", "-").split("-"))
    assert found["/etc/swanctl/x509/mvpc.pem"].content == "PEM of the laptop\n"
    assert found["/etc/swanctl/x509ca/mvpc-vpn.pem"].content == "PEM of the gateway's authority\n"


def test_the_private_key_of_the_certificate_is_put_in_by_the_laptop():
    key = tunnel_files(bundle({"vpn": IKEV2}, identity=ENROLLED))["/etc/swanctl/private/mvpc.pem"]
    assert (key.content, key.mode, dict(key.device_keys)) == (
        "@DEVICE_PRIVATE_KEY@\n",
        "0600",
        {"@DEVICE_PRIVATE_KEY@": "device"},
    )


IN_TPM = replace(ENROLLED, tpm_curve="P-384")


def test_a_tunnel_with_a_key_in_the_tpm_finds_it_by_its_handle_and_copies_no_key():
    found = tunnel_files(bundle({"vpn": IKEV2}, identity=IN_TPM))
    assert "/etc/swanctl/private/mvpc.pem" not in found
    assert not [file for file in found.values() if file.device_keys]
    handle = KEY_IN_TPM.removeprefix("0x")
    assert f"secrets {{\n  token-mvpc {{\n    handle = {handle}\n" in found["/etc/swanctl/conf.d/mvpc.conf"].content
    assert "After=dev-tpmrm0.device" in found["/etc/systemd/system/strongswan.service.d/mvpc.conf"].content


def test_only_wpa_supplicant_of_laptops_with_a_key_in_the_tpm_gets_a_provider_for_it():
    parts = bundle({}, identity=IN_TPM).component("identity").resources
    files = {part.path: part for part in parts if isinstance(part, File)}
    unit = files["/etc/systemd/system/wpa_supplicant.service.d/mvpc.conf"]
    assert "Environment=OPENSSL_CONF=/etc/mvpc/pki/openssl.cnf\n" in unit.content
    assert "restart wpa_supplicant.service" in unit.notify
    assert "tpm2 = mvpc_activated" in files["/etc/mvpc/pki/openssl.cnf"].content
    assert "ClientSignatureAlgorithms = ECDSA+SHA384\n" in files["/etc/mvpc/pki/openssl.cnf"].content
    assert {part.name for part in parts if isinstance(part, Package)} == {"tpm2-openssl", "tpm2-tools"}


def test_a_key_in_a_file_changes_nothing_of_openssl():
    parts = bundle({}, identity=ENROLLED).component("identity").resources
    assert not [part for part in parts if "openssl" in str(part) or "wpa_supplicant" in str(part)]


def test_every_change_of_an_ikev2_tunnel_lets_strongswan_read_it():
    parts = tunnel_files(bundle({"vpn": IKEV2}, identity=ENROLLED)).values()
    assert all("restart strongswan.service" in part.notify for part in parts if "swan" in part.path)


def test_a_tunnel_that_the_gateway_refused_is_tried_again():
    made = bundle({"vpn": IKEV2}, identity=ENROLLED)
    timers = [part.name for part in made.component("vpn").resources if isinstance(part, Unit) and part.running]
    assert "mvpc-vpn.timer" in timers
    found = tunnel_files(made)
    assert "ExecStart=/usr/local/lib/mvpc/tunnel keep" in found["/etc/systemd/system/mvpc-vpn.service"].content
    assert found["/usr/local/lib/mvpc/tunnel"].mode == "0755"
    told = json.loads(found["/etc/mvpc/tunnel.json"].content)
    assert told["addresses"] == ["10.64.0.123", "fd6d:7670:6300::a40:7b"]


def test_a_full_ikev2_tunnel_resolves_all_names_inside_and_a_split_one_only_its_domains():
    path = "/etc/systemd/resolved.conf.d/mvpc-vpn.conf"
    full = tunnel_files(bundle({"vpn": IKEV2}, identity=ENROLLED))[path].content
    split = {**IKEV2, "tunnel": "split", "routes": {"10.1.0.0/16": "present"}}
    made = tunnel_files(bundle({"vpn": split}, identity=ENROLLED))
    assert "DNS=10.1.0.53\nDomains=~.\n" in full
    assert "DNS=10.1.0.53\nDomains=~mv.example\n" in made[path].content
    assert "vips = 10.64.0.123\n" in made["/etc/swanctl/conf.d/mvpc.conf"].content
    assert "remote_ts = 10.1.0.0/16\n" in made["/etc/swanctl/conf.d/mvpc.conf"].content


def test_a_laptop_that_is_not_enrolled_keeps_wireguard_where_the_profile_has_it():
    assert list(connections(bundle({"vpn": WIREGUARD | IKEV2}), "vpn")) == ["mvpc-vpn"]
    assert bundle({"vpn": IKEV2}).component("vpn").resources == ()
    assert connections(bundle({"vpn": WIREGUARD | IKEV2}, identity=ENROLLED), "vpn") == {}


def test_a_renewed_certificate_changes_the_tunnel_and_the_plan_can_say_why():
    renewed = replace(ENROLLED, serial="2f", device_certificate="another PEM\n")
    before, after = (bundle({"vpn": IKEV2}, identity=each).component("vpn") for each in (ENROLLED, renewed))
    assert before.digest != after.digest
    assert (before.inputs["vpn.certificate"], after.inputs["vpn.certificate"]) == ("1f", "2f")


def test_an_authority_of_the_gateway_that_is_not_there_is_refused_with_the_file_to_add():
    with pytest.raises(InputError, match=r"nb-000123: vpn.ikev2.authority .* inventory/trust/vpn-ca.pem"):
        bundle({"vpn": IKEV2}, identity=replace(ENROLLED, trusted={}))


def test_laptops_that_share_a_renderer_get_what_each_would_get_alone():
    network = {"ssid": "LAN", "eap": {**EAP, "identity": "host/{hostname}.mv.example"}}
    settings = Settings.model_validate({"vpn": WIREGUARD | IKEV2, "wifi": {"networks": {"lan": network}}})
    other = replace(ENROLLED, serial="2f", device_certificate='PEM "2"\n', host_certificate="y")
    more = replace(other, trusted={**ENROLLED.trusted, "radius-ca": "PEM\n"})
    laptops = [a_device(f"nb-{number}", number=number, host_key=ECDSA) for number in range(1, 8)]
    laptops += [replace(laptops[0], hostname="nb-8", number=8, os="ubuntu-24.04")]
    identities = {"nb-2": ENROLLED, "nb-3": other, "nb-4": more}

    def renderer() -> Renderer:
        return Renderer(catalogue=CATALOGUE, secrets=lambda _: Secret("x" * 20), digest_key=b"k", identities=identities)

    together = renderer()
    made = [together.render(laptop, settings, {}) for laptop in laptops]
    assert made == [renderer().render(laptop, settings, {}) for laptop in laptops]
    assert "\0" not in repr(made)
    assert len({part.digest for each in made for part in each.components if part.name == "wifi"}) == len(laptops)

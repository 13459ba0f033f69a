"""A key that a TPM 2.0 keeps, so that nobody can copy it, root included. Stands between `keytools` and `keymaking`.

The key file holds what only this TPM can unwrap ("ASN.1 Specification for TPM 2.0 Key Files"), for programs that use
OpenSSL with the provider tpm2. strongSwan knows handles alone (swanctl.conf(5)), so the same key lies under one too.
"""

from __future__ import annotations

import base64
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from mvpc.device.keytools import PROGRAMS, openssl, run, said_by

TPM = "dev/tpmrm0"
"""Where the kernel shares a TPM 2.0 among programs; for older ones there is no such device."""
HANDLE = "0x81006d76"
"""Where strongSwan finds the key; among the handles of the owner (TPM 2.0 Library, part 2, 7.4). Ends in "mv"."""
OLDEST_PROVIDER = (1, 3)
"""Version 1.1.1 on OpenSSL 3.0, as in Debian 12, signs for openssl but not within TLS. 1.3.0 on OpenSSL 3.5 does."""
PROVIDERS = ("-provider", "tpm2", "-provider", "default")
BEGIN = "-----BEGIN TSS2 PRIVATE KEY-----"
_SCHEMES = {"P-256": "ecc256:ecdsa-sha256", "P-384": "ecc384:ecdsa-sha384", "P-521": "ecc521:ecdsa-sha512"}
"""strongSwan uses a key of a TPM only if it is for one way of signing; TLS 1.3 wants this hash (RFC 8446, 4.2.3)."""
_OWN = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda"
_PARENT = f"restricted|decrypt|{_OWN}"
"""Attributes of the primary key under which tpm2-openssl looks for all keys: ECC on P-256, of the owner."""
_HEAD = bytes.fromhex("06066781050a0103a0030101ff020440000001")
"""How a key file begins: that it is a loadable key, needs no password, and has a parent of the owner."""


def lacking(root: Path) -> str:
    """Why this laptop can have no key in a TPM; empty when it can try."""
    if not (root / TPM).exists():
        return "it has no TPM 2.0"
    version = provider_version()
    if not version:
        return "tpm2-openssl is not installed"
    numbers = tuple(map(int, re.findall(r"\d+", version)[:2]))
    if numbers < OLDEST_PROVIDER:
        return f"tpm2-openssl {version} is too old, {'.'.join(map(str, OLDEST_PROVIDER))} is needed"
    return "" if shutil.which("tpm2_load", path=PROGRAMS) else "tpm2-tools is not installed"


def provider_version() -> str:
    """Of tpm2-openssl, as Debian counts it without its own revisions; empty when it is not installed."""
    try:
        done = run("dpkg-query", "--show", "--showformat", "${Version}", "tpm2-openssl")
    except FileNotFoundError:
        return ""
    found = re.match(r"[0-9.]+", done.stdout.decode(errors="replace"))
    return found[0] if found and done.returncode == 0 else ""


def make_in_tpm(new: Path, curves: Sequence[str]) -> None:
    """Make a key on the first of these curves that the TPM knows, and keep it; raises ValueError when it knows none."""
    problems = []
    for curve in dict.fromkeys(curves):
        try:
            new.write_text(key_file(*created(curve)))
        except ValueError as problem:
            problems.append(f"{curve}: {problem}")
            continue
        keep_in_tpm(new)
        return
    raise ValueError(f"its TPM makes no key ({'; '.join(problems)})")


def created(curve: str) -> tuple[bytes, bytes]:
    """A new key as the TPM gives it out: its public part, and the private one that only the TPM can unwrap."""
    with tempfile.TemporaryDirectory() as name:
        parent, public, private = (Path(name, part) for part in ("parent", "public", "private"))
        make_parent(parent)
        made = ("-u", str(public), "-r", str(private))
        said_by("tpm2_create", "-Q", "-C", str(parent), "-G", _SCHEMES[curve], "-a", f"sign|{_OWN}", *made)
        return public.read_bytes(), private.read_bytes()


def make_parent(context: Path) -> None:
    """Make the primary key, which is always the same, and write down how tpm2-tools find it for a while."""
    said_by("tpm2_createprimary", "-Q", "-C", "o", "-G", "ecc256", "-a", _PARENT, "-c", str(context))


def key_file(public: bytes, private: bytes) -> str:
    """The file of a key, for OpenSSL.

    wpa_supplicant takes one with exactly the line `BEGIN` for a key of an OpenSSL engine that Debian no longer has
    (is_tpm2_key of its tls_openssl.c). OpenSSL does not mind a space at the end of that line.
    """
    return pem(f"{BEGIN} ", sequence(_HEAD, element(4, public), element(4, private)))


def in_tpm(path: Path) -> bool:
    """Whether the file holds a key that a TPM keeps."""
    try:
        return BEGIN in path.read_text(errors="replace")
    except OSError:
        return False


def providers(path: Path) -> tuple[str, ...]:
    """What openssl must be told to read this key file."""
    return PROVIDERS if in_tpm(path) else ()


def keep_in_tpm(path: Path) -> None:
    """Have the key of this file lie under `HANDLE` as well, and nothing else; does nothing where it does.

    Raises:
        ValueError: the TPM does not do it; then nothing lies there, or what did before.
    """
    wanted = openssl("pkey", *PROVIDERS, "-in", str(path), "-pubout", "-outform", "DER")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        held = public_key_at_handle(folder)
        if held == wanted:
            return
        parent, key, public, private = (folder / part for part in ("parent", "key", "public", "private"))
        *_, wrapped_public, wrapped_private = elements(decoded(path.read_text()))
        public.write_bytes(content(wrapped_public))
        private.write_bytes(content(wrapped_private))
        make_parent(parent)
        said_by("tpm2_load", "-Q", "-C", str(parent), "-u", str(public), "-r", str(private), "-c", str(key))
        if held:
            said_by("tpm2_evictcontrol", "-Q", "-C", "o", "-c", HANDLE)
        said_by("tpm2_evictcontrol", "-Q", "-C", "o", "-c", str(key), HANDLE)


def public_key_at_handle(folder: Path) -> bytes:
    """SubjectPublicKeyInfo in DER of what lies there; empty when nothing does."""
    file = folder / "held"
    try:
        said_by("tpm2_readpublic", "-Q", "-c", HANDLE, "-f", "der", "-o", str(file))
    except ValueError:
        return b""
    return file.read_bytes()


def without_parameters(request: str) -> str:
    """A certificate request as RFC 5758, 3.2 wants it: ECDSA has no parameters, but tpm2-openssl writes NULL.

    What names the algorithm is not part of what is signed (RFC 2986, 4.2).
    """
    told, algorithm, signature = elements(decoded(request))
    name = elements(algorithm)[0]
    return pem("-----BEGIN CERTIFICATE REQUEST-----", sequence(told, sequence(name), signature))


def pem(begin: str, der: bytes) -> str:
    """A PEM text with this first line (RFC 7468)."""
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([begin, *lines, begin.strip().replace("BEGIN", "END"), ""])


def decoded(text: str) -> bytes:
    """DER of the one thing in a PEM text."""
    return base64.b64decode("".join(line for line in text.splitlines() if "-----" not in line))


def elements(der: bytes) -> list[bytes]:
    """What a SEQUENCE holds, each with its own tag and length (X.690, 8.1)."""
    inside, found = content(der), []
    while inside:
        size = len(inside) - len(after(inside))
        found.append(inside[:size])
        inside = inside[size:]
    return found


def content(der: bytes) -> bytes:
    """What the first element holds."""
    start, size = bounds(der)
    return der[start : start + size]


def after(der: bytes) -> bytes:
    """What follows the first element."""
    start, size = bounds(der)
    return der[start + size :]


def bounds(der: bytes) -> tuple[int, int]:
    """Where the content of the first element begins, and its size; raises ValueError when there is no such element."""
    if len(der) < 2:
        raise ValueError("the key file is torn")
    count = der[1] & 127 if der[1] > 127 else 0
    return 2 + count, int.from_bytes(der[2 : 2 + count], "big") if count else der[1]


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of these elements."""
    return element(0x30, b"".join(parts))


def element(tag: int, inside: bytes) -> bytes:
    """One element with this content."""
    size = len(inside)
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([128 | len(octets)]) + octets) + inside

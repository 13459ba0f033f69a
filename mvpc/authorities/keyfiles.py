"""Private keys of authorities: PKCS #8 in PEM, under AES-256 with a key that scrypt makes of the passphrase."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from mvpc.errors import InputError, MvpcError
from mvpc.secret import Secret

SHORTEST = 16
"""Characters of a passphrase. Whoever copies the folder may try as long as he likes."""


def checked_passphrase(passphrase: Secret) -> Secret:
    """The passphrase, if it is long enough; raises InputError."""
    if len(passphrase.reveal()) < SHORTEST or "\n" in passphrase.reveal():
        raise InputError(
            f"the passphrase of the authorities needs at least {SHORTEST} characters",
            hint="Several words do; a password manager can keep them",
        )
    return passphrase


def encrypted(key: ec.EllipticCurvePrivateKey, passphrase: Secret) -> bytes:
    """The key as encrypted PEM.

    openssl does it, since the cryptography library writes PBES2 only with 2,048 rounds of PBKDF2. Key and passphrase go
    through pipes.

    Raises:
        MvpcError: openssl is missing or does not work.
    """
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    reading, writing = os.pipe()
    try:
        os.write(writing, passphrase.reveal().encode() + b"\n")
        os.close(writing)
        argv = ["openssl", "pkcs8", "-topk8", "-scrypt", "-v2", "aes-256-cbc", "-passout", f"fd:{reading}"]
        done = subprocess.run(argv, input=plain, capture_output=True, pass_fds=[reading], check=False, timeout=60)
    except OSError as error:
        hint = "Install the Debian package openssl"
        raise MvpcError("openssl cannot be started", hint=hint) from error
    finally:
        os.close(reading)
    if done.returncode != 0 or b"BEGIN ENCRYPTED PRIVATE KEY" not in done.stdout:
        raise MvpcError("openssl could not encrypt the key of an authority", hint="It must be version 1.1.1 or newer")
    return done.stdout


def decrypted(path: Path, passphrase: Secret) -> ec.EllipticCurvePrivateKey:
    """The key in a file; raises MvpcError when it cannot be read, InputError when the passphrase is wrong."""
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase.reveal().encode())
    except OSError as error:
        raise MvpcError(f"the key of an authority cannot be read ({error.strerror})", where=str(path)) from error
    except (ValueError, TypeError):
        raise InputError("the passphrase of the authorities is wrong", where=path.name) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise MvpcError("the key of an authority is not of the kind that mvpc made", where=str(path))
    return key

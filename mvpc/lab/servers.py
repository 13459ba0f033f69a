"""Certificates for the lab's own servers: gateway and RADIUS. In earnest they come from an authority of the site's.

mvpc's own authorities cannot certify them: they are for laptops, their SSH servers, and those who log in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mvpc.lab.host import run

DAYS = 365
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-nodes")
_CONFIG = """\
[ca]
default_ca = lab
[lab]
database = {folder}/index
crlnumber = {folder}/number
crl_extensions = crl
[crl]
authorityKeyIdentifier = keyid
"""
"""Of openssl-ca(1). strongSwan finds the issuer of a list by its key identifier."""


@dataclass(frozen=True, slots=True)
class ServerAuthority:
    """An authority of X.509 certificates for servers, P-384, made when it is first needed."""

    folder: Path

    @property
    def certificate(self) -> Path:
        """What laptops must trust, as PEM."""
        return self.folder / "ca.pem"

    def make(self) -> None:
        """Make it unless it is there; raises LabError with the words of openssl."""
        if self.certificate.is_file():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.folder / "index").touch()
        (self.folder / "number").write_text("01\n", encoding="ascii")
        (self.folder / "ca.cnf").write_text(_CONFIG.format(folder=self.folder), encoding="ascii")
        fresh = self.folder / "ca.new"
        subject = ("-subj", "/CN=mvpc lab servers", "-days", str(DAYS))
        run(["openssl", "req", "-x509", *_KEY, "-keyout", str(self._key), "-out", str(fresh), *subject])
        fresh.replace(self.certificate)

    def issue(self, names: Iterable[str], certificate: Path, key: Path, *, list_at: str = "") -> None:
        """Certify a new key for a server of these names. `list_at`: where the list of revoked ones can be fetched."""
        first, *others = names
        request, extensions = self.folder / "request", self.folder / "extensions"
        lines = [
            f"subjectAltName = {', '.join(f'DNS:{name}' for name in (first, *others))}",
            "extendedKeyUsage = serverAuth",
            "basicConstraints = critical, CA:FALSE",
            *([f"crlDistributionPoints = URI:{list_at}"] if list_at else []),
        ]
        extensions.write_text("\n".join(lines) + "\n", encoding="ascii")
        run(["openssl", "req", "-new", *_KEY, "-keyout", str(key), "-out", str(request), "-subj", f"/CN={first}"])
        signer = ("-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial")
        about = ("-extfile", str(extensions), "-days", str(DAYS), "-sha384")
        run(["openssl", "x509", "-req", "-in", str(request), *signer, *about, "-out", str(certificate)])

    def write_list(self, path: Path) -> None:
        """Write the list of revoked server certificates (DER). None is ever revoked, but strict laptops want a list."""
        made = self.folder / "crl.pem"
        signer = ("-keyfile", str(self._key), "-cert", str(self.certificate), "-md", "sha384")
        config = ("-config", str(self.folder / "ca.cnf"), "-crldays", str(DAYS))
        run(["openssl", "ca", "-gencrl", *config, *signer, "-out", str(made)])
        run(["openssl", "crl", "-in", str(made), "-outform", "DER", "-out", str(path)])

    @property
    def _key(self) -> Path:
        return self.folder / "ca.key"

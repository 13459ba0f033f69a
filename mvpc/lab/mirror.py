"""A caching mirror of the Debian archive for the lab's laptops: nginx on the bridge, and nowhere else."""

from __future__ import annotations

import hashlib
import json
import re
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from mvpc.errors import LabError
from mvpc.lab import process
from mvpc.lab.journal import Journal, Kind, Made

PORT = 3142
CACHE_GB = 4
START_S = 120
"""It also looks up the names of the archives."""
ATTEMPTS = 3
"""How often an archive is asked before a laptop hears that there is no answer."""
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

_CONFIG = """\
# Written by mvpc lab. Changes are lost.
daemon off;
user www-data;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 512; }}
http {{
  log_format mirror '$remote_addr $request_method $uri $status $upstream_cache_status $body_bytes_sent';
  access_log {folder}/access.log mirror;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {cache} levels=1:2 keys_zone=apt:8m max_size={gigabytes}g inactive=90d use_temp_path=off;
{upstreams}
  server {{
    listen {address}:{port};
    proxy_cache apt;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 120s;
    proxy_cache_lock_age 10m;  # 5 s by default: a package that takes longer would be fetched for each laptop
    proxy_cache_revalidate on;
    proxy_cache_use_stale error timeout http_500 http_502 http_503 http_504;
    proxy_cache_valid 200 {short};
    proxy_connect_timeout 10s;
    proxy_read_timeout 120s;
    # apt would ask again when a connection breaks, but not when we say 502 instead.
    proxy_next_upstream error timeout http_429 http_500 http_502 http_503 http_504;
    proxy_next_upstream_tries {attempts};
    proxy_http_version 1.1;
    proxy_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires;
    proxy_hide_header X-Cache-Status;
    add_header X-Cache-Status $upstream_cache_status always;
    if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}
    proxy_ssl_server_name on;
    proxy_ssl_verify on;
    proxy_ssl_verify_depth 4;
    proxy_ssl_trusted_certificate {certificates};
{locations}
    location / {{ return 404; }}
  }}
}}
"""

_UPSTREAM = "  upstream {name} {{ {servers} }}"

_LOCATION = """\
    location /{name}/ {{
      proxy_pass {scheme}://{name}{path}/;
      proxy_redirect {uri}/ /{name}/;
      proxy_set_header Host {host};
      proxy_set_header Connection "";
      proxy_ssl_name {hostname};
      proxy_cache_key {host}$uri;
      # What has a version in its name never changes.
      location /{name}/pool/ {{ proxy_pass {scheme}://{name}{path}/pool/; proxy_cache_valid 200 90d; }}
    }}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mirror:
    """Where the mirror listens and keeps its files."""

    folder: Path
    cache: Path
    """Kept when the lab goes down, so that the next one is quick."""
    address: str

    def url(self, name: str) -> str:
        """What a laptop writes into its apt sources instead of the archive's own address."""
        return f"http://{self.address}:{PORT}/{name}"

    @property
    def access_log(self) -> Path:
        """One line per request: `CLIENT METHOD PATH STATUS CACHE BYTES`, where CACHE is HIT, MISS, REVALIDATED or -."""
        return self.folder / "access.log"


def names_of(uris: Iterable[str]) -> dict[str, str]:
    """A short name for each archive: the last part of its path. Different archives get different names."""
    names: dict[str, str] = {}
    for uri in uris:
        name = re.sub(r"[^A-Za-z0-9.-]", "-", urlsplit(uri).path.rstrip("/").rpartition("/")[2]) or "archive"
        if names.get(name, uri) != uri:
            name = f"{name}-{hashlib.sha256(uri.encode()).hexdigest()[:8]}"
        names[name] = uri
    return names


def config(mirror: Mirror, archives: Mapping[str, str], *, short: str = "2m") -> str:
    """The nginx configuration for archives, name -> URI. Answers that may change are asked for again after `short`."""
    return _CONFIG.format(
        folder=mirror.folder,
        cache=mirror.cache,
        gigabytes=CACHE_GB,
        address=mirror.address,
        port=PORT,
        short=short,
        attempts=ATTEMPTS,
        certificates=CERTIFICATES,
        upstreams="\n".join(_upstream(name, urlsplit(uri)) for name, uri in sorted(archives.items())),
        locations="".join(_location(name, urlsplit(uri)) for name, uri in sorted(archives.items())),
    )


def _upstream(name: str, uri: SplitResult) -> str:
    """Each server is asked once for an answer (by nginx), so the archive stands there as often as it shall be asked."""
    port = uri.port or (443 if uri.scheme == "https" else 80)
    server = f"server {uri.netloc.removesuffix(f':{uri.port}')}:{port} max_fails=0;"
    return _UPSTREAM.format(name=name, servers=" ".join([server] * ATTEMPTS))


def _location(name: str, uri: SplitResult) -> str:
    parts = {"scheme": uri.scheme, "host": uri.netloc, "hostname": uri.hostname, "path": uri.path}
    return _LOCATION.format(name=name, uri=uri.geturl(), **parts)


def ensure(mirror: Mirror, archives: Mapping[str, str], journal: Journal) -> None:
    """Run the mirror for at least these archives; those of earlier calls stay.

    Raises:
        LabError: nginx does not start; the message is its own.
    """
    mirror.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    mirror.cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    listed = mirror.folder / "archives.json"
    running = _running(journal)
    known = json.loads(listed.read_text(encoding="utf-8")) if running and listed.exists() else {}
    wanted = known | dict(archives)
    if running and known == wanted:
        return
    for path, text in ((mirror.folder / "nginx.conf", config(mirror, wanted)), (listed, json.dumps(wanted))):
        path.write_text(text, encoding="utf-8")
    if running:
        # Not a reload: nginx would keep the old configuration without a word when it does not like the new one.
        process.kill(running, process.identity(running), gently_s=5)
    _start(mirror, journal)


def _running(journal: Journal) -> int:
    """The process id of nginx, 0 when it does not run."""
    ours = (made for made in journal.entries() if made.kind is Kind.PROCESS and not made.owner)
    return next((int(made.name) for made in ours if process.is_running(int(made.name), made.detail)), 0)


def _start(mirror: Mirror, journal: Journal) -> None:
    log = mirror.folder / "error.log"
    log.unlink(missing_ok=True)

    def note(pid: int) -> None:
        journal.note(Made(Kind.PROCESS, str(pid), detail=process.identity(pid)))

    argv = ["nginx", "-p", str(mirror.folder), "-c", str(mirror.folder / "nginx.conf"), "-e", str(log)]
    pid = process.start(argv, log=log, before=note)
    known = process.identity(pid)
    deadline = time.monotonic() + START_S
    while not _answers(mirror.address):
        if not process.is_running(pid, known) or time.monotonic() > deadline:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["no output"]
            raise LabError(f"the lab's mirror (nginx) did not start: {last[0][:400]}", where=str(log))
        time.sleep(0.02)


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=1):
            return True
    except OSError:
        return False

"""Start Firefox or Thunderbird without a screen, and ask it through Marionette what it makes of its policies.

Runs on a laptop: `python3 ask_mozilla.py PROGRAM PREFERENCE ...`; answers with one line of JSON.
Protocol: https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WAIT_S = 300
SCRIPT = """
const [names] = arguments;
const states = {0: "inactive", 1: "active", 2: "failed"};
const value = (name) => ({
  [Services.prefs.PREF_BOOL]: () => Services.prefs.getBoolPref(name),
  [Services.prefs.PREF_INT]: () => Services.prefs.getIntPref(name),
  [Services.prefs.PREF_STRING]: () => Services.prefs.getStringPref(name),
}[Services.prefs.getPrefType(name)] || (() => null))();
const known = (name) => [name, {value: value(name), locked: Services.prefs.prefIsLocked(name)}];
return {
  status: states[Services.policies.status],
  policies: Services.policies.getActivePolicies(),
  preferences: Object.fromEntries(names.map(known)),
  locale: Services.locale.appLocaleAsBCP47,
};
"""


def main(program: str, *names: str) -> None:
    with tempfile.TemporaryDirectory() as profile:
        Path(profile, "user.js").write_text('user_pref("marionette.port", 0);\n')
        argv = [program, "--headless", "--marionette", "-remote-allow-system-access", "--profile", profile]
        quiet = subprocess.DEVNULL
        running = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet)
        try:
            json.dump(answer(port(Path(profile, "MarionetteActivePort")), names), sys.stdout)
        finally:
            running.kill()
            running.wait()


def port(file: Path) -> int:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if file.is_file() and file.read_text().strip():
            return int(file.read_text())
        time.sleep(0.2)
    raise SystemExit("the program did not start")


def answer(number: int, names: tuple[str, ...]) -> object:
    with socket.create_connection(("127.0.0.1", number), WAIT_S) as connection, connection.makefile("rwb") as stream:
        read(stream)
        call(stream, "WebDriver:NewSession", {"capabilities": {}})
        call(stream, "Marionette:SetContext", {"value": "chrome"})
        result = call(stream, "WebDriver:ExecuteScript", {"script": SCRIPT, "args": [list(names)]})
        return result["value"]


def call(stream: Any, command: str, parameters: dict[str, Any]) -> Any:
    text = json.dumps([0, 1, command, parameters]).encode()
    stream.write(b"%d:%s" % (len(text), text))
    stream.flush()
    _, _, error, result = read(stream)
    if error:
        raise SystemExit(f"{command}: {error['message']}")
    return result


def read(stream: Any) -> Any:
    length = b""
    while not length.endswith(b":"):
        if not (byte := stream.read(1)):
            raise SystemExit("the program ended")
        length += byte
    return json.loads(stream.read(int(length[:-1])))


if __name__ == "__main__":
    main(*sys.argv[1:])

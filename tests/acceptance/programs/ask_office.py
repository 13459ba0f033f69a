"""Start LibreOffice without a screen, and ask it for its default format and its rule for macros, and whether
people can change them.

Runs on a laptop with python3-uno: `python3 ask_office.py`; answers with one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

import uno  # type: ignore[import-not-found]
from com.sun.star.beans import PropertyAttribute, PropertyValue  # type: ignore[import-not-found]
from com.sun.star.connection import NoConnectException  # type: ignore[import-not-found]

ADDRESS = "socket,host=127.0.0.1,port=2002;urp"
KEYS = {
    "default_format": (
        "/org.openoffice.Setup/Office/Factories/com.sun.star.text.TextDocument",
        "ooSetupFactoryDefaultFilter",
    ),
    "macro_security": ("/org.openoffice.Office.Common/Security/Scripting", "MacroSecurityLevel"),
}


def main() -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        argv = ["soffice", "--headless", "--norestore", f"-env:UserInstallation=file://{home}", f"--accept={ADDRESS};"]
        quiet = subprocess.DEVNULL
        running = subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
        try:
            settings = provider(connected())
            json.dump({name: key(settings, *place) for name, place in KEYS.items()}, sys.stdout)
        finally:
            os.killpg(running.pid, signal.SIGKILL)


def connected() -> Any:
    here = uno.getComponentContext()
    resolver = here.ServiceManager.createInstanceWithContext("com.sun.star.bridge.UnoUrlResolver", here)
    for _ in range(600):
        try:
            return resolver.resolve(f"uno:{ADDRESS};StarOffice.ComponentContext")
        except NoConnectException:
            time.sleep(0.5)
    raise SystemExit("LibreOffice did not start")


def provider(context: Any) -> Any:
    return context.ServiceManager.createInstanceWithContext("com.sun.star.configuration.ConfigurationProvider", context)


def key(settings: Any, path: str, name: str) -> dict[str, object]:
    where = PropertyValue()
    where.Name, where.Value = "nodepath", path
    node = settings.createInstanceWithArguments("com.sun.star.configuration.ConfigurationUpdateAccess", (where,))
    attributes = node.getPropertySetInfo().getPropertyByName(name).Attributes
    return {"value": node.getPropertyValue(name), "locked": bool(attributes & PropertyAttribute.READONLY)}


if __name__ == "__main__":
    main()

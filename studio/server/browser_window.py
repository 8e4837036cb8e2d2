"""Opening the studio: a tab of the usual browser, or a window of its own by a browser of Chromium's kind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

BROWSER_COMMANDS = (
    "google-chrome",
    "google-chrome-stable",
    "chromium",
    "chromium-browser",
    "microsoft-edge",
    "microsoft-edge-stable",
    "msedge",
    "brave-browser",
    "chrome",
)
MAC_BROWSER_PATHS = tuple(
    f"/Applications/{name}.app/Contents/MacOS/{name}"
    for name in ("Google Chrome", "Chromium", "Microsoft Edge", "Brave Browser")
)
WINDOWS_BROWSER_PATHS = (
    r"Google\Chrome\Application\chrome.exe",
    r"Microsoft\Edge\Application\msedge.exe",
    r"BraveSoftware\Brave-Browser\Application\brave.exe",
)


def browser() -> str | None:
    """A browser that knows app windows, or None."""
    found = next(filter(None, map(shutil.which, BROWSER_COMMANDS)), None)
    if found is None and sys.platform == "darwin":
        found = next((path for path in MAC_BROWSER_PATHS if Path(path).is_file()), None)
    if found is None and sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        places = (Path(root, path) for root in roots if root for path in WINDOWS_BROWSER_PATHS)
        found = next((str(path) for path in places if path.is_file()), None)
    return found


def open_window(address: str) -> bool:
    """Show `address` in a window of its own; False if no browser here can."""
    program = browser()
    if program is None:
        return False
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.Popen([program, f"--app={address}"], start_new_session=True, **quiet)
    except OSError:
        return False
    return True


def open_studio(address: str, *, alone: bool) -> None:
    """Open `address`; `alone` asks for a window without tabs and address bar, for want of which a tab has to do."""
    if alone and open_window(address):
        return
    if alone:
        print("No browser here knows such windows (Chrome, Edge, Brave do); opening the usual one.", flush=True)
    webbrowser.open(address)

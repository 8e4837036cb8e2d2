"""Opens the studio in a browser tab, or in a window of its own using a Chromium-based browser."""

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


def find_browser() -> str | None:
    """The program of an installed browser that supports app windows, or None."""
    program = next(filter(None, map(shutil.which, BROWSER_COMMANDS)), None)
    if program is None and sys.platform == "darwin":
        program = next((path for path in MAC_BROWSER_PATHS if Path(path).is_file()), None)
    if program is None and sys.platform == "win32":
        roots = [os.environ.get(name) for name in ("PROGRAMFILES", "PROGRAMFILES(X86)", "LOCALAPPDATA")]
        places = (Path(root, path) for root in roots if root for path in WINDOWS_BROWSER_PATHS)
        program = next((str(path) for path in places if path.is_file()), None)
    return program


def open_window(address: str) -> bool:
    """Open `address` in a window of its own; False if no installed browser can."""
    program = find_browser()
    if program is None:
        return False
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        subprocess.Popen([program, f"--app={address}"], start_new_session=True, **silent)
    except OSError:
        return False
    return True


def open_studio(address: str, *, alone: bool) -> None:
    """Open `address` in a tab; with `alone`, if possible in a window without tabs and address bar."""
    if alone and open_window(address):
        return
    if alone:
        print("--window needs Chrome, Chromium, Edge or Brave; opening the default browser instead.", flush=True)
    webbrowser.open(address)

"""Serving the studio: the flags of `launch.py`, a free port, a login for other machines, the browser."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import secrets
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType

from swirl.errors import SwirlError, UsageError
from swirl.paths import resolve_home as home_folder
from swirl.version import __version__

PORT = 7860
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
PORT_ATTEMPTS = 100  # ports tried after the first


def parser() -> argparse.ArgumentParser:
    """The flags of `python launch.py`."""
    flags = argparse.ArgumentParser(prog="launch.py", description="Start SWIRL Studio and open it in the browser.")
    flags.add_argument("--home", help="where runs and collections lie (default: SWIRL_HOME, else runs/)")
    flags.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    flags.add_argument("--port", type=int, help=f"port to listen on (default: {PORT}, or the next free one)")
    opening = flags.add_mutually_exclusive_group()
    opening.add_argument("--no-browser", action="store_true", help="do not open the browser")
    opening.add_argument("--window", action="store_true", help="open a window of its own, without tabs and address bar")
    flags.add_argument(
        "--auth", metavar="USER:PASSWORD", help="ask for this login; without it one is made up beyond this machine"
    )
    flags.add_argument("--demo", action="store_true", help="a recorded run in a throw-away home, to look at only")
    flags.add_argument("--version", action="version", version=f"SWIRL Studio {__version__}")
    return flags


def is_local(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(host: str, named: int | None) -> int:
    """`named` if it is free, else 7860 or the first free port after it.

    Raises UsageError for a port that is none, SwirlError when the named one, or every tried one, is taken.
    """
    if named is not None:
        if not 1 <= named <= 65535:
            raise UsageError(f"--port {named} is not a port; name one from 1 to 65535.")
        if not _is_free(host, named):
            raise SwirlError(f"Port {named} is taken on {host}; name another with --port, or leave --port out.")
        return named
    for port in range(PORT, PORT + PORT_ATTEMPTS):
        if _is_free(host, port):
            return port
    raise SwirlError(
        f"Ports {PORT} to {PORT + PORT_ATTEMPTS - 1} are all taken on {host}; name a free one with --port."
    )


def _is_free(host: str, port: int) -> bool:
    bare = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except PermissionError as error:
            raise SwirlError(f"Port {port} needs more rights than you have; choose one from 1024 up.") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise UsageError(f"--host {host} is not an address of this machine; try 127.0.0.1 or 0.0.0.0.") from error
    return True


def login(host: str, wanted: str | None, read_only: bool = False) -> tuple[str, str] | None:
    """The login to ask for: the one wanted, or a made-up one beyond this machine, or None.

    A studio in which nobody can change anything makes none up. Raises UsageError when `wanted` is not USER:PASSWORD.
    """
    if wanted:
        user, colon, password = wanted.partition(":")
        if not (user and colon and password):
            raise UsageError("--auth must read USER:PASSWORD, both not empty.")
        return user, password
    return None if read_only or is_local(host) else ("swirl", secrets.token_urlsafe(9))


def serve(arguments: list[str] | None = None) -> int:
    """Run the studio until it is interrupted; the exit code."""
    options = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="swirl-demo-") as scratch:
            options.demo = options.demo or bool(os.environ.get("SPACE_ID"))  # a Space is for everybody who comes by
            if options.demo and options.home:
                raise UsageError("--demo shows a recorded run in a throw-away home; leave --home out.")
            _serve(options, Path(scratch) if options.demo else home_folder(options.home))
    except UsageError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 2
    except SwirlError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The studio was stopped before it was ready.", file=sys.stderr)
        return 130
    return 0


def _leave(number: int, frame: FrameType | None) -> None:
    """SIGTERM means the same as Ctrl C, and a second of either must not cut the closing short."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, lambda number, frame: None)  # not SIG_IGN: Python complains of one already on its way
    raise KeyboardInterrupt


def _serve(options: argparse.Namespace, home: Path) -> None:
    # What can be said without it is said before the slow import of Gradio.
    account = login(options.host, options.auth, options.demo)
    port = free_port(options.host, options.port)
    if options.port is None and port != PORT:
        print(f"Port {PORT} is taken; using {port}.", flush=True)

    for number in STOP_SIGNALS:
        signal.signal(number, _leave)
    from studio import app
    from studio.server import background, browser_window
    from studio.services import inference

    if options.demo:
        from studio.server import demo

        demo.import_recorded_run(home)
    studio = app.build(home, read_only=options.demo)
    try:
        app.launch(studio, host=options.host, port=port, login=account, read_only=options.demo)
    except OSError as error:  # someone took the port between our look and Gradio's
        raise SwirlError(f"Port {port} on {options.host} was taken meanwhile; start again.") from error
    everywhere = options.host in ("0.0.0.0", "::")
    address = f"http://{'localhost' if everywhere else options.host}:{port}"
    what = "a demonstration: nothing can be changed, and nothing stays" if options.demo else f"the home {home}"
    print(f"SWIRL Studio is at {address} with {what}. Stop it with Ctrl C.", flush=True)
    if account and not options.auth:
        print(f"Others can reach it, so it asks for a login: user {account[0]}, password {account[1]}", flush=True)
    if not options.no_browser:
        # Somebody is about to look at Explore: what its first answer needs is imported while the browser opens.
        threading.Thread(target=inference.shared_models(home).preload_imports, daemon=True).start()
        browser_window.open_studio(address, alone=options.window)
    try:
        background.until_interrupted(home)
    finally:
        studio.close(verbose=False)

"""Start the studio's server: the options of `launch.py`, the port, the login, and the browser window."""

from __future__ import annotations

import argparse
import errno
import ipaddress
import os
import secrets
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from studio.server.memory_arenas import limit_memory_arenas
from studio.services.upload_folder import FOLDER, prepare_upload_folder
from swirl.errors import SwirlError, UsageError
from swirl.history.store import HISTORY_FILE
from swirl.paths import require_writable
from swirl.paths import resolve_home as home_folder
from swirl.processes import stop_on_signals
from swirl.version import __version__

if TYPE_CHECKING:
    from studio.server.guard import Admission

PORT = 7860
AUTH = "SWIRL_AUTH"
"""The variable that holds the login where `--auth` is left out."""
STOPPED_EARLY = 130  # the exit code of a program that Ctrl-C ended
PORT_ATTEMPTS = 100  # ports to try, from PORT upwards


def parser() -> argparse.ArgumentParser:
    """Return the parser of the options of `python launch.py`."""
    flags = argparse.ArgumentParser(prog="launch.py", description="Start SWIRL Studio and open it in the browser.")
    flags.add_argument(
        "--home", metavar="DIR", help="folder of runs and collections (default: $SWIRL_HOME, else runs/)"
    )
    flags.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine only)"
    )
    flags.add_argument("--port", type=int, help=f"port to listen on (default: {PORT}, or the next free one)")
    opening = flags.add_mutually_exclusive_group()
    opening.add_argument("--no-browser", action="store_true", help="do not open the browser")
    opening.add_argument("--window", action="store_true", help="open a browser window without tabs and address bar")
    flags.add_argument(
        "--auth",
        metavar="USER:PASSWORD",
        help=f"require this login; other users of the machine see it in the list of processes, so rather set ${AUTH} "
        "to it. Without a login, a server that other machines can reach generates one",
    )
    flags.add_argument(
        "--allow-host",
        metavar="NAME",
        action="append",
        default=[],
        help="also answer under this name, such as that of a proxy here that decides who may pass; repeatable",
    )
    flags.add_argument(
        "--demo", action="store_true", help="read-only demonstration: a recorded run in a temporary home"
    )
    flags.add_argument("--version", action="version", version=f"SWIRL Studio {__version__}")
    return flags


def is_local(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def free_port(host: str, named: int | None) -> int:
    """Return `named` if it is free; without it, return the first free port from 7860 on.

    Raises UsageError for a number that is not a port, SwirlError when `named` or every port tried is taken.
    """
    if named is not None:
        if not 1 <= named <= 65535:
            raise UsageError(f"--port {named} is not a port; choose one from 1 to 65535.")
        if not _is_free(host, named):
            raise SwirlError(f"Port {named} is taken on {host}; choose another with --port, or leave --port out.")
        return named
    for port in range(PORT, PORT + PORT_ATTEMPTS):
        if _is_free(host, port):
            return port
    raise SwirlError(
        f"Ports {PORT} to {PORT + PORT_ATTEMPTS - 1} are all taken on {host}; choose a free one with --port."
    )


def _is_free(host: str, port: int) -> bool:
    bare = host.strip("[]")
    with socket.socket(socket.AF_INET6 if ":" in bare else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, port))
        except PermissionError as error:
            raise SwirlError(f"You have no permission to use port {port}; choose one from 1024 up.") from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise UsageError(f"--host {host} is not an address of this machine; try 127.0.0.1 or 0.0.0.0.") from error
    return True


def login(host: str, wanted: str | None, read_only: bool = False) -> tuple[str, str] | None:
    """Return the user and password to require, or None for no login.

    That is `wanted` if given. Otherwise a server that other machines can reach gets a random password, unless it is
    read-only. Raises UsageError when `wanted` is not USER:PASSWORD.
    """
    if wanted:
        user, colon, password = wanted.partition(":")
        if not (user and colon and password):
            raise UsageError(f"--auth (or ${AUTH}) must be USER:PASSWORD, and neither may be empty.")
        return user, password
    return None if read_only or is_local(host) else ("swirl", secrets.token_urlsafe(9))


def admission(options: argparse.Namespace, account: tuple[str, str] | None) -> Admission:
    """Return who is let in: only this machine's user, whoever knows the login, or, to a demonstration, everybody."""
    from studio.server.guard import Admission, host_name

    local = is_local(options.host)
    public = options.demo and (not local or on_a_space())
    # Without a login, a page of any other user of this machine, or of a web site, would be as good as our user's.
    alone = local and not options.demo and account is None and not options.allow_host
    if alone:
        # The sender of a request must not be able to say who it is.
        os.environ["FORWARDED_ALLOW_IPS"] = ""
    return Admission(
        only_local_names=local and not public,
        only_owner=alone,
        from_any_page=public,
        names=frozenset(map(host_name, options.allow_host)),
    )


def on_a_space() -> bool:
    """Return whether this is a Hugging Face Space, which is public."""
    return bool(os.environ.get("SPACE_ID"))


def serve(arguments: list[str] | None = None) -> int:
    """Run the studio until it is interrupted, and return the exit code."""
    options = parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="swirl-demo-") as scratch:
            options.demo = options.demo or on_a_space()
            if options.demo and options.home:
                raise UsageError("--demo uses a temporary home with a recorded run; leave --home out.")
            return _serve(options, Path(scratch) if options.demo else home_folder(options.home))
    except UsageError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 2
    except SwirlError as error:
        print(f"launch.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("The studio was stopped at once.", file=sys.stderr)
        return STOPPED_EARLY


def _serve(options: argparse.Namespace, home: Path) -> int:
    limit_memory_arenas()
    # Report wrong options before the slow import of Gradio.
    wanted = os.environ.pop(AUTH, None)  # training processes need not know it
    options.auth = options.auth or wanted
    account = login(options.host, options.auth, options.demo)
    require_writable(home, home / HISTORY_FILE, home / "runs")
    port = free_port(options.host, options.port)
    if options.port is None and port != PORT:
        print(f"Port {PORT} is taken; using {port}.", flush=True)

    # A signal only sets this event. An exception in the midst of whatever happens to run could leave the database
    # locked, or be swallowed by a library; only a second Ctrl-C takes that risk.
    stopping = threading.Event()
    with stop_on_signals(stopping.set, ignore_afterwards=True):
        return _serve_until(stopping, options, home, port, account)


def _serve_until(
    stopping: threading.Event, options: argparse.Namespace, home: Path, port: int, account: tuple[str, str] | None
) -> int:
    """Start the studio and serve it until `stopping` is set; the exit code."""
    try:
        prepare_upload_folder(home)
    except OSError as error:
        raise SwirlError(
            f"The folder of uploads {home / FOLDER} cannot be used ({error.strerror}); check its permissions, or "
            "choose another home with --home."
        ) from error
    from studio import app
    from studio.server import background, browser_window
    from studio.services import inference, local_access

    if is_local(options.host) and not options.demo:
        local_access.allow_local_paths()
    if options.demo:
        from studio.server import demo

        demo.import_recorded_run(home)
    if stopping.is_set():
        return _stopped_early()
    studio = app.build(home, read_only=options.demo)
    if stopping.is_set():
        return _stopped_early()
    try:
        app.launch(
            studio,
            host=options.host,
            port=port,
            login=account,
            admission=admission(options, account),
            read_only=options.demo,
        )
    except OSError as error:  # another process took the port after we checked it
        raise SwirlError(
            f"Port {port} on {options.host} has just been taken by another program; start the studio again."
        ) from error
    all_interfaces = options.host in ("0.0.0.0", "::")
    address = f"http://{'localhost' if all_interfaces else options.host}:{port}"
    mode = "a demonstration: nothing can be changed or kept" if options.demo else f"the home {home}"
    print(f"SWIRL Studio is at {address} with {mode}. Press Ctrl-C to stop it.", flush=True)
    if account and not options.auth:
        print(
            f"Other machines can reach it, so it requires a login: user {account[0]}, password {account[1]}", flush=True
        )
    if not options.no_browser:
        # Import what the first answer of a model needs while the browser opens.
        threading.Thread(target=inference.shared_models(home).preload_imports, daemon=True).start()
        browser_window.open_studio(address, alone=options.window)
    try:
        background.until_stopped(home, stopping)
    finally:
        studio.close(verbose=False)
    return 0


def _stopped_early() -> int:
    print("The studio was stopped before it was ready.", file=sys.stderr)
    return STOPPED_EARLY

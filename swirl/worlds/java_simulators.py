"""What the two Java worlds share: finding Java, starting their simulator, and always shutting it down."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from swirl.errors import SwirlError
from swirl.worlds.base import WORLDS_INSTALL_COMMAND

SHUTDOWN_SECONDS = 10
JAVA_NEEDS = "a Java runtime, version 8 or newer, on the PATH (Debian: apt-get install openjdk-17-jre-headless)"

# The simulators walk through hash tables of their objects. An object's own hash differs from run to run, and with it
# ScienceWorld's gold paths; a constant one makes Java's tables keep the order in which they were filled.
CONSTANT_HASHES = (
    "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockExperimentalVMOptions -XX:+UnlockDiagnosticVMOptions -XX:hashCode=2"
)


def missing_requirements(module: str) -> str:
    """One sentence on what a Java world still needs, empty when nothing is; starts nothing."""
    needs = [] if find_spec(module) else [WORLDS_INSTALL_COMMAND]
    if not shutil.which("java"):
        needs.append(JAVA_NEEDS)
    return f"It needs {' and '.join(needs)}." if needs else ""


class JavaSimulator:
    """A py4j environment as a context manager: started on entry, and its JVM is gone after exit.

    `start` makes the environment (`TextWorldExpressEnv()` or `ScienceWorldEnv()`). Raises SwirlError when Java
    does not start.
    """

    def __init__(self, title: str, start: Callable[[], Any]) -> None:
        self.title = title
        self._start = start
        self._env: Any = None

    def __enter__(self) -> Any:
        try:
            with java_options(CONSTANT_HASHES):
                self._env = self._start()
        except Exception as error:  # py4j raises bare Exceptions, OSErrors and kinds of its own when a JVM won't start
            raise SwirlError(f"{self.title} cannot start Java ({error}); check that `java -version` works.") from error
        return self._env

    def __exit__(self, *_: object) -> None:
        process = self._env._gateway.java_process
        self._env.close()
        try:
            process.wait(SHUTDOWN_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def java_options(options: str) -> Iterator[None]:
    """Options for every JVM started within, after those that the user has set; the simulators take none themselves."""
    before = os.environ.get("JAVA_TOOL_OPTIONS")
    os.environ["JAVA_TOOL_OPTIONS"] = f"{before or ''} {options}".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["JAVA_TOOL_OPTIONS"]
        else:
            os.environ["JAVA_TOOL_OPTIONS"] = before

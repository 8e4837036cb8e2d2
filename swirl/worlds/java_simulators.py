"""Shared by the two Java worlds: finds Java, starts their simulator and always shuts it down."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from swirl.errors import SwirlError
from swirl.worlds.base import WORLDS_INSTALL_COMMAND, requirements_sentence

SHUTDOWN_SECONDS = 10
JAVA_NEEDS = "a Java runtime, version 8 or newer, on the PATH (Debian: apt-get install openjdk-17-jre-headless)"

# The simulators iterate over hash tables of their objects. Identity hashes differ between runs, and with them
# ScienceWorld's gold paths; a constant hash makes Java's tables keep their insertion order.
CONSTANT_HASHES = (
    "-XX:+IgnoreUnrecognizedVMOptions -XX:+UnlockExperimentalVMOptions -XX:+UnlockDiagnosticVMOptions -XX:hashCode=2"
)


def missing_requirements(module: str) -> str:
    """One sentence on what a Java world still needs, or empty. Starts nothing."""
    needs = [] if find_spec(module) else [WORLDS_INSTALL_COMMAND]
    if not shutil.which("java"):
        needs.append(JAVA_NEEDS)
    return requirements_sentence(needs)


class JavaSimulator:
    """A py4j environment as a context manager: started on entry, its JVM gone after exit.

    `start` creates the environment (`TextWorldExpressEnv()` or `ScienceWorldEnv()`). Raises SwirlError if Java does not
    start.
    """

    def __init__(self, title: str, start: Callable[[], Any]) -> None:
        self.title = title
        self._start = start
        self._env: Any = None

    def __enter__(self) -> Any:
        try:
            with java_options(CONSTANT_HASHES):
                self._env = self._start()
        except Exception as error:  # py4j raises bare Exceptions, OSErrors and its own types if the JVM fails to start
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
    """Add options for every JVM that the block starts, after those of the user; the simulators accept none."""
    before = os.environ.get("JAVA_TOOL_OPTIONS")
    os.environ["JAVA_TOOL_OPTIONS"] = f"{before or ''} {options}".strip()
    try:
        yield
    finally:
        if before is None:
            del os.environ["JAVA_TOOL_OPTIONS"]
        else:
            os.environ["JAVA_TOOL_OPTIONS"] = before

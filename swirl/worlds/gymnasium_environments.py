"""Opens a Gymnasium environment by its id, and says in one sentence why one does not open."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Iterator
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swirl.errors import SwirlError, UsageError, first_line

PREFIX = "gym:"
"""`gym:ID` names a Gymnasium environment as a world."""

PLUGINS = {
    "ale_py": ("ale-py", ("ALE/",)),
    "minigrid": ("minigrid", ("MiniGrid-", "BabyAI-")),
    "miniwob": ("miniwob", ("miniwob/",)),
    "gymnasium_robotics": ("gymnasium-robotics", ("Fetch", "AdroitHand", "HandManipulate", "PointMaze", "AntMaze")),
    "highway_env": ("highway-env", ("highway-", "merge-", "roundabout-", "parking-", "intersection-", "racetrack-")),
    "flappy_bird_gymnasium": ("flappy-bird-gymnasium", ("FlappyBird-",)),
}
"""Packages that register environments when they are imported, which Gymnasium leaves to the user since 1.0: the import
name, with the name to install and the prefixes of the ids."""

VERSION = re.compile(r"(?P<name>.+)-v(?P<version>\d+)")
CLOSE_MATCHES = 4
"""The most similar ids that a message lists."""


def open_environment(name: str, draws: bool, arguments: dict[str, Any]) -> Any:
    """The environment `ID` or `MODULE:ID`, ready to draw pictures if it can and `draws` is set.

    A module is imported first, from the current folder too. An id without version means the newest. Raises UsageError
    for an unknown id, SwirlError if the environment does not start.
    """
    prepare_drawing()
    import gymnasium

    module, _, wanted = name.rpartition(":")
    if module:
        import_module_of_user(module)
    spec = gymnasium.spec(find_id(wanted))
    with environment_errors(spec.id, "does not start"):
        modes = render_modes(spec)
        if draws and (modes is None or "rgb_array" in modes):
            try:
                return gymnasium.make(spec, render_mode="rgb_array", disable_env_checker=True, **arguments)
            except (TypeError, ValueError, AssertionError):
                if modes is not None:
                    raise
                # A function that builds the environment cannot be asked whether it draws: try without.
        return gymnasium.make(spec, disable_env_checker=True, **arguments)


def prepare_drawing() -> None:
    """Let pygame and MuJoCo draw without a screen.

    pygame must not greet on standard output, where --json promises JSON only.
    """
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    # "dummy" alone makes highway-env draw nothing but black.
    os.environ.setdefault("SDL_VIDEODRIVER", "offscreen,dummy")
    if sys.platform == "linux" and not {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        os.environ.setdefault("MUJOCO_GL", "egl")  # MuJoCo's own first choice, GLFW, needs a screen


@contextlib.contextmanager
def quiet_gymnasium() -> Iterator[None]:
    """Silence Gymnasium's warnings, such as that of an id which has a newer version."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"gymnasium\.")
        yield


@contextlib.contextmanager
def environment_errors(
    name: str, what: str, mend: str = "correct its settings, or choose another one"
) -> Iterator[None]:
    """Turn whatever an environment raises into a SwirlError: `The environment NAME WHAT (reason); MEND.`."""
    from gymnasium.error import DependencyNotInstalled

    try:
        yield
    except SwirlError:
        raise
    except DependencyNotInstalled as error:
        raise SwirlError(f"The environment {name} {what}: {first_line(error)}.") from error
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise SwirlError(
            f"The environment {name} {what}, as the package {package} is missing; run pip install {package}."
        ) from error
    except Exception as error:  # environments are other people's programs: they may raise anything
        raise SwirlError(f"The environment {name} {what} ({describe_error(error)}); {mend}.") from error


def describe_error(error: Exception) -> str:
    """The type of another program's error, and the first line of what it says, if anything."""
    kind = type(error).__name__
    return f"{kind}: {first_line(error)}" if str(error).strip() else kind


def import_module_of_user(module: str) -> None:
    """Import the module that the user named, which registers its environments. Raises UsageError if that fails."""
    here = str(Path.cwd())
    sys.path.insert(0, here)  # an installed `swirl` does not look for modules in the current folder by itself
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        where = "in the current folder nor among the installed packages" if missing == module else "though it is needed"
        raise UsageError(f"The module {missing} of {PREFIX}{module}:… is neither {where}; install it.") from error
    except Exception as error:  # the module may raise anything
        raise UsageError(
            f"The module {module} fails when it is imported ({describe_error(error)}); correct it."
        ) from error
    finally:
        sys.path.remove(here)


def find_id(wanted: str) -> str:
    """The registered id that is meant; installed packages that register environments are imported if need be.

    Raises UsageError with the versions or ids that are close, or the package that is missing.
    """
    import gymnasium

    if not newest_version(wanted):
        import_plugins()
    found = newest_version(wanted)
    if found:
        return found
    parts = VERSION.fullmatch(wanted)
    versions = [known for known in gymnasium.registry if parts and known.startswith(f"{parts['name']}-v")]
    if versions:
        elsewhere = [known for known in gymnasium.registry if known.endswith(f"/{wanted}")]
        raise UsageError(f"{PREFIX}{wanted} is not there in that version; there is {', '.join(elsewhere + versions)}.")
    package = next(
        (
            package
            for module, (package, prefixes) in PLUGINS.items()
            if wanted.startswith(prefixes) and not find_spec(module)
        ),
        None,
    )
    if package:
        raise UsageError(f"{PREFIX}{wanted} comes with a package that is not installed; run pip install {package}.")
    close = close_ids(wanted)
    hint = f"close to it: {', '.join(close)}" if close else "if a package of yours registers it, write gym:MODULE:ID"
    raise UsageError(f"There is no Gymnasium environment {wanted!r}; {hint}.")


def newest_version(wanted: str) -> str | None:
    """The id if it is registered, else its newest version if it names none; else None."""
    import gymnasium

    if wanted in gymnasium.registry:
        return wanted
    known = [found for name in gymnasium.registry if (found := VERSION.fullmatch(name)) and found["name"] == wanted]
    return max(known, key=lambda found: int(found["version"])).string if known else None


def import_plugins() -> None:
    """Import the installed packages that register environments."""
    for module in PLUGINS:
        if find_spec(module):
            with contextlib.suppress(Exception):  # a broken package must not hide the environments of the others
                importlib.import_module(module)


def close_ids(wanted: str) -> list[str]:
    """Registered ids that are similar, or contain the wanted name, in any case of letters."""
    import gymnasium

    by_lower_case = {known.lower(): known for known in gymnasium.registry}
    name = wanted.lower().partition("-v")[0]
    containing = [known for known in by_lower_case if len(name) > 2 and name in known]
    close = [*sorted(containing, key=len), *get_close_matches(wanted.lower(), by_lower_case, CLOSE_MATCHES)]
    return [by_lower_case[known] for known in dict.fromkeys(close)][:CLOSE_MATCHES]


def render_modes(spec: Any) -> list[str] | None:
    """The ways to draw that an environment's class declares; None if it is made by a function, which declares none."""
    from gymnasium.envs.registration import load_env_creator

    creator = spec.entry_point if callable(spec.entry_point) else load_env_creator(spec.entry_point)
    metadata = getattr(creator, "metadata", None)
    return list(metadata.get("render_modes") or []) if isinstance(metadata, dict) else None

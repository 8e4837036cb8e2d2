"""An attacker tries the doors of a real studio; for each attempt it is printed whether the studio held.

    python tests/robustness/doors.py            all doors
    python tests/robustness/doors.py names      one of them

Everything that is sent goes to servers on this machine that it starts itself over temporary homes.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import file_doors
import page_doors
import secret_doors
import server_doors
from door_scene import Door, Scene

DOORS: dict[str, Callable[[Scene], Door]] = {
    "names": server_doors.names,
    "other-pages": server_doors.other_pages,
    "browser": page_doors.foreign_page,
    "other-users": server_doors.other_users,
    "uploads": file_doors.uploads,
    "archives": file_doors.archives,
    "paths": file_doors.paths,
    "html": page_doors.html,
    "logins": server_doors.logins,
    "demonstration": server_doors.demonstration,
    "secrets": secret_doors.secrets,
    "pickles": file_doors.pickles,
    "spaces": secret_doors.spaces,
    "measure": server_doors.measure,
}


def main() -> int:
    """The command. Returns 1 if a door is open."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("doors", nargs="*", choices=[*DOORS, []], help="which doors (default: all)")
    parser.add_argument("--all", action="store_true", help="print the attempts that were held, too")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers must not outlive this
    tried, held = 0, 0
    with tempfile.TemporaryDirectory(prefix="doors-") as folder:
        scene = Scene(Path(folder))
        try:
            for name in options.doors or DOORS:
                door = DOORS[name](scene)
                tried, held = tried + 1, held + (not door.opened)
                verdict = "OPEN" if door.opened else "held"
                print(
                    f"{verdict}  {door.name}: {len(door.attempts)} attempts, {len(door.opened)} succeeded", flush=True
                )
                for attempt in door.attempts:
                    if options.all or not attempt.held:
                        print(f"      {'held' if attempt.held else 'OPEN'}  {attempt.what}  {attempt.seen}"[:300])
        finally:
            scene.close()
    print(f"{tried} doors tried, {held} held")
    return int(held < tried)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    sys.exit(main())

"""Tests of the judgement whether something grows: made-up readings, and processes that leak on purpose."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from growth import Growth, Reading, fit_line, judge, read_folder, read_process, table

NOTHING = "pass"
LEAKS = {
    "open handles": "kept.append(open(__file__))",
    "memory, MB": "kept.append(b'x' * 1_000_000)",
    "threads": "threading.Thread(target=threading.Event().wait, daemon=True).start()",
    "child processes": "kept.append(subprocess.Popen(['sleep', '600']))",
}
SERVER = """
import subprocess, sys, threading
kept = []
for line in sys.stdin:
    if int(line) % 20 == 0:
        {leak}
    print(line, flush=True)
"""


def readings(value: Callable[[float], float], name: str = "memory, MB") -> list[Reading]:
    """Readings of 20 000 events."""
    return [Reading(done, {name: value(done)}) for done in range(0, 20_001, 200)]


def verdict(value: Callable[[float], float], name: str = "memory, MB", tolerance: float = 1.0) -> str:
    """The verdict on made-up readings."""
    return judge(readings(value, name), tolerance=tolerance)[0].verdict


def test_noise_and_a_warm_up_are_no_growth() -> None:
    draw = random.Random(0)
    assert verdict(lambda done: 500 + draw.gauss(0, 10)) == "no growth"
    assert verdict(lambda done: min(done, 4000) / 10) == "no growth"  # all of it within the first quarter
    assert verdict(lambda done: 500 - done / 1000) == "no growth"


def test_a_steady_leak_grows_also_below_noise() -> None:
    draw = random.Random(0)
    assert verdict(lambda done: 500 + done / 1000 + draw.gauss(0, 2)) == "GROWS"
    assert verdict(lambda done: 20 + done // 1000, "open handles") == "GROWS"
    assert verdict(lambda done: done // 500, "temporary files") == "GROWS"


def test_little_growth_is_told_apart_from_none() -> None:
    assert verdict(lambda done: 500 + done / 1e4) == "below its bound"
    assert verdict(lambda done: 20 + (done > 10_000), "open handles") == "below its bound"  # one handle is no leak
    assert verdict(lambda done: 500 + done / 1000, tolerance=10) == "below its bound"


def test_the_slope_and_its_error_are_those_of_least_squares() -> None:
    # By hand: the products of x - 1.5 and y - 2.5 sum up to 4, the squares of x - 1.5 to 5, those of the rests to 1.8.
    slope, error = fit_line([0, 1, 2, 3], [1, 3, 2, 4])
    assert slope == pytest.approx(0.8) and error == pytest.approx((1.8 / 2 / 5) ** 0.5)


def test_too_few_readings_are_not_judged() -> None:
    with pytest.raises(ValueError, match="3 readings"):
        judge([Reading(done, {"threads": 1}) for done in (0, 5, 8, 10)], warm_up=0.5)


@pytest.mark.parametrize("name", LEAKS)
def test_a_process_that_leaks_is_caught(name: str, tmp_path: Path) -> None:
    growths = measured(tmp_path, LEAKS[name])
    assert growths[name].verdict == "GROWS", growths[name]


def test_a_process_that_keeps_nothing_passes(tmp_path: Path) -> None:
    assert not [growth for growth in measured(tmp_path, NOTHING).values() if growth.is_real]


def measured(folder: Path, leak: str, events: int = 200) -> dict[str, Growth]:
    """The growth of a process that does this at every twentieth of its events."""
    script = folder / "server.py"
    script.write_text(SERVER.format(leak=leak))
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin and server.stdout
        found = []
        for event in range(events):
            print(event, file=server.stdin, flush=True)
            server.stdout.readline()
            if event % 5 == 0:
                found.append(Reading(event, read_process(psutil.Process(server.pid))))
        for child in psutil.Process(server.pid).children():
            child.kill()
        server.kill()
    return {growth.name: growth for growth in judge(found)}


def test_a_folder_is_counted_with_what_lies_below(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(b"12345")
    assert read_folder(tmp_path) == (3, 5)
    assert read_folder(tmp_path / "missing") == (0, 0)


def test_the_table_has_a_line_for_everything_measured() -> None:
    found = readings(lambda done: 500 + done / 1000)
    head, line = table("studio", "events", found, judge(found)).splitlines()
    assert head.split()[:6] == ["studio,", "after", "so", "many", "events", "0"] and "20000" in head
    assert line.startswith("memory, MB") and line.endswith("GROWS") and "+1.000" in line

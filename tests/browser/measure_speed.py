"""Measure how fast the pages are on this machine: `python tests/browser/measure_speed.py [--runs N] [--rows N]`.

Prints, in seconds: from starting the server to a page that answers, each change of page, the answers to what a visitor
does while a training run uses the cores, and the table of runs and a chart in a history of many runs. Use a machine
that does nothing else.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from studio_server import PATIENCE, Outside, StudioServer, until
from visitor import Visitor, chromium_path, open_chromium

from swirl.history import History
from swirl.settings import Settings

READY = {
    "Explore": ".action-chip",
    "Play": '[data-part="stage"] > *',
    "Train": ".start-form, .run-name",
    "Compare": "#side-a option >> nth=0",
    "Runs": "tr[data-run], .runs-page .empty",
}
"""What of each page a visitor waits for."""
TOURS = 3


def main() -> None:
    """Measure one thing after the other."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--runs", type=int, default=500)
    flags.add_argument("--rows", type=int, default=2_000_000, help="metric rows in all")
    given = flags.parse_args()
    path = chromium_path()
    if path is None:
        raise SystemExit("There is no Chromium on this machine.")
    expect.set_options(timeout=1000 * PATIENCE)
    outside = Outside()
    with (
        tempfile.TemporaryDirectory(prefix="swirl-speed-") as scratch,
        sync_playwright() as playwright,
        open_chromium(playwright, path) as browser,
    ):
        for name, measure in (("new", small), ("many", lambda s, v: large(s, v, given.runs, given.rows))):
            server = StudioServer(Path(scratch) / name, outside)
            try:
                measure(server, lambda server=server: visitor(browser, server))
            finally:
                server.close()
    outside.close()


def visitor(browser: Browser, server: StudioServer) -> Visitor:
    """Somebody who waits no longer than a minute for anything."""
    one = Visitor(browser, server.url)
    one.context.set_default_timeout(60_000)
    return one


def small(server: StudioServer, enter: Callable[[], Visitor]) -> None:
    """A new home: the start, the pages, and the pages while something trains."""
    begun = time.monotonic()
    serving = server.start()
    page = enter().open("/")
    page.locator(READY["Explore"]).first.wait_for()
    tell("server start to Explore's first sequence", [time.monotonic() - begun], 6)
    print(f"  of this the server took {serving:.2f} s")
    tell("to the first imagined state", [timed(lambda: page.locator('[data-part="imagined"] .state').first.wait_for())])
    tour(page, "a change of page, nothing training", 0.5)
    server.swirl("train", "--preset", "tiny-blocks", "--detach")
    until(lambda: (server.run().step or 0) > 1, "two steps")
    answers = listen(page)
    tour(page, "a change of page while a run trains", 0.5)
    page.goto("/train")
    page.wait_for_timeout(20_000)
    page.goto("/?data=household")
    for _ in range(20):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(500)
    quick = [seconds for what, seconds in answers if what != "model"]
    tell(f"the answers of the server while a run trains ({len(quick)})", quick, 0.25)
    for what, seconds in sorted(answers, key=lambda each: -each[1])[:8]:
        print(f"    {seconds:.3f} s  {what}")


def large(server: StudioServer, enter: Callable[[], Visitor], runs: int, rows: int) -> None:
    """A history of many runs."""
    longest = fill(server.home, runs, rows)
    server.start()
    page = enter().open("/?data=household")
    page.locator(READY["Explore"]).first.wait_for()
    seconds = []
    for _ in range(TOURS):
        page.goto("/")
        page.locator(READY["Explore"]).first.wait_for()
        seconds.append(change(page, "Runs"))
    tell(f"Runs with {runs} runs and {rows:,} rows", seconds, 1)
    seconds = []
    for _ in range(TOURS):
        page.goto("/runs")
        page.locator(READY["Runs"]).first.wait_for()
        begun = time.monotonic()
        page.goto(f"/train?run={longest}")
        page.locator('[data-chart="reward"] .scatterlayer .trace').first.wait_for()
        seconds.append(time.monotonic() - begun)
    tell("its longest run, to the first drawn curve", seconds)
    asked = listen(page)
    page.goto(f"/train?run={longest}")
    page.locator('[data-chart="reward"] .scatterlayer .trace').first.wait_for()
    page.wait_for_timeout(1000)
    tell("the answers that its charts wait for", [seconds for _, seconds in asked], 0.5)


def fill(home: Path, runs: int, rows: int) -> str:
    """A history of finished runs; half of the rows belong to the last one, whose id is returned."""
    history = History(home)
    names = ("reward", "bound", "kl", "entropy", "loss", "reward_std", "grad_norm", "learning_rate")
    for index in range(runs):
        run = history.create_run(preset="tiny-household", settings=Settings().to_dict(), name=f"run {index}")
        steps = rows // 2 // len(names) // (1 if index == runs - 1 else runs - 1)
        history.start_phase(run, 0, 1, "forward", steps)
        history.log_metrics(run, 0, 1, dict.fromkeys(names, 0.5))
        with sqlite3.connect(home / "studio.db") as db:
            columns = ((run, 0, step, name, (step * 7 % 100) / 100) for step in range(2, steps + 1) for name in names)
            db.executemany("INSERT INTO metrics (run, phase, step, name, value) VALUES (?, ?, ?, ?, ?)", columns)
        history.finish_phase(run, 0)
        history.update_run(run, status="finished")
    return run


def tour(page: Page, what: str, aim: float) -> None:
    """Every page by its link in the header, several times."""
    for _ in range(TOURS):
        seconds = {name: change(page, name) for name in READY}
        print("   ", ", ".join(f"{name} {each:.2f}" for name, each in seconds.items()))
    tell(what, list(seconds.values()), aim)


def change(page: Page, name: str) -> float:
    """Seconds from a click on a page's link to what its visitor waits for."""
    begun = time.monotonic()
    page.locator(".studio-header nav a", has_text=name).click()
    page.wait_for_url(lambda address: True, wait_until="commit")
    page.locator(READY[name]).first.wait_for(state="attached")
    return time.monotonic() - begun


def listen(page: Page) -> list[tuple[str, float]]:
    """What is asked of the server from now on, and the seconds from asking to the whole answer, as they come."""
    answers: list[tuple[str, float]] = []

    def note(request: Request) -> None:
        if "component_server" in request.url:
            answers.append(((request.post_data or "")[:160], request.timing["responseEnd"] / 1000))

    page.on("requestfinished", note)
    return answers


def timed(act: Callable[[], object]) -> float:
    """The seconds something takes."""
    begun = time.monotonic()
    act()
    return time.monotonic() - begun


def tell(what: str, seconds: list[float], aim: float | None = None) -> None:
    """One line: the median, the 95th of a hundred, the longest, and the aim."""
    ordered = sorted(seconds)
    high = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    words = f"{what}: median {statistics.median(ordered):.2f} s, 95 % within {high:.2f} s, at most {ordered[-1]:.2f} s"
    print(words + (f" (aim: {aim} s)" if aim else ""), flush=True)


if __name__ == "__main__":
    main()

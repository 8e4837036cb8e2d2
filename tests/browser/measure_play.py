"""Measure how long Play takes to imagine: `python tests/browser/measure_play.py CHECKPOINT --data NAME --home HOME`.

In a real browser, for several recorded states, the true action is typed, and Enter pressed. Prints the seconds until
the first words, until a next state is there to its last word, and until all four futures with their scores; and the
median and the longest of each. Suggestions are
imagined ahead, so a typed action is the slower case. Use a machine that does nothing else, and a home without runs that
go on, for they are ended.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright
from studio_server import PATIENCE, Outside, StudioServer
from visitor import Visitor, chromium_path, open_chromium

from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import load_sequences

MOMENTS = ("first words", "a whole next state", "all futures")
WATCH = """() => {
  const seen = (window.seen = { growing: [] }), now = () => performance.now() / 1000;
  const folded = (part) => part.textContent.replace(/\\s+/g, " ").trim();
  const texts = (which) => [...document.querySelectorAll(which)].map(folded);
  addEventListener("keydown", (event) => { if (event.key === "Enter") seen.began ??= now(); }, true);
  const look = () => {
    if (seen.began === undefined) return;
    if (document.querySelector(".future")) seen.first ??= now();
    if (document.querySelector(".future.growing")) seen.growing.push([now(), texts(".future.growing")]);
    if (document.querySelector(".futures:not([aria-busy]) .score")) seen.whole ??= now();
    if (seen.whole) seen.futures ??= texts(".futures .future");
  };
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true });
}"""
"""Notes in the page itself when Enter is pressed and what is there when: Playwright looks only once a second."""


def main() -> None:
    """Visit one state after the other."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("checkpoint")
    flags.add_argument("--data", required=True)
    flags.add_argument("--home", type=Path, required=True)
    flags.add_argument("--states", type=int, default=10)
    given = flags.parse_args()
    path = chromium_path()
    if path is None:
        raise SystemExit("There is no Chromium on this machine.")
    expect.set_options(timeout=1000 * PATIENCE)
    sequences, actions = load_sequences(given.home, given.data), load_true_actions(given.home, given.data)
    places = [(number, actions[each.id][0]) for number, each in enumerate(sequences, start=1) if actions.get(each.id)]
    spread = places[:: max(1, len(places) // given.states)][: given.states]
    outside = Outside()
    server = StudioServer(given.home, outside)
    try:
        server.start()
        with sync_playwright() as playwright, open_chromium(playwright, path) as browser:
            visitor = Visitor(browser, server.url)
            choice = json.dumps({"swirl-checkpoint": given.checkpoint, "swirl-checkpoint-text": given.checkpoint})
            visitor.context.add_init_script(f"try {{ Object.assign(localStorage, {choice}); }} catch {{ /* blank */ }}")
            rows = [imagine(visitor, given.data, number, action) for number, action in spread]
    finally:
        server.close()
        server.log.unlink(missing_ok=True)
        outside.close()
    for name, column in zip(MOMENTS, zip(*rows, strict=True), strict=True):
        print(f"{name}: median {statistics.median(column):.2f} s, longest {max(column):.2f} s, of {len(column)}")


def imagine(visitor: Visitor, data: str, sequence: int, action: str) -> tuple[float, ...]:
    """The seconds from Enter to each of the MOMENTS, in the first state of a sequence."""
    page: Page = visitor.open(f"/play?data={data}&sequence={sequence}")
    # The model may have no suggestion; the page then says so.
    expect(page.locator('[data-part="suggestions"]')).to_have_text(re.compile(r"^(?!.*Looking for actions).*\S", re.S))
    field = page.locator("#play-action")
    field.fill(action)
    page.evaluate(WATCH)
    field.press("Enter")
    expect(page.locator(".futures:not([aria-busy]) .score").first).to_be_visible()
    seen = page.evaluate("window.seen")
    futures = {text.replace("… ", "") for text in seen["futures"]}  # without the marks before what is faded
    complete = (when for when, texts in seen["growing"] if futures & set(texts))
    moments = (seen["first"], next(complete, seen["whole"]), seen["whole"])
    seconds = tuple(moment - seen["began"] for moment in moments)
    told = ", ".join(f"{name} {value:.2f} s" for name, value in zip(MOMENTS, seconds, strict=True))
    print(f"sequence {sequence}, {action!r}: {told}", flush=True)
    page.close()
    return seconds


if __name__ == "__main__":
    main()

"""What several browser tests do on the pages: drop a file, fill the start form, read a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from playwright.sync_api import Page, Route, expect

DROP = """([element, name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    element.dispatchEvent(new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true }));
  }
}"""
POINTS = """(chart) => (document.querySelector(`[data-chart="${chart}"]`)?.data ?? [])
  .filter((trace) => trace.hoverinfo !== "skip").flatMap((trace) => trace.y).filter((y) => y !== null).length"""

OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth, root = document.documentElement;
  const found = root.scrollWidth > width + 1 ? [`the page itself: ${root.scrollWidth} px in ${width}`] : [];
  // Inside a panel that scrolls by itself anything may be wide; what merely cuts off its content is no excuse.
  const scrolls = (element) => {
    for (let above = element.parentElement; above && above !== document.body; above = above.parentElement) {
      if (!/auto|scroll/.test(getComputedStyle(above).overflowX)) continue;
      return above.getBoundingClientRect().right <= width + 1;
    }
    return false;
  };
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    const beside = ".visually-hidden, svg svg, [aria-hidden=true], .js-plotly-plot, #js-plotly-tester";
    if (!box.width || !box.height || element.closest(beside)) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if ((box.right > width + 1 || box.left < -1) && !scrolls(element)) {
      const extent = `${Math.round(box.left)} to ${Math.round(box.right)} px`;
      found.push(`${element.tagName.toLowerCase()}.${element.className}: ${extent}`);
    }
  }
  return found;
}"""
"""What stands out of the window, in words; nothing when the page fits."""


def drop(page: Page, name: str, text: str) -> None:
    """Let a file of that name and content fall on Explore's drop field."""
    page.evaluate(DROP, [page.locator(".drop").element_handle(), name, text])


def fill_start_form(page: Page, settings: Mapping[str, object]) -> None:
    """Open the start form, choose the preset of the anchored loop, whose every phase has rewards, and type settings.

    Settings that are folded away are unfolded.
    """
    page.goto("/train?new=1")
    expect(page.locator(".start-form")).to_be_visible()
    page.locator('[name=preset][value="tiny-household-anchor"]').check()
    for name, value in settings.items():
        field = page.locator(f'[id="set-{name}"]')
        if not field.is_visible():
            page.get_by_role("heading", name="All other settings").click()
        field.fill(str(value))


def expect_status(page: Page, words: str) -> None:
    """The run view says so."""
    expect(page.locator(".run-name .chip")).to_contain_text(words)


def points(page: Page, chart: str) -> int:
    """How many points the curves of a live chart have now."""
    return page.evaluate(POINTS, chart)


def wait_for_points(page: Page, chart: str, at_least: int) -> None:
    """Wait until the curves of a live chart have so many points."""
    page.wait_for_function(f"([chart, least]) => ({POINTS})(chart) >= least", arg=[chart, at_least])


def on_call(page: Page, function: str, handle: Callable[[Route], object]) -> None:
    """Hand the page's calls of a function on the server to `handle`, which lets them go on when it likes."""

    def seen(route: Route) -> None:
        if (route.request.post_data_json or {}).get("fn_name") == function:
            handle(route)
        else:
            route.continue_()

    page.route("**/component_server/", seen)

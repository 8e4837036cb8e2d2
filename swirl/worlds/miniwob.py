"""MiniWoB++ (Liu et al. 2018, MIT) as a world of texts: web pages with checkboxes, options, tabs, sections, fields.

One headless Chromium plays all pages. The buttons and links that end a task are not pressed and the page's clock is
stopped, so that only its length ends an episode. The task's instruction never changes and is not part of the state.
Recordings with seed 1000 or above play other tasks.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urljoin

from swirl.errors import SwirlError
from swirl.states import State
from swirl.worlds.base import WORLDS_INSTALL_COMMAND, Episode, is_held_out_seed, make_episode, requirements_sentence
from swirl.worlds.miniwob_page import Widget, format_page, parse_widgets

TASKS = ("click-checkboxes", "click-tab-2", "click-option", "enter-text", "login-user", "form-sequence-2",
         "click-collapsible-2-nodelay")  # fmt: skip
HELD_OUT_TASKS = ("click-checkboxes-soft", "click-tab-2-hard", "enter-password", "click-checkboxes-transfer",
                  "enter-text-2")  # fmt: skip

WORDS = ("ada", "ben", "cat", "dog", "eva", "fox", "42", "yes")
MAX_FIELD_LENGTH = 8
"""With this many characters in a field, only deleting is tried."""
NO_OP_SHARE = 0.05  # how often an action that changes nothing visible is allowed

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
BROWSER_NEEDS = "Chromium and its driver on the PATH (Debian: apt-get install chromium chromium-driver)"


def missing_requirements() -> str:
    """One sentence on what the world still needs, or empty. Starts nothing."""
    needs = [] if find_spec("miniwob") else [WORLDS_INSTALL_COMMAND]
    if not (find_chromium() and shutil.which("chromedriver")):
        needs.append(BROWSER_NEEDS)
    return requirements_sentence(needs)


def find_chromium() -> str | None:
    """The path of Chromium, or None if it is not installed."""
    return next((found for name in CHROMIUM if (found := shutil.which(name))), None)


@contextlib.contextmanager
def open_browser() -> Iterator[Any]:
    """A running `MiniWoBEnvironment`; Chromium is closed on exit. Raises SwirlError if Chromium does not start."""
    # Selenium must neither download a driver nor send statistics.
    os.environ |= {"SE_OFFLINE": "true", "SE_AVOID_STATS": "true"}
    os.environ.setdefault("MINIWOB_CHROME_BINARY", find_chromium() or "")
    os.environ.setdefault("MINIWOB_CHROMEDRIVER", shutil.which("chromedriver") or "")
    from miniwob.environment import MiniWoBEnvironment
    from selenium.common.exceptions import WebDriverException

    try:
        env = MiniWoBEnvironment(subdomain=TASKS[0])
    except (WebDriverException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise SwirlError(
            f"MiniWoB++ cannot start Chromium ({reason}); check that `chromium --version` works."
        ) from error
    try:
        yield env
    finally:
        env.close()


@dataclass(frozen=True)
class PageAction:
    """An action: its words, the widget, and the keys to type there, or None for a click."""

    words: str
    widget: Widget
    keys: str | None = None


class MiniWob:
    """The world `miniwob`; `env` is a running `MiniWoBEnvironment`."""

    name = "miniwob"

    def __init__(self, env: Any) -> None:
        self.env = env
        env.set_record_screenshots(False)
        # The environment's extractors expect the instruction of its first task, but other tasks' pages are loaded too.
        env.instance.field_extractor = lambda utterance: []

    def episode(self, seed: int, length: int) -> Episode:
        """Play exactly `length` actions on the task number `seed` mod their number, the same for the same seed."""
        rng = random.Random(f"miniwob-{seed}")
        tasks = HELD_OUT_TASKS if is_held_out_seed(seed) else TASKS
        seen = self._open(tasks[seed % len(tasks)], rng.randrange(2**31))
        states, actions = [State(format_page(seen))], []
        for _ in range(length):
            action = rng.choice(list_actions(seen, rng))
            seen = self._do(action)
            states.append(State(format_page(seen)))
            actions.append(action.words)
        return make_episode(states, actions)

    def _open(self, task: str, seed: int) -> list[Widget]:
        """Open a task's page and return its widgets."""
        from miniwob.selenium_instance import DEFAULT_BASE_URL

        driver = self.env.instance.driver
        driver.get(urljoin(DEFAULT_BASE_URL, f"{task}.html"))
        driver.execute_script("core.EPISODE_MAX_TIME = 1e9;")  # or the task would time out on a slow computer
        observed, _ = self.env.reset(seed=seed)
        return parse_widgets(observed["dom_elements"])

    def _do(self, action: PageAction) -> list[Widget]:
        """Perform an action and return the widgets after it."""
        from miniwob.action import ActionTypes

        observed, *_ = self.env.step(self.env.create_action(ActionTypes.CLICK_ELEMENT, ref=str(action.widget.ref)))
        if action.keys is not None:
            type_keys(self.env.instance.driver, action.keys)
            observed, *_ = self.env.step(self.env.create_action(ActionTypes.NONE))
        return parse_widgets(observed["dom_elements"])


def type_keys(driver: Any, keys: str) -> None:
    """Type at the end of the focused field; an empty text presses Backspace."""
    from selenium.webdriver.common.keys import Keys

    driver.switch_to.active_element.send_keys(Keys.END + (keys or Keys.BACKSPACE))


def list_actions(found: list[Widget], rng: random.Random) -> list[PageAction]:
    """The sensible actions on a page, mostly only those that change the visible state."""
    no_op = rng.random() < NO_OP_SHARE
    able = [
        PageAction(f'click the {widget.kind} "{widget.name}"', widget)
        for widget in found
        if widget.kind in ("checkbox", "section")
        or (widget.kind == "option" and (no_op or widget.state == "off"))
        or (widget.kind == "tab" and (no_op or widget.state == "closed"))
    ]
    for widget in found:
        if widget.kind != "field":
            continue
        held = len(widget.state) - 2
        if held:
            able.append(PageAction(f'press backspace in the field "{widget.name}"', widget, ""))
        if held < MAX_FIELD_LENGTH:
            word = rng.choice(WORDS)
            able.append(PageAction(f'type "{word}" into the field "{widget.name}"', widget, word))
    return able

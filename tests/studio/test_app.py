"""Tests of the app as a whole: its pages, its public handlers, its imports, its colours and its header."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from studio import app
from studio.components.shared import header
from studio.server import theme
from studio.services.history_store import history
from studio.services.inference import shared_models


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory):
    return app.build(tmp_path_factory.mktemp("home"))


def test_six_pages_are_linked_and_one_is_reached_from_them(built) -> None:
    assert [page[0] for page in built.pages] == ["", "play", "train", "compare", "experiments", "runs", "label"]
    assert [module.PAGE.title for module in app.PAGES] == [
        "Explore", "Play", "Train", "Compare", "Experiments", "Runs",
    ]  # fmt: skip


def test_no_handler_is_public_by_accident(built) -> None:
    public = [fn.api_name for fn in built.fns.values() if fn.api_visibility != "private"]
    assert public == ["load", "infer", "imagine", "start", "status"]


@pytest.mark.slow
def test_the_studio_imports_no_tensors() -> None:
    code = (
        "import sys; from pathlib import Path; from studio import app, serve; from studio.server import background;"
        "print([m for m in ('torch', 'transformers', 'trl', 'peft', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_styles_and_scripts_load_nothing_from_other_hosts() -> None:
    look = theme.theme()
    assert look._stylesheets == [] and "fonts.googleapis" not in look._get_theme_css()
    ours = look.custom_css + theme.head()
    assert not re.search(r"url\(|@import|https?://", ours)


def test_every_colour_has_a_light_and_a_dark_value() -> None:
    css = theme.theme().custom_css
    light, dark = (re.search(p, css, re.S | re.M) for p in (r"^:root \{(.*?)\n\}", r"^:root \.dark[^{]*\{(.*?)\n\}"))
    assert light and dark
    names = [set(re.findall(r"(--[\w-]+): #", block.group(1))) for block in (light, dark)]
    assert names[0] == names[1] and {"--forward", "--inverse", "--accent", "--wrong"} <= names[0]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("block", [0, 1])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("--ink", "--paper"), ("--muted", "--paper"), ("--muted", "--soft"), ("--muted", "--panel"),
        ("--forward", "--panel"), ("--forward", "--forward-soft"), ("--inverse", "--panel"),
        ("--inverse", "--inverse-soft"), ("--on-inverse", "--inverse"), ("--on-forward", "--forward"),
        ("--on-accent", "--accent"), ("--wrong", "--panel"), ("--wrong", "--wrong-soft"), ("--good", "--panel"),
    ],
)  # fmt: skip
def test_text_has_enough_contrast(block: int, text: str, ground: str) -> None:
    css = theme.theme().custom_css
    found = re.findall(r"^:root[^{]*\{(.*?)\n\}", css, re.S | re.M)[block]
    colours = dict(re.findall(r"(--[\w-]+): (#[0-9a-f]{6})", found))
    high, low = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 4.5


def test_the_strip_names_the_running_job_with_phase_and_time_left(home: Path, loaded: list) -> None:
    past = history(home)
    assert header.status_parts(home, "")["job"] == ""
    run = past.create_run(preset=None, settings={"data": "walks"})
    past.update_run(run, status="running")
    assert "starting" in header.status_parts(home, "")["job"]
    past.heartbeat(run, phase="inverse", phase_index=2, step=41, phase_steps=80, seconds_left=130, memory_bytes=None)
    job = header.status_parts(home, "")["job"]
    assert run in job and "inverse phase 41/80" in job and "2" in job and "left" in job and 'class="dot inverse"' in job


def test_the_menu_marks_the_chosen_and_the_loaded(home: Path, loaded: list) -> None:
    with shared_models(home).use("second"):
        pass
    parts = header.status_parts(home, "third")
    assert parts["checkpoint"].strip() == "third"
    assert re.search(r'data-checkpoint="third" aria-pressed="true"', parts["menu"])
    assert re.search(r"second</span><small>loaded", parts["menu"]) and "data-unload" in parts["menu"]
    shared_models(home).unload()
    assert "data-unload" not in header.status_parts(home, "third")["menu"]


def test_without_a_model_the_strip_says_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.services.inference.ready_models", lambda: [])
    parts = header.status_parts(home, "")
    assert "no model yet" in parts["checkpoint"] and "Train one" in parts["menu"]

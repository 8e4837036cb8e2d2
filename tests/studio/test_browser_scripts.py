"""The pages' scripts: modules that are sent as such, and pure functions that node tests without a browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from studio import app
from studio.components.shared.html import MOUNT
from studio.server import demo, preload
from studio.services import browser_scripts
from swirl.paths import assets

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(browser_scripts.modules())
ADDRESS = "/" + browser_scripts.address("start.js")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> gr.Blocks:
    return app.build(tmp_path_factory.mktemp("home"))


@pytest.fixture
def client() -> Iterator[TestClient]:
    yield TestClient(FastAPI(routes=[browser_scripts.route()], middleware=demo.middleware()))


def test_the_pure_functions_do_what_they_say() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine; the scripts' own tests need one, from version 20 on")
    files = sorted((ROOT / "tests" / "scripts").glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *map(str, files)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(files) == 3


def test_a_module_is_sent_as_javascript_that_browsers_keep(client: TestClient) -> None:
    answer = client.get(ADDRESS)
    assert answer.content == (assets() / "scripts" / "start.js").read_bytes()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    nested = client.get("/" + browser_scripts.address("shared/server.js"))
    assert nested.status_code == 200 and "callServer" in nested.text


@pytest.mark.parametrize("path", ["none.js", "package.json", "../styles/studio.css", "%2e%2e/styles/studio.css", ""])
def test_only_modules_are_sent(client: TestClient, path: str) -> None:
    answer = client.get(f"/{browser_scripts.base()}/{path}")
    assert answer.status_code == 404 and "cache-control" not in answer.headers


def test_another_version_is_not_here_and_nothing_can_be_sent_there(client: TestClient) -> None:
    assert client.get(ADDRESS.replace(browser_scripts.version(), "0" * 16)).status_code == 404
    assert client.post(ADDRESS).status_code in (403, 405)


def test_a_path_that_is_no_module_has_no_address() -> None:
    with pytest.raises(KeyError):
        browser_scripts.address("none.js")


def test_every_import_leads_to_a_module() -> None:
    everything = browser_scripts.with_imports(*SCRIPTS)
    assert sorted(everything) == SCRIPTS
    for name in SCRIPTS:
        text = browser_scripts.modules()[name].decode()
        written = len(re.findall(r"""^import |^export .* from """, text, re.MULTILINE))
        assert len(browser_scripts.IMPORT.findall(text)) == written, name


def test_every_module_is_used_by_a_page(built: gr.Blocks) -> None:
    used = {name for names in preload.scripts_of(built).values() for name in names}
    assert set(SCRIPTS) - used == set()


def test_no_module_makes_a_global_name() -> None:
    for name in SCRIPTS:
        text = browser_scripts.modules()[name].decode()
        assert not re.search(r"\b(?:window|globalThis|self)\.\w+\s*(?:\?\?|\|\|)?=(?!=)", text), name
    assert not re.search(r"\b(?:window|globalThis)\b", MOUNT)


def test_storage_and_timers_of_the_pages_are_the_shared_ones() -> None:
    for name in SCRIPTS:
        text = browser_scripts.modules()[name].decode()
        assert name == "shared/storage.js" or "localStorage" not in text, name
        assert name == "shared/polling.js" or "setInterval" not in text, name


def test_a_page_names_its_modules_before_it_is_drawn(built: gr.Blocks) -> None:
    scripts = preload.scripts_of(built)
    assert set(scripts) == {"/", "/play", "/train", "/compare", "/experiments", "/runs", "/label"}
    assert {"start.js", "header.js", "play.js", "play_path.js", "shared/theme.js"} <= set(scripts["/play"])
    assert "runs.js" not in scripts["/play"] and "charts/live_chart.js" in scripts["/train"]

    site = FastAPI(middleware=preload.middleware(built))
    site.add_api_route("/play", lambda: "the page")
    site.add_api_route("/other", lambda: "no page")
    client = TestClient(site)
    link = client.get("/play").headers["link"]
    assert f"<{browser_scripts.address('play.js')}>; rel=modulepreload" in link
    assert "link" not in client.get("/other").headers
    below = TestClient(site, root_path="/space")
    assert below.get("/space/play").headers["link"] == link

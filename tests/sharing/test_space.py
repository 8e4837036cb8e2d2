"""The exported Space: what is in it, what is not, and that it runs by itself."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from fake_hub import TOKEN, fake_hub

from swirl import paths
from swirl.errors import SwirlError
from swirl.models.checkpoint_files import MANIFEST
from swirl.sharing.space import ADAPTER_FILES, REQUIREMENTS, copy_without_origin, export_space

ROOT = Path(__file__).parents[2]
ASSET = "tiny-household"
ALLOWED = re.compile(
    r"README\.md|LICENSE|app\.py|requirements\.txt"
    r"|(swirl|studio)/[\w/]+\.py"
    r"|assets/scripts/(\w+/)?\w+\.js"
    r"|assets/styles/\w+\.css"
    r"|assets/templates/\w+\.html"
    r"|assets/sample-run\.zip"
    r"|assets/icons/\w+\.png"
    r"|assets/collections/[\w-]+/((sequences|actions)\.jsonl|collection\.json|frames\.zip)"
    r"|assets/[\w.-]+/swirl\.json"
    r"|assets/[\w.-]+/(fwm|idm)/(adapter_config\.json|adapter_model\.safetensors)"
    r"|assets/[\w.-]+/base/(codec/)?[\w.-]+"
)


def run_checkpoint(folder: Path) -> Path:
    """A checkpoint as a run leaves it: adapters of its own over the shipped base, with other things beside them."""
    shipped = paths.assets() / ASSET
    for adapter in ("fwm", "idm"):
        for name in ADAPTER_FILES:
            copy_without_origin(shipped / adapter / name, folder / adapter / name)
        config = folder / adapter / "adapter_config.json"
        config.write_text(json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": "/secret/place"}))
        (folder / adapter / "optimizer.pt").write_bytes(b"not to be shipped")
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "base": f"asset:{ASSET}", "shared": False}))
    (folder / ".env").write_text("PASSWORD=1")
    return folder


def test_only_what_is_on_the_list_is_exported(tmp_path: Path) -> None:
    files = export_space(tmp_path, str(run_checkpoint(tmp_path / "mine@2")), tmp_path / "space")
    assert [name for name in files if not ALLOWED.fullmatch(name)] == []
    on_disk = [path for path in (tmp_path / "space").rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(tmp_path / "space")) for path in on_disk) == files
    for wanted in (
        "app.py",
        "assets/sample-run.zip",
        "assets/scripts/shared/server.js",
        "assets/scripts/start.js",
        "assets/styles/studio.css",
        "assets/templates/play.html",
        "swirl/cli/__init__.py",
        "assets/mine-2/swirl.json",
        f"assets/{ASSET}/swirl.json",
    ):
        assert wanted in files
    assert not any(b"/secret/place" in path.read_bytes() for path in on_disk)
    assert list(tmp_path.glob(".space-*")) == []


def test_a_base_from_a_folder_of_this_machine_comes_along(tmp_path: Path) -> None:
    checkpoint = run_checkpoint(tmp_path / "mine")
    base = tmp_path / "somewhere"
    for file in (paths.assets() / ASSET / "base").iterdir():
        copy_without_origin(file, base / file.name)
    (checkpoint / MANIFEST).write_text(json.dumps({"format": 1, "base": str(base), "shared": False}))
    files = export_space(tmp_path, str(checkpoint), tmp_path / "space")
    assert "assets/mine/base/config.json" in files
    assert json.loads((tmp_path / "space/assets/mine" / MANIFEST).read_text())["base"] == "base"


def test_the_readme_and_the_requirements_say_what_a_space_needs(tmp_path: Path) -> None:
    export_space(tmp_path, ASSET, tmp_path / "space")
    text = (tmp_path / "space" / "README.md").read_text()
    front = dict(line.split(": ", 1) for line in text.split("---")[1].strip().splitlines())
    pins = dict(line.split("==") for line in (tmp_path / "space" / "requirements.txt").read_text().splitlines())
    assert front["sdk"] == "gradio"
    assert front["sdk_version"] == pins["gradio"]
    assert front["app_file"] == "app.py"
    assert front["python_version"] == f'"{sys.version_info.major}.{sys.version_info.minor}"'
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins.values())


def test_the_requirements_are_those_of_the_package() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert tuple(re.split(r"[<>=]", name)[0] for name in declared) == REQUIREMENTS


def test_the_requirements_name_versions_and_no_place_to_get_them(tmp_path: Path) -> None:
    export_space(tmp_path, ASSET, tmp_path / "space")
    text = (tmp_path / "space" / "requirements.txt").read_text()
    assert "torch==2.13.0\n" in text
    assert not re.search(r"https?:|--|@|\+", text)


def test_the_space_is_uploaded_when_asked_to_be_and_not_before(tmp_path: Path) -> None:
    with fake_hub() as hub:
        command = [sys.executable, "-m", "swirl", "--home", str(tmp_path / "home"), "export", ASSET, "--json"]
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": TOKEN}

        def swirl(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run([*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True)

        done = swirl("--space", str(tmp_path / "quiet"))
        assert done.returncode == 0 and hub.asked == []
        done = swirl("--space", str(tmp_path / "space"), "--upload", "me/space", "--private")
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        assert said["address"] == f"{hub.url}/spaces/me/space" and TOKEN not in done.stdout + done.stderr
        assert hub.made == [hub.made[0] | {"type": "space", "sdk": "gradio", "visibility": "private"}]
        assert sorted(hub.repositories["spaces/me/space"]) == said["files"]
        done = swirl("--space", str(tmp_path / "third"), "--upload", "space")
        assert done.returncode == 2 and "write it as owner/name" in done.stderr and not (tmp_path / "third").exists()
        done = swirl("--space", str(tmp_path / "third"), "--private")
        assert done.returncode == 2 and "needs --upload" in done.stderr


def test_a_model_of_pictures_takes_its_codec_along(tmp_path: Path) -> None:
    files = export_space(tmp_path, "tiny-blocks", tmp_path / "space")
    codec = {f"assets/tiny-blocks/base/codec/{name}" for name in ("config.json", "frames.json")}
    assert codec | {"assets/tiny-blocks/base/codec/diffusion_pytorch_model.safetensors"} <= set(files)


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "space").mkdir()
    (tmp_path / "space" / "mine.txt").write_text("precious")
    with pytest.raises(SwirlError, match="not empty; name a new folder"):
        export_space(tmp_path, ASSET, tmp_path / "space")
    assert [path.name for path in (tmp_path / "space").iterdir()] == ["mine.txt"]


def test_a_plain_language_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SwirlError, match="is a plain language model"):
        export_space(tmp_path, "owner/model", tmp_path / "space")
    assert not (tmp_path / "space").exists()


def test_the_space_runs_by_itself_and_asks_for_no_login(tmp_path: Path) -> None:
    space = tmp_path / "space"
    export_space(tmp_path, str(run_checkpoint(tmp_path / "mine")), space)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "PYTHONPATH": "", "SWIRL_HOME": str(tmp_path / "h")}
    command = [sys.executable, "app.py"]
    with subprocess.Popen(command, cwd=space, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert "a demonstration: nothing can be changed" in server.stdout.readline()
            assert "SWIRL Studio" in page(f"http://127.0.0.1:{port}/", server)
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(120) == 0
    assert not (tmp_path / "h").exists()


def page(address: str, server: subprocess.Popen[str]) -> str:
    """The page, as soon as the server answers."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail(f"no page; the server's exit code is {server.poll()}")

"""Uploading a checkpoint to the Hub as peft adapters with a model card, and loading it from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from fake_hub import COMMIT, TOKEN, FakeHub, fake_hub

from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.models.checkpoint_files import MANIFEST
from swirl.models.checkpoints import base_name, resolve_checkpoint
from swirl.models.hub import cached_folder, list_cached_checkpoints, require_write_token, upload
from swirl.paths import assets
from swirl.settings import Settings
from swirl.sharing.hub_upload import write_upload_folder
from swirl.sharing.model_card import load_scores, score_table

ROOT = Path(__file__).parents[2]
ASSET = "tiny-household"
LOAD = """
import sys
from peft import PeftModel
from transformers import AutoModelForCausalLM
from swirl.models import load_world_model
from swirl.models.checkpoints import base_name
from swirl.states import State
from pathlib import Path

base = AutoModelForCausalLM.from_pretrained("me/world", subfolder="base")
model = PeftModel.from_pretrained(base, "me/world", subfolder="fwm", adapter_name="fwm")
model.load_adapter("me/world", subfolder="idm", adapter_name="idm")
print(sorted(model.peft_config))
print("no swirl.json" if load_world_model(Path(sys.argv[1]), "hub:me/world") is None else "a world model")
print(base_name(load_world_model(Path(sys.argv[1]), "me/world").base))
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[FakeHub]:
    with fake_hub() as server:
        yield server


@pytest.fixture
def python(hub: FakeHub, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python logged in to the fake Hub; a new process, because huggingface_hub reads its address at import."""

    def run(*arguments: str, token: str = TOKEN) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
        environment |= {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": token}
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)

    return run


def home_with_run(home: Path) -> str:
    """Create a run whose only checkpoint is a copy of the shipped adapters; return the name of the checkpoint."""
    history = History(home)
    run = history.create_run(preset=None, settings=Settings().replace({"seed": 7}).to_dict())
    folder = home / "runs" / run / "checkpoints" / "00-warm-up"
    for adapter in ("fwm", "idm"):
        (folder / adapter).mkdir(parents=True)
        for file in (assets() / ASSET / adapter).iterdir():
            (folder / adapter / file.name).write_bytes(file.read_bytes())
        (folder / adapter / "optimizer.pt").write_bytes(b"not to be pushed")
    (folder / MANIFEST).write_text(json.dumps({"format": 1, "base": f"asset:{ASSET}", "shared": False}))
    path = str(folder.relative_to(home))
    return history.add_checkpoint(
        run, index=0, iteration=0, phase="warm-up", path=path, scores={"forward/exact_match": 0.59}
    )


def front_matter(text: str) -> dict[str, Any]:
    return yaml.safe_load(text.split("---")[1])


def test_the_upload_is_complete_and_holds_nothing_else(tmp_path: Path) -> None:
    name = home_with_run(tmp_path)
    files = write_upload_folder(tmp_path, name, "me/world", tmp_path / "out")
    adapters = [f"{a}/adapter_{f}" for a in ("fwm", "idm") for f in ("config.json", "model.safetensors")]
    assert {"README.md", "swirl.json", "base/model.safetensors", *adapters} <= set(files)
    assert all(file.endswith((".md", ".json", ".safetensors")) for file in files)
    assert json.loads((tmp_path / "out" / MANIFEST).read_text())["base"] == "base"
    text = (tmp_path / "out" / "README.md").read_text()
    assert "the one of tiny-household" in text and str(tmp_path) not in text and "`seed`: 7" in text


def test_the_card_carries_the_scores(tmp_path: Path) -> None:
    name = home_with_run(tmp_path)
    write_upload_folder(tmp_path, name, "me/world", tmp_path / "first")
    text = (tmp_path / "first" / "README.md").read_text()
    assert "| forward/exact_match | 0.5900 | – | household, selection part |" in text
    metrics = {"forward/exact_match": {"value": 0.625, "low": 0.55, "high": 0.7}, "horizon/x": {"value": None}}
    History(tmp_path).add_evaluation(checkpoint=name, data="household", metrics=metrics)
    write_upload_folder(tmp_path, name, "me/world", tmp_path / "second")
    text = (tmp_path / "second" / "README.md").read_text()
    assert "| forward/exact_match | 0.6250 | 0.5500 to 0.7000 | household, test part |" in text
    (result,) = front_matter(text)["model-index"][0]["results"]
    assert result["metrics"] == [{"type": "forward/exact_match", "name": "forward/exact_match", "value": 0.625}]
    assert result["dataset"]["split"] == "test"
    for part, value in (("train", 0.9), ("all", 0.8)):  # figures that are not of the test part are not shown as such
        History(tmp_path).add_evaluation(
            checkpoint=name, data="household", metrics={"forward/exact_match": {"value": value}}, part=part
        )
        History(tmp_path).add_evaluation(
            checkpoint=name, data=part, metrics={"forward/exact_match": {"value": value}}, part=part
        )
    write_upload_folder(tmp_path, name, "me/world", tmp_path / "third")
    text = (tmp_path / "third" / "README.md").read_text()
    assert "| forward/exact_match | 0.6250 | 0.5500 to 0.7000 | household, test part |" in text
    assert "0.9000 | – | train, train part |" in text and "0.8000 | – | all, all of it |" in text


def test_a_checkpoint_without_scores_says_so(tmp_path: Path) -> None:
    assert load_scores(tmp_path, assets() / ASSET) == ([], {})
    assert "None are recorded" in score_table([])


def test_a_base_on_the_hub_is_named_and_not_copied(tmp_path: Path) -> None:
    checkpoint = tmp_path / "mine"
    for adapter in ("fwm", "idm"):
        (checkpoint / adapter).mkdir(parents=True)
        for file in (assets() / ASSET / adapter).iterdir():
            (checkpoint / adapter / file.name).write_bytes(file.read_bytes())
    manifest = {"format": 1, "base": "Qwen/Qwen2.5-0.5B-Instruct", "shared": False}
    (checkpoint / MANIFEST).write_text(json.dumps(manifest))
    files = write_upload_folder(tmp_path / "home", str(checkpoint), "me/world", tmp_path / "out")
    assert not any(file.startswith("base/") for file in files)
    assert front_matter((tmp_path / "out" / "README.md").read_text())["base_model"] == manifest["base"]
    config = json.loads((tmp_path / "out" / "fwm" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == manifest["base"]


@pytest.mark.slow
def test_a_checkpoint_is_pushed_and_loaded_from_the_hub(
    hub: FakeHub, python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    name = home_with_run(home)
    command = ("-m", "swirl", "--home", str(home), "push", name, "--to", "me/world", "--private", "--json")
    done = python(*command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"checkpoint": name, "address": f"{hub.url}/me/world", "name": "hub:me/world"}
    assert hub.made[-1]["visibility"] == "private" and "optimizer.pt" not in str(hub.repositories)
    assert TOKEN not in done.stdout + done.stderr
    assert not any(TOKEN.encode() in file.read_bytes() for file in home.rglob("*") if file.is_file())
    hub.repositories["models/me/world"]["base/evil.py"] = b"raise SystemExit"
    done = python("-c", LOAD, str(home), token="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['fwm', 'idm']", "a world model", "hub:me/world"]
    assert not any("evil" in asked for asked in hub.asked)


def test_a_wrong_token_is_one_sentence_that_does_not_show_it(
    python: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    done = python("-m", "swirl", "--home", str(home), "push", ASSET, "--to", "me/other", token="hf_wrong")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith(
        "swirl: Nothing was uploaded to me/other: the Hub does not accept this token"
    )
    assert "hf_wrong" not in done.stderr and "Traceback" not in done.stderr


def test_names_on_the_hub(tmp_path: Path) -> None:
    assert resolve_checkpoint(tmp_path, "hub:me/world") == "me/world"
    for wrong in ("hub:world", "hub:", "hub:a/b/c"):
        with pytest.raises(SwirlError, match="write it as hub:owner/name"):
            resolve_checkpoint(tmp_path, wrong)
    snapshot = tmp_path / "models--me--my--world" / "snapshots" / "abc"
    (snapshot / "base").mkdir(parents=True)
    (snapshot / MANIFEST).write_text("{}")
    assert base_name(snapshot / "base") == "hub:me/my--world"


def test_downloaded_checkpoints_are_listed_without_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert list_cached_checkpoints() == []
    for repository in ("models--me--world", "models--gpt2", "models--me--half"):
        folder = tmp_path / repository / "snapshots" / COMMIT
        folder.mkdir(parents=True)
        (folder / MANIFEST).write_text("{}")
        if not repository.endswith("half"):
            (tmp_path / repository / "refs").mkdir()
            (tmp_path / repository / "refs" / "main").write_text(COMMIT)
    assert list_cached_checkpoints() == ["hub:me/world"]
    assert cached_folder("hub:me/world") == tmp_path / "models--me--world" / "snapshots" / COMMIT


def test_a_missing_token_or_name_is_reported_before_any_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UsageError, match="no token for writing to the Hub; set HF_TOKEN"):
        require_write_token("me/world", " ")
    with pytest.raises(UsageError, match="write it as owner/name"):
        require_write_token("world", TOKEN)
    (tmp_path / "folder").mkdir()
    with pytest.raises(SwirlError, match="set to offline mode; unset HF_HUB_OFFLINE"):
        upload(tmp_path / "folder", "me/world", kind="model", token=TOKEN, private=False)

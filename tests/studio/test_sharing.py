"""Tests of sharing: Space folders, uploads and downloads; the token is passed on and stored nowhere."""

from __future__ import annotations

import logging
import shutil
import time
from pathlib import Path

import pytest

from studio.components.shared.share_window import checkpoint_choices
from studio.services.sharing import ShareRequest, Sharing, SharingProgress
from swirl import paths
from swirl.errors import SwirlError, UsageError

SECRET = "hf_secretOfTheUser"


def ended(sharing: Sharing) -> SharingProgress:
    """Wait until the request has ended; its result."""
    while sharing.progress().is_running:
        time.sleep(0.02)
    return sharing.progress()


def test_each_space_gets_a_new_folder(tmp_path: Path) -> None:
    sharing = Sharing(tmp_path)
    for name in ("tiny-household", "tiny-household-2"):
        sharing.start(ShareRequest("folder", "tiny-household"), "")
        assert str(tmp_path / "spaces" / name) in ended(sharing).result
        assert (tmp_path / "spaces" / name / "app.py").is_file()


def test_errors_are_sentences(tmp_path: Path) -> None:
    sharing = Sharing(tmp_path)
    sharing.start(ShareRequest("folder", "nobody"), "")
    assert "There is no checkpoint 'nobody'" in ended(sharing).error
    with pytest.raises(UsageError, match="write it as owner/name"):
        sharing.start(ShareRequest("model", "tiny-household", "world"), SECRET)
    with pytest.raises(UsageError, match="Choose what"):
        sharing.start(ShareRequest("everything", "tiny-household"), "")
    with pytest.raises(UsageError, match="Choose the checkpoint to share"):
        sharing.start(ShareRequest("folder", ""), "")


def test_what_was_asked_for_is_offered_or_said_to_be_missing(tmp_path: Path) -> None:
    shutil.copytree(paths.assets() / "tiny-household", tmp_path / "mine")
    mine = str(tmp_path / "mine")
    found = checkpoint_choices(tmp_path, mine)
    assert (found["first"], found["missing"]) == (mine, "") and f'value="{mine}"' in found["options"]
    assert checkpoint_choices(tmp_path, "")["first"] == "tiny-household"
    gone = checkpoint_choices(tmp_path, "gone@1")
    assert gone["first"] == "" and gone["missing"].startswith("gone@1 is not on this machine")
    assert 'value="tiny-household"' in gone["options"]


def test_only_one_request_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sharing = Sharing(tmp_path)
    monkeypatch.setattr(sharing, "_progress", SharingProgress(True, "Writing the folder"))
    with pytest.raises(SwirlError, match="already being shared"):
        sharing.start(ShareRequest("folder", "tiny-household"), "")


def test_the_token_goes_to_the_upload_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given: list[str] = []

    def push(home: Path, checkpoint: str, repository: str, *, token: str, private: bool) -> str:
        given.append(token)
        raise RuntimeError(f"a library that repeats its arguments: {token}")

    monkeypatch.setattr("swirl.sharing.hub_upload.push_to_hub", push)
    sharing = Sharing(tmp_path)
    with caplog.at_level(logging.DEBUG):
        sharing.start(ShareRequest("model", "tiny-household", "me/world"), SECRET)
        done = ended(sharing)
    assert given == [SECRET] and "check the name" in done.error
    assert SECRET not in f"{done}{caplog.text}{vars(sharing)}"
    assert not any(SECRET.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

"""Tests of opening the studio in a window of its own, and of installing it as an app."""

from __future__ import annotations

import io
import time
import webbrowser
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from studio.server import browser_window, pwa

ADDRESS = "http://127.0.0.1:7860"


@pytest.fixture
def tabs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that the default browser was asked to open."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    return opened


def test_a_window_without_tabs_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tabs: list[str]) -> None:
    program = tmp_path / "chromium"
    part, asked = tmp_path / "asked.part", tmp_path / "asked"
    program.write_text(f'#!/bin/sh\necho "$@" > "{part}"\nmv "{part}" "{asked}"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(browser_window, "BROWSER_COMMANDS", ("chromium",))
    browser_window.open_studio(ADDRESS, alone=True)
    until = time.monotonic() + 20
    while not asked.exists() and time.monotonic() < until:
        time.sleep(0.02)
    assert asked.read_text() == f"--app={ADDRESS}\n"
    assert tabs == []


def test_without_a_suitable_browser_a_tab_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tabs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(browser_window, "MAC_BROWSER_PATHS", ())
    monkeypatch.setattr(browser_window, "WINDOWS_BROWSER_PATHS", ())
    browser_window.open_studio(ADDRESS, alone=True)
    assert tabs == [ADDRESS]
    assert "opening the default browser instead" in capsys.readouterr().out


def test_it_can_be_installed() -> None:
    client = TestClient(FastAPI(routes=pwa.routes()))
    about = client.get("/manifest.json").json()
    assert about["name"] == "SWIRL Studio" and about["display"] == "standalone"
    for icon in about["icons"]:
        answer = client.get(icon["src"].removeprefix("."))
        assert answer.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(answer.content)) as picture:
            assert "x".join(map(str, picture.size)) == icon["sizes"]
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in about["icons"]}
    assert client.get("/icons/other.png").status_code == 404

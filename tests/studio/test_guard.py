"""Tests of who is let in: names of the server, pages of other sites, other users, wrong passwords, bodies."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI, Request
from fastapi.datastructures import Headers
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient

from studio import serve
from studio.server import guard, login_attempts, upload_space
from studio.server.guard import Admission, Guard, is_from_another_page, is_local_name
from studio.server.login_attempts import FREE_ATTEMPTS, WAIT_SECONDS, LoginAttempts
from studio.services import connection_owner, upload_folder

ANYBODY = Admission(only_owner=False)


def client(admission: Admission = ANYBODY) -> TestClient:
    """A client of an app that answers everything, behind a guard."""
    app = FastAPI()

    @app.api_route("/{path:path}", methods=["GET", "POST"])
    async def answer(path: str, request: Request) -> JSONResponse:
        body = await request.body()
        response = JSONResponse(len(body), status_code=400 if body == b"wrong" else 200)
        response.set_cookie("token", "t", httponly=True, samesite="none", secure=True)
        return response

    app.add_middleware(Guard, admission=admission)
    return TestClient(app, base_url="http://127.0.0.1:7860")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True), ("localhost:8080", True), ("LOCALHOST.", True), ("studio.localhost:1", True),
        ("127.0.0.1:7860", True), ("[::1]:7860", True), ("192.168.1.5", True), ("", True),
        ("evil.example", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example:7860", False),
        ("workstation", False), ("[::1", False),
    ],
)  # fmt: skip
def test_only_names_of_this_machine_and_numbers_are_local(host: str, local: bool) -> None:
    assert is_local_name(host) is local


def test_a_name_that_was_allowed_is_answered() -> None:
    assert is_local_name("Hub.example.org:443", frozenset({"hub.example.org"}))
    assert client().get("/", headers={"Host": "hub.example.org"}).status_code == 403
    allowed = client(Admission(only_owner=False, names=frozenset({"hub.example.org"})))
    assert allowed.get("/", headers={"Host": "hub.example.org"}).status_code == 200
    said = client().get("/", headers={"Host": "hub.example.org"}).text
    assert "start it with --allow-host hub.example.org." in said


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://localhost:8080"}, False),
        ({"origin": "http://localhost:9090"}, True),
        ({"origin": "null"}, True),
        ({"origin": "https://lab.example", "x-forwarded-host": "lab.example"}, False),
        ({"origin": "https://lab.example", "sec-fetch-site": "same-origin"}, False),
        ({"origin": "http://localhost:8080", "sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, False),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, True),
    ],
)
def test_pages_of_other_sites_are_known_by_what_browsers_say(headers: dict[str, str], foreign: bool) -> None:
    assert is_from_another_page(Headers(headers), "GET", "localhost:8080") is foreign


def test_a_form_of_another_site_that_navigates_is_no_link() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert is_from_another_page(Headers(link), "POST", "localhost")


def test_a_public_demonstration_may_be_embedded_and_called() -> None:
    public = client(Admission(only_local_names=False, only_owner=False, from_any_page=True))
    foreign = {"Host": "me-space.hf.space", "Origin": "https://huggingface.co", "Sec-Fetch-Site": "cross-site"}
    answer = public.post("/gradio_api/call/infer", headers=foreign)
    assert answer.status_code == 200 and "content-security-policy" not in answer.headers
    assert public.post("/gradio_api/process_recording").status_code == 403
    assert public.get("/gradio_api/file=http://evil.example/x").status_code == 403


def test_answers_keep_frames_and_cookies_here() -> None:
    answer = client().get("/")
    assert answer.headers["content-security-policy"] == "frame-ancestors 'self'"
    assert "samesite=lax" in answer.headers["set-cookie"].lower() and "none" not in answer.headers["set-cookie"].lower()


def test_a_body_is_limited_unless_it_is_an_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_BODY_BYTES", 1000)
    assert client().post("/gradio_api/run/x", content=b" " * 1000).json() == 1000
    assert client().post("/gradio_api/run/x", content=b" " * 1001).status_code == 413
    assert client().post("/gradio_api/upload", content=b" " * 5000).json() == 5000


def test_an_upload_leaves_room_on_its_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_space, "CHECKED_BYTES", 1000)
    monkeypatch.setattr(upload_space, "free_bytes", lambda: 2000)
    assert client().post("/gradio_api/upload", content=b" " * 2000).json() == 2000
    refused = client().post("/gradio_api/upload", content=b" " * 2001)
    assert refused.status_code == 507 and "no room for this upload of 0 MB: the disk has 0 MB to spare" in refused.text
    endless = {"Content-Length": "9" * 5000}
    assert client().post("/gradio_api/upload", content=b"", headers=endless).status_code == 507
    assert client().post("/gradio_api/run/x", content=b"", headers=endless).status_code == 413


def test_an_upload_of_unknown_size_ends_when_the_disk_runs_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_space, "CHECKED_BYTES", 1000)
    free = iter([1, 1, 0])
    monkeypatch.setattr(upload_space, "free_bytes", lambda: next(free))
    taken = 0

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b" " * 600, "more_body": True}

    async def take() -> None:
        nonlocal taken
        limited = upload_space.limit_upload(receive)
        while (await limited())["type"] != "http.disconnect":
            taken += 1

    with ThreadPoolExecutor(1) as pool:  # this thread may have a loop already, that of a browser
        pool.submit(asyncio.run, take()).result()
    assert taken == 5, "looked at after 1200, 2400 and 3600 bytes, the last of which are dropped"


def test_the_room_is_that_of_the_folder_of_uploads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    usage = SimpleNamespace(free=upload_space.RESERVE_BYTES + 7)
    monkeypatch.setattr(upload_space.shutil, "disk_usage", lambda folder: seen.append(folder) or usage)
    monkeypatch.setenv(upload_folder.VARIABLE, str(tmp_path))
    assert upload_space.free_bytes() == 7 and seen == [tmp_path]
    usage.free = 5
    assert upload_space.free_bytes() == 0
    monkeypatch.setenv(upload_folder.VARIABLE, str(tmp_path / "not" / "yet"))
    assert upload_space.free_bytes() == 0 and seen[-1] == tmp_path


def test_many_wrong_passwords_have_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    visitor = client()
    assert [visitor.post("/login", content=b"wrong").status_code for _ in range(FREE_ATTEMPTS)] == [400] * FREE_ATTEMPTS
    waiting = visitor.post("/login", content=b"right")
    assert waiting.status_code == 429 and "try again in" in waiting.text
    assert visitor.get("/").status_code == 200
    later = time.monotonic() + WAIT_SECONDS
    monkeypatch.setattr(login_attempts.time, "monotonic", lambda: later)
    assert visitor.post("/login", content=b"right").status_code == 200


def test_a_right_password_forgets_the_wrong_ones_and_addresses_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = LoginAttempts()
    for succeeded in (*[False] * (FREE_ATTEMPTS - 1), True, False):
        attempts.note("a", succeeded=succeeded)
    assert attempts.seconds_to_wait("a") == 0
    monkeypatch.setattr(login_attempts, "MAX_ADDRESSES", 2)
    for address in ("b", "c", "d"):
        attempts.note(address, succeeded=False)
    assert list(attempts._wrong) == ["c", "d"]


@pytest.mark.skipif(not connection_owner.TABLES[0].is_file(), reason="only Linux has this table")
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_owner_of_a_connection_is_found(family: socket.AddressFamily, monkeypatch: pytest.MonkeyPatch) -> None:
    loopback = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.socket(family) as listener:
        try:
            listener.bind((loopback, 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]) as opened:
            ends = opened.getsockname()[:2], listener.getsockname()[:2]
            assert connection_owner.connection_owner(*ends) == os.getuid()
            monkeypatch.setattr(connection_owner.os, "getuid", lambda: 61_003)
            owner = os.stat(f"/proc/{os.getpid()}").st_uid
            assert connection_owner.is_from_another_user(*ends) is (owner != connection_owner.ROOT)
            monkeypatch.setattr(connection_owner, "ROOT", 61_004)
            assert connection_owner.is_from_another_user(*ends)
        assert connection_owner.is_from_another_user(*ends)  # it is closed: nobody's


@pytest.mark.parametrize(
    ("options", "account", "expected"),
    [
        ({}, None, Admission()),
        ({"demo": True}, None, Admission(only_owner=False)),
        ({}, ("ann", "secret"), Admission(only_owner=False)),
        ({"allow_host": ["Lab.example:80"]}, None, Admission(only_owner=False, names=frozenset({"lab.example"}))),
        ({"host": "0.0.0.0"}, ("ann", "secret"), Admission(only_local_names=False, only_owner=False)),
        ({"host": "0.0.0.0", "demo": True}, None, Admission(False, False, True)),
    ],
)
def test_who_is_let_in_by_how_the_studio_was_started(
    options: dict[str, object],
    account: tuple[str, str] | None,
    expected: Admission,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    given = Namespace(**{"host": "127.0.0.1", "demo": False, "allow_host": []} | options)
    assert serve.admission(given, account) == expected
    assert (os.environ["FORWARDED_ALLOW_IPS"] == "") is expected.only_owner


def test_the_login_is_taken_from_the_environment_and_not_handed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(serve.AUTH, "ann:secret")
    seen = []
    monkeypatch.setattr(serve, "_serve_until", lambda stopping, options, home, port, account: seen.append(account) or 0)
    assert serve.serve(["--home", str(tmp_path), "--no-browser"]) == 0
    assert seen == [("ann", "secret")] and serve.AUTH not in os.environ


def test_uploads_lie_in_the_home_for_its_owner_alone_and_for_a_day(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(upload_folder.VARIABLE, "")
    folder = upload_folder.prepare_upload_folder(tmp_path)
    assert folder == tmp_path / "uploads" and folder.stat().st_mode & 0o077 == 0
    assert os.environ[upload_folder.VARIABLE] == str(folder)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    for name in ("old", "new"):
        (folder / name).mkdir()
        (folder / name / "file").touch()
    (folder / "link").symlink_to(outside)
    yesterday = time.time() - upload_folder.KEPT_SECONDS - 60
    for name in ("old", "link"):
        os.utime(folder / name, (yesterday, yesterday), follow_symlinks=False)
    monkeypatch.setenv(upload_folder.VARIABLE, "")
    upload_folder.prepare_upload_folder(tmp_path)
    assert [entry.name for entry in folder.iterdir()] == ["new"] and (outside / "kept").exists()
    monkeypatch.setenv(upload_folder.VARIABLE, str(outside))
    assert upload_folder.prepare_upload_folder(tmp_path) == outside and (outside / "kept").exists()

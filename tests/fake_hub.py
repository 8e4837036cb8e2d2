"""The Hugging Face Hub on this machine: as much of its interface as uploading and fetching a folder takes."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_onlyForThisTest"


class FakeHub:
    """Repositories in memory, by kind and name: file to bytes. Writing takes TOKEN; `asked` lists every request."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.made: list[dict[str, Any]] = []
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.answer(self)

            do_HEAD = do_POST = do_GET

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """One request, as the Hub would answer it."""
        path = unquote(urlsplit(request.path).path)
        self.asked.append(f"{request.command} {path}")
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        if request.command == "POST" and request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return send(request, 401, {"error": "Invalid username or password."})
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            return self.create(request, json.loads(body))
        if path == "/api/validate-yaml":
            return send(request, 200, {"errors": [], "warnings": []})
        if parts[0] == "api" and len(parts) >= 4:
            return self.interface(request, f"{parts[1]}/{parts[2]}/{parts[3]}", parts[4:], body)
        return self.file(request, parts)

    def create(self, request: BaseHTTPRequestHandler, wanted: dict[str, Any]) -> None:
        """A new repository, under its owner's name."""
        owner, name = wanted.get("organization") or "me", wanted["name"]
        kind = wanted.get("type", "model")
        self.made.append(wanted)
        self.repositories.setdefault(f"{kind}s/{owner}/{name}", {})
        prefix = "" if kind == "model" else f"{kind}s/"
        send(request, 200, {"url": f"{self.url}/{prefix}{owner}/{name}", "name": f"{owner}/{name}"})

    def interface(self, request: BaseHTTPRequestHandler, repository: str, what: list[str], body: bytes) -> None:
        """What the Hub knows of a repository, and commits to it."""
        files = self.repositories.get(repository)
        if files is None:
            return send(request, 404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
        if what[:1] == ["preupload"]:
            wanted = [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in json.loads(body)["files"]]
            return send(request, 200, {"files": wanted})
        if what[:1] == ["commit"]:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            address = f"{self.url}/{repository.removeprefix('models/')}/commit/{COMMIT}"
            return send(request, 200, {"commitUrl": address, "commitOid": COMMIT, "success": True})
        if what[:1] == ["tree"]:
            rows = [{"type": "file", "path": n, "size": len(b), "oid": tag(b)} for n, b in files.items()]
            return send(request, 200, rows)
        siblings = [{"rfilename": name} for name in files]
        name = repository.partition("/")[2]
        return send(request, 200, {"id": name, "modelId": name, "sha": COMMIT, "siblings": siblings, "tags": []})

    def file(self, request: BaseHTTPRequestHandler, parts: list[str]) -> None:
        """One file: /OWNER/NAME/resolve/REVISION/PATH."""
        files = self.repositories.get("models/" + "/".join(parts[:2]), {})
        data = files.get("/".join(parts[4:]))
        if parts[2:3] != ["resolve"] or data is None:
            return send(request, 404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", **NAMED})
        return send(request, 200, data, {"ETag": f'"{tag(data)}"', "Accept-Ranges": "bytes", **NAMED})


NAMED = {"X-Repo-Commit": COMMIT}


def tag(data: bytes) -> str:
    """What tells one file's content from another's."""
    return hashlib.sha1(data).hexdigest()


def send(request: BaseHTTPRequestHandler, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
    """An answer in JSON, or of plain bytes."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Type", "application/octet-stream" if content is data else "application/json")
    request.send_header("Content-Length", str(len(data)))
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(data)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """A Hub for as long as the block lasts."""
    hub = FakeHub()
    try:
        yield hub
    finally:
        hub.server.shutdown()
        hub.server.server_close()

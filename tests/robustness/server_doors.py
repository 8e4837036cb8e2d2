"""Doors of the server: names, other pages, other users, logins, demonstrations, and requests beyond measure."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import psutil
from door_scene import (
    CALLS,
    LOGIN,
    RECORDED_RUN,
    UPLOADS,
    Door,
    Scene,
    call,
    call_body,
    is_root,
    log_in,
    send,
    upload,
)
from studio_process import StudioProcess

from swirl.sources.collections.catalog import list_collections

JSON = {"Content-Type": "application/json"}
SIMPLE = {"Content-Type": "text/plain"}
"""What a page of any site may send without asking first."""
PAGES = ("/", "/play", "/train", "/compare", "/experiments", "/runs", "/label")
SOMEBODY, SOMEBODY_ELSE = 61_001, 61_002
"""User ids that nobody has."""


def names(scene: Scene) -> Door:
    """A page at evil.example whose name leads to 127.0.0.1 would be of one origin with the studio."""
    door, studio = Door("names of other hosts that lead to this machine"), scene.own
    port = studio.port
    other = (
        "evil.example",
        f"evil.example:{port}",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil",
        "a@b c",
    )
    for host in other:
        door.refused(f"a page as {host}", send(studio, "/", host=host))
    host = f"evil.example:{port}"
    for path in (
        *PAGES,
        "/config",
        "/gradio_api/info",
        "/gradio_api/queue/data?session_hash=x",
        "/frame/0",
        "/theme.css",
    ):
        door.refused(f"GET {path} as {host}", send(studio, path, host=host, seconds=10))
    remove = call_body(studio, "remove", data="victim")
    join = json.dumps({"data": [""], "fn_index": 0, "session_hash": "x"}).encode()
    for path, body in (
        (CALLS, remove),
        ("/gradio_api/queue/join", join),
        ("/gradio_api/call/status", b'{"data": [""]}'),
    ):
        door.refused(f"POST {path} as {host}", send(studio, path, body, JSON, host=host))
        same = {**JSON, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        door.refused(f"POST {path} as {host}, which is its own origin", send(studio, path, body, same, host=host))
    door.refused("an upload", upload(studio, b"a.jsonl", b"x", host=host))
    door.tried("nothing was deleted", has_victim(scene, studio))
    for host in (f"localhost:{port}", "localhost:8080", "LOCALHOST:1", "127.0.0.1", "[::1]:9", "10.0.0.7:80"):
        door.let_in(f"a page as {host}", send(studio, "/", host=host))
    return door


def other_pages(scene: Scene) -> Door:
    """A page of another site sends what browsers send without asking first, or asks first."""
    door, studio = Door("pages of other sites, other ports and files"), scene.own
    body, here = call_body(studio, "remove", data="victim"), f"http://127.0.0.1:{studio.port}"
    start = json.dumps({"data": ["tiny-household", {}, ""]}).encode()
    foreign = {
        "another site": {"Origin": "https://evil.example"},
        "a file or a sandbox": {"Origin": "null"},
        "another port": {"Origin": "http://localhost:8888"},
        "another port of the same number": {"Origin": f"http://localhost:{studio.port}"},
        "a site that a browser calls cross-site": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        "a port that a browser calls same-site": {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
        "a form that navigates": {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
            "Origin": "https://evil.example",
        },
    }
    for who, headers in foreign.items():
        door.refused(f"a call by {who}", send(studio, CALLS, body, {**SIMPLE, **headers}))
        door.refused(f"a run by {who}", send(studio, "/gradio_api/call/start", start, {**SIMPLE, **headers}))
        door.refused(f"an upload by {who}", upload(studio, b"a.jsonl", b"x", headers))
        if "form" not in who:
            for path in ("/config", f"/gradio_api/file={scene.home(studio)}/studio.db"):
                door.refused(f"reading {path[:20]} by {who}", send(studio, path, headers=headers))
    frame = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    door.refused("a frame in another site", send(studio, "/", headers=frame))
    policy = send(studio, "/").all_of("content-security-policy")
    door.tried("a frame in another site, in a browser that does not say so", "frame-ancestors 'self'" in policy, policy)
    ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    allowed = send(studio, CALLS, headers=ask, method="OPTIONS").all_of("access-control-allow-origin")
    door.tried("a browser that asks first", not allowed, allowed)
    door.tried("nothing was deleted", has_victim(scene, studio))
    own = {"our own page": {"Origin": here, "Sec-Fetch-Site": "same-origin"}, "an older browser": {"Origin": here}}
    own["a program"] = {}
    own["our page behind a proxy"] = {"Origin": "https://lab.example", "Sec-Fetch-Site": "same-origin"}
    own["an older browser behind a proxy"] = {"Origin": "https://lab.example", "X-Forwarded-Host": "lab.example"}
    for who, headers in own.items():
        door.let_in(who, send(studio, CALLS, call_body(studio, "collections"), {**JSON, **headers}))
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    door.let_in("a link from another site", send(studio, "/", headers=link))
    return door


def other_users(scene: Scene) -> Door:
    """Other users of the machine: files, folders that all share, the list of processes, and the port itself."""
    door, studio = Door("other users of the machine"), scene.own
    home = scene.home(studio)
    for folder in (home, home / "uploads"):
        mode = stat.S_IMODE(folder.stat().st_mode) if folder.is_dir() else 0o777
        door.tried(f"{folder.name} is for its owner alone", mode & 0o077 == 0, oct(mode))
    place = Path(json.loads(upload(studio, b"a.jsonl", b"x").text)[0])
    door.tried("uploads lie in the home", place.is_relative_to(home.resolve()), place)
    process = psutil.Process(scene.with_login.process.pid)
    door.tried("a password in the list of processes", LOGIN[1] not in " ".join(process.cmdline()), process.cmdline())
    if is_root() and can_run_python(SOMEBODY):
        try_the_port(door, scene)
    return door


def try_the_port(door: Door, scene: Scene) -> None:
    """Another user sends requests to a studio that listens on 127.0.0.1 without a login."""
    with tempfile.TemporaryDirectory(prefix="doors-user-") as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "somebody"
        folder.mkdir()
        os.chown(folder, SOMEBODY, SOMEBODY)
        environment = {"HOME": str(folder), "HF_HOME": str(folder / "hub"), "PYTHONDONTWRITEBYTECODE": "1"}
        studio = StudioProcess(
            folder / "home", Path(place) / "studio.txt", environment=environment, runner=as_user(SOMEBODY)
        )
        try:
            studio.start()
            addresses = {"": 200, f"{CALLS}": 200}
            for path, expected in addresses.items():
                body = call_body(studio, "collections") if path else None
                for user, status in ((SOMEBODY, expected), (0, expected), (SOMEBODY_ELSE, 403)):
                    seen = request_as(user, studio, path or "/", body)
                    what = f"user {user} sends a request to {path or '/'} of user {SOMEBODY}'s studio"
                    door.tried(what if status == 403 else f"{what} (must be let in)", seen == status, seen)
            forged = {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}
            seen = request_as(SOMEBODY_ELSE, studio, "/", None, forged)
            door.tried("another user who says to come from elsewhere", seen == 403, seen)
            other = folder / "home" / "studio.db"
            seen = subprocess.run([*as_user(SOMEBODY_ELSE), "cat", str(other)], capture_output=True, check=False)
            door.tried("another user reads the database", seen.returncode != 0)
        finally:
            studio.kill()


def can_run_python(user: int) -> bool:
    """Whether another user may read the packages of this Python; those of a temporary environment are for one alone."""
    command = [*as_user(user), sys.executable, "-c", "import psutil"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


def as_user(user: int) -> list[str]:
    """What goes before a command so that another user runs it."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


REQUEST = """
import json, sys, urllib.error, urllib.request
address, body, headers = json.loads(sys.argv[1])
request = urllib.request.Request(address, body.encode() if body else None, headers)
try:
    print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def request_as(
    user: int, studio: StudioProcess, path: str, body: bytes | None, headers: dict[str, str] | None = None
) -> int:
    """The status that a request of this user gets."""
    wanted = json.dumps([studio.url + path, body and body.decode(), {**(JSON if body else {}), **(headers or {})}])
    command = [*as_user(user), sys.executable, "-c", REQUEST, wanted]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout)


def logins(scene: Scene) -> Door:
    """A studio that other machines can reach."""
    door, studio = Door("a studio for other machines: its login"), scene.with_login
    cookie = {"Cookie": scene.cookie}
    body, join = call_body(scene.own, "collections"), b'{"data": [""], "fn_index": 4, "session_hash": "x"}'
    for path in (
        "/config",
        "/gradio_api/info",
        "/gradio_api/openapi.json",
        "/gradio_api/queue/status",
        "/frame/" + "0" * 64,
        "/download/x",
        "/gradio_api/file=/etc/hostname",
        "/gradio_api/queue/data?session_hash=x",
        "/gradio_api/upload_progress?upload_id=x",
        "/monitoring/summary",
    ):
        door.refused(f"GET {path} without a login", send(studio, path, seconds=10))
    for path in PAGES:
        answer = send(studio, path)
        nothing = '"components":[]' in answer.text and "victim" not in answer.text
        door.tried(f"{path} without a login", nothing, answer.text[:200])
    for path, sent in (
        (CALLS, body),
        ("/gradio_api/queue/join", join),
        ("/gradio_api/run/status", b'{"data": [""]}'),
        ("/gradio_api/api/status", b'{"data": [""]}'),
        ("/gradio_api/call/status", b'{"data": [""]}'),
    ):
        door.refused(f"POST {path} without a login", send(studio, path, sent, JSON))
        door.refused(
            f"POST {path} with a made-up cookie", send(studio, path, sent, {**JSON, "Cookie": "access-token-x=y"})
        )
    door.refused("an upload without a login", upload(studio, b"a.jsonl", b"x"))
    door.let_in("with a login", send(studio, "/config", headers=cookie))
    host = {"Origin": "http://lab.example:7860"}
    door.let_in(
        "by its name in the network", send(studio, "/config", headers={**cookie, **host}, host="lab.example:7860")
    )
    door.refused(
        "with a login, by a page of another site",
        send(studio, CALLS, body, {**SIMPLE, **cookie, "Origin": "https://evil.example"}),
    )
    for set_cookie in log_in(studio, *LOGIN).all_of("set-cookie"):
        flags = {part.strip().lower() for part in set_cookie.split(";")[1:]}
        door.tried("the cookie is kept from scripts and other sites", {"httponly", "samesite=lax"} <= flags, flags)
    statuses = [log_in(studio, LOGIN[0], f"guess {n}").status for n in range(7)]
    door.tried("many passwords in a row", statuses == [400] * 5 + [429] * 2, statuses)
    seen = log_in(studio, *LOGIN)
    door.refused("the right password after many wrong ones, at once", seen, 429)
    door.let_in("somebody who is logged in, meanwhile", send(studio, "/config", headers=cookie))
    by_path = {**JSON, **cookie}
    # Both servers have the same pages, so that their parts have the same numbers.
    named = json.loads(send(studio, CALLS, call_body(scene.own, "look_into", place="/etc/hosts"), by_path).text)
    door.tried("importing a file of the server by its path", "opens no files" in named.get("error", ""), named)
    return door


def demonstration(scene: Scene) -> Door:
    """Everything that can be asked of a public demonstration, by its API, named or not."""
    from studio.server.demo import ALLOWED_FUNCTIONS, REFUSAL

    door, studio = Door("a demonstration, through its API"), scene.demonstration
    home = scene.home(studio)
    before = contents(home)
    config = json.loads(send_all(studio, "/config"))
    allowed = {name.partition(".")[2] for name in ALLOWED_FUNCTIONS}
    request = {
        "run": RECORDED_RUN,
        "runs": [RECORDED_RUN],
        "do": "stop",
        "data": "household",
        "field": "note",
        "value": "x",
        "checkpoint": "tiny-household",
        "what": "jsonl",
        "path": "/etc/hosts",
        "place": "/etc/hosts",
        "name": "x",
        "share": "tiny-household",
        "preset": "tiny-household",
        "experiment": "regimes",
        "paths": ["/etc/hosts"],
    }
    for part in config["components"]:
        for function in part["props"].get("server_fns") or ():
            if function not in allowed:
                body = {"component_id": part["id"], "fn_name": function, "session_hash": "x", "data": request}
                answer = send(studio, CALLS, json.dumps(body).encode(), JSON)
                door.tried(f"the page's function {function}", REFUSAL in answer.text, answer.text[:200])
    for dependency in config["dependencies"]:
        name = dependency["api_name"]
        if f"api.{name}" in ALLOWED_FUNCTIONS:
            continue
        for path in (f"/gradio_api/run/{name}", f"/gradio_api/api/{name}"):
            body = json.dumps({"data": ["tiny-household", {}, ""], "fn_index": dependency["id"]}).encode()
            answer = send(studio, path, body, JSON)
            door.tried(f"POST {path}", answer.status >= 400, answer.text[:200])
        wanted = {
            "data": ["tiny-household", {}, ""],
            "fn_index": dependency["id"],
            "session_hash": f"s{dependency['id']}",
        }
        send(studio, "/gradio_api/queue/join", json.dumps(wanted).encode(), JSON)
        seen = queue_messages(studio, f"s{dependency['id']}")
        held = '"process_completed"' in seen and '"success":false' in seen and "This is a demonstration" in seen
        door.tried(f"function {dependency['id']} by the queue", held, seen[:300])
    for name in ("/etc", "hub:me/world", "../tiny-household", "elsewhere:x"):
        seen = send(studio, "/gradio_api/run/load", json.dumps({"data": [name]}).encode(), JSON)
        door.tried(f"the model {name}", seen.status >= 400, seen.text[:200])
    door.refused("an upload", upload(studio, b"a.jsonl", b"x"))
    for path in (
        UPLOADS + "/",
        "/" + UPLOADS,
        "/gradio_api/component_server/../upload",
        "/gradio_api/./upload",
        "/gradio_api/component_server%2f..%2fupload",
        "/gradio_api/upload?x=/gradio_api/call/x",
    ):
        door.refused(f"an upload to {path}", send(studio, path, b"x", SIMPLE), 400, 403, 404, 405)
    for method in ("PUT", "DELETE", "PATCH"):
        door.refused(f"{method} of a page", send(studio, "/", b"x", SIMPLE, method=method), 403, 405)
    for path in (
        f"/gradio_api/file={home}/studio.db",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/proxy=http://x",
    ):
        door.refused(f"GET {path[:40]}", send(studio, path))
    door.tried("its home is as before", contents(home) == before, set(contents(home).items()) ^ set(before.items()))
    page = {
        "Origin": "https://huggingface.co",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "iframe",
    }
    door.let_in("a Space in the frame of its page", send(studio, "/", headers=page, host="me-space.hf.space"))
    door.let_in(
        "a Space's own script", send(studio, CALLS, call_body(studio, "collections"), JSON, host="me-space.hf.space")
    )
    return door


def measure(scene: Scene) -> Door:
    """Requests beyond measure: the studio refuses them, stays small, and answers others meanwhile."""
    door, studio = Door("requests beyond measure"), scene.own
    process = psutil.Process(studio.process.pid)
    before = process.memory_info().rss
    announced = {**JSON, "Content-Length": str(2**40)}
    for place, status in ((CALLS, b" 413 "), (UPLOADS, b" 507 ")):
        with socket.create_connection(("127.0.0.1", studio.port), timeout=20) as raw:
            head = "".join(f"{name}: {value}\r\n" for name, value in announced.items())
            raw.sendall(f"POST {place} HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
            said = answer_within(raw)
        door.tried(f"a terabyte to {place}", status in said, said)
    door.tried("a body without an announced size", not endless_body(studio), "it was read to the end")
    deep = b'{"component_id": 0, "fn_name": "x", "session_hash": "x", "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    door.refused("JSON nested 100 000 times", send(studio, CALLS, deep, JSON), 400, 404, 422)
    for sent in (b"", b"[]", b"null", b'{"component_id": {}, "fn_name": [], "session_hash": 3, "data": 1}', b"\xff"):
        door.tried(f"{sent!r} as a call", send(studio, CALLS, sent, JSON).status not in (0, 200), "")
    for number in range(300):
        body = json.loads(call_body(studio, "collections")) | {"session_hash": f"many-{number}"}
        send(studio, CALLS, json.dumps(body).encode(), JSON)
    grown = (process.memory_info().rss - before) >> 20
    door.tried("300 sessions and all that", grown < 200, f"{grown} MB more")
    begun = time.monotonic()
    door.let_in("afterwards", call(studio, "collections"))
    door.tried("afterwards it is quick", time.monotonic() - begun < 20, f"{time.monotonic() - begun:.1f} s")
    for path in (
        "/gradio_api/process_recording",
        "/gradio_api/stream/x",
        "/gradio_api/vibe-code",
        "/gradio_api/vibe-edit/",
    ):
        door.refused(f"POST {path}, which the studio has no use for", send(studio, path, b"{}", JSON))
    for path in (
        "/gradio_api/file=http://127.0.0.1:1/x",
        "/gradio_api/file=https://evil.example/x",
        "/gradio_api/proxy=http://x",
        "/gradio_api/file/http://127.0.0.1:1/x",
        "/gradio_api/file=HTTP://127.0.0.1:1",
    ):
        door.refused(f"GET {path}, for the studio to fetch", send(studio, path), 403)
    return door


def endless_body(studio: StudioProcess) -> bool:
    """Whether the studio takes 200 MB in pieces whose sum is not announced."""
    piece = b"%x\r\n" % 2**20 + b" " * 2**20 + b"\r\n"
    with socket.create_connection(("127.0.0.1", studio.port), timeout=30) as raw:
        head = f"POST {CALLS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        raw.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(200):
                raw.sendall(piece)
            raw.sendall(b"0\r\n\r\n")
            return b" 200 " in raw.recv(100)
        except OSError:
            return False


def has_victim(scene: Scene, studio: StudioProcess) -> bool:
    """Whether the collection is there that the attempts delete."""
    return "victim" in {collection.name for collection in list_collections(scene.home(studio))}


def contents(home: Path) -> dict[str, int]:
    """The files of a home with their sizes, but for those that SQLite writes while it reads."""
    files = (file for file in home.rglob("*") if file.is_file() and not file.name.startswith("studio.db-"))
    return {str(file.relative_to(home)): file.stat().st_size for file in files}


def send_all(studio: StudioProcess, path: str) -> bytes:
    """A whole answer, however long."""
    return studio.get(path)


def answer_within(raw: socket.socket) -> bytes:
    """The beginning of an answer; empty if there is none before the time is over."""
    try:
        return raw.recv(200)
    except TimeoutError:
        return b""


def queue_messages(studio: StudioProcess, session: str) -> str:
    """What the queue says to a session until its request has ended."""
    with urllib.request.urlopen(f"{studio.url}/gradio_api/queue/data?session_hash={session}", timeout=60) as stream:
        return stream.read().decode()

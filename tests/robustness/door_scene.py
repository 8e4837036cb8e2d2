"""What the attempts on the studio's doors share: servers with something to take, raw requests, and a record."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent)]  # pytest does so by itself

from studio_process import StudioProcess  # noqa: E402

from swirl.runs.archive.importing import import_run  # noqa: E402
from swirl.sharing.sample_run import unpack_sample_run  # noqa: E402
from swirl.sources.collections.catalog import import_collection  # noqa: E402

SECRETS = {
    "HF_TOKEN": "hf_" + "DoorsTestSecret" * 3,
    "OPENAI_API_KEY": "sk-" + "DoorsTestSecret" * 3,
    "WANDB_API_KEY": "doorstestsecret" * 3,
    "SWIRL_JUDGE_KEY": "judge-" + "DoorsTestSecret" * 2,
}
"""What the environment of a studio holds and nobody may find elsewhere; none of them opens anything."""
LOGIN = ("ann", "correct horse battery")
RECORDED_RUN = "household-01"
EXCERPT = 1 << 16
"""The bytes of an answer that are looked at."""


@dataclass(frozen=True)
class Attempt:
    """One attempt: what was tried, whether the studio held, and what it answered."""

    what: str
    held: bool
    seen: str


@dataclass
class Door:
    """A way in, and the attempts on it."""

    name: str
    attempts: list[Attempt] = field(default_factory=list)

    def tried(self, what: str, held: bool, seen: object = "") -> None:
        """Record an attempt; `seen` is shown where it succeeded."""
        self.attempts.append(Attempt(what, held, str(seen)))

    def refused(self, what: str, answer: Answer, *statuses: int) -> None:
        """Record an attempt that one of these statuses (400, 401, 403, 404 if none is named) must refuse."""
        self.tried(what, answer.status in (statuses or (400, 401, 403, 404)), f"{answer.status} {answer.text[:120]!r}")

    def let_in(self, what: str, answer: Answer) -> None:
        """Record a request of somebody who must be let in: a door that nobody can use is no door."""
        self.tried(f"{what} (must be let in)", answer.status == 200, f"{answer.status} {answer.text[:120]!r}")

    @property
    def opened(self) -> list[Attempt]:
        """The attempts that succeeded."""
        return [attempt for attempt in self.attempts if not attempt.held]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; `text` is its beginning. Status 0 is a connection that was closed without one."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def all_of(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for key, value in self.headers if key.lower() == name]


class Scene:
    """Servers that the doors share, each started when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: dict[str, StudioProcess] = {}
        self._cookie = ""

    @property
    def own(self) -> StudioProcess:
        """A studio as most have it: on 127.0.0.1, without a login, with secrets in its environment."""
        return self._studio("own", lambda home, log: StudioProcess(home, log, environment=SECRETS))

    @property
    def with_login(self) -> StudioProcess:
        """A studio that other machines can reach."""
        secret = {"SWIRL_AUTH": ":".join(LOGIN)}
        flags = ("--host", "0.0.0.0")
        return self._studio("login", lambda home, log: StudioProcess(home, log, flags=flags, environment=secret))

    @property
    def demonstration(self) -> StudioProcess:
        """A public demonstration, as on a Space."""
        flags = ("--host", "0.0.0.0", "--demo")
        temporary = self.folder / "demo-temporary"
        temporary.mkdir(exist_ok=True)
        more = {"TMPDIR": str(temporary), "SPACE_ID": "me/space"}
        return self._studio("demo", lambda home, log: StudioProcess(None, log, flags=flags, environment=more))

    @property
    def cookie(self) -> str:
        """The `Cookie` header of somebody who has logged in to `with_login`."""
        if not self._cookie:
            answer = log_in(self.with_login, *LOGIN)
            self._cookie = "; ".join(cookie.partition(";")[0] for cookie in answer.all_of("set-cookie"))
        return self._cookie

    def _studio(self, name: str, make: Callable[[Path, Path], StudioProcess]) -> StudioProcess:
        if name not in self._started:
            home = self.folder / f"{name}-home"
            if name != "demo":
                fill_home(home)
            self._started[name] = make(home, self.folder / f"{name}.txt")
            self._started[name].start()
        return self._started[name]

    def home(self, studio: StudioProcess) -> Path:
        """The home of a studio; a demonstration has made its own."""
        if studio.home is not None:
            return studio.home
        return next((self.folder / "demo-temporary").glob("swirl-demo-*"))

    def close(self) -> None:
        """End all servers."""
        for studio in self._started.values():
            studio.kill()


def fill_home(home: Path) -> None:
    """A home with a collection and a run that an attacker would like to have or to delete."""
    source = home.parent / f"{home.name}-source.jsonl"
    source.write_text(json.dumps({"id": "s", "states": ["a private state", "another one"]}) + "\n")
    import_collection(home, source, "victim")
    with unpack_sample_run() as run_file:
        import_run(home, run_file)


def send(
    studio: StudioProcess,
    path: str,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    *,
    method: str | None = None,
    host: str | None = None,
    seconds: float = 60.0,
) -> Answer:
    """A raw request, whose headers are exactly these and `Host`; POST where there is a body."""
    connection = http.client.HTTPConnection("127.0.0.1", studio.port, timeout=seconds)
    try:
        connection.putrequest(
            method or ("GET" if body is None else "POST"), path, skip_host=True, skip_accept_encoding=True
        )
        connection.putheader("Host", f"127.0.0.1:{studio.port}" if host is None else host)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        streams = "event-stream" in (answer.getheader("content-type") or "")
        text = (answer.read1 if streams else answer.read)(EXCERPT).decode(errors="replace")
        return Answer(answer.status, tuple(answer.getheaders()), text)
    except (ConnectionError, http.client.HTTPException):
        return Answer(0)
    finally:
        connection.close()


def call_body(studio: StudioProcess, function: str, **request: Any) -> bytes:
    """The body with which a page calls a function on the server.

    `receive@look_into` is the function `receive` of the part of a page that has `look_into` as well: several parts have
    functions of the same name.
    """
    name, _, beside = function.partition("@")
    part = next(part for part, names in studio.components.items() if {name, beside or name} <= names)
    wanted = {"component_id": part, "fn_name": name, "session_hash": "doors"}
    return json.dumps({**wanted, "data": request}).encode()


def call(studio: StudioProcess, function: str, headers: Mapping[str, str] | None = None, **request: Any) -> Answer:
    """What a page's function on the server answers."""
    content = {"Content-Type": "application/json"} | dict(headers or {})
    return send(studio, CALLS, call_body(studio, function, **request), content)


CALLS = "/gradio_api/component_server"
UPLOADS = "/gradio_api/upload"


def upload(
    studio: StudioProcess, name: bytes, content: bytes, headers: Mapping[str, str] | None = None, **options: Any
) -> Answer:
    """Upload a file under a name, which is sent as it is."""
    mark = b"doors"
    disposition = b'Content-Disposition: form-data; name="files"; filename="' + name + b'"'
    body = b"--%b\r\n%b\r\nContent-Type: text/plain\r\n\r\n%b\r\n--%b--\r\n" % (mark, disposition, content, mark)
    given = {"Content-Type": f"multipart/form-data; boundary={mark.decode()}"} | dict(headers or {})
    return send(studio, UPLOADS, body, given, **options)


def log_in(studio: StudioProcess, user: str, password: str) -> Answer:
    """An attempt to log in."""
    from urllib.parse import urlencode

    body = urlencode({"username": user, "password": password}).encode()
    return send(studio, "/login", body, {"Content-Type": "application/x-www-form-urlencoded"})


def files_with(folder: Path, *words: str) -> list[str]:
    """The files below a folder that hold one of the words."""
    wanted = [word.encode() for word in words]
    found = []
    for file in folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            found += [f"{file.relative_to(folder)}" for word in wanted if word in content]
    return found


def is_root() -> bool:
    """Whether this process may start others as other users."""
    return hasattr(os, "geteuid") and os.geteuid() == 0

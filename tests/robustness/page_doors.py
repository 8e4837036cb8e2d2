"""Doors that only a browser shows: a page of another site beside the studio, and HTML where text is expected."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

from door_scene import CALLS, TESTS, Door, Scene, call_body
from ended_runs import end_runs
from studio_process import StudioProcess

from swirl.history import History
from swirl.paths import assets
from swirl.runs.scheduler import run_folder
from swirl.settings import Settings
from swirl.sources.collections.catalog import import_collection, list_collections

sys.path[:0] = [str(TESTS / "browser")]

EVIL_HOST = "evil.example"
NO_BROWSER = "there is no Chromium on this machine, nothing was tried"
PAYLOAD = (
    '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\'"><svg onload=window.pwned=1>'
    "${window.pwned=1}{{constructor.constructor('window.pwned=1')()}}[x](javascript:window.pwned=1)"
    "</textarea></title></style></script><b onmouseover=window.pwned=1>pwned</b>"
)
"""Text that sets `window.pwned` where it is taken for HTML, a script, a template or Markdown."""
COLLECTION = "payload"


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """A Chromium for which evil.example is this machine; None where there is no Chromium."""
    from playwright.sync_api import sync_playwright
    from visitor import FLAGS, chromium_path

    path = chromium_path()
    if path is None:
        yield None
        return
    rules = f"--host-resolver-rules=MAP {EVIL_HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=[*FLAGS, "--no-sandbox", rules])
        try:
            yield opened
        finally:
            opened.close()


ATTACKS = """<!doctype html><title>evil</title><iframe name=into></iframe><script>
const studio = "STUDIO", body = BODY;
const attempts = {
  "a request that needs no permission": () => fetch(studio + "CALLS", {method: "POST", mode: "no-cors", body}),
  "a request that needs permission": () => fetch(studio + "CALLS", {method: "POST", body,
    headers: {"Content-Type": "application/json"}, credentials: "include"}).then((a) => a.text()),
  "a beacon": async () => navigator.sendBeacon(studio + "CALLS", new Blob([body], {type: "text/plain"})) && "",
  "a form": async () => {
    const form = document.createElement("form");
    const [before, after] = body.split("doors");
    Object.assign(form, {method: "POST", action: studio + "CALLS", enctype: "text/plain", target: "into"});
    const field = Object.assign(document.createElement("input"), {name: before + "x", value: after});
    form.append(field); document.body.append(form); form.submit();
    await new Promise((done) => setTimeout(done, 1500));
  },
  "reading": () => fetch(studio + "/config").then((a) => a.text()),
  "reading as another origin": () => fetch(studio + "/config", {credentials: "include"}).then((a) => a.text()),
  "a script": () => new Promise((done) => {
    const script = Object.assign(document.createElement("script"), {src: studio + "/config"});
    script.onload = () => done("it was loaded"); script.onerror = () => done(""); document.head.append(script);
  }),
  "a socket": () => new Promise((done) => {
    const socket = new WebSocket(studio.replace("http", "ws") + "/gradio_api/queue/join");
    socket.onopen = () => done("it was opened"); socket.onerror = () => done("");
  }),
  "a frame": () => new Promise((done) => {
    const frame = Object.assign(document.createElement("iframe"), {src: studio + "/", name: "framed"});
    frame.onload = frame.onerror = () => done(""); document.body.append(frame); setTimeout(() => done(""), 3000);
  }),
};
window.results = (async () => {
  const results = {};
  for (const [name, attempt] of Object.entries(attempts))
    results[name] = await attempt().then((text) => typeof text === "string" ? text.slice(0, 200) : "", () => "");
  return results;
})();
</script>"""


def foreign_page(scene: Scene) -> Door:
    """A page of another site, in the browser of somebody whose studio runs."""
    door, studio = Door("a page of another site, in a real browser"), scene.own
    body = json.dumps(call_body(studio, "remove", data="victim").decode())
    content = ATTACKS.replace("STUDIO", studio.url).replace("BODY", body).replace("CALLS", CALLS).encode()
    with browser() as chromium, serving(content) as port:
        if chromium is None:
            door.tried(NO_BROWSER, True)
            return door
        for host in (f"http://{EVIL_HOST}:{port}", f"http://localhost:{port}"):
            page = chromium.new_page()
            page.goto(host)
            for what, seen in page.evaluate("window.results").items():
                held = seen == "" or "does not answer" in seen
                door.tried(f"{what}, from {host.partition('//')[2].partition(':')[0]}", held, seen)
            framed = [frame.content() for frame in page.frames if frame.name == "framed"]
            door.tried("its frame shows no studio", not any("gradio" in text for text in framed), str(framed)[:200])
            page.close()
        page = chromium.new_page()
        page.goto(f"http://{EVIL_HOST}:{studio.port}/")
        shown = page.inner_text("body")
        door.tried("the studio under the other name", "does not answer to the name" in shown, shown[:200])
        page.goto(studio.url)
        page.wait_for_selector("[data-collection]")
        door.tried("the studio under its own name (must be let in)", "household" in page.content())
    there = {collection.name for collection in list_collections(scene.home(studio))}
    door.tried("nothing was deleted", "victim" in there, there)
    return door


@contextlib.contextmanager
def serving(content: bytes) -> Iterator[int]:
    """A web server for one page; its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def html(scene: Scene) -> Door:
    """HTML, scripts, templates and Markdown in everything that a stranger may have written."""
    door = Door("HTML in states, actions, names, notes, figures and addresses")
    home = scene.folder / "html-home"
    run = fill_with_payloads(home, scene.folder)
    studio = StudioProcess(home, scene.folder / "html.txt")
    studio.start()
    try:
        with browser() as chromium:
            if chromium is None:
                door.tried(NO_BROWSER, True)
                return door
            page = chromium.new_page()
            page.set_content("<main></main>")
            page.evaluate("(text) => { document.querySelector('main').innerHTML = text; }", PAYLOAD)
            page.wait_for_function("window.pwned", timeout=10_000)
            door.tried("the payload runs where it is taken for HTML (must be let in)", True)
            page.close()
            for address in addresses(run):
                visit(door, chromium, studio, address)
    finally:
        studio.kill()
        end_runs(home)  # whoever touches everything also resumes runs
    return door


def addresses(run: str) -> list[str]:
    """The addresses to visit: every page with the payloads in it, and with payloads in the address itself."""
    evil = quote(PAYLOAD, safe="")
    return [
        f"/?data={COLLECTION}&sequence=1&step=1",
        f"/?data={evil}",
        f"/?checkpoint={evil}&data={COLLECTION}",
        f"/play?data={COLLECTION}&checkpoint={run}@0",
        f"/play?state={evil}&action={evil}",
        f"/play?checkpoint={evil}",
        f"/train?run={run}",
        f"/train?run={evil}",
        f"/train?new=1&data={COLLECTION}&name={evil}",
        f"/train?new=1&preset={evil}&labels={evil}&data={evil}",
        f"/train?new=1&from={run}",
        f"/compare?data={COLLECTION}",
        f"/compare?left={evil}&right={evil}&data={evil}",
        f"/compare?a={run}@0&b=tiny-household",
        "/runs",
        f"/runs?search={evil}",
        f"/runs?open={run}",
        f"/label?data={COLLECTION}",
        f"/label?data={evil}",
        "/experiments",
        f"/experiments?experiment={evil}",
        f"/experiments?name={evil}",
    ]


LEFT_ALONE = (
    r"/delete|remove|start|stop|download|upload|train|share|fetch|push|save|export|gif|report|evaluat|vote|smollm|map|"
    r"measure|probe|advise|check|load|all/i"
)
"""Buttons that change something, leave the page, or keep a model busy for long."""
STIR = f"""() => {{
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const part of document.querySelectorAll("[title], svg *, td, th, b"))
    for (const type of ["mouseover", "mousemove", "mouseenter", "focusin"])
      part.dispatchEvent(new MouseEvent(type, {{bubbles: true}}));
  let clicked = 0;
  for (const button of document.querySelectorAll("button, [role=tab], summary, [data-run] td"))
    if (clicked < 60 && !({LEFT_ALONE}).test(button.innerText + " " + JSON.stringify(button.dataset))) {{
      button.click(); clicked += 1;
    }}
  return document.documentElement.outerHTML.split("pwned").length - 1;
}}"""
"""Opens and touches everything on a page; the number of places in which the payload stands."""


def visit(door: Door, chromium: Any, studio: StudioProcess, address: str) -> None:
    """Open an address, touch everything, and look whether a payload has run."""
    page = chromium.new_page()
    try:
        page.on("dialog", lambda dialog: dialog.dismiss())
        page.goto(studio.url + address)
        page.wait_for_function("document.querySelectorAll('main, .gradio-container').length > 0")
        page.wait_for_timeout(2500)
        stands = 0
        for _ in range(2):
            stands = max(stands, stir(page))
            page.wait_for_timeout(800)
        if address.startswith("/play?data"):
            write_on_play(page)
        page.wait_for_load_state()
        ran = any(frame.evaluate("window.pwned") for frame in page.frames)
        where = address[:60]
        door.tried(f"{where}: the payload stands in {stands} places", not ran, "it was run")
    finally:
        page.close()


def stir(page: Any) -> int:
    """Touch everything on a page; 0 places where a button led to another page meanwhile."""
    from playwright.sync_api import Error

    try:
        return page.evaluate(STIR)
    except Error as error:
        if "navigation" not in str(error):
            raise
        page.wait_for_load_state()
        return 0


def write_on_play(page: Any) -> None:
    """Write the payload into the state and the action of Play and ask for its futures."""
    for field in page.locator("textarea:visible, input[type=text]:visible").all()[:4]:
        field.fill(PAYLOAD)
        field.press("Enter")
        page.wait_for_timeout(700)
    page.wait_for_timeout(3000)


def fill_with_payloads(home: Path, folder: Path) -> str:
    """A home whose collection and runs say nothing but payloads; the id of a run."""
    source = folder / COLLECTION
    source.mkdir(exist_ok=True)
    rows = [{"id": f"{PAYLOAD} {n}", "states": [f"{PAYLOAD} {n} {step}" for step in range(4)]} for n in range(12)]
    (source / "sequences.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    actions = [{"id": row["id"], "actions": [PAYLOAD] * 3} for row in rows]
    (source / "actions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in actions))
    (source / "collection.json").write_text(json.dumps({"description": PAYLOAD, "title": PAYLOAD}))
    import_collection(home, source, COLLECTION)
    ids = [add_run(home, status) for status in ("failed", "finished")]
    return ids[0]


def add_run(home: Path, status: str) -> str:
    """A run whose texts are payloads, with a checkpoint that can be loaded."""
    history = History(home)
    settings = Settings().replace({"data": COLLECTION, "model": "tiny-household"}).to_dict()
    run = history.create_run(preset=PAYLOAD, settings=settings, name=PAYLOAD)
    history.update_run(run, status="running")
    history.start_phase(run, 0, 0, "forward", 2)
    for step in (1, 2):
        history.log_metrics(run, 0, step, {"reward": -float(step), PAYLOAD: 1.0, f"probe/{PAYLOAD}": 0.5})
    row = {"state": PAYLOAD, "next_state": PAYLOAD, "action": PAYLOAD, "samples": [PAYLOAD, PAYLOAD]}
    history.log_rollouts(run, 0, 1, [row | {"rewards": [-1.0, -2.0], "advantages": [1.0, -1.0]}])
    history.finish_phase(run, 0)
    place = f"runs/{run}/checkpoints/00-forward"
    for name in ("fwm", "idm"):
        shutil.copytree(assets() / "tiny-household" / name, home / place / name)
    (home / place / "swirl.json").write_text('{"format": 1, "base": "asset:tiny-household", "shared": false}')
    scores = {"forward/exact_match": 0.7, PAYLOAD: 0.5}
    history.add_checkpoint(run, index=0, iteration=0, phase="forward", path=place, scores=scores)
    history.mark_best(run, 0)
    history.add_evaluation(checkpoint=f"{run}@0", data=COLLECTION, metrics={PAYLOAD: {"value": 1.0}})
    history.set_note(run, PAYLOAD)
    history.set_tags(run, [PAYLOAD[:30], "<img src=x onerror=pwned=1>"])
    (run_folder(home, run) / "log.txt").write_text(PAYLOAD + "\n")
    words = {"error": PAYLOAD, "left_out": PAYLOAD, "activity": PAYLOAD, "ended_early": PAYLOAD}
    history.update_run(run, status=status, **words)
    return run

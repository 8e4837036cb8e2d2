"""Doors of secrets: keys, tokens and passwords of the environment, in everything that is kept, shown or given away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from door_scene import LOGIN, SECRETS, Door, Scene, call, files_with, send
from studio_process import PATIENCE, ROOT, StudioProcess

from swirl.errors import SwirlError
from swirl.history import UNFINISHED_STATUSES, History
from swirl.models.checkpoints import locate_checkpoint
from swirl.sharing.space import export_space

WRONG_TOKEN = "hf_" + "DoorsTestWrong" * 3
KEY = "sk-" + "proj-" + "DoorsTestLogged" * 2
PRIVATE = "PRIVATE-" + "words" * 3
EVERYTHING = (*SECRETS.values(), WRONG_TOKEN, LOGIN[1])


def secrets(scene: Scene) -> Door:
    """A run, its export, an upload that fails, an import of a log: what of it holds a secret?"""
    from small_runs import SMALL_RUN
    from tiny_base import make_tiny_base

    door, studio = Door("secrets in logs, databases, exports and answers"), scene.own
    home = scene.home(studio)
    base = make_tiny_base(scene.folder / "secret-base")
    settings = {**SMALL_RUN, "model": str(base), "data": "household", "cores": 1, "labels": None}
    body = json.dumps({"data": ["tiny-household", settings, "kept"]}).encode()
    answer = send(studio, "/gradio_api/run/start", body, {"Content-Type": "application/json"})
    run = json.loads(answer.text)["data"][0]["run"]
    end = time.monotonic() + PATIENCE
    while History(home).run(run).status in UNFINISHED_STATUSES and time.monotonic() < end:
        time.sleep(0.5)
    ended = History(home).run(run)
    door.tried("a run trains (must be let in)", ended.status == "finished", f"{ended.status}: {ended.error}")
    told = call(studio, "share", what="model", share=f"{run}@1", repository="me/world", token=WRONG_TOKEN).text
    while '"running":true' in (now := call(studio, "progress@choices").text) and time.monotonic() < end:
        time.sleep(0.3)
    door.tried("an upload that fails tells nothing of its token", WRONG_TOKEN not in told + now, told + now)
    log = scene.folder / "chat.jsonl"
    said = [{"role": "user", "content": f"my key is {KEY}"}, {"role": "assistant", "content": "Thank you."}]
    log.write_text(json.dumps({"id": "a", "states": [f"{said[0]['content']}", "a state"]}) + "\n")
    exported = scene.folder / "exported"
    exported.mkdir(exist_ok=True)
    command(scene, home, "runs", "export", run, str(exported / "run.swirl.zip"))
    (exported / "unpacked").mkdir(exist_ok=True)
    with zipfile.ZipFile(exported / "run.swirl.zip") as archive:
        archive.extractall(exported / "unpacked")
    command(scene, home, "export", f"{run}@1", "--space", str(exported / "space"))
    for what, folder in {
        "the home": home,
        "an exported run": exported / "unpacked",
        "a Space": exported / "space",
    }.items():
        found = files_with(folder, *EVERYTHING)
        door.tried(f"secrets in {what}", not found, found)
    for name, server in {"the studio": studio, "the studio with a login": scene.with_login}.items():
        text = server.log.read_text(errors="replace")
        door.tried(f"secrets in what {name} prints", not any(secret in text for secret in EVERYTHING))
    for path in ("/config", "/", "/train", "/gradio_api/info"):
        text = studio.get(path).decode(errors="replace")
        door.tried(f"secrets in {path}", not any(secret in text for secret in EVERYTHING))
    account = scene.home(scene.with_login)
    door.tried("the login in its home", not files_with(account, *EVERYTHING), files_with(account, *EVERYTHING))
    children = child_environment(scene.with_login)
    door.tried("the login in the environment of what it starts", LOGIN[1] not in children)
    return door


def child_environment(studio: StudioProcess) -> str:
    """What a process that the studio starts would find of the login: the variables it still has.

    The first environment of a process stays readable in /proc, to its owner alone; so a child is what matters.
    """
    import psutil

    found = [child.environ() for child in psutil.Process(studio.process.pid).children(recursive=True)]
    return json.dumps(found)


def command(scene: Scene, home: Path, *arguments: str) -> None:
    """Run `swirl` on a home, with the secrets in its environment."""
    line = [sys.executable, "-m", "swirl", "--home", str(home), *arguments]
    done = subprocess.run(line, cwd=ROOT, env={**os.environ, **SECRETS}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def spaces(scene: Scene) -> Door:
    """A checkpoint beside which private files lie becomes a Space."""
    door, home = Door("private files in an exported Space"), scene.folder / "space-home"
    source = Path(str(locate_checkpoint(home, "tiny-household")))
    mine = home / "mine"
    shutil.copytree(source, mine, dirs_exist_ok=True)
    for name in (
        ".env",
        "notes.txt",
        "optimizer.pt",
        "fwm/secret.txt",
        "fwm/.netrc",
        "base/.git-credentials",
        "base/key.pem",
        "log.txt",
    ):
        (mine / name).write_text(PRIVATE)
    (home / "studio.db").write_text(PRIVATE)
    (home / "labels").mkdir(exist_ok=True)
    (home / "labels" / "mine.jsonl").write_text(PRIVATE)
    for folder in ("fwm", "idm"):
        config = mine / folder / "adapter_config.json"
        config.write_text(
            json.dumps({**json.loads(config.read_text()), "base_model_name_or_path": f"/home/me/{PRIVATE}"})
        )
    space = scene.folder / "space"
    files = export_space(home, str(mine), space)
    found = files_with(space, PRIVATE, str(scene.folder), *EVERYTHING)
    door.tried("private words in the Space", not found, found)
    strange = [
        name
        for name in files
        if name.rpartition("/")[2].startswith(".") or name.endswith((".db", ".pt", ".pem", ".txt"))
    ]
    door.tried("private files in the Space", strange == ["requirements.txt"], strange)
    links = [str(path) for path in space.rglob("*") if path.is_symlink()]
    door.tried("links in the Space", not links, links)
    named = {
        "a file": {"base": str(home / "studio.db")},
        "a folder": {"base": str(home / "labels")},
        "a way out of the shipped models": {"base": f"asset:../../{home}"},
    }
    for what, base in named.items():
        other = Path(shutil.copytree(mine, scene.folder / f"named {what}"))
        (home / "labels" / "config.json").write_text(json.dumps({"auth": PRIVATE}))
        (other / "swirl.json").write_text(json.dumps({"format": 1, "shared": False, **base}))
        try_to_share(door, home, other, f"a checkpoint that names {what} as its base model")
    for place in ("base/tokenizer_link.json", "base/chat_template.jinja"):
        linked = Path(shutil.copytree(mine, scene.folder / place.replace("/", " ")))
        (linked / place).symlink_to(home / "studio.db")
        try_to_share(door, home, linked, f"a checkpoint with a link at {place}")
    app = (space / "app.py").read_text()
    door.tried("it starts as a demonstration", '"--demo"' in app)
    return door


def try_to_share(door: Door, home: Path, checkpoint: Path, what: str) -> None:
    """Export a checkpoint by a stranger, who would like a private file in it."""
    target = checkpoint.with_name(f"{checkpoint.name} as a space")
    try:
        export_space(home, str(checkpoint), target)
        seen = f"it was written; private words in {files_with(target, PRIVATE)}"
    except SwirlError as error:
        seen = str(error)
    door.tried(what, not target.exists() and "\n" not in seen, seen)

"""Doors of files: uploads and their names, archives, paths that requests name, and files that run code when opened."""

from __future__ import annotations

import base64
import io
import json
import pickle
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from door_scene import RECORDED_RUN, Door, Scene, call, files_with, send, upload

from swirl.errors import SwirlError
from swirl.history import History
from swirl.paths import assets
from swirl.sharing.sample_run import unpack_sample_run

JSON = {"Content-Type": "application/json"}
TAKEN = "taken-from-outside"
"""What a file beside the home holds, and no answer and no collection may hold."""
STATES = json.dumps({"id": "s", "states": ["one", "two"]}).encode() + b"\n"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one pixel."""


def uploads(scene: Scene) -> Door:
    """Names of uploads that lead elsewhere, and requests for files that were never uploaded."""
    door, studio = Door("uploads and their names"), scene.own
    home = scene.home(studio)
    outside = snapshot(scene.folder, home)
    wanted = (
        b"../../../evil.jsonl",
        b"/etc/evil.jsonl",
        b"..\\..\\evil.jsonl",
        b"C:\\evil.jsonl",
        b"a\0b.jsonl",
        b"%2e%2e%2fevil.jsonl",
        b"e" * 5000 + b".jsonl",
        b"\x1b[31mred\x07.jsonl",
        b".",
        b"..",
        b"",
        b"\xff\xfe.jsonl",
        b"<img src=x onerror=alert(1)>.jsonl",
        b".bashrc",
        b"studio.db",
        b"a;b|c`d`$(e).jsonl",
    )
    for name in wanted:
        answer = upload(studio, name, STATES)
        places = json.loads(answer.text) if answer.status == 200 else []
        inside = all(Path(place).resolve().is_relative_to((home / "uploads").resolve()) for place in places)
        door.tried(f"an upload called {name[:40]!r}", inside and answer.status != 0, answer.text[:200])
        for place in places:
            shown = call(studio, "look_into", paths=[place], names=[name.decode(errors="replace")])
            door.tried(
                f"looking into {name[:40]!r}", shown.status == 200 and "Traceback" not in shown.text, shown.text[:200]
            )
    good = json.loads(upload(studio, b"good.jsonl", STATES).text)[0]
    labelled = json.dumps({"state": "one", "action": "go", "next_state": "two"}).encode()
    labels = json.loads(upload(studio, b"labels.jsonl", labelled).text)[0]
    elsewhere = (
        home / "studio.db",
        Path("/etc/hosts"),
        Path(good).parent / ".." / ".." / "studio.db",
        home,
        Path("relative"),
    )
    for path in elsewhere:
        for function in ("receive@look_into", "look_into", "receive@moving"):
            answer = call(studio, function, paths=[str(path)], path=str(path), names=["x"], name="x")
            door.tried(f"{function}({path})", '"error"' in answer.text, answer.text[:200])
        answer = call(studio, "labels", path=str(path), name="x")
        door.tried(f"labels({path})", '"error"' in answer.text, answer.text[:200])
    for name in ("../evil", "/tmp/evil", "a/b", "..", "n" * 300, "a\0b", "\u202eevil", "~", "$HOME"):
        answer = call(studio, "receive@look_into", paths=[good], names=["x.jsonl"], name=name, ticket="t")
        door.tried(f"a collection called {name[:20]!a}", "failed here" not in answer.text, answer.text[:200])
        answer = call(studio, "labels", path=labels, name=f"{name}.jsonl")
        door.tried(f"labels called {name[:20]!a}", "failed here" not in answer.text, answer.text[:200])
        call(studio, "receive@look_into", paths=[good, good], names=[f"{name}/x.jsonl", "../y/z.jsonl"], ticket="t")
    strange = [folder.name for folder in (home / "collections").iterdir() if not folder.name.replace("-", "").isalnum()]
    door.tried(
        "folders of collections have plain names",
        all("/" not in name and ".." not in name for name in strange),
        strange,
    )
    door.tried(
        "nothing was written outside the home",
        snapshot(scene.folder, home) == outside,
        snapshot(scene.folder, home) ^ outside,
    )
    return door


def archives(scene: Scene) -> Door:
    """Archives that write elsewhere, link elsewhere, or unpack to far more than they are."""
    door, studio = Door("archives: zip, tar and exported runs"), scene.own
    home = scene.home(studio)
    secret = scene.folder / "outside.txt"
    secret.write_text(TAKEN)
    outside, runs = snapshot(scene.folder, home), len(History(home).runs())
    made = scene.folder / "archives"
    made.mkdir(exist_ok=True)
    outside = snapshot(scene.folder, home)
    for name, content in {**zip_files(secret), **tar_files(secret)}.items():
        place = json.loads(upload(studio, name.encode(), content).text)[0]
        before = set((home / "collections").iterdir())
        answer = call(studio, "receive@look_into", paths=[place], names=[name], ticket="t")
        held = answer.status == 200 and "Traceback" not in answer.text and TAKEN not in answer.text
        held = held and "failed here" not in answer.text
        door.tried(f"importing {name}", held, answer.text[:200])
        for folder in set((home / "collections").iterdir()) - before:
            door.tried(f"what {name} left", not files_with(folder, TAKEN, "root:x:"), files_with(folder, TAKEN))
    with unpack_sample_run() as run_file:
        whole = run_file.read_bytes()
    for name, change in RUN_FILES.items():
        place = json.loads(upload(studio, b"run.swirl.zip", changed_run(whole, change)).text)[0]
        answer = call(studio, "receive@moving", path=place, name="run.swirl.zip", ticket="t")
        refused = '"error"' in answer.text and "failed here" not in answer.text
        door.tried(f"an exported run with {name}", refused, answer.text[:200])
    door.tried("no run was added", len(History(home).runs()) == runs)
    left = [str(path) for path in home.rglob("*") if path.is_symlink() or path.name in ("evil.txt", "model.py")]
    door.tried("no link and no program is in the home", not left, left)
    door.tried(
        "nothing was written outside the home",
        snapshot(scene.folder, home) == outside,
        snapshot(scene.folder, home) ^ outside,
    )
    return door


def zip_files(secret: Path) -> dict[str, bytes]:
    """Zip files by their names, each with two good states beside what it should not have."""

    def made(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("good.jsonl", STATES)
            for name, content in members:
                archive.writestr(name, content)
        return file.getvalue()

    link = zipfile.ZipInfo("link.jsonl")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    inner = made(("../../evil.txt", b"x"))
    return {
        "out.zip": made(("../../evil.txt", b"x"), ("a/../../../evil.jsonl", STATES)),
        "absolute.zip": made(("/tmp/evil.txt", b"x"), ("C:\\evil.jsonl", STATES), ("\\\\host\\evil.jsonl", STATES)),
        "link.zip": made((link, str(secret).encode())),
        "twice.zip": made(("A.jsonl", STATES), ("a.JSONL", STATES), ("a.jsonl/b.jsonl", STATES)),
        "nested.zip": made(("inner.zip", inner)),
        "bomb.zip": made(("zeros.jsonl", bytes(150 * 2**20))),
        "names.zip": made(
            ("\x1b[31m.jsonl", STATES),
            ("n" * 4000 + ".jsonl", STATES),
            ("\ud800.jsonl".encode("utf-8", "replace").decode(), STATES),
        ),
    }


def tar_files(secret: Path) -> dict[str, bytes]:
    """Tar files by their names, each with two good pictures beside what it should not have."""

    def made(*members: tuple[str, bytes, bytes, str]) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for number in range(2):
                add(archive, f"episode-{number:03d}.png", tarfile.REGTYPE, PIXEL, "")
            for name, kind, content, target in members:
                add(archive, name, kind, content, target)
        return file.getvalue()

    def add(archive: tarfile.TarFile, name: str, kind: bytes, content: bytes, target: str) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.size, info.linkname = kind, len(content), target
        archive.addfile(info, io.BytesIO(content))

    return {
        "out.tar": made(
            ("../../evil-003.png", tarfile.REGTYPE, PIXEL, ""), ("/tmp/evil-004.png", tarfile.REGTYPE, PIXEL, "")
        ),
        "links.tar": made(
            ("episode-003.png", tarfile.SYMTYPE, b"", str(secret)),
            ("episode-004.png", tarfile.LNKTYPE, b"", str(secret)),
            ("episode-005.json", tarfile.SYMTYPE, b"", "/etc/passwd"),
        ),
        "devices.tar": made(
            ("episode-003.png", tarfile.CHRTYPE, b"", ""), ("episode-004.png", tarfile.FIFOTYPE, b"", "")
        ),
    }


Members = dict[str, bytes]
RUN_FILES: dict[str, Callable[[Members], object]] = {
    "a way out": lambda m: m.update({"../../evil.txt": b"x"}),
    "an absolute path": lambda m: m.update({"/tmp/evil.txt": b"x"}),
    "the state of an optimiser": lambda m: m.update({"trainer/optimizer.pt": harmful(Path("/nowhere"))}),
    "pickled weights": lambda m: m.update({"checkpoints/01-forward/fwm/adapter_model.bin": b"x"}),
    "a program": lambda m: m.update({"checkpoints/01-forward/fwm/model.py": b"x"}),
    "a database": lambda m: m.update({"studio.db": b"x"}),
    "a name in capitals": lambda m: m.update({"LOG.TXT": b"x"}),
    "another hash": lambda m: m.update({"log.txt": b"other"}),
}


def changed_run(whole: bytes, change: Callable[[Members], object]) -> bytes:
    """An exported run with other members."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    change(members)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def paths(scene: Scene) -> Door:
    """Requests that name files: by the routes of files, and where a name of ours is expected."""
    door, studio = Door("paths that requests name"), scene.own
    home = scene.home(studio)
    run = home / "runs" / RECORDED_RUN / "settings.json"
    for path in (
        home / "studio.db",
        run,
        home / "collections" / "victim" / "sequences.jsonl",
        Path("/etc/hosts"),
        Path("/proc/self/environ"),
        Path("launch.py"),
        Path("../../../etc/hosts"),
        studio.log,
    ):
        for form in (
            str(path),
            quote(str(path), safe=""),
            quote(quote(str(path), safe="")),
            f"{home}/uploads/../{path}",
        ):
            for route in ("file=", "file/"):
                door.refused(f"{route}{form[:60]}", send(studio, f"/gradio_api/{route}{form}"))
    for route in (
        "static",
        "assets",
        "svelte",
        "icons",
        "scripts",
        "frame",
        "download",
        "gradio_api/custom_component/1/x/x",
    ):
        for way in (
            "../../../../../../etc/hosts",
            "..%2f..%2f..%2f..%2f..%2fetc%2fhosts",
            "%2fetc%2fhosts",
            "....//etc/hosts",
        ):
            answer = send(studio, f"/{route}/{way}")
            held = answer.status in (400, 403, 404, 405, 422) or "localhost" not in answer.text
            door.tried(f"/{route}/{way}", held, answer.text[:120])
    for name, values in (
        ("load", ["/etc"]),
        ("load", ["../.."]),
        ("infer", ["", "", "../../etc"]),
        ("status", ["../.."]),
        ("start", ["tiny-household", {"labels": "/etc/hosts"}, ""]),
        ("start", ["tiny-household", {"labels": str(run)}, ""]),
        ("start", ["tiny-household", {"data": "../victim"}, ""]),
        ("start", ["../x", {}, ""]),
    ):
        answer = send(studio, f"/gradio_api/run/{name}", json.dumps({"data": values}).encode(), JSON)
        door.tried(f"{name}{values}", answer.status >= 400 and "127.0.0.1" not in answer.text, answer.text[:200])
    file = {"path": "/etc/hosts", "meta": {"_type": "gradio.FileData"}}
    for disguise in (file, {**file, "path": "https://evil.example/x"}, {**file, "url": "https://evil.example/x"}):
        answer = send(
            studio, "/gradio_api/run/start", json.dumps({"data": ["x", {"labels": disguise}, ""]}).encode(), JSON
        )
        door.tried(
            f"a file in the disguise of an upload: {disguise['path']}",
            answer.status >= 400 and "hostname" not in answer.text,
            answer.text[:200],
        )
    kept = files_with(home / "uploads", "localhost") if Path("/etc/hosts").is_file() else []
    door.tried("no file of the machine became an upload", not kept, kept)
    for function, request in (
        ("details", {"run": "../.."}),
        ("delete", {"runs": ["../..", "/"]}),
        ("export@moving", {"run": ".."}),
        ("export@truth", {"data": "../..", "what": "jsonl"}),
        ("remove", {"data": "../victim"}),
        ("show@truth", {"data": "../../etc"}),
        ("show@undo", {"data": "../../etc"}),
        ("save@undo", {"data": "../../etc"}),
        ("news", {"run": "../.."}),
        ("share", {"what": "folder", "share": "../../etc"}),
        ("report@overview", {"experiment": "../.."}),
        ("report@overview", {"name": "../.."}),
    ):
        answer = call(studio, function, **request)
        door.tried(f"{function}({request})", "localhost" not in answer.text and answer.status == 200, answer.text[:200])
    door.tried("the home is there", (home / "studio.db").is_file() and (home / "collections" / "victim").is_dir())
    return door


class Harmful:
    """Writes a file when it is unpickled without precautions."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return _write, (str(self.marker), "pwned")


def _write(path: str, text: str) -> None:
    Path(path).write_text(text)


def harmful(marker: Path) -> bytes:
    """A pickle, in the form of PyTorch, that writes `marker` if it is loaded without precautions."""
    import torch

    file = io.BytesIO()
    torch.save(Harmful(marker), file)
    return file.getvalue()


def pickles(scene: Scene) -> Door:
    """Models, checkpoints and data that run code when they are opened without precautions."""
    import numpy as np
    from tiny_base import make_tiny_base
    from transformers import AutoTokenizer

    from swirl.codecs.state_codecs import TextCodec
    from swirl.library import load_model
    from swirl.models.prompts import ChatLayout
    from swirl.sources.collections.catalog import import_collection

    door, folder = Door("files that run code: pickles, programs, templates"), scene.folder / "pickles"
    folder.mkdir(exist_ok=True)
    marker = folder / "pwned.txt"
    home = folder / "home"
    base = make_tiny_base(folder / "base")

    def try_model(what: str, model: Path) -> None:
        try:
            load_model(str(model), home=home)
            seen = "it was loaded"
        except SwirlError as error:
            seen = str(error)
        door.tried(what, not marker.exists() and "\n" not in seen, seen)
        door.tried(f"{what}, which is refused", seen != "it was loaded", seen)

    pickle.loads(pickle.dumps(Harmful(marker)))
    door.tried("the sample would be harmful (must be let in)", marker.exists())
    marker.unlink(missing_ok=True)
    for name in ("pytorch_model.bin", "model.pt", "model.ckpt", "pytorch_model.pkl"):
        place = copied(base, folder / f"base-{name}")
        for weights in place.glob("*.safetensors"):
            weights.unlink()
        (place / name).write_bytes(harmful(marker))
        try_model(f"a model with {name}", place)
    shipped = assets() / "tiny-household"
    for name in ("adapter_model.bin", "adapter_model.pt"):
        place = copied(shipped, folder / f"checkpoint-{name}")
        (place / "fwm" / "adapter_model.safetensors").unlink()
        (place / "fwm" / name).write_bytes(harmful(marker))
        try_model(f"a checkpoint with {name}", place)
    place = copied(base, folder / "program")
    config = json.loads((place / "config.json").read_text())
    named = {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (place / "config.json").write_text(json.dumps({**config, **named}))
    (place / "evil.py").write_text(f"open({str(marker)!r}, 'w').write('pwned')\n")
    try_model("a model with a program", place)
    place = copied(shipped, folder / "adapter-program")
    adapter = json.loads((place / "fwm" / "adapter_config.json").read_text())
    mapping = {"auto_mapping": {"base_model_class": "M", "parent_library": "evil"}, "peft_type": "EVIL"}
    (place / "fwm" / "adapter_config.json").write_text(json.dumps({**adapter, **mapping}))
    (place / "fwm" / "evil.py").write_text(f"open({str(marker)!r}, 'w').write('pwned')\n")
    try_model("a checkpoint with a program", place)
    for what, values in {"objects.npy": [{"a": 1}, Harmful(marker)]}.items():
        np.save(folder / what, np.array(values, dtype=object), allow_pickle=True)
        np.savez(folder / "objects.npz", observations=np.array(values, dtype=object))
        for data in (folder / what, folder / "objects.npz"):
            try:
                import_collection(home, data)
                seen = "it was imported"
            except SwirlError as error:
                seen = str(error)
            door.tried(f"arrays of objects in {data.name}", not marker.exists() and seen != "it was imported", seen)
    tokenizer = AutoTokenizer.from_pretrained(base)
    reaching = "{{ cycler.__init__.__globals__.os.system('touch MARKER') }}"
    for tempted in (
        reaching,
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
    ):
        tokenizer.chat_template = tempted.replace("MARKER", str(marker)) + "{{ messages[-1].content }}"
        try:
            ChatLayout(TextCodec(tokenizer))
            seen = "UNEXPECTED: it was used"
        except SwirlError as error:
            seen = str(error)
        except Exception as error:
            seen = f"UNEXPECTED {type(error).__name__}: {error}"
        held = not marker.exists() and "UNEXPECTED" not in seen and "\n" not in seen
        door.tried(f"the chat template {tempted[:40]}", held, seen)
    try_resuming(door, folder, base, marker)
    return door


def try_resuming(door: Door, folder: Path, base: Path, marker: Path) -> None:
    """A run is resumed whose saved optimiser, schedule and random state were replaced."""
    from small_runs import SMALL_RUN

    from swirl.runs import jobs
    from swirl.settings import Settings

    home = folder / "run-home"
    settings = Settings().replace(
        {**SMALL_RUN, "model": str(base), "data": "household", "cores": 1, "steps_per_phase": 6}
    )
    run = jobs.create_foreground_run(home, preset=None, settings=settings)
    from swirl.training.run_monitor import RunMonitor

    original = RunMonitor.on_step_end

    def stop_after_three(self: Any, args: Any, state: Any, control: Any, **more: Any) -> Any:
        if state.global_step == 3:
            jobs.request_stop(History(home), run)
        return original(self, args, state, control, **more)

    RunMonitor.on_step_end = stop_after_three
    try:
        jobs.train_in_foreground(home, run)
    finally:
        RunMonitor.on_step_end = original
    saved = [file for file in (home / "runs" / run / "trainer").rglob("*") if file.suffix in (".pt", ".pth", ".bin")]
    door.tried("a run saves its optimiser (must be let in)", len(saved) >= 2, [file.name for file in saved])
    for file in saved:
        file.write_bytes(harmful(marker))
    jobs.resume(home, run, detach=False)
    jobs.train_in_foreground(home, run)
    now = History(home).run(run)
    door.tried("resuming a run whose saved files were replaced", not marker.exists(), f"{now.status}: {now.error}")
    sentence = now.error or ""
    door.tried("it says so in a sentence", "delete that folder" in sentence and "\n" not in sentence, sentence)


def copied(source: Path, target: Path) -> Path:
    """A copy of a folder."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))


def snapshot(folder: Path, home: Path) -> set[str]:
    """The files below a folder and in the machine's shared ones, but for those of the home and the servers' logs.

    The companions of a database are left out as well: they come and go while another server looks at its own home.
    """
    places = [*folder.rglob("*"), *Path("/tmp").glob("evil*"), *Path("/etc").glob("evil*")]
    companions = ("studio.db-wal", "studio.db-shm")
    return {
        str(path)
        for path in places
        if not path.is_relative_to(home) and path.parent != folder and path.name not in companions
    }

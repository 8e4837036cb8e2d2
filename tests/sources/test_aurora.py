"""AURORA-Bench: the layout, tested on generated files and on the real files if available."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation.true_actions import load_true_actions
from swirl.sources.collections.catalog import get_collection, import_collection, load_sequences
from swirl.sources.formats.aurora_bench import EditChoice, is_aurora, read_edit_choices, read_edits

ROOT = Path(__file__).parent.parent.parent
BENCHMARKS = Path(os.environ.get("SWIRL_BENCHMARKS") or ROOT.parent / "shared" / "data")
REAL = BENCHMARKS / "aurora-bench"
needs_files = pytest.mark.skipif(
    not is_aurora(REAL), reason="no aurora-bench in the folder that SWIRL_BENCHMARKS names, nor in ../shared/data"
)

ROWS = [
    {"input": "data/kubric/images/1/a.png", "output": "data/kubric/images/1/b.png", "instruction": "move the mug",
     "task": "kubric"},
    {"id": "36", "input": "data/something/images/36/first.png", "output": "data/something/images/36/last.png",
     "instruction": "Make remote fall down", "task": "something"},
    {"id": "005", "input": "data/clevr/images/5.png", "instruction": "the cylinder turns brown", "task": "clevr"},
    {"input": "data/ag/images/left.png", "output": "data/ag/images/right.png", "instruction": "Close it", "task": "ag"},
    {"input": "../secret.png", "output": "data/ag/images/right.png", "instruction": "Steal it", "task": "ag"},
    {"id": "36", "input": "data/kubric/images/1/a.png", "instruction": "Again", "task": "something"},
    {"input": "data/kubric/images/1/a.png", "instruction": "", "task": "kubric"},
    "no object",
]  # fmt: skip
PICTURES = ("kubric/images/1/a", "kubric/images/1/b", "something/images/36/first", "clevr/images/5")


def write_picture(path, value, size=(24, 16)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


@pytest.fixture
def bench(tmp_path):
    """A folder in the benchmark's layout with some of its pictures."""
    folder = tmp_path / "bench"
    for value, name in enumerate(PICTURES):
        write_picture(folder / "data" / f"{name}.png", 10 * value)
    (folder / "test.json").write_text(json.dumps(ROWS), encoding="utf-8")
    return folder


def test_rows_with_their_pictures_and_what_is_missing(bench):
    edits, skipped = read_edits(bench)
    assert [(edit.task, edit.id, edit.instruction) for edit in edits] == [
        ("kubric", "kubric/0", "move the mug"),
        ("something", "something/36", "Make remote fall down"),
        ("clevr", "clevr/005", "the cylinder turns brown"),
    ]
    assert [edit.output is not None for edit in edits] == [True, False, False]
    assert pictures.pixels(edits[0].input).max() == 0 and pictures.pixels(edits[0].output).max() == 10
    assert [str(item) for item in skipped] == [
        "test.json[1]: data/something/images/36/last.png cannot be found; copy the pictures of something there.",
        "test.json[2] cannot be compared with a target picture, because clevr names none.",
        "test.json[3]: data/ag/images/left.png cannot be found; copy the pictures of ag there.",
        'test.json[4] has a path that points outside the folder as "input"; correct it.',
        "test.json[5] repeats the id 'something/36' of test.json[1]; give it a unique id.",
        'test.json[6] has an empty text as "instruction"; fill it in or remove it.',
        'test.json[7] is text, not an object with "task", "input" and "instruction"; correct it.',
    ]


def test_the_folder_is_recognised_by_its_rows(bench, tmp_path):
    assert is_aurora(bench)
    assert not is_aurora(tmp_path) and not is_aurora(bench / "test.json")
    for other in ("[]", "{}", '[{"id": "a", "states": ["x", "y"]}]', "[1", ""):
        (bench / "test.json").write_text(other, encoding="utf-8")
        assert not is_aurora(bench)


@pytest.mark.parametrize("text", ["{}", "[1", "", "\0"])
def test_a_file_that_is_not_a_list_gives_one_sentence(bench, text):
    (bench / "test.json").write_text(text, encoding="utf-8")
    with pytest.raises(SwirlError, match=r"test\.json .*\.$"):
        read_edits(bench)


def test_disc_edit_rows_with_their_fallbacks(bench):
    rows = [
        {"id": "7", "prompt": "open it", "pos": "close it", "input": "data/kubric/images/1/a.png", "output": "x"},
        {"prompt": "open it", "pos": "close it", "neg": "break it", "input": "data/kubric/images/1/b.png"},
        {"prompt": "no choice", "input": "data/kubric/images/1/b.png"},
        {"pos": "close it", "input": "data/kubric/images/1/b.png"},
        {"prompt": "open it", "pos": "close it", "input": "data/kubric/images/2/b.png"},
    ]
    itm = [{"image": "data/kubric/controlled_images/1/a.png", "pos": "on the table", "neg": "under the table"}]
    for name, content in (("kubric/valid.json", rows), ("whatsup/itm_test.json", itm), ("whatsup/itm_valid.json", [1])):
        (bench / "disc_edit_data" / name).parent.mkdir(parents=True, exist_ok=True)
        (bench / "disc_edit_data" / name).write_text(json.dumps(content), encoding="utf-8")
    choices, skipped = read_edit_choices(bench)
    first, second, third = choices
    assert (first.id, first.pos, first.neg) == ("kubric/7", "close it", "open it")
    assert (second.id, second.neg) == ("kubric/1", "break it")
    # A picture named by the folder it was in before the benchmark moved it.
    assert third == EditChoice("whatsup", "whatsup/0", first.input, "on the table", "under the table")
    assert [(item.where, item.why) for item in skipped] == [
        ("disc_edit_data/kubric/valid.json[3]", 'has null as "neg", which must be text; correct it'),
        (
            "disc_edit_data/kubric/valid.json[4]: data/kubric/images/2/b.png",
            "cannot be found; copy the pictures of kubric there",
        ),
    ]


def test_missing_disc_edit_files_give_one_sentence(bench):
    with pytest.raises(SwirlError, match="disc_edit_data"):
        read_edit_choices(bench)


def test_imported_as_sequences_of_two_frames_with_their_instructions(bench, tmp_path):
    more = [
        {
            "input": f"data/epic/images/{i}.png",
            "instruction": "wave",
            "task": "epic",
            "output": "data/epic/images/x.png",
        }
        for i in range(3)
    ]
    broken = {"input": "data/kubric/images/1/a.png", "output": "data/kubric/images/cut.png", "instruction": "cut",
              "task": "kubric"}  # fmt: skip
    wider = {**broken, "id": "wide", "output": "data/kubric/images/wide.png"}
    whole = (bench / "data/kubric/images/1/b.png").read_bytes()
    (bench / "data/kubric/images/cut.png").write_bytes(whole[: len(whole) // 2])
    write_picture(bench / "data/kubric/images/wide.png", 99, (48, 16))
    (bench / "test.json").write_text(json.dumps([*ROWS[:3], *more, broken, wider]), encoding="utf-8")
    home = tmp_path / "home"
    home.mkdir()
    report = import_collection(home, bench, "aurora")
    assert (report.sequences, report.transitions, report.kind) == (2, 2, "image")
    reasons = {item.where: item.why for item in report.skipped}
    assert reasons["test.json[3]: data/epic/images/0.png and 2 more"].startswith("cannot be found")
    cut = "is left out: its picture data/kubric/images/cut.png is not a complete image"
    assert reasons["test.json[6]"].startswith(cut)
    assert len(reasons) == 4
    first, second = load_sequences(home, "aurora")
    assert (first.id, second.id) == ("kubric/0", "kubric/wide")
    assert [pictures.pixels(state.picture).max() for state in first.states] == [0, 10]
    assert {pictures.size(state.picture) for state in second.states} == {(24, 16)}
    assert get_collection(home, "aurora").kind == "image"
    assert load_true_actions(home, "aurora") == {"kubric/0": ["move the mug"], "kubric/wide": ["cut"]}


@needs_files
def test_the_real_rows():
    edits, skipped = read_edits(REAL)
    rows = json.loads((REAL / "test.json").read_text(encoding="utf-8"))
    existing = [row for row in rows if (REAL / row["input"]).is_file()]
    assert len(rows) == 400 and [edit.instruction for edit in edits] == [row["instruction"] for row in existing]
    assert len(edits) + len(skipped) >= 400  # every row is returned, reported, or both
    assert {edit.task for edit in edits} >= {"kubric", "whatsup"}
    for edit in edits:
        assert pictures.size(edit.input) > (0, 0) and (edit.output is None or pictures.size(edit.output) > (0, 0))
    assert sum(edit.output is not None for edit in edits if edit.task in ("kubric", "whatsup")) == 100


@needs_files
def test_the_real_choices():
    choices, skipped = read_edit_choices(REAL)
    assert {choice.task for choice in choices} >= {"kubric", "whatsup"}
    assert len(choices) + len(skipped) == 33 + 30 + 30 + 31 + 800  # ag, clevr, kubric, something, whatsup
    assert all(choice.pos != choice.neg for choice in choices)


@needs_files
def test_the_real_rows_as_a_collection(tmp_path):
    report = import_collection(tmp_path, REAL, "aurora")
    assert report.sequences == report.transitions >= 100
    sequences, actions = load_sequences(tmp_path, "aurora"), load_true_actions(tmp_path, "aurora")
    assert actions.keys() == {sequence.id for sequence in sequences}
    kubric = next(sequence for sequence in sequences if sequence.id.startswith("kubric/"))
    assert [pictures.size(state.picture) for state in kubric.states] == [(512, 512)] * 2

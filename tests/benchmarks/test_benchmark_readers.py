"""Reading the benchmarks' files: small files in their layouts, and the real ones if they are available."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import benchmark_files as files
import numpy as np
import pytest

from swirl import pictures
from swirl.errors import SwirlError
from swirl.evaluation.benchmarks import BENCHMARK_NAMES
from swirl.evaluation.benchmarks.run import BENCHMARKS
from swirl.sources.formats.aurora_bench import is_aurora

ROOT = Path(__file__).parent.parent.parent
REAL = Path(os.environ.get("SWIRL_BENCHMARKS") or ROOT.parent / "shared" / "data")
WHERE = "in the folder that SWIRL_BENCHMARKS names, nor in ../shared/data"


def gather(name, folder, limit=None, seed=0):
    return BENCHMARKS[name].gather(folder, limit, seed)


def test_every_name_has_its_benchmark():
    assert tuple(BENCHMARKS) == BENCHMARK_NAMES


def test_aurora_reads_what_exists_and_notes_what_is_missing(tmp_path):
    gathered = gather("aurora-bench", files.aurora(tmp_path / "a"))
    assert [item.id for item in gathered.items] == ["kubric/0", "kubric/1", "whatsup/2", "whatsup/3"]
    assert gathered.split_sizes == {"kubric": 2, "whatsup": 2, "ag": 1}
    assert [choice.pos for _, choice in gathered.choices] == ["the square is at place 0"]
    assert gathered.choice_split_sizes == {"kubric": 2}
    assert [note.split(" because")[0] for note in gathered.notes] == [
        "1 of 1 edits of ag are left out",
        "1 of 2 choices of DiscEdit of kubric are left out",
    ]
    assert "McGill-NLP/AURORA" in gathered.notes[0]
    (tmp_path / "a" / "data" / "whatsup" / "images" / "1" / "image1.png").write_bytes(b"\x89PNG no more")
    broken = gather("aurora-bench", tmp_path / "a")
    assert len(broken.items) == 3 and any(n.startswith("whatsup/3 is left out: The frame") for n in broken.notes)
    assert broken.split_sizes == gathered.split_sizes


def test_a_limit_applies_to_each_split_and_is_drawn_by_seed(tmp_path):
    folder = files.aurora(tmp_path / "a", each=6)
    first = [item.id for item in gather("aurora-bench", folder, 2).items]
    assert len(first) == 4 and first == sorted(first)
    assert first == [item.id for item in gather("aurora-bench", folder, 2).items]
    assert any(first != [item.id for item in gather("aurora-bench", folder, 2, seed).items] for seed in (1, 2, 3))
    assert gather("aurora-bench", folder, 2).split_sizes["kubric"] == 6


@pytest.mark.skipif(not is_aurora(REAL / "aurora-bench"), reason=f"no aurora-bench {WHERE}")
def test_the_real_aurora_bench():
    gathered = gather("aurora-bench", REAL / "aurora-bench", 5)
    assert gathered.split_sizes == dict.fromkeys(("magicbrush", "ag", "something", "whatsup", "kubric"), 50)
    for item in gathered.items:
        assert item.split in gathered.split_sizes and item.action and pictures.size(item.next_state.picture)
    assert len(gathered.items) + 5 * sum("50 of 50 edits" in note for note in gathered.notes) == 25


def test_bytemorph_reads_prompts_categories_and_pictures(tmp_path):
    rows = [
        files.motion("Camera-Zoom", 0),
        files.motion("camera_move", 1, edit_prompt_rewrite_instruction=" "),
        files.motion("human-object interaction", 2, edit_prompt_rewrite_instruction=None),
        files.motion("object_motion", 3, edit_prompt="", edit_prompt_rewrite_instruction=""),
        files.motion("human_motion", 4, tgt_img={"bytes": b"no picture", "path": None}),
    ]
    gathered = gather("bytemorph", files.bytemorph(tmp_path / "b", rows))
    assert [(item.split, item.action) for item in gathered.items] == [
        ("camera_zoom", "better words 0"),
        ("camera_motion", "plain words 1"),
        ("interaction", "plain words 2"),
    ]
    assert gathered.split_sizes["object_motion"] == gathered.split_sizes["human_motion"] == 1
    assert gathered.notes[0] == "1 of 5 rows are left out because they have no instruction."
    assert gathered.notes[1].startswith("test-00000-of-00001.parquet[4] is left out: The frame")
    assert (pictures.pixels(gathered.items[1].next_state.picture) == files.square(2)).all()
    assert gathered.captions[gathered.items[0].id] == "a square at 1"


def test_files_that_are_not_bytemorphs_are_refused(tmp_path):
    with pytest.raises(SwirlError, match=r"no data/test-\*.parquet; get the files from the ByteMorph project"):
        gather("bytemorph", tmp_path)
    (tmp_path / "test-0.parquet").write_bytes(b"PAR1 or not")
    with pytest.raises(SwirlError, match="cannot be read as parquet"):
        gather("bytemorph", tmp_path)
    with pytest.raises(SwirlError, match="has no column edit_prompt, so it is not a file of ByteMorph-Bench"):
        gather("bytemorph", files.bytemorph(tmp_path / "b", [{"edit_type": "x", "src_img": b"", "tgt_img": b""}]))


def test_worldprediction_takes_the_true_candidate_and_never_the_start_itself(tmp_path):
    records = {"zero": files.procedure(0), "one": files.procedure(1)}
    gathered = gather("worldprediction", files.worldprediction(tmp_path / "w", records))
    zero, one = gathered.items
    # Indices 0 and 1 are two different candidates, counted from 0.
    assert [action for action, _ in zero.turns] == ["wrong 0", "wrong 1", "wrong 2"]
    assert [action for action, _ in one.turns] == ["right 0", "right 1", "right 2"]
    # Turn 1 is compared with the segment after the start, not with the start's own frame.
    shown = [pictures.pixels(state.picture) for state in (one.start, *(state for _, state in one.turns))]
    assert all((frame == files.square(3 * i)).all() for i, frame in enumerate(shown))
    assert gathered.split_sizes == {"1": 2, "2": 2, "3": 2}


def test_worldprediction_without_original_segments(tmp_path):
    record = files.procedure(1)
    del record["original_segments"]
    own = {f"segment|COIN|own_{i:03d}": files.segment(f"s{i}", 2.0 * i, f"step {i}") for i in range(3)}
    record |= {"action_segments": own, "candidates": [[], list(own)]}
    (item,) = gather("worldprediction", files.worldprediction(tmp_path / "w", {"r": record})).items
    # The first action's own segment is the start, so its outcome is the frame of the next segment.
    assert [action for action, _ in item.turns] == ["step 0", "step 1"]
    assert (pictures.pixels(item.turns[0][1].picture) == files.square(3)).all()


def test_worldprediction_notes_what_it_cannot_use(tmp_path):
    lost = files.procedure(1)
    lost["candidates"][1].append("nowhere")
    records = {"good": files.procedure(1, 5), "far": files.procedure(2), "odd": files.procedure("1"), "lost": lost}
    gathered = gather("worldprediction", files.worldprediction(tmp_path / "w", records))
    assert [item.id for item in gathered.items] == ["COIN/good"]
    assert [state is None for _, state in gathered.items[0].turns] == [False, False, False, True, True]
    assert gathered.split_sizes == {"1": 1, "2": 1, "3": 1, "4": 1, "5": 1}
    assert "far has the ground_truth 2, counted from 0, but only 2 candidates" in gathered.notes[0]
    assert gathered.notes[-1].startswith("2 frames are missing (segment|COIN|own_004: neither frames/segment_COIN_own")
    (tmp_path / "w" / "wm.json").write_text('{"COIN": []}')
    with pytest.raises(SwirlError, match="not a file of WorldPrediction"):
        gather("worldprediction", tmp_path / "w")
    with pytest.raises(SwirlError, match="no JSON file of WorldPrediction"):
        gather("worldprediction", tmp_path)


def test_a_frame_is_the_middle_of_its_segment(tmp_path):
    import av

    folder = files.worldprediction(tmp_path / "w", {"r": files.procedure(1)}, frames=0)
    (folder / "videos" / "COIN").mkdir(parents=True)
    with av.open(str(folder / "videos" / "COIN" / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width = stream.height = 64
        stream.time_base = Fraction(1, 4)
        for i in range(40):  # the brightness shows the time: 5 more per frame, 4 frames per second
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 5 * i, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    (item,) = gather("worldprediction", folder).items
    light = [pictures.pixels(state.picture).mean() for state in (item.start, *(state for _, state in item.turns))]
    assert light == pytest.approx([20, 60, 100, 140], abs=4)  # at 1, 3, 5 and 7 seconds


def test_stabletoolbench_by_folders(tmp_path):
    folder = files.tools(tmp_path / "s")
    (folder / "OOD" / "2.json").write_text("{}")
    (folder / "elsewhere").mkdir()
    (folder / "OOD" / "1.json").rename(folder / "elsewhere" / "1.json")
    gathered = gather("stabletoolbench", folder)
    assert gathered.split_sizes == {"ID-High": 2, "ID-Low": 2, "ID-Med": 2, "OOD-Fail": 2, "other": 2}
    first, second = (item for item in gathered.items if item.split == "ID-High")
    assert (first.state.text, first.action) == ("find it", 'weather(city="Bern")')
    assert first.next_state.text == second.last_observation == '{"error": "", "response": "rain"}'
    assert second.state.text == f"find it\n\n{first.action}\n{first.next_state.text}"
    assert second.next_state.text == "noon" and first.group == second.group == "ID-High/1.json"
    assert len(gathered.notes) == 1 and "2.json is not a ToolBench answer" in gathered.notes[0]


@pytest.mark.parametrize(("place", "least"), [("stabletoolbench", 30), ("toolbench", 30)])
def test_the_real_answer_trees(place, least):
    if not (REAL / place).is_dir():
        pytest.skip(f"no {place} {WHERE}")
    gathered = gather("stabletoolbench", REAL / place)
    assert len(gathered.items) == sum(gathered.split_sizes.values()) >= least and not gathered.notes
    assert all(item.state.text.strip() and item.action and item.next_state.text.strip() for item in gathered.items)
    assert all("Finish(" not in item.action for item in gathered.items)


@pytest.mark.parametrize("name", ["scienceworld", "mind2web", "stabletoolbench"])
def test_steps_in_jsonl(tmp_path, name):
    step = {"state": "a door, closed", "action": "open door", "next_state": "a door, open"}
    rows = [step, {**step, "split": "test_task", "id": 7, "episode": "e1"}, "{no json", {**step, "action": " "}, [1]]
    files.lines(tmp_path / "test_website.jsonl", rows)
    gathered = gather(name, tmp_path)
    assert [(item.id, item.split, item.group) for item in gathered.items] == [
        ("test_website.jsonl:1", "test_website", "test_website.jsonl:1"),
        ("7", "test_task", "e1"),
    ]
    assert gathered.split_sizes == {"test_website": 1, "test_task": 1}
    assert [note.split(" ")[0] for note in gathered.notes] == [f"test_website.jsonl:{i}" for i in (3, 4, 5)]
    assert 'has an empty text as "action"' in gathered.notes[1]


@pytest.mark.parametrize("name", ["scienceworld", "mind2web", "stabletoolbench"])
def test_a_folder_without_steps_is_reported_in_one_sentence(tmp_path, name):
    with pytest.raises(SwirlError, match=r"has no step of .*; get its files from the .* project"):
        gather(name, tmp_path)
    files.lines(tmp_path / "x.jsonl", ["[]"])
    with pytest.raises(SwirlError, match=r"has no step of .* \(x.jsonl:1 is a list, not an object"):
        gather(name, tmp_path)

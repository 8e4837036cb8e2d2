"""Work on frames in a thread of its own: order, errors, memory and the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from swirl.sources.formats.frame_pipeline import FRAMES_AHEAD, in_background
from swirl.sources.validation import UnusableError


def test_results_come_in_order_from_one_other_thread() -> None:
    threads = set()

    def double(number: int) -> int:
        threads.add(threading.get_ident())
        return 2 * number

    assert [(item, result()) for item, result in in_background(double, range(40))] == [(i, 2 * i) for i in range(40)]
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_an_error_is_that_of_its_own_item() -> None:
    def refuse_odd(number: int) -> int:
        if number % 2:
            raise UnusableError(f"is {number}")
        return number

    found = []
    for item, result in in_background(refuse_odd, range(6)):
        try:
            found.append(result())
        except UnusableError as problem:
            found.append(f"{item} {problem}")
    assert found == [0, "1 is 1", 2, "3 is 3", 4, "5 is 5"]


def test_few_items_are_taken_ahead_and_the_thread_ends() -> None:
    taken = []

    def numbers() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    before = threading.active_count()
    results = in_background(abs, numbers())
    next(results)
    assert len(taken) == FRAMES_AHEAD + 1
    results.close()
    assert threading.active_count() == before


def test_an_error_of_the_items_is_raised() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(in_background(abs, broken()))

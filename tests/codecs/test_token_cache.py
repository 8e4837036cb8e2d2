"""The cache of token ids is bounded by its bytes, whatever the length of a state."""

from __future__ import annotations

import tracemalloc

import pytest

from swirl.codecs.token_cache import ENTRY_BYTES, TokenCache


def test_the_least_recently_used_are_forgotten() -> None:
    cache = TokenCache(max_bytes=2 * (ENTRY_BYTES + 1 + 12))
    cache.put("a", [1, 2, 3])
    cache.put("b", [4, 5, 6])
    assert cache.get("a") == [1, 2, 3]
    cache.put("c", [7, 8, 9])
    assert "b" not in cache and cache.get("b") is None
    assert cache.get("a") == [1, 2, 3] and cache.get("c") == [7, 8, 9]
    assert cache.held_bytes == cache.max_bytes


def test_put_again_counts_once_and_the_last_is_always_known() -> None:
    cache = TokenCache(max_bytes=ENTRY_BYTES + 20)
    cache.put("a", [1, 2])
    cache.put("a", [2, 1])
    assert cache.get("a") == [2, 1] and cache.held_bytes == ENTRY_BYTES + 1 + 8
    cache.put("long", range(100))
    assert cache.get("long") == list(range(100)) and "a" not in cache
    cache.clear()
    assert "long" not in cache and cache.held_bytes == 0


def test_what_is_given_is_not_what_is_kept() -> None:
    cache = TokenCache(max_bytes=1000)
    cache.put("a", [1, 2])
    cache.get("a").append(3)
    assert cache.get("a") == [1, 2]


@pytest.mark.parametrize("length", [3, 1000])
def test_new_states_without_end_take_no_more_memory(length: int) -> None:
    cache = TokenCache(max_bytes=200_000)
    ids = list(range(1000, 1000 + length))
    tracemalloc.start()
    try:
        taken = []
        for part in range(4):
            for number in range(1000):
                cache.put(f"{part} {number}", ids)
            taken.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    # The first part fills the cache, and the second makes the dictionary's table as large as it gets.
    assert taken[-1] < taken[1] + 5_000 and taken[-1] < 250_000

"""Tests of imports from several threads, each in a process that has imported nothing yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

THREADS = """
import sys, threading, time
from swirl.library_imports import import_transformers
failed = []
def use(number):
    while number and "transformers" not in sys.modules:  # the first thread is in the midst of its import
        time.sleep(0.001)
    try:
        if {guarded}:
            import_transformers()
        from transformers import PreTrainedTokenizerFast
    except ImportError as error:
        failed.append(error)
threads = [threading.Thread(target=use, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(failed))
"""


@pytest.mark.parametrize(("guarded", "failures"), [(True, "0"), (False, "3")])
def test_threads_that_import_transformers_at_once_all_get_it(guarded: bool, failures: str) -> None:
    # Without the guard they fail: once they do not any more, the guard can go.
    command = [sys.executable, "-c", THREADS.format(guarded=guarded)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == failures

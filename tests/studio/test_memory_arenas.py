"""The limit of the allocator's arenas, counted by glibc itself in a process of its own."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from studio.server.memory_arenas import MAX_ARENAS

COUNT = """
import ctypes, sys, threading
from studio.server.memory_arenas import limit_memory_arenas
if sys.argv[2] == "limited":
    limit_memory_arenas()
libc = ctypes.CDLL(None)
libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
libc.fopen.restype, libc.malloc_info.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
libc.fclose.argtypes = [ctypes.c_void_p]
together = threading.Barrier(6)
def take():
    together.wait()
    assert libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has arenas")
@pytest.mark.parametrize("mode", ["limited", "free"])
def test_threads_share_few_arenas(mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    subprocess.run([sys.executable, "-c", COUNT, str(tmp_path / "info.xml"), mode], check=True, timeout=60)
    arenas = (tmp_path / "info.xml").read_text().count("<heap nr=")
    assert (arenas <= MAX_ARENAS) == (mode == "limited"), arenas

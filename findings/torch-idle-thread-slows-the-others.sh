#!/usr/bin/env bash
# torch 2.13.0 on a Linux CPU: a thread that has computed once, and then only waits, slows the computing of all others.
#
# Each Python thread that calls torch gets an OpenMP team of its own, kept until that thread ends. GNU's OpenMP counts the
# threads of all teams; once they are more than the cores, those that wait for work no longer spin but sleep almost at
# once, and a product of small matrices is over before they are awake. So a server whose worker threads take turns at one
# model loses most of what a second core gains, though only one of them computes at a time. When the idle
# thread has ended, all is as before.
#
# Seen on Python 3.11, Linux, two cores, 2000 products of (16, 512) and (512, 1024) and back, seconds and busy cores:
#   alone                                              0.77 s, 1.99 cores
#   beside a thread that has computed and now waits    1.10 s, 1.58 cores
#   after that thread has ended                        0.86 s, 1.99 cores
#   with one thread                                    1.03 s, 1.00 cores
#
# It fails (exit code 1) if that has changed: if the cores are as busy beside the waiting thread as without it. The times
# depend on what else the machine does.
set -euo pipefail

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6

cat >"$folder/teams.py" <<'PYTHON'
import os
import statistics
import sys
import threading
import time

CORES = sorted(os.sched_getaffinity(0))[:2]
if len(CORES) < 2:
    sys.exit("This needs two cores.")
os.sched_setaffinity(0, CORES)  # before OpenMP counts them

import torch

a, b, c = torch.randn(16, 512), torch.randn(512, 1024), torch.randn(1024, 512)


def products(count: int = 2000) -> None:
    for _ in range(count):
        torch.relu(a @ b) @ c


def measure(name: str) -> float:
    seconds, cores = [], []
    for _ in range(7):
        cpu, start = time.process_time(), time.perf_counter()
        products()
        seconds.append(time.perf_counter() - start)
        cores.append((time.process_time() - cpu) / seconds[-1])
    print(f"{name:50} {statistics.median(seconds):.2f} s, {statistics.median(cores):.2f} cores")
    return statistics.median(cores)


torch.set_num_threads(2)
products()
alone = measure("alone")

computed, leave = threading.Event(), threading.Event()


def compute_and_wait() -> None:
    torch.set_num_threads(2)
    products(10)
    computed.set()
    leave.wait()


thread = threading.Thread(target=compute_and_wait)
thread.start()
computed.wait()
beside = measure("beside a thread that has computed and now waits")
leave.set()
thread.join()
measure("after that thread has ended")
torch.set_num_threads(1)
measure("with one thread")
sys.exit(0 if beside < 0.9 * alone else 1)
PYTHON
"$folder/venv/bin/python" "$folder/teams.py"
echo "The behaviour is as described."

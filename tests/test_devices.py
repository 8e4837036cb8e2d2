"""What the machine's counters say about its load."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import pytest

from swirl import devices


class CpuTimes(NamedTuple):
    """Seconds since the start, of all cores together, as Linux counts them."""

    user: float = 0.0
    system: float = 0.0
    idle: float = 0.0
    iowait: float = 0.0
    guest: float = 0.0


def test_the_load_of_others_leaves_out_ours_and_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    now, total, own = [0.0], [CpuTimes()], [SimpleNamespace(user=0.0, system=0.0)]
    monkeypatch.setattr(devices.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(devices.psutil, "cpu_times", lambda: total[0])
    monkeypatch.setattr(devices.psutil, "Process", lambda: SimpleNamespace(cpu_times=lambda: own[0]))
    load = devices.OtherLoad()
    assert load.busy_cores() == 0.0
    now[0], total[0] = 10.0, CpuTimes(user=20.0, system=3.0, idle=7.0, iowait=5.0, guest=2.0)
    own[0] = SimpleNamespace(user=9.0, system=2.0)
    assert load.busy_cores() == pytest.approx((20 + 3 - 9 - 2) / 10)
    now[0], total[0] = 12.0, CpuTimes(user=20.0, system=3.0, idle=9.0, iowait=7.0, guest=2.0)
    assert load.busy_cores() == 0.0

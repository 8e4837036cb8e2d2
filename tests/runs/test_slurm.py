"""Runs on a cluster: the batch file, and stand-ins of Slurm's commands that carry it out on this machine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import SMALL_RUN

from swirl.cli import main
from swirl.errors import SwirlError, UsageError
from swirl.history import History
from swirl.history.store import MACHINE_FILE
from swirl.runs.archive.importing import import_run
from swirl.runs.slurm_batch_file import SlurmJob, batch_file, parse_sbatch_options

ROOT = Path(__file__).parents[2]
SMALL = {**SMALL_RUN, "data": "household", "learning_rate": 1e-4}

# Starts the batch file as Slurm does. A job that asks to be requeued is started once more, with the same number.
SBATCH = """#!/bin/bash
[ "$1" = --parsable ] && shift
export SLURM_JOB_ID=4242 SLURM_JOB_NODELIST=localhost SLURM_NNODES=2 SLURM_RESTART_COUNT=0
echo "4242;cluster"
while :; do
    rm -f "$STAND_IN/requeue"
    bash "$1" > "$STAND_IN/job-$SLURM_RESTART_COUNT.txt" 2>&1 &
    echo $! > "$STAND_IN/batch-pid"
    wait $!
    echo $? > "$STAND_IN/code"
    [ -e "$STAND_IN/requeue" ] || break
    SLURM_RESTART_COUNT=$((SLURM_RESTART_COUNT + 1))
done
"""
# Two "machines" on this one: the task of each, side by side.
SRUN = """#!/bin/bash
[ "$1" = --kill-on-bad-exit=1 ] && shift
export USE_LIBUV=0
SLURM_NODEID=0 "$@" & first=$!
SLURM_NODEID=1 "$@" & second=$!
wait $first; code=$?
wait $second || code=$?
exit $code
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then echo localhost; fi
if [ "$1" = requeue ]; then echo "$2" > "$STAND_IN/requeue"; fi
"""
# Sends the signal of --signal once the run has saved in the middle of its first phase, the first time only.
SIGNAL = """#!/bin/bash
while ! ls "$1"/runs/*/trainer/*/checkpoint-*/trainer_state.json > /dev/null 2>&1; do sleep 0.1; done
kill -TERM $(cat "$STAND_IN/batch-pid")
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with stand-ins of Slurm's commands, first on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("STAND_IN", str(folder))
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return folder


def train_on_slurm(home: Path, model: Path, *options: str, **changes: object) -> int:
    config = home.parent / "config.json"
    config.write_text(json.dumps({**SMALL, "model": str(model), **changes}))
    sizes = ["--nodes", "2", "--gpus-per-node", "0", *options]
    return main(["--home", str(home), "train", "--config", str(config), "--on", "slurm", "--json", *sizes])


def test_what_the_batch_file_asks_for(tmp_path: Path) -> None:
    job = SlurmJob(4, 8, "fsdp2", "12:00:00", "gpu", "me", parse_sbatch_options(["constraint=a100", "exclusive"]))
    lines = batch_file(job, tmp_path / "a home", "household-01").splitlines()
    asked = [line.removeprefix("#SBATCH --") for line in lines if line.startswith("#SBATCH")]
    assert asked == [
        "job-name=swirl-household-01",
        "nodes=4",
        "ntasks-per-node=1",
        "gpus-per-node=8",
        "time=12:00:00",
        "partition=gpu",
        "account=me",
        "requeue",
        "open-mode=append",
        "signal=B:TERM@300",
        f'output="{tmp_path}/a home/slurm-%j.txt"',
        "constraint=a100",
        "exclusive",
    ]
    text = "\n".join(lines)
    assert lines[0] == "#!/bin/bash"
    assert "--num_processes 32" in text and '--machine_rank "$SLURM_NODEID"' in text and "fsdp2.yaml" in text


def test_options_of_sbatch_replace_ours(tmp_path: Path) -> None:
    job = SlurmJob(options=parse_sbatch_options(["signal=B:TERM@900", "--qos=high"]))
    text = batch_file(job, tmp_path, "household-01")
    assert "#SBATCH --signal=B:TERM@900\n" in text and "@300" not in text and "#SBATCH --qos=high\n" in text


@pytest.mark.parametrize("text", ["", "a b=c", "=x", "qos=", "qos=a\nrm -rf /", "QOS=1"])
def test_what_is_no_option_of_sbatch(text: str) -> None:
    with pytest.raises(UsageError, match="is not an option of sbatch"):
        parse_sbatch_options([text])


def test_the_batch_file_is_valid_bash(tmp_path: Path) -> None:
    file = tmp_path / "job.sh"
    file.write_text(batch_file(SlurmJob(), tmp_path / "it's a home", "household-01"))
    done = subprocess.run(["bash", "-n", str(file)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--detach"], "--on slurm cannot be combined with --detach"),
        (["--nodes", "3"], "batch_size=4 cannot be split evenly over 3 processes"),
        (["--gpus-per-node", "-1"], "--gpus-per-node must be 0 or more"),
    ],
)
def test_what_does_not_fit(options: list[str], sentence: str, tiny_base: Path, tmp_path: Path, capsys) -> None:
    assert train_on_slurm(tmp_path / "home", tiny_base, *options) == 2
    assert sentence in capsys.readouterr().err
    assert not list((tmp_path / "home").glob("slurm/*"))


def test_options_of_a_job_need_a_job(tmp_path: Path, capsys) -> None:
    assert main(["--home", str(tmp_path), "train", "--preset", "tiny-household", "--nodes", "2"]) == 2
    assert "--nodes needs --on slurm" in capsys.readouterr().err


def test_without_sbatch_it_says_how_to_submit(
    tiny_base: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert train_on_slurm(tmp_path / "home", tiny_base) == 0
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert said["job"] is None and f"sbatch {said['file']}" in err
    (run,) = History(Path(said["home"])).runs()
    assert (run.id, run.status) == (said["run"], "stopped")
    assert History(tmp_path / "home").runs() == []


def test_a_refusal_of_sbatch_is_told(tiny_base: Path, tmp_path: Path, stand_in: Path, capsys) -> None:
    (stand_in / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid partition' >&2; exit 1\n")
    assert train_on_slurm(tmp_path / "home", tiny_base, "--partition", "none") == 1
    assert "invalid partition" in capsys.readouterr().err
    assert list((tmp_path / "home" / "slurm").glob("*/job.sh"))


def test_a_home_in_use_on_another_machine_is_not_opened(tmp_path: Path) -> None:
    History(tmp_path)
    (tmp_path / MACHINE_FILE).write_text("node-7\n")
    with pytest.raises(SwirlError, match="in use on node-7"):
        History(tmp_path)
    (tmp_path / MACHINE_FILE).write_text(socket.gethostname())
    History(tmp_path)


@pytest.mark.slow
def test_a_job_of_two_machines_is_requeued_and_finishes(
    tiny_base: Path, tmp_path: Path, stand_in: Path, capsys
) -> None:
    home = tmp_path / "home"
    own = home / "slurm" / "household-01"
    signal = stand_in / "signal"
    signal.write_text(SIGNAL)
    sender = subprocess.Popen(["bash", str(signal), str(own)])
    try:
        # Training takes two machines; the stand-in of sbatch returns when the job has ended for good.
        assert train_on_slurm(home, tiny_base, steps_per_phase=40) == 0
    finally:
        sender.kill()
        sender.wait()
    said = json.loads(capsys.readouterr().out)
    logs = "\n".join(file.read_text() for file in sorted(stand_in.glob("job-*.txt")))
    assert (said["job"], said["processes"], said["home"]) == ("4242", 2, str(own))
    assert sorted(file.name for file in stand_in.glob("job-*.txt")) == ["job-0.txt", "job-1.txt"], logs
    assert (stand_in / "code").read_text() == "0\n", logs
    history = History(own)
    (run,) = history.runs()
    assert (run.id, run.status, run.parallelism) == (said["run"], "finished", "DDP, 2 processes")
    (resumption,) = history.resumptions(run.id)
    assert resumption.step and 0 < resumption.step < 40
    assert [c.name for c in history.checkpoints(run.id)] == [f"{run.id}{at}" for at in ("@0", "@1-forward", "@1")]
    assert {m.step for m in history.metrics(run.id, ["reward"]) if m.phase == 1} == set(range(1, 41))
    assert not list(own.glob(".launch-*")) and not (own / MACHINE_FILE).exists()
    imported = import_run(home, own / f"{run.id}.swirl.zip")
    assert History(home).run(imported.run).parallelism == "DDP, 2 processes"


def test_this_python_is_the_one_that_trains(tmp_path: Path) -> None:
    assert f"PYTHON={sys.executable}" in batch_file(SlurmJob(), tmp_path, "household-01")

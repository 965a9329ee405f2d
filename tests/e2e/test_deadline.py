"""palinode run against a time limit: it saves and stops before, several runs finish the job, and none runs in vain."""

import json
import signal
import time

import pytest
import records
from conftest import palinode
from test_run import SMALL, start, write

# two trainings of some two seconds each
LONG = (SMALL.replace("steps: 30", "steps: 5000").replace("n_layer: [1, 2]", "n_layer: 1")
        .replace("critique_quality: [1, 0.5, 0], baselines: [gd, mean]", "baselines: [mean]"))


@pytest.fixture(scope="module")
def proto():
    return records.schema()


def status_of(out):
    return json.loads(max(out.glob("status-*.json")).read_text())


def test_with_too_short_a_walltime_several_runs_finish_the_job_with_the_same_records(tmp_path, proto):
    job, out = write(tmp_path, LONG), tmp_path / "out"
    begin = time.monotonic()
    palinode("run", job, "-o", tmp_path / "calm", "--workers-per-rank", 1)
    limit = max(1.0, 0.4 * (time.monotonic() - begin))  # whatever this machine is busy with, one run does not suffice
    codes, steps = [], 0
    while not codes or codes[-1] == 75:
        assert len(codes) < 40, codes
        begin = time.monotonic()
        done = palinode("run", job, "-o", out, "--workers-per-rank", 1, "--time-limit", f"{limit:.2f}s",
                        "--checkpoint-every", "1s", expect=None)
        codes.append(done.returncode)
        status = status_of(out)
        steps += status["steps_done"]
        assert status["deadline_unix_ms"] > status["started_unix_ms"] and status["exit_code"] == codes[-1]
        if codes[-1] == 75:
            assert status["reason"] == "deadline", done.stderr
            assert "time limit is near" in done.stderr or "nothing that is left can be begun" in done.stderr, done.stderr
            assert time.monotonic() - begin < 30
    print(codes)
    assert codes[-1] == 0 and len(codes) >= 2, codes
    assert steps == 2 * 5000  # no step was done twice
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)
    assert not (out / "checkpoints").exists()


def test_two_runs_in_a_row_that_gain_nothing_are_an_error_that_says_what_to_do(tmp_path):
    job, out = write(tmp_path, LONG), tmp_path / "out"
    palinode("run", job, "-o", out, "--time-limit", "0", expect=75)
    done = palinode("run", job, "-o", out, "--time-limit", "0", expect=1)
    assert "neither a new result nor a new step" in done.stderr and "--time-limit" in done.stderr
    assert status_of(out)["exit_code"] == 1
    palinode("run", job, "-o", out, "--set", "train.steps=10", "--time-limit", "10m", expect=0)


def test_the_time_limit_is_the_batch_job_s_and_the_option_goes_before_it(tmp_path):
    job = write(tmp_path, SMALL)
    ended = {"SLURM_JOB_ID": "7", "SLURM_JOB_END_TIME": str(int(time.time()) - 5)}
    assert "the time limit is near" in palinode("run", job, "-o", tmp_path / "a", env=ended, expect=75).stderr
    palinode("run", job, "-o", tmp_path / "b", "--time-limit", "1h", env=ended, expect=0)
    palinode("run", job, "-o", tmp_path / "c", env={**ended, "PALINODE_TIME_LIMIT": "1h"}, expect=0)


def test_usr1_to_mpirun_saves_what_both_ranks_run_and_the_next_run_goes_on(tmp_path, proto):
    job, out = write(tmp_path, LONG), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--checkpoint-every", "0.05", mpirun=2)
    end = time.monotonic() + 60
    while not any("." not in path.name for path in out.glob("checkpoints/*")):  # then there are steps to keep
        assert time.monotonic() < end and run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 75 and "saving what runs" in said, said
    first = status_of(out)
    assert first["reason"] == "interrupted" and first["drain_s"] < 10
    assert len(list((out / "checkpoints").iterdir())) >= 1 and first["steps_done"] > 0
    again = palinode("run", job, "-o", out, "--workers-per-rank", 1, mpirun=2)
    assert first["steps_done"] + status_of(out)["steps_done"] == 2 * 5000, again.stderr
    palinode("run", job, "-o", tmp_path / "calm")
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)

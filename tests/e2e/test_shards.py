"""Several runs on one folder: shards side by side, and what is refused."""

import json
import os
import signal
import subprocess

import pytest
import records
from conftest import binary, environment, palinode
from test_run import SMALL, start, wait_for_trial, write

LONGER = SMALL.replace("steps: 30", "steps: 20000")


@pytest.fixture(scope="module")
def proto():
    return records.schema()


def shard_of(path, proto):
    header = next(iter(records.read(path, proto))).header
    return header.shard_index, header.shard_count, header.fingerprint


def test_shards_side_by_side_do_the_grid_once_and_status_shows_them_all(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", tmp_path / "calm")
    runs = [subprocess.Popen([binary(), "run", str(job), "-o", str(out), "--workers-per-rank", "1", "--shard", f"{i}/3"],
                             env=environment(), stderr=subprocess.PIPE, text=True) for i in (1, 2, 3)]
    for run in runs:
        _, said = run.communicate(timeout=60)
        assert run.returncode == 0, said
    found = [shard_of(path, proto) for path in sorted(out.glob("records-*.tfrecord"))]
    assert sorted(index for index, _, _ in found) == [1, 2, 3]
    assert all(count == 3 and "numerics" in fingerprint for _, count, fingerprint in found)
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)
    ids = [record.training.training_id for path in out.glob("records-*.tfrecord")
           for record in records.read(path, proto) if record.HasField("training")]
    assert len(ids) == len(set(ids)) == 4
    text = palinode("status", out).stdout
    assert all(f"shard {i}/3: ended" in text for i in (1, 2, 3)), text
    palinode("status", out, "--exit-code", expect=0)
    (out / "status-0001.json").unlink()  # what is done is told by the records, whatever is known of the runs
    palinode("status", out, "--exit-code", expect=0)


def test_plan_counts_a_shard_and_all_shards_are_the_grid(tmp_path):
    job = write(tmp_path, SMALL)
    plans = [json.loads(palinode("plan", job, "-o", tmp_path / "none", "--rate", 1, "--json", *more).stdout)
             for more in ([], ["--shard", "1/2"], ["--shard", "2/2"])]
    for key in ("to_train", "baseline_sets", "flops"):
        assert plans[0][key] == pytest.approx(plans[1][key] + plans[2][key])
    for wrong in ("0/2", "3/2", "2", "a/b", "1/2x", "1/-2", " 1/2", "+1/2", "1/ 2"):
        done = palinode("run", job, "-o", tmp_path / "none", "--shard", wrong, expect=64)
        assert done.stderr.startswith("palinode: --shard: expected I/N"), done.stderr


def test_a_live_run_refuses_all_but_other_shards_of_the_same_number(tmp_path):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--shard", "1/2")
    try:
        wait_for_trial(run.pid)
        for more in ([], ["--shard", "1/2"], ["--shard", "2/3"]):
            done = palinode("run", job, "-o", out, *more, expect=75)
            assert "is going on there on shard 1/2" in done.stderr, done.stderr
        small = palinode("run", job, "-o", out, "--shard", "2/2", "--time-limit", "1s", expect=75)
        assert "going on there" not in small.stderr, small.stderr
        assert "shard 1/2: running" in palinode("status", out).stdout
    finally:
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert run.returncode == 75


def test_of_runs_that_begin_in_one_instant_one_goes_on(tmp_path, proto):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 1000")), tmp_path / "out"
    runs = [subprocess.Popen([binary(), "run", str(job), "-o", str(out), "--workers-per-rank", "1", "-q"],
                             env=environment(), stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(run.communicate(timeout=90)[1], run.returncode) for run in runs]
    codes = sorted(code for _, code in ends)
    assert codes.count(0) >= 1 and set(codes) <= {0, 75}, ends
    trainings = [record for path in out.glob("records-*.tfrecord") for record in records.read(path, proto)
                 if record.HasField("training")]
    assert len(trainings) == 4  # nothing was done twice


def test_a_status_file_that_is_none_hangs_nobody(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    out.mkdir()
    os.mkfifo(out / "status-0001.json")
    palinode("run", job, "-o", out, timeout=30)
    assert "passed over" in palinode("status", out, timeout=10).stderr


ARRAY = """
model: {n_layer: [1, 2], n_head: 1, n_embd: 8}
task: {n_dims: 2, n_points: 5}
train: {steps: 10, batch_size: 8, gradient_shards: 2, learning_rate: [1e-3, 1e-2]}
evaluate: {prompts: 16, baselines: [mean]}
seeds: {count: 3}
"""


def test_an_extended_job_is_incomplete_until_all_its_parts_have_run_again(tmp_path):
    job, out = write(tmp_path, ARRAY), tmp_path / "out"
    for part in ("1/2", "2/2"):
        palinode("run", job, "-o", out, "-q", "--shard", part)
    palinode("status", out, "--exit-code")
    palinode("run", job, "-o", out, "-q", "--shard", "1/2", "--set", "seeds.count=5")
    said = palinode("status", out, "--exit-code", expect=75).stdout
    assert "trainings  20: 16 done, 0 diverged, 0 failed, 4 missing" in said
    asked = json.loads(palinode("status", out, "--json").stdout)["asked_for"]
    assert (asked["trainings"], asked["done"], asked["missing"], asked["baselines_missing"]) == (20, 16, 4, 1)
    said = palinode("wait", out, "--timeout", "0.3", expect=75).stderr
    assert "waiting for the next: 16 of 20 trainings done" in said
    assert "16 of 20 trainings done" in palinode("analyze", out).stdout
    palinode("run", job, "-o", out, "-q", "--shard", "2/2", "--set", "seeds.count=5")
    assert "20 of 20 trainings done" in palinode("wait", out).stderr


def test_a_part_of_another_job_than_the_other_parts_is_refused(tmp_path):
    job, out = write(tmp_path, ARRAY), tmp_path / "out"
    palinode("run", job, "-o", out, "-q", "--shard", "1/2")
    (tmp_path / "other.yaml").write_text("name: other\n" + ARRAY)
    for command in ((job, "--set", "seeds.count=2"), (tmp_path / "other.yaml", "--set", "seeds.count=4")):
        said = palinode("run", *command, "-o", out, "-q", "--shard", "2/2", expect=64).stderr
        assert "the other parts there are of another job" in said and "--shard" in said, said
    before = sorted(path.name for path in out.iterdir())
    assert len([name for name in before if name.startswith("records-")]) == 1
    palinode("run", tmp_path / "other.yaml", "-o", out, "-q", "--set", "seeds.count=1")  # all of it: no parts to fit
    palinode("status", out, "--exit-code", expect=75)


def test_a_folder_in_which_several_jobs_ran_is_complete_when_all_of_them_are(tmp_path):
    job, other, out = write(tmp_path, SMALL), tmp_path / "other.yaml", tmp_path / "out"
    other.write_text(SMALL.replace("name: small", "name: other"))
    palinode("run", job, "-o", out, "-q", "--limit", 1, expect=75)
    said = palinode("run", other, "-o", out, "--set", "seeds.first=10").stderr
    assert "stays asked for" in said, said
    status = json.loads(palinode("status", out, "--json").stdout)["asked_for"]
    assert (status["trainings"], status["missing"]) == (8, 3)
    palinode("status", out, "--exit-code", expect=75)
    palinode("run", job, "-o", out, "-q")
    palinode("status", out, "--exit-code")
    palinode("run", job, "-o", out, "-q", "--set", "seeds.count=1")  # what a job has become replaces what it was
    assert json.loads(palinode("status", out, "--json").stdout)["asked_for"]["trainings"] == 6
    assert sorted(path.name for path in out.glob("job*")) == [
        "job.other.resolved.yaml", "job.other.yaml", "job.resolved.yaml", "job.yaml"]

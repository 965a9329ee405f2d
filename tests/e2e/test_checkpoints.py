"""Checkpoints inside a training: a run that is interrupted and gone on with has the records of one that never was."""

import json
import random
import re
import resource
import signal
import struct
import subprocess
import time

import pytest
import records
from conftest import PROJECT, palinode
from test_run import start, write

STEPS = 3000

# Four trainings of about a second, two of them in bfloat16.
JOB = f"""
name: interrupted
model: {{n_layer: 1, n_head: 2, n_embd: 16}}
task: {{n_dims: 2, n_points: 6}}
train: {{steps: {STEPS}, batch_size: 8, gradient_shards: 2, learning_rate: 1.0e-3, warmup_steps: 20, decay: cosine,
        precision: [float32, bf16]}}
evaluate: {{prompts: 50, critique_quality: [1, 0.5], baselines: [mean]}}
seeds: {{first: 0, count: 2}}
"""

ONE = JOB.replace("precision: [float32, bf16]", "precision: float32").replace("count: 2", "count: 1")

# Six of a few milliseconds that make their own contexts.
SHORT = """
name: short
model: {n_layer: 1, n_head: 2, n_embd: 8}
task: {n_dims: 2, n_points: 6}
train: {steps: 12, batch_size: 8, gradient_shards: 2, learning_rate: 1.0e-3, context: mixed, on_policy_share: 0.5}
evaluate: {prompts: 50, critique_quality: [1, 0.5], baselines: [], rounds: 2}
seeds: {first: 0, count: 6}
"""


@pytest.fixture(scope="module")
def proto():
    return records.schema()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, proto):
    """The records of a job that nothing disturbs."""
    found = {}

    def of(text, *options):
        if (text, options) not in found:
            folder = tmp_path_factory.mktemp("undisturbed")
            palinode("run", write(folder, text), "-o", folder / "out", *options)
            found[text, options] = records.results(folder / "out", proto)
        return found[text, options]

    return of


def checkpoints(out):
    return sorted((out / "checkpoints").iterdir()) if (out / "checkpoints").exists() else []


def drain(run, out, trainings):
    """Has a run drained when so many trainings have saved themselves."""
    end = time.monotonic() + 60
    while sum("." not in path.name for path in checkpoints(out)) < trainings:
        assert time.monotonic() < end and run.poll() is None, "no training has saved itself"
        time.sleep(0.01)
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 75 and "saving what runs" in said, said


def last_record(out, segment, proto):
    *_, last = records.read(out / f"records-{segment}.tfrecord", proto)
    return last


# --- drains ---


def test_a_drained_run_loses_no_step_and_its_records_are_those_of_an_undisturbed_one(tmp_path, proto, undisturbed):
    job, out = write(tmp_path, JOB), tmp_path / "out"
    drain(start("run", job, "-o", out, "--workers-per-rank", 2, "--checkpoint-every", "0.05s"), out, 2)
    held = [list(records.read(path, proto)) for path in checkpoints(out)]
    assert len(held) == 2 and all(len(each) == 3 and each[0].header.content == "checkpoint" for each in held)
    steps = [each[2].checkpoint.state.step for each in held]
    assert all(0 < step < STEPS for step in steps)
    assert [each[1].checkpoint.state.step for each in held] == steps
    palinode("run", job, "-o", out)
    assert records.results(out, proto) == undisturbed(JOB)
    assert not checkpoints(out)
    assert last_record(out, "0002", proto).end.steps_done == 4 * STEPS - sum(steps)


def test_signals_at_random_moments_lose_nothing(tmp_path, proto, undisturbed):
    job, out, seed = write(tmp_path, JOB), tmp_path / "out", random.randrange(1 << 30)
    moments, runs, steps = random.Random(seed), 0, 0
    while True:
        run = start("run", job, "-o", out, "--workers-per-rank", 2)
        runs += 1
        pause_s = moments.uniform(0, 0.5) if runs <= 5 else 30
        try:
            run.wait(timeout=pause_s)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGUSR1)
        _, said = run.communicate(timeout=120)
        idle = run.returncode == 1 and "neither a new result nor a new step" in said  # twice told before its first step
        assert idle or run.returncode in (0, 75, -signal.SIGUSR1), (seed, said)
        if (out / f"records-{runs:04}.tfrecord").exists():
            end = last_record(out, f"{runs:04}", proto)
            assert end.HasField("end"), (seed, said)
            steps += end.end.steps_done
        else:
            runs -= 1  # the signal came before there was a folder
        if run.returncode == 0:
            break
    assert records.results(out, proto) == undisturbed(JOB), seed
    assert steps == 4 * STEPS, seed
    assert not checkpoints(out)


# --- deaths ---


@pytest.fixture(scope="module")
def killer(tmp_path_factory):
    library = tmp_path_factory.mktemp("killer") / "kill_at.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O1", "-o", library, PROJECT / "tests/fault/kill_at.c",
                    "-ldl"], check=True)
    return library


# Points of kill_at.c and the how manieth time: before the order, before the first step, between steps, while saving,
# while measuring, while answering.
DEATHS = [("start", 1), ("question", 1), ("question", 7), ("fsync", 5), ("rename", 5), ("renamed", 5), ("question", 14),
          ("answer", 1), ("half", 1), ("answered", 1)]


@pytest.mark.parametrize("point,count", DEATHS)
def test_a_training_killed_at_any_phase_on_three_ranks_is_gone_on_with(tmp_path, proto, undisturbed, killer, point, count):
    job, out, once = write(tmp_path, SHORT), tmp_path / "out", tmp_path / "killed"
    run = palinode("run", job, "-o", out, "--workers-per-rank", 1, "--checkpoint-every", "0s", mpirun=3,
                   env={"LD_PRELOAD": str(killer), "KILL_AT": point, "KILL_COUNT": str(count), "KILL_ONCE": str(once)})
    assert once.read_text().startswith(point)
    lost = point != "answered"
    assert ("killed by signal 9 (Killed)" in run.stderr) == lost, run.stderr
    assert records.results(out, proto) == undisturbed(SHORT)
    assert not checkpoints(out)
    again = [each.training for each in records.read(out / "records-0001.tfrecord", proto)
             if each.WhichOneof("of") == "training" and each.training.attempts > 1]
    assert len(again) == lost
    # What was saved was not done again; a save that the process died too soon to tell of counts for nobody.
    assert last_record(out, "0001", proto).end.steps_done == 6 * 12 - (point == "renamed")


def test_a_training_that_computes_for_ever_is_given_up_after_a_minute_of_its_time_long(tmp_path, proto, undisturbed,
                                                                                     killer):
    job, out, once = write(tmp_path, ONE), tmp_path / "out", tmp_path / "killed"
    run = palinode("run", job, "-o", out, "--workers-per-rank", 1, "--checkpoint-every", "0.05s", timeout=1200,
                   env={"LD_PRELOAD": str(killer), "KILL_AT": "question", "KILL_COUNT": "1500", "KILL_HOW": "spin",
                        "KILL_ONCE": str(once)})
    assert once.exists()
    (seconds, step) = re.search(r"no progress for (\d+) s of CPU time after step (\d+): killed; trying it again",
                                run.stderr).groups()
    assert 60 <= int(seconds) < 75 and 0 < int(step) < 1500, run.stderr
    assert records.results(out, proto) == undisturbed(ONE)


@pytest.mark.parametrize("extension,kind", [("evaluate.critique_quality=1,0.5", "cell"), ("evaluate.baselines=[mean,best]",
                                                                                          "baseline")])
def test_an_evaluation_that_fails_for_good_leaves_a_record_and_is_left_alone(tmp_path, proto, killer, extension, kind):
    job, out, once = write(tmp_path, ONE), tmp_path / "out", tmp_path / "killed"
    small = ["--set", "train.steps=20", "--set", "evaluate.baselines=[mean]", "--set", "evaluate.critique_quality=1"]
    palinode("run", job, "-o", out, "-q", *small)
    more = [*small, "--set", extension]
    run = palinode("run", job, "-o", out, "--retries", 0, "--workers-per-rank", 1, *more, expect=1,
                   env={"LD_PRELOAD": str(killer), "KILL_AT": "answer", "KILL_ONCE": str(once)})
    assert "giving it up" in run.stderr
    (failed,) = [each for each in records.read(out / "records-0002.tfrecord", proto)
                 if each.WhichOneof("of") in ("cell", "baseline") and getattr(each, each.WhichOneof("of")).failure]
    assert failed.WhichOneof("of") == kind and "killed by signal 9" in getattr(failed, kind).failure
    again = palinode("run", job, "-o", out, "--json", *more, expect=1)
    assert json.loads(again.stdout)["work"]["total"] == 0
    palinode("run", job, "-o", out, "-q", *more, expect=1)
    asked = json.loads(palinode("status", out, "--json", "--exit-code", expect=1).stdout)["asked_for"]
    assert (asked["cells_failed"], asked["baselines_failed"]) == ((1, 0) if kind == "cell" else (0, 1))
    assert palinode("wait", out, expect=1, timeout=20)
    id = getattr(getattr(failed, kind), f"{kind}_id").hex()
    explained = json.loads(palinode("explain", out, id, "--json").stdout)
    assert explained["state"] == "failed" and "run --rerun failed" in explained["why"]
    assert "could not be measured" in palinode("status", out).stdout
    assert id not in palinode("export", out, "--format", "csv").stdout
    palinode("verify", out)
    palinode("merge", "-o", tmp_path / "merged", out)
    palinode("status", tmp_path / "merged", "--exit-code", expect=1)
    palinode("run", job, "-o", out, "-q", "--rerun", "failed", *more)
    palinode("status", out, "--exit-code")
    assert id in palinode("export", out, "--format", "csv").stdout


# --- what cannot be saved, and what should not be believed ---


def masked_checksum(data):
    """CRC-32C as record files have it, bit by bit."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = checksum >> 1 ^ (0x82F63B78 if checksum & 1 else 0)
    checksum ^= 0xFFFFFFFF
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def frame(record):
    data = record.SerializeToString()
    head = struct.pack("<Q", len(data))
    return head + struct.pack("<I", masked_checksum(head)) + data + struct.pack("<I", masked_checksum(data))


def drained(tmp_path, text):
    """Job and folder of a run whose one training was saved in the middle; the checkpoint's path."""
    job, out = write(tmp_path, text), tmp_path / "out"
    drain(start("run", job, "-o", out, "--workers-per-rank", 1, "--checkpoint-every", "0.05s"), out, 1)
    (path,) = checkpoints(out)
    return job, out, path


def test_a_training_that_diverges_is_a_result_and_is_not_tried_again(tmp_path, proto):
    # Layer norms and Adam keep a training finite at any rate that a job may ask for, as far as tests have time; so the
    # parameters are pushed over the edge while it sleeps.
    job, out, path = drained(tmp_path, ONE)
    header, head, whole = records.read(path, proto)
    parameters = whole.checkpoint.state.parameters
    parameters[:] = [value * 1e30 for value in parameters]
    path.write_bytes(frame(header) + frame(head) + frame(whole))
    run = palinode("run", job, "-o", out, "--json")
    assert "diverged: " in run.stderr and "trying it again" not in run.stderr, run.stderr
    (training,) = [each.training for each in records.read(out / "records-0002.tfrecord", proto)
                   if each.WhichOneof("of") == "training"]
    step = whole.checkpoint.state.step
    assert training.outcome == proto.OUTCOME_DIVERGED and training.attempts == 1
    assert training.steps_done == step and f"not finite at step {step + 1}" in training.reason
    assert not checkpoints(out)
    again = palinode("run", job, "-o", out)
    assert "0 to train" in again.stderr, again.stderr


def test_a_training_that_cannot_save_goes_on_and_says_so_once(tmp_path, proto, undisturbed):
    job, out = write(tmp_path, ONE), tmp_path / "out"

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))

    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--models", "discard", "--checkpoint-every", "0.05s",
                preexec_fn=small_files)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert said.count("a checkpoint cannot be saved, its training goes on") == 1, said
    assert records.results(out, proto) == undisturbed(ONE, "--models", "discard")
    assert not checkpoints(out)


def test_a_damaged_checkpoint_is_told_and_not_believed(tmp_path, proto, undisturbed):
    job, out, path = drained(tmp_path, ONE)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)
    run = palinode("run", job, "-o", out)
    assert "a training begins anew, its checkpoint cannot be used" in run.stderr, run.stderr
    assert str(path) in run.stderr and "the checksum of the data is wrong" in run.stderr
    assert records.results(out, proto) == undisturbed(ONE)

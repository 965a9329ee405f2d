"""Checkpoints inside a training: a run that is interrupted and gone on with has the records of one that never was."""

import os
import random
import signal
import time

import pytest
import records
from conftest import palinode
from test_run import processes, start, wait_for_trial, write

# Four trainings of about a second; the mixed one makes its own contexts, two are in bfloat16.
JOB = """
name: interrupted
model: {n_layer: 1, n_head: 2, n_embd: 16}
task: {n_dims: 2, n_points: 6}
train: {steps: 3000, batch_size: 8, gradient_shards: 2, learning_rate: 1.0e-3, warmup_steps: 20, decay: cosine,
        precision: [float32, bf16]}
evaluate: {prompts: 50, critique_quality: [1, 0.5], baselines: [mean]}
seeds: {first: 0, count: 2}
"""


@pytest.fixture(scope="module")
def proto():
    return records.schema()


@pytest.fixture(scope="module")
def calm(tmp_path_factory, proto):
    folder = tmp_path_factory.mktemp("calm")
    palinode("run", write(folder, JOB), "-o", folder / "out")
    return records.results(folder / "out", proto)


def checkpoints(out):
    return sorted((out / "checkpoints").iterdir()) if (out / "checkpoints").exists() else []


def drain_after(run, pause_s):
    wait_for_trial(run.pid)
    time.sleep(pause_s)
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=120)
    return said


def test_a_drained_run_loses_no_step_and_its_records_are_those_of_an_undisturbed_one(tmp_path, proto, calm):
    job, out = write(tmp_path, JOB), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 2)
    said = drain_after(run, 0.4)
    assert run.returncode == 75 and "saving what runs" in said, said
    saved = checkpoints(out)
    assert len(saved) == 2, said
    held = [list(records.read(path, proto)) for path in saved]
    assert all(len(each) == 3 and each[0].header.content == "checkpoint" for each in held)
    steps = [each[2].checkpoint.state.step for each in held]
    assert all(0 < step < 3000 for step in steps)
    assert [each[1].checkpoint.state.step for each in held] == steps
    again = palinode("run", job, "-o", out, "--json")
    assert records.results(out, proto) == calm
    assert not checkpoints(out)
    *_, end = records.read(out / "records-0002.tfrecord", proto)
    assert end.end.steps_done == 4 * 3000 - sum(steps), again.stdout

"""Training on a model's own answers: equal bits however the work is spread, refused where it cannot be, and learned."""

import csv
import io
import statistics

from conftest import palinode

TINY = """
name: contexts
model: {n_layer: 1, n_embd: 16, n_head: 2}
task: {n_points: 6}
train: {steps: 20, batch_size: 8, learning_rate: 1.0e-3, context: [offline, on_policy, mixed], exploration: [0, 1],
        critic_quality: 0.8}
exclude: [{train.context: offline, train.exploration: 0}]
evaluate: {prompts: 16, rounds: 3, baselines: []}
"""

CORRECTOR = """
name: corrector
model: {n_layer: 3, n_embd: 48, n_head: 3}
task: {n_points: 10}
train: {steps: 3000, batch_size: 64, learning_rate: 1.0e-3, objective: cosine, context: mixed}
evaluate: {prompts: 4096, rounds: 7, critique_quality: [1, 0], baselines: []}
seeds: {first: 0, count: 3}
"""


def exported(out, *options):
    return list(csv.DictReader(io.StringIO(palinode("export", out, "--format", "csv", *options).stdout)))


def test_rollouts_give_the_same_bits_on_one_rank_and_on_two(tmp_path):
    (tmp_path / "job.yaml").write_text(TINY)
    results = []
    for ranks in (None, 2):
        out = tmp_path / f"out{ranks}"
        palinode("run", tmp_path / "job.yaml", "-o", out, mpirun=ranks)
        trainings = {row["training_id"]: row["final_loss"] for row in exported(out, "--table", "trainings")}
        cells = {(row["cell_id"], row["kind"], row["metric"], row["index"]): row["value"] for row in exported(out)}
        results.append((trainings, cells))
    assert results[0] == results[1]
    assert len(results[0][0]) == len(set(results[0][0].values())) == 5  # every context and exploration is its own


def test_rollouts_that_cannot_be_are_refused_with_their_place(tmp_path):
    (tmp_path / "job.yaml").write_text(TINY)
    for setting, words in (("model.causal=false", "model.causal (false) must be true for the rollouts of train.context"),
                           ("task.n_points=3", "task.n_points (3) must be at least 4 for the rollouts of"),
                           ("train.on_policy_share=0", "a number above 0 and at most 1"),
                           ("train.exploration=-1", "a number from 0 to")):
        error = palinode("plan", tmp_path / "job.yaml", "--set", setting, expect=64).stderr
        assert words in error and setting in error, error


def test_a_model_trained_on_its_own_answers_corrects_itself_long(tmp_path):
    """The bounds of the study: rounds help under a clean critic and change nothing under a random one."""
    (tmp_path / "job.yaml").write_text(CORRECTOR)
    palinode("run", tmp_path / "job.yaml", "-o", tmp_path / "out", timeout=3000)
    gain = {"1": [], "0": []}
    for row in exported(tmp_path / "out"):
        if row["kind"] == "rounds" and row["metric"] == "gain" and row["index"] == "7":
            gain[row["evaluate_critique_quality"]].append(float(row["value"]))
    print(gain)
    assert len(gain["1"]) == len(gain["0"]) == 3
    assert statistics.mean(gain["1"]) >= 0.05
    assert abs(statistics.mean(gain["0"])) < 0.02

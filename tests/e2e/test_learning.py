"""Transformers learn what they should: aligned with a good critic, indifferent to a random one, in between by quality."""

import csv
import io
import statistics

from conftest import PROJECT, palinode


def curves(out):
    """{seed: {(metric, quality): value at the largest number of examples that the job file's study looks at}}."""
    rows = csv.DictReader(io.StringIO(palinode("export", out, "--format", "csv").stdout))
    at = {}
    for row in rows:
        if row["predictor"] == "model" and row["value"]:
            key = int(row["seed"]), row["metric"], float(row["evaluate_critique_quality"])
            at.setdefault(key, {})[int(row["index"])] = float(row["value"])
    return at


def losses(out):
    rows = csv.DictReader(io.StringIO(palinode("export", out, "--format", "csv", "--table", "trainings").stdout))
    return {int(row["seed"]): float(row["final_loss"]) for row in rows}


def learned(at, loss, seed, examples, largest_loss):
    """Whether a seed left the plateau and ended where it should."""
    tau = {q: at[seed, "kendall_tau", q][examples] for q in (1, 0.75, 0.5, 0.25, 0)}
    nmse = {q: at[seed, "nmse", q][examples] for q in (1, 0)}
    print(f"seed {seed}: loss {loss[seed]:.3f}, tau {tau}, nmse {nmse}")
    return (tau[1] >= 0.5 and abs(tau[0]) <= 0.05 and nmse[0] - nmse[1] >= 0.2 and loss[seed] < largest_loss
            and tau[1] > tau[0.75] > tau[0.5] > tau[0.25] > tau[0])


def test_the_demo_learns_and_every_quality_has_its_place(tmp_path):
    palinode("run", PROJECT / "jobs/quick/demo.yaml", "-o", tmp_path / "out", "--set", "seeds=0", "--set",
             "evaluate.prompts=4096", timeout=280)
    # no ranking at all costs mean log i! = 8.16 over i = 2 .. 11
    assert learned(curves(tmp_path / "out"), losses(tmp_path / "out"), 0, 11, 7.5)


def test_nine_of_ten_seeds_leave_the_plateau_long(tmp_path):
    """The quick quality job as shipped, with ten seeds: the acceptance bounds of the study at 15 examples."""
    palinode("run", PROJECT / "jobs/quick/quality.yaml", "-o", tmp_path / "out", "--set", "seeds.count=10", "--set",
             "evaluate.prompts=8192", timeout=3000)
    at, loss = curves(tmp_path / "out"), losses(tmp_path / "out")
    passed = [learned(at, loss, seed, 15, 16.5) for seed in range(10)]
    assert sum(passed) >= 9, passed
    mean = [statistics.mean(at[seed, "kendall_tau", q][15] for seed in range(10)) for q in (1, 0.75, 0.5, 0.25, 0)]
    assert mean == sorted(mean, reverse=True)

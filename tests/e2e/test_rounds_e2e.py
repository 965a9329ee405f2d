"""Rounds of self-correction from a job file to the numbers: run, evaluate, export, and files of versions without them."""

import csv
import io
import json

import pytest
import records
from conftest import PROJECT, palinode

ROUNDS, ANSWERS = 3, 4
ROUND_METRICS = ["nmse", "gain", "improved", "worsened", "right_to_wrong", "wrong_to_right"]
WITHOUT = """\
name: rounds
model: {n_layer: 1, n_head: 2, n_embd: 8}
task: {n_dims: 3, n_points: 6}
train: {steps: 20, batch_size: 8, learning_rate: 1.0e-3, context: mixed, objective: cosine}
evaluate: {prompts: 64, critique_quality: [1, 0.5], baselines: [mean]}
seeds: {first: 3, count: 2}
"""
WITH = WITHOUT.replace("prompts: 64", f"prompts: 64, rounds: {ROUNDS}")


@pytest.fixture(scope="session")
def proto():
    return records.schema()


def run(tmp_path, text, name="results", **more):
    (tmp_path / "job.yaml").write_text(text)
    palinode("run", tmp_path / "job.yaml", "-o", tmp_path / name, "-q", **more)
    return tmp_path / name


def rows_of(results):
    return list(csv.DictReader(io.StringIO(palinode("export", results, "--format", "csv").stdout)))


def evaluate(*args):
    return json.loads(palinode("evaluate", "--json", *args).stdout)


def test_an_evaluation_tells_the_rounds_of_every_critic():
    result = evaluate("--model", PROJECT / "tests/golden/closed_loop.safetensors", "--set", "evaluate.rounds=5",
                      "--set", "evaluate.prompts=256", "--set", "evaluate.critique_quality=1,0")
    for cell in result["cells"]:
        rounds = cell["rounds"]
        assert set(rounds) == {"self_check_accuracy"} | {metric + se for metric in ROUND_METRICS for se in ("", "_se")}
        for metric in ROUND_METRICS:
            assert len(rounds[metric]) == len(rounds[metric + "_se"]) == 6
            assert (rounds[metric][0] is None) == (metric not in ("nmse", "gain"))
            assert None not in rounds[metric][1:]
        assert rounds["gain"] == pytest.approx([rounds["nmse"][0] - value for value in rounds["nmse"]], abs=1e-12)
        assert all(0 <= a + b <= 1 for a, b in zip(rounds["improved"][1:], rounds["worsened"][1:]))
    clean, random = (cell["rounds"] for cell in result["cells"])
    assert clean["self_check_accuracy"] == 1 and abs(random["self_check_accuracy"] - 0.5) < 0.05
    table = palinode("evaluate", "--model", PROJECT / "tests/golden/closed_loop.safetensors", "--set",
                     "evaluate.rounds=5", "--set", "evaluate.prompts=16").stdout
    assert "rounds of self-correction: self-check accuracy 1.000" in table and "nan" not in table
    assert all(metric in table for metric in ROUND_METRICS)


@pytest.mark.parametrize("override, words", [
    ("evaluate.rounds=8", "evaluate.rounds (8) must be at most task.n_points (10) - 1 - evaluate.initial_responses (2)"),
    ("evaluate.rounds=18", "evaluate.rounds (18) must be at most task.n_points (10)"),
    ("model.causal=false", "evaluate.rounds (3) must be 0 without model.causal (false)")])
def test_rounds_that_cannot_be_made_are_refused_with_one_line(override, words):
    done = palinode("evaluate", "--model", PROJECT / "tests/golden/closed_loop.safetensors", "--set",
                    "evaluate.rounds=3", "--set", override, expect=None)
    assert done.returncode in (64, 65) and words in done.stderr and done.stderr.count("\n") == 1 and done.stdout == ""


def test_the_rounds_of_a_long_model_are_bounded_by_its_own_length(tmp_path):
    (tmp_path / "job.yaml").write_text(WITHOUT.replace("n_points: 6", "n_points: 24").replace("count: 2", "count: 1"))
    palinode("train", tmp_path / "job.yaml", "-o", tmp_path / "model", "--quiet", "--set", "train.steps=1")
    (cell,) = evaluate("--model", tmp_path / "model", "--set", "evaluate.rounds=21", "--set", "evaluate.prompts=4",
                       "--set", "evaluate.baselines=[]")["cells"]
    assert len(cell["rounds"]["nmse"]) == 22  # more than the default length of a prompt allows
    done = palinode("evaluate", "--model", tmp_path / "model", "--set", "evaluate.rounds=22", expect=64)
    assert "evaluate.rounds (22) must be at most task.n_points (24)" in done.stderr


def test_one_model_of_a_job_is_trained_and_measured_whatever_its_claims_need(tmp_path):
    claim = "claims: [{id: c, test: trend, metric: nmse, over: critique_quality, direction: decreasing}]"
    (tmp_path / "job.yaml").write_text(WITHOUT.replace("count: 2", "count: 1") + claim)
    one, model = ["--set", "evaluate.critique_quality=0.5"], tmp_path / "model"
    palinode("train", tmp_path / "job.yaml", "-o", model, "--quiet", *one)
    (cell,) = evaluate("--model", model, tmp_path / "job.yaml", *one)["cells"]
    assert cell["critique_quality"] == 0.5
    seen = json.loads(palinode("inspect", "--model", model, tmp_path / "job.yaml", "--json", *one).stdout)
    assert seen["critic"]["quality"] == 0.5
    palinode("plan", tmp_path / "job.yaml", *one, expect=64)


def test_the_rounds_of_a_run_are_exported_and_those_of_its_models_evaluated_alone(tmp_path):
    results = run(tmp_path, WITH)
    rows = [row for row in rows_of(results) if row["seed"] == "3"]
    model = palinode("train", tmp_path / "job.yaml", "--set", "seeds=3", "-o", tmp_path / "model", "--json")
    assert json.loads(model.stdout)["training_id"] in {row["training_id"] for row in rows}
    cells = {cell["critique_quality"]: cell
             for cell in evaluate("--model", tmp_path / "model", tmp_path / "job.yaml")["cells"]}
    of_rounds = [row for row in rows if row["kind"] == "rounds"]
    assert len(of_rounds) == 2 * len(ROUND_METRICS) * ANSWERS and {row["predictor"] for row in of_rounds} == {"model"}
    for row in of_rounds:
        rounds = cells[float(row["evaluate_critique_quality"])]["rounds"]
        value = rounds[row["metric"]][int(row["index"])]
        assert row["value"] == "" if value is None else float(row["value"]) == value, row
        assert float(row["self_check_accuracy"]) == rounds["self_check_accuracy"]
        assert (row["evaluate_rounds"], row["evaluate_initial_responses"], row["evaluate_right_cosine"]) == (
            "3", "2", "0.9")
    for row in rows:  # examples are told beside rounds as without them
        if row["kind"] == "examples" and row["predictor"] == "model":
            cell = cells[float(row["evaluate_critique_quality"])]
            assert float(row["self_check_accuracy"]) == cell["self_check_accuracy"]
            assert row["value"] == "" or float(row["value"]) == cell[row["metric"]][int(row["index"])]


def test_rounds_are_added_without_training_or_measuring_a_baseline_again(tmp_path, proto):
    results = run(tmp_path, WITHOUT)
    before = records.results(results, proto)
    run(tmp_path, WITH)
    after = records.results(results, proto)
    assert before.items() <= after.items()
    assert [kind for kind, _ in after.keys() - before.keys()] == ["cell"] * 4
    fresh = records.results(run(tmp_path, WITH, "fresh", mpirun=2), proto)
    assert fresh.items() <= after.items() and len(fresh) == len(before)
    (clean, *_) = json.loads(palinode("analyze", results, "--json").stdout)["configurations"]
    assert clean["rounds"]["round"] == ROUNDS and clean["rounds"]["self_check_accuracy"] == 1
    assert clean["rounds"]["gain"]["n"] == 2 and set(ROUND_METRICS) < set(clean["rounds"])
    text = palinode("analyze", results).stdout
    assert "Rounds of self-correction" in text and text == palinode("analyze", tmp_path / "fresh").stdout


def test_results_of_a_version_without_rounds_stay_readable(tmp_path, proto):
    results = run(tmp_path, WITHOUT)
    expected = palinode("export", results, "--format", "csv").stdout
    (path,) = results.glob("records-*.tfrecord")

    def forget_rounds(record):
        if record.WhichOneof("of") == "cell":
            assert record.cell.HasField("rounds")
            record.cell.ClearField("rounds")

    records.change(path, proto, forget_rounds)
    assert palinode("export", results, "--format", "csv").stdout == expected
    assert all("whole" in line for line in palinode("verify", results).stdout.splitlines())
    done = palinode("run", tmp_path / "job.yaml", "-o", results, "--json")
    assert json.loads(done.stdout)["trainings"]["trained"] == 0


def curves_of(results):
    """What results say of rounds and examples, by everything but the number of rounds that were made."""
    return {(row["training_id"], row["seed"], row["evaluate_critique_quality"], row["predictor"], row["kind"],
             row["index"], row["metric"]): (row["value"], row["standard_error"]) for row in rows_of(results)}


def test_the_first_rounds_of_a_longer_rollout_are_those_of_a_shorter_one_to_the_bit(tmp_path):
    longer, shorter = curves_of(run(tmp_path, WITH, "longer")), curves_of(run(
        tmp_path, WITH.replace(f"rounds: {ROUNDS}", f"rounds: {ROUNDS - 2}"), "shorter"))
    assert shorter.items() <= longer.items() and len(shorter) < len(longer)


def test_a_cell_with_more_rounds_serves_whoever_asks_for_fewer_or_none(tmp_path):
    results = run(tmp_path, WITH)
    for fewer in (f"rounds: {ROUNDS - 1}", "rounds: 0"):
        (tmp_path / "fewer.yaml").write_text(WITH.replace(f"rounds: {ROUNDS}", fewer))
        plan = json.loads(palinode("plan", tmp_path / "fewer.yaml", "-o", results, "--json").stdout)
        assert plan["cells"] == {"total": 4, "done": 4, "served": 4}
        assert plan["to_train"] == plan["to_evaluate"] == plan["baseline_sets"] == 0
        ran = palinode("run", tmp_path / "fewer.yaml", "-o", results, "--json")
        assert json.loads(ran.stdout)["work"]["total"] == 0
        palinode("status", results, "--exit-code")
        training = rows_of(results)[0]["training_id"]
        assert "2 of the 2 that the job asks for are measured" in palinode("explain", results, training).stdout
    assert "4 of those have more rounds" in palinode("plan", tmp_path / "fewer.yaml", "-o", results).stdout
    for other in ("rounds: 1, initial_responses: 1", "rounds: 1, right_cosine: 0.5"):  # other rounds, not fewer
        (tmp_path / "other.yaml").write_text(WITH.replace(f"rounds: {ROUNDS}", other))
        plan = json.loads(palinode("plan", tmp_path / "other.yaml", "-o", results, "--json").stdout)
        assert (plan["cells"]["done"], plan["to_evaluate"]) == (0, 2)


def test_a_claim_about_fewer_rounds_is_tested_on_cells_that_have_more(tmp_path):
    claim = ("claims: [{id: c, test: difference, kind: rounds, metric: nmse, a: {at: 1}, b: {at: 0}, "
             "where: {critique_quality: 1}}]\n")
    results = run(tmp_path, WITH)
    run(tmp_path, WITH.replace(f"rounds: {ROUNDS}", "rounds: 1") + claim)
    said = palinode("analyze", results).stdout
    assert "Claims: 1," in said and "2 seeds" in said and "so far" not in said

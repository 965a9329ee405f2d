"""palinode replay: a recorded training again, to the bit, or what differs and by how much."""

import json
import shutil

import pytest
import records
from conftest import palinode
from test_run import SMALL, write


@pytest.fixture(scope="module")
def proto():
    return records.schema()


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """SMALL with rounds, extended by a job with other prompts: cells of two kinds of evaluation."""
    folder = tmp_path_factory.mktemp("done")
    job = write(folder, SMALL.replace("prompts: 20", "prompts: 20, rounds: 2"))
    palinode("run", job, "-o", folder / "out", "--kernels", "portable")
    palinode("run", job, "-o", folder / "out", "--kernels", "portable", "--set", "evaluate.prompts=12", "--set",
             "evaluate.rounds=0")
    return folder / "out"


def trainings(folder):
    return [json.loads(row) for row in
            palinode("export", folder, "--format", "jsonl", "--table", "trainings").stdout.splitlines()]


def replay(*args, expect=0):
    return json.loads(palinode("replay", *args, "--json", expect=expect).stdout)


def altered(done, folder, proto, alter):
    """A copy of the results with alter(record) applied to every record."""
    shutil.copytree(done, folder)
    for path in folder.glob("*.tfrecord"):
        records.change(path, proto, alter)
    return folder


def test_a_training_is_the_same_to_the_bit_with_its_model_and_all_its_cells(done):
    one = trainings(done)[-1]["training_id"]
    told = replay(done, one[:8])
    assert told["identical"] and told["alarms"] == 0 and told["kernels"] == "portable" and told["kernels_available"]
    assert sorted(result["kind"] for result in told["results"]) == ["cell"] * 6 + ["model", "training"]
    assert all(result["compared"] and result["same_numerics"] for result in told["results"])
    text = palinode("replay", done, one)
    assert text.stdout.count("the same bits") == 8 and "all results are the same to the bit" in text.stdout
    cell = next(result["id"] for result in told["results"] if result["kind"] == "cell")
    assert replay(done, cell)["id"] == one  # a cell means its training


def test_a_baseline_is_the_same_to_the_bit(done):
    rows = [json.loads(row) for row in palinode("export", done, "--format", "jsonl").stdout.splitlines()]
    for predictor in ("gd", "mean"):
        told = replay(done, next(row["cell_id"] for row in rows if row["predictor"] == predictor))
        assert told["kind"] == "baseline" and told["identical"] and len(told["results"]) == 1


@pytest.mark.parametrize("more", [["--set", "train.precision=bf16", "--kernels", "reference"], ["--models", "discard"]])
def test_other_precisions_and_trainings_without_a_kept_model_are_replayed_too(tmp_path, more):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, *more, "--set", "seeds=[3]", "--set", "model.n_layer=1")
    one = trainings(out)[0]
    told = replay(out, one["training_id"])
    assert told["identical"] and told["alarms"] == 0 and told["kernels_available"]


def test_a_difference_under_the_same_numerics_is_an_alarm(done, tmp_path, proto):
    one = trainings(done)[0]["training_id"]
    touched = []

    def alter(record):
        if record.HasField("cell") and record.cell.training_id.hex() == one and not touched:
            touched.append(record.cell.cell_id.hex())
            record.cell.curves.value[3] += record.cell.curves.standard_error[3] / 2  # nmse with 3 examples
        if record.HasField("model") and record.model.training_id.hex() == one:
            record.model.parameters[17] += 1

    out = altered(done, tmp_path / "out", proto, alter)
    wrong = palinode("replay", out, one, expect=1)
    assert "determinism alarm: 2 of 8 results differ" in wrong.stderr
    assert f"{touched[0]}: differs in nmse with 3 examples: " in wrong.stdout and "0.5 standard errors" in wrong.stdout
    assert f"{one}: differs in parameter 17 of " in wrong.stdout
    told = replay(out, one, expect=1)
    assert told["alarms"] == 2 and not told["identical"] and 0.49 < told["largest_standard_errors"] < 0.51
    assert replay(out, trainings(done)[1]["training_id"])["identical"]


def test_a_replay_that_diverges_is_compared_as_far_as_it_goes(done, tmp_path, proto):
    one = trainings(done)[0]["training_id"]

    def alter(record):
        if record.HasField("training"):
            record.training.spec.train.learning_rate = 1e38  # beyond what a job file may say

    out = altered(done, tmp_path / "out", proto, alter)
    told = replay(out, one, expect=1)
    assert told["alarms"] == 1 and [result["compared"] for result in told["results"]].count(True) == 1
    assert palinode("replay", out, one, expect=1).stdout.count("the replay has diverged before it") == 7
    assert "differs in outcome, done and diverged" in palinode("replay", out, one, expect=1).stdout


def test_a_difference_under_other_numerics_is_information(done, tmp_path, proto):
    one = trainings(done)[0]["training_id"]

    def alter(record):
        kind = record.WhichOneof("of")
        if kind in records.IDS:
            content = getattr(record, kind)
            content.fingerprint = content.fingerprint.replace("kernels portable", "kernels of-another-machine")
        if kind == "cell":
            record.cell.curves.value[3] += record.cell.curves.standard_error[3] / 4

    out = altered(done, tmp_path / "out", proto, alter)
    said = palinode("replay", out, one)
    assert "this machine has no kernels 'of-another-machine'" in said.stdout
    assert "under other numerics, for information: the largest difference is 0.25 standard errors" in said.stdout
    told = replay(out, one)
    assert not told["kernels_available"] and told["alarms"] == 0 and not told["identical"]


def test_what_cannot_be_replayed_is_said(done, tmp_path, proto):
    one = trainings(done)[0]["training_id"]

    def fail(record):
        if record.HasField("training"):
            record.training.outcome, record.training.reason = 2, "killed"

    out = altered(done, tmp_path / "out", proto, fail)
    assert f"training {one} has no result" in palinode("replay", out, one, expect=65).stderr
    assert "no id begins with" in palinode("replay", done, "0" * 32, expect=65).stderr
    assert "hexadecimal digits" in palinode("replay", done, "no", expect=64).stderr

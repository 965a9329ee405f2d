"""palinode explain: every state that an id can be in, and the record that decides."""

import json
import signal
import time

import pytest
import records
from conftest import palinode
from test_run import SMALL, start, wait_for_trial, write

WITHOUT = SMALL + "exclude: [{seed: 1, model.n_layer: 2}]\n"


@pytest.fixture(scope="module")
def proto():
    return records.schema()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """SMALL, all done: where ids are looked up."""
    folder = tmp_path_factory.mktemp("whole")
    palinode("run", write(folder, SMALL), "-o", folder / "out")
    return folder / "out"


def rows(folder, table):
    return [json.loads(row) for row in palinode("export", folder, "--format", "jsonl", "--table", table).stdout.splitlines()]


def training(folder, layers, seed):
    (found,) = [row["training_id"] for row in rows(folder, "trainings") if (row["model_n_layer"], row["seed"]) == (layers, seed)]
    return found


def explain(*args):
    return json.loads(palinode("explain", *args, "--json").stdout)


def test_what_is_done_names_the_record_that_decides_and_all_others(whole, tmp_path, proto):
    out = tmp_path / "out"
    job = write(tmp_path, SMALL)
    palinode("merge", "-o", out, whole)
    palinode("run", job, "-o", out, "--rerun", "all", "-q")
    one = training(whole, 2, 1)
    told = explain(out, one[:10])
    assert (told["id"], told["kind"], told["state"], told["asked_for"]) == (one, "training", "done", True)
    assert told["cells"] == {"asked": 3, "measured": 3, "other": 0} and told["model_kept"] is True
    assert told["settings"]["model.n_layer"] == 2 and told["settings"]["seed"] == 1
    kinds = [(record["kind"], record["run"], record["decides"]) for record in told["records"]]
    assert kinds == [("training", "0001", False), ("training", "0002", True), ("model", "0001", False),
                     ("model", "0002", False)]
    decides = told["records"][1]
    assert decides["path"] == str(out / "records-0002.tfrecord") and "--rerun all" in decides["command_line"]
    data = (out / "records-0002.tfrecord").read_bytes()  # at that offset is a frame with the id in it
    length = int.from_bytes(data[decides["offset"] : decides["offset"] + 8], "little")
    assert bytes.fromhex(one) in data[decides["offset"] : decides["offset"] + 12 + length]
    text = palinode("explain", out, one[:10]).stdout
    assert text.startswith(f"training {one}: done\n") and "(decides)" in text and "(the kept model)" in text


def test_cells_and_baselines_are_explained_by_their_own_settings(whole):
    metrics = rows(whole, "metrics")
    cell = next(row for row in metrics if row["predictor"] == "model" and row["evaluate_critique_quality"] == 0.5)
    told = explain(whole, cell["cell_id"])
    assert (told["kind"], told["state"], told["training_id"]) == ("cell", "done", cell["training_id"])
    assert told["settings"]["evaluate.critique_quality"] == 0.5 and "model.n_layer" not in told["settings"]
    baseline = next(row for row in metrics if row["predictor"] == "gd" and row["seed"] == 1)
    told = explain(whole, baseline["cell_id"])
    assert (told["kind"], told["state"], told["training_id"]) == ("baseline", "done", None)
    assert told["settings"]["predictor"] == "gd" and told["settings"]["seed"] == 1
    assert told["settings"]["evaluate.gd_steps"] == 50


def test_a_cell_with_rounds_is_explained_by_those_it_was_measured_in(tmp_path):
    job = write(tmp_path, SMALL.replace("model: {n_layer: [1, 2]", "model: {n_layer: 1").replace("count: 2", "count: 1"))
    for rounds in ("2", "0"):  # the job that explain reads is the last
        palinode("run", job, "-o", tmp_path / "out", "-q", "--set", f"evaluate.rounds={rounds}", "--set",
                 "evaluate.initial_responses=1")
    for row in rows(tmp_path / "out", "metrics"):
        if row["predictor"] == "model" and row["index"] == 2 and row["metric"] == "nmse":
            settings = explain(tmp_path / "out", row["cell_id"])["settings"]
            for key in ("rounds",) if row["evaluate_rounds"] == 0 else ("rounds", "initial_responses", "right_cosine"):
                assert settings[f"evaluate.{key}"] == row[f"evaluate_{key}"], (key, row)


def test_what_is_pending_or_left_out_is_known_from_the_job(whole, tmp_path):
    job, out = write(tmp_path, WITHOUT), tmp_path / "out"
    palinode("run", job, "-o", out, "--limit", 1, expect=75)
    done = rows(out, "trainings")[0]
    pending = next(row["training_id"] for row in rows(whole, "trainings") if row["training_id"] != done["training_id"]
                   and (row["model_n_layer"], row["seed"]) != (2, 1))
    told = explain(out, pending)
    assert told["state"] == "pending" and "run 0001 stopped at its --limit" in told["why"] and told["records"] == []
    cell = next(row["cell_id"] for row in rows(whole, "metrics") if row["training_id"] == pending)
    assert explain(out, cell)["state"] == "pending"
    left_out = explain(out, training(whole, 2, 1))
    assert left_out["state"] == "skipped" and "mapping 1 of the job's exclude" in left_out["why"]
    wider = explain(out, training(whole, 2, 1), "--job", write(tmp_path, SMALL, "wider.yaml"))
    assert wider["state"] == "pending"
    narrow = explain(whole, training(whole, 2, 1), "--job", job)  # done, though this job leaves it out
    assert narrow["state"] == "done" and narrow["asked_for"] is False and narrow["cells"]["other"] == 3


def test_what_failed_or_diverged_says_why_and_its_cells_are_skipped(whole, tmp_path, proto):
    out, failed, diverged = tmp_path / "out", training(whole, 1, 0), training(whole, 2, 0)
    out.mkdir()
    (out / "job.resolved.yaml").write_bytes((whole / "job.resolved.yaml").read_bytes())
    messages = [record for record in records.read(whole / "records-0001.tfrecord", proto)
                if not (record.HasField("cell") and record.cell.training_id.hex() in (failed, diverged))]
    for record in messages:
        if record.HasField("training") and record.training.training_id.hex() == failed:
            record.training.outcome, record.training.reason, record.training.attempts = 2, "killed by signal 9", 2
        if record.HasField("training") and record.training.training_id.hex() == diverged:
            record.training.outcome, record.training.reason = 1, "the loss was not finite at step 7"
    records.write(out / "records-0001.tfrecord", messages)
    told = explain(out, failed)
    assert told["state"] == "failed" and told["why"].startswith("killed by signal 9, at attempt 2; run --rerun failed")
    told = explain(out, diverged)
    assert told["state"] == "diverged" and told["why"].startswith("the loss was not finite at step 7")
    for one, word in ((failed, "failed"), (diverged, "diverged")):
        cell = next(row["cell_id"] for row in rows(whole, "metrics") if row["training_id"] == one)
        told = explain(out, cell)
        assert told["state"] == "skipped" and told["why"].startswith(f"its training {one} {word}")


def test_a_training_that_was_begun_names_its_checkpoint(tmp_path):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 60000").replace("[1, 2]", "1")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--set", "seeds=[0]", "--set", "evaluate.baselines=[]")
    wait_for_trial(run.pid)
    while "loss" not in run.stderr.readline():  # it has steps to save
        pass
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 75, said
    (checkpoint,) = (out / "checkpoints").iterdir()
    told = explain(out, checkpoint.name)
    assert told["state"] == "pending" and "run 0001 ended before: interrupted" in told["why"]
    assert told["checkpoint"]["path"] == str(checkpoint) and 0 < told["checkpoint"]["step"] < 60000


def test_what_a_live_shard_is_at_is_no_matter_of_a_later_run_that_ended(tmp_path):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 60000")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--shard", "1/2", "--checkpoint-every", "0.05")
    try:
        wait_for_trial(run.pid)
        palinode("run", job, "-o", out, "--shard", "2/2", "--time-limit", 0, expect=75)
        end = time.monotonic() + 60
        while not (begun := [path for path in out.glob("checkpoints/*") if "." not in path.name]):
            assert time.monotonic() < end
            time.sleep(0.01)
        assert explain(out, begun[0].name)["why"].endswith("run 0001 is going on")
    finally:
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)


def test_an_id_that_nothing_has_gets_the_nearest_information(whole):
    one = training(whole, 1, 0)
    other = one[:6] + ("0" if one[6] != "0" else "1")
    wrong = palinode("explain", whole, other, expect=65)
    assert f"no id begins with {other}; the nearest is {one}, the same in its first 6 digits" in wrong.stderr
    assert "4 to 32 hexadecimal digits" in palinode("explain", whole, "abc", expect=64).stderr
    assert "4 to 32 hexadecimal digits" in palinode("explain", whole, "xyzzy", expect=64).stderr
    assert "cannot read the folder" in palinode("explain", whole / "none", one, expect=74).stderr

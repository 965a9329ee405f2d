"""Going on with a folder: what is done stays done, what has changed is shown, other numerics are asked about."""

import json
import os
import re
import signal
import time

import pytest
import records
from conftest import palinode
from test_run import SMALL, start, wait_for_trial, write


@pytest.fixture(scope="module")
def proto():
    return records.schema()


def all_records(out, proto):
    """(kind, id) of every record of a folder, as often as it is there."""
    for path in sorted(out.glob("*.tfrecord")):
        for record in records.read(path, proto):
            kind = record.WhichOneof("of")
            if kind in records.IDS:
                yield kind, getattr(getattr(record, kind), records.IDS[kind]).hex()


def test_a_changed_job_is_shown_and_only_what_it_adds_is_done(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    first = palinode("run", job, "-o", out)
    assert "has changed" not in first.stderr
    assert "has changed" not in palinode("run", job, "-o", out).stderr
    before = list(all_records(out, proto))
    plan = palinode("plan", job, "-o", out, "--set", "model.n_layer=2,3", "--rate", 1)
    changed = palinode("run", job, "-o", out, "--set", "model.n_layer=2,3", "--json")
    expected = "model.n_layer: 1, 2 -> 2, 3; 2 trainings added, 2 no longer asked for"
    assert f"the job has changed since the last run: {expected}" in changed.stderr
    assert expected in plan.stdout
    assert json.loads(changed.stdout)["trainings"]["trained"] == 2
    after = list(all_records(out, proto))
    assert len(after) == len(set(after)) == len(before) + 2 + 2 + 6  # trainings, models, cells
    back = palinode("run", job, "-o", out, "--json")
    assert "model.n_layer: 2, 3 -> 1, 2" in back.stderr and json.loads(back.stdout)["trainings"]["trained"] == 0
    assert list(all_records(out, proto)) == after


def test_a_job_of_before_that_cannot_be_read_is_said_and_the_run_goes_on(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--limit", 1, expect=75)
    (out / "job.resolved.yaml").write_text("model: {n_layers: 2}\n")
    done = palinode("run", job, "-o", out)
    assert re.search(r"cannot be compared with this one: .*job.resolved.yaml:1:\d+: .*n_layers", done.stderr), done.stderr


def test_a_pipe_in_the_place_of_the_job_of_before_hangs_nobody(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--limit", 1, expect=75)
    training = json.loads(palinode("export", out, "--format", "jsonl").stdout.splitlines()[0])["training_id"]
    (out / "job.resolved.yaml").unlink()
    os.mkfifo(out / "job.resolved.yaml")
    for command in (["plan", job, "-o", out, "--rate", 1], ["explain", out, training], ["analyze", out],
                    ["merge", "-o", tmp_path / "merged", out]):
        palinode(*command, timeout=30, expect=None)
    assert "cannot be compared with this one" in palinode("run", job, "-o", out, timeout=30).stderr


def test_other_numerics_are_refused_until_they_are_allowed_and_rows_stay_labelled(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--kernels", "portable")
    before = sorted(path.name for path in out.iterdir())
    more = ["run", job, "-o", out, "--kernels", "reference", "--set", "seeds.count=3"]
    for mpirun in (None, 2):
        refused = palinode(*more, mpirun=mpirun, expect=65)
        assert re.search(r"computed with '[^']*kernels portable[^']*', rank 0 .* computes with '[^']*kernels reference",
                         refused.stderr), refused.stderr
        assert "--allow-numerics-change" in refused.stderr
        assert sorted(path.name for path in out.iterdir()) == before  # nothing was made
    palinode("run", job, "-o", out, "--kernels", "reference")  # all is done: nothing to ask about
    assert "expected 1 or 0" in palinode(*more, env={"PALINODE_ALLOW_NUMERICS_CHANGE": "yes"}, expect=64).stderr
    palinode(*more, env={"PALINODE_ALLOW_NUMERICS_CHANGE": "1"})
    rows = [json.loads(row) for row in palinode("export", out, "--format", "jsonl").stdout.splitlines()]
    by_seed = {row["seed"]: set() for row in rows}
    for row in rows:
        by_seed[row["seed"]].add(re.search(r"kernels (\w+)", row["fingerprint"]).group(1))
    assert by_seed == {0: {"portable"}, 1: {"portable"}, 2: {"reference"}}
    palinode("run", job, "-o", out, "--kernels", "reference", "--set", "seeds.count=4")  # allowed before: known here


def test_a_kept_model_of_other_numerics_is_named_in_what_is_measured_of_it(tmp_path):
    job, out, fresh = write(tmp_path, SMALL), tmp_path / "out", tmp_path / "fresh"
    more = ["--kernels", "reference", "--set", "evaluate.critique_quality=1,0.75"]
    palinode("run", job, "-o", out, "--kernels", "portable")
    palinode("run", job, "-o", out, *more, "--allow-numerics-change")
    palinode("run", job, "-o", fresh, *more)
    rows = [json.loads(row) for row in palinode("export", out, "--format", "jsonl").stdout.splitlines()]
    assert {re.sub(r"numerics \d+; kernels (\w+)[^']*", r"\1 ", row["fingerprint"]) for row in rows
            if row["predictor"] == "model"} == {"portable ", "reference 'portable '"}
    # so that a merge with what was trained and measured in one place finds no equal numerics with unequal results
    merged = json.loads(palinode("merge", "-o", tmp_path / "merged", out, fresh, "--json").stdout)
    assert merged["conflicts"] == 0 and merged["under_different_numerics"] > 0
    one = next(row["training_id"] for row in rows if row["predictor"] == "model")
    told = json.loads(palinode("replay", out, one, "--json").stdout)  # by the kernels of the training
    assert told["kernels"] == "portable" and told["alarms"] == 0
    assert sorted(result["identical"] for result in told["results"]) == [False] + 5 * [True]
    palinode("run", job, "-o", out, *more, "--set", "evaluate.prompts=21")  # these numerics are known here


def test_what_is_done_again_on_request_wins(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--kernels", "portable")
    again = palinode("run", job, "-o", out, "--kernels", "reference", "--rerun", "all", "--allow-numerics-change", "--json")
    assert json.loads(again.stdout)["trainings"]["trained"] == 4
    palinode("run", job, "-o", tmp_path / "fresh", "--kernels", "reference")
    assert records.results(out, proto) == records.results(tmp_path / "fresh", proto)
    for table in ("metrics", "loss"):
        tables = [sorted(palinode("export", folder, "--format", "csv", "--table", table).stdout.splitlines())
                  for folder in (out, tmp_path / "fresh")]
        assert tables[0] == tables[1] and not any("portable" in row for row in tables[0])
    one = json.loads(palinode("export", out, "--format", "jsonl", "--table", "trainings").stdout.splitlines()[0])
    models = []
    for folder in (out, tmp_path / "fresh"):  # the kept model, too, is the later one
        palinode("model", folder, one["training_id"], "-o", tmp_path / "m.safetensors")
        models.append((tmp_path / "m.safetensors").read_bytes())
    assert models[0] == models[1]
    status = json.loads(palinode("status", out, "--json").stdout)["records"]
    assert status["trainings_done"] == 4 and status["cells"] == 12


def test_what_ran_when_a_run_died_is_pending_again(tmp_path, proto):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 1500")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1)
    wait_for_trial(run.pid)
    deadline = time.monotonic() + 60
    while len(list(all_records(out, proto))) < 8 and time.monotonic() < deadline:  # some is done, some is running
        time.sleep(0.02)
    wait_for_trial(run.pid)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=30)
    status = json.loads(palinode("status", out, "--json").stdout)
    assert status["state"] == "died" and status["runs"][0]["trainings"]["running"] == 0, status
    before = list(all_records(out, proto))
    plan = json.loads(palinode("plan", job, "-o", out, "--json", "--rate", 1).stdout)
    done = len([kind for kind, _ in before if kind == "training"])
    assert plan["trainings"]["failed"] == 0 and plan["trainings"]["done"] == done and plan["to_train"] == 4 - done
    again = json.loads(palinode("run", job, "-o", out, "--json").stdout)
    assert again["trainings"]["trained"] == 4 - done and again["trainings"]["done"] == 4
    after = list(all_records(out, proto))
    assert len(after) == len(set(after))  # nothing was done twice

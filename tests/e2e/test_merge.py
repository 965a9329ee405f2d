"""palinode merge: pieces of a grid become one folder that every command takes."""

import csv
import io
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
def pieces(tmp_path_factory):
    """SMALL done by seeds in two folders that share one seed, and a merge of them."""
    folder = tmp_path_factory.mktemp("pieces")
    job = write(folder, SMALL)
    palinode("run", job, "-o", folder / "a", "--set", "seeds=[0]")
    palinode("run", job, "-o", folder / "b")
    palinode("merge", "-o", folder / "merged", folder / "a", folder / "b")
    return folder


def test_a_merged_folder_is_one_of_results_for_every_command(pieces, tmp_path, proto):
    job, out = pieces / "job.yaml", pieces / "merged"
    assert sorted(path.name for path in out.iterdir() if "resolved" not in path.name) == [
        "job.yaml", "models-0001.tfrecord", "records-0001.tfrecord"]
    assert len(list(out.glob("job.small.*.resolved.yaml"))) == 2  # the jobs differ in their seeds
    assert records.results(out, proto) == records.results(pieces / "b", proto)
    palinode("verify", out)
    assert json.loads(palinode("status", out, "--json").stdout)["records"]["trainings_done"] == 4
    assert json.loads(palinode("plan", job, "-o", out, "--json", "--rate", 1).stdout)["to_train"] == 0
    plain = [sorted(palinode("export", folder, "--format", "csv").stdout.splitlines()) for folder in (out, pieces / "b")]
    assert plain[0] == plain[1]
    (row,) = palinode("export", out, "--format", "jsonl", "--table", "provenance").stdout.splitlines()
    sources = json.loads(row)["sources"]
    assert sources.count("\n") == 2 and "a/records-0001.tfrecord: palinode " in sources and "seeds=[0]" in sources
    again = tmp_path / "again"
    palinode("merge", "-o", again, out)
    done = json.loads(palinode("run", job, "-o", again, "--set", "seeds.count=3", "--json").stdout)
    assert done["trainings"]["trained"] == 2 and done["trainings"]["done"] == 6


def test_the_status_of_a_merge_knows_from_its_job_whether_all_is_done(pieces, tmp_path):
    palinode("run", pieces / "job.yaml", "-o", tmp_path / "part", "--limit", 1, expect=75)
    palinode("merge", "-o", tmp_path / "m", tmp_path / "part")
    palinode("status", tmp_path / "m", "--exit-code", expect=75)
    palinode("merge", "-o", tmp_path / "m", pieces / "b")
    palinode("status", tmp_path / "m", "--exit-code")


def test_a_result_that_differs_under_the_same_numerics_is_told_with_both_places(pieces, tmp_path, proto):
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    path = wrong / "records-0001.tfrecord"
    path.write_bytes((pieces / "a" / "records-0001.tfrecord").read_bytes())
    touched = []

    def alter(record):
        if record.HasField("cell") and not touched:
            touched.append(record.cell.cell_id.hex())
            record.cell.curves.value[5 + 3] += 0.25  # kendall_tau with 3 examples

    records.change(path, proto, alter)
    done = palinode("merge", "-o", tmp_path / "m", pieces / "a", wrong, expect=1)
    assert f"conflict: cell {touched[0]} under 'numerics" in done.stdout
    assert "kendall_tau with 3 examples: " in done.stdout and "standard errors" in done.stdout
    assert str(path) in done.stdout and str(pieces / "a" / "records-0001.tfrecord") in done.stdout
    assert "1 result differs under the same numerics" in done.stderr and not (tmp_path / "m").exists()
    told = json.loads(palinode("merge", "-o", tmp_path / "m", pieces / "a", wrong, "--leave-out-conflicts", "--json",
                               expect=1).stdout)
    assert told["made"] and told["conflicts"] == 1 and told["cells"] == 5
    assert told["first_conflicts"][0]["id"] == touched[0]
    palinode("run", pieces / "job.yaml", "-o", tmp_path / "m", "--set", "seeds=[0]")  # does again what was left out
    assert records.results(tmp_path / "m", proto) == records.results(pieces / "a", proto)


def test_what_merge_cannot_do_is_said(pieces, tmp_path):
    assert "-o is missing" in palinode("merge", pieces / "a", expect=64).stderr
    assert "holds results of a run" in palinode("merge", "-o", pieces / "a", pieces / "b", expect=64).stderr
    assert "cannot read the folder" in palinode("merge", "-o", tmp_path / "m", tmp_path / "none", expect=74).stderr
    (tmp_path / "empty").mkdir()
    assert "holds no records" in palinode("merge", "-o", tmp_path / "m", tmp_path / "empty", expect=65).stderr
    (tmp_path / "file").write_text("")
    assert "cannot read the folder" in palinode("merge", "-o", tmp_path / "file", pieces / "a", expect=74).stderr


STUDY = """
name: study
model: {n_layer: [1, 2], n_head: 1, n_embd: 8}
task: {n_dims: 2, n_points: 5}
train: {steps: 10, batch_size: 8, gradient_shards: 2, learning_rate: 1e-3}
evaluate: {prompts: 16, baselines: [mean]}
seeds: {count: 8}
claims: [{id: deeper-is-other, test: difference, metric: nmse, a: {model.n_layer: 1}, b: {model.n_layer: 2}}]
"""


def test_unfinished_folders_merge_to_all_that_their_jobs_ask_for(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(STUDY)
    palinode("run", job, "-o", tmp_path / "one", "-q")
    palinode("run", job, "-o", tmp_path / "two", "-q", "--set", "seeds.first=8", "--limit", 3, expect=75)
    palinode("merge", "-o", tmp_path / "all", tmp_path / "one", tmp_path / "two")
    assert "32: 19 done, 0 diverged, 0 failed, 13 missing" in palinode(
        "status", tmp_path / "all", "--exit-code", expect=75).stdout
    assert "19 of 32 trainings done" in palinode("wait", tmp_path / "all", "--timeout", "0.3", expect=75).stderr
    said = palinode("analyze", tmp_path / "all").stdout
    beside = palinode("analyze", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "both").stdout
    assert said == beside
    assert "19 of 32 trainings done" in said and "INCONCLUSIVE (so far)  deeper-is-other" in said
    missing = next(row for row in (tmp_path / "all/tables/completeness.csv").read_text().splitlines()
                   if "not finished" in row)
    assert missing
    palinode("run", job, "-o", tmp_path / "all", "-q", "--set", "seeds.first=8")
    palinode("status", tmp_path / "all", "--exit-code")


def test_claims_of_merged_jobs_that_differ_in_their_seeds_are_tested_over_all_seeds(tmp_path):
    for first in (0, 8):
        (tmp_path / f"{first}.yaml").write_text(STUDY.replace("{count: 8}", f"{{first: {first}, count: 8}}"))
        palinode("run", tmp_path / f"{first}.yaml", "-o", tmp_path / f"r{first}", "-q")
    palinode("merge", "-o", tmp_path / "all", tmp_path / "r0", tmp_path / "r8")
    said = palinode("analyze", tmp_path / "all").stdout
    assert "Claims: 1," in said and "16 seeds" in said and "so far" not in said
    palinode("status", tmp_path / "all", "--exit-code")


def test_claims_of_every_job_that_ran_in_a_folder_are_tested(tmp_path):
    job, other, out = tmp_path / "job.yaml", tmp_path / "other.yaml", tmp_path / "out"
    job.write_text(STUDY)
    other.write_text(STUDY.replace("name: study", "name: other").replace("id: deeper", "id: wider"))
    palinode("run", job, "-o", out, "-q")
    palinode("run", other, "-o", out, "-q")
    said = palinode("analyze", out).stdout
    assert "Claims: 2," in said and "deeper-is-other" in said and "wider-is-other" in said


# --- results that contradict each other ---


@pytest.fixture(scope="module")
def contradiction(tmp_path_factory):
    """Two folders with one cell of the same id and numerics and another value; what was patched into the second."""
    folder = tmp_path_factory.mktemp("contradiction")
    job = folder / "job.yaml"
    job.write_text(STUDY.replace("count: 8", "count: 2"))
    palinode("run", job, "-o", folder / "A", "-q")
    shutil.copytree(folder / "A", folder / "B")
    proto, changed = records.schema(), []

    def alter(record):
        if record.WhichOneof("of") == "cell" and not changed:
            record.cell.curves.value[4] = 0.25  # nmse with 4 examples
            changed.append(record.cell.cell_id.hex())

    records.change(folder / "B/records-0001.tfrecord", proto, alter)
    palinode("verify", folder / "B")
    return folder, changed[0]


def test_results_that_contradict_each_other_are_named_everywhere_and_shown_the_same_in_any_order(contradiction, tmp_path):
    folder, cell = contradiction
    a, b = folder / "A", folder / "B"
    first = palinode("analyze", a, b, "-o", tmp_path / "ab", expect=1)
    second = palinode("analyze", b, a, "-o", tmp_path / "ba", expect=1)
    assert first.stdout == second.stdout
    for said in (first.stderr, second.stderr):
        assert f"conflict: cell {cell} under " in said and "nmse with 4 examples" in said and "0.25" in said
        assert "1 result differs from another of the same id under the same numerics" in said
    tables = [(tmp_path / which / "tables/summary.csv").read_bytes() for which in ("ab", "ba")]
    assert tables[0] == tables[1]
    rows = []
    for folders in ((a, b), (b, a)):
        done = palinode("export", *folders, "--format", "csv", expect=1)
        assert cell in done.stderr
        rows.append(sorted(done.stdout.splitlines()))
        palinode("export", *folders, "--format", "sqlite", "-o", tmp_path / "x.db", expect=1)
        assert (tmp_path / "x.db").stat().st_size > 0
    assert rows[0] == rows[1]
    palinode("merge", "-o", tmp_path / "m", a, b, expect=1)
    palinode("diff", a, b, "--exit-code", expect=1)


def test_a_contradiction_within_one_folder_is_named_too(contradiction, tmp_path):
    folder, cell = contradiction
    both = shutil.copytree(folder / "A", tmp_path / "both")
    shutil.copy(folder / "B/records-0001.tfrecord", both / "records-0002.tfrecord")
    assert f"conflict: cell {cell}" in palinode("analyze", both, expect=1).stderr
    assert cell in palinode("export", both, "--format", "jsonl", expect=1).stderr


def test_an_export_of_several_folders_is_that_of_their_merge(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(STUDY.replace("count: 8", "count: 2"))
    palinode("run", job, "-o", tmp_path / "one", "-q")
    palinode("run", job, "-o", tmp_path / "two", "-q", "--set", "seeds.first=1")
    palinode("merge", "-o", tmp_path / "all", tmp_path / "one", tmp_path / "two")
    for format, table in (("csv", "metrics"), ("csv", "loss"), ("jsonl", "metrics")):
        exported = [sorted(palinode("export", *folders, "--format", format, "--table", table).stdout.splitlines())
                    for folders in ((tmp_path / "one", tmp_path / "two"), (tmp_path / "two", tmp_path / "one"),
                                    (tmp_path / "all",))]
        assert exported[0] == exported[1] == exported[2]
    rows = palinode("export", tmp_path / "one", tmp_path / "two", "--format", "csv", "--table", "trainings").stdout
    assert len(rows.splitlines()) == 1 + 6


def test_hints_are_commands_that_can_be_pasted_and_a_folder_that_cannot_be_written_names_the_way_out(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(STUDY.replace("count: 8", "count: 1"))
    out = tmp_path / "sp ace"
    assert f"palinode analyze '{out}' shows them" in palinode("run", job, "-o", out).stderr
    (out / "tables").write_text("in the way")
    assert "-o DIR puts tables, figures and report elsewhere" in palinode("analyze", out, expect=74).stderr


def test_a_text_in_csv_is_no_formula_for_a_spreadsheet(tmp_path):
    job = tmp_path / "=1+1.yaml"
    job.write_text("#!\n" + STUDY.replace("count: 8", "count: 1"))
    palinode("run", job, "-o", tmp_path / "out", "-q")
    path, proto = tmp_path / "out/records-0001.tfrecord", records.schema()

    def alter(record):
        if record.WhichOneof("of") == "header":
            record.header.command_line, record.header.host = "=cmd|' /C calc'!A0", "@host"

    records.change(path, proto, alter)
    (row,) = csv.DictReader(io.StringIO(palinode("export", tmp_path / "out", "--format", "csv", "--table",
                                                 "provenance").stdout))
    assert row["command_line"] == "'=cmd|' /C calc'!A0" and row["host"] == "'@host"
    line = json.loads(palinode("export", tmp_path / "out", "--format", "jsonl", "--table", "provenance").stdout)
    assert line["command_line"] == "=cmd|' /C calc'!A0"

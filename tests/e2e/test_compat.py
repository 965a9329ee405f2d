"""Results of older versions: tests/compat holds a folder of them for every version, and they are read for good."""

import csv
import gzip
import io
import json
import shutil

from conftest import PROJECT, palinode

VERSIONS = sorted(path for path in (PROJECT / "tests/compat").iterdir() if path.is_dir())
FOLDERS = ["run", "merged", "unfinished"]


def copied(version, name, tmp_path):
    """A copy of one folder of results that a test may write to."""
    return shutil.copytree(version / name, tmp_path / version.name / name)


def exported(folder):
    return list(csv.DictReader(io.StringIO(palinode("export", folder, "--format", "csv").stdout)))


def test_old_results_are_whole_and_export_the_numbers_and_ids_of_their_time():
    for version in VERSIONS:
        for name in FOLDERS:
            palinode("verify", version / name)
            then = list(csv.DictReader(gzip.open(version / f"{name}.metrics.csv.gz", "rt")))
            now = exported(version / name)
            known = {row["metric"] for row in then}  # a later version may measure more
            kept = [{column: row[column] for column in then[0]} for row in now if row["metric"] in known]
            assert kept == then, (version.name, name)


def test_the_job_of_old_results_finds_them_all_done(tmp_path):
    for version in VERSIONS:
        folder = copied(version, "run", tmp_path)
        palinode("status", folder, "--exit-code")
        ran = palinode("run", folder / "job.resolved.yaml", "-o", folder, "--json")
        assert json.loads(ran.stdout)["trainings"]["trained"] == 0
        assert "12 of 12 trainings done" in palinode("analyze", folder).stdout


def test_a_training_that_an_old_version_left_half_done_is_gone_on_with(tmp_path):
    for version in VERSIONS:
        folder = copied(version, "unfinished", tmp_path)
        begun = next((folder / "checkpoints").iterdir()).name
        palinode("status", folder, "--exit-code", expect=75)
        assert "step 27475" in palinode("explain", folder, begun).stdout
        palinode("run", folder / "job.yaml", "-o", folder, "-q", "--rerun", "failed", "--allow-numerics-change")
        palinode("status", folder, "--exit-code")


def test_old_results_merge_with_new_ones(tmp_path):
    for version in VERSIONS:
        new = tmp_path / f"{version.name}-new"
        palinode("run", version / "run/job.resolved.yaml", "-o", new, "-q", "--set", "seeds.count=1")
        out = tmp_path / f"{version.name}-all"
        palinode("merge", "-o", out, version / "merged", new, expect=None)
        before = {row["training_id"] for row in exported(version / "merged")}
        assert before <= {row["training_id"] for row in exported(out)}

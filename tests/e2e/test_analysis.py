"""What comes after a run: analyze, export, verify and status, on the results of a real one."""

import csv
import io
import json
import math
import os
import pathlib
import shutil
import signal
import sqlite3
import statistics
import subprocess
import time

import pytest
from conftest import binary, environment, palinode

JOB = """
name: analysis-test
model: {n_layer: [1, 2], n_head: 2, n_embd: 8}
task: {n_dims: 2, n_points: 6}
train: {steps: 30, batch_size: 8, gradient_shards: 4, learning_rate: 1.0e-3}
evaluate: {prompts: 32, critique_quality: [1, 0.5], baselines: [gd, mean, best]}
seeds: {first: 0, count: 3}
"""

T_95_2 = 4.302652729911275  # 0.975 quantile of the t distribution with 2 degrees of freedom


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis")
    (folder / "job.yaml").write_text(JOB)
    palinode("run", folder / "job.yaml", "-o", folder / "results", "-q")
    return folder / "results"


@pytest.fixture
def results(original, tmp_path):
    return pathlib.Path(shutil.copytree(original, tmp_path / "results"))


def rows_of(results, *arguments):
    text = palinode("export", results, "--format", "csv", *arguments).stdout
    return list(csv.DictReader(io.StringIO(text)))


def path_without(program, folder):
    """A PATH on which everything is found but one program."""
    folder.mkdir()
    for directory in os.environ["PATH"].split(":"):
        for entry in pathlib.Path(directory).glob("*"):
            link = folder / entry.name
            if entry.name != program and not link.exists() and not link.is_symlink():
                link.symlink_to(entry)
    return str(folder)


# --- analyze ---------------------------------------------------------------------------------------------------------


def test_analyze_says_what_is_complete_and_prints_a_row_per_configuration(results):
    done = palinode("analyze", results)
    lines = done.stdout.splitlines()
    assert lines[0] == "2 configurations x 3 seeds: 6 of 6 trainings done, 0 diverged, 0 failed; complete"
    assert "only 3 seeds" in lines[1]
    header = next(line for line in lines if "predictor" in line).split()
    assert header == ["q", "n_layer", "self-check", "predictor", "seeds", "nmse", "kendall_tau", "alignment_loss"]
    predictors = [word for line in lines for word in line.split() if word in ("model", "gd", "mean", "best")][1:]
    assert predictors == ["model", "model", "gd", "mean", "best"] * 2  # two depths; for each of two qualities
    assert max(map(len, lines)) <= 100
    assert "At 5 examples" in done.stdout  # N - 1, as it is less than 15
    assert done.stderr.startswith("palinode: wrote ")


def test_analyze_leaves_tables_figures_and_a_report_that_needs_no_network(results):
    palinode("analyze", results, "--png")
    for name in ("summary", "seeds", "trainings", "completeness", "paired", "trends", "claims"):
        assert (results / "tables" / f"{name}.csv").stat().st_size > 0
    names = ("quality", "predictors", "n_layer", "n_layer_at_5", "quality_at_5", "n_layer_by_quality", "training", "cost")
    for name in names:
        for suffix in ("gp", "dat", "svg", "png"):
            assert (results / "figures" / f"{name}.{suffix}").stat().st_size > 0
    report = (results / "report.html").read_text()
    assert report.count("<svg") == len(names) == len(list((results / "figures").glob("*.svg")))
    assert "analysis-test" in report and "n_points: 6" in report
    links = [part for part in report.split('"') if part.startswith(("http:", "https:", "//"))]
    assert all("www.w3.org" in link for link in links)  # names of XML, not places


def test_a_figure_can_be_drawn_again_from_what_lies_beside_it(results):
    palinode("analyze", results)
    picture = results / "figures" / "quality.svg"
    first = picture.read_text()
    picture.unlink()
    subprocess.run(["gnuplot", "quality.gp"], cwd=results / "figures", check=True, timeout=30)
    assert picture.read_text() == first


def test_a_users_settings_of_gnuplot_change_no_figure_neither_when_drawn_nor_when_drawn_again(results, tmp_path):
    palinode("analyze", results, "--png")
    figures = results / "figures"
    first = {path.name: path.read_bytes() for path in figures.iterdir()}
    (tmp_path / ".gnuplot").write_text(
        "set datafile separator ','\nset decimalsign ','\nset encoding iso_8859_1\nset monochrome\n"
        "set linetype 1 linewidth 5 dashtype 2\nset style data histograms\nset logscale y 3\nset label 7 'x' at 1,1\n"
        "set terminal pngcairo size 99,99 dashed rounded linewidth 6 fontscale 7 noenhanced\n"
        "set terminal svg size 99,99 dynamic rounded linewidth 7 fontscale 3 font 'Courier,30' noenhanced\n"
    )
    theirs = {"HOME": str(tmp_path), "GNUTERM": "dumb", "LC_ALL": "C", "GDFONTPATH": "/nowhere"}
    palinode("analyze", results, "--png", env=theirs)
    assert {path.name: path.read_bytes() for path in figures.iterdir()} == first
    for name in ("quality", "n_layer_by_quality", "cost"):
        for arguments, suffix in ([], "svg"), (["-e", "png=1"], "png"):
            (figures / f"{name}.{suffix}").unlink()
            subprocess.run(
                ["gnuplot", *arguments, f"{name}.gp"], cwd=figures, env=environment(theirs), check=True, timeout=30
            )
            assert (figures / f"{name}.{suffix}").read_bytes() == first[f"{name}.{suffix}"]


def test_figures_that_are_no_longer_drawn_go_and_those_of_others_stay(results):
    palinode("analyze", results)
    other = results / "figures" / "mine.gp"
    other.write_text("plot x\n")
    assert (results / "figures" / "n_layer_at_5.svg").exists()
    palinode("analyze", results, "--at", 3)
    names = {path.name for path in (results / "figures").iterdir()}
    assert "n_layer_at_3.svg" in names and not any("at_5" in name for name in names)
    assert other.exists()


def test_means_and_intervals_are_those_of_the_exported_numbers(results):
    summary = json.loads(palinode("analyze", results, "--at", 4, "--json").stdout)
    assert summary["complete"] is True and summary["at"] == 4 and summary["seeds"] == [0, 1, 2]
    assert summary["axes"] == ["model.n_layer", "evaluate.critique_quality"]
    rows = [row for row in rows_of(results) if row["index"] == "4"]
    assert len(summary["configurations"]) == 4 + 2 * 3
    ranges = {"nmse": (0, 2), "kendall_tau": (-1, 1), "alignment_loss": (0, math.inf)}  # what a metric can be
    for configuration in summary["configurations"]:
        settings = configuration["settings"]
        for metric, (least, most) in ranges.items():
            values = [
                float(row["value"])
                for row in rows
                if row["predictor"] == configuration["predictor"]
                and row["metric"] == metric
                and all(float(row[key.replace(".", "_")]) == value for key, value in settings.items())
            ]
            found = configuration[metric]
            assert found["n"] == len(values) == 3
            assert found["mean"] == pytest.approx(statistics.mean(values), rel=1e-12)
            half = T_95_2 * statistics.stdev(values) / math.sqrt(3)
            assert found["high"] == pytest.approx(min(found["mean"] + half, most), rel=1e-9, abs=1e-14)
            assert found["low"] == pytest.approx(max(found["mean"] - half, least), rel=1e-9, abs=1e-14)


def test_rates_that_hardly_differ_are_warned_of_told_apart_and_drawn_and_ten_is_ten(tmp_path):
    job, results = tmp_path / "job.yaml", tmp_path / "results"
    job.write_text("""
model: {n_layer: 1, n_head: 1, n_embd: 4}
task: {n_dims: 2, n_points: 4}
train: {steps: 2, batch_size: 2, gradient_shards: 1, learning_rate: [0.3, 0.30000000000000004, 10]}
evaluate: {prompts: 4, baselines: [mean]}
seeds: {count: 2}
claims: [{id: rate, test: trend, metric: nmse, over: train.learning_rate, direction: increasing}]
""")
    for command in ("run", job, "-o", results, "-q"), ("plan", job, "-o", results, "--rate", 1):
        assert f"{job}:4:75: train.learning_rate: 0.30000000000000004 and 0.3 agree to 12 digits" in palinode(*command).stderr
    text = palinode("analyze", results).stdout
    assert [line.split()[0] for line in text.splitlines() if " model " in line] == ["0.3", "0.30000000000000004", "10"]
    assert "train.learning_rate (0.3, 0.30000000000000004, 10)" in " ".join(text.split())
    assert (results / "figures" / "learning_rate_at_3.svg").exists() and (results / "figures" / "claim_rate.svg").exists()
    assert "learning_rate: [0.3, 0.30000000000000004, 10]" in (results / "job.resolved.yaml").read_text()


def test_several_folders_are_read_as_one(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(JOB + """
claims: [{id: same, test: equivalence, metric: nmse, a: {predictor: model}, b: {predictor: mean}, margin: 2,
          where: {critique_quality: 1}}]""")
    for name, seeds in (("a", "seeds=0,1"), ("b", "seeds=1,2")):
        palinode("run", job, "-o", tmp_path / name, "-q", "--set", "model.n_layer=1", "--set", seeds)
    summary = json.loads(palinode("analyze", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "both", "--json").stdout)
    assert summary["trainings"] == {"asked": 3, "done": 3, "diverged": 0, "failed": 0}
    assert [c["seeds"] for c in summary["configurations"]] == [[0, 1, 2]] * len(summary["configurations"])
    assert (tmp_path / "both" / "report.html").exists() and not (tmp_path / "a" / "report.html").exists()
    (claim,) = summary["claims"]  # both folders declare it
    assert claim["decision"] == "inconclusive" and claim["seeds"] == [0, 1, 2] and claim["p"] == pytest.approx(1 / 8)


def test_what_an_unfinished_run_lacks_is_named(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(JOB)
    palinode("run", job, "-o", tmp_path / "results", "-q", "--limit", 5, "--workers-per-rank", 1, expect=75)
    done = palinode("analyze", tmp_path / "results")
    assert "5 of 6 trainings done" in done.stdout and "complete" not in done.stdout
    assert "2 of 3 seeds; not finished: seed " in done.stdout
    status = palinode("status", tmp_path / "results", "--exit-code", expect=75)
    assert "5 done" in status.stdout


def test_without_gnuplot_tables_are_written_and_the_message_says_what_to_install(results, tmp_path):
    done = palinode("analyze", results, expect=1, env={"PATH": path_without("gnuplot", tmp_path / "bin")})
    assert "gnuplot" in done.stderr and "install" in done.stderr
    assert "kendall_tau" in done.stdout
    assert (results / "tables" / "summary.csv").exists()
    assert "was not drawn" in (results / "report.html").read_text()
    assert not (results / "figures" / "quality.svg").exists()


def test_claims_become_verdicts_and_another_file_can_claim_something_else(results, tmp_path):
    claims = tmp_path / "claims.yaml"
    claims.write_text("""
alpha: 0.5
claims:
  - {id: good-critics-help, test: trend, metric: kendall_tau, over: critique_quality, direction: increasing,
     where: {predictor: gd}}
  - {id: best-errs-more, test: difference, metric: nmse, direction: greater, a: {predictor: best},
     b: {predictor: mean}, where: {critique_quality: 1}}
""")
    analysis = json.loads(palinode("analyze", results, "--claims", claims, "--json").stdout)
    helps, errs = analysis["claims"]
    assert helps["decision"] == "supported" and helps["p"] == pytest.approx(1 / 8) and helps["seeds"] == [0, 1, 2]
    assert errs["decision"] == "contradicted" and errs["p_against"] == pytest.approx(1 / 8)
    assert helps["p_corrected"] == pytest.approx(1 / 4)
    text = palinode("analyze", results, "--claims", claims).stdout
    assert "\nSUPPORTED  good-critics-help\n" in text and "\nCONTRADICTED  best-errs-more\n" in text
    rows = list(csv.DictReader((results / "tables" / "claims.csv").open(newline="")))
    assert [row["decision"] for row in rows] == ["supported", "contradicted"]
    claims.write_text("claims: [{id: x, test: trend, metric: nmse, over: model.n_head, direction: increasing}]")
    refused = palinode("analyze", results, "--claims", claims, expect=65)
    assert "claims.yaml:1:" in refused.stderr and "model.n_head" in refused.stderr
    claims.write_text("alpha: 0.1")
    assert "no claims" in palinode("analyze", results, "--claims", claims, expect=65).stderr
    whole = tmp_path / "job.yaml"
    whole.write_text(JOB.replace("count: 3", "count: 2") + """
claims: [{id: deeper, test: trend, metric: nmse, over: model.n_layer, direction: decreasing,
          where: {critique_quality: 0.5}}]""")
    (claim,) = json.loads(palinode("analyze", results, "--claims", whole, "--json").stdout)["claims"]
    assert claim["id"] == "deeper" and len(claim["arms"]) == 2


# --- export ----------------------------------------------------------------------------------------------------------


def test_csv_and_json_lines_hold_the_same_rows(results):
    rows = rows_of(results)
    lines = [json.loads(line) for line in palinode("export", results, "--format", "jsonl").stdout.splitlines()]
    assert len(rows) == len(lines) == (6 * 2 + 3 * 2 * 3) * 3 * 6  # cells and baselines, metrics, examples
    for row, line in zip(rows, lines):
        assert list(row) == list(line)
        for key, text in row.items():
            value = line[key]
            if value is None:
                assert text == ""
            elif isinstance(value, bool):
                assert text == str(value).lower()
            elif isinstance(value, str):
                assert text == value
            else:
                assert float(text) == value
    assert {row["kind"] for row in rows} == {"examples"}
    assert {row["predictor"] for row in rows} == {"model", "gd", "mean", "best"}
    undefined = [row for row in rows if row["metric"] == "kendall_tau" and int(row["index"]) < 2]
    assert undefined and all(row["value"] == "" for row in undefined)


def test_trainings_losses_and_provenance_are_tables_of_their_own(results, tmp_path):
    trainings = rows_of(results, "--table", "trainings")
    assert len(trainings) == 6 and {row["outcome"] for row in trainings} == {"done"}
    losses = rows_of(results, "--table", "loss")
    assert {row["training_id"] for row in losses} == {row["training_id"] for row in trainings}
    assert max(int(row["step"]) for row in losses) == 30
    palinode("export", results, "--format", "csv", "--table", "provenance", "-o", tmp_path / "runs.csv")
    (run,) = csv.DictReader((tmp_path / "runs.csv").open(newline=""))
    assert run["job_text"] == JOB and run["end_reason"] == "done" and run["trainings_done"] == "6"


def test_a_database_holds_the_rows_of_every_table_with_types_and_indexes(results, tmp_path):
    database = tmp_path / "results.db"
    database.write_text("what was there before")
    palinode("export", results, "--format", "sqlite", "-o", database)
    connection = sqlite3.connect(database)
    for table in ("metrics", "trainings", "loss", "provenance"):
        rows = rows_of(results, "--table", table)
        cursor = connection.execute(f"select * from {table}")
        names = [column[0] for column in cursor.description]
        assert names == list(rows[0])
        stored = cursor.fetchall()
        assert len(stored) == len(rows)
        for row, values in zip(rows, stored):
            for name, value in zip(names, values):
                text = row[name]
                if value is None:
                    assert text == ""
                elif text in ("true", "false"):
                    assert value == (text == "true")
                elif isinstance(value, str):
                    assert value == text
                else:
                    assert value == float(text), name
    (mean,) = connection.execute("select avg(value) from metrics where metric = 'nmse' and kind = 'examples'").fetchone()
    assert mean == pytest.approx(statistics.mean(float(row["value"]) for row in rows_of(results)
                                                 if row["metric"] == "nmse" and row["value"]), rel=1e-12)
    plan = connection.execute("explain query plan select * from loss where training_id = 'x'").fetchone()
    assert "USING INDEX" in plan[-1]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("results.db")] == ["results.db"]


def test_a_database_that_cannot_be_finished_leaves_the_one_before(results, tmp_path):
    database = tmp_path / "results.db"
    palinode("export", results, "--format", "sqlite", "-o", database)
    before = database.read_bytes()
    done = subprocess.run(["prlimit", "--fsize=16384", binary(), "export", results, "--format", "sqlite", "-o", database],
                          env=environment(), text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 74 and str(database) in done.stderr and "cannot be written" in done.stderr
    assert database.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("results.db")] == ["results.db"]


def test_a_disk_that_is_full_leaves_tables_and_exports_of_before_and_names_the_file(results, tmp_path):
    table, export = results / "tables" / "seeds.csv", tmp_path / "metrics.csv"
    palinode("analyze", results)
    palinode("export", results, "--format", "csv", "-o", export)
    before = [path.read_bytes() for path in (table, export, results / "report.html")]
    for path, command in ((table.parent, ["analyze", results]),
                          (export, ["export", results, "--format", "csv", "-o", export])):
        done = subprocess.run(["prlimit", "--fsize=2048", binary(), *command], env=environment(), text=True,
                              capture_output=True, timeout=60, check=False)
        assert done.returncode == 74 and str(path) in done.stderr and "written" in done.stderr, done.stderr
    assert [path.read_bytes() for path in (table, export, results / "report.html")] == before
    assert not list(results.glob("**/*.tmp-*")) and not list(tmp_path.glob("*.tmp-*"))


# --- verify ----------------------------------------------------------------------------------------------------------


def test_a_torn_tail_is_found_cut_off_and_nothing_else_is_lost(results):
    assert all("whole" in line for line in palinode("verify", results).stdout.splitlines())
    before = rows_of(results)
    records = results / "records-0001.tfrecord"
    with records.open("ab") as file:
        file.write(b"\x10\0\0\0")
    assert palinode("verify", results, expect=1).stdout.count("whole") == 1  # the models
    assert "whole" not in palinode("verify", records, expect=1).stdout
    palinode("verify", records, "--repair", expect=64)
    palinode("verify", results / "job.yaml", expect=65)
    warned = palinode("export", results, "--format", "csv")
    assert "records-0001.tfrecord" in warned.stderr
    assert "saved as" in palinode("verify", results, "--repair").stdout
    palinode("verify", results)
    assert rows_of(results) == before


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_tells_how_a_run_ended(results):
    assert "ended" in palinode("status", results, "--exit-code").stdout
    state = json.loads(palinode("status", results, "--json").stdout)
    assert state["state"] == "ended" and state["exit_code"] == 0
    assert state["records"] == {"trainings_done": 6, "trainings_diverged": 0, "trainings_failed": 0, "cells": 12,
                                "baselines": 18}


def test_status_follows_a_run_and_sees_that_it_died(tmp_path):
    job = tmp_path / "job.yaml"
    job.write_text(JOB.replace("steps: 30", "steps: 1000000"))
    run = subprocess.Popen([binary(), "run", job, "-o", tmp_path / "results", "-q"], env=environment(),
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not list((tmp_path / "results").glob("status-*.json")):
            assert time.monotonic() < deadline and run.poll() is None
            time.sleep(0.05)
        state = json.loads(palinode("status", tmp_path / "results", "--json", "--exit-code", expect=75).stdout)
        assert state["state"] == "running" and state["runs"][0]["trainings"]["total"] == 6
        assert "running" in palinode("status", tmp_path / "results").stdout
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    assert "died" in palinode("status", tmp_path / "results", "--exit-code", expect=75).stdout


# --- what users type ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments, code, words", [
    (["analyze"], 64, "usage"),
    (["analyze", "{results}", "--at", "6"], 64, "0 to 5"),
    (["analyze", "{results}", "--at", "x"], 64, "--at"),
    (["analyze", "/nonexistent"], 74, "/nonexistent"),
    (["export", "{results}"], 64, "--format"),
    (["export", "{results}", "--format", "xml"], 64, "csv|jsonl"),
    (["export", "{results}", "--format", "csv", "--table", "x"], 64, "metrics|trainings"),
    (["export", "{results}", "--format", "csv", "-o", "/nonexistent/x.csv"], 74, "/nonexistent/x.csv"),
    (["export", "/nonexistent", "--format", "csv"], 74, "/nonexistent"),
    (["export", "{results}", "--format", "sqlite"], 64, "-o FILE"),
    (["export", "{results}", "--format", "sqlite", "--table", "loss", "-o", "/nonexistent/x.db"], 64, "--table"),
    (["export", "{results}", "--format", "sqlite", "-o", "/nonexistent/x.db"], 74, "/nonexistent/x.db"),
    (["export", "{results}", "--format", "sqlite", "-o", "/dev/null"], 74, "/dev/null"),
    (["verify", "/nonexistent"], 74, "/nonexistent"),
    (["status", "/nonexistent"], 74, "/nonexistent"),
    (["status", "{results}", "extra"], 64, "extra"),
])
def test_a_wrong_command_is_refused_with_the_reason_and_nothing_on_stdout(original, arguments, code, words):
    done = palinode(*[argument.format(results=original) for argument in arguments], expect=code)
    assert words in done.stderr and done.stdout == ""

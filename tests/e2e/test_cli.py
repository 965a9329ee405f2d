"""What a user can type wrong, and what a machine can do to a command: one line that names the place, the right exit
code, nothing lost."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from conftest import binary, environment, palinode

# one training of a few milliseconds
TINY = """
model: {n_layer: 1, n_head: 1, n_embd: 4}
task: {n_dims: 2, n_points: 4}
train: {steps: 3, batch_size: 4, gradient_shards: 4}
evaluate: {prompts: 4, baselines: [mean]}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A folder with the results of TINY."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "tiny.yaml").write_text(TINY)
    palinode("run", folder / "tiny.yaml", "-o", folder / "out", "-q")
    return folder / "out"


def complaint(*args, code, **more):
    """The one line on stderr of a command that fails with code and prints nothing on stdout."""
    done = palinode(*args, expect=code, **more)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("palinode: ") and done.stdout == "", done
    return lines[0].removeprefix("palinode: ")


def test_help_has_no_trailing_blanks_and_fits_the_line():
    commands = re.findall(r"^  ([a-z]+) +\w", palinode("--help").stdout.split("Usage:")[1], re.MULTILINE)
    assert len(commands) >= 18 and "run" in commands and "submit" in commands
    for command in [[], *([name] for name in commands if name != "palinode")]:
        for line in palinode(*command, "--help").stdout.splitlines():
            assert line == line.rstrip() and len(line) <= 120, (command, line)


def test_a_choice_is_one_of_the_words_and_an_empty_argument_is_none():
    assert complaint("run", "x.yaml", "--rerun", "failed|all", code=64) == (
        "--rerun: expected missing|failed|all, not 'failed|all'")
    assert complaint("run", "x.yaml", "-o", "", code=64) == "--output: expected DIR, not ''"
    assert complaint("status", "", code=64) == "an empty argument; usage: palinode status DIR [--json] [--exit-code]"
    assert complaint("plan", "x.yaml", "--hel", code=64) == "unknown option --hel (did you mean --help?)"


def test_a_folder_that_is_missing_or_without_results_is_named(tmp_path, results):
    (tmp_path / "empty").mkdir()
    for args in (["status"], ["analyze"], ["analyze", results], ["export", "--format", "csv"], ["verify"]):
        assert complaint(*args, "gone", code=74, cwd=tmp_path) == "gone: cannot read the folder: No such file or directory"
        assert complaint(*args, "empty", code=65, cwd=tmp_path).startswith("empty: ")
    assert palinode("plan", results.parent / "tiny.yaml", "-o", tmp_path / "gone").returncode == 0


def test_a_pipe_in_place_of_a_record_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "records-0001.tfrecord")
    for args in (["status"], ["export", "--format", "csv"], ["analyze"]):
        assert complaint(*args, tmp_path, code=74, timeout=10).endswith("records-0001.tfrecord: is not a regular file")


@pytest.mark.parametrize("command", ["export", "status", "analyze", "plan", "settings", "run"])
def test_output_that_cannot_be_written_is_an_error(command, results, tmp_path):
    args = {"export": [results, "--format", "csv"], "status": [results], "analyze": [results, "--json", "-o", tmp_path],
            "plan": [results.parent / "tiny.yaml"], "settings": [],
            "run": [results.parent / "tiny.yaml", "-o", results, "-q", "--json"]}[command]
    for redirection in (">/dev/full", ">&-"):
        done = subprocess.run(["sh", "-c", f'"$@" {redirection}', "sh", binary(), command, *map(str, args)],
                              env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        assert done.returncode == 74 and "written" in done.stderr, done


def test_a_run_without_any_standard_stream_leaves_whole_records(tmp_path, results):
    out = tmp_path / "out"
    done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", binary(), "run", results.parent / "tiny.yaml", "-o", out],
                          env=environment(), timeout=60)
    assert done.returncode == 0
    assert palinode("verify", out).stdout.count(": whole\n") == 2


def test_an_export_that_fails_leaves_the_file_as_it_was(tmp_path, results):
    table = tmp_path / "table.csv"
    palinode("export", results, "--format", "csv", "-o", table)
    whole = table.read_bytes()
    assert whole == palinode("export", results, "--format", "csv").stdout.encode()
    complaint("export", tmp_path / "gone", "--format", "csv", "-o", table, code=74)
    assert table.read_bytes() == whole and list(tmp_path.iterdir()) == [table]
    palinode("export", results, "--format", "csv", "-o", "/dev/null")
    assert pathlib.Path("/dev/null").is_char_device()


def test_a_second_run_on_a_folder_in_use_is_refused(tmp_path, results):
    job, out = results.parent / "tiny.yaml", tmp_path / "out"
    first = subprocess.Popen([binary(), "run", job, "-o", out, "-q", "--set", "train.steps=1000000000"], env=environment(),
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 20
        while not (out / "status-0001.json").exists() and time.monotonic() < end:
            time.sleep(0.02)
        message = complaint("run", job, "-o", out, code=75)
        assert message.startswith(f"{out}: run 0001 is going on there") and "status-0001.json" in message
        assert not (out / "records-0002.tfrecord").exists()
        assert palinode("verify", out, "--repair").stdout.count("its run goes on") == 1
    finally:
        first.terminate()
        first.communicate(timeout=30)
    palinode("run", job, "-o", out, "-q")


def test_the_summary_of_a_run_names_its_numbers_as_the_status_does(tmp_path, results):
    out = tmp_path / "out"
    summary = json.loads(palinode("run", results.parent / "tiny.yaml", "-o", out, "-q", "--json").stdout)
    status = json.loads((out / "status-0001.json").read_text())
    assert summary["trainings"]["trained"] == 1 and summary["work"] == {"total": 2, "done": 2, "failed": 0}
    for key in ("segment", "exit_code", "reason", "work", "cells_done", "baselines_done", "first_error"):
        assert summary[key] == status[key]


def test_a_limit_on_the_size_of_files_is_an_error_and_no_death(tmp_path, results):
    done = subprocess.run(["sh", "-c", 'ulimit -f 4; exec "$@"', "sh", binary(), "run", results.parent / "tiny.yaml", "-o",
                           tmp_path / "out", "-q", "--set", "model.n_embd=32"],
                          env=environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 74 and "File too large" in done.stderr, done
    for line in palinode("verify", tmp_path / "out").stdout.splitlines():
        assert ": whole" in line


def test_without_gnuplot_no_figure_is_said_to_be_drawn(tmp_path, results):
    done = palinode("analyze", results, "-o", tmp_path / "out", env={"PATH": str(tmp_path)}, expect=1)
    assert "and 0 figures" in done.stderr and "gnuplot is not on PATH" in done.stderr
    assert (tmp_path / "out" / "report.html").exists() and (tmp_path / "out" / "tables" / "summary.csv").exists()


def test_a_file_whose_header_is_damaged_comes_with_advice(tmp_path, results):
    for file in results.glob("*-0001.tfrecord"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    path = tmp_path / "records-0001.tfrecord"
    data = bytearray(path.read_bytes())
    data[40] ^= 1
    path.write_bytes(data)
    message = complaint("status", tmp_path, code=65)
    assert message.startswith(f"{path}: record 1 at byte 0: ") and message.endswith(": move it away")
    path.rename(tmp_path / "damaged")
    palinode("run", results.parent / "tiny.yaml", "-o", tmp_path, "-q")


def test_every_damaged_file_has_a_warning_line_of_its_own(tmp_path, results):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for file in results.glob("*-0001.tfrecord"):
            (tmp_path / name / file.name).write_bytes(file.read_bytes()[:-3])
    (tmp_path / "a" / "status-0002.json").write_text("[")
    for args in (["analyze", "a", "b", "-o", "out"], ["status", "a"], ["plan", results.parent / "tiny.yaml", "-o", "a"],
                 ["run", results.parent / "tiny.yaml", "-o", "b"]):
        lines = palinode(*args, cwd=tmp_path).stderr.splitlines()
        warnings = [line for line in lines if line.startswith("palinode: warning: ")]
        assert len(warnings) == 2 and all(line.startswith("palinode: ") for line in lines), lines

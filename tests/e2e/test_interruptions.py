"""palinode run under blows: signals to one process only, a dead nursery, a disk that takes no more."""

import json
import os
import pathlib
import resource
import signal
import time

import pytest
import records
from conftest import palinode
from test_run import SMALL, left_behind, processes, start, wait_for_trial, write

LONGER = SMALL.replace("steps: 30", "steps: 1500")


@pytest.fixture(scope="module")
def proto():
    return records.schema()


@pytest.fixture(scope="module")
def calm(tmp_path_factory, proto):
    """What an undisturbed run of LONGER finds."""
    folder = tmp_path_factory.mktemp("calm")
    palinode("run", write(folder, LONGER), "-o", folder / "out")
    return records.results(folder / "out", proto)


def last_record(out, segment, proto):
    *_, end = records.read(out / f"records-{segment}.tfrecord", proto)
    return end.end if end.HasField("end") else None


def rank_of(pid):
    variables = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return [int(each.split(b"=")[1]) for each in variables if each.startswith(b"OMPI_COMM_WORLD_RANK=")]


def test_a_signal_that_the_caller_ignores_stays_ignored(tmp_path, proto, calm):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1,
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))  # as nohup does
    wait_for_trial(run.pid)
    run.send_signal(signal.SIGHUP)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 0, said
    assert records.results(out, proto) == calm


def test_a_signal_to_any_one_rank_ends_the_run_and_the_next_goes_on(tmp_path, proto, calm):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, mpirun=2)
    wait_for_trial(run.pid)
    below = processes(run.pid)
    (other,) = [pid for pid, (name, _) in below.items() if name == "palinode" and rank_of(pid) == [1]]
    os.kill(other, signal.SIGTERM)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 75 and "rank 1 was told to end" in said, said
    assert not left_behind(below)
    assert last_record(out, "0001", proto).reason == "interrupted"
    palinode("run", job, "-o", out)
    assert records.results(out, proto) == calm


def test_a_reader_of_messages_that_goes_away_does_not_end_the_run(tmp_path, proto, calm):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1)
    assert "4 trainings" in run.stderr.readline()
    run.stderr.close()
    assert run.wait(timeout=60) == 0
    run.stdout.close()
    assert records.results(out, proto) == calm


@pytest.mark.parametrize("ranks", [None, 2])
def test_a_run_whose_nursery_dies_says_so_and_the_next_goes_on(tmp_path, proto, calm, ranks):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, mpirun=ranks)
    wait_for_trial(run.pid)
    below = processes(run.pid)
    os.kill(max(pid for pid, (name, _) in below.items() if name == "palinode:nurse"), signal.SIGKILL)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 74 and "the process that starts trainings" in said, said
    time.sleep(0.2)
    assert not left_behind(below)
    palinode("run", job, "-o", out)
    assert records.results(out, proto) == calm


def test_a_disk_that_takes_no_more_ends_the_run_and_keeps_what_it_had(tmp_path, proto, calm):
    job, out = write(tmp_path, LONGER), tmp_path / "out"

    def small_files():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))

    run = start("run", job, "-o", out, "--workers-per-rank", 2, preexec_fn=small_files)
    wait_for_trial(run.pid)
    below = processes(run.pid)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 74 and "-0001.tfrecord: cannot append" in said and "File too large" in said, said
    assert not left_behind(below)
    assert '"exit_code": 74' in (out / "status-0001.json").read_text()
    before = records.results(out, proto)
    assert before and before.items() < calm.items()
    palinode("run", job, "-o", out)
    assert records.results(out, proto) == calm


def test_a_run_whose_records_are_removed_or_whose_folder_is_renamed_ends_with_an_error(tmp_path, proto, calm):
    job = write(tmp_path, LONGER)
    for name, blow in ("removed", lambda out: (out / "records-0001.tfrecord").unlink()), \
                      ("renamed", lambda out: out.rename(tmp_path / "elsewhere")):
        out = tmp_path / name
        run = start("run", job, "-o", out, "--workers-per-rank", 1)
        wait_for_trial(run.pid)
        blow(out)
        _, said = run.communicate(timeout=60)
        assert run.returncode == 74 and str(out) in said, said
        palinode("run", job, "-o", out)
        assert records.results(out, proto) == calm


def test_the_end_record_counts_what_its_own_run_did(tmp_path, proto):
    job, out = write(tmp_path, LONGER.replace("baselines: [gd, mean]", "baselines: []")), tmp_path / "out"
    options = ["run", job, "-o", out, "--workers-per-rank", 1, "--retries", 0]
    run = start(*options)
    os.kill(wait_for_trial(run.pid), signal.SIGKILL)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 1, said
    first = last_record(out, "0001", proto)
    assert (first.trainings_done, first.trainings_failed, first.cells_done) == (3, 1, 9)
    palinode(*options, "--rerun", "failed")
    second = last_record(out, "0002", proto)
    assert (second.trainings_done, second.trainings_failed, second.cells_done) == (1, 0, 3)
    palinode(*options, "--rerun", "all")
    third = last_record(out, "0003", proto)
    assert (third.trainings_done, third.trainings_failed, third.cells_done) == (4, 0, 12)


def test_more_failures_than_allowed_end_the_run_with_76_and_nothing_counts_as_running(tmp_path, proto, calm):
    job, out = write(tmp_path, LONGER), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 2, "--retries", 0, "--max-failures", 1)
    while run.poll() is None:
        for pid, (name, _) in processes(run.pid).items():
            try:
                if name == "palinode:trial":
                    os.kill(pid, signal.SIGSEGV)
            except ProcessLookupError:
                pass
        time.sleep(0.02)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 76 and "killed by signal 11" in said and "too many failures after" in said, said
    status = json.loads(palinode("status", out, "--json").stdout)
    assert status["exit_code"] == 76 and status["runs"][0]["trainings"]["running"] == 0
    assert "first error" in palinode("status", out).stdout
    palinode("run", job, "-o", out, "--rerun", "failed")
    assert records.results(out, proto) == calm


def test_a_limit_that_is_just_enough_ends_with_all_done(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--limit", 3, expect=75)
    palinode("run", job, "-o", out, "--limit", 1, expect=0)


def test_a_second_ctrl_c_does_not_wait_for_what_cannot_save(tmp_path):
    job, out = write(tmp_path, LONGER.replace("1500", "20000")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1)
    os.kill(wait_for_trial(run.pid), signal.SIGSTOP)
    below = processes(run.pid)
    run.send_signal(signal.SIGINT)
    end = time.monotonic() + 10
    while '"draining": true' not in (out / "status-0001.json").read_text():
        assert run.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=15)  # it would have waited for 20 s
    assert run.returncode == 75 and "interrupted twice: stopping at once" in said, said
    assert not left_behind(below)

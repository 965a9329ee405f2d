"""Blows at random moments: the whole run killed, told to save, a rank or a child lost, a disk that is full. Whatever was
hit, running again gives the records of an undisturbed run, bit for bit."""

import json
import os
import random
import signal
import subprocess
import time

import pytest
import records
from conftest import binary, environment, palinode
from test_interruptions import rank_of
from test_run import SMALL, left_behind, processes, start, wait_for_trial, write

GRID = SMALL.replace("steps: 30", "steps: 800")
OFTEN = ["--checkpoint-every", "0.05", "--workers-per-rank", 1]


@pytest.fixture(scope="module")
def proto():
    return records.schema()


class Calm:
    """What an undisturbed run of GRID finds, and how long it takes here and now."""

    def __init__(self, folder, proto):
        self.job, self.proto = write(folder, GRID), proto
        begin = time.monotonic()
        palinode("run", self.job, "-o", folder / "out", *OFTEN, mpirun=2)
        self.seconds = time.monotonic() - begin
        self.results = records.results(folder / "out", proto)

    def check(self, out):
        palinode("verify", out, "--repair")  # torn tails are what a crash may leave
        assert records.results(out, self.proto) == self.results


@pytest.fixture(scope="module")
def calm(tmp_path_factory, proto):
    return Calm(tmp_path_factory.mktemp("calm"), proto)


@pytest.fixture(autouse=True)
def litter(tmp_path, monkeypatch):
    """What killed processes of Open MPI leave behind goes with the test's folder."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def kill_all(run):
    """Kills mpirun, ranks, nurseries and children, which have no time for a last word."""
    below = processes(run.pid)
    for pid in [run.pid, *below]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    run.communicate(timeout=60)
    deadline = time.monotonic() + 60
    while left_behind(below) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not left_behind(below)


def killed_again_and_again(calm, folder, kills, seed):
    """Kills runs at random moments, each going on where the one before was; a folder that is finished is checked."""
    moments = random.Random(seed)
    done, folders = 0, 0
    while done < kills:
        out = folder / f"out-{folders}"
        run = start("run", calm.job, "-o", out, *OFTEN, mpirun=2)
        try:
            run.wait(timeout=moments.uniform(0, 0.8) * calm.seconds)
        except subprocess.TimeoutExpired:
            kill_all(run)
            done += 1
            continue
        _, said = run.communicate()
        assert run.returncode == 0, said
        calm.check(out)
        folders += 1
    palinode("run", calm.job, "-o", folder / f"out-{folders}", mpirun=2)
    calm.check(folder / f"out-{folders}")


def test_a_run_killed_whole_at_20_random_moments_ends_with_the_same_records(calm, tmp_path):
    killed_again_and_again(calm, tmp_path, 20, seed=1)


def test_a_run_killed_whole_at_100_random_moments_ends_with_the_same_records_long(calm, tmp_path):
    killed_again_and_again(calm, tmp_path, 100, seed=2)


@pytest.mark.parametrize("ranks", [None, 2])
def test_runs_told_to_save_at_random_moments_end_with_the_same_records(calm, tmp_path, ranks):
    moments, out = random.Random(3), tmp_path / "out"
    saved = 0
    for _ in range(40):
        run = start("run", calm.job, "-o", out, "--workers-per-rank", 1, mpirun=ranks)
        while "trainings," not in run.stderr.readline():  # from here on the signal is watched for
            assert run.poll() is None
        time.sleep(moments.uniform(0.05, 0.4) * calm.seconds)
        run.send_signal(signal.SIGUSR1)
        _, said = run.communicate(timeout=60)
        assert run.returncode in (0, 75), said
        saved += run.returncode == 75
        if run.returncode == 0:
            break
    else:
        palinode("run", calm.job, "-o", out)
    assert saved > 0
    calm.check(out)
    assert not (out / "checkpoints").exists()


def test_of_three_ranks_any_may_be_killed(calm, tmp_path):
    moments, out = random.Random(4), tmp_path / "out"
    for rank in (0, 1, 2):
        run = start("run", calm.job, "-o", out, *OFTEN, mpirun=3)
        wait_for_trial(run.pid)
        time.sleep(moments.uniform(0, 0.2) * calm.seconds)
        below = processes(run.pid)
        agents = [pid for pid, (name, _) in below.items() if name == "palinode" and rank_of(pid) == [rank]]
        for pid in agents:  # none: the run was over before
            os.kill(pid, signal.SIGKILL)
        run.communicate(timeout=60)
        assert run.returncode != 0 or not agents
        deadline = time.monotonic() + 30
        while left_behind(below) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not left_behind(below)
    palinode("run", calm.job, "-o", out, mpirun=3)
    calm.check(out)


def test_children_killed_at_random_moments_of_three_ranks_are_done_again(calm, tmp_path):
    moments, out = random.Random(5), tmp_path / "out"
    run = start("run", calm.job, "-o", out, *OFTEN, "--retries", 20, mpirun=3)
    hit = 0
    while hit < 6 and run.poll() is None:
        children = [pid for pid, (name, _) in processes(run.pid).items() if name == "palinode:trial"]
        if children:
            try:
                os.kill(moments.choice(children), signal.SIGKILL)
                hit += 1
            except ProcessLookupError:
                pass
        time.sleep(moments.uniform(0, 0.1) * calm.seconds)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0 and "trying it again" in said, said
    calm.check(out)


FULL_DISK = """
mount -t tmpfs -o size=44k tmpfs "$4" || exit 99
"$1" run "$2" -o "$4/out" --workers-per-rank 2; echo "code $?"
cp -r "$4/out" "$3/full"
mount -o remount,size=10m "$4" || exit 99
"$1" run "$2" -o "$4/out"; echo "code $?"
cp -r "$4/out" "$3/done"
"""


def test_a_full_disk_is_an_error_that_loses_nothing(calm, tmp_path, proto):
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["unshare", "--mount", "sh", "-c", FULL_DISK, "sh", binary(), calm.job, tmp_path, disk],
                          env=environment(), text=True, capture_output=True, timeout=120, check=False)
    if done.returncode in (1, 99) and "code" not in done.stdout:
        pytest.skip("a small file system needs the right to mount one; a limit on file sizes stands for it elsewhere")
    assert done.stdout.split() == ["code", "74", "code", "0"], done.stderr
    assert "-0001.tfrecord: cannot append" in done.stderr and "No space left on device" in done.stderr
    palinode("verify", tmp_path / "full")  # no torn record is left
    before = records.results(tmp_path / "full", proto)
    assert before and before.items() < calm.results.items()
    first = (tmp_path / "full" / "records-0001.tfrecord").read_bytes()
    assert (tmp_path / "done" / "records-0001.tfrecord").read_bytes() == first
    calm.check(tmp_path / "done")
    status = json.loads(palinode("status", tmp_path / "done", "--json").stdout)
    assert status["records"]["trainings_done"] == 4

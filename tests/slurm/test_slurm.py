"""Jobs under a real Slurm: submitted, preempted, cancelled, requeued, chained, shared by an array; the records are always the
same, bit for bit."""

import json
import os
import pathlib
import signal
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import cluster
import records
from conftest import binary, environment, palinode

# four trainings of two seconds of a quiet core each, so that there is time to disturb them
GRID = """
name: grid
model: {n_layer: [1, 2], n_head: 2, n_embd: 16}
task: {n_dims: 3, n_points: 8}
train: {steps: 5000, batch_size: 16, gradient_shards: 4, learning_rate: 1.0e-3}
evaluate: {prompts: 20, critique_quality: [1, 0], baselines: [gd, mean]}
seeds: {first: 0, count: 2}
"""
QUICK = ("--set", "train.steps=30")
PATIENCE_S = 150  # for whatever takes seconds on a quiet machine


@pytest.fixture(scope="session")
def proto():
    return records.schema()


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """One node of eight CPUs."""
    yield from started(tmp_path_factory, 1)


@pytest.fixture(scope="session")
def three_nodes(tmp_path_factory):
    yield from started(tmp_path_factory, 3)


def started(tmp_path_factory, nodes):
    if cluster.missing():
        pytest.skip(f"Slurm is not installed and could not be (cli/setup --tests): no {', '.join(cluster.missing())}")
    running = cluster.Cluster(tmp_path_factory.mktemp("slurm"), nodes)
    yield running
    running.stop()


@pytest.fixture
def job(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(GRID)
    return path


def submit(slurm, *args, env=None, **kwargs):
    """The number that palinode submit prints."""
    return palinode("submit", *args, env={**slurm.environment, **(env or {})}, **kwargs).stdout.strip()


def wait(out, expect=0):
    palinode("wait", out, "--timeout", PATIENCE_S, expect=expect, timeout=2 * PATIENCE_S)


def log(out):
    return "".join(path.read_text() for path in sorted(pathlib.Path(out).glob("slurm-*.out")))


def until(condition, out):
    return cluster.until(condition, PATIENCE_S, lambda: log(out))


def ended(slurm, number, out):
    """The state of a job that runs no more and does not wait."""
    states = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL")
    return until(lambda: (state := slurm.job(number).get("JobState")) in states and state, out)


def status_files(out):
    return [json.loads(path.read_text()) for path in sorted(pathlib.Path(out).glob("status-*.json"))]


def trains(out):
    """Waits until a training has told of its loss."""
    until(lambda: "(loss " in log(out), out)


def warn(slurm, number):
    """What Slurm does ahead of the walltime's end."""
    slurm.call("scancel", "--batch", "--signal=USR1", number)


def undisturbed(tmp_path, job, proto, *options):
    palinode("run", job, "-o", tmp_path / "calm", "--workers-per-rank", 2, *options, timeout=PATIENCE_S)
    return records.results(tmp_path / "calm", proto)


def undisturbed_and_too_short(tmp_path, job, proto, *options):
    """The records of an undisturbed run, and a time limit that does not suffice, whatever this machine is busy with."""
    begin = time.monotonic()
    expected = undisturbed(tmp_path, job, proto, *options)
    return expected, {"PALINODE_TIME_LIMIT": f"{max(1.0, 0.4 * (time.monotonic() - begin)):.2f}s"}


def in_a_step(slurm, tasks, mpi, script):
    """What srun's tasks say that run a line of shell each."""
    command = ["srun", f"--ntasks={tasks}", f"--mpi={mpi}", "sh", "-c", f"{{ {script}; }} 2>&1", "sh", binary()]
    return slurm.call(*command, check=False, timeout=PATIENCE_S, env=environment(slurm.environment))


def test_palinode_in_the_shell_of_srun_is_one_rank_and_tasks_without_pmix_are_refused_once(slurm, tmp_path, job):
    options = f"-o {tmp_path}/out --set train.steps=30 --workers-per-rank 1"
    for mpi in ("none", "pmix"):
        once = f'"$1" run {job} {options}; echo code $?'
        said = in_a_step(slurm, 1, mpi, f"{once}; {once}")
        assert said.count("on 1 rank") == 2 and said.count("code 0") == 2 and "MPI" not in said, said
    said = in_a_step(slurm, 2, "none", f'"$1" run {job} {options}; echo code $?')
    assert said.count("code 74") == 2 and said.count("palinode:") == said.count("srun --mpi=pmix") == 1, said


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_quick_job_runs_with_mpirun_and_with_srun_whatever_its_paths_are(slurm, tmp_path, job, proto, launcher):
    place = tmp_path / "it's a \"place\" of $HOME"
    place.mkdir()
    number = submit(slurm, "../job.yaml", "-o", "-out `id` & more", "--time", "5m", "--ntasks-per-node", 2, *QUICK,
                    "--launcher", launcher, cwd=place)
    out = place / "-out `id` & more"
    wait(out)
    assert ended(slurm, number, out) == "COMPLETED" and slurm.job(number)["ExitCode"] == "0:0"
    assert f"===== Slurm job {number}, restart 0: 0 of 4 trainings done =====" in log(out)
    assert "on 2 ranks with 2 workers" in log(out) and "\r" not in log(out)
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto, *QUICK)


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_job_that_is_warned_of_the_end_of_its_time_goes_back_into_the_queue_and_on_where_it_was(
        slurm, tmp_path, job, proto, launcher):
    out = tmp_path / "out"
    number = submit(slurm, job, "-o", out, "--time", "10m", "--ntasks-per-node", 2, "--launcher", launcher)
    trains(out)
    warn(slurm, number)
    wait(out)
    assert ended(slurm, number, out) == "COMPLETED"
    assert slurm.job(number)["Restarts"] == "1"
    assert [status["exit_code"] for status in status_files(out)] == [75, 0]
    assert [f"Slurm job {number}, restart {i}: " in log(out) for i in range(3)] == [True, True, False]
    assert "Signal: Segmentation fault" not in log(out)  # of mpirun, when it is signalled while a rank leaves
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto)


def test_a_job_whose_time_is_too_short_for_the_grid_ends_before_it_is_over_and_finishes_over_several(
        slurm, tmp_path, job, proto):
    out, steps = tmp_path / "out", ("--set", "train.steps=6000")
    expected, limit = undisturbed_and_too_short(tmp_path, job, proto, *steps)
    number = submit(slurm, job, "-o", out, "--time", "10m", "--ntasks-per-node", 2, *steps, env=limit)
    wait(out)
    assert ended(slurm, number, out) == "COMPLETED" and int(slurm.job(number)["Restarts"]) >= 1, log(out)
    *early, last = status_files(out)
    assert {(status["exit_code"], status["reason"]) for status in early} == {(75, "deadline")} and last["exit_code"] == 0
    assert records.results(out, proto) == expected


def test_a_walltime_of_a_minute_is_enough_for_a_grid_that_takes_longer_long(slurm, tmp_path, job, proto):
    out = tmp_path / "out"
    number = submit(slurm, job, "-o", out, "--time", "1m", "--set", "train.steps=20000")
    palinode("wait", out, "--timeout", 600, timeout=700)
    assert ended(slurm, number, out) == "COMPLETED" and int(slurm.job(number)["Restarts"]) >= 1, log(out)
    assert "TIME LIMIT" not in log(out)
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto, "--set", "train.steps=20000")


def preempt(slurm, tmp_path, job, proto, *options):
    out = tmp_path / "out"
    number = submit(slurm, job, "-o", out, "--time", "10m", "--partition", "low", "--ntasks-per-node", 2, *options)
    trains(out)
    urgent = slurm.call("sbatch", "--parsable", "--partition=high", "--exclusive", "--output=/dev/null", "--wrap=true").strip()
    assert ended(slurm, urgent, out) == "COMPLETED"
    wait(out)
    assert ended(slurm, number, out) == "COMPLETED"
    assert slurm.job(number)["Restarts"] == "1"
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto)


def test_a_job_that_another_preempts_goes_on_where_it_was(slurm, tmp_path, job, proto):
    preempt(slurm, tmp_path, job, proto)


def test_a_job_of_srun_that_another_preempts_goes_on_where_it_was_long(slurm, tmp_path, job, proto):
    preempt(slurm, tmp_path, job, proto, "--launcher", "srun")


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_cancelled_job_stays_cancelled_and_the_next_submission_goes_on(slurm, tmp_path, job, proto, launcher):
    out = tmp_path / "out"
    options = (job, "-o", out, "--time", "10m", "--ntasks-per-node", 2, "--launcher", launcher)
    number = submit(slurm, *options)
    trains(out)
    slurm.call("scancel", number)
    assert ended(slurm, number, out) == "CANCELLED"
    until(lambda: not slurm.call("squeue", "-h").strip(), out)
    palinode("status", out, "--exit-code", expect=75)
    time.sleep(2)
    assert slurm.job(number)["JobState"] == "CANCELLED" and slurm.job(number)["Restarts"] == "0", log(out)
    assert ended(slurm, submit(slurm, *options), out) == "COMPLETED"
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto)


def training_children(slurm):
    """The pids of training children in jobs of this Slurm."""
    mark = f"SLURM_CONF={slurm.environment['SLURM_CONF']}".encode()
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if (path / "comm").read_text().strip() == "palinode:trial" and mark in (path / "environ").read_bytes():
                yield int(path.name)
        except OSError:
            continue


def test_a_job_with_a_training_that_fails_ends_as_failed_with_exit_code_1(slurm, tmp_path, job):
    out = tmp_path / "out"
    number = submit(slurm, job, "-o", out, "--time", "10m", "--set", "seeds.count=1", "--set", "evaluate.baselines=[]",
                    env={"PALINODE_RETRIES": "0"})
    trains(out)
    (child,) = training_children(slurm)
    os.kill(child, signal.SIGKILL)
    wait(out, expect=1)
    assert ended(slurm, number, out) == "FAILED" and slurm.job(number)["ExitCode"] == "1:0"
    assert slurm.job(number)["Restarts"] == "0"
    assert "killed by signal 9" in log(out)


def test_a_chain_of_jobs_does_what_requeueing_does_and_ends_when_all_is_done(slurm, tmp_path, job, proto):
    out = tmp_path / "out"
    first = submit(slurm, job, "-o", out, "--time", "10m", "--ntasks-per-node", 2, "--chain")
    trains(out)
    warn(slurm, first)
    wait(out)
    assert slurm.job(first)["Restarts"] == "0" and slurm.job(first)["ExitCode"] == "75:0"
    second, third = str(int(first) + 1), str(int(first) + 2)
    assert ended(slurm, second, out) == "COMPLETED"
    assert ended(slurm, third, out) == "CANCELLED"
    assert not slurm.call("squeue", "-h").strip()
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto)


def test_a_chain_whose_runs_cannot_begin_ends_with_a_held_job(slurm, tmp_path, job):
    out = tmp_path / "out"
    out.mkdir()
    script = palinode("submit", job, "-o", out, "--time", "10m", "--chain", "--print").stdout
    assert "exec mpirun" in script
    first = slurm.call("sbatch", "--parsable", input=script.replace("exec mpirun", "exec /nowhere/mpirun")).strip()
    assert ended(slurm, first, out) == "FAILED"
    time.sleep(3)
    second = slurm.job(int(first) + 1)
    assert second["JobState"] == "PENDING" and second["Reason"] == "JobHeldUser"
    assert slurm.call("squeue", "-h", "-o", "%i").split() == [second["JobId"]]
    slurm.call("scancel", second["JobId"])


def test_the_jobs_of_an_array_share_a_folder_and_go_on_each_for_itself(slurm, tmp_path, job, proto):
    out = tmp_path / "out"
    number = submit(slurm, job, "-o", out, "--time", "10m", "--array", 3)
    trains(out)
    last = f"{number}_3"  # whose number is that of the whole array
    until(lambda: "(loss " in (out / f"slurm-{last}.out").read_text(), out)
    warn(slurm, last)
    wait(out)
    restarts = {}
    for task in range(1, 4):
        until(lambda: slurm.job(f"{number}_{task}")["JobState"] == "COMPLETED", out)
        restarts[task] = slurm.job(f"{number}_{task}")["Restarts"]
    assert restarts == {1: "0", 2: "0", 3: "1"}, log(out)
    assert f"===== Slurm job {last}, restart 1: " in log(out)
    expected = undisturbed(tmp_path, job, proto)
    assert records.results(out, proto) == expected
    trained = [record for path in out.glob("records-*") for record in records.read(path, proto) if record.HasField("training")]
    assert len(trained) == 4, "a training was done twice"
    palinode("merge", "-o", tmp_path / "merged", out)
    assert records.results(tmp_path / "merged", proto) == expected


def test_every_job_of_an_array_may_be_a_chain_of_its_own_long(slurm, tmp_path, job, proto):
    out, steps = tmp_path / "out", ("--set", "train.steps=6000")
    expected, limit = undisturbed_and_too_short(tmp_path, job, proto, *steps)
    submit(slurm, job, "-o", out, "--time", "10m", "--array", 2, "--chain", *steps, env=limit)
    wait(out)
    until(lambda: not slurm.call("squeue", "-h").strip(), out)
    assert {(status["shard"]["index"], status["exit_code"]) for status in status_files(out)} == {(1, 75), (1, 0), (2, 75), (2, 0)}
    assert records.results(out, proto) == expected


@pytest.mark.parametrize("sequel", [(), ("--chain",)])
def test_two_runs_that_gain_nothing_end_the_requeueing_and_the_chain(slurm, tmp_path, job, sequel):
    out = tmp_path / "out"
    first = submit(slurm, job, "-o", out, "--time", "10m", *sequel, env={"PALINODE_TIME_LIMIT": "0.1s"})
    second = str(int(first) + 1) if sequel else first
    assert ended(slurm, second, out) == "FAILED", log(out)
    until(lambda: not slurm.call("squeue", "-h").strip(), out)
    assert [status["exit_code"] for status in status_files(out)][0] == 75
    assert slurm.job(second)["ExitCode"] not in ("0:0", "75:0") and slurm.job(second)["Restarts"] == ("0" if sequel else "1")
    assert "running it again would gain nothing" in log(out)


@pytest.mark.parametrize("launcher", ["mpirun", "srun"])
def test_a_job_over_three_nodes_gives_the_same_records(three_nodes, tmp_path, job, proto, launcher):
    out = tmp_path / "out"
    submit(three_nodes, job, "-o", out, "--nodes", 3, "--ntasks-per-node", 1, "--cpus-per-task", 2, "--time", "5m", *QUICK,
           "--launcher", launcher)
    wait(out)
    assert "on 3 ranks with 6 workers" in log(out)
    assert records.results(out, proto) == undisturbed(tmp_path, job, proto, *QUICK)

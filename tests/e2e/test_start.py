"""The start of palinode run: who started it, what it has to have, and signals before its loop begins."""

import json
import os
import resource
import signal
import socket
import subprocess
import time

import pytest
from conftest import PROJECT, binary, environment, palinode
from test_run import SMALL, SLOW, processes, start, wait_for_trial, write

# As many trainings as a grid may have: they are counted for seconds, and before that nothing is made.
LARGE = f"""
model: {{n_layer: {list(range(1, 25))}, n_head: 1}}
seeds: {{count: 400000}}
"""

# What srun sets for the one task of `srun --pty bash`.
SRUN = {"SLURM_JOB_ID": "123", "SLURM_STEPID": "0", "SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
        "SLURM_NTASKS": "1", "SLURM_NPROCS": "1", "SLURM_NNODES": "1", "SLURM_TASKS_PER_NODE": "1",
        "SLURM_NODELIST": socket.gethostname(), "SLURM_JOB_NODELIST": socket.gethostname(),
        "SLURM_JOB_END_TIME": str(int(time.time()) + 86400)}


def words_of_palinode(done):
    """The lines of stderr that are palinode's own, without their time."""
    return [line for line in done.stderr.splitlines() if line.startswith("palinode: ")]


def preloaded(name, folder):
    """A library of tests/fault, built in folder."""
    library = folder / f"{name}.so"
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, PROJECT / f"tests/fault/{name}.c", "-ldl"],
                   check=True)
    return library


# --- who started it -------------------------------------------------------------------------------------------------


def test_in_the_shell_of_srun_the_program_is_one_rank(tmp_path):
    done = palinode("run", write(tmp_path, SMALL), "-o", tmp_path / "out", env=SRUN)
    assert "on 1 rank" in done.stderr and "MPI" not in done.stderr, done.stderr


def test_tasks_of_srun_that_pmix_does_not_tie_together_are_refused_in_one_line(tmp_path):
    job = write(tmp_path, SMALL)
    first = palinode("run", job, "-o", tmp_path / "out", env={**SRUN, "SLURM_STEP_NUM_TASKS": "2"}, expect=74)
    assert "srun --mpi=pmix" in first.stderr and first.stderr.count("\n") == 1, first.stderr
    second = palinode("run", job, "-o", tmp_path / "out", expect=74,
                      env={**SRUN, "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"})
    assert second.stderr == "" and not (tmp_path / "out").exists()


def test_an_mpi_that_cannot_start_is_told_in_a_last_line_with_code_74(tmp_path):
    job = write(tmp_path, SMALL)
    for broken in ({"OMPI_MCA_pml": "none_such"}, {"OMPI_MCA_ess": "^singleton", "OMPI_MCA_orte_tmpdir_base": "/dev/null"}):
        done = palinode("run", job, "-o", tmp_path / "out", env=broken, expect=74)
        assert "MPI could not be started" in done.stderr.splitlines()[-1], done.stderr


def test_what_mpi_needs_of_the_machine_is_asked_for_before_it_starts(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    done = palinode("run", job, "-o", out, env={"TMPDIR": str(job)}, expect=74)  # a file
    assert done.stderr.count("\n") == 1 and "set TMPDIR to a folder" in done.stderr, done.stderr
    few = subprocess.run(["sh", "-c", 'ulimit -n 14; exec "$@"', "sh", binary(), "run", job, "-o", out], text=True,
                         env=environment(), capture_output=True, check=False)
    assert few.returncode == 74 and few.stderr.count("\n") == 1 and "ulimit -n" in few.stderr, few.stderr
    palinode("run", job, "-o", out, env={"TMPDIR": str(tmp_path / "new")})  # MPI makes one that is not there


def with_little_memory(*args, kib=150000):
    command = ["sh", "-c", f'ulimit -v {kib}; exec "$@"', "sh", binary(), *map(str, args)]
    if subprocess.run([*command[:5], "--version"], env=environment(), capture_output=True, check=False).returncode != 0:
        pytest.skip("the program is too large for the limit, perhaps by a sanitizer")
    return subprocess.run(command, env=environment(), text=True, capture_output=True, check=False, timeout=60)


def test_a_process_that_cannot_have_the_memory_of_openblas_says_so_and_does_not_spin(tmp_path):
    job = write(tmp_path, SMALL)
    one = with_little_memory("train", job, "--set", "model.n_layer=1", "--set", "seeds=0", "-o", tmp_path / "x.safetensors")
    assert one.returncode == 74 and "OpenBLAS" in one.stderr and "ulimit -v" in one.stderr, one.stderr
    assert not (tmp_path / "x.safetensors").exists()
    run = with_little_memory("run", job, "-o", tmp_path / "out", "--retries", 0)
    assert run.returncode == 74 and "the machine's fault" in run.stderr and "giving it up" not in run.stderr, run.stderr
    palinode("run", job, "-o", tmp_path / "out")  # nothing counts as failed
    least = with_little_memory("run", job, "-o", tmp_path / "out", kib=85000)
    assert least.returncode == 74 and least.stderr.count("\n") == 1 and "ulimit -v" in least.stderr, least.stderr


def test_a_wrong_command_line_is_told_once_for_all_ranks(tmp_path):
    job = write(tmp_path, SMALL)
    for args in (["run", job, "--bogus"], ["run"], ["run", job, "--shard", "3/2"], ["rnu", job], ["plan", "--bogus"]):
        done = palinode(*args, mpirun=3, expect=64)
        assert len(words_of_palinode(done)) == 1, done.stderr
    helped = palinode("run", "--help", mpirun=2).stdout
    assert helped.count("Usage: palinode run") == 1


def test_ranks_with_different_command_lines_are_refused(tmp_path):
    first, second = write(tmp_path, SMALL, "a.yaml"), write(tmp_path, SMALL, "b.yaml")
    launch = ["--oversubscribe", "--bind-to", "none", "-n", 1, binary(), "run", first, "-o", tmp_path / "out", ":", "-n", 1]
    done = palinode("run", second, "-o", tmp_path / "out", mpirun=launch, expect=64)
    (said,) = words_of_palinode(done)
    assert "a.yaml" in said and "b.yaml" in said and "rank 1" in said
    done = palinode("run", first, "-o", tmp_path / "out", "--bogus", mpirun=launch, expect=64)
    assert words_of_palinode(done) == ["palinode: rank 1: unknown option --bogus; palinode run --help lists them"]
    assert not (tmp_path / "out").exists()


# --- signals --------------------------------------------------------------------------------------------------------


def wait_until(question, seconds=20):
    end = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_ends_a_run_that_waits_for_its_job_file(tmp_path, number):
    os.mkfifo(tmp_path / "job.yaml")
    run = start("run", tmp_path / "job.yaml", "-o", tmp_path / "out")
    wait_until(lambda: "palinode:nurse" in [name for name, _ in processes(run.pid).values()])
    time.sleep(0.3)
    run.send_signal(number)
    _, said = run.communicate(timeout=20)
    if run.returncode != -number:  # it came before signals were watched
        assert run.returncode == 75 and "ended before anything was begun" in said and said.count("\n") == 1, said
    assert not (tmp_path / "out").exists()


def test_a_signal_ends_a_run_that_plans_and_nothing_counts_as_running(tmp_path):
    job, out = write(tmp_path, LARGE), tmp_path / "out"
    run = start("run", job, "-o", out)
    wait_until(out.exists)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 75 and "ended before anything was begun" in said, said
    assert not list(out.glob("*.tfrecord")) and not list(out.glob("status-*"))
    palinode("run", write(tmp_path, SMALL), "-o", out)


def test_under_mpirun_a_signal_ends_ranks_that_wait_for_the_job_file(tmp_path):
    os.mkfifo(tmp_path / "job.yaml")
    run = start("run", tmp_path / "job.yaml", "-o", tmp_path / "out", mpirun=2)
    names = lambda: [name for name, _ in processes(run.pid).values()]
    wait_until(lambda: names().count("palinode:nurse") == 2)
    time.sleep(1)
    run.send_signal(signal.SIGUSR1)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 75 and said.count("ended before anything was begun") == 1, said


def test_a_batch_job_that_is_told_to_end_before_its_run_begins_goes_back_into_the_queue(tmp_path):
    asked = tmp_path / "asked"
    for name, answer in (("squeue", "RUNNING 1:00:00"), ("scontrol", "")):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {asked}\necho {answer}\n')
        (tmp_path / name).chmod(0o755)
    os.mkfifo(tmp_path / "job.yaml")
    run = subprocess.Popen([binary(), "run", tmp_path / "job.yaml", "--requeue", "--successor", "124"], text=True,
                           env=environment({"SLURM_JOB_ID": "123", "PATH": f"{tmp_path}:{os.environ['PATH']}"}),
                           stderr=subprocess.PIPE)
    time.sleep(1)
    run.send_signal(signal.SIGUSR1)
    wait_until(lambda: asked.exists() and "scontrol requeue 123" in asked.read_text())
    assert "scontrol release 124" in asked.read_text()
    run.terminate()  # as Slurm does with a job that it puts back
    _, said = run.communicate(timeout=20)
    assert run.returncode == -signal.SIGTERM and "goes back into the queue" in said, said


def test_a_job_file_may_be_a_pipe(tmp_path):
    out = tmp_path / "out"
    subprocess.run(["bash", "-c", 'exec "$0" run <(printf "%s" "$1") -o "$2" -q', binary(), SMALL, out], check=True,
                   env=environment(), timeout=60)
    assert json.loads(next(out.glob("status-*.json")).read_text())["trainings"]["done"] == 4


def test_a_signal_that_the_caller_ignores_stays_ignored_whatever_libraries_do(tmp_path):
    library = preloaded("catch_hup", tmp_path)
    job = write(tmp_path, SLOW.replace("4000", "1000"))
    for ignored in (True, False):
        def dispositions():
            signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)

        run = subprocess.Popen([binary(), "run", job, "-o", tmp_path / f"{ignored}", "--workers-per-rank", "1"], text=True,
                               env=environment({"LD_PRELOAD": str(library)}), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, preexec_fn=dispositions)
        trial = wait_for_trial(run.pid)
        for pid in (run.pid, trial, *processes(run.pid)):
            try:
                os.kill(pid, signal.SIGHUP)
            except ProcessLookupError:
                pass
        _, said = run.communicate(timeout=60)
        assert "catch_hup" not in said and run.returncode == (0 if ignored else 75), said


def test_other_commands_end_by_a_signal_that_a_library_would_catch(tmp_path):
    library = preloaded("catch_hup", tmp_path)
    os.mkfifo(tmp_path / "job.yaml")
    plan = subprocess.Popen([binary(), "plan", tmp_path / "job.yaml"], env=environment({"LD_PRELOAD": str(library)}),
                            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
    time.sleep(0.5)
    plan.send_signal(signal.SIGHUP)
    assert plan.wait(timeout=20) == -signal.SIGHUP


# --- ranks and cores ------------------------------------------------------------------------------------------------


def test_ranks_that_are_bound_or_too_many_are_told_once_with_the_remedy(tmp_path):
    job, cores = write(tmp_path, SMALL), len(os.sched_getaffinity(0))
    if cores < 2:
        pytest.skip("one core binds nobody")
    done = palinode("run", job, "-o", tmp_path / "bound", mpirun=["-n", 1, "--bind-to", "core"])
    assert done.stderr.count("--bind-to none") == 1, done.stderr
    done = palinode("run", job, "-o", tmp_path / "many", mpirun=cores + 1)
    assert done.stderr.count("more than the cores can run at once") == 1 and "fewer ranks" in done.stderr, done.stderr
    for calm in ([], ["--workers-per-rank", 1]):
        done = palinode("run", job, "-o", tmp_path / "calm", *calm, mpirun=["-n", 1, "--bind-to", "none"])
        assert "core" not in done.stderr, done.stderr


# --- nothing to do --------------------------------------------------------------------------------------------------


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_run_with_nothing_to_do_leaves_no_segment_and_says_so(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    for shard in ("1/2", "2/2"):
        palinode("run", job, "-o", out, "--shard", shard)
    before = files(out)
    assert "checkpoints" not in before
    done = palinode("run", job, "-o", out)
    assert "4 trainings, 4 done before, 0 to train" in done.stderr and "4 of 4 trainings done" in done.stderr
    assert files(out) == before
    job.write_text("# shrunk\n" + SMALL.replace("[1, 0.5, 0]", "[1, 0]"))
    again = json.loads(palinode("run", job, "-o", out, "--json", mpirun=2).stdout)
    assert again["segment"] is None and again["exit_code"] == 0 and again["trainings"]["done"] == 4
    assert files(out) == before and (out / "job.yaml").read_text() == job.read_text()
    assert "0.5" not in (out / "job.resolved.yaml").read_text().split("critique_quality")[1].split("\n")[0]
    assert palinode("status", out, "--exit-code").returncode == 0


def test_a_run_with_nothing_to_do_tells_of_it_where_the_last_one_had_no_last_word(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out)
    status = json.loads((out / "status-0001.json").read_text())
    status.update(state="running", exit_code=None, pid=2**22 + 1)  # it died when all was written
    (out / "status-0001.json").write_text(json.dumps(status))
    palinode("run", job, "-o", out)
    palinode("status", out, "--exit-code")

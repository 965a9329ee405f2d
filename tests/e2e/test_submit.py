"""palinode submit and palinode wait where there is no Slurm; tests/slurm has a real one."""

import json
import os
import re
import signal
import subprocess
import threading
import time

import pytest
from conftest import binary, environment, palinode
from test_run import SMALL, write


@pytest.fixture
def job(tmp_path):
    return write(tmp_path, SMALL)


def fake_sbatch(tmp_path, body):
    """An environment whose sbatch is a shell script."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text(f"#!/bin/sh\n{body}\n")
    (folder / "sbatch").chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_submit_hands_the_script_that_it_prints_to_sbatch_and_says_the_number(tmp_path, job):
    env = fake_sbatch(tmp_path, f"cat >{tmp_path}/got; echo '17;cluster'")
    options = (job, "-o", tmp_path / "out", "--time", "2h", "--nodes", 2, "--ntasks-per-node", 3, "--cpus-per-task", 4,
               "--partition", "long", "--account", "us", "--mem", "16G", "--sbatch", "--qos=high", "--set", "seeds.count=1")
    printed = palinode("submit", *options, "--print").stdout
    assert not (tmp_path / "out").exists()
    assert palinode("submit", *options, env=env).stdout == "17\n"
    assert (tmp_path / "out").is_dir()
    drop = lambda text: re.sub("^# palinode submit.*", "", text, flags=re.MULTILINE)
    assert drop((tmp_path / "got").read_text()) == drop(printed)
    for line in ("--job-name=small", "--nodes=2", "--ntasks-per-node=3", "--cpus-per-task=4", "--partition=long",
                 "--account=us", "--mem=16G", "--qos=high", "--time=0-02:00:00", f"--output={tmp_path}/out/slurm-%j.out"):
        assert f"\n#SBATCH {line}\n" in printed, printed
    command = printed[printed.index("exec mpirun"):]
    assert command == (f"exec mpirun --bind-to none {binary()} run {job} -o {tmp_path}/out --set seeds.count=1 \\\n"
                       "    --workers-per-rank 4 --requeue\n")


def test_a_printed_script_runs_by_hand(tmp_path, job):
    script = palinode("submit", job, "-o", tmp_path / "out dir", "--time", "2h", "--print").stdout
    env = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "PALINODE_LIMIT": "1"}
    done = subprocess.run(["bash", "-c", script.replace("exec mpirun", "exec mpirun -n 1")], env=env, text=True,
                          capture_output=True, timeout=120, check=False)
    assert done.returncode == 75 and "--requeue: this is no job of Slurm" in done.stderr, done.stderr
    assert (tmp_path / "out dir/records-0001.tfrecord").exists()


def test_submit_predicts_trainings_core_hours_and_walltimes_first(tmp_path, job):
    def predicted(*options):
        said = palinode("submit", job, "-o", tmp_path / "out", "--print", *options).stderr
        return [line.removeprefix("palinode: ") for line in said.splitlines()]

    # at 1 MFLOP/s a training takes as long as on the largest grids
    steps = ("--rate", "0.001", "--set", "train.steps=1000")
    slow = (*steps, "--cpus-per-task", 2)
    plan = json.loads(palinode("plan", job, "-o", tmp_path / "out", *steps, "--workers-per-rank", 2, "--walltime", "5m",
                               "--json").stdout)
    jobs = round(plan["batch_jobs"])
    assert jobs > 2
    said = predicted(*slow, "--time", "5m")
    assert said[0] == (f"small: 4 trainings, 0 done, 4 to train: {plan['core_hours']:.3g} core-hours at 0.001 GFLOP/s a core "
                       "(as given)")
    assert said[1].startswith("2 workers: about ") and "of which the longest training takes" in said[1]
    assert said[2] == f"that is about {jobs} walltimes of 5 m 0 s: {jobs - 1} requeues"
    assert predicted(*slow, "--time", "5m", "--chain")[2].endswith(f": {jobs - 1} further jobs of the chain")
    assert predicted(*slow, "--time", "5d")[2] == "it fits the walltime of 5 d 0 h"
    array = predicted(*slow, "--time", "5m", "--array", 4)
    assert array[1].startswith("each of the array's jobs with 2 workers: about ") and array[2] != said[2]
    assert predicted(*slow, "--time", "5d", "--nodes", 50)[3].startswith("of 100 CPUs at most 6 will work")
    assert predicted(*slow, "--time", "5m", "--quiet") == []
    palinode("run", job, "-o", tmp_path / "out")
    assert predicted("--time", "5m") == ["small: 4 trainings, 4 done, 0 to train; nothing is left to do"]


def test_what_is_wrong_is_said_before_anything_is_submitted(tmp_path, job):
    env = fake_sbatch(tmp_path, f"touch {tmp_path}/submitted")

    def refused(code, message, *args):
        said = palinode("submit", *args, env=env, expect=code).stderr
        assert message in said, said

    refused(64, "--time is missing", job)
    refused(64, "at least 60 s", job, "--time", "59s")
    refused(64, "expected a duration", job, "--time", "soon")
    for time_text in ("-1:00:00", "1--5:00:00", "1e300", "1e308d", " 1h", "0:-5:00", "nan"):
        refused(64, "expected a duration", job, "--time", time_text)
    refused(64, "-o: expected a path of at most", job, "--time", "1h", "-o", "a" * 5000)
    refused(64, "--chain and --once exclude each other", job, "--time", "1h", "--chain", "--once")
    refused(64, "--partition: expected", job, "--time", "1h", "--partition", "a b")
    refused(64, "--mem: expected", job, "--time", "1h", "--mem", "lots")
    refused(64, "Slurm takes no '%'", job, "--time", "1h", "-o", "50%")
    refused(64, "expected mpirun|srun", job, "--time", "1h", "--launcher", "mpiexec")
    refused(64, "not -", "-", "--time", "1h")
    refused(64, "--set model.n_layer=x", job, "--time", "1h", "--set", "model.n_layer=x")
    refused(74, "no-job.yaml", tmp_path / "no-job.yaml", "--time", "1h")
    job.write_text("name: x\nmodel: {n_layers: 2}\n")
    refused(65, "job.yaml:2:9", job, "--time", "1h")
    assert not (tmp_path / "submitted").exists() and not (tmp_path / "results").exists()


def test_a_folder_whose_name_slurm_would_replace_is_no_place_to_submit_from(tmp_path, job):
    env = fake_sbatch(tmp_path, f"touch {tmp_path}/submitted; echo 17")
    place = tmp_path / "100%j"
    place.mkdir()
    said = palinode("submit", job, "-q", "-o", "out", "--time", "1h", env=env, cwd=place, expect=64).stderr
    assert "expected an absolute path" in said and not (tmp_path / "submitted").exists() and not list(place.iterdir())
    assert palinode("submit", job, "-q", "-o", tmp_path / "out", "--time", "1h", env=env, cwd=place).stdout == "17\n"


def test_without_slurm_or_when_it_refuses_the_error_names_sbatch(tmp_path, job):
    env = fake_sbatch(tmp_path, "echo 'sbatch: error: invalid account' >&2; exit 1")
    said = palinode("submit", job, "-o", tmp_path / "out", "--time", "1h", env=env, expect=74).stderr
    assert "invalid account" in said and "sbatch --parsable failed" in said
    said = palinode("submit", job, "-o", tmp_path / "out", "--time", "1h", env={"PATH": "/nowhere"}, expect=74).stderr
    assert "sbatch is not installed here" in said
    for answer in ("", "Submitted batch job 17"):
        (tmp_path / "bin/sbatch").write_text(f"#!/bin/sh\ncat >/dev/null; echo '{answer}'\n")
        said = palinode("submit", job, "-q", "-o", tmp_path / "out", "--time", "1h", env=env, expect=74).stderr
        assert f"expected the number of a job, not '{answer}'" in said and not list((tmp_path / "out").iterdir())


def test_wait_ends_when_a_later_run_has_done_what_an_earlier_one_left(tmp_path, job):
    out = tmp_path / "out"
    out.mkdir()
    said = palinode("wait", out, "--timeout", "0.5", expect=75).stderr
    assert "waiting for a run to begin" in said and "not done within 0.5 s" in said
    palinode("run", job, "-o", out, "--limit", 1, expect=75)
    later = threading.Thread(target=lambda: (time.sleep(1), palinode("run", job, "-o", out)))
    later.start()
    said = palinode("wait", out, "--timeout", 60).stderr
    later.join()
    assert "run 0001 ended, limit; waiting for the next" in said
    assert "run 0002 ended, done: 4 of 4 trainings done, 0 diverged, 0 failed" in said
    assert palinode("wait", out, "-q").stderr == ""
    assert "no-such" in palinode("wait", tmp_path / "no-such", expect=74).stderr


def test_wait_counts_all_parts_of_a_grid_and_stays_while_one_has_not_begun(tmp_path, job):
    out = tmp_path / "out"
    palinode("run", job, "-o", out, "--shard", "1/2")
    palinode("wait", out, "--timeout", "0.1", expect=75)
    path = out / "status-0001.json"
    ended = json.loads(path.read_text())
    path.write_text(json.dumps({**ended, "exit_code": 1}))  # a failed training of the first part says nothing of the second
    palinode("wait", out, "--timeout", "0.1", expect=75)
    path.write_text(json.dumps(ended))
    palinode("run", job, "-o", out, "--shard", "2/2")
    assert "run 0002 ended, done: 4 of 4 trainings done, 0 diverged, 0 failed" in palinode("wait", out).stderr


def test_wait_does_not_take_what_was_done_before_for_a_job_that_is_still_in_the_queue(tmp_path, job):
    out, env = tmp_path / "out", fake_sbatch(tmp_path, "cat >/dev/null; echo 17")
    palinode("run", job, "-o", out)
    palinode("wait", out, "-q")
    for options, log in (((), "slurm-17.out"), (("--array", 3), "slurm-17_1.out")):
        palinode("submit", job, "-o", out, "--time", "1h", "--set", "seeds.count=3", *options, env=env)
        assert (out / log).read_bytes() == b""
        assert "has not begun" in palinode("wait", out, "--timeout", "0.1", expect=75).stderr
        palinode("run", job, "-o", out, "--set", "seeds.count=3")
        assert "ended, done: 6 of 6 trainings done" in palinode("wait", out).stderr


def fake_squeue(tmp_path, states):
    """A Slurm whose queue knows the jobs of states, a line for each in the file states."""
    env = fake_sbatch(tmp_path, "cat >/dev/null; echo 17")
    squeue = tmp_path / "bin/squeue"
    squeue.write_text(f'#!/bin/sh\nsed -n "s/^${{3%,*}} //p" {states}\n')
    squeue.chmod(0o755)
    return env


def test_wait_ends_when_the_job_is_gone_from_the_queue_and_palinode_never_began(tmp_path, job):
    out, states = tmp_path / "out", tmp_path / "states"
    env = fake_squeue(tmp_path, states)
    palinode("submit", job, "-o", out, "--time", "1h", env=env)
    states.write_text("17 PENDING\n")
    assert "waiting for a run to begin" in palinode("wait", out, "--timeout", "1.5", env=env, expect=75).stderr
    states.write_text("")
    said = palinode("wait", out, env=env, expect=1, timeout=30).stderr
    assert "job 17 is no longer in Slurm's queue" in said and f"{out}/slurm-17.out is empty" in said
    (out / "slurm-17.out").write_text("module: command not found\n")
    assert f"{out}/slurm-17.out says why" in palinode("wait", out, env=env, expect=1, timeout=30).stderr
    palinode("wait", out, "--timeout", "1.5", env={"PATH": "/nowhere"}, expect=75)  # without Slurm nobody knows


def test_wait_does_not_wait_for_a_job_that_was_cancelled_in_the_queue(tmp_path, job):
    out, states = tmp_path / "out", tmp_path / "states"
    env = fake_squeue(tmp_path, states)
    palinode("run", job, "-o", out)
    palinode("submit", job, "-o", out, "--time", "1h", env=env)
    states.write_text("17 PENDING\n")
    assert "has not begun" in palinode("wait", out, "--timeout", "1.5", env=env, expect=75).stderr
    states.write_text("")
    assert "4 of 4 trainings done" in palinode("wait", out, env=env, timeout=30).stderr


def on_another_host(path, age_s):
    """Makes a status file that of a run on another host, last heard of age_s ago."""
    status = json.loads(path.read_text())
    status.update(host="node17", state="running", exit_code=None, reason="", pid=os.getpid(),
                  updated_unix_ms=int((time.time() - age_s) * 1000))
    path.with_suffix(".new").write_text(json.dumps(status))
    path.with_suffix(".new").rename(path)


def test_status_and_wait_tell_of_a_run_on_another_host_by_the_age_of_its_file(tmp_path, job):
    out = tmp_path / "out"
    palinode("run", job, "-o", out)
    on_another_host(out / "status-0001.json", 0)
    assert "run 0001 on node17, process" in palinode("status", out, "--exit-code", expect=75).stdout
    palinode("wait", out, "--timeout", "0.3", expect=75)
    on_another_host(out / "status-0001.json", 600)
    assert "died: last heard of 10 m 0 s ago" in palinode("status", out, "--exit-code", expect=75).stdout


def test_a_run_waits_until_one_on_a_failed_node_counts_as_dead_but_not_for_one_that_lives(tmp_path, job):
    out, stop = tmp_path / "out", threading.Event()
    palinode("run", job, "-o", out, "--limit", 1, expect=75)
    path = out / "status-0001.json"

    def live():
        while not stop.wait(0.3):
            on_another_host(path, 0)

    on_another_host(path, 0)
    living = threading.Thread(target=live)
    living.start()
    said = palinode("run", job, "-o", out, expect=75).stderr
    stop.set()
    living.join()
    assert "run 0001 is going on there" in said
    on_another_host(path, 0)  # for two minutes
    waiting = subprocess.Popen([binary(), "run", str(job), "-o", str(out)], env=environment(), stderr=subprocess.PIPE,
                               text=True)
    assert "node17 has been silent" in waiting.stderr.readline()
    waiting.send_signal(signal.SIGINT)
    assert waiting.wait(timeout=20) == 75
    waiting.stderr.close()
    on_another_host(path, 112)  # eight seconds short of two minutes of silence
    begin = time.monotonic()
    said = palinode("run", job, "-o", out).stderr
    assert time.monotonic() - begin > 3 and "node17 has been silent for some seconds" in said
    assert "4 of 4 trainings done" in said

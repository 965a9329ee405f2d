"""palinode run, with real ranks, real processes and real signals."""

import json
import os
import pathlib
import pty
import re
import select
import signal
import subprocess
import time

import pytest
import records
from conftest import binary, environment, palinode

# 2 x 2 trainings of a few milliseconds each, three critics
SMALL = """
name: small
model: {n_layer: [1, 2], n_head: 2, n_embd: 8}
task: {n_dims: 2, n_points: 5}
train: {steps: 30, batch_size: 8, gradient_shards: 4, learning_rate: 1.0e-3}
evaluate: {prompts: 20, critique_quality: [1, 0.5, 0], baselines: [gd, mean]}
seeds: {first: 0, count: 2}
"""

# one training of some ten seconds
SLOW = """
name: slow
model: {n_layer: 2, n_head: 2, n_embd: 32}
task: {n_dims: 3, n_points: 10}
train: {steps: 4000, batch_size: 16, learning_rate: 1.0e-3}
evaluate: {prompts: 20, baselines: [mean]}
"""


@pytest.fixture(scope="module")
def proto():
    return records.schema()


def write(folder, text, name="job.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def processes(root):
    """Process ids below root: {pid: (name, parent)}."""
    table = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        pid, name, rest = int(text.split(" ", 1)[0]), text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :]
        table[pid] = (name, int(rest.split()[1]))
    below, frontier = {}, {root}
    while frontier:
        frontier = {pid for pid, (_, parent) in table.items() if parent in frontier and pid not in below}
        below.update({pid: table[pid] for pid in frontier})
    return below


def wait_for_trial(root, timeout=20):
    """The pid of a training child below root."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for pid, (name, _) in processes(root).items():
            if name == "palinode:trial":
                return pid
        time.sleep(0.01)
    raise AssertionError("no training child appeared")


def start(*args, mpirun=None, **kwargs):
    """Starts palinode with ^C at its default, which a shell's background job has not."""
    kwargs.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    launch = ["mpirun", "-n", str(mpirun), "--oversubscribe", "--bind-to", "none"] if mpirun else []
    return subprocess.Popen([*launch, binary(), *map(str, args)], env=environment(), text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)


def left_behind(below):
    """Those of palinode's processes in below (as processes() gave it) that still run; zombies do not."""
    def runs(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    return [pid for pid, (name, _) in below.items() if name.startswith("palinode") and runs(pid)]


def cpu_s(pid):
    """User and system time of a process without its children."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_any_number_of_ranks_and_workers_gives_the_same_records_bit_for_bit(tmp_path, proto):
    job = write(tmp_path, SMALL)
    palinode("run", job, "-o", tmp_path / "one", "--workers-per-rank", 1)
    expected = records.results(tmp_path / "one", proto)
    assert len([key for key in expected if key[0] == "training"]) == 4
    assert len([key for key in expected if key[0] == "model"]) == 4
    assert len([key for key in expected if key[0] == "cell"]) == 12
    assert len([key for key in expected if key[0] == "baseline"]) == 12
    for name, launch in {
        "two workers": {"workers": 2},
        "two ranks": {"workers": 1, "mpirun": 2},
        "three ranks": {"workers": 2, "mpirun": 3},
        "bound ranks": {"mpirun": ["-n", 2]},
    }.items():
        more = ["--workers-per-rank", launch["workers"]] if "workers" in launch else []
        palinode("run", job, "-o", tmp_path / name, *more, mpirun=launch.get("mpirun"))
        assert records.results(tmp_path / name, proto) == expected, name


def test_running_again_does_nothing_and_more_critics_train_nothing(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    first = json.loads(palinode("run", job, "-o", out, "--json").stdout)
    assert first["trainings"]["trained"] == 4 and first["trainings"]["done"] == 4
    again = json.loads(palinode("run", job, "-o", out, "--json").stdout)
    assert again["trainings"]["trained"] == 0 and again["trainings"]["done"] == 4 and again["exit_code"] == 0
    before = records.results(out, proto)
    palinode("run", job, "-o", out, "--set", "evaluate.critique_quality=1,0.75,0.5,0")
    after = records.results(out, proto)
    assert before.items() <= after.items()
    new = [kind for kind, _ in after.keys() - before.keys()]
    assert sorted(set(new)) == ["baseline", "cell"] and new.count("cell") == 4
    # what the kept models gave is what training afresh gives
    palinode("run", job, "-o", tmp_path / "fresh", "--set", "evaluate.critique_quality=1,0.75,0.5,0")
    assert records.results(tmp_path / "fresh", proto) == after


def test_without_kept_models_more_critics_train_again_and_give_the_same(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--models", "discard")
    assert not list(out.glob("models-*"))
    before = records.results(out, proto)
    plan = json.loads(palinode("plan", job, "-o", out, "--set", "evaluate.critique_quality=1,0.75", "--json").stdout)
    assert plan["to_train"] == plan["to_retrain"] == 4
    palinode("run", job, "-o", out, "--models", "discard", "--set", "evaluate.critique_quality=1,0.75")
    assert before.items() <= records.results(out, proto).items()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_killed_training_child_is_retried_and_the_result_is_the_same(tmp_path, proto, number):
    job = write(tmp_path, SLOW.replace("4000", "1500"))
    palinode("run", job, "-o", tmp_path / "calm")
    run = start("run", job, "-o", tmp_path / "hit", "--workers-per-rank", 1)
    time.sleep(0.5)
    os.kill(wait_for_trial(run.pid), number)
    _, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert f"killed by signal {int(number)}" in said and "trying it again" in said
    assert records.results(tmp_path / "hit", proto) == records.results(tmp_path / "calm", proto)


def test_a_training_that_is_killed_again_is_recorded_as_failed_with_its_reason(tmp_path, proto):
    job, out = write(tmp_path, SLOW + "seeds: [0, 1]\n"), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1, "--set", "train.steps=1500")
    victims = set()
    while len(victims) < 3:  # baselines and both attempts at seed 0 are first; the baselines may be over before they are hit
        pid = wait_for_trial(run.pid)
        if pid in victims:
            continue
        command = pathlib.Path(f"/proc/{pid}/stat")
        time.sleep(0.3)
        if not command.exists():
            continue
        os.kill(pid, signal.SIGKILL)
        victims.add(pid)
        if len(victims) == 2:
            break
    _, said = run.communicate(timeout=120)
    assert run.returncode == 1, said
    assert "giving it up" in said
    trainings = [record.training for path in sorted(out.glob("records-*")) for record in records.read(path, proto)
                 if record.HasField("training")]
    outcomes = {training.spec.seed: training for training in trainings}
    assert len(outcomes) == 2
    failed = [t for t in outcomes.values() if t.outcome != 0]
    assert len(failed) == 1 and "killed by signal 9" in failed[0].reason and failed[0].attempts == 2
    # a plain rerun leaves it, --rerun failed does it
    assert palinode("run", job, "-o", out, "--set", "train.steps=1500", expect=1)
    done = json.loads(palinode("run", job, "-o", out, "--set", "train.steps=1500", "--rerun", "failed", "--json").stdout)
    assert done["trainings"]["done"] == 2 and done["trainings"]["failed"] == 0 and done["exit_code"] == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_stops_the_run_and_the_next_goes_on(tmp_path, proto, number):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 1500")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1)
    wait_for_trial(run.pid)
    time.sleep(0.4)
    below = processes(run.pid)
    run.send_signal(number)
    _, said = run.communicate(timeout=20)
    assert run.returncode == 75, said
    assert "the same command goes on" in said
    time.sleep(0.2)
    assert not left_behind(below)
    palinode("run", job, "-o", out)
    palinode("run", job, "-o", tmp_path / "calm")
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)


def test_ctrl_c_under_mpirun_ends_the_run_and_the_next_goes_on(tmp_path, proto):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 1500")), tmp_path / "out"
    run = start("run", job, "-o", out, mpirun=2)
    wait_for_trial(run.pid)
    time.sleep(0.4)
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=30)
    assert run.returncode != 0
    palinode("run", job, "-o", out, mpirun=2)
    palinode("run", job, "-o", tmp_path / "calm")
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)


def test_a_killed_rank_leaves_no_process_behind_and_the_next_run_goes_on(tmp_path, proto):
    job, out = write(tmp_path, SMALL.replace("steps: 30", "steps: 1500")), tmp_path / "out"
    run = start("run", job, "-o", out, "--workers-per-rank", 1)
    wait_for_trial(run.pid)
    time.sleep(0.4)
    below = processes(run.pid)
    run.kill()
    run.communicate(timeout=20)
    time.sleep(0.5)
    assert not left_behind(below)
    palinode("run", job, "-o", out)
    palinode("run", job, "-o", tmp_path / "calm")
    assert records.results(out, proto) == records.results(tmp_path / "calm", proto)


def test_a_waiting_agent_costs_under_two_percent_of_a_core(tmp_path):
    job = write(tmp_path, SLOW.replace("4000", "40000"))
    run = start("run", job, "-o", tmp_path / "out", "--workers-per-rank", 1, mpirun=2)
    try:
        wait_for_trial(run.pid)
        time.sleep(1.5)  # the baselines are over, one rank trains, the other waits
        agents = [pid for pid, (name, _) in processes(run.pid).items() if name == "palinode"]
        assert len(agents) == 2
        before, begin = {pid: cpu_s(pid) for pid in agents}, time.monotonic()
        time.sleep(6)
        elapsed = time.monotonic() - begin
        shares = {pid: (cpu_s(pid) - before[pid]) / elapsed for pid in agents}
        print("share of a core:", shares)
        assert all(share < 0.02 for share in shares.values()), shares
    finally:
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)


def test_a_wrong_job_file_is_refused_with_its_place_before_anything_runs(tmp_path):
    job = write(tmp_path, SMALL.replace("n_embd: 8", "n_embdd: 8"))
    for mpirun in (None, 2):
        done = palinode("run", job, "-o", tmp_path / "out", mpirun=mpirun, expect=65)
        assert re.search(r"job\.yaml:3:\d+: .*n_embdd.*n_embd", done.stderr), done.stderr
        assert not (tmp_path / "out").exists()


def test_an_exit_code_of_rank_0_is_what_mpirun_returns(tmp_path):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, "--limit", 1, mpirun=2, expect=75)
    palinode("run", job, "-o", out, mpirun=2, expect=0)


def on_terminal(command, seconds=60):
    """What a command shows on a terminal of 100 columns."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update(environment({"COLUMNS": "100"}))
        os.execvp(command[0], command)
    import fcntl
    import struct
    import termios

    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    shown, end = b"", time.monotonic() + seconds
    while time.monotonic() < end:
        if select.select([fd], [], [], 0.5)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.parametrize("launch", [[], ["mpirun", "-n", "2", "--oversubscribe", "--bind-to", "none"]])
def test_a_terminal_shows_one_live_line_also_under_mpirun(tmp_path, launch):
    job = write(tmp_path, SMALL.replace("steps: 30", "steps: 5000"))
    code, shown = on_terminal([*launch, binary(), "run", str(job), "-o", str(tmp_path / "out")])
    assert code == 0, shown
    lines = re.findall(r"\r\[[#.]{20}\] \d/4 trainings[^\r\n]*", shown)
    assert len(lines) >= 2, shown
    assert any("GFLOP/s" in line and "ETA" in line and "loss" in line for line in lines), shown


def test_a_log_gets_plain_lines(tmp_path):
    job = write(tmp_path, SMALL)
    said = palinode("run", job, "-o", tmp_path / "out").stderr
    assert "\r" not in said and "\033" not in said
    assert re.search(r"palinode: \d\d:\d\d:\d\d small: 4 trainings", said), said
    assert "done after" in said


def test_a_folder_of_results_tells_where_it_came_from(tmp_path, proto):
    job, out = write(tmp_path, SMALL), tmp_path / "out"
    palinode("run", job, "-o", out, mpirun=2)
    assert (out / "job.yaml").read_text() == SMALL
    palinode("plan", out / "job.resolved.yaml", "-o", out)
    (path,) = out.glob("records-*.tfrecord")
    header, *_, end = records.read(path, proto)
    assert header.HasField("header") and end.HasField("end")
    header = header.header
    assert header.job_text == SMALL and header.n_ranks == 2 and "palinode run" in header.command_line
    assert header.rank_hosts.count("\n") == 2 and "OpenBLAS" in header.blas and "Open MPI" in header.mpi
    assert end.end.reason == "done" and end.end.trainings_done == 4
    status = json.loads(next(out.glob("status-*.json")).read_text())
    assert status["state"] == "ended" and status["exit_code"] == 0 and status["trainings"]["done"] == 4

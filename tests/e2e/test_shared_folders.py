"""Folders that others write to as well: who is there, names that are taken, links that lie in wait."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from conftest import binary, environment, palinode
from test_run import SLOW, SMALL, write

TINY = SMALL.replace("steps: 30", "steps: 5")


def change_status(out, **changes):
    path = out / "status-0001.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_run_that_died_in_a_container_is_gone_on_with_although_its_number_lives_again(tmp_path):
    job, out = write(tmp_path, TINY), tmp_path / "out"
    palinode("run", job, "-o", out, "-q", "--limit", 1, expect=75)
    process = json.loads((out / "status-0001.json").read_text())["process"]
    for changed in ({"pid_namespace": 1}, {"boot_id": "another"}, {"start_ticks": 1}):
        silent_ms = int(time.time() * 1000) - (119_000 if "start_ticks" not in changed else 0)
        change_status(out, state="running", pid=os.getpid(), updated_unix_ms=silent_ms, process={**process, **changed})
        said = palinode("run", job, "-o", out, "-q", "--limit", 1, expect=None, timeout=30).stderr
        assert "going on there" not in said, (changed, said)
        (out / "status-0001.json").unlink(missing_ok=True)
        shutil.copy(next(out.glob("status-*.json")), out / "status-0001.json")


def test_a_live_run_in_another_container_is_not_joined(tmp_path):
    job, out = write(tmp_path, SLOW), tmp_path / "out"
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no process namespaces here")
    run = subprocess.Popen([*unshare, binary(), "run", str(job), "-o", str(out), "-q"], env=environment(),
                           stderr=subprocess.PIPE, text=True)
    while not (out / "status-0001.json").exists() and run.poll() is None:
        time.sleep(0.05)
    try:
        said = palinode("run", job, "-o", out, expect=75, timeout=30).stderr
        assert "run 0001 is going on there" in said
        assert "running" in palinode("status", out).stdout
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=30)


def test_records_from_a_clock_that_is_ahead_are_not_waited_for(tmp_path):
    job = write(tmp_path, TINY)
    palinode("run", job, "-o", tmp_path / "out", "-q")
    palinode("merge", "-o", tmp_path / "merged", tmp_path / "out")
    later = time.time() + 7200
    for folder in ("merged", "out"):
        os.utime(tmp_path / folder / "records-0001.tfrecord", (later, later))
    (tmp_path / "out/status-0001.json").unlink()
    begin = time.monotonic()
    palinode("run", job, "-o", tmp_path / "merged", timeout=20)
    palinode("run", job, "-o", tmp_path / "out", timeout=20)
    assert time.monotonic() - begin < 15


@pytest.mark.parametrize("there", ["nothing", "a_merge"])
def test_merges_into_one_folder_at_one_time_lose_nothing(tmp_path, there):
    (tmp_path / "x").mkdir()
    folders = []
    for i in range(4):
        job = tmp_path / "x" / f"job{i}.yaml"
        job.write_text(TINY.replace("name: small", f"name: job{i}").replace("first: 0", f"first: {10 * i}"))
        palinode("run", job, "-o", tmp_path / f"r{i}", "-q")
        folders.append(tmp_path / f"r{i}")
    out, refused = tmp_path / "out", []
    if there == "a_merge":
        palinode("merge", "-o", out, folders[3])
    merges = [subprocess.Popen([binary(), "merge", "-o", str(out), str(folder)], env=environment(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for folder in folders[:3]]
    for folder, merge in zip(folders, merges):
        _, said = merge.communicate(timeout=60)
        assert merge.returncode in (0, 75), said
        refused += [folder] if merge.returncode else []
    assert len(refused) < 3
    for folder in refused:
        palinode("merge", "-o", out, folder)
    wanted = folders[:3] + (folders[3:] if there == "a_merge" else [])
    assert json.loads(palinode("status", out, "--json", "--exit-code").stdout)["asked_for"]["trainings"] == 4 * len(wanted)
    palinode("verify", out)
    assert not [path for path in tmp_path.iterdir() if ".merge-" in path.name]


def test_no_file_is_written_through_a_link_that_lies_in_wait(tmp_path):
    job, out, victim = write(tmp_path, TINY), tmp_path / "out", tmp_path / "victim.txt"
    victim.write_text("precious")
    out.mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (out / "checkpoints").symlink_to(elsewhere)
    said = palinode("run", job, "-o", out, expect=74).stderr
    assert "checkpoints: is a link, which is not followed" in said
    (out / "checkpoints").unlink()
    for name in ("job.yaml", "job.resolved.yaml", "status-0001.json"):
        (out / name).symlink_to(victim)
    palinode("run", job, "-o", out, "-q")
    (out / "figures").mkdir()
    for name in ("report.html", "figures/curves.dat", "figures/curves.gp"):
        (out / name).symlink_to(victim)
    palinode("analyze", out)
    assert victim.read_text() == "precious" and not list(elsewhere.iterdir())
    names = [path.name for path in out.rglob("*")]
    assert not [name for name in names if ".tmp-" in name]


def test_an_export_to_a_link_replaces_the_file_that_it_names(tmp_path):
    job, out = write(tmp_path, TINY), tmp_path / "out"
    palinode("run", job, "-o", out, "-q")
    (tmp_path / "real").mkdir()
    for format in ("csv", "sqlite"):
        real, link = tmp_path / f"real/{format}", tmp_path / f"link.{format}"
        real.write_text("old")
        link.symlink_to(real)
        palinode("export", out, "--format", format, "-o", link)
        assert link.is_symlink() and real.read_bytes() != b"old"
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["csv", "sqlite"]
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "nowhere")
    assert "link to nothing" in palinode("export", out, "--format", "csv", "-o", dangling, expect=74).stderr


def test_records_and_models_that_were_swapped_are_no_good(tmp_path):
    job, out = write(tmp_path, TINY), tmp_path / "out"
    palinode("run", job, "-o", out, "-q")
    (out / "records-0001.tfrecord").rename(out / "x")
    (out / "models-0001.tfrecord").rename(out / "records-0001.tfrecord")
    (out / "x").rename(out / "models-0001.tfrecord")
    said = palinode("verify", out, expect=1).stdout
    assert "records-0001.tfrecord" in said and "holds models, expected records by its name" in said
    assert "holds records, expected models by its name" in said


def test_a_second_repair_at_the_same_place_keeps_what_the_first_cut_off(tmp_path):
    job, out = write(tmp_path, TINY), tmp_path / "out"
    palinode("run", job, "-o", out, "-q")
    path = out / "records-0001.tfrecord"
    for tail in (b"first", b"second"):
        with open(path, "ab") as file:
            file.write(tail)
        palinode("verify", out, "--repair")
    saved = sorted(out.glob("records-0001.tfrecord.cut-*"))
    assert [each.read_bytes() for each in saved] == [b"first", b"second"]

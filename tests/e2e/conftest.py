"""What every end-to-end test needs: the built program, run with a time limit and a checked exit code.

The binary is named by the environment variable PALINODE. Tests import the function (`from conftest import palinode`)
and use pytest's own tmp_path for files. A test that cannot run for want of the binary is an error, never a skip.
"""

import os
import pathlib
import subprocess

PROJECT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """Absolute path of the program under test."""
    path = os.environ.get("PALINODE")
    assert path, "set the environment variable PALINODE to the built program"
    path = pathlib.Path(path).resolve()
    assert os.access(path, os.X_OK), f"PALINODE={path} is not an executable file"
    return str(path)


def environment(extra=None):
    """The tests' environment: the caller's without PALINODE_* options, able to start mpirun as root."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PALINODE_")}
    env.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_btl="self,vader,tcp")
    env.update(extra or {})
    return env


def palinode(*args, expect=0, mpirun=None, env=None, timeout=120, input=None, cwd=None):
    """Runs `palinode ARGS` and returns the completed process (text stdout and stderr).

    expect: the exit code that must come (None: any). mpirun: number of ranks, or a list of mpirun's own arguments; None
    runs without mpirun. env: variables added to environment(). On a wrong exit code or a timeout the output is shown.
    """
    command = [binary(), *map(str, args)]
    if mpirun is not None:
        launch = ["-n", str(mpirun), "--oversubscribe", "--bind-to", "none"] if isinstance(mpirun, int) else mpirun
        command = ["mpirun", *map(str, launch), *command]
    try:
        done = subprocess.run(command, env=environment(env), timeout=timeout, input=input, cwd=cwd, text=True,
                              stdin=subprocess.DEVNULL if input is None else None, capture_output=True, check=False)
    except subprocess.TimeoutExpired as expired:
        raise AssertionError(f"no end within {timeout} s: {' '.join(command)}\n{expired.stdout}\n{expired.stderr}")
    assert expect is None or done.returncode == expect, (
        f"exit code {done.returncode}, expected {expect}: {' '.join(command)}\n"
        f"--- stdout\n{done.stdout}\n--- stderr\n{done.stderr}")
    return done

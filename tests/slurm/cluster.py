"""A real Slurm on this machine, for the time of a test: munged, slurmctld and one slurmd a node, all of them children of the test.

Everything lies in one folder (configuration, state, logs, munge's key and socket), ports are free ones of the loopback
interface, nothing of the system is touched. There are partitions low (the default, its jobs are requeued when preempted)
and high (preempts low). `stop` cancels the jobs and ends every daemon by its process id; should the test itself be
killed, the kernel ends them (PR_SET_PDEATHSIG).

By hand: `python3 tests/slurm/cluster.py FOLDER [NODES]` starts one and ends it with ^C; `. FOLDER/env` in another shell.
"""

import contextlib
import ctypes
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

CPUS = 8  # of a node, more than the machine may have
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
PR_SET_PDEATHSIG = 1

CONFIGURATION = """
ClusterName=palinode
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
TmpFS={folder}/tmp/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=pmix
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,sched_min_interval=0,batch_sched_delay=0,requeue_setup_env_fail
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
MinJobAge=3600
"""


def missing():
    """The programs of Slurm that are not installed."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


def free_ports(count):
    """Ports of the loopback interface that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def until(condition, seconds, what):
    """The first true value of condition(), asked ten times a second."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")


class Cluster:
    """A running Slurm. `environment` is what its clients and jobs need."""

    def __init__(self, folder, nodes=1):
        self.folder = pathlib.Path(folder)
        self.daemons = []  # (name, process), in the order of their start
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        if nodes > 1:  # the fake nodes share one /dev/shm: Open MPI's ranks must not meet there
            self.environment["OMPI_MCA_btl"] = "self,tcp"
        try:
            self._start([f"n{i + 1}" for i in range(nodes)])
        except BaseException:
            self.stop()
            raise

    def _start(self, nodes):
        for name in ("state", *(f"{kind}/{node}" for kind in ("spool", "tmp") for node in nodes)):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write_configuration(nodes)
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        # --force: the socket may lie in a folder that only its owner enters
        self._launch("munged", "--foreground", "--force", f"--key-file={key}", f"--socket={self.folder}/munge.socket",
                     f"--pid-file={self.folder}/munge.pid", f"--seed-file={self.folder}/munge.seed",
                     f"--log-file={self.folder}/munged.log", "--num-threads=2")
        until(lambda: self._all_live() and (self.folder / "munge.socket").exists(), 20, lambda: self.logs("munged"))
        self._launch("slurmctld", "-D", "-f", self.environment["SLURM_CONF"])
        for node in nodes:
            self._launch("slurmd", "-D", "-f", self.environment["SLURM_CONF"], "-N", node)
        until(lambda: self._all_live() and self._idle() == len(nodes), 60, lambda: self.logs("slurmctld", "slurmd"))

    def _write_configuration(self, nodes):
        host = socket.gethostname().split(".")[0]
        ports = free_ports(1 + len(nodes))
        text = CONFIGURATION.format(host=host, port=ports[0], user=pwd.getpwuid(os.getuid()).pw_name, folder=self.folder)
        for node, port in zip(nodes, ports[1:]):
            text += f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={CPUS} State=UNKNOWN\n"
        for name, more in {"low": "Default=YES PriorityTier=1 GraceTime=20 PreemptMode=REQUEUE",
                           "high": "PriorityTier=10 PreemptMode=OFF"}.items():
            text += f"PartitionName={name} Nodes={','.join(nodes)} {more} MaxTime=INFINITE DefaultTime=10 State=UP\n"
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "env").write_text("".join(f"export {k}={v}\n" for k, v in self.environment.items()))

    def _launch(self, *command):
        name = command[0]
        env = {**os.environ, **self.environment, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
        with open(self.folder / f"{name}.out", "ab") as log:
            self.daemons.append((name, subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                                        preexec_fn=die_with_parent)))

    def _all_live(self):
        for name, process in self.daemons:
            assert process.poll() is None, f"{name} ended: {self.logs(name)}"
        return True

    def _idle(self):
        return self.call("sinfo", "-h", "-N", "-p", "low", "-o", "%T", check=False).split().count("idle")

    def logs(self, *names):
        """The last lines that daemons wrote."""
        return "".join(f"--- {path.name}\n{path.read_text(errors='replace')[-2000:]}\n"
                       for name in names for path in sorted(self.folder.glob(f"{name}*.*")) if path.suffix in (".out", ".log"))

    def call(self, *command, check=True, timeout=30, env=None, **options):
        """Standard output of a client of Slurm."""
        env = {**os.environ, **self.environment, **(env or {})}
        done = subprocess.run([str(word) for word in command], env=env, text=True, capture_output=True, timeout=timeout,
                              check=False, **options)
        assert not check or done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def job(self, number):
        """The fields of `scontrol show job` of a job; none of one that is not there."""
        text = self.call("scontrol", "--oneliner", "show", "job", number, check=False)
        return dict(word.split("=", 1) for word in text.split() if "=" in word)

    def stop(self):
        """Cancels all jobs and ends the daemons, the youngest first; safe to call again."""
        if len(self.daemons) > 2:  # munged and slurmctld are up: jobs may run
            self.call("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name, check=False)
            with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
                until(lambda: not self.call("squeue", "-h", check=False).strip(), 30, "the end of all jobs")
        while self.daemons:
            _, process = self.daemons.pop()
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


if __name__ == "__main__":
    cluster = Cluster(pathlib.Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    try:
        print(f"up; . {cluster.folder}/env", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        cluster.stop()

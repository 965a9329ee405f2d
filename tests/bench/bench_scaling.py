#!/usr/bin/python3
"""How well two workers share a grid of equal trainings, and what the machinery around trainings costs.

    bench_scaling.py [--build DIR] [--short] [--repeats R] [--ranks]

The same job is run with one worker and with two (or, --ranks, on one MPI rank and on two with a worker each), by turns.
    efficiency   time with one worker / (2 x time with two)
    outside      share of the workers' wall time that was not inside a training: 1 - sum of the trainings' times by
                 their own clocks / (workers x time of the run); it holds starting processes, measuring the models
                 (two prompts), writing records and waiting for the last training
    CPU          of the trainings together, which grows when workers slow each other (caches, memory)
Times of a run are those of the whole command, start of MPI included. Medians of the repeats. About five minutes; --short
about half a minute, with trainings so short that starting up weighs more.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

JOB = """name: scaling
model: {{n_layer: 4, n_head: 3, n_embd: 48}}
task: {{n_dims: 5, n_points: 20}}
train: {{steps: {steps}, batch_size: 64}}
evaluate: {{prompts: 2, baselines: []}}
seeds: {{first: 0, count: {count}}}
"""


def run(program, job, workers, ranks):
    """Seconds of the command, and wall and CPU seconds of its trainings together."""
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "run", job, "-o", folder + "/results", "--quiet", "--workers-per-rank",
                   "1" if ranks else str(workers)]
        if ranks:
            command = ["mpirun", "-n", str(workers), "--bind-to", "none", *command]
        start = time.monotonic()
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
        elapsed = time.monotonic() - start
        rows = subprocess.run([program, "export", folder + "/results", "--format", "jsonl", "--table", "trainings"],
                              check=True, capture_output=True, text=True, env=environment).stdout.splitlines()
    trainings = [json.loads(row) for row in rows]
    return elapsed, sum(training["wall_s"] for training in trainings), sum(training["cpu_s"] for training in trainings)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default="build", help="the build folder (default: build)")
    parser.add_argument("--short", action="store_true", help="trainings of about a second, one repeat")
    parser.add_argument("--repeats", type=int, help="runs of each kind (default: 2)")
    parser.add_argument("--ranks", action="store_true", help="MPI ranks instead of workers of one rank")
    arguments = parser.parse_args()
    repeats = arguments.repeats or (1 if arguments.short else 2)
    program = str(pathlib.Path(arguments.build, "cli", "palinode").resolve())
    count, steps = (6, 60) if arguments.short else (6, 500)
    times, outside, cpu = {1: [], 2: []}, {1: [], 2: []}, {1: [], 2: []}
    with tempfile.TemporaryDirectory() as folder:
        job = os.path.join(folder, "scaling.yaml")
        pathlib.Path(job).write_text(JOB.format(steps=steps, count=count))
        for _ in range(repeats):
            for workers in (1, 2):
                elapsed, wall_s, cpu_s = run(program, job, workers, arguments.ranks)
                times[workers].append(elapsed)
                outside[workers].append(1 - wall_s / (workers * elapsed))
                cpu[workers].append(cpu_s)
    kind = "ranks" if arguments.ranks else "workers"
    efficiency = statistics.median(one / (2 * two) for one, two in zip(times[1], times[2]))
    print(f"{count} trainings of {steps} steps (L 4, E 48, B 64), {repeats} x 1 and 2 {kind} by turns")
    for workers in (1, 2):
        print(f"{workers} {kind}: {statistics.median(times[workers]):7.2f} s, "
              f"outside trainings {100 * statistics.median(outside[workers]):.2f} %, "
              f"CPU {statistics.median(cpu[workers]):.2f} s")
    print(f"efficiency {efficiency:.3f}")


if __name__ == "__main__":
    main()

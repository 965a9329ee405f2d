/* See run_options.h. */
#include "cli/run/run_options.h"

#include "proto/transport/launcher.h"

#include <math.h>
#include <stdlib.h>

static const char details[] =
    "Without mpirun the program is one rank with as many workers as it may use cores (affinity mask, CPU\n"
    "quota). Under mpirun the ranks of a node share its cores. Running the same job on the same folder again\n"
    "does only what is missing; a changed job does what it adds, and the change is shown. Options from\n"
    "--workers-per-rank to --allow-numerics-change are also read from the environment, as\n"
    "PALINODE_WORKERS_PER_RANK=2, PALINODE_ALLOW_NUMERICS_CHANGE=1.\n\n"
    "SIGUSR1, SIGTERM, SIGHUP or ^C: every training saves itself, then the run stops (75); a second ^C: at\n"
    "once. Work that fails by its own fault is tried again (--retries), then recorded as failed and left\n"
    "alone (--rerun failed); what the machine could not do is not held against it.\n\n"
    "Exit codes: 0 all done, 1 done with failed trainings, or no gain like the run before, 64 wrong\n"
    "command line, 65 wrong job file or data, 71 no memory, 74 a file, MPI or the machine failed,\n"
    "75 stopped early (run again to go on), 76 too many failures.";

Status run_options_read(RunOptions *options, int argc, char **argv, bool *helped, Error *err) {
    *options = (RunOptions){.kernels = "",
                            .models = "keep",
                            .rerun = "missing",
                            .retries = 1,
                            .max_failures = -1,
                            .models_limit_gib = 16,
                            .checkpoint_every_s = 300,
                            .time_limit_s = NAN};
    const char *shard = NULL;
    const Option table[] = {
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &options->dir,
         .argument = "DIR",
         .summary = "folder of the results (default results/<job name>); an earlier run's is gone on with"},
        {.name = "set",
         .type = OPTION_LIST,
         .value = &options->overrides,
         .argument = "KEY=VALUES",
         .summary = "override a setting of the job file, e.g. --set model.n_layer=2,4 (repeatable)"},
        {.name = "workers-per-rank",
         .type = OPTION_INTEGER,
         .value = &options->workers,
         .argument = "K",
         .minimum = 1,
         .maximum = 1024,
         .environment = "PALINODE_WORKERS_PER_RANK",
         .summary = "trainings at a time on each rank (default: this rank's share of the cores it may use)"},
        {.name = "time-limit",
         .type = OPTION_DURATION,
         .value = &options->time_limit_s,
         .argument = "TIME",
         .environment = "PALINODE_TIME_LIMIT",
         .summary = "save and stop before this time is over (90s, 15m, 2h, D-HH:MM:SS); default: the batch job's"},
        {.name = "checkpoint-every",
         .type = OPTION_DURATION,
         .value = &options->checkpoint_every_s,
         .argument = "TIME",
         .environment = "PALINODE_CHECKPOINT_EVERY",
         .summary = "how often a training saves itself (30s, 5m), so that a crash costs no more (default 5m)"},
        {.name = "shard",
         .type = OPTION_TEXT,
         .value = &shard,
         .argument = "I/N",
         .environment = "PALINODE_SHARD",
         .summary = "do part I of N equal parts of the grid; runs on different parts may share a folder"},
        {.name = "rerun",
         .type = OPTION_TEXT,
         .value = &options->rerun,
         .argument = "WHAT",
         .choices = "missing|failed|all",
         .environment = "PALINODE_RERUN",
         .summary = "besides what is missing, do again what failed, or all (default missing)"},
        {.name = "retries",
         .type = OPTION_INTEGER,
         .value = &options->retries,
         .argument = "N",
         .minimum = 0,
         .maximum = 100,
         .environment = "PALINODE_RETRIES",
         .summary = "further attempts for work whose process died (default 1)"},
        {.name = "max-failures",
         .type = OPTION_INTEGER,
         .value = &options->max_failures,
         .argument = "N",
         .minimum = 0,
         .maximum = 1e9,
         .environment = "PALINODE_MAX_FAILURES",
         .summary = "stop with exit code 76 when more than N pieces of work have failed for good (default: never)"},
        {.name = "limit",
         .type = OPTION_INTEGER,
         .value = &options->limit,
         .argument = "N",
         .minimum = 1,
         .maximum = 1e15,
         .environment = "PALINODE_LIMIT",
         .summary = "train at most N models in this run"},
        {.name = "models",
         .type = OPTION_TEXT,
         .value = &options->models,
         .argument = "WHAT",
         .choices = "keep|discard",
         .environment = "PALINODE_MODELS",
         .summary = "keep trained parameters, so that a job extended by critics trains nothing (default keep)"},
        {.name = "models-limit",
         .type = OPTION_REAL,
         .value = &options->models_limit_gib,
         .argument = "GIB",
         .minimum = 0,
         .maximum = 1e6,
         .environment = "PALINODE_MODELS_LIMIT",
         .summary = "keep at most this many GiB of parameters in the folder (default 16)"},
        {.name = "kernels",
         .type = OPTION_TEXT,
         .value = &options->kernels,
         .argument = "PATH",
         .environment = "PALINODE_KERNELS",
         .summary = "pin the numeric path on all ranks: reference, portable, avx2, avx512 (default: the best)"},
        {.name = "allow-numerics-change",
         .type = OPTION_FLAG,
         .value = &options->allow_numerics_change,
         .environment = "PALINODE_ALLOW_NUMERICS_CHANGE",
         .summary = "go on in a folder whose results were computed with other numerics (CPU, kernels, libraries)"},
        {.name = "requeue",
         .type = OPTION_FLAG,
         .value = &options->requeue,
         .summary = "in a Slurm job that stops early (exit code 75): have Slurm put it back into its queue"},
        {.name = "successor",
         .type = OPTION_TEXT,
         .value = &options->successor,
         .argument = "JOB",
         .summary = "number of a held Slurm job that waits for the end of this one: released when the run has begun, "
                    "cancelled when it leaves nothing to do"},
        {.name = "quiet",
         .letter = 'q',
         .type = OPTION_FLAG,
         .value = &options->quiet,
         .summary = "no progress; errors still appear"},
        {.name = "json",
         .type = OPTION_FLAG,
         .value = &options->json,
         .summary = "a summary of the run as one JSON value on stdout"},
    };
    const Command command = {.name = "run",
                             .usage = "JOB.yaml [-o DIR] [options]",
                             .summary = "train and evaluate the grid of a job file",
                             .details = details,
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    int n_operands;
    Status status = command_read(&command, argc, argv, &options->operands, &n_operands, helped, err);
    if (*helped && launcher_rank() == 0) options_print_help(&command);
    if (status != STATUS_OK || *helped) return status;
    options->job = options->operands[0];
    if (shard == NULL || shard_parse(shard, &options->shard)) return STATUS_OK;
    return error_set(err, STATUS_USAGE, "--shard: expected I/N, part I of N equal parts of the grid (2/8), not '%s'",
                     shard);
}

void run_options_free(RunOptions *options) {
    free((void *)options->overrides.items);
    free((void *)options->operands);
}

/* palinode: picks a subcommand. Everything else happens in the rooms. */
#include "cli/commands/commands.h"
#include "cli/shared/options.h"
#include "cli/shared/signals.h"
#include "cli/shared/version.h"
#include "proto/base/status.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"run", command_run, "train and evaluate the grid of a job file (also under mpirun)"},
    {"plan", command_plan, "what a job would do, and what it would cost; does no work"},
    {"status", command_status, "how far a run is, also while it goes on"},
    {"submit", command_submit, "a job as a batch job of Slurm"},
    {"wait", command_wait, "until a run's job is done, whatever stops it in between"},
    {"analyze", command_analyze, "tables, figures and a report from results"},
    {"diff", command_diff, "did a change alter the results? two sets of them side by side"},
    {"export", command_export, "results as CSV, JSON lines or a SQLite database"},
    {"merge", command_merge, "the union of results folders, by id"},
    {"explain", command_explain, "why a training, cell or baseline is done, pending, failed or skipped"},
    {"replay", command_replay, "do a recorded training again and compare it bit for bit"},
    {"verify", command_verify, "check every record; --repair cuts a torn tail"},
    {"train", command_train, "one training, its parameters to a safetensors file"},
    {"evaluate", command_evaluate, "measure a trained model, also one trained with PyTorch"},
    {"predict", command_predict, "predictions of a model or a baseline for given prompts"},
    {"model", command_model, "take a kept model out of results"},
    {"inspect", command_inspect, "what a trained model learned: its attention, and what each layer answers"},
    {"theory", command_theory, "weights set by hand against gradient descent, and what each piece is for"},
    {"settings", command_settings, "every setting of a job file, with its bounds and default"},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out) {
    fprintf(out, "palinode %s: train and measure self-correcting transformers, by the grid\n\n", PALINODE_VERSION);
    fprintf(out, "Usage: palinode COMMAND ...            palinode COMMAND --help explains one\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nA first result in a few minutes:\n"
                 "  palinode run jobs/quick/demo.yaml -o results/demo\n"
                 "  palinode analyze results/demo\n"
                 "On a cluster: mpirun palinode run JOB.yaml -o DIR; on Slurm: palinode submit\n");
}

/* Streams that the caller closed stay unusable: no file that is opened later shall take their numbers and get what is
 * printed. */
static void occupy_streams(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int dispatch_command(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return STATUS_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("palinode %s (%s)\n", PALINODE_VERSION, PALINODE_COMMIT);
        return STATUS_OK;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0) return commands[i].run(argc - 1, argv + 1);
    Error err;
    error_set(&err, STATUS_USAGE, "unknown command '%s'; palinode --help lists them", argv[1]);
    return refuse_command_line(STATUS_USAGE, &err);
}

int main(int argc, char **argv) {
    occupy_streams();
    signals_restore();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of the write, as a full disk is */
    int exit_code = dispatch_command(argc, argv);
    bool printed = fflush(stdout) == 0 && !ferror(stdout);
    if (printed || exit_code != STATUS_OK) return exit_code;
    fprintf(stderr, "palinode: standard output could not be written: what should be there is lost\n");
    return STATUS_IO;
}

/* Command lines: each subcommand states its options once, in a table that parses them and prints its --help.
 *
 * Long options are written in full (no abbreviations), as --name value or --name=value; operands and options may mix;
 * "--" ends options. An option with an environment name takes that variable's value where the flag is not given. */
#ifndef CLI_SHARED_OPTIONS_H
#define CLI_SHARED_OPTIONS_H

#include "proto/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct TextList {
    const char **items;
    int count;
} TextList;

typedef enum OptionType {
    OPTION_FLAG,     /* bool */
    OPTION_TEXT,     /* const char *, one of choices where given ("csv|jsonl") */
    OPTION_INTEGER,  /* int64_t from minimum to maximum */
    OPTION_REAL,     /* double from minimum to maximum */
    OPTION_DURATION, /* double, seconds: "90", "90s", "15m", "2h", "1-12:00:00", "HH:MM:SS" */
    OPTION_LIST      /* TextList: every occurrence is added */
} OptionType;

typedef struct Option {
    const char *name; /* "workers-per-rank", without dashes */
    char letter;      /* 'o', or 0 */
    OptionType type;
    void *value;             /* of the type's kind; keeps what it holds where the option is absent */
    const char *argument;    /* "DIR" in --help, NULL for a flag */
    const char *summary;     /* one sentence, lines of --help are wrapped */
    double minimum, maximum; /* of numbers; 0, 0: unbounded */
    const char *choices;     /* "keep|discard", or NULL */
    const char *environment; /* "PALINODE_WORKERS_PER_RANK", or NULL */
} Option;

typedef struct Command {
    const char *name;    /* "run" */
    const char *usage;   /* "JOB.yaml [-o DIR] [options]" */
    const char *summary; /* one line, as in palinode --help */
    const char *details; /* further paragraphs of its --help, or NULL */
    const Option *options;
    int n_options;
    int min_operands, max_operands; /* max -1: any number */
} Command;

/* Parses argv[1..]; operands (argc places) get the operands in order. STATUS_USAGE: err says what was expected, with
 * the nearest known option for a misspelt one. --help is recognised by command_run. */
Status options_parse(const Command *command, int argc, char **argv, const char **operands, int *n_operands, Error *err);

/* The help text of a command on stdout. */
void options_print_help(const Command *command);

/* Reads argv[1..] as options_parse does; operands is malloc'd (argc places), NULL after a failure. *helped: it is
 * --help that is wanted, and nothing was read. */
Status command_read(const Command *command, int argc, char **argv, const char ***operands, int *n_operands,
                    bool *helped, Error *err);

/* For the top of every command_xyz but run: prints help or a usage error and then returns false, *exit_code being what
 * to return; true when the command shall go on. operands as command_read has them. */
bool command_line(const Command *command, int argc, char **argv, const char ***operands, int *n_operands,
                  int *exit_code);

/* "palinode: <text>" on stderr for a failed call; returns status as exit code. */
int report_error(Status status, const Error *err);
/* The same for a command line that is wrong on all ranks that mpirun has started: rank 0 says so, and when it ends
 * mpirun ends the others before they can. */
int refuse_command_line(Status status, const Error *err);

#endif

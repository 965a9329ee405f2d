/* See slurm_environment.h. For sbatch a variable beats a line of the script, and only its command line beats both. */
#include "coordinator/batch/slurm_environment.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_BYTES = 64 };
static char c_locale[] = "LC_ALL=C";

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* The option of sbatch that SBATCH_.. stands for, or the one that decides it. */
static void option_of(const char *variable, char option[OPTION_BYTES]) {
    static const char *const others[][2] = {
        {"ARRAY_INX=", "array"},  {"ERROR=", "output"},       {"MEM_PER_CPU=", "mem"},    {"MEM_PER_GPU=", "mem"},
        {"MEM_PER_NODE=", "mem"}, {"NO_REQUEUE=", "requeue"}, {"REQUEUE=", "no-requeue"}, {"TIMELIMIT=", "time"}};
    const char *name = variable + strlen("SBATCH_");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (begins(name, others[i][0])) {
            snprintf(option, OPTION_BYTES, "%s", others[i][1]);
            return;
        }
    snprintf(option, OPTION_BYTES, "%.*s", (int)strcspn(name, "="), name);
    for (char *c = option; *c != '\0'; c++)
        *c = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
}

/* Whether a script has a line #SBATCH --option. */
static bool says(const char *script, const char *option) {
    char line[OPTION_BYTES + 16];
    size_t length = (size_t)snprintf(line, sizeof line, "\n#SBATCH --%s", option);
    for (const char *at = script; (at = strstr(at, line)) != NULL; at += length)
        if (strchr("= \n", at[length]) != NULL) return true; /* the end of the script too */
    return false;
}

static bool is_passed_on(const char *variable, const char *script) {
    static const char *const shaping[] = {"SQUEUE_", "SCONTROL_", "SCANCEL_",
                                          "SLURM_TIME_FORMAT=", "SBATCH_WAIT=" /* till the job has ended */};
    char option[OPTION_BYTES];
    for (size_t i = 0; i < sizeof shaping / sizeof shaping[0]; i++)
        if (begins(variable, shaping[i])) return false;
    if (script == NULL) return !begins(variable, "LC_ALL=");
    if (!begins(variable, "SBATCH_")) return true;
    option_of(variable, option);
    return !says(script, option);
}

char **slurm_environment(const char *script) {
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **chosen = calloc(count + 2, sizeof *chosen);
    if (chosen == NULL) return NULL;
    for (size_t i = 0; i < count; i++)
        if (is_passed_on(environ[i], script)) chosen[kept++] = environ[i];
    if (script == NULL) chosen[kept] = c_locale;
    return chosen;
}

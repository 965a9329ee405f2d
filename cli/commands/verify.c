/* palinode verify: every record of every file, checked; with --repair a torn tail is cut off. */
#include "cli/commands/commands.h"
#include "cli/shared/options.h"
#include "coordinator/journal/journal.h"
#include "proto/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static Status print_check(void *context, const SegmentCheck *check, Error *err) {
    const RecordScan *scan = &check->scan;
    printf("%s: %llu record%s, %llu bytes: ", TEXT_SHOWN(check->path), (unsigned long long)scan->records,
           scan->records == 1 ? "" : "s", (unsigned long long)scan->whole_bytes);
    if (scan->problem[0] == '\0') {
        printf("%s\n", scan->ended    ? "whole"
                       : check->alive ? "whole, its run goes on"
                                      : "whole, its run did not end in order");
        return STATUS_OK;
    }
    printf("%s", TEXT_SHOWN(scan->problem));
    if (check->saved_as[0] != '\0')
        printf("; cut off, saved as %s", TEXT_SHOWN(check->saved_as));
    else if (check->alive)
        printf("; its run goes on");
    printf("\n");
    return STATUS_OK;
}

/* One file alone: checked, never repaired, as only its folder tells whether its run goes on. */
static Status verify_file(const char *path, bool repair, Error *err) {
    SegmentCheck check = {.path = path, .saved_as = ""};
    if (repair) return error_set(err, STATUS_USAGE, "%s: --repair takes the folder of a run, not one file", path);
    Status status = record_file_scan(path, NULL, NULL, &check.scan, err);
    if (status != STATUS_OK) return status;
    print_check(NULL, &check, err);
    if (check.scan.problem[0] == '\0') return STATUS_OK;
    return error_set(err, STATUS_FAILED, "%s: not in order", path);
}

int command_verify(int argc, char **argv) {
    bool repair = false;
    const Option table[] = {
        {.name = "repair",
         .type = OPTION_FLAG,
         .value = &repair,
         .summary =
             "cut off what is behind the last whole record of a damaged file, and keep it beside the file; never "
             "of a run that goes on"},
    };
    const Command command = {.name = "verify",
                             .usage = "DIR [--repair], or one record file",
                             .summary = "check every record; --repair cuts a torn tail",
                             .details =
                                 "Exit code 0: every byte belongs to a whole record (or now does); 1: damage is left.",
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = 1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    struct stat found;
    bool file = stat(operands[0], &found) == 0 && S_ISREG(found.st_mode);
    Status status =
        file ? verify_file(operands[0], repair, &err) : journal_verify(operands[0], repair, print_check, NULL, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}

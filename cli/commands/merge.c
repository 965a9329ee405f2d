/* palinode merge: the union of several results folders, in a folder of its own. */
#include "coordinator/journal/merge.h"
#include "cli/commands/commands.h"
#include "cli/shared/json_output.h"
#include "cli/shared/options.h"
#include "cli/shared/provenance.h"
#include "cli/shared/version.h"
#include "cli/shared/warning.h"
#include "proto/base/clock.h"
#include "proto/base/text.h"
#include "proto/wire/codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { WARNING_BYTES = 8192, CONFLICTS_SHOWN = 20 };

/* What the merge says while it goes on. */
typedef struct Findings {
    bool json;
    int n_conflicts;
    json_t *conflicts, *numerics; /* of --json: an array; the largest difference or NULL */
    char *numerics_text;          /* the largest difference; NULL: none */
} Findings;

static json_t *difference_json(const MergeDifference *found) {
    char id[ID_TEXT_BYTES];
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:[{s:o, s:I, s:s}, {s:o, s:I, s:s}]}", "kind",
                     record_kind_name(found->kind), "id", id_text(found->id, id), "what", found->difference.what,
                     "value", number_or_null(found->difference.a), "other_value", number_or_null(found->difference.b),
                     "standard_errors", number_or_null(found->difference.standard_errors), "records", "path",
                     text_json(found->path), "offset", (json_int_t)found->offset, "fingerprint", found->fingerprint,
                     "path", text_json(found->other_path), "offset", (json_int_t)found->other_offset, "fingerprint",
                     found->other_fingerprint);
}

static void note_conflict(void *context, const MergeDifference *found) {
    Findings *findings = context;
    char id[ID_TEXT_BYTES], difference[256];
    if (findings->n_conflicts++ >= CONFLICTS_SHOWN) return;
    if (findings->json) {
        json_array_append_new(findings->conflicts, difference_json(found));
        return;
    }
    printf("conflict: %s %s under '%s'\n    %s\n    %s at byte %" PRIu64 "\n    %s at byte %" PRIu64 "\n",
           record_kind_name(found->kind), id_text(found->id, id), TEXT_SHOWN(found->fingerprint),
           record_difference_text(&found->difference, difference, sizeof difference), TEXT_SHOWN(found->path),
           found->offset, TEXT_SHOWN(found->other_path), found->other_offset);
}

static void note_numerics(void *context, const MergeDifference *found) {
    Findings *findings = context;
    char id[ID_TEXT_BYTES], difference[256];
    if (findings->json) {
        json_decref(findings->numerics);
        findings->numerics = difference_json(found);
        return;
    }
    free(findings->numerics_text);
    if (asprintf(&findings->numerics_text,
                 "%s %s, %s\n    taken: '%s', %s at byte %" PRIu64 "\n    other: '%s', %s at byte %" PRIu64,
                 record_kind_name(found->kind), id_text(found->id, id),
                 record_difference_text(&found->difference, difference, sizeof difference),
                 TEXT_SHOWN(found->fingerprint), TEXT_SHOWN(found->path), found->offset,
                 TEXT_SHOWN(found->other_fingerprint), TEXT_SHOWN(found->other_path), found->other_offset) < 0)
        findings->numerics_text = NULL;
}

static const char *plural(uint64_t count) {
    return count == 1 ? "" : "s";
}

static void print_text(const char *out, const MergeSummary *summary, const Findings *findings, bool made) {
    uint64_t trainings = summary->trainings_done + summary->trainings_diverged + summary->trainings_failed;
    if (findings->n_conflicts > CONFLICTS_SHOWN)
        printf("and %d further conflicts\n", findings->n_conflicts - CONFLICTS_SHOWN);
    if (summary->under_different_numerics > 0)
        printf("%" PRIu64 " result%s found under different numerics (information, no error); the largest difference:\n"
               "    %s\n",
               summary->under_different_numerics, plural(summary->under_different_numerics),
               findings->numerics_text != NULL ? findings->numerics_text : "none");
    if (!made) return;
    printf("%s: %" PRIu64 " training%s (%" PRIu64 " done, %" PRIu64 " diverged, %" PRIu64 " failed), %" PRIu64
           " cell%s, %" PRIu64 " baseline%s, %" PRIu64 " kept model%s, from %" PRIu64 " record%s in %d folder%s\n",
           out, trainings, plural(trainings), summary->trainings_done, summary->trainings_diverged,
           summary->trainings_failed, summary->cells, plural(summary->cells), summary->baselines,
           plural(summary->baselines), summary->models, plural(summary->models), summary->found, plural(summary->found),
           summary->folders, summary->folders == 1 ? "" : "s");
}

static Status print_json(const char *out, const MergeSummary *summary, Findings *findings, bool made, Error *err) {
    json_t *root =
        json_pack("{s:o, s:b, s:i, s:I, s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "out", text_json(out),
                  "made", made, "folders", summary->folders, "records_found", (json_int_t)summary->found, "trainings",
                  "done", (json_int_t)summary->trainings_done, "diverged", (json_int_t)summary->trainings_diverged,
                  "failed", (json_int_t)summary->trainings_failed, "cells", (json_int_t)summary->cells, "baselines",
                  (json_int_t)summary->baselines, "models", (json_int_t)summary->models, "conflicts",
                  (json_int_t)summary->conflicts, "under_different_numerics",
                  (json_int_t)summary->under_different_numerics, "first_conflicts", findings->conflicts,
                  "largest_difference", findings->numerics != NULL ? findings->numerics : json_null());
    findings->conflicts = findings->numerics = NULL;
    return json_output(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17), err);
}

static Status merge(int argc, char **argv, const char *out, const char *const *dirs, int n_dirs, bool leave_out,
                    bool json, Error *err) {
    char warning[WARNING_BYTES] = "", host[256] = "";
    char *command = provenance_command_line(argc, argv);
    if (command == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the command line in the header");
    gethostname(host, sizeof host - 1);
    Record header = {.kind = RECORD_HEADER,
                     .of.header = {.schema = SCHEMA_VERSION,
                                   .content = "records",
                                   .version = PALINODE_VERSION,
                                   .commit = PALINODE_COMMIT,
                                   .build = PALINODE_BUILD,
                                   .mpi = "",
                                   .blas = "",
                                   .cpu = "",
                                   .host = host,
                                   .rank_hosts = "",
                                   .scheduler = "",
                                   .command_line = command,
                                   .started_unix_ms = clock_unix_ms()}};
    Findings findings = {.json = json, .conflicts = json ? json_array() : NULL};
    MergeSummary summary;
    const MergeOptions options = {
        .leave_out_conflicts = leave_out, .conflict = note_conflict, .numerics = note_numerics, .context = &findings};
    Status status = merge_folders(out, dirs, n_dirs, &header, &options, &summary, warning, sizeof warning, err);
    print_warnings(warning);
    bool made = status == STATUS_OK || (status == STATUS_FAILED && leave_out);
    if (made || status == STATUS_FAILED) {
        Error trouble;
        if (!json) print_text(out, &summary, &findings, made);
        if (json && print_json(out, &summary, &findings, made, &trouble) != STATUS_OK)
            status = error_set(err, STATUS_NO_MEMORY, "%s", trouble.text);
    }
    json_decref(findings.conflicts);
    json_decref(findings.numerics);
    free(findings.numerics_text);
    free(command);
    return status;
}

static const char details[] =
    "OUT is a results folder as any other: run, status, analyze, export, verify and merge take it. It is a new\n"
    "folder, an empty one, or that of an earlier merge, which then counts as one more source.\n\n"
    "Of the records of one id a result is taken before a failure; of results under different numerics the one whose\n"
    "fingerprint comes last in version order, whatever the order of the folders. Results of one id that differ under\n"
    "the same numerics are a conflict: each is shown with both places, and OUT is not made (exit code 1).\n"
    "palinode replay DIR ID tells which of the two this machine reproduces. Checkpoints of unfinished trainings stay\n"
    "where they are.\n\n"
    "Exit codes: 0 merged, 1 conflicts, 64 wrong command line or OUT holds something else, 65 a folder without\n"
    "records, 71 no memory, 74 a file could not be read or written,\n"
    "75 another merge into OUT was faster: merge again.";

int command_merge(int argc, char **argv) {
    const char *out = NULL;
    bool leave_out = false, json = false;
    const Option table[] = {
        {.name = "output",
         .letter = 'o',
         .type = OPTION_TEXT,
         .value = &out,
         .argument = "OUT",
         .summary = "folder of the merged results; required"},
        {.name = "leave-out-conflicts",
         .type = OPTION_FLAG,
         .value = &leave_out,
         .summary =
             "make OUT without the results that are in conflict, so that run does them again (exit code still 1)"},
        {.name = "json", .type = OPTION_FLAG, .value = &json, .summary = "one JSON value on stdout"},
    };
    const Command command = {.name = "merge",
                             .usage = "-o OUT DIR... [--leave-out-conflicts]",
                             .summary = "the union of results folders, by id",
                             .details = details,
                             .options = table,
                             .n_options = sizeof table / sizeof table[0],
                             .min_operands = 1,
                             .max_operands = -1};
    const char **operands;
    int n_operands, exit_code;
    if (!command_line(&command, argc, argv, &operands, &n_operands, &exit_code)) return exit_code;
    Error err = {{0}};
    Status status = out == NULL
                        ? error_set(&err, STATUS_USAGE, "-o is missing; usage: palinode merge %s", command.usage)
                        : merge(argc, argv, out, operands, n_operands, leave_out, json, &err);
    free((void *)operands);
    return status == STATUS_OK ? STATUS_OK : report_error(status, &err);
}

/* See merge.h. The first pass notes where every record is; sorted by kind, id and place, the records of an id lie side
 * by side, those of one folder too. The second pass goes through the ids, reads the records of each, chooses one, and
 * compares the others with it. */
#include "coordinator/journal/merge.h"

#include "coordinator/journal/merge_target.h"
#include "proto/base/clock.h"
#include "proto/wire/codec.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One record of a folder. */
typedef struct Occurrence {
    Id id;
    uint64_t offset;
    uint32_t file; /* index in Merge.files: folders in order, in each its segments in order */
    uint8_t kind;
} Occurrence;

/* Of many files the first stay open. */
enum { OPEN_FILES = 200 };

typedef struct SourceFile {
    char *path;
    int folder;
    RecordReader *reader; /* NULL: not open yet, or beyond the first OPEN_FILES */
} SourceFile;

/* A growing list of texts, each once when finished. */
typedef struct Texts {
    char **items;
    size_t count, capacity;
} Texts;

typedef struct Merge {
    const MergeOptions *options;
    MergeSummary *summary;
    SourceFile *files;
    size_t n_files, files_capacity;
    Occurrence *records;
    size_t n_records, records_capacity;
    int folder; /* that is being read */
    Texts sources;
    char *job_name, *job_text, *fingerprint; /* of all runs, "" when they differ; NULL: none read yet */
    double largest;                          /* difference under different numerics, in standard errors */
} Merge;

/* --- first pass ------------------------------------------------------------------------------------------------- */

/* Makes room for one more of size bytes each. */
static Status grow(void **items, size_t count, size_t *capacity, size_t size, Error *err) {
    if (count < *capacity) return STATUS_OK;
    size_t wanted = *capacity * 2 + 64;
    void *more = realloc(*items, wanted * size);
    if (more == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for an index of %zu records", wanted);
    *items = more;
    *capacity = wanted;
    return STATUS_OK;
}

/* Takes text (malloc'd; NULL: no memory for it). */
static Status add_text(Texts *texts, char *text, Error *err) {
    Status status = text != NULL ? grow((void **)&texts->items, texts->count, &texts->capacity, sizeof(char *), err)
                                 : error_set(err, STATUS_NO_MEMORY, "no memory for the sources of a merge");
    if (status == STATUS_OK)
        texts->items[texts->count++] = text;
    else
        free(text);
    return status;
}

/* One line on a run: "DIR/records-0001.tfrecord: palinode 1.0 (commit) on HOST, 2 ranks, started .., numerics, command"
 */
static char *describe_run(const char *path, const HeaderRecord *header) {
    char started[32] = "unknown", *line = NULL;
    size_t size;
    time_t seconds = (time_t)(header->started_unix_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) != NULL) strftime(started, sizeof started, "%Y-%m-%dT%H:%M:%SZ", &parts);
    FILE *out = open_memstream(&line, &size);
    if (out == NULL) return NULL;
    fprintf(out, "%s: palinode %s (%s) on %s, %d ranks, started %s; %s; %s", path, header->version, header->commit,
            header->host, header->n_ranks, started, header->fingerprint, header->command_line);
    if (fclose(out) != 0) {
        free(line);
        return NULL;
    }
    for (char *c = line; *c != '\0'; c++)
        if (*c == '\n') *c = ' ';
    return line;
}

/* The runs behind a file: itself, or of a merge its sources. */
static Status add_sources(Merge *merge, const char *path, const HeaderRecord *header, Error *err) {
    if (header->sources[0] == '\0') return add_text(&merge->sources, describe_run(path, header), err);
    Status status = STATUS_OK;
    for (const char *line = header->sources; *line != '\0' && status == STATUS_OK;) {
        size_t length = strcspn(line, "\n");
        if (length > 0) status = add_text(&merge->sources, strndup(line, length), err);
        line += length + (line[length] == '\n');
    }
    return status;
}

/* Keeps what all runs agree on. */
static Status agree(char **known, const char *text, Error *err) {
    if (*known == NULL) {
        *known = strdup(text);
        return *known != NULL ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory for the header of a merge");
    }
    if (strcmp(*known, text) != 0) (*known)[0] = '\0';
    return STATUS_OK;
}

static Status begin_file(Merge *merge, const RecordPlace *place, const HeaderRecord *header, Error *err) {
    Status status = grow((void **)&merge->files, merge->n_files, &merge->files_capacity, sizeof *merge->files, err);
    if (status != STATUS_OK) return status;
    SourceFile *file = &merge->files[merge->n_files];
    *file = (SourceFile){.path = strdup(place->path), .folder = merge->folder};
    if (file->path == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a list of files");
    merge->n_files++;
    if (strcmp(header->content, "models") == 0) return STATUS_OK;
    status = add_sources(merge, place->path, header, err);
    if (status == STATUS_OK) status = agree(&merge->job_name, header->job_name, err);
    if (status == STATUS_OK) status = agree(&merge->job_text, header->job_text, err);
    if (status == STATUS_OK) status = agree(&merge->fingerprint, header->fingerprint, err);
    return status;
}

static Status note_record(void *context, const RecordPlace *place, Record *record, Error *err) {
    Merge *merge = context;
    if (record->kind == RECORD_HEADER && place->offset == 0) return begin_file(merge, place, &record->of.header, err);
    if (!record_has_id(record)) return STATUS_OK;
    Status status =
        grow((void **)&merge->records, merge->n_records, &merge->records_capacity, sizeof *merge->records, err);
    if (status == STATUS_OK)
        merge->records[merge->n_records++] = (Occurrence){.id = record_id(record),
                                                          .offset = place->offset,
                                                          .file = (uint32_t)merge->n_files - 1,
                                                          .kind = (uint8_t)record->kind};
    return status;
}

/* Adds a line to warning. */
static void add_line(char *warning, size_t warning_bytes, const char *line) {
    size_t used = strlen(warning);
    if (line[0] != '\0') snprintf(warning + used, warning_bytes - used, "%s%s", used > 0 ? "\n" : "", line);
}

/* A source may be written to while it is read. */
static Status note_live_runs(const char *dir, char *warning, size_t warning_bytes, Error *err) {
    SegmentList runs;
    Status status = segments_list(dir, "status", &runs, err);
    for (size_t i = 0; status == STATUS_OK && i < runs.count; i++) {
        char line[PATH_MAX + 128];
        snprintf(line, sizeof line, "%s: run %s is going on there; its records so far are taken", dir, runs.names[i]);
        if (segment_is_alive(dir, runs.names[i])) add_line(warning, warning_bytes, line);
    }
    segments_free(&runs);
    return status;
}

static Status note_folder(Merge *merge, const char *dir, char *warning, size_t warning_bytes, Error *err) {
    size_t files = merge->n_files;
    char lines[2048] = "";
    Status status = note_live_runs(dir, warning, warning_bytes, err);
    if (status == STATUS_OK) status = journal_visit(dir, note_record, merge, lines, sizeof lines, err);
    add_line(warning, warning_bytes, lines);
    merge->folder++;
    if (status == STATUS_OK && merge->n_files == files)
        status = error_set(err, STATUS_DATA, "%s: holds no records: expected records-*.tfrecord of a run", dir);
    return status;
}

static int compare_occurrences(const void *left, const void *right) {
    const Occurrence *a = left, *b = right;
    if (a->kind != b->kind) return a->kind < b->kind ? -1 : 1;
    int ids = memcmp(&a->id, &b->id, sizeof a->id);
    if (ids != 0) return ids;
    if (a->file != b->file) return a->file < b->file ? -1 : 1;
    return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All sources, sorted, each once, a line each; malloc'd, NULL: no memory. */
static char *join_sources(Texts *texts) {
    size_t bytes = 1, used = 0;
    if (texts->count > 0) qsort(texts->items, texts->count, sizeof *texts->items, compare_texts);
    for (size_t i = 0; i < texts->count; i++)
        bytes += strlen(texts->items[i]) + 1;
    char *all = malloc(bytes);
    if (all == NULL) return NULL;
    all[0] = '\0';
    for (size_t i = 0; i < texts->count; i++)
        if (i == 0 || strcmp(texts->items[i], texts->items[i - 1]) != 0)
            used += (size_t)sprintf(all + used, "%s\n", texts->items[i]);
    return all;
}

/* --- second pass ------------------------------------------------------------------------------------------------ */

static Status read_occurrence(const Merge *merge, const Occurrence *at, Record *record, Error *err) {
    SourceFile *file = &merge->files[at->file];
    const char *path = file->path;
    Status status = STATUS_OK;
    if (file->reader == NULL && at->file < OPEN_FILES) status = record_reader_open(path, &file->reader, err);
    if (status == STATUS_OK)
        status = file->reader != NULL ? record_reader_read(file->reader, at->offset, record, err)
                                      : record_file_read_at(path, at->offset, record, err);
    if (status != STATUS_OK) return status;
    if (record->kind == at->kind && id_equal(record_id(record), at->id)) return STATUS_OK;
    record_free(record);
    return error_set(err, STATUS_DATA, "%s: the record at byte %" PRIu64 " has changed since it was first read", path,
                     at->offset);
}

/* Whether b is taken before a, both the answers of their folders. Of equal results the bytes decide, provenance and
 * all, so that merging in any order gives the same file. */
static Status takes_over(const Record *a, const Record *b, bool *over, Error *err) {
    RecordRank ranks[2];
    Status status = record_rank(a, &ranks[0], err);
    if (status == STATUS_OK) status = record_rank(b, &ranks[1], err);
    if (status != STATUS_OK) return status;
    *over = record_rank_before(&ranks[1], &ranks[0]);
    if (*over || record_rank_before(&ranks[0], &ranks[1])) return STATUS_OK;
    Bytes bytes[2] = {{0}};
    status = record_encode(a, &bytes[0], err);
    if (status == STATUS_OK) status = record_encode(b, &bytes[1], err);
    if (status == STATUS_OK) {
        int order = memcmp(bytes[1].data, bytes[0].data, bytes[0].size < bytes[1].size ? bytes[0].size : bytes[1].size);
        *over = order < 0 || (order == 0 && bytes[1].size < bytes[0].size);
    }
    bytes_free(&bytes[0]);
    bytes_free(&bytes[1]);
    return status;
}

/* A record that is held for a while, and which of its id's it is. */
typedef struct Held {
    Record record; /* kind 0: none */
    size_t index;
} Held;

static void hold(Held *held, Held *other) {
    record_free(&held->record);
    *held = *other;
    *other = (Held){0};
}

/* Reads the n records of an id and leaves in *best the one that is taken. */
static Status choose(const Merge *merge, const Occurrence *group, size_t n, Held *best, Error *err) {
    Held own = {0}; /* the answer of the folder that is being looked at */
    Status status = STATUS_OK;
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        Held next = {.index = i};
        status = read_occurrence(merge, &group[i], &next.record, err);
        if (status != STATUS_OK) break;
        bool hidden = own.record.kind != 0 && record_is_failure(&next.record) && !record_is_failure(&own.record);
        if (!hidden) hold(&own, &next);
        record_free(&next.record);
        bool last = i + 1 == n || merge->files[group[i + 1].file].folder != merge->files[group[i].file].folder;
        if (!last) continue;
        bool over = true;
        if (best->record.kind != 0) status = takes_over(&best->record, &own.record, &over, err);
        if (over) hold(best, &own);
        record_free(&own.record);
    }
    record_free(&own.record);
    return status;
}

static bool same_numerics(const Record *a, const Record *b) {
    return strcmp(record_fingerprint(a), record_fingerprint(b)) == 0;
}

/* Compares the others of an id with the one taken. */
static Status compare_others(Merge *merge, const Occurrence *group, size_t n, const Held *best, bool *conflict,
                             Error *err) {
    bool different_numerics = false;
    *conflict = false;
    Status status = STATUS_OK;
    for (size_t i = 0; i < n && status == STATUS_OK; i++) {
        Record other;
        if (i == best->index) continue;
        status = read_occurrence(merge, &group[i], &other, err);
        if (status != STATUS_OK) break;
        MergeDifference found = {.kind = other.kind,
                                 .id = group[i].id,
                                 .path = merge->files[group[best->index].file].path,
                                 .offset = group[best->index].offset,
                                 .other_path = merge->files[group[i].file].path,
                                 .other_offset = group[i].offset,
                                 .fingerprint = record_fingerprint(&best->record),
                                 .other_fingerprint = record_fingerprint(&other)};
        if (!record_is_failure(&other)) status = record_compare(&best->record, &other, &found.difference, err);
        if (status == STATUS_OK && !record_is_failure(&other)) {
            bool same = same_numerics(&best->record, &other);
            different_numerics = different_numerics || !same;
            if (same && found.difference.differs) {
                *conflict = true;
                merge->options->conflict(merge->options->context, &found);
            } else if (!same && found.difference.standard_errors > merge->largest) {
                merge->largest = found.difference.standard_errors;
                merge->options->numerics(merge->options->context, &found);
            }
        }
        record_free(&other);
    }
    merge->summary->conflicts += *conflict;
    merge->summary->under_different_numerics += different_numerics;
    return status;
}

static void count(MergeSummary *summary, const Record *record) {
    if (record->kind == RECORD_TRAINING) {
        summary->trainings_done += record->of.training.outcome == OUTCOME_DONE;
        summary->trainings_diverged += record->of.training.outcome == OUTCOME_DIVERGED;
        summary->trainings_failed += record->of.training.outcome == OUTCOME_FAILED;
    }
    bool failed = record_has_id(record) && record_is_failure(record);
    summary->cells += record->kind == RECORD_CELL && !failed;
    summary->baselines += record->kind == RECORD_BASELINE && !failed;
    summary->models += record->kind == RECORD_MODEL;
}

static Status write_records(Merge *merge, Journal *journal, Error *err) {
    Status status = STATUS_OK;
    for (size_t i = 0, n; i < merge->n_records && status == STATUS_OK; i += n) {
        const Occurrence *group = &merge->records[i];
        for (n = 1; i + n < merge->n_records && group[n].kind == group->kind && id_equal(group[n].id, group->id); n++)
            ;
        Held best = {0};
        bool conflict = false;
        status = choose(merge, group, n, &best, err);
        if (status == STATUS_OK && n > 1 && !record_is_failure(&best.record))
            status = compare_others(merge, group, n, &best, &conflict, err);
        if (status == STATUS_OK && !conflict) {
            count(merge->summary, &best.record);
            status = journal_append(journal, &best.record, 1, NULL, err);
        }
        record_free(&best.record);
    }
    return status;
}

static Status write_folder(Merge *merge, const char *dir, const Record *header, Error *err) {
    const MergeSummary *summary = merge->summary;
    Record own = *header; /* borrows */
    Journal *journal;
    char *sources = join_sources(&merge->sources), warning[64];
    if (sources == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the sources of a merge");
    own.of.header.sources = sources;
    own.of.header.job_name = merge->job_name != NULL ? merge->job_name : "";
    own.of.header.job_text = merge->job_text != NULL ? merge->job_text : "";
    own.of.header.fingerprint = merge->fingerprint != NULL ? merge->fingerprint : "";
    Status status = journal_open(dir, &own, UINT64_MAX, &journal, warning, sizeof warning, err);
    free(sources);
    if (status != STATUS_OK) return status;
    status = write_records(merge, journal, err);
    Record end = {.kind = RECORD_END,
                  .of.end = {.ended_unix_ms = clock_unix_ms(),
                             .trainings_done = (int64_t)summary->trainings_done,
                             .trainings_diverged = (int64_t)summary->trainings_diverged,
                             .trainings_failed = (int64_t)summary->trainings_failed,
                             .cells_done = (int64_t)summary->cells,
                             .baselines_done = (int64_t)summary->baselines,
                             .reason = "merged"}};
    Status closed = journal_close(journal, status == STATUS_OK ? &end : NULL, err);
    return status == STATUS_OK ? closed : status;
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

static void merge_free(Merge *merge) {
    for (size_t i = 0; i < merge->n_files; i++) {
        record_reader_close(merge->files[i].reader);
        free(merge->files[i].path);
    }
    for (size_t i = 0; i < merge->sources.count; i++)
        free(merge->sources.items[i]);
    free(merge->files);
    free(merge->sources.items);
    free(merge->records);
    free(merge->job_name);
    free(merge->job_text);
    free(merge->fingerprint);
}

static Status merge_into(MergeTarget *target, const char *const *dirs, int n_dirs, const Record *header, Merge *merge,
                         char *warning, size_t warning_bytes, Error *err) {
    Status status = STATUS_OK;
    for (int i = 0; i < n_dirs && status == STATUS_OK; i++)
        status = note_folder(merge, dirs[i], warning, warning_bytes, err);
    if (status != STATUS_OK) return status;
    merge->summary->folders = n_dirs;
    merge->summary->found = merge->n_records;
    if (merge->n_records > 0) qsort(merge->records, merge->n_records, sizeof *merge->records, compare_occurrences);
    status = merge_target_stage(target, err);
    if (status == STATUS_OK) status = write_folder(merge, target->staging, header, err);
    if (status == STATUS_OK) status = merge_target_add_jobs(target, dirs, n_dirs, err);
    bool conflicts = merge->summary->conflicts > 0;
    if (status == STATUS_OK && (!conflicts || merge->options->leave_out_conflicts))
        status = merge_target_publish(target, err);
    if (status == STATUS_OK && conflicts)
        status = error_set(err, STATUS_FAILED,
                           "%" PRIu64 " result%s differ%s under the same numerics, which must not be; %s %s",
                           merge->summary->conflicts, merge->summary->conflicts == 1 ? "" : "s",
                           merge->summary->conflicts == 1 ? "s" : "", target->out,
                           merge->options->leave_out_conflicts ? "is without them" : "is not made");
    return status;
}

Status merge_folders(const char *out, const char *const *dirs, int n_dirs, const Record *header,
                     const MergeOptions *options, MergeSummary *summary, char *warning, size_t warning_bytes,
                     Error *err) {
    assert(n_dirs > 0 && warning_bytes > 0);
    MergeTarget target;
    *summary = (MergeSummary){0};
    warning[0] = '\0';
    Status status = merge_target_open(out, &target, err);
    if (status != STATUS_OK) return status;
    Merge merge = {.options = options, .summary = summary, .largest = -1};
    const char **sources = malloc(((size_t)n_dirs + 1) * sizeof *sources);
    int n_sources = 0;
    if (sources == NULL) {
        status = error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d folders", n_dirs);
    } else {
        for (int i = 0; i < n_dirs; i++)
            if (!merge_target_is(&target, dirs[i])) sources[n_sources++] = dirs[i];
        if (target.replaces) sources[n_sources++] = target.out;
        if (n_sources == 0) status = error_set(err, STATUS_DATA, "%s: is empty, and nothing else is to be merged", out);
    }
    if (status == STATUS_OK)
        status = merge_into(&target, sources, n_sources, header, &merge, warning, warning_bytes, err);
    if (status == STATUS_IO && merge_target_has_changed(&target))
        status = error_set(err, STATUS_INCOMPLETE, "-o %s: another merge has changed it meanwhile; merge again", out);
    merge_target_close(&target);
    merge_free(&merge);
    free(sources);
    return status;
}

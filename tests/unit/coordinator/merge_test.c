/* The union of results folders: the same whatever the order and the grouping, nothing chosen where nobody can know. */
#include "coordinator/journal/merge.h"

#include "proto/base/clock.h"
#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 256, POINTS = 3, IDS = 12 };

/* --- folders ---------------------------------------------------------------------------------------------------- */

/* A folder of the tests' own with the folders of results in it. */
typedef struct Place {
    char root[64], warning[1024];
    MergeSummary summary;
    int conflicts;
    MergeDifference last_conflict, last_numerics; /* texts do not live on: see the copies */
    char conflict_paths[2][PATH_BYTES], conflict_what[128], numerics_fingerprints[2][64], numerics_what[128];
    Error err;
} Place;

static Place make_place(void) {
    Place place = {.root = "/tmp/palinode-merge-XXXXXX"};
    assert_non_null(mkdtemp(place.root));
    return place;
}

static const char *at(const Place *place, const char *name, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s", place->root, name);
    return path;
}

static void remove_tree(const char *path) {
    DIR *entries = opendir(path);
    for (struct dirent *entry; entries != NULL && (entry = readdir(entries)) != NULL;) {
        char inner[PATH_BYTES + 300];
        snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 && unlink(inner) != 0)
            remove_tree(inner);
    }
    if (entries != NULL) closedir(entries);
    rmdir(path);
}

static int count_entries(const char *path) {
    int count = 0;
    DIR *entries = opendir(path);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(entries);
    return count;
}

static void write_text(const Place *place, const char *name, const char *text) {
    char path[PATH_BYTES];
    FILE *file = fopen(at(place, name, path), "ab");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static Id id_of(uint32_t number, uint8_t kind) {
    Id id = {{kind}};
    memcpy(id.bytes + 4, &number, sizeof number);
    return id;
}

static void training(Journal *journal, uint32_t number, const char *fingerprint, Outcome outcome, double loss) {
    Record record = {.kind = RECORD_TRAINING,
                     .of.training = {.training_id = id_of(number, 1),
                                     .outcome = outcome,
                                     .reason = outcome == OUTCOME_FAILED ? "killed" : "",
                                     .final_loss = loss,
                                     .fingerprint = (char *)fingerprint,
                                     .host = "here",
                                     .wall_s = (double)(random() % 1000)}};
    assert_int_equal(journal_append(journal, &record, 1, NULL, NULL), STATUS_OK);
}

static void cell(Journal *journal, uint32_t number, const char *fingerprint, double tau) {
    double values[METRIC_COUNT * POINTS] = {0}, errors[METRIC_COUNT * POINTS];
    for (int i = 0; i < METRIC_COUNT * POINTS; i++)
        errors[i] = 0.5;
    Record record = {.kind = RECORD_CELL,
                     .of.cell = {.cell_id = id_of(number, 2),
                                 .training_id = id_of(number, 1),
                                 .curves = {POINTS, values, errors},
                                 .fingerprint = (char *)fingerprint,
                                 .wall_s = (double)(random() % 1000)}};
    values[curves_at(&record.of.cell.curves, METRIC_KENDALL_TAU, 2)] = tau;
    assert_int_equal(journal_append(journal, &record, 1, NULL, NULL), STATUS_OK);
}

static void model(Journal *journal, uint32_t number, const char *fingerprint, float parameter) {
    Record record = {.kind = RECORD_MODEL,
                     .of.model = {.training_id = id_of(number, 1),
                                  .n_parameters = 1,
                                  .parameters = &parameter,
                                  .fingerprint = (char *)fingerprint}};
    assert_int_equal(journal_append(journal, &record, 1, NULL, NULL), STATUS_OK);
}

/* A further segment of a folder, made when new. */
static Journal *begin(Place *place, const char *name) {
    char path[PATH_BYTES];
    Record header = sample_record(RECORD_HEADER, 1);
    header.of.header.sources[0] = '\0';
    Journal *journal;
    if (journal_open(at(place, name, path), &header, UINT64_MAX, &journal, place->warning, sizeof place->warning,
                     &place->err) != STATUS_OK)
        fail_msg("%s", place->err.text);
    record_free(&header);
    return journal;
}

/* --- merging ---------------------------------------------------------------------------------------------------- */

static void note_conflict(void *context, const MergeDifference *found) {
    Place *place = context;
    place->conflicts++;
    place->last_conflict = *found;
    snprintf(place->conflict_paths[0], PATH_BYTES, "%s", found->path);
    snprintf(place->conflict_paths[1], PATH_BYTES, "%s", found->other_path);
    snprintf(place->conflict_what, sizeof place->conflict_what, "%s", found->difference.what);
}

static void note_numerics(void *context, const MergeDifference *found) {
    Place *place = context;
    place->last_numerics = *found;
    snprintf(place->numerics_fingerprints[0], 64, "%s", found->fingerprint);
    snprintf(place->numerics_fingerprints[1], 64, "%s", found->other_fingerprint);
    snprintf(place->numerics_what, sizeof place->numerics_what, "%s", found->difference.what);
}

/* Merges the folders named in sources (one letter each) into out. */
static Status merge_with(Place *place, const char *out, const char *sources, bool leave_out) {
    char paths[8][PATH_BYTES], to[PATH_BYTES];
    const char *dirs[8];
    int n = 0;
    for (; sources[n] != '\0'; n++)
        dirs[n] = at(place, (char[]){sources[n], '\0'}, paths[n]);
    Record header = sample_record(RECORD_HEADER, 7);
    const MergeOptions options = {leave_out, note_conflict, note_numerics, place};
    place->conflicts = 0;
    Status status = merge_folders(at(place, out, to), dirs, n, &header, &options, &place->summary, place->warning,
                                  sizeof place->warning, &place->err);
    record_free(&header);
    return status;
}

static void merge_well(Place *place, const char *out, const char *sources) {
    if (merge_with(place, out, sources, false) != STATUS_OK) fail_msg("%s", place->err.text);
}

typedef struct Content {
    Bytes bytes; /* of all records but headers and ends, in the order of the files, one encoding after the other */
    int records;
} Content;

static Status add_content(void *context, const RecordPlace *place, Record *record, Error *err) {
    Content *content = context;
    Bytes one = {0};
    if (!record_has_id(record)) return STATUS_OK;
    assert_int_equal(record_encode(record, &one, err), STATUS_OK);
    content->bytes.data = realloc(content->bytes.data, content->bytes.size + one.size);
    memcpy(content->bytes.data + content->bytes.size, one.data, one.size);
    content->bytes.size += one.size;
    content->records++;
    bytes_free(&one);
    return STATUS_OK;
}

static Content content_of(Place *place, const char *name) {
    char path[PATH_BYTES];
    Content content = {0};
    if (journal_visit(at(place, name, path), add_content, &content, place->warning, sizeof place->warning,
                      &place->err) != STATUS_OK)
        fail_msg("%s", place->err.text);
    assert_string_equal(place->warning, "");
    return content;
}

static void check_same_records(Place *place, const char *a, const char *b) {
    Content contents[] = {content_of(place, a), content_of(place, b)};
    assert_int_equal(contents[0].bytes.size, contents[1].bytes.size);
    assert_memory_equal(contents[0].bytes.data, contents[1].bytes.data, contents[0].bytes.size);
    bytes_free(&contents[0].bytes);
    bytes_free(&contents[1].bytes);
}

/* --- properties ------------------------------------------------------------------------------------------------- */

/* One or two segments of random work. Under equal fingerprints equal ids have equal contents; provenance differs. */
static void make_random_folder(Place *place, const char *name) {
    static const char *const fingerprints[] = {"numerics 2; kernels a", "numerics 2; kernels b", "numerics 10"};
    for (long segment = random() % 2; segment >= 0; segment--) {
        Journal *journal = begin(place, name);
        for (int i = 0; i < IDS; i++) {
            uint32_t number = (uint32_t)(random() % IDS);
            int which = (int)(random() % 3);
            const char *fingerprint = fingerprints[which];
            double value = number + 0.25 * which;
            if (random() % 4 == 0) {
                training(journal, number, fingerprint, OUTCOME_FAILED, NAN);
                continue;
            }
            training(journal, number, fingerprint, number % 3 == 0 ? OUTCOME_DIVERGED : OUTCOME_DONE, value);
            cell(journal, number, fingerprint, value);
            if (random() % 2 == 0) model(journal, number, fingerprint, (float)value);
        }
        journal_close(journal, NULL, NULL);
    }
}

static void a_merge_is_the_same_in_any_order_and_grouping_and_when_repeated(void **state) {
    for (unsigned seed = 1; seed <= 8; seed++) {
        Place place = make_place();
        srandom(seed);
        make_random_folder(&place, "a");
        make_random_folder(&place, "b");
        make_random_folder(&place, "c");
        merge_well(&place, "m", "abc");
        static const char *const orders[] = {"acb", "bac", "bca", "cab", "cba", "aabbcca"};
        for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
            merge_well(&place, "n", orders[i]);
            check_same_records(&place, "m", "n");
            char path[PATH_BYTES];
            remove_tree(at(&place, "n", path));
        }
        static const char *const groups[][2] = {{"ab", "c"}, {"bc", "a"}, {"ca", "b"}};
        for (int i = 0; i < 3; i++) {
            char pair[2] = {(char)('p' + i), '\0'}, all[2] = {(char)('x' + i), '\0'}, sources[3];
            merge_well(&place, pair, groups[i][0]);
            snprintf(sources, sizeof sources, "%s%s", groups[i][1], pair);
            merge_well(&place, all, sources);
            check_same_records(&place, "m", all);
        }
        merge_well(&place, "r", "m");
        check_same_records(&place, "m", "r");
        merge_well(&place, "s", "mamcb");
        check_same_records(&place, "m", "s");
        merge_well(&place, "m", "b"); /* into an earlier merge */
        check_same_records(&place, "r", "m");
        remove_tree(place.root);
    }
}

/* --- which record is taken -------------------------------------------------------------------------------------- */

static void a_result_beats_a_failure_whichever_folder_has_it(void **state) {
    Place place = make_place();
    Journal *journal = begin(&place, "a");
    training(journal, 1, "numerics 10", OUTCOME_FAILED, NAN);
    training(journal, 2, "numerics 2", OUTCOME_DONE, 0.5);
    training(journal, 2, "numerics 10", OUTCOME_FAILED, NAN); /* a failure hides nothing */
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "b");
    training(journal, 1, "numerics 2", OUTCOME_DIVERGED, 0.5);
    training(journal, 3, "numerics 2", OUTCOME_FAILED, NAN);
    journal_close(journal, NULL, NULL);
    merge_well(&place, "m", "ab");
    assert_int_equal(place.summary.trainings_done, 1);
    assert_int_equal(place.summary.trainings_diverged, 1);
    assert_int_equal(place.summary.trainings_failed, 1);
    assert_int_equal(place.summary.under_different_numerics, 0);
    assert_int_equal(place.summary.found, 5);
    char path[PATH_BYTES];
    journal = NULL;
    assert_int_equal(
        journal_open_reader(at(&place, "m", path), &journal, place.warning, sizeof place.warning, &place.err),
        STATUS_OK);
    assert_int_equal(journal_training(journal, id_of(1, 1)), TRAINING_DIVERGED);
    assert_int_equal(journal_training(journal, id_of(2, 1)), TRAINING_DONE);
    assert_int_equal(journal_training(journal, id_of(3, 1)), TRAINING_FAILED);
    journal_close(journal, NULL, NULL);
    remove_tree(place.root);
}

static void of_different_numerics_the_newest_is_taken_and_the_largest_difference_told(void **state) {
    Place place = make_place();
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 10", 0.5);
    cell(journal, 2, "numerics 10", 0.5);
    cell(journal, 3, "numerics 10", 0.5);
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "b");
    cell(journal, 1, "numerics 9", 0.501);
    cell(journal, 2, "numerics 9", 0.6);
    cell(journal, 3, "numerics 9", 0.5);
    journal_close(journal, NULL, NULL);
    merge_well(&place, "m", "ba");
    assert_int_equal(place.summary.under_different_numerics, 3);
    assert_true(id_equal(place.last_numerics.id, id_of(2, 2)));
    assert_near(place.last_numerics.difference.standard_errors, 0.2, 1e-12);
    assert_string_equal(place.numerics_what, "kendall_tau with 2 examples");
    assert_string_equal(place.numerics_fingerprints[0], "numerics 10");
    assert_string_equal(place.numerics_fingerprints[1], "numerics 9");
    merge_well(&place, "n", "a");
    check_same_records(&place, "m", "n");
    remove_tree(place.root);
}

static void the_last_record_of_a_folder_is_its_answer(void **state) {
    Place place = make_place();
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 10", 0.5);
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "a"); /* done again on another machine */
    cell(journal, 1, "numerics 9", 0.6);
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "b");
    cell(journal, 1, "numerics 9", 0.6);
    journal_close(journal, NULL, NULL);
    merge_well(&place, "m", "a");
    assert_int_equal(place.summary.cells, 1);
    assert_string_equal(place.numerics_fingerprints[0], "numerics 9");
    merge_well(&place, "n", "ba");
    assert_int_equal(place.summary.conflicts, 0);
    Content content = content_of(&place, "m");
    assert_int_equal(content.records, 1);
    bytes_free(&content.bytes);
    remove_tree(place.root);
}

/* --- conflicts -------------------------------------------------------------------------------------------------- */

static void results_that_differ_under_the_same_numerics_are_told_and_nothing_is_chosen(void **state) {
    Place place = make_place();
    char path[PATH_BYTES];
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 2", 0.5);
    cell(journal, 2, "numerics 2", 0.5);
    cell(journal, 3, "numerics 2", 0.5);
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "b");
    cell(journal, 1, "numerics 2", 0.5);
    cell(journal, 2, "numerics 2", 0.75);
    journal_close(journal, NULL, NULL);
    for (int turn = 0; turn < 2; turn++) {
        assert_int_equal(merge_with(&place, "m", turn == 0 ? "ab" : "ba", false), STATUS_FAILED);
        assert_int_equal(place.conflicts, 1);
        assert_int_equal(place.summary.conflicts, 1);
        assert_true(id_equal(place.last_conflict.id, id_of(2, 2)));
        assert_string_equal(place.conflict_what, "kendall_tau with 2 examples");
        assert_near(place.last_conflict.difference.standard_errors, 0.5, 1e-12);
        assert_true(strstr(place.conflict_paths[0], "/a/records-0001") != NULL ||
                    strstr(place.conflict_paths[1], "/a/records-0001") != NULL);
        assert_string_not_equal(place.conflict_paths[0], place.conflict_paths[1]);
        assert_true(place.last_conflict.offset > 0 && place.last_conflict.other_offset > 0);
        assert_non_null(strstr(place.err.text, "is not made"));
        assert_int_equal(access(at(&place, "m", path), F_OK), -1);
        assert_int_equal(count_entries(place.root), 2); /* nor is anything left of it */
    }
    assert_int_equal(merge_with(&place, "m", "ab", true), STATUS_FAILED);
    assert_int_equal(place.summary.cells, 2);
    Content content = content_of(&place, "m");
    assert_int_equal(content.records, 2);
    bytes_free(&content.bytes);
    remove_tree(place.root);
}

static void a_conflict_within_one_folder_is_one_too(void **state) {
    Place place = make_place();
    Journal *journal = begin(&place, "a");
    training(journal, 1, "numerics 2", OUTCOME_DONE, 0.5);
    training(journal, 1, "numerics 2", OUTCOME_DONE, 0.75);
    training(journal, 2, "numerics 2", OUTCOME_DONE, 0.5);
    training(journal, 2, "numerics 2", OUTCOME_DIVERGED, 0.5);
    model(journal, 1, "numerics 2", 1);
    model(journal, 1, "numerics 2", 2);
    journal_close(journal, NULL, NULL);
    assert_int_equal(merge_with(&place, "m", "a", false), STATUS_FAILED);
    assert_int_equal(place.summary.conflicts, 3);
    assert_string_equal(place.conflict_what, "parameter 0 of 1");
    remove_tree(place.root);
}

/* --- OUT -------------------------------------------------------------------------------------------------------- */

static void out_is_new_or_empty_or_an_earlier_merge_and_nothing_else(void **state) {
    Place place = make_place();
    char path[PATH_BYTES];
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 2", 0.5);
    journal_close(journal, NULL, NULL);
    journal = begin(&place, "b");
    cell(journal, 2, "numerics 2", 0.5);
    model(journal, 2, "numerics 2", 1);
    journal_close(journal, NULL, NULL);
    assert_int_equal(merge_with(&place, "a", "ab", false), STATUS_USAGE);
    assert_non_null(strstr(place.err.text, "holds results of a run"));
    assert_int_equal(mkdir(at(&place, "f", path), 0777), 0);
    write_text(&place, "f/notes", "mine");
    assert_int_equal(merge_with(&place, "f", "ab", false), STATUS_USAGE);
    assert_non_null(strstr(place.err.text, "holds files, but no earlier merge"));
    assert_int_equal(mkdir(at(&place, "e", path), 0777), 0);
    merge_well(&place, "e", "ae");
    assert_int_equal(place.summary.cells, 1);
    write_text(&place, "e/report.html", "made by analyze");
    merge_well(&place, "e", "b"); /* what it had stays, and so do other files */
    assert_int_equal(place.summary.cells, 2);
    assert_int_equal(place.summary.models, 1);
    assert_int_equal(count_entries(at(&place, "e", path)), 3);
    merge_well(&place, "e", "e");
    assert_int_equal(place.summary.cells, 2);
    journal = begin(&place, "e"); /* a run went on in it */
    journal_close(journal, NULL, NULL);
    assert_int_equal(merge_with(&place, "e", "ab", false), STATUS_USAGE);
    assert_int_equal(mkdir(at(&place, "g", path), 0777), 0);
    assert_int_equal(merge_with(&place, "g", "g", false), STATUS_DATA);
    assert_int_equal(merge_with(&place, "h", "ag", false), STATUS_DATA);
    assert_non_null(strstr(place.err.text, "/g: holds no records"));
    assert_int_equal(merge_with(&place, "h", "az", false), STATUS_IO);
    assert_int_equal(access(at(&place, "h", path), F_OK), -1);
    remove_tree(place.root);
}

static void jobs_keep_their_name_where_all_agree(void **state) {
    Place place = make_place();
    char path[PATH_BYTES];
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        char file[32];
        Journal *journal = begin(&place, names[i]);
        cell(journal, (uint32_t)i, "numerics 2", 0.5);
        journal_close(journal, NULL, NULL);
        snprintf(file, sizeof file, "%s/job.yaml", names[i]);
        write_text(&place, file, "seeds: 3\n");
        snprintf(file, sizeof file, "%s/job.resolved.yaml", names[i]);
        write_text(&place, file, i < 2 ? "name: depth\nseeds: 3\n" : "name: heads\nseeds: 3\n");
    }
    merge_well(&place, "m", "ab");
    assert_int_equal(access(at(&place, "m/job.yaml", path), F_OK), 0);
    assert_int_equal(access(at(&place, "m/job.resolved.yaml", path), F_OK), 0);
    merge_well(&place, "m", "c");
    assert_int_equal(access(at(&place, "m/job.yaml", path), F_OK), 0);
    assert_int_equal(access(at(&place, "m/job.resolved.yaml", path), F_OK), -1);
    merge_well(&place, "n", "cba");
    int named = 0;
    DIR *entries = opendir(at(&place, "n", path));
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char other[PATH_BYTES + 256];
        snprintf(other, sizeof other, "%s/m/%s", place.root, entry->d_name);
        bool named_job = strncmp(entry->d_name, "job.depth.", 10) == 0 || strncmp(entry->d_name, "job.heads.", 10) == 0;
        if (named_job) assert_int_equal(access(other, F_OK), 0); /* names depend on contents alone */
        named += named_job;
    }
    closedir(entries);
    assert_int_equal(named, 2);
    remove_tree(place.root);
}

static Status keep_header(void *context, const RecordPlace *place, Record *record, Error *err) {
    if (record->kind != RECORD_HEADER) return STATUS_OK;
    *(Record *)context = *record;
    *record = (Record){0};
    return STATUS_OK;
}

static void the_header_lists_the_runs_behind_it_also_through_merges(void **state) {
    Place place = make_place();
    char path[PATH_BYTES];
    static const char *const names[] = {"a", "b", "c"};
    for (int i = 0; i < 3; i++) {
        Journal *journal = begin(&place, names[i]);
        cell(journal, (uint32_t)i, "numerics 2", 0.5);
        journal_close(journal, NULL, NULL);
    }
    merge_well(&place, "m", "ab");
    merge_well(&place, "n", "mcm");
    Record header;
    assert_int_equal(
        journal_visit(at(&place, "n", path), keep_header, &header, place.warning, sizeof place.warning, &place.err),
        STATUS_OK);
    const char *sources = header.of.header.sources;
    assert_non_null(strstr(sources, "/a/records-0001.tfrecord: palinode "));
    assert_non_null(strstr(sources, "/b/records-0001.tfrecord: palinode "));
    assert_non_null(strstr(sources, "/c/records-0001.tfrecord: palinode "));
    assert_null(strstr(sources, "/m/records"));
    int lines = 0;
    for (const char *c = sources; *c != '\0'; c++)
        lines += *c == '\n';
    assert_int_equal(lines, 3);
    record_free(&header);
    remove_tree(place.root);
}

static void damaged_sources_are_told_and_their_whole_records_taken(void **state) {
    Place place = make_place();
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 2", 0.5);
    journal_close(journal, NULL, NULL);
    write_text(&place, "a/records-0001.tfrecord", "torn");
    journal = begin(&place, "b");
    cell(journal, 2, "numerics 2", 0.5);
    journal_close(journal, NULL, NULL);
    write_text(&place, "b/records-0001.tfrecord", "torn too");
    write_text(&place, "b/models-0001.tfrecord", "");
    merge_well(&place, "m", "ab");
    assert_int_equal(place.summary.cells, 2);
    assert_non_null(strstr(place.warning, "/a/records-0001.tfrecord: record 3 at byte"));
    assert_non_null(strstr(place.warning, "\n"));
    assert_non_null(strstr(place.warning, "/b/records-0001.tfrecord: record 3 at byte"));
    assert_non_null(strstr(place.warning, "/b/models-0001.tfrecord: "));
    remove_tree(place.root);
}

static void a_run_that_goes_on_in_a_source_is_told(void **state) {
    Place place = make_place();
    char text[512], host[128] = "";
    Journal *journal = begin(&place, "a");
    cell(journal, 1, "numerics 2", 0.5);
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "{\"state\": \"running\", \"pid\": %ld, \"host\": \"%s\", \"updated_unix_ms\": %lld}",
             (long)getpid(), host, (long long)clock_unix_ms());
    write_text(&place, "a/status-0001.json", text);
    merge_well(&place, "m", "a");
    assert_non_null(strstr(place.warning, "/a: run 0001 is going on there; its records so far are taken"));
    assert_int_equal(place.summary.cells, 1);
    journal_close(journal, NULL, NULL);
    remove_tree(place.root);
}

static void a_disk_that_takes_no_more_leaves_no_trace_of_out(void **state) {
    Place place = make_place();
    char path[PATH_BYTES];
    Journal *journal = begin(&place, "a");
    for (uint32_t i = 0; i < 100; i++)
        cell(journal, i, "numerics 2", 0.5);
    journal_close(journal, NULL, NULL);
    struct rlimit before, little = {.rlim_cur = 9000};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    Status status = merge_with(&place, "m", "a", false);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(place.err.text, "cannot append"));
    assert_int_equal(access(at(&place, "m", path), F_OK), -1);
    assert_int_equal(count_entries(place.root), 1);
    merge_well(&place, "m", "a");
    remove_tree(place.root);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_merge_is_the_same_in_any_order_and_grouping_and_when_repeated),
        cmocka_unit_test(a_result_beats_a_failure_whichever_folder_has_it),
        cmocka_unit_test(of_different_numerics_the_newest_is_taken_and_the_largest_difference_told),
        cmocka_unit_test(the_last_record_of_a_folder_is_its_answer),
        cmocka_unit_test(results_that_differ_under_the_same_numerics_are_told_and_nothing_is_chosen),
        cmocka_unit_test(a_conflict_within_one_folder_is_one_too),
        cmocka_unit_test(out_is_new_or_empty_or_an_earlier_merge_and_nothing_else),
        cmocka_unit_test(jobs_keep_their_name_where_all_agree),
        cmocka_unit_test(the_header_lists_the_runs_behind_it_also_through_merges),
        cmocka_unit_test(damaged_sources_are_told_and_their_whole_records_taken),
        cmocka_unit_test(a_run_that_goes_on_in_a_source_is_told),
        cmocka_unit_test(a_disk_that_takes_no_more_leaves_no_trace_of_out),
    };
    return run_tests(tests, argc, argv);
}

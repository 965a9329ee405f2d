/* The results folder: what is known after any end of a run, and that repair loses nothing. */
#include "coordinator/journal/journal.h"

#include "coordinator/journal/process_identity.h"
#include "proto/base/clock.h"
#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PARAMETERS = 1000, PATH_BYTES = 128 };
static const uint64_t NO_LIMIT = UINT64_MAX;

/* --- a folder --------------------------------------------------------------------------------------------------- */

typedef struct Folder {
    char dir[64], warning[1024];
    Error err;
} Folder;

static Folder make_folder(void) {
    Folder folder = {.dir = "/tmp/palinode-journal-XXXXXX"};
    assert_non_null(mkdtemp(folder.dir));
    return folder;
}

static const char *in_folder(const Folder *folder, const char *name, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s", folder->dir, name);
    return path;
}

static bool exists(const Folder *folder, const char *name) {
    char path[PATH_BYTES];
    return access(in_folder(folder, name, path), F_OK) == 0;
}

static void remove_folder(Folder *folder) {
    char path[PATH_BYTES + 256];
    DIR *entries = opendir(folder->dir);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder->dir, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    assert_int_equal(rmdir(folder->dir), 0);
}

static void write_file(const Folder *folder, const char *name, const void *data, size_t size) {
    char path[PATH_BYTES];
    FILE *file = fopen(in_folder(folder, name, path), "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static uint64_t size_of(const Folder *folder, const char *name) {
    struct stat about;
    char path[PATH_BYTES];
    assert_int_equal(stat(in_folder(folder, name, path), &about), 0);
    return (uint64_t)about.st_size;
}

static Journal *open_journal(Folder *folder, uint64_t models_limit_bytes) {
    Record header = sample_record(RECORD_HEADER, 1);
    Journal *journal;
    if (journal_open(folder->dir, &header, models_limit_bytes, &journal, folder->warning, sizeof folder->warning,
                     &folder->err) != STATUS_OK)
        fail_msg("%s", folder->err.text);
    record_free(&header);
    return journal;
}

static Journal *open_reader(Folder *folder) {
    Journal *journal;
    if (journal_open_reader(folder->dir, &journal, folder->warning, sizeof folder->warning, &folder->err) != STATUS_OK)
        fail_msg("%s", folder->err.text);
    return journal;
}

/* --- records ---------------------------------------------------------------------------------------------------- */

static Id number_id(uint32_t number, uint8_t kind) {
    Id id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    id.bytes[15] = kind;
    return id;
}

#define training_id_of(number) number_id((number), 1)
#define cell_id_of(number)     number_id((number), 2)
#define baseline_id_of(number) number_id((number), 3)

static Record training(uint32_t number, Outcome outcome) {
    return (Record){.kind = RECORD_TRAINING,
                    .of.training = {.training_id = training_id_of(number), .outcome = outcome, .final_loss = NAN}};
}

static Record cell(uint32_t number) {
    return (Record){.kind = RECORD_CELL, .of.cell = {.cell_id = cell_id_of(number)}};
}

static Record baseline(uint32_t number) {
    return (Record){.kind = RECORD_BASELINE, .of.baseline = {.baseline_id = baseline_id_of(number)}};
}

static Record model(uint32_t number, float *parameters) {
    for (int i = 0; i < PARAMETERS; i++)
        parameters[i] = (float)number + (float)i / PARAMETERS;
    return (Record){
        .kind = RECORD_MODEL,
        .of.model = {.training_id = training_id_of(number), .n_parameters = PARAMETERS, .parameters = parameters}};
}

static Record end(void) {
    return (Record){.kind = RECORD_END, .of.end = {.reason = "done"}};
}

/* Appends a finished training with its model and one cell. */
static void append_work(Folder *folder, Journal *journal, uint32_t number, bool *dropped) {
    float parameters[PARAMETERS];
    Record records[] = {training(number, OUTCOME_DONE), model(number, parameters), cell(number)};
    if (journal_append(journal, records, 3, dropped, &folder->err) != STATUS_OK) fail_msg("%s", folder->err.text);
}

/* A folder with one segment that ended in order: trainings 1 and 2 with models and cells, baseline 3. */
static Folder make_results(void) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    Record extra = baseline(3), last = end();
    append_work(&folder, journal, 1, NULL);
    append_work(&folder, journal, 2, NULL);
    assert_int_equal(journal_append(journal, &extra, 1, NULL, &folder.err), STATUS_OK);
    assert_int_equal(journal_close(journal, &last, &folder.err), STATUS_OK);
    return folder;
}

/* --- what is known ---------------------------------------------------------------------------------------------- */

static void check_known(const Journal *journal, uint32_t number) {
    Record record;
    Error err = {""};
    assert_int_equal(journal_training(journal, training_id_of(number)), TRAINING_DONE);
    assert_true(journal_result(journal, cell_id_of(number)) == RESULT_MEASURED);
    assert_true(journal_has_model(journal, training_id_of(number)));
    assert_false(journal_result(journal, training_id_of(number)) == RESULT_MEASURED);
    if (journal_read_model(journal, training_id_of(number), &record, &err) != STATUS_OK) fail_msg("%s", err.text);
    assert_int_equal(record.of.model.n_parameters, PARAMETERS);
    assert_near(record.of.model.parameters[500], (float)number + 0.5f, 0);
    record_free(&record);
}

static void what_is_appended_is_known_after_opening_again(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    assert_string_equal(journal_segment(journal), "0001");
    assert_false(exists(&folder, "models-0001.tfrecord"));
    assert_int_equal(journal_training(journal, training_id_of(1)), TRAINING_UNKNOWN);
    append_work(&folder, journal, 1, NULL);
    append_work(&folder, journal, 2, NULL);
    Record more[] = {baseline(3), training(4, OUTCOME_DIVERGED), training(5, OUTCOME_FAILED)}, last = end();
    assert_int_equal(journal_append(journal, more, 3, NULL, &folder.err), STATUS_OK);
    assert_int_equal(journal_sync(journal, &folder.err), STATUS_OK);
    assert_int_equal(journal_close(journal, &last, &folder.err), STATUS_OK);
    journal = open_reader(&folder);
    assert_string_equal(folder.warning, "");
    assert_string_equal(journal_segment(journal), "");
    check_known(journal, 1);
    check_known(journal, 2);
    assert_true(journal_result(journal, baseline_id_of(3)) == RESULT_MEASURED);
    assert_false(journal_result(journal, baseline_id_of(4)) == RESULT_MEASURED);
    assert_int_equal(journal_training(journal, training_id_of(4)), TRAINING_DIVERGED);
    assert_int_equal(journal_training(journal, training_id_of(5)), TRAINING_FAILED);
    assert_false(journal_has_model(journal, training_id_of(4)));
    assert_int_equal(journal_models_bytes(journal), 2 * PARAMETERS * 4);
    Record record;
    assert_int_equal(journal_read_model(journal, training_id_of(4), &record, &folder.err), STATUS_DATA);
    assert_non_null(strstr(folder.err.text, "no model of training 04000000000000000000000000000001 is kept"));
    assert_int_equal(journal_close(journal, NULL, NULL), STATUS_OK);
    remove_folder(&folder);
}

static void each_run_gets_the_next_segment_and_knows_the_earlier_ones(void **state) {
    Folder folder = make_results();
    write_file(&folder, "status-0004.json", "{}", 2);
    Journal *journal = open_journal(&folder, NO_LIMIT);
    assert_string_equal(journal_segment(journal), "0005");
    check_known(journal, 2);
    append_work(&folder, journal, 7, NULL);
    journal_close(journal, NULL, NULL);
    Journal *both[] = {open_journal(&folder, NO_LIMIT), open_journal(&folder, NO_LIMIT)}; /* two shards */
    assert_string_equal(journal_segment(both[0]), "0006");
    assert_string_equal(journal_segment(both[1]), "0007");
    check_known(both[0], 7);
    append_work(&folder, both[0], 8, NULL);
    append_work(&folder, both[1], 9, NULL);
    journal_close(both[0], NULL, NULL);
    journal_close(both[1], NULL, NULL);
    journal = open_reader(&folder);
    for (uint32_t number = 7; number <= 9; number++)
        check_known(journal, number);
    check_known(journal, 1);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void runs_that_start_together_get_segments_of_their_own(void **state) {
    enum { RUNS = 8 };
    Folder folder = make_folder();
    int start[2], failed = 0;
    for (int round = 0; round < 5; round++) {
        assert_int_equal(pipe(start), 0);
        for (int run = 0; run < RUNS; run++) {
            if (fork() != 0) continue;
            char go;
            close(start[1]);
            while (read(start[0], &go, 1) > 0) /* until the parent closes its end */
                continue;
            Record header = sample_record(RECORD_HEADER, 1);
            Journal *journal;
            _exit(journal_open(folder.dir, &header, NO_LIMIT, &journal, folder.warning, sizeof folder.warning,
                               &folder.err));
        }
        close(start[0]);
        close(start[1]);
        for (int run = 0, status; run < RUNS; run++) {
            assert_true(wait(&status) > 0);
            failed += status != 0;
        }
    }
    assert_int_equal(failed, 0);
    assert_true(exists(&folder, "records-0040.tfrecord"));
    remove_folder(&folder);
}

static void the_numerics_of_results_are_known_each_once(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    Record records[] = {cell(1), cell(2), training(3, OUTCOME_FAILED), baseline(4), cell(5)};
    records[0].of.cell.fingerprint = records[4].of.cell.fingerprint = "numerics a";
    records[1].of.cell.fingerprint = "numerics b";
    records[2].of.training.fingerprint = "numerics of a failure, which is no result";
    records[3].of.baseline.fingerprint = "numerics b";
    assert_int_equal(journal_append(journal, records, 5, NULL, &folder.err), STATUS_OK);
    assert_null(journal_fingerprint(journal, 0)); /* found when it was opened */
    journal_close(journal, NULL, NULL);
    journal = open_reader(&folder);
    assert_string_equal(journal_fingerprint(journal, 0), "numerics a");
    assert_string_equal(journal_fingerprint(journal, 1), "numerics b");
    assert_null(journal_fingerprint(journal, 2));
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void a_reader_may_become_the_writer(void **state) {
    Folder folder = make_results();
    Journal *journal = open_reader(&folder);
    Record header = sample_record(RECORD_HEADER, 1), extra = baseline(9);
    assert_int_equal(journal_append(journal, &extra, 1, NULL, &folder.err), STATUS_IO);
    assert_false(exists(&folder, "records-0002.tfrecord"));
    assert_int_equal(journal_start(journal, &header, NO_LIMIT, &folder.err), STATUS_OK);
    assert_string_equal(journal_segment(journal), "0002");
    assert_int_equal(journal_append(journal, &extra, 1, NULL, &folder.err), STATUS_OK);
    journal_close(journal, NULL, NULL);
    journal = open_reader(&folder);
    assert_true(journal_result(journal, baseline_id_of(9)) == RESULT_MEASURED);
    check_known(journal, 1);
    journal_close(journal, NULL, NULL);
    record_free(&header);
    remove_folder(&folder);
}

static void a_failure_never_hides_a_result(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    Record records[] = {training(1, OUTCOME_FAILED), training(1, OUTCOME_DONE),     training(2, OUTCOME_DONE),
                        training(2, OUTCOME_FAILED), training(3, OUTCOME_DIVERGED), training(3, OUTCOME_FAILED)};
    assert_int_equal(journal_append(journal, records, 6, NULL, &folder.err), STATUS_OK);
    journal_close(journal, NULL, NULL);
    journal = open_reader(&folder);
    assert_int_equal(journal_training(journal, training_id_of(1)), TRAINING_DONE);
    assert_int_equal(journal_training(journal, training_id_of(2)), TRAINING_DONE);
    assert_int_equal(journal_training(journal, training_id_of(3)), TRAINING_DIVERGED);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void many_ids_are_told_apart(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    for (uint32_t number = 0; number < 3000; number += 2) {
        Record record = cell(number);
        assert_int_equal(journal_append(journal, &record, 1, NULL, &folder.err), STATUS_OK);
    }
    journal_close(journal, NULL, NULL);
    journal = open_reader(&folder);
    for (uint32_t number = 0; number < 3000; number++)
        assert_int_equal(journal_result(journal, cell_id_of(number)) == RESULT_MEASURED, number % 2 == 0);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void models_beyond_the_limit_are_dropped_and_the_results_kept(void **state) {
    Folder folder = make_folder();
    bool dropped = true;
    Journal *journal = open_journal(&folder, 2 * PARAMETERS * 4 + 100);
    append_work(&folder, journal, 1, &dropped);
    assert_false(dropped);
    append_work(&folder, journal, 2, &dropped);
    assert_false(dropped);
    append_work(&folder, journal, 3, &dropped);
    assert_true(dropped);
    assert_int_equal(journal_models_bytes(journal), 2 * PARAMETERS * 4);
    journal_close(journal, NULL, NULL);
    journal = open_journal(&folder, 2 * PARAMETERS * 4); /* the limit counts earlier segments */
    assert_false(journal_has_model(journal, training_id_of(3)));
    assert_int_equal(journal_training(journal, training_id_of(3)), TRAINING_DONE);
    append_work(&folder, journal, 4, &dropped);
    assert_true(dropped);
    assert_false(exists(&folder, "models-0002.tfrecord"));
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void a_reader_makes_no_file_and_appends_nothing(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_reader(&folder);
    Record record = cell(1);
    assert_int_equal(journal_append(journal, &record, 1, NULL, &folder.err), STATUS_IO);
    assert_non_null(strstr(folder.err.text, "for reading only"));
    assert_int_equal(journal_sync(journal, &folder.err), STATUS_OK);
    journal_close(journal, NULL, NULL);
    assert_false(exists(&folder, "records-0001.tfrecord"));
    remove_folder(&folder);
    journal = open_reader(&folder); /* no folder: an empty journal */
    assert_int_equal(journal_models_bytes(journal), 0);
    journal_close(journal, NULL, NULL);
    assert_int_equal(journal_close(NULL, NULL, NULL), STATUS_OK);
}

typedef struct Seen {
    int of_kind[RECORD_KINDS + 1];
    uint32_t first_cell, last_cell;
} Seen;

static Status note_seen(void *context, uint64_t offset, Record *record, Error *err) {
    Seen *seen = context;
    seen->of_kind[record->kind]++;
    if (record->kind == RECORD_CELL) {
        memcpy(&seen->last_cell, record->of.cell.cell_id.bytes, sizeof seen->last_cell);
        if (seen->of_kind[RECORD_CELL] == 1) seen->first_cell = seen->last_cell;
    }
    return STATUS_OK;
}

static void all_records_but_models_are_read_in_the_order_of_segments(void **state) {
    Folder folder = make_folder();
    for (uint32_t run = 1; run <= 11; run++) {
        Journal *journal = open_journal(&folder, NO_LIMIT);
        append_work(&folder, journal, run, NULL);
        journal_close(journal, NULL, NULL);
    }
    char from[PATH_BYTES], to[PATH_BYTES];
    assert_int_equal(
        rename(in_folder(&folder, "records-0010.tfrecord", from), in_folder(&folder, "records-9999.tfrecord", to)), 0);
    assert_int_equal(
        rename(in_folder(&folder, "records-0011.tfrecord", from), in_folder(&folder, "records-10000.tfrecord", to)), 0);
    Seen seen = {.last_cell = 0};
    assert_int_equal(journal_read(folder.dir, note_seen, &seen, folder.warning, sizeof folder.warning, &folder.err),
                     STATUS_OK);
    assert_int_equal(seen.of_kind[RECORD_HEADER], 11);
    assert_int_equal(seen.of_kind[RECORD_TRAINING], 11);
    assert_int_equal(seen.of_kind[RECORD_MODEL], 0);
    assert_int_equal(seen.first_cell, 1);
    assert_int_equal(seen.last_cell, 11);
    remove_folder(&folder);
}

static void headers_say_what_their_file_holds(void **state) {
    Folder folder = make_results();
    char path[PATH_BYTES];
    Record record;
    assert_int_equal(record_file_read_at(in_folder(&folder, "models-0001.tfrecord", path), 0, &record, &folder.err),
                     STATUS_OK);
    assert_string_equal(record.of.header.content, "models");
    assert_int_equal(record.of.header.schema, SCHEMA_VERSION);
    record_free(&record);
    assert_int_equal(record_file_read_at(in_folder(&folder, "records-0001.tfrecord", path), 0, &record, &folder.err),
                     STATUS_OK);
    assert_string_equal(record.of.header.content, "records");
    record_free(&record);
    remove_folder(&folder);
}

/* --- torn and damaged ------------------------------------------------------------------------------------------- */

static void a_torn_tail_is_a_warning_and_all_before_it_counts(void **state) {
    Folder folder = make_results();
    char expected[256];
    snprintf(expected, sizeof expected, "%s/records-0001.tfrecord: record 8 at byte %d: the file ends after 4 of 12",
             folder.dir, (int)size_of(&folder, "records-0001.tfrecord"));
    write_file(&folder, "records-0001.tfrecord", "torn", 4);
    Journal *journal = open_journal(&folder, NO_LIMIT);
    if (strstr(folder.warning, expected) != folder.warning) fail_msg("%s\n%s", folder.warning, expected);
    assert_non_null(strstr(folder.warning, "palinode verify --repair"));
    assert_null(strchr(folder.warning, '\n'));
    assert_string_equal(journal_segment(journal), "0002");
    check_known(journal, 2);
    assert_true(journal_result(journal, baseline_id_of(3)) == RESULT_MEASURED);
    journal_close(journal, NULL, NULL);
    Seen seen = {.last_cell = 0};
    assert_int_equal(journal_read(folder.dir, note_seen, &seen, folder.warning, sizeof folder.warning, &folder.err),
                     STATUS_OK);
    assert_int_equal(seen.of_kind[RECORD_CELL], 2);
    assert_non_null(strstr(folder.warning, "records-0001"));
    remove_folder(&folder);
}

static void the_tail_of_a_running_segment_is_no_warning(void **state) {
    Folder folder = make_results();
    char host[200] = "", status[400];
    gethostname(host, sizeof host - 1);
    snprintf(status, sizeof status,
             "{\"state\": \"running\", \"pid\": %d, \"host\": \"%s\", \"updated_unix_ms\": %lld}", (int)getpid(), host,
             (long long)clock_unix_ms());
    write_file(&folder, "records-0001.tfrecord", "torn", 4);
    write_file(&folder, "status-0001.json", status, strlen(status));
    journal_close(open_reader(&folder), NULL, NULL);
    assert_string_equal(folder.warning, "");
    remove_folder(&folder);
}

static void a_run_that_died_before_its_header_is_a_warning(void **state) {
    Folder folder = make_results();
    write_file(&folder, "records-0002.tfrecord", "", 0);
    write_file(&folder, "records-0003.tfrecord", "\x20\0\0", 3);
    Journal *journal = open_journal(&folder, NO_LIMIT);
    assert_string_equal(journal_segment(journal), "0004");
    assert_non_null(strstr(folder.warning, "records-0002.tfrecord: the file is empty"));
    assert_non_null(strstr(folder.warning, "\n"));
    assert_non_null(strstr(folder.warning, "records-0003.tfrecord: record 1 at byte 0: the file ends after 3 of 12"));
    check_known(journal, 1);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void a_segment_that_is_no_record_file_is_an_error_with_its_path(void **state) {
    Folder folder = make_results();
    Record header = sample_record(RECORD_HEADER, 1);
    Journal *journal;
    char path[PATH_BYTES];
    write_file(&folder, "records-0002.tfrecord", "this is not a record file\n", 26);
    assert_int_equal(
        journal_open(folder.dir, &header, NO_LIMIT, &journal, folder.warning, sizeof folder.warning, &folder.err),
        STATUS_DATA);
    assert_non_null(strstr(folder.err.text, in_folder(&folder, "records-0002.tfrecord", path)));
    assert_false(exists(&folder, "records-0003.tfrecord"));
    record_free(&header);
    remove_folder(&folder);
}

static void a_folder_that_cannot_be_made_is_an_error(void **state) {
    Record header = sample_record(RECORD_HEADER, 1);
    Journal *journal;
    char warning[64];
    Error err = {""};
    assert_int_equal(journal_open("/proc/no/such/folder", &header, NO_LIMIT, &journal, warning, sizeof warning, &err),
                     STATUS_IO);
    assert_non_null(strstr(err.text, "/proc/no/such/folder"));
    record_free(&header);
}

static void a_full_disk_is_an_error_and_what_was_appended_stays(void **state) {
    Folder folder = make_folder();
    Journal *journal = open_journal(&folder, NO_LIMIT);
    struct rlimit before, limit;
    append_work(&folder, journal, 1, NULL);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = (struct rlimit){.rlim_cur = size_of(&folder, "models-0001.tfrecord") + 100, .rlim_max = before.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    float parameters[PARAMETERS];
    Record records[] = {training(2, OUTCOME_DONE), model(2, parameters)};
    Status status = journal_append(journal, records, 2, NULL, &folder.err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, STATUS_IO);
    assert_non_null(strstr(folder.err.text, "models-0001.tfrecord"));
    append_work(&folder, journal, 3, NULL);
    journal_close(journal, NULL, NULL);
    journal = open_reader(&folder);
    assert_string_equal(folder.warning, "");
    assert_int_equal(journal_training(journal, training_id_of(2)), TRAINING_UNKNOWN);
    check_known(journal, 1);
    check_known(journal, 3);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void a_run_killed_at_any_moment_leaves_its_synced_work(void **state) {
    Folder folder = make_folder();
    int say[2];
    assert_int_equal(pipe(say), 0);
    pid_t child = fork();
    if (child == 0) {
        Journal *journal = open_journal(&folder, NO_LIMIT);
        for (uint32_t number = 1;; number++) {
            append_work(&folder, journal, number, NULL);
            if (journal_sync(journal, NULL) != STATUS_OK || write(say[1], &number, sizeof number) < 0) _exit(1);
        }
    }
    uint32_t promised = 0;
    while (promised < 5)
        assert_int_equal(read(say[0], &promised, sizeof promised), sizeof promised);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(say[1]);
    while (read(say[0], &promised, sizeof promised) == sizeof promised)
        continue;
    close(say[0]);
    Journal *journal = open_journal(&folder, NO_LIMIT);
    for (uint32_t number = 1; number <= promised; number++)
        check_known(journal, number);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

/* --- verify ----------------------------------------------------------------------------------------------------- */

typedef struct Checks {
    int files, problems, alive, saved;
    uint64_t records;
    char problem[256], saved_as[256];
} Checks;

static Status note_check(void *context, const SegmentCheck *check, Error *err) {
    Checks *checks = context;
    checks->files++;
    checks->records += check->scan.records;
    checks->alive += check->alive;
    if (check->scan.problem[0] != '\0') {
        checks->problems++;
        snprintf(checks->problem, sizeof checks->problem, "%s", check->scan.problem);
    }
    if (check->saved_as[0] != '\0') {
        checks->saved++;
        snprintf(checks->saved_as, sizeof checks->saved_as, "%s", check->saved_as);
    }
    return STATUS_OK;
}

static Checks verify(Folder *folder, bool repair, Status expected) {
    Checks checks = {0};
    Status status = journal_verify(folder->dir, repair, note_check, &checks, &folder->err);
    if (status != expected) fail_msg("%d: %s", status, folder->err.text);
    return checks;
}

static void files_in_order_pass(void **state) {
    Folder folder = make_results();
    Checks checks = verify(&folder, false, STATUS_OK);
    assert_int_equal(checks.files, 2);
    assert_int_equal(checks.problems, 0);
    assert_int_equal(checks.records, 7 + 4);
    verify(&folder, true, STATUS_OK);
    assert_int_equal(verify(&folder, false, STATUS_OK).records, 7 + 4);
    remove_folder(&folder);
    folder = make_folder();
    verify(&folder, false, STATUS_DATA);
    remove_folder(&folder);
}

static void repair_cuts_the_tail_and_saves_it_beside(void **state) {
    Folder folder = make_results();
    char name[64], path[PATH_BYTES], saved[8] = "";
    int whole = (int)size_of(&folder, "models-0001.tfrecord");
    write_file(&folder, "models-0001.tfrecord", "torn", 4);
    Checks checks = verify(&folder, false, STATUS_FAILED);
    assert_non_null(strstr(checks.problem, "record 5 at byte "));
    assert_non_null(strstr(folder.err.text, "1 of 2 files are not in order"));
    assert_int_equal(size_of(&folder, "models-0001.tfrecord"), whole + 4);
    checks = verify(&folder, true, STATUS_OK);
    assert_int_equal(checks.saved, 1);
    snprintf(name, sizeof name, "models-0001.tfrecord.cut-%d", whole);
    assert_string_equal(checks.saved_as, in_folder(&folder, name, path));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(saved, 1, sizeof saved, file), 4);
    fclose(file);
    assert_string_equal(saved, "torn");
    assert_int_equal(size_of(&folder, "models-0001.tfrecord"), whole);
    assert_int_equal(verify(&folder, false, STATUS_OK).files, 2);
    Journal *journal = open_reader(&folder);
    assert_string_equal(folder.warning, "");
    check_known(journal, 2);
    journal_close(journal, NULL, NULL);
    remove_folder(&folder);
}

static void repair_keeps_every_whole_record_whichever_is_torn(void **state) {
    Folder folder = make_results();
    char path[PATH_BYTES];
    RecordScan scan, after;
    in_folder(&folder, "records-0001.tfrecord", path);
    assert_int_equal(record_file_scan(path, NULL, NULL, &after, &folder.err), STATUS_OK);
    for (uint64_t left = after.records - 1; left > 0; left--) { /* the last record of those left loses a byte */
        assert_int_equal(truncate(path, (off_t)after.file_bytes - 1), 0);
        assert_int_equal(record_file_scan(path, NULL, NULL, &scan, &folder.err), STATUS_OK);
        verify(&folder, true, STATUS_OK);
        assert_int_equal(record_file_scan(path, NULL, NULL, &after, &folder.err), STATUS_OK);
        assert_int_equal(after.records, left);
        assert_int_equal(after.file_bytes, scan.whole_bytes);
        assert_string_equal(after.problem, "");
    }
    remove_folder(&folder);
}

static void repair_sets_aside_a_file_without_a_whole_record(void **state) {
    Folder folder = make_results();
    write_file(&folder, "records-0002.tfrecord", "\x20\0\0", 3);
    verify(&folder, false, STATUS_FAILED);
    verify(&folder, true, STATUS_OK);
    assert_false(exists(&folder, "records-0002.tfrecord"));
    assert_int_equal(size_of(&folder, "records-0002.tfrecord.cut-0"), 3);
    remove_folder(&folder);
}

static void repair_leaves_what_is_not_ours(void **state) {
    Folder folder = make_results();
    write_file(&folder, "records-0002.tfrecord", "this is not a record file\n", 26);
    verify(&folder, true, STATUS_FAILED);
    assert_int_equal(size_of(&folder, "records-0002.tfrecord"), 26);
    remove_folder(&folder);
}

/* Whether repair refuses the torn segment 0001 when its status file says this. */
static bool taken_for_alive_as(const char *state, int pid, const char *host, int64_t age_ms, const char *process) {
    Folder folder = make_results();
    char status[600];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(status, sizeof status,
             "{\"state\": \"%s\", \"pid\": %d, \"host\": \"%s\", \"updated_unix_ms\": %lld, \"eta_s\": null, "
             "\"process\": %s}",
             state, pid, host, (long long)now.tv_sec * 1000 - (long long)age_ms, process);
    uint64_t whole = size_of(&folder, "records-0001.tfrecord");
    write_file(&folder, "records-0001.tfrecord", "torn", 4);
    write_file(&folder, "status-0001.json", status, strlen(status));
    Checks checks = verify(&folder, true, STATUS_OK);
    uint64_t size = size_of(&folder, "records-0001.tfrecord");
    assert_int_equal(checks.saved, size == whole);
    assert_int_equal(checks.alive, size == whole ? 0 : 2);
    remove_folder(&folder);
    return size != whole;
}

/* A status file of a version that did not say who its process was. */
static bool is_taken_for_alive(const char *state, int pid, const char *host, int64_t age_ms) {
    return taken_for_alive_as(state, pid, host, age_ms, "null");
}

static void repair_refuses_a_segment_whose_run_goes_on(void **state) {
    char here[256] = "";
    gethostname(here, sizeof here - 1);
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    assert_int_equal(waitpid(gone, NULL, 0), gone);
    assert_true(is_taken_for_alive("running", (int)getpid(), here, 60000));
    assert_false(is_taken_for_alive("running", (int)getpid(), here, 180000)); /* somebody else has its number by now */
    assert_false(is_taken_for_alive("running", (int)gone, here, 0));
    assert_false(is_taken_for_alive("ended", (int)getpid(), here, 0));
    assert_true(is_taken_for_alive("running", 1, "another-machine", 60000));
    assert_false(is_taken_for_alive("running", 1, "another-machine", 180000));
    assert_false(is_taken_for_alive("running", 0, here, 0));
}

/* This process's identity with one part changed. */
static const char *identity_with(const char *key, json_t *value, char text[256]) {
    json_t *identity = process_identity();
    if (key != NULL) json_object_set_new(identity, key, value);
    char *printed = json_dumps(identity, 0);
    snprintf(text, 256, "%s", printed);
    free(printed);
    json_decref(identity);
    return text;
}

static void a_run_is_its_process_not_its_number_and_in_doubt_the_silence_decides(void **state) {
    char here[256] = "", own[256], reused[256], rebooted[256], container[256];
    const int pid = (int)getpid();
    const int64_t year_ms = 31536000000;
    gethostname(here, sizeof here - 1);
    identity_with(NULL, NULL, own);
    identity_with("start_ticks", json_integer(1), reused);
    identity_with("boot_id", json_string("another start of the machine"), rebooted);
    identity_with("pid_namespace", json_integer(1), container);
    assert_true(taken_for_alive_as("running", pid, here, year_ms, own)); /* stopped, or suspended */
    assert_false(taken_for_alive_as("running", pid, here, 0, reused));
    assert_true(taken_for_alive_as("running", pid, here, 60000, rebooted));
    assert_false(taken_for_alive_as("running", pid, here, 180000, rebooted));
    assert_true(taken_for_alive_as("running", 2147483646, here, 60000, container)); /* not seen from here */
    assert_false(taken_for_alive_as("running", pid, here, 180000, container));
    assert_true(taken_for_alive_as("running", pid, "another-machine", 60000, own));
}

static void a_zombie_or_another_program_with_its_number_is_no_run(void **state) {
    char here[256] = "";
    int turns = 0;
    siginfo_t ended;
    gethostname(here, sizeof here - 1);
    pid_t zombie = fork();
    if (zombie == 0) _exit(0);
    assert_int_equal(waitid(P_PID, (id_t)zombie, &ended, WEXITED | WNOWAIT), 0);
    assert_false(is_taken_for_alive("running", (int)zombie, here, 0));
    assert_int_equal(waitpid(zombie, NULL, 0), zombie);
    pid_t other = fork();
    if (other == 0) {
        execlp("sleep", "sleep", "60", (char *)NULL);
        _exit(1);
    }
    while (is_taken_for_alive("running", (int)other, here, 0) && turns++ < 1000) /* until it is another program */
        usleep(1000);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, NULL, 0), other);
    assert_in_range(turns, 0, 999);
}

static void a_file_is_replaced_as_a_whole(void **state) {
    Folder folder = make_folder();
    char path[PATH_BYTES], text[16] = "";
    in_folder(&folder, "status-0001.json", path);
    assert_int_equal(journal_replace_file(path, "a longer first", &folder.err), STATUS_OK);
    assert_int_equal(journal_replace_file(path, "second", &folder.err), STATUS_OK);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text - 1, file), 6);
    fclose(file);
    assert_string_equal(text, "second");
    assert_int_equal(journal_replace_file("/proc/no/such", "x", &folder.err), STATUS_IO);
    assert_non_null(strstr(folder.err.text, "/proc/no/such"));
    unlink(path);
    assert_int_equal(rmdir(folder.dir), 0); /* no temporary file is left */
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_appended_is_known_after_opening_again),
        cmocka_unit_test(each_run_gets_the_next_segment_and_knows_the_earlier_ones),
        cmocka_unit_test(runs_that_start_together_get_segments_of_their_own),
        cmocka_unit_test(the_numerics_of_results_are_known_each_once),
        cmocka_unit_test(a_reader_may_become_the_writer),
        cmocka_unit_test(a_failure_never_hides_a_result),
        cmocka_unit_test(many_ids_are_told_apart),
        cmocka_unit_test(models_beyond_the_limit_are_dropped_and_the_results_kept),
        cmocka_unit_test(a_reader_makes_no_file_and_appends_nothing),
        cmocka_unit_test(all_records_but_models_are_read_in_the_order_of_segments),
        cmocka_unit_test(headers_say_what_their_file_holds),
        cmocka_unit_test(a_torn_tail_is_a_warning_and_all_before_it_counts),
        cmocka_unit_test(the_tail_of_a_running_segment_is_no_warning),
        cmocka_unit_test(a_run_that_died_before_its_header_is_a_warning),
        cmocka_unit_test(a_segment_that_is_no_record_file_is_an_error_with_its_path),
        cmocka_unit_test(a_folder_that_cannot_be_made_is_an_error),
        cmocka_unit_test(a_full_disk_is_an_error_and_what_was_appended_stays),
        cmocka_unit_test(a_run_killed_at_any_moment_leaves_its_synced_work),
        cmocka_unit_test(files_in_order_pass),
        cmocka_unit_test(repair_cuts_the_tail_and_saves_it_beside),
        cmocka_unit_test(repair_keeps_every_whole_record_whichever_is_torn),
        cmocka_unit_test(repair_sets_aside_a_file_without_a_whole_record),
        cmocka_unit_test(repair_leaves_what_is_not_ours),
        cmocka_unit_test(repair_refuses_a_segment_whose_run_goes_on),
        cmocka_unit_test(a_run_is_its_process_not_its_number_and_in_doubt_the_silence_decides),
        cmocka_unit_test(a_zombie_or_another_program_with_its_number_is_no_run),
        cmocka_unit_test(a_file_is_replaced_as_a_whole),
    };
    return run_tests(tests, argc, argv);
}

/* A journal cut at every byte and with every byte of a record damaged: what and where is said, every whole record
 * before counts, and a resumed run is handed out exactly the rest. */
#include "coordinator/schedule/schedule.h"

#include "proto/wire/record_content.h"
#include "tests/fixtures/wire_samples.h"

#include <dirent.h>
#include <math.h>
#include <unistd.h>

enum { PATH_BYTES = 128, MOST_RECORDS = 64, MOST_BYTES = 1 << 16 };

static const char job_text_small[] = "model: {n_layer: [1, 2], n_head: 1, n_embd: 4}\n"
                                     "train: {steps: 5, batch_size: 8}\n"
                                     "evaluate: {prompts: 4, critique_quality: [1, 0], baselines: [mean, best]}\n";

/* A whole journal of one run, as bytes. */
typedef struct Whole {
    char dir[64];
    Job *job;
    uint8_t bytes[MOST_BYTES]; /* of the records file */
    size_t size;
    int n_records; /* with the header and the end */
    uint64_t offsets[MOST_RECORDS + 1];
    Record records[MOST_RECORDS]; /* kind and id */
} Whole;

static const char *in_dir(const char *dir, const char *name, char path[PATH_BYTES]) {
    snprintf(path, PATH_BYTES, "%s/%s", dir, name);
    return path;
}

static void remove_folder(const char *dir) {
    char path[PATH_BYTES + 256];
    DIR *entries = opendir(dir);
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    assert_int_equal(rmdir(dir), 0);
}

/* --- a run ------------------------------------------------------------------------------------------------------ */

/* What a worker would find for a piece of work. */
static void answer(Journal *journal, const WorkItem *item) {
    Error err;
    Record records[16];
    float parameter = 1;
    int n = 0;
    if (item->kind == WORK_TRAINING) {
        records[n++] =
            (Record){.kind = RECORD_TRAINING, .of.training = {.training_id = item->training_id, .spec = item->spec}};
        records[n++] = (Record){
            .kind = RECORD_MODEL,
            .of.model = {
                .training_id = item->training_id, .spec = item->spec, .n_parameters = 1, .parameters = &parameter}};
    }
    for (int i = 0; i < item->n_orders; i++) {
        const CriticOrder *order = &item->orders[i];
        records[n++] =
            item->kind == WORK_BASELINES
                ? (Record){.kind = RECORD_BASELINE,
                           .of.baseline = {.baseline_id = order->id, .predictor = order->predictor}}
                : (Record){.kind = RECORD_CELL, .of.cell = {.cell_id = order->id, .training_id = item->training_id}};
    }
    assert_int_equal(journal_append(journal, records, n, NULL, &err), STATUS_OK);
}

typedef void (*WorkVisitor)(void *context, const WorkItem *item);

/* Hands out all work that a journal lacks. */
static void each_missing(const Job *job, const Journal *journal, WorkVisitor visit, void *context) {
    Error err;
    CostModel *costs;
    Schedule *schedule;
    bool found = true;
    assert_int_equal(cost_model_create(&costs, &err), STATUS_OK);
    assert_int_equal(
        schedule_create(job, journal, costs, &(ScheduleOptions){.keep_models = true, .kernels = ""}, &schedule, &err),
        STATUS_OK);
    while (found) {
        Assignment assignment = {0};
        assert_int_equal(schedule_next(schedule, INFINITY, &found, &assignment, &err), STATUS_OK);
        if (found) visit(context, &assignment.item);
        work_item_free(&assignment.item);
    }
    schedule_free(schedule);
    cost_model_free(costs);
}

static void answer_missing(void *context, const WorkItem *item) {
    answer(context, item);
}

static Status note_record(void *context, uint64_t offset, Record *record, Error *err) {
    Whole *whole = context;
    assert_in_range(whole->n_records, 0, MOST_RECORDS - 1);
    whole->offsets[whole->n_records] = offset;
    whole->records[whole->n_records++] = *record;
    *record = (Record){0};
    return STATUS_OK;
}

static Whole *make_whole(void) {
    Whole *whole = calloc(1, sizeof *whole);
    Record header = sample_record(RECORD_HEADER, 1);
    Journal *journal;
    Error err;
    char path[PATH_BYTES], warning[256];
    strcpy(whole->dir, "/tmp/palinode-cut-XXXXXX");
    assert_non_null(mkdtemp(whole->dir));
    assert_int_equal(job_parse("j", job_text_small, NULL, 0, &whole->job, &err), STATUS_OK);
    assert_int_equal(journal_open(whole->dir, &header, UINT64_MAX, &journal, warning, sizeof warning, &err), STATUS_OK);
    each_missing(whole->job, journal, answer_missing, journal);
    Record end = {.kind = RECORD_END, .of.end = {.reason = "done"}};
    assert_int_equal(journal_close(journal, &end, &err), STATUS_OK);
    record_free(&header);
    assert_int_equal(
        record_file_scan(in_dir(whole->dir, "records-0001.tfrecord", path), note_record, whole, NULL, &err), STATUS_OK);
    FILE *file = fopen(path, "rb");
    whole->size = fread(whole->bytes, 1, sizeof whole->bytes, file);
    fclose(file);
    whole->offsets[whole->n_records] = whole->size;
    assert_int_equal(whole->n_records, 1 + 4 + 2 + 4 + 1);
    return whole;
}

static void free_whole(Whole *whole) {
    for (int i = 0; i < whole->n_records; i++)
        record_free(&whole->records[i]);
    job_free(whole->job);
    remove_folder(whole->dir);
    free(whole);
}

/* Writes size bytes as the records file of the whole's folder. */
static void write_records(const Whole *whole, const uint8_t *bytes, size_t size) {
    char path[PATH_BYTES];
    FILE *file = fopen(in_dir(whole->dir, "records-0001.tfrecord", path), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* --- what is known and what is handed out ----------------------------------------------------------------------- */

static bool is_known(const Journal *journal, const Record *record) {
    Id id = record_id(record);
    return record->kind == RECORD_TRAINING ? journal_training(journal, id) == TRAINING_DONE
                                           : journal_result(journal, id) == RESULT_MEASURED;
}

typedef struct Handed {
    int trainings, evaluations, orders;
    const Whole *whole;
    int whole_records; /* the first that many are known */
} Handed;

/* What is handed out must not be among the known. */
static void check_missing(void *context, const WorkItem *item) {
    Handed *handed = context;
    handed->trainings += item->kind == WORK_TRAINING;
    handed->evaluations += item->kind == WORK_EVALUATION;
    handed->orders += item->n_orders;
    for (int r = 1; r < handed->whole_records; r++) {
        const Record *record = &handed->whole->records[r];
        if (!record_has_id(record)) continue;
        Id id = record_id(record);
        assert_false(record->kind == RECORD_TRAINING && item->kind == WORK_TRAINING && id_equal(id, item->training_id));
        for (int i = 0; i < item->n_orders; i++)
            assert_false(id_equal(id, item->orders[i].id));
    }
}

/* The folder holds the first n records whole: they are known, the others are handed out, each once. */
static void check_resume(const Whole *whole, int n, const char *expected_warning) {
    Journal *journal;
    Error err;
    char warning[512];
    if (journal_open_reader(whole->dir, &journal, warning, sizeof warning, &err) != STATUS_OK) fail_msg("%s", err.text);
    if (expected_warning == NULL)
        assert_string_equal(warning, "");
    else if (strstr(warning, expected_warning) == NULL)
        fail_msg("expected '%s' in '%s'", expected_warning, warning);
    int trainings_left = 0, evaluations_left = 0, orders_left = 0;
    for (int r = 1; r < whole->n_records; r++) {
        const Record *record = &whole->records[r];
        if (!record_has_id(record)) continue;
        assert_int_equal(is_known(journal, record), r < n);
        orders_left += record->kind != RECORD_TRAINING && r >= n;
        if (record->kind != RECORD_TRAINING) continue;
        int last = r; /* its last cell */
        while (whole->records[last + 1].kind == RECORD_CELL)
            last++;
        trainings_left += r >= n;
        evaluations_left += r < n && last >= n;
    }
    Handed handed = {.whole = whole, .whole_records = n};
    each_missing(whole->job, journal, check_missing, &handed);
    assert_int_equal(handed.trainings, trainings_left);
    assert_int_equal(handed.evaluations, evaluations_left); /* trained before, and its model is kept */
    assert_int_equal(handed.orders, orders_left);
    journal_close(journal, NULL, NULL);
}

static void say_place(const Whole *whole, int record, char text[64]) {
    snprintf(text, 64, "record %d at byte %llu", record + 1, (unsigned long long)whole->offsets[record]);
}

/* --- tests ------------------------------------------------------------------------------------------------------ */

static void a_journal_cut_at_any_byte_keeps_its_whole_records_and_a_resumed_run_does_the_rest(void **state) {
    Whole *whole = make_whole();
    int n = 1; /* whole records */
    for (size_t size = whole->offsets[1]; size <= whole->size; size++) {
        char place[64];
        while (n < whole->n_records && whole->offsets[n + 1] <= size)
            n++;
        write_records(whole, whole->bytes, size);
        say_place(whole, n, place);
        check_resume(whole, n, size == whole->offsets[n] ? NULL : place);
    }
    assert_int_equal(n, whole->n_records);
    free_whole(whole);
}

static void a_journal_cut_within_its_header_is_one_of_nothing(void **state) {
    Whole *whole = make_whole();
    for (size_t size = 0; size < whole->offsets[1]; size += 7) {
        write_records(whole, whole->bytes, size);
        check_resume(whole, 1, "its run ended before the first record, the file is ignored");
    }
    free_whole(whole);
}

static void one_flipped_byte_anywhere_is_placed_and_all_before_it_counts(void **state) {
    Whole *whole = make_whole();
    for (int record = 1; record < whole->n_records; record++) {
        bool every_byte = record == 5 || record == whole->n_records - 1; /* of the others a few */
        char place[64];
        say_place(whole, record, place);
        for (uint64_t at = whole->offsets[record]; at < whole->offsets[record + 1]; at += every_byte ? 1 : 9) {
            whole->bytes[at] ^= 0x55;
            write_records(whole, whole->bytes, whole->size);
            check_resume(whole, record, place);
            whole->bytes[at] ^= 0x55;
        }
    }
    free_whole(whole);
}

static Status check_problem(void *context, const SegmentCheck *check, Error *err) {
    const char *expected = context;
    if (strstr(check->path, "/records-") == NULL) return STATUS_OK;
    assert_non_null(strstr(check->scan.problem, expected));
    return STATUS_OK;
}

static void verify_says_the_same_place_and_repair_leaves_what_counts(void **state) {
    Whole *whole = make_whole();
    for (int record = 1; record < whole->n_records; record++) {
        char place[64], path[PATH_BYTES], saved[64];
        Error err;
        uint64_t at = (whole->offsets[record] + whole->offsets[record + 1]) / 2;
        say_place(whole, record, place);
        whole->bytes[at] ^= 1;
        write_records(whole, whole->bytes, whole->size);
        whole->bytes[at] ^= 1;
        assert_int_equal(journal_verify(whole->dir, false, check_problem, place, &err), STATUS_FAILED);
        assert_int_equal(journal_verify(whole->dir, true, check_problem, place, &err), STATUS_OK);
        assert_int_equal(journal_verify(whole->dir, false, check_problem, "", &err), STATUS_OK);
        check_resume(whole, record, NULL);
        snprintf(saved, sizeof saved, "records-0001.tfrecord.cut-%llu", (unsigned long long)whole->offsets[record]);
        assert_int_equal(access(in_dir(whole->dir, saved, path), F_OK), 0);
    }
    free_whole(whole);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_journal_cut_at_any_byte_keeps_its_whole_records_and_a_resumed_run_does_the_rest),
        cmocka_unit_test(a_journal_cut_within_its_header_is_one_of_nothing),
        cmocka_unit_test(one_flipped_byte_anywhere_is_placed_and_all_before_it_counts),
        cmocka_unit_test(verify_says_the_same_place_and_repair_leaves_what_counts),
    };
    return run_tests(tests, argc, argv);
}

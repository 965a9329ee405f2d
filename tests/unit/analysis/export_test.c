/* Exported tables: what a reader of CSV or JSON lines gets. */
#include "tests/harness.h"

#include "analysis/report/export.h"
#include "coordinator/journal/journal.h"
#include "coordinator/journal/process_identity.h"
#include "coordinator/journal/run_state.h"
#include "tests/fixtures/fake_results.h"

#include <jansson.h>
#include <unistd.h>

/* A folder with one run's records in it. */
typedef struct Folder {
    char dir[64], path[128];
    RecordWriter *writer;
} Folder;

static Folder *make_folder(void) {
    Folder *folder = calloc(1, sizeof *folder);
    Error err = {{0}};
    snprintf(folder->dir, sizeof folder->dir, "/tmp/palinode_export_XXXXXX");
    assert_non_null(mkdtemp(folder->dir));
    snprintf(folder->path, sizeof folder->path, "%s/records-0001.tfrecord", folder->dir);
    Record header = fake_header();
    if (record_writer_create(folder->path, &header, &folder->writer, &err) != STATUS_OK) fail_msg("%s", err.text);
    record_free(&header);
    return folder;
}

static void remove_folder(Folder *folder) {
    char path[128];
    record_writer_close(folder->writer);
    unlink(folder->path);
    snprintf(path, sizeof path, "%s/status-0001.json", folder->dir);
    unlink(path);
    assert_int_equal(rmdir(folder->dir), 0);
    free(folder);
}

static void append(Folder *folder, Record record) {
    Error err = {{0}};
    if (record_writer_append(folder->writer, &record, NULL, &err) != STATUS_OK) fail_msg("%s", err.text);
    record_free(&record);
}

/* The exported text, malloc'd. */
static char *exported(const Folder *folder, ExportTable table, RowFormat format, const char *expected_warning) {
    char *text = NULL, warning[512];
    size_t size;
    Error err = {{0}};
    FILE *out = open_memstream(&text, &size);
    if (export_table((const char *const[]){folder->dir}, 1, table, format, out, warning, sizeof warning, &err) !=
        STATUS_OK)
        fail_msg("%s", err.text);
    fclose(out);
    assert_string_equal(warning, expected_warning);
    return text;
}

static int lines_of(const char *text) {
    int lines = 0;
    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void every_metric_at_every_number_of_examples_is_a_row_with_all_settings(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 9);
    char id[ID_TEXT_BYTES], expected[1024];
    append(folder, fake_training(&spec, OUTCOME_DONE));
    append(folder, fake_cell(&spec, 0.5));
    char *text = exported(folder, EXPORT_METRICS, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 1 + METRIC_COUNT * FAKE_POINTS);
    assert_int_equal(strncmp(text, "training_id,cell_id,seed,model_n_layer,", 39), 0);
    assert_non_null(strstr(text, ",evaluate_critic_noise,evaluate_critic_feedback,evaluate_prompts,evaluate_rounds,"
                                 "evaluate_initial_responses,evaluate_right_cosine,evaluate_gd_steps,"
                                 "predictor,kind,self_check_accuracy,index,metric,value,standard_error,fingerprint\n"));
    snprintf(expected, sizeof expected, "\n%s,", id_text(training_id(&spec), id));
    assert_non_null(strstr(text, expected));
    assert_non_null(strstr(text, ",9,3,3,96,softmax,true,true,5,8,shared,3000,"));
    assert_non_null(
        strstr(text, ",0.5,replace,scalar,1024,0,,,,model,examples,0.75,5,kendall_tau,0.309,0.0625,fake 1\n"));
    assert_non_null(strstr(text, ",model,examples,0.75,1,nmse,,,fake 1\n")); /* undefined: empty */
    free(text);
    remove_folder(folder);
}

static void every_metric_of_every_round_is_a_row_with_the_accuracy_of_its_critic(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 9);
    append(folder, fake_training(&spec, OUTCOME_DONE));
    append(folder, fake_cell_with_rounds(&spec, 0.5, 4));
    char *text = exported(folder, EXPORT_METRICS, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 1 + METRIC_COUNT * FAKE_POINTS + ROUND_METRIC_COUNT * 5);
    assert_non_null(
        strstr(text, ",0.5,replace,scalar,1024,4,3,0.75,,model,examples,0.75,5,kendall_tau,0.309,0.0625,fake 1\n"));
    assert_non_null(
        strstr(text, ",0.5,replace,scalar,1024,4,3,0.75,,model,rounds,0.5,4,gain,0.6337890625,0.03125,fake 1\n"));
    assert_non_null(strstr(text, ",model,rounds,0.5,0,improved,,,fake 1\n")); /* undefined: empty */
    free(text);
    remove_folder(folder);
}

static void a_baseline_has_no_training_and_only_gd_has_steps(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 9);
    append(folder, fake_baseline(&spec, 1, PREDICTOR_GD));
    append(folder, fake_baseline(&spec, 1, PREDICTOR_BEST));
    char *text = exported(folder, EXPORT_METRICS, ROWS_JSONL, "");
    assert_int_equal(lines_of(text), 2 * METRIC_COUNT * FAKE_POINTS);
    char *rest = text, *line = strsep(&rest, "\n");
    json_t *row = json_loads(line, 0, NULL);
    assert_non_null(row);
    assert_true(json_is_null(json_object_get(row, "training_id")));
    assert_int_equal(json_string_length(json_object_get(row, "cell_id")), 32);
    assert_true(json_is_null(json_object_get(row, "model_n_layer")));
    assert_true(json_is_null(json_object_get(row, "train_steps")));
    assert_int_equal(json_integer_value(json_object_get(row, "task_n_points")), FAKE_POINTS);
    assert_int_equal(json_integer_value(json_object_get(row, "evaluate_gd_steps")), 50);
    assert_string_equal(json_string_value(json_object_get(row, "predictor")), "gd");
    assert_true(json_is_null(json_object_get(row, "value"))); /* nothing is defined at 0 examples */
    json_decref(row);
    for (int i = 0; i < METRIC_COUNT * FAKE_POINTS; i++)
        line = strsep(&rest, "\n");
    row = json_loads(line, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(row, "predictor")), "best");
    assert_true(json_is_null(json_object_get(row, "evaluate_gd_steps")));
    json_decref(row);
    free(text);
    remove_folder(folder);
}

static void both_formats_hold_the_same_numbers_exactly(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 0);
    Record cell = fake_cell(&spec, 1);
    cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_NMSE, 2)] = 1.0 / 3;
    cell.of.cell.curves.value[curves_at(&cell.of.cell.curves, METRIC_NMSE, 3)] = 5e-324;
    append(folder, fake_training(&spec, OUTCOME_DONE));
    append(folder, cell);
    char *csv = exported(folder, EXPORT_METRICS, ROWS_CSV, ""),
         *jsonl = exported(folder, EXPORT_METRICS, ROWS_JSONL, "");
    assert_non_null(strstr(csv, ",2,nmse,0.3333333333333333,0.0625,fake 1\n"));
    assert_non_null(strstr(jsonl, "\"value\": 0.3333333333333333, "));
    assert_non_null(strstr(csv, ",3,nmse,4.94065645841247e-324,"));
    assert_near(strtod("4.94065645841247e-324", NULL), 5e-324, 0);
    free(csv);
    free(jsonl);
    remove_folder(folder);
}

static void numbers_are_the_shortest_text_that_reads_back_equal(void **state) {
    char text[NUMBER_TEXT_BYTES];
    assert_string_equal(number_text(0.1, text), "0.1");
    assert_string_equal(number_text(14, text), "14");
    assert_string_equal(number_text(0.1 + 0.2, text), "0.30000000000000004");
    assert_string_equal(number_text(-1e300, text), "-1e+300");
    uint64_t bits = 0x3ff0000000000001;
    for (int i = 0; i < 1000; i++) {
        double value;
        memcpy(&value, &bits, sizeof value);
        assert_true(strtod(number_text(value, text), NULL) == value);
        bits += 0x123456789abcd;
    }
}

static void of_records_with_the_same_id_only_the_last_is_exported(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 0);
    Record again = fake_cell(&spec, 1);
    again.of.cell.curves.value[curves_at(&again.of.cell.curves, METRIC_NMSE, 2)] = 42;
    strcpy(again.of.cell.fingerprint, "fake 2"); /* else it would contradict the first */
    append(folder, fake_cell(&spec, 1));
    append(folder, again);
    append(folder, fake_training(&spec, OUTCOME_DONE));
    append(folder, fake_training(&spec, OUTCOME_FAILED)); /* a failure never hides a result */
    char *text = exported(folder, EXPORT_METRICS, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 1 + METRIC_COUNT * FAKE_POINTS);
    assert_non_null(strstr(text, ",2,nmse,42,"));
    free(text);
    text = exported(folder, EXPORT_TRAININGS, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 2);
    assert_non_null(strstr(text, ",done,"));
    free(text);
    remove_folder(folder);
}

static void a_cell_without_its_training_is_left_out_with_a_warning(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 0);
    append(folder, fake_cell(&spec, 1));
    char *text = exported(folder, EXPORT_METRICS, ROWS_CSV, "1 cells left out: their training is in no record");
    assert_int_equal(lines_of(text), 1);
    free(text);
    remove_folder(folder);
}

static void trainings_carry_outcome_timing_and_a_quoted_reason(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 4);
    append(folder, fake_training(&spec, OUTCOME_FAILED));
    char *text = exported(folder, EXPORT_TRAININGS, ROWS_CSV, "");
    assert_non_null(strstr(text, ",failed,\"killed by signal 9, \"\"why\"\"\",1,3000,14.5,fake 1,3000000000000,60,0,"));
    assert_non_null(strstr(text, ",here,2024-12-10T09:00:00.123Z\n"));
    free(text);
    text = exported(folder, EXPORT_TRAININGS, ROWS_JSONL, "");
    json_t *row = json_loads(text, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(row, "reason")), "killed by signal 9, \"why\"");
    json_decref(row);
    free(text);
    remove_folder(folder);
}

static void the_loss_table_has_a_row_a_point(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(3, 4);
    append(folder, fake_training(&spec, OUTCOME_DONE));
    char *text = exported(folder, EXPORT_LOSS, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 3);
    assert_non_null(strstr(text, ",step,loss\n"));
    assert_non_null(strstr(text, ",1500,17\n"));
    assert_non_null(strstr(text, ",3000,14.5\n"));
    free(text);
    remove_folder(folder);
}

static void provenance_is_a_row_a_run_whose_end_is_empty_until_it_ended(void **state) {
    Folder *folder = make_folder();
    char *text = exported(folder, EXPORT_PROVENANCE, ROWS_JSONL, "");
    json_t *row = json_loads(text, 0, NULL);
    assert_true(json_is_null(json_object_get(row, "end_reason")));
    assert_string_equal(json_string_value(json_object_get(row, "job_text")), "name: fake\nmodel: {}\n");
    json_decref(row);
    free(text);
    Record end = {.kind = RECORD_END,
                  .of.end = {.ended_unix_ms = 1733821200123, .trainings_done = 3, .reason = strdup("done")}};
    append(folder, end);
    text = exported(folder, EXPORT_PROVENANCE, ROWS_CSV, "");
    assert_int_equal(lines_of(text), 2 + 2); /* two lines of the job text are inside quotes */
    assert_non_null(strstr(text, "\n2024-12-10T08:58:20.000Z,2024-12-10T09:00:00.123Z,done,3,0,0,0,0,"));
    assert_non_null(strstr(text, ",\"name: fake\nmodel: {}\n\",,\n"));
    free(text);
    remove_folder(folder);
}

static void a_full_disk_is_an_error(void **state) {
    Folder *folder = make_folder();
    FILE *out = fopen("/dev/full", "w");
    assert_non_null(out);
    char warning[128];
    Error err = {{0}};
    assert_int_equal(export_table((const char *const[]){folder->dir}, 1, EXPORT_METRICS, ROWS_CSV, out, warning,
                                  sizeof warning, &err),
                     STATUS_IO);
    assert_non_null(strstr(err.text, "No space left"));
    fclose(out);
    remove_folder(folder);
}

/* --- how far runs are ------------------------------------------------------------------------------------------- */

/* A status file of this process, or of one with another number. */
static void write_status(const Folder *folder, const char *state, int pid, const char *host, int total,
                         const char *code) {
    char path[128], text[1024];
    json_t *own = process_identity();
    char *identity = json_dumps(own, 0);
    snprintf(path, sizeof path, "%s/status-0001.json", folder->dir);
    snprintf(text, sizeof text,
             "{\"segment\": \"0001\", \"state\": \"%s\", \"reason\": \"\", \"exit_code\": %s, \"pid\": %d, \"host\": "
             "\"%s\", "
             "\"updated_unix_ms\": 1733821200123, \"trainings\": {\"total\": %d}, \"process\": %s}",
             state, code, pid, host, total, identity);
    free(identity);
    json_decref(own);
    assert_int_equal(journal_replace_file(path, text, NULL), STATUS_OK);
}

static FolderState *state_of(const Folder *folder) {
    FolderState *state = NULL;
    char warning[256];
    Error err = {{0}};
    if (folder_state_read(folder->dir, &state, warning, sizeof warning, &err) != STATUS_OK) fail_msg("%s", err.text);
    return state;
}

static void a_running_status_whose_process_is_gone_is_one_that_died(void **state) {
    Folder *folder = make_folder();
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    static const struct {
        const char *said;
        RunState state;
    } cases[] = {{"running", RUN_RUNNING}, {"running", RUN_DIED}, {"running", RUN_DIED}, {"ended", RUN_ENDED}};
    for (int i = 0; i < 4; i++) {
        /* this process; none; somebody else's that was silent for years; ended */
        write_status(folder, cases[i].said,
                     i == 0   ? (int)getpid()
                     : i == 1 ? 2147483646
                              : 1,
                     i == 2 ? "elsewhere" : host, 1, i == 3 ? "0" : "null");
        FolderState *folder_state = state_of(folder);
        assert_int_equal(folder_state->n_segments, 1);
        assert_int_equal(folder_state->segments[0].state, cases[i].state);
        assert_int_equal(folder_state->exit_code,
                         STATUS_INCOMPLETE); /* even ended: the one training is not on record */
        folder_state_free(folder_state);
    }
    remove_folder(folder);
}

static void the_exit_code_is_that_of_the_records_once_the_run_has_ended(void **state) {
    Folder *folder = make_folder();
    TrainingSpec spec = fake_spec(2, 0), other = fake_spec(2, 1);
    append(folder, fake_training(&other, OUTCOME_FAILED));
    append(folder, fake_training(&spec, OUTCOME_DONE));
    append(folder, fake_cell(&spec, 1));
    append(folder, fake_cell(&spec, 1));
    write_status(folder, "ended", 1, "elsewhere", 2, "0");
    FolderState *folder_state = state_of(folder);
    assert_int_equal(folder_state->census.trainings_done, 1);
    assert_int_equal(folder_state->census.trainings_failed, 1);
    assert_int_equal(folder_state->census.cells, 1);
    assert_string_equal(folder_state->census.first_failure, "seed 1: killed by signal 9, \"why\"");
    assert_int_equal(folder_state->exit_code, STATUS_FAILED);
    folder_state_free(folder_state);

    append(folder, fake_training(&other, OUTCOME_DONE));
    folder_state = state_of(folder);
    assert_int_equal(folder_state->exit_code, STATUS_OK);
    assert_string_equal(folder_state->census.first_failure, "");
    folder_state_free(folder_state);

    write_status(folder, "ended", 1, "elsewhere", 2, "75");
    folder_state = state_of(folder);
    assert_int_equal(folder_state->exit_code, STATUS_INCOMPLETE);
    folder_state_free(folder_state);
    remove_folder(folder);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_at_every_number_of_examples_is_a_row_with_all_settings),
        cmocka_unit_test(every_metric_of_every_round_is_a_row_with_the_accuracy_of_its_critic),
        cmocka_unit_test(a_baseline_has_no_training_and_only_gd_has_steps),
        cmocka_unit_test(both_formats_hold_the_same_numbers_exactly),
        cmocka_unit_test(numbers_are_the_shortest_text_that_reads_back_equal),
        cmocka_unit_test(of_records_with_the_same_id_only_the_last_is_exported),
        cmocka_unit_test(a_cell_without_its_training_is_left_out_with_a_warning),
        cmocka_unit_test(trainings_carry_outcome_timing_and_a_quoted_reason),
        cmocka_unit_test(the_loss_table_has_a_row_a_point),
        cmocka_unit_test(provenance_is_a_row_a_run_whose_end_is_empty_until_it_ended),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(a_running_status_whose_process_is_gone_is_one_that_died),
        cmocka_unit_test(the_exit_code_is_that_of_the_records_once_the_run_has_ended),
    };
    return run_tests(tests, argc, argv);
}

/* A piece of work that is paused, killed or cannot save: whatever happens, the records are those of an undisturbed one.
 * The linker hands this program's calls of rename to the function below. */
#include "proto/wire/checkpoint_file.h"
#include "tests/fixtures/wire_samples.h"
#include "worker/work/run_work.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ORDERS = 2, STEPS = 12 };

static int renames_to_live = -1; /* the process dies before (even) or after (odd) rename number this / 2; -1: never */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_rename(const char *from, const char *to) {
    if (renames_to_live == 0) raise(SIGKILL);
    int result = __real_rename(from, to);
    if (renames_to_live == 1) raise(SIGKILL);
    if (renames_to_live > 1) renames_to_live -= 2;
    return result;
}

typedef struct Bench {
    char folder[64], path[80];
    CriticOrder orders[ORDERS];
    WorkItem item;
} Bench;

/* A training of some milliseconds whose checkpoint goes to a fresh folder. */
static Bench *make_bench(void) {
    static char kernels[] = "";
    Bench *bench = calloc(1, sizeof *bench);
    strcpy(bench->folder, "/tmp/palinode-saver-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->path, sizeof bench->path, "%s/09", bench->folder);
    for (int k = 0; k < ORDERS; k++)
        bench->orders[k] = (CriticOrder){.id = {{(uint8_t)(k + 1)}}, .critic = {.quality = k == 0 ? 1 : 0.5}};
    bench->item = (WorkItem){
        .work = 77,
        .kind = WORK_TRAINING,
        .training_id = {{9}},
        .spec = {.model = {.n_layer = 1, .n_head = 2, .n_embd = 8, .ffn = true, .causal = true},
                 .task = {.n_dims = 2, .n_points = 4},
                 .train = {.steps = STEPS,
                           .batch_size = 4,
                           .gradient_shards = 2,
                           .learning_rate = 1e-3,
                           .critic_quality = 1},
                 .seed = 6},
        .evaluation = {.prompts = 10, .gd_steps = 5},
        .attempt = 1,
        .n_orders = ORDERS,
        .orders = bench->orders,
        .keep_model = true,
        .kernels = kernels,
        .checkpoint = bench->path,
        .checkpoint_every_s = 1e9,
    };
    return bench;
}

static void free_bench(Bench *bench) {
    assert_int_equal(checkpoint_file_remove(bench->path, NULL), STATUS_OK);
    assert_int_equal(rmdir(bench->folder), 0);
    free(bench);
}

/* What was heard, and when to say pause. */
typedef struct Watch {
    int asked, pause_at; /* pause at this question, from 1; 0: never */
    int reports, notices;
    char notice[512];
    Progress first, last;
    double flops_total;
} Watch;

static bool told_to_pause(void *context) {
    Watch *watch = context;
    watch->asked++;
    return watch->pause_at > 0 && watch->asked >= watch->pause_at;
}

static void hear(void *context, const Progress *progress) {
    Watch *watch = context;
    if (watch->reports++ == 0) watch->first = *progress;
    watch->last = *progress;
    if (progress->notice[0] == '\0') return;
    watch->notices++;
    snprintf(watch->notice, sizeof watch->notice, "%s", progress->notice);
}

static Message answer_of(const WorkItem *item, Watch *watch) {
    Message answer;
    Error err;
    WorkWatch given = {.report = hear, .told_to_pause = told_to_pause, .context = watch};
    if (run_work_watched(item, 3, "here", &given, &answer, &err) != STATUS_OK) fail_msg("%s", err.text);
    return answer;
}

/* What differs between equal runs is put aside. */
static void forget_provenance(Message *answer) {
    for (int i = 0; i < answer->of.done.n_records; i++) {
        Record *record = &answer->of.done.records[i];
        if (record->kind == RECORD_TRAINING) {
            TrainingRecord *training = &record->of.training;
            training->wall_s = training->cpu_s = 0;
            training->peak_memory_bytes = training->ended_unix_ms = 0;
        }
        if (record->kind == RECORD_CELL) record->of.cell.wall_s = 0;
    }
}

/* The answer of an undisturbed run of the bench's item. */
static Message calm_answer(const Bench *bench) {
    WorkItem item = bench->item;
    Watch watch = {0};
    item.checkpoint = NULL;
    Message answer = answer_of(&item, &watch);
    assert_int_equal(answer.kind, MESSAGE_DONE);
    forget_provenance(&answer);
    return answer;
}

static void assert_calm(const Bench *bench, Message *answer, const Message *calm) {
    assert_int_equal(answer->kind, MESSAGE_DONE);
    forget_provenance(answer);
    assert_true(sample_equal(&message_binding, answer, calm));
    message_free(answer);
}

static int64_t step_in_file(const Bench *bench) {
    int64_t step;
    assert_int_equal(checkpoint_file_step(bench->path, bench->item.training_id, &step, NULL), STATUS_OK);
    return step;
}

static void a_pause_at_any_question_loses_nothing(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench), answer;
    Watch whole = {0};
    answer = answer_of(&bench->item, &whole);
    assert_calm(bench, &answer, &calm);
    int measuring = whole.asked - STEPS; /* others: before the first step, and between steps */
    assert_in_range(measuring, 2 * ORDERS, 20 * ORDERS);
    for (int k = 1; k <= whole.asked; k++) {
        Watch watch = {.pause_at = k};
        answer = answer_of(&bench->item, &watch);
        int64_t expected = k <= STEPS ? k - 1 : STEPS;
        assert_int_equal(answer.kind, MESSAGE_PAUSED);
        assert_int_equal(answer.of.paused.work, 77);
        assert_int_equal(answer.of.paused.step, expected);
        assert_int_equal(step_in_file(bench), expected);
        if (expected > 0) assert_int_equal(watch.last.saved_step, expected);
        Watch after = {0};
        answer = answer_of(&bench->item, &after);
        assert_int_equal(after.first.first_step, expected);
        assert_int_equal(after.last.step, STEPS);
        assert_int_equal(after.asked, STEPS - expected + measuring);
        assert_calm(bench, &answer, &calm);
        assert_int_equal(checkpoint_file_remove(bench->path, NULL), STATUS_OK);
    }
    message_free(&calm);
    free_bench(bench);
}

static void a_training_paused_again_and_again_gets_done(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench), answer;
    int pauses = 0;
    for (;; pauses++) {
        Watch watch = {.pause_at = pauses < 8 ? 2 + 2 * (pauses % 2) : 0}; /* after one step, or three */
        answer = answer_of(&bench->item, &watch);
        if (answer.kind == MESSAGE_DONE) break;
        assert_int_equal(answer.of.paused.step, step_in_file(bench));
    }
    assert_int_equal(pauses, 8);
    assert_int_equal(step_in_file(bench), STEPS);
    assert_calm(bench, &answer, &calm);
    message_free(&calm);
    free_bench(bench);
}

static void work_without_a_training_pauses_with_nothing_to_save(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench);
    WorkItem item = bench->item;
    item.kind = WORK_EVALUATION;
    item.n_parameters = calm.of.done.records[1].of.model.n_parameters;
    item.parameters = calm.of.done.records[1].of.model.parameters;
    Watch watch = {.pause_at = 2};
    Message answer = answer_of(&item, &watch);
    assert_int_equal(answer.kind, MESSAGE_PAUSED);
    assert_int_equal(answer.of.paused.step, 0);
    item.kind = WORK_BASELINES;
    for (int k = 0; k < ORDERS; k++)
        bench->orders[k].predictor = PREDICTOR_MEAN;
    watch = (Watch){.pause_at = 2};
    answer = answer_of(&item, &watch);
    assert_int_equal(answer.kind, MESSAGE_PAUSED);
    assert_int_equal(answer.of.paused.step, 0);
    assert_int_equal(step_in_file(bench), 0);
    message_free(&calm);
    free_bench(bench);
}

static void a_process_killed_at_any_save_is_gone_on_from(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench);
    bench->item.checkpoint_every_s = 0; /* after every step, and before measuring */
    for (int k = 0;; k++) {
        pid_t pid = fork();
        if (pid == 0) {
            Watch watch = {0};
            renames_to_live = k;
            answer_of(&bench->item, &watch);
            _exit(0);
        }
        int wait_status;
        assert_int_equal(waitpid(pid, &wait_status, 0), pid);
        if (WIFEXITED(wait_status)) {
            assert_int_equal(wait_status, 0);
            assert_int_equal(k, 2 * STEPS); /* so many saves there are */
            break;
        }
        assert_int_equal(step_in_file(bench), (k + 1) / 2);
        Watch watch = {0};
        Message answer = answer_of(&bench->item, &watch);
        assert_calm(bench, &answer, &calm);
        assert_int_equal(checkpoint_file_remove(bench->path, NULL), STATUS_OK);
    }
    message_free(&calm);
    free_bench(bench);
}

/* Pauses the bench's training after step 5. */
static void pause_in_the_middle(const Bench *bench) {
    Watch watch = {.pause_at = 6};
    Message answer = answer_of(&bench->item, &watch);
    assert_int_equal(answer.of.paused.step, 5);
}

/* Whatever is in the file now, the training begins anew, says so once, and is right. */
static void assert_begins_anew(const Bench *bench, const Message *calm, const char *why) {
    Watch watch = {0};
    Message answer = answer_of(&bench->item, &watch);
    assert_int_equal(watch.first.first_step, 0);
    assert_int_equal(watch.first.saved_step, 0);
    assert_int_equal(watch.notices, 1);
    if (strstr(watch.notice, why) == NULL || strstr(watch.notice, bench->path) == NULL) fail_msg("%s", watch.notice);
    assert_calm(bench, &answer, calm);
}

static void a_checkpoint_that_cannot_be_used_is_told_and_not_used(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench);
    Record record = {.kind = RECORD_CHECKPOINT};
    CheckpointRecord *checkpoint = &record.of.checkpoint;
    bool exists;
    pause_in_the_middle(bench);
    assert_int_equal(truncate(bench->path, 900), 0);
    assert_begins_anew(bench, &calm, "the file ends");
    pause_in_the_middle(bench); /* a damaged file is replaced */
    assert_int_equal(step_in_file(bench), 5);

    assert_int_equal(checkpoint_file_read(bench->path, bench->item.training_id, &exists, checkpoint, NULL), STATUS_OK);
    checkpoint->fingerprint[0] ^= 1;
    assert_int_equal(checkpoint_file_write(bench->path, checkpoint, NULL), STATUS_OK);
    assert_begins_anew(bench, &calm, "this process computes with");
    checkpoint->fingerprint[0] ^= 1;
    checkpoint->training_id.bytes[0] ^= 1;
    assert_int_equal(checkpoint_file_write(bench->path, checkpoint, NULL), STATUS_OK);
    assert_begins_anew(bench, &calm, "is of training 08");
    checkpoint->training_id.bytes[0] ^= 1;
    checkpoint->state.n_loss--;
    assert_int_equal(checkpoint_file_write(bench->path, checkpoint, NULL), STATUS_OK);
    assert_begins_anew(bench, &calm, "does not fit the training's settings");
    record_free(&record);
    message_free(&calm);
    free_bench(bench);
}

static void a_training_that_cannot_save_says_so_once_and_goes_on(void **state) {
    Bench *bench = make_bench();
    Message calm = calm_answer(bench);
    snprintf(bench->path, sizeof bench->path, "%s/no/no/09", bench->folder);
    bench->item.checkpoint_every_s = 0;
    Watch watch = {0};
    Message answer = answer_of(&bench->item, &watch);
    assert_int_equal(watch.notices, 1);
    assert_non_null(strstr(watch.notice, "a checkpoint cannot be saved, its training goes on"));
    assert_int_equal(watch.last.saved_step, 0);
    assert_calm(bench, &answer, &calm);
    watch = (Watch){.pause_at = 6};
    answer = answer_of(&bench->item, &watch);
    assert_int_equal(answer.kind, MESSAGE_PAUSED);
    assert_int_equal(answer.of.paused.step, 0);
    snprintf(bench->path, sizeof bench->path, "%s/09", bench->folder);
    message_free(&calm);
    free_bench(bench);
}

static void a_folder_that_another_run_found_empty_and_removed_is_made_again(void **state) {
    char folder[96];
    Bench *bench = make_bench();
    snprintf(folder, sizeof folder, "%s/checkpoints", bench->folder);
    snprintf(bench->path, sizeof bench->path, "%s/09", folder);
    Watch watch = {.pause_at = 6};
    Message answer = answer_of(&bench->item, &watch);
    assert_int_equal(answer.kind, MESSAGE_PAUSED);
    assert_true(answer.of.paused.step > 0 && access(bench->path, F_OK) == 0 && watch.notices == 0);
    message_free(&answer);
    assert_int_equal(unlink(bench->path) + rmdir(folder), 0);
    free_bench(bench);
}

static void times_are_those_of_all_parts_together(void **state) {
    Bench *bench = make_bench();
    pause_in_the_middle(bench);
    Record record = {.kind = RECORD_CHECKPOINT};
    bool exists;
    assert_int_equal(checkpoint_file_read(bench->path, bench->item.training_id, &exists, &record.of.checkpoint, NULL),
                     STATUS_OK);
    assert_true(record.of.checkpoint.wall_s > 0 && record.of.checkpoint.cpu_s > 0);
    record.of.checkpoint.wall_s = 1000;
    record.of.checkpoint.cpu_s = 500;
    assert_int_equal(checkpoint_file_write(bench->path, &record.of.checkpoint, NULL), STATUS_OK);
    record_free(&record);
    Watch watch = {0};
    Message answer = answer_of(&bench->item, &watch);
    const TrainingRecord *training = &answer.of.done.records[0].of.training;
    assert_true(training->wall_s > 1000 && training->wall_s < 1100);
    assert_true(training->cpu_s > 500 && training->cpu_s < 600);
    message_free(&answer);
    free_bench(bench);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pause_at_any_question_loses_nothing),
        cmocka_unit_test(a_training_paused_again_and_again_gets_done),
        cmocka_unit_test(work_without_a_training_pauses_with_nothing_to_save),
        cmocka_unit_test(a_process_killed_at_any_save_is_gone_on_from),
        cmocka_unit_test(a_checkpoint_that_cannot_be_used_is_told_and_not_used),
        cmocka_unit_test(a_training_that_cannot_save_says_so_once_and_goes_on),
        cmocka_unit_test(a_folder_that_another_run_found_empty_and_removed_is_made_again),
        cmocka_unit_test(times_are_those_of_all_parts_together),
    };
    return run_tests(tests, argc, argv);
}

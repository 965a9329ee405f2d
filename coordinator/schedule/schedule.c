/* See schedule.h. Here is the order in which work goes out, and what becomes of it. */
#include "coordinator/schedule/schedule_state.h"

#include "coordinator/forecast/deadline.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MACHINE_FAILURES_MAX = 8 }; /* of one piece of work */

void work_item_free(WorkItem *item) {
    free(item->orders);
    free(item->parameters);
    free(item->kernels);
    free(item->checkpoint);
    free(item->model_fingerprint);
    *item = (WorkItem){0};
}

/* --- order ------------------------------------------------------------------------------------------------------ */

/* Expected seconds; as long as nothing is known of any rate, operations, which give the same order. */
static double expected_s(const Schedule *schedule, int rate, double flops) {
    double seconds = cost_model_forecast(schedule->costs, rate, flops).expected_s;
    return isnan(seconds) ? flops : seconds;
}

static int longer_first(const void *a, const void *b, void *context) {
    const double *class_s = context;
    int left = *(const int *)a, right = *(const int *)b;
    if (class_s[left] != class_s[right]) return class_s[left] < class_s[right] ? 1 : -1;
    return left - right;
}

static void sort_classes(Schedule *schedule) {
    int n_classes;
    const WorkClass *classes = pending_classes(schedule->pending, &n_classes);
    double waiting_s = 0;
    for (int i = 0; i < n_classes; i++) {
        schedule->order[i] = i;
        schedule->class_s[i] = expected_s(schedule, classes[i].rate, classes[i].flops);
        waiting_s += schedule->class_s[i] * (double)classes[i].waiting;
    }
    qsort_r(schedule->order, (size_t)n_classes, sizeof *schedule->order, longer_first, schedule->class_s);
    schedule->load_s = waiting_s / (schedule->options.workers > 0 ? schedule->options.workers : 1);
    schedule->since_sorted = 0;
}

/* Rates are learned all the time: sorts anew, though not for every piece when there are many classes. */
static void sort_if_due(Schedule *schedule) {
    int n_classes;
    pending_classes(schedule->pending, &n_classes);
    if (schedule->since_sorted * 8 >= n_classes) sort_classes(schedule);
}

Status schedule_make_room(Schedule *schedule, Error *err) {
    if (schedule->n_out + schedule->n_again < schedule->capacity) return STATUS_OK;
    int capacity = schedule->capacity * 2 + 16;
    Piece *more_out = realloc(schedule->out, (size_t)capacity * sizeof *more_out);
    if (more_out != NULL) schedule->out = more_out;
    Piece *more_again = realloc(schedule->again, (size_t)capacity * sizeof *more_again);
    if (more_again != NULL) schedule->again = more_again;
    if (more_out == NULL || more_again == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for %d pieces of work under way", capacity);
    schedule->capacity = capacity;
    return STATUS_OK;
}

double schedule_flops_left(const Schedule *schedule, const Piece *piece) {
    int unused;
    const WorkClass *class = &pending_classes(schedule->pending, &unused)[piece->class];
    return class->flops - class->step_flops * (double)piece->step;
}

/* --- start ------------------------------------------------------------------------------------------------------ */

Status schedule_create(const Job *job, const Journal *known, CostModel *costs, const ScheduleOptions *options,
                       Schedule **out, Error *err) {
    Schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a schedule");
    *schedule = (Schedule){.job = job,
                           .known = known,
                           .costs = costs,
                           .evaluation = job_evaluation(job),
                           .options = *options,
                           .totals = {.shard = options->shard},
                           .next_work = 1};
    int n_classes = 0;
    Status status = pending_create(job_grid_points(job) * places_per_point(schedule), costs, &schedule->pending, err);
    if (status == STATUS_OK) status = schedule_count(schedule, err);
    if (status == STATUS_OK) {
        pending_classes(schedule->pending, &n_classes);
        schedule->order = calloc((size_t)n_classes + 1, sizeof *schedule->order);
        schedule->class_s = calloc((size_t)n_classes + 1, sizeof *schedule->class_s);
        if (schedule->order == NULL || schedule->class_s == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "no memory for the order of %d kinds of work", n_classes);
    }
    if (status == STATUS_OK) {
        sort_classes(schedule);
        *out = schedule;
    } else {
        schedule_free(schedule);
    }
    return status;
}

void schedule_free(Schedule *schedule) {
    if (schedule == NULL) return;
    pending_free(schedule->pending);
    free(schedule->order);
    free(schedule->class_s);
    free(schedule->out);
    free(schedule->again);
    free(schedule);
}

const ScheduleTotals *schedule_totals(const Schedule *schedule) {
    return &schedule->totals;
}

Status schedule_waiting(const Schedule *schedule, WaitingBatch **batches, int *count, Error *err) {
    int n_classes;
    const WorkClass *classes = pending_classes(schedule->pending, &n_classes);
    *count = 0;
    *batches = calloc((size_t)(n_classes + schedule->n_again) + 1, sizeof **batches);
    if (*batches == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d kinds of work", n_classes);
    for (int i = 0; i < n_classes; i++)
        if (classes[i].waiting > 0)
            (*batches)[(*count)++] =
                (WaitingBatch){.rate = classes[i].rate, .flops = classes[i].flops, .count = classes[i].waiting};
    for (int i = 0; i < schedule->n_again; i++)
        (*batches)[(*count)++] = (WaitingBatch){.rate = classes[schedule->again[i].class].rate,
                                                .flops = schedule_flops_left(schedule, &schedule->again[i]),
                                                .count = 1};
    return STATUS_OK;
}

/* --- handing out ------------------------------------------------------------------------------------------------ */

static bool fits(const Schedule *schedule, int rate, double flops, double left_s) {
    if (isinf(left_s)) return true;
    Forecast forecast = cost_model_forecast(schedule->costs, rate, flops);
    return deadline_fits(&forecast, left_s);
}

static bool worth_beginning(const Schedule *schedule, const WorkClass *class, double left_s) {
    double step_s = class->step_flops / cost_model_belief(schedule->costs, class->rate).rate;
    return class->kind == WORK_TRAINING && deadline_worth_beginning(step_s, left_s);
}

/* The class of the longest work that waits in a row and fits, or -1. */
static int longest_that_fits(const Schedule *schedule, double left_s) {
    int n_classes;
    const WorkClass *classes = pending_classes(schedule->pending, &n_classes);
    for (int i = 0; i < n_classes; i++) {
        const WorkClass *class = &classes[schedule->order[i]];
        if (class->waiting > 0 && fits(schedule, class->rate, class->flops, left_s)) return schedule->order[i];
    }
    return -1;
}

/* Which of the pieces with a history goes before the longest that waits in the row (a class, or -1): an index, or -1.
 * What was begun ranks with its whole length and before its equals, so that it is ended and no heap of checkpoints
 * grows; but near the end, where that would keep longer work waiting, with what is left of it. */
static int first_again(const Schedule *schedule, int longest, double left_s) {
    int unused, best = -1;
    const WorkClass *classes = pending_classes(schedule->pending, &unused);
    double rank_s = longest >= 0 ? schedule->class_s[longest] : 0;
    bool near_end = rank_s > schedule->load_s / 2;
    for (int i = 0; i < schedule->n_again; i++) {
        const Piece *piece = &schedule->again[i];
        const WorkClass *class = &classes[piece->class];
        double left = schedule_flops_left(schedule, piece);
        double seconds = schedule->class_s[piece->class] * (near_end ? left / class->flops : 1);
        if (!(best < 0 ? seconds >= rank_s : seconds > rank_s) || !fits(schedule, class->rate, left, left_s)) continue;
        best = i;
        rank_s = seconds;
    }
    return best;
}

/* When nothing fits: the training that was begun and has least left, as long as it gets some steps further, or -1. */
static int nearest_to_its_end(const Schedule *schedule, double left_s) {
    int unused, best = -1;
    double least_s = INFINITY;
    const WorkClass *classes = pending_classes(schedule->pending, &unused);
    for (int i = 0; i < schedule->n_again; i++) {
        const WorkClass *class = &classes[schedule->again[i].class];
        double seconds = expected_s(schedule, class->rate, schedule_flops_left(schedule, &schedule->again[i]));
        if (!worth_beginning(schedule, class, left_s) || !(seconds < least_s)) continue;
        best = i;
        least_s = seconds;
    }
    return best;
}

/* When nothing fits and nothing was begun: the class of the longest training that gets some steps done, or -1. */
static int longest_worth_beginning(const Schedule *schedule, double left_s) {
    int n_classes;
    const WorkClass *classes = pending_classes(schedule->pending, &n_classes);
    for (int i = 0; i < n_classes; i++) {
        const WorkClass *class = &classes[schedule->order[i]];
        if (class->waiting > 0 && worth_beginning(schedule, class, left_s)) return schedule->order[i];
    }
    return -1;
}

/* Takes the piece that is next out of what waits; false: there is none that should go out now. */
static bool choose(Schedule *schedule, double left_s, Piece *piece) {
    int class = longest_that_fits(schedule, left_s), again = first_again(schedule, class, left_s);
    if (again < 0 && class < 0) again = nearest_to_its_end(schedule, left_s);
    if (again < 0 && class < 0) class = longest_worth_beginning(schedule, left_s);
    if (again >= 0) {
        *piece = schedule->again[again];
        schedule->again[again] = schedule->again[--schedule->n_again];
    } else if (class >= 0) {
        uint64_t place = pending_take(schedule->pending, class);
        *piece = (Piece){.work = schedule->next_work++,
                         .grid_point = place / places_per_point(schedule),
                         .class = class,
                         .attempt = 1};
        schedule->since_sorted++;
    }
    return again >= 0 || class >= 0;
}

Status schedule_next(Schedule *schedule, double left_s, bool *found, Assignment *out, Error *err) {
    *found = false;
    *out = (Assignment){0};
    Piece piece;
    int unused;
    Status status = schedule_make_room(schedule, err);
    if (status != STATUS_OK) return status;
    sort_if_due(schedule);
    if (!choose(schedule, left_s, &piece)) return STATUS_OK;
    const WorkClass *class = &pending_classes(schedule->pending, &unused)[piece.class];
    status = schedule_item(schedule, piece.grid_point, class->kind == WORK_BASELINES, found, &out->item, err);
    if (status != STATUS_OK) return status;
    assert(*found); /* it was missing when it was counted, and the journal's index does not change */
    if (schedule->options.kernels != NULL && (out->item.kernels = strdup(schedule->options.kernels)) == NULL) {
        work_item_free(&out->item);
        *found = false;
        return error_set(err, STATUS_NO_MEMORY, "no memory for a piece of work");
    }
    out->item.work = piece.work;
    out->item.attempt = piece.attempt;
    out->rate = class->rate;
    out->flops_before = class->step_flops * (double)piece.step;
    schedule->out[schedule->n_out++] = piece;
    return STATUS_OK;
}

/* --- what becomes of it ----------------------------------------------------------------------------------------- */

static Piece take_out(Schedule *schedule, uint64_t work) {
    for (int i = 0; i < schedule->n_out; i++)
        if (schedule->out[i].work == work) {
            Piece piece = schedule->out[i];
            schedule->out[i] = schedule->out[--schedule->n_out];
            return piece;
        }
    return (Piece){0};
}

static void wait_again(Schedule *schedule, Piece piece, int64_t saved_step) {
    if (saved_step > piece.step) piece.step = saved_step;
    schedule->again[schedule->n_again++] = piece;
}

void schedule_completed(Schedule *schedule, uint64_t work) {
    take_out(schedule, work);
}

void schedule_paused(Schedule *schedule, uint64_t work, int64_t saved_step) {
    Piece piece = take_out(schedule, work);
    if (piece.work != 0) wait_again(schedule, piece, saved_step);
}

bool schedule_failed(Schedule *schedule, uint64_t work, int64_t saved_step) {
    Piece piece = take_out(schedule, work);
    if (piece.work == 0 || piece.attempt > schedule->options.retries) return false;
    piece.attempt++;
    wait_again(schedule, piece, saved_step);
    return true;
}

bool schedule_put_back(Schedule *schedule, uint64_t work, int64_t saved_step) {
    Piece piece = take_out(schedule, work);
    if (piece.work == 0 || ++piece.machine_failures >= MACHINE_FAILURES_MAX) return false;
    wait_again(schedule, piece, saved_step);
    return true;
}

bool schedule_finished(const Schedule *schedule) {
    return pending_count(schedule->pending) == 0 && schedule->n_out == 0 && schedule->n_again == 0;
}

bool schedule_limited(const Schedule *schedule) {
    return schedule->limited;
}

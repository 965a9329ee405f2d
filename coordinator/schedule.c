/* See schedule.h. The walk is a cursor over grid points. At each, the baselines of its (task, seed) come first, unless
 * an earlier grid point had the same; then the training. Pieces that are out are a short list: one entry per busy
 * worker. */
#include "coordinator/schedule.h"

#include "coordinator/id_table.h"
#include "jobs/identity.h"
#include "proto/wire/cost.h"

#include <stdlib.h>
#include <string.h>

typedef struct Piece {
    uint64_t work, grid_point;
    WorkKind kind;
    int attempt; /* that is under way, or comes next: 1 is the first */
} Piece;

/* Where the walk stands; the counting pass has one of its own. */
typedef struct Walk {
    uint64_t grid_point;
    bool baselines_handled; /* of this grid point */
    uint32_t seed;
    IdTable baseline_sets; /* of this seed, seen so far: seeds vary slowest */
    uint64_t trainings;    /* found so far */
    bool limited;          /* stopped by the limit, before something that is missing */
} Walk;

struct Schedule {
    const Job *job;
    const Journal *known;
    EvaluationSettings evaluation; /* of the job */
    ScheduleOptions options;
    ScheduleTotals totals;
    Walk walk;
    uint64_t next_work;
    Piece *out, *again;           /* handed out; failed and waiting for another attempt */
    int n_out, n_again, capacity; /* capacity of both */
};

void work_item_free(WorkItem *item) {
    free(item->orders);
    free(item->parameters);
    free(item->kernels);
    free(item->checkpoint);
    *item = (WorkItem){0};
}

/* --- what is missing -------------------------------------------------------------------------------------------- */

static bool cell_missing(const Schedule *schedule, Id cell) {
    return schedule->options.rerun == RERUN_ALL || !journal_has_cell(schedule->known, cell);
}

static bool baseline_missing(const Schedule *schedule, Id baseline) {
    return schedule->options.rerun == RERUN_ALL || !journal_has_baseline(schedule->known, baseline);
}

/* Fills orders (job_critics places; NULL: only counts) with the cells of a training that are missing, or with all. */
static int missing_cells(const Schedule *schedule, Id training, bool all, CriticOrder *orders) {
    int n = 0;
    if (all && orders == NULL) return job_critics(schedule->job);
    for (int i = 0; i < job_critics(schedule->job); i++) {
        CriticSettings critic = job_critic(schedule->job, i);
        Id id = cell_id(training, &critic, &schedule->evaluation);
        if (!all && !cell_missing(schedule, id)) continue;
        if (orders != NULL) orders[n] = (CriticOrder){.id = id, .critic = critic, .predictor = PREDICTOR_MODEL};
        n++;
    }
    return n;
}

/* Fills orders (job_critics x PREDICTOR_COUNT places) with the baselines of a (task, seed) that are missing. */
static int missing_baselines(const Schedule *schedule, const TrainingSpec *spec, CriticOrder *orders) {
    int n = 0;
    for (int i = 0; i < job_critics(schedule->job); i++)
        for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++) {
            if (!(schedule->evaluation.baselines >> predictor & 1)) continue;
            CriticSettings critic = job_critic(schedule->job, i);
            Id id = baseline_id(&spec->task, spec->seed, &critic, &schedule->evaluation, predictor);
            if (baseline_missing(schedule, id))
                orders[n++] = (CriticOrder){.id = id, .critic = critic, .predictor = predictor};
        }
    return n;
}

/* What a training needs: WORK_TRAINING, WORK_EVALUATION, or 0 for nothing. orders as missing_cells. */
static WorkKind training_needs(const Schedule *schedule, Id training, CriticOrder *orders, int *n_orders) {
    TrainingState state = journal_training(schedule->known, training);
    Rerun rerun = schedule->options.rerun;
    bool fresh = state == TRAINING_UNKNOWN || rerun == RERUN_ALL || (rerun == RERUN_FAILED && state == TRAINING_FAILED);
    if (!fresh && state != TRAINING_DONE) return 0;
    *n_orders = missing_cells(schedule, training, fresh, orders);
    if (fresh) return WORK_TRAINING;
    if (*n_orders == 0) return 0;
    return journal_has_model(schedule->known, training) ? WORK_EVALUATION : WORK_TRAINING;
}

/* Builds the work item of a grid point; *found false when nothing of that kind is missing there. */
static Status make_item(const Schedule *schedule, uint64_t grid_point, bool baselines, bool *found, WorkItem *item,
                        Error *err) {
    TrainingSpec spec;
    *found = false;
    *item = (WorkItem){0};
    if (!job_training(schedule->job, grid_point, &spec)) return STATUS_OK;
    size_t most = (size_t)job_critics(schedule->job) * PREDICTOR_COUNT;
    CriticOrder *orders = calloc(most, sizeof *orders);
    if (orders == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    Id id = training_id(&spec);
    int n_orders = 0;
    WorkKind kind = 0;
    if (baselines) {
        n_orders = missing_baselines(schedule, &spec, orders);
        if (n_orders > 0) kind = WORK_BASELINES;
    } else {
        kind = training_needs(schedule, id, orders, &n_orders);
    }
    if (kind == 0) {
        free(orders);
        return STATUS_OK;
    }
    *item = (WorkItem){.kind = kind,
                       .training_id = id,
                       .spec = spec,
                       .evaluation = schedule->evaluation,
                       .attempt = 1,
                       .n_orders = n_orders,
                       .orders = orders,
                       .keep_model = kind == WORK_TRAINING && schedule->options.keep_models};
    *found = true;
    return STATUS_OK;
}

/* Notes that the baselines of a grid point are handled; *unseen tells whether no earlier point had the same. */
static Status handle_baselines(const Schedule *schedule, Walk *walk, const TrainingSpec *spec, bool *unseen,
                               Error *err) {
    walk->baselines_handled = true;
    *unseen = false;
    if (schedule->evaluation.baselines == 0) return STATUS_OK;
    if (walk->seed != spec->seed) id_table_free(&walk->baseline_sets);
    walk->seed = spec->seed;
    Id set = baseline_id(&spec->task, spec->seed, &(CriticSettings){0}, &schedule->evaluation, PREDICTOR_MEAN);
    if (id_table_find(&walk->baseline_sets, set) != NULL) return STATUS_OK;
    Status status = id_table_reserve(&walk->baseline_sets, 1, err);
    if (status != STATUS_OK) return status;
    id_table_add(&walk->baseline_sets, set);
    *unseen = true;
    return STATUS_OK;
}

/* Moves walk on to the next piece of work that is missing, whatever the limit. */
static Status find_next(const Schedule *schedule, Walk *walk, bool *found, WorkItem *item, Error *err) {
    uint64_t points = job_grid_points(schedule->job);
    *found = false;
    while (walk->grid_point < points && !*found) {
        TrainingSpec spec;
        Status status = STATUS_OK;
        if (!job_training(schedule->job, walk->grid_point, &spec)) {
            walk->grid_point++;
        } else if (!walk->baselines_handled) {
            bool unseen;
            status = handle_baselines(schedule, walk, &spec, &unseen, err);
            if (status == STATUS_OK && unseen) status = make_item(schedule, walk->grid_point, true, found, item, err);
        } else {
            status = make_item(schedule, walk->grid_point, false, found, item, err);
            walk->grid_point++;
            walk->baselines_handled = false;
        }
        if (status != STATUS_OK) return status;
    }
    return STATUS_OK;
}

/* Moves walk on to the next piece of work that this schedule shall do. */
static Status walk_on(const Schedule *schedule, Walk *walk, bool *found, WorkItem *item, Error *err) {
    uint64_t limit = schedule->options.limit;
    *found = false;
    if (walk->limited) return STATUS_OK;
    Status status = find_next(schedule, walk, found, item, err);
    if (status != STATUS_OK || !*found) return status;
    if (limit > 0 && walk->trainings == limit) {
        walk->limited = true;
        *found = false;
        work_item_free(item);
    } else {
        walk->trainings += item->kind == WORK_TRAINING;
    }
    return STATUS_OK;
}

/* --- counting --------------------------------------------------------------------------------------------------- */

/* Whether work is past the limit, where walk_on stops. */
static bool past_limit(const Schedule *schedule) {
    return schedule->options.limit > 0 && schedule->totals.to_train == schedule->options.limit;
}

static void count_work(ScheduleTotals *totals, WorkKind kind, double flops) {
    totals->flops += flops;
    if (flops > totals->longest_flops) totals->longest_flops = flops;
    totals->baseline_sets += kind == WORK_BASELINES;
    totals->to_evaluate += kind == WORK_EVALUATION;
    totals->to_train += kind == WORK_TRAINING;
}

/* Counts a training, what is known of it and what it needs. */
static void count_training(Schedule *schedule, const TrainingSpec *spec) {
    ScheduleTotals *totals = &schedule->totals;
    Id id = training_id(spec);
    TrainingState state = journal_training(schedule->known, id);
    int critics = job_critics(schedule->job), missing = critics;
    totals->trainings++;
    totals->trainings_done += state == TRAINING_DONE;
    totals->trainings_diverged += state == TRAINING_DIVERGED;
    totals->trainings_failed += state == TRAINING_FAILED;
    totals->cells += (uint64_t)critics;
    WorkKind kind = training_needs(schedule, id, NULL, &missing);
    if (state == TRAINING_DONE) totals->cells_done += (uint64_t)(critics - missing);
    if (kind == 0 || past_limit(schedule)) return;
    WorkItem item = {.kind = kind, .spec = *spec, .evaluation = schedule->evaluation};
    count_work(totals, kind, cost_work_flops(&item) + missing * cost_order_flops(&item, &(CriticOrder){0}));
    if (kind != WORK_TRAINING) return;
    totals->to_retrain += state == TRAINING_DONE;
    if (schedule->options.keep_models) totals->models_bytes += 4 * (uint64_t)cost_parameters(&spec->model, &spec->task);
}

static Status count_all(Schedule *schedule, Error *err) {
    Walk walk = {0};
    WorkItem baselines = {.kind = WORK_BASELINES, .evaluation = schedule->evaluation};
    baselines.orders = calloc((size_t)job_critics(schedule->job) * PREDICTOR_COUNT, sizeof *baselines.orders);
    Status status = baselines.orders != NULL ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "out of memory");
    uint64_t points = job_grid_points(schedule->job);
    for (uint64_t point = 0; point < points && status == STATUS_OK; point++) {
        bool unseen;
        if (!job_training(schedule->job, point, &baselines.spec)) continue;
        status = handle_baselines(schedule, &walk, &baselines.spec, &unseen, err);
        if (status == STATUS_OK && unseen) {
            baselines.n_orders = missing_baselines(schedule, &baselines.spec, baselines.orders);
            if (baselines.n_orders > 0 && !past_limit(schedule))
                count_work(&schedule->totals, WORK_BASELINES, cost_work_flops(&baselines));
        }
        if (status == STATUS_OK) count_training(schedule, &baselines.spec);
    }
    id_table_free(&walk.baseline_sets);
    free(baselines.orders);
    return status;
}

Status schedule_create(const Job *job, const Journal *known, const ScheduleOptions *options, Schedule **out,
                       Error *err) {
    Schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    *schedule =
        (Schedule){.job = job, .known = known, .evaluation = job_evaluation(job), .options = *options, .next_work = 1};
    Status status = count_all(schedule, err);
    if (status == STATUS_OK)
        *out = schedule;
    else
        schedule_free(schedule);
    return status;
}

void schedule_free(Schedule *schedule) {
    if (schedule == NULL) return;
    id_table_free(&schedule->walk.baseline_sets);
    free(schedule->out);
    free(schedule->again);
    free(schedule);
}

const ScheduleTotals *schedule_totals(const Schedule *schedule) {
    return &schedule->totals;
}

/* --- handing out ------------------------------------------------------------------------------------------------ */

static Status make_room(Schedule *schedule, Error *err) {
    if (schedule->n_out + schedule->n_again < schedule->capacity) return STATUS_OK;
    int capacity = schedule->capacity * 2 + 16;
    Piece *more_out = realloc(schedule->out, (size_t)capacity * sizeof *more_out);
    if (more_out != NULL) schedule->out = more_out;
    Piece *more_again = realloc(schedule->again, (size_t)capacity * sizeof *more_again);
    if (more_again != NULL) schedule->again = more_again;
    if (more_out == NULL || more_again == NULL) return error_set(err, STATUS_NO_MEMORY, "out of memory");
    schedule->capacity = capacity;
    return STATUS_OK;
}

bool schedule_limited(const Schedule *schedule) {
    return schedule->walk.limited;
}

Status schedule_next(Schedule *schedule, bool *found, WorkItem *item, Error *err) {
    *found = false;
    Status status = make_room(schedule, err);
    if (status != STATUS_OK) return status;
    Piece piece = {0};
    if (schedule->n_again > 0) {
        piece = schedule->again[0];
        status = make_item(schedule, piece.grid_point, piece.kind == WORK_BASELINES, found, item, err);
        if (status != STATUS_OK) return status;
        schedule->n_again--;
        memmove(schedule->again, schedule->again + 1, (size_t)schedule->n_again * sizeof *schedule->again);
        if (!*found) return STATUS_OK;
    } else {
        status = walk_on(schedule, &schedule->walk, found, item, err);
        if (status != STATUS_OK || !*found) return status;
        uint64_t behind = item->kind == WORK_BASELINES ? 0 : 1; /* a training's grid point has been passed */
        piece = (Piece){.work = schedule->next_work++,
                        .grid_point = schedule->walk.grid_point - behind,
                        .kind = item->kind,
                        .attempt = 1};
    }
    if (schedule->options.kernels != NULL && (item->kernels = strdup(schedule->options.kernels)) == NULL) {
        work_item_free(item);
        return error_set(err, STATUS_NO_MEMORY, "out of memory");
    }
    item->work = piece.work;
    item->attempt = piece.attempt;
    schedule->out[schedule->n_out++] = piece;
    return STATUS_OK;
}

static Piece take_out(Schedule *schedule, uint64_t work) {
    for (int i = 0; i < schedule->n_out; i++)
        if (schedule->out[i].work == work) {
            Piece piece = schedule->out[i];
            schedule->out[i] = schedule->out[--schedule->n_out];
            return piece;
        }
    return (Piece){0};
}

void schedule_completed(Schedule *schedule, uint64_t work) {
    take_out(schedule, work);
}

void schedule_paused(Schedule *schedule, uint64_t work) {
    Piece piece = take_out(schedule, work);
    if (piece.work != 0) schedule->again[schedule->n_again++] = piece;
}

bool schedule_failed(Schedule *schedule, uint64_t work) {
    Piece piece = take_out(schedule, work);
    if (piece.work == 0 || piece.attempt > schedule->options.retries) return false;
    piece.attempt++;
    schedule->again[schedule->n_again++] = piece;
    return true;
}

bool schedule_finished(const Schedule *schedule) {
    bool walked = schedule->walk.grid_point >= job_grid_points(schedule->job) || schedule->walk.limited;
    return walked && schedule->n_out == 0 && schedule->n_again == 0;
}

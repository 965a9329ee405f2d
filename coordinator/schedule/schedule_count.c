/* What of a grid is missing. See schedule.h. */
#include "coordinator/journal/id_table.h"
#include "coordinator/schedule/schedule_state.h"
#include "jobs/settings/identity.h"
#include "proto/wire/cost.h"

#include <stdlib.h>

/* --- what is missing -------------------------------------------------------------------------------------------- */

/* Whether what is known of a cell or a baseline leaves it to be done. */
static bool is_missing(const Schedule *schedule, ResultState state) {
    Rerun rerun = schedule->options.rerun;
    return rerun == RERUN_ALL || state == RESULT_UNKNOWN || (rerun == RERUN_FAILED && state == RESULT_FAILED);
}

/* What is known of the results that a piece of work is about. */
typedef struct Tally {
    int measured, served; /* served: of measured, those that another cell answers */
    int failed;           /* and left alone */
} Tally;

/* Notes a state in the tally (NULL: not wanted). */
static bool tally(const Schedule *schedule, ResultState state, bool served, Tally *out) {
    bool missing = is_missing(schedule, state);
    if (out != NULL) {
        out->measured += state == RESULT_MEASURED;
        out->served += state == RESULT_MEASURED && served;
        out->failed += state == RESULT_FAILED && !missing;
    }
    return missing;
}

/* Fills orders (job_critics places; NULL: only counts) with the cells of a training that are missing, or with all. */
static int missing_cells(const Schedule *schedule, Id training, bool all, CriticOrder *orders, Tally *found) {
    int n = 0;
    if (all && orders == NULL) return job_critics(schedule->job);
    for (int i = 0; i < job_critics(schedule->job); i++) {
        bool served;
        CriticSettings critic = job_critic(schedule->job, i);
        ResultState state =
            all ? RESULT_UNKNOWN : journal_cell(schedule->known, training, &critic, &schedule->evaluation, &served);
        if (!all && !tally(schedule, state, served, found)) continue;
        Id id = cell_id(training, &critic, &schedule->evaluation);
        if (orders != NULL) orders[n] = (CriticOrder){.id = id, .critic = critic, .predictor = PREDICTOR_MODEL};
        n++;
    }
    return n;
}

/* Fills orders (job_critics x PREDICTOR_COUNT places) with the baselines of a (task, seed) that are missing. */
static int missing_baselines(const Schedule *schedule, const TrainingSpec *spec, CriticOrder *orders, Tally *found) {
    int n = 0;
    for (int i = 0; i < job_critics(schedule->job); i++)
        for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++) {
            if (!(schedule->evaluation.baselines >> predictor & 1)) continue;
            CriticSettings critic = job_critic(schedule->job, i);
            Id id = baseline_id(&spec->task, spec->seed, &critic, &schedule->evaluation, predictor);
            if (tally(schedule, journal_result(schedule->known, id), false, found))
                orders[n++] = (CriticOrder){.id = id, .critic = critic, .predictor = predictor};
        }
    return n;
}

/* What a training needs: WORK_TRAINING, WORK_EVALUATION, or 0 for nothing. orders as missing_cells. */
static WorkKind training_needs(const Schedule *schedule, Id training, CriticOrder *orders, int *n_orders,
                               Tally *found) {
    TrainingState state = journal_training(schedule->known, training);
    Rerun rerun = schedule->options.rerun;
    bool fresh = state == TRAINING_UNKNOWN || rerun == RERUN_ALL || (rerun == RERUN_FAILED && state == TRAINING_FAILED);
    if (!fresh && state != TRAINING_DONE) return 0;
    *n_orders = missing_cells(schedule, training, fresh, orders, found);
    if (fresh) return WORK_TRAINING;
    if (*n_orders == 0) return 0;
    return journal_has_model(schedule->known, training) ? WORK_EVALUATION : WORK_TRAINING;
}

Status schedule_item(const Schedule *schedule, uint64_t grid_point, bool baselines, bool *found, WorkItem *item,
                     Error *err) {
    TrainingSpec spec;
    *found = false;
    *item = (WorkItem){0};
    if (!job_training(schedule->job, grid_point, &spec)) return STATUS_OK;
    size_t most = (size_t)job_critics(schedule->job) * PREDICTOR_COUNT;
    CriticOrder *orders = calloc(most, sizeof *orders);
    if (orders == NULL)
        return error_set(err, STATUS_NO_MEMORY, "no memory for the %zu measurements of a training", most);
    Id id = training_id(&spec);
    int n_orders = 0;
    WorkKind kind = 0;
    if (baselines) {
        n_orders = missing_baselines(schedule, &spec, orders, NULL);
        if (n_orders > 0) kind = WORK_BASELINES;
    } else {
        kind = training_needs(schedule, id, orders, &n_orders, NULL);
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

/* --- counting --------------------------------------------------------------------------------------------------- */

/* One walk over the grid. */
typedef struct Walk {
    uint32_t seed;
    IdTable baseline_sets; /* of this seed, seen so far: seeds vary slowest */
    CriticOrder *orders;   /* room for those of a baseline set */
    Deal *deal;            /* NULL: all pieces are ours */
} Walk;

/* *unseen tells whether a grid point is the first of its (task, seed): its baselines are handled there. */
static Status meet_baselines(const Schedule *schedule, Walk *walk, const TrainingSpec *spec, bool *unseen, Error *err) {
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

/* Operations of a training with all its cells, whatever is known of it. */
static double whole_training_flops(const Schedule *schedule, const TrainingSpec *spec) {
    WorkItem item = {.kind = WORK_TRAINING, .spec = *spec, .evaluation = schedule->evaluation};
    return cost_work_flops(&item) + job_critics(schedule->job) * cost_order_flops(&item, &(CriticOrder){0});
}

/* Operations of all baselines of a (task, seed). */
static double whole_baselines_flops(const Schedule *schedule, const TrainingSpec *spec) {
    WorkItem item = {.kind = WORK_BASELINES, .spec = *spec, .evaluation = schedule->evaluation};
    double flops = 0;
    for (int i = 0; i < job_critics(schedule->job); i++)
        for (Predictor predictor = PREDICTOR_GD; predictor < PREDICTOR_COUNT; predictor++)
            if (schedule->evaluation.baselines >> predictor & 1)
                flops += cost_order_flops(
                    &item, &(CriticOrder){.critic = job_critic(schedule->job, i), .predictor = predictor});
    return flops;
}

/* Whether work is past the limit. */
static bool past_limit(const Schedule *schedule) {
    return schedule->options.limit > 0 && schedule->totals.to_train == schedule->options.limit;
}

static uint64_t place_of(const Schedule *schedule, uint64_t point, WorkKind kind) {
    uint64_t places = places_per_point(schedule);
    return point * places + (kind == WORK_BASELINES ? 0 : places - 1);
}

/* Counts a piece of work that is missing, and has it wait: in the row, or, if it was begun before, by itself. */
static Status add_work(Schedule *schedule, uint64_t point, WorkKind kind, const TrainingSpec *spec, double flops,
                       int64_t step, Error *err) {
    ScheduleTotals *totals = &schedule->totals;
    if (past_limit(schedule)) {
        schedule->limited = true;
        return STATUS_OK;
    }
    Piece piece = {.grid_point = point, .attempt = 1, .step = step};
    Status status = pending_class(schedule->pending, kind, spec, flops, &piece.class, err);
    if (status == STATUS_OK && step == 0)
        status = pending_put(schedule->pending, place_of(schedule, point, kind), piece.class, err);
    if (status == STATUS_OK && step > 0) status = schedule_make_room(schedule, err);
    if (status != STATUS_OK) return status;
    if (step > 0) {
        piece.work = schedule->next_work++;
        schedule->again[schedule->n_again++] = piece;
        flops = schedule_flops_left(schedule, &piece);
        totals->begun++;
    }
    totals->flops += flops;
    if (flops > totals->longest_flops) totals->longest_flops = flops;
    totals->baseline_sets += kind == WORK_BASELINES;
    totals->to_evaluate += kind == WORK_EVALUATION;
    totals->to_train += kind == WORK_TRAINING;
    if (kind == WORK_TRAINING && schedule->options.keep_models)
        totals->models_bytes += 4 * (uint64_t)cost_parameters(&spec->model, &spec->task);
    return STATUS_OK;
}

/* Counts a training, what is known of it and what it needs. */
static Status count_training(Schedule *schedule, uint64_t point, const TrainingSpec *spec, Error *err) {
    ScheduleTotals *totals = &schedule->totals;
    Id id = training_id(spec);
    TrainingState state = journal_training(schedule->known, id);
    int critics = job_critics(schedule->job), missing = critics;
    totals->trainings++;
    totals->trainings_done += state == TRAINING_DONE;
    totals->trainings_diverged += state == TRAINING_DIVERGED;
    totals->trainings_failed += state == TRAINING_FAILED;
    totals->cells += (uint64_t)critics;
    Tally found = {0};
    WorkKind kind = training_needs(schedule, id, NULL, &missing, &found);
    totals->cells_done += (uint64_t)found.measured;
    totals->cells_served += (uint64_t)found.served;
    totals->results_failed += (uint64_t)found.failed;
    Unfinished *unfinished = schedule->options.unfinished;
    int64_t step = unfinished != NULL ? unfinished_step(unfinished, id) : 0;
    if (kind != WORK_TRAINING && unfinished != NULL) unfinished_ended(unfinished, id);
    if (kind == 0) return STATUS_OK;
    totals->to_retrain += kind == WORK_TRAINING && state == TRAINING_DONE && !past_limit(schedule);
    WorkItem item = {.kind = kind, .spec = *spec, .evaluation = schedule->evaluation};
    double flops = cost_work_flops(&item) + missing * cost_order_flops(&item, &(CriticOrder){0});
    return add_work(schedule, point, kind, spec, flops, kind == WORK_TRAINING ? step : 0, err);
}

static Status count_baselines(Schedule *schedule, Walk *walk, uint64_t point, const TrainingSpec *spec, Error *err) {
    WorkItem item = {.kind = WORK_BASELINES, .spec = *spec, .evaluation = schedule->evaluation, .orders = walk->orders};
    Tally found = {0};
    item.n_orders = missing_baselines(schedule, spec, walk->orders, &found);
    schedule->totals.results_failed += (uint64_t)found.failed;
    if (item.n_orders == 0) return STATUS_OK;
    return add_work(schedule, point, WORK_BASELINES, spec, cost_work_flops(&item), 0, err);
}

/* What a walk does at a grid point: first time round (of a shard) only the dealer counts. */
static Status visit_point(Schedule *schedule, Walk *walk, uint64_t point, bool first_round, Error *err) {
    TrainingSpec spec;
    bool unseen;
    if (!job_training(schedule->job, point, &spec)) return STATUS_OK;
    double flops = whole_training_flops(schedule, &spec), baselines_flops = 0;
    Status status = meet_baselines(schedule, walk, &spec, &unseen, err);
    if (status == STATUS_OK && unseen) {
        baselines_flops = whole_baselines_flops(schedule, &spec);
        if (first_round) {
            status = deal_count(walk->deal, baselines_flops, err);
        } else if (walk->deal == NULL || deal_takes(walk->deal, baselines_flops)) {
            schedule->totals.grid_flops += baselines_flops;
            status = count_baselines(schedule, walk, point, &spec, err);
        }
    }
    if (status != STATUS_OK) return status;
    if (first_round) return deal_count(walk->deal, flops, err);
    if (walk->deal != NULL && !deal_takes(walk->deal, flops)) return STATUS_OK;
    schedule->totals.grid_flops += flops;
    return count_training(schedule, point, &spec, err);
}

static Status walk_grid(Schedule *schedule, Walk *walk, bool first_round, Error *err) {
    Status status = STATUS_OK;
    uint64_t points = job_grid_points(schedule->job);
    for (uint64_t point = 0; point < points && status == STATUS_OK; point++)
        status = visit_point(schedule, walk, point, first_round, err);
    id_table_free(&walk->baseline_sets);
    return status;
}

Status schedule_count(Schedule *schedule, Error *err) {
    Walk walk = {0};
    walk.orders = calloc((size_t)job_critics(schedule->job) * PREDICTOR_COUNT, sizeof *walk.orders);
    Status status =
        walk.orders != NULL ? STATUS_OK : error_set(err, STATUS_NO_MEMORY, "no memory to count the work of a job");
    if (status == STATUS_OK && schedule->options.shard.count > 1) {
        status = deal_create(schedule->options.shard, &walk.deal, err);
        if (status == STATUS_OK) status = walk_grid(schedule, &walk, true, err);
        if (status == STATUS_OK) deal_begin(walk.deal);
    }
    if (status == STATUS_OK) status = walk_grid(schedule, &walk, false, err);
    deal_free(walk.deal);
    free(walk.orders);
    return status;
}

/* See vigil.h. */
#include "worker/process/vigil.h"

#include "proto/wire/cost.h"
#include "worker/measure/evaluate.h"

#include <math.h>

/* No machine that trains is slower; reference kernels on an old core reach some five times as much. */
static const double SLOWEST_FLOPS_PER_S = 1e8;
/* Silences that are this many times as long as any before are suspicious. */
static const double MULTIPLE = 20;
/* Less CPU time than this is what a stopped process may still be charged. */
static const double NOTICEABLE_S = 1e-3;

/* Of the longest pieces that an evaluation does without a report: some prompts by a costly predictor, or a pass over
 * all prompts that draws, criticises or compares responses. */
static double piece_flops(const WorkItem *item) {
    double prompts = item->evaluation.prompts, N = item->spec.task.n_points, d = item->spec.task.n_dims;
    double flops = prompts * N * (N + 10 * d);
    for (int k = 0; k < item->n_orders; k++)
        flops = fmax(flops, cost_order_flops(item, &item->orders[k]) * fmin(1, EVALUATION_PIECE / prompts));
    return flops;
}

Vigil vigil_start(const WorkItem *item, double patience_s, double awake_s) {
    double step_flops = item->kind == WORK_TRAINING ? cost_step_flops(&item->spec) : 0;
    return (Vigil){.patience_s = fmax(patience_s, piece_flops(item) / SLOWEST_FLOPS_PER_S),
                   .idle_s = VIGIL_IDLE_PATIENCE * patience_s,
                   .first_s = step_flops / SLOWEST_FLOPS_PER_S,
                   .awake_s = awake_s,
                   .busy_awake_s = awake_s};
}

void vigil_progress(Vigil *vigil, const Progress *progress, double cpu_s, double awake_s) {
    if (vigil->signs > 0 && !(progress->step > vigil->step) && !(progress->flops_done > vigil->flops)) return;
    if (vigil->signs > 0) vigil->longest_s = fmax(vigil->longest_s, cpu_s - vigil->cpu_s);
    if (vigil->signs < 2) vigil->signs++;
    vigil->step = progress->step;
    vigil->flops = progress->flops_done;
    vigil->cpu_s = vigil->busy_cpu_s = cpu_s;
    vigil->awake_s = vigil->busy_awake_s = awake_s;
}

Silence vigil_judge(Vigil *vigil, double cpu_s, double awake_s, double *silent_s) {
    double limit_s = fmax(vigil->patience_s, vigil->signs < 2 ? vigil->first_s : MULTIPLE * vigil->longest_s);
    if (cpu_s - vigil->busy_cpu_s > NOTICEABLE_S) {
        vigil->busy_cpu_s = cpu_s;
        vigil->busy_awake_s = awake_s;
    }
    *silent_s = cpu_s - vigil->cpu_s;
    if (*silent_s > limit_s) return SILENCE_BUSY;
    *silent_s = awake_s - vigil->busy_awake_s;
    return *silent_s > vigil->idle_s ? SILENCE_IDLE : SILENCE_NONE;
}

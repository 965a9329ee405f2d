/* See progress.h. */
#include "coordinator/dispatch/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { BAR_CELLS = 20 };

const char *progress_duration(double seconds, char *text, size_t text_bytes) {
    if (!(seconds >= 0) || !isfinite(seconds)) {
        snprintf(text, text_bytes, "unknown");
        return text;
    }
    long s = lround(seconds);
    if (s < 60)
        snprintf(text, text_bytes, "%ld s", s);
    else if (s < 3600)
        snprintf(text, text_bytes, "%ld m %ld s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(text, text_bytes, "%ld h %ld m", s / 3600, s % 3600 / 60);
    else
        snprintf(text, text_bytes, "%ld d %ld h", s / 86400, s % 86400 / 3600);
    return text;
}

double progress_share(const RunView *view) {
    if (!(view->flops_total > 0)) return 1;
    return fmin(1, view->flops_done / view->flops_total);
}

/* "ETA 3 m 20 s", in full "ETA 2 h 5 m (1 h 40 m to 2 h 30 m)", with the time limit where it may come before. */
static void describe_eta(const RunView *view, bool interval, char *text, size_t size) {
    char eta[DURATION_BYTES], lower[DURATION_BYTES], upper[DURATION_BYTES], limit[DURATION_BYTES];
    int used = snprintf(text, size, "ETA %s", progress_duration(view->eta_s, eta, sizeof eta));
    progress_duration(view->eta_lower_s, lower, sizeof lower);
    progress_duration(view->eta_upper_s, upper, sizeof upper);
    if (interval && isfinite(view->eta_upper_s) && strcmp(lower, upper) != 0 && used < (int)size)
        used += snprintf(text + used, size - (size_t)used, " (%s to %s)", lower, upper);
    if (isfinite(view->deadline_s) && !(view->eta_upper_s < view->deadline_s) && used < (int)size)
        snprintf(text + used, size - (size_t)used, ", time limit in %s",
                 progress_duration(fmax(0, view->deadline_s), limit, sizeof limit));
}

/* "2 running (loss 15.21 14.88)" */
static void describe_running(const RunView *view, char *text, size_t size) {
    int used = snprintf(text, size, "%d %s", view->running, view->draining ? "saving" : "running"), shown = 0;
    for (int i = 0; i < view->n_shown && used < (int)size; i++)
        if (!isnan(view->loss[i]))
            used += snprintf(text + used, size - (size_t)used, "%s%.2f", shown++ == 0 ? " (loss " : " ", view->loss[i]);
    if (shown > 0 && used < (int)size) snprintf(text + used, size - (size_t)used, ")");
}

static void describe_rate(const RunView *view, char *text, size_t size) {
    if (view->flops_per_s > 0)
        snprintf(text, size, "%.3g GFLOP/s", view->flops_per_s / 1e9);
    else
        snprintf(text, size, "starting");
}

static uint64_t ended(const RunView *view) {
    return view->trainings_done + view->trainings_diverged + view->trainings_failed;
}

static void describe_failed(const RunView *view, char *text, size_t size) {
    text[0] = '\0';
    if (view->work_failed > 0) snprintf(text, size, ", %llu failed", (unsigned long long)view->work_failed);
}

void progress_live(const RunView *view, int columns, char *text, size_t text_bytes) {
    char bar[BAR_CELLS + 1], running[160], rate[48], failed[48], eta[160];
    int filled = (int)(progress_share(view) * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', (size_t)filled);
    bar[BAR_CELLS] = '\0';
    describe_running(view, running, sizeof running);
    describe_rate(view, rate, sizeof rate);
    describe_failed(view, failed, sizeof failed);
    describe_eta(view, false, eta, sizeof eta);
    snprintf(text, text_bytes, "[%s] %llu/%llu trainings%s  %s  %s  %s", bar, (unsigned long long)ended(view),
             (unsigned long long)view->trainings, failed, running, rate, eta);
    if (columns > 0 && (size_t)columns < text_bytes) text[columns] = '\0';
}

void progress_plain(const RunView *view, char *text, size_t text_bytes) {
    char running[160], rate[48], failed[48], so_far[DURATION_BYTES], eta[160];
    describe_running(view, running, sizeof running);
    describe_rate(view, rate, sizeof rate);
    describe_failed(view, failed, sizeof failed);
    describe_eta(view, true, eta, sizeof eta);
    snprintf(text, text_bytes, "%llu/%llu trainings (%.0f %% of the work)%s, %s, %s, %s so far, %s",
             (unsigned long long)ended(view), (unsigned long long)view->trainings, 100 * progress_share(view), failed,
             running, rate, progress_duration(view->elapsed_s, so_far, sizeof so_far), eta);
}

bool progress_due(ProgressPace *pace, const RunView *view, double now_s) {
    static const double PERIOD_S = 30, SHARE = 0.05;
    double share = progress_share(view);
    if (pace->started && now_s - pace->last_s < PERIOD_S && share - pace->last_share < SHARE) return false;
    if (!pace->started && view->running == 0) return false;
    *pace = (ProgressPace){.last_s = now_s, .last_share = share, .started = true};
    return true;
}

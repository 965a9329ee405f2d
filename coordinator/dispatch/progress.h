/* How a run's progress reads: one live line on a terminal, plain lines elsewhere. Text only; printing is the caller's.
 */
#ifndef COORDINATOR_DISPATCH_PROGRESS_H
#define COORDINATOR_DISPATCH_PROGRESS_H

#include "coordinator/dispatch/dispatch.h"

/* "[######......] 7/24 trainings  2 running (loss 15.21 14.88)  61 GFLOP/s  ETA 3 m 20 s", cut to columns. */
void progress_live(const RunView *view, int columns, char *text, size_t text_bytes);
/* "7/24 trainings (29 % of the work), 2 running (loss 15.21 14.88), 61 GFLOP/s, 2 m 5 s so far, ETA 3 m 20 s (3 m 5 s
 * to 3 m 50 s)"; with a time limit that may come before, ", time limit in 2 m 0 s" */
void progress_plain(const RunView *view, char *text, size_t text_bytes);
/* Share of the nominal work done, 0 .. 1. */
double progress_share(const RunView *view);

/* When plain lines are due: every 30 s or 5 %, whichever comes first, and for the first. */
typedef struct ProgressPace {
    double last_s, last_share;
    bool started;
} ProgressPace;
bool progress_due(ProgressPace *pace, const RunView *view, double now_s);

/* "45 s", "3 m 20 s", "2 h 5 m", "4 d 3 h"; "unknown" for NaN. */
const char *progress_duration(double seconds, char *text, size_t text_bytes);
enum { DURATION_BYTES = 32 };

#endif

/* The test behind each kind of claim: from paired values to estimate, interval and p. */
#ifndef ANALYSIS_CLAIMS_CLAIM_TESTS_H
#define ANALYSIS_CLAIMS_CLAIM_TESTS_H

#include "analysis/claims/verdict.h"

/* Fills what verdict->claim's test finds on verdict->pairing (at least two seeds): estimate, bootstrap, p, p_against,
 * effect, improvement, what only some tests have, method, and in notes steps against a trend. alpha: at which levels
 * join a plateau. STATUS_NO_MEMORY. */
Status claim_test(Verdict *verdict, double alpha, Error *err);

/* Adds a line to a verdict's notes; what does not fit is cut. */
void verdict_note(Verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* See verdict.h. */
#include "analysis/claims/verdict.h"

#include "analysis/claims/claim_tests.h"
#include "analysis/results/measure.h"
#include "analysis/results/released.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *decision_name(Decision decision) {
    static const char *const names[] = {"supported", "contradicted", "inconclusive"};
    return (unsigned)decision < 3 ? names[decision] : "?";
}

/* --- arms -------------------------------------------------------------------------------------------------------- */

static size_t add_text(char *text, size_t size, size_t used, const char *name, const char *value) {
    if (used >= size) return used;
    return used + (size_t)snprintf(text + used, size - used, "%s%s %s", used > 0 ? ", " : "", name, value);
}

/* What the claim says of one arm: its conditions, or its level. */
static void label_arm(const Claim *claim, int arm, char *text, size_t size) {
    char name[64], value[64];
    size_t used = 0;
    text[0] = '\0';
    if (claim->over != NULL) {
        add_text(text, size, 0, setting_label(claim->over, name, sizeof name),
                 setting_format(claim->over, claim->arms[arm].level, value, sizeof value));
        return;
    }
    const ClaimConditions *own = arm == 0 ? &claim->a : &claim->b;
    if (own->names_predictor) used = add_text(text, size, used, "predictor", predictor_name(own->predictor));
    for (int i = 0; i < own->count; i++)
        used = add_text(text, size, used, setting_label(own->items[i].setting, name, sizeof name),
                        setting_format(own->items[i].setting, own->items[i].value, value, sizeof value));
    if (!place_known(own->at.place)) return;
    snprintf(value, sizeof value, own->at.first == own->at.last ? "%d" : "%d to %d", own->at.first, own->at.last);
    add_text(text, size, used, claim->kind == CLAIM_ROUNDS ? "round" : "examples", value);
}

static Status fill_arms(Verdict *verdict, Error *err) {
    const Claim *claim = verdict->claim;
    const Pairing *pairing = verdict->pairing;
    const Measure measure = measure_of_claim(claim);
    const int n = pairing->n_seeds;
    verdict->n_arms = claim->n_arms;
    verdict->arms = calloc((size_t)claim->n_arms, sizeof *verdict->arms);
    if (verdict->arms == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the claim %s", claim->id);
    for (int i = 0; i < claim->n_arms; i++) {
        VerdictArm *arm = &verdict->arms[i];
        arm->arm = &claim->arms[i];
        arm->values = pairing->values + (size_t)i * (size_t)n;
        arm->interval = measure_within_mean(measure, mean_interval(arm->values, n, CONFIDENCE_95));
        arm->self_check = mean_interval(pairing->self_check + (size_t)i * (size_t)n, n, CONFIDENCE_95).mean;
        label_arm(claim, i, arm->label, sizeof arm->label);
    }
    return STATUS_OK;
}

/* --- what seeds are there ---------------------------------------------------------------------------------------- */

static const char *plural(int count) {
    return count == 1 ? "" : "s";
}

/* Whether there is enough for a test, and what of the seeds must be told. */
static void judge_seeds(Verdict *verdict) {
    const Pairing *pairing = verdict->pairing;
    const int *lost = pairing->lost, n = pairing->n_seeds, wanted = pairing->n_wanted;
    int gone = lost[SEED_DIVERGED] + lost[SEED_FAILED];
    verdict->provisional = lost[SEED_UNFINISHED] > 0;
    if (wanted == 0) {
        verdict->refused = true;
        verdict_note(verdict, "not tested: no results of its arms");
    } else if (n < 2) {
        verdict->refused = true;
        verdict_note(verdict, "not tested: %s has all arms, at least 2 must", n == 0 ? "no seed" : "only one seed");
    } else if (!(gone <= VERDICT_LOST_SHARE * wanted)) {
        verdict->refused = true;
        verdict_note(verdict, "not tested: %d of %d seeds diverged or failed; what is left is a selection", gone,
                     wanted);
    }
    for (SeedState state = SEED_ABSENT; state < SEED_STATE_COUNT; state++)
        if (lost[state] > 0)
            verdict_note(verdict, "%d of %d seeds left out: %s%s", lost[state], wanted, seed_state_name(state),
                         state == SEED_ABSENT ? " in every arm (unbalanced)" : " in some arm");
    if (verdict->provisional) verdict_note(verdict, "provisional: the decision may change when all seeds are there");
    if (pairing->n_mixed > 0)
        verdict_note(verdict, "%d pair%s of different numerics fingerprints: arms may differ in their last bits",
                     pairing->n_mixed, plural(pairing->n_mixed));
}

/* What the released model scored, for the arms that are that model; said only, nothing is tested against it. */
static void note_released(Verdict *verdict) {
    const Claim *claim = verdict->claim;
    char text[512] = "";
    size_t used = 0;
    if (claim->kind != CLAIM_EXAMPLES || claim->metric != METRIC_NMSE) return;
    for (int i = 0; i < claim->n_arms; i++) {
        const ClaimArm *arm = &claim->arms[i];
        const ReleasedCurve *curve = released_curve(&arm->settings);
        if (arm->predictor != PREDICTOR_MODEL || curve == NULL || arm->first < RELEASED_FIRST ||
            arm->last > RELEASED_LAST)
            continue;
        double sum = 0;
        char value[32];
        for (int examples = arm->first; examples <= arm->last; examples++)
            sum += curve->nmse[examples - RELEASED_FIRST];
        snprintf(value, sizeof value, "%.3f", sum / (arm->last - arm->first + 1));
        used = add_text(text, sizeof text, used, verdict->arms[i].label, value);
    }
    if (used > 0)
        verdict_note(verdict, "released numbers (the same model and training; one run, 256 prompts): %s", text);
}

static Status examine(Verdict *verdict, const Table *table, double alpha, Error *err) {
    const Claim *claim = verdict->claim;
    verdict->p = verdict->p_against = verdict->p_holm = verdict->p_against_holm = NAN;
    verdict->plateau_level = verdict->r_squared = verdict->mean_rank_correlation = verdict->smallest_p = NAN;
    verdict->bootstrap = (Interval){NAN, NAN};
    verdict->estimate = mean_interval(NULL, 0, CONFIDENCE_95);
    verdict->effect = (EffectSize){NAN, verdict->bootstrap};
    verdict->improvement = (Improvement){NAN, verdict->bootstrap};
    claim_sentence(claim, verdict->sentence, sizeof verdict->sentence);
    Status status = pairing_of_claim(table, claim, &verdict->pairing, err);
    if (status == STATUS_OK) status = fill_arms(verdict, err);
    if (status != STATUS_OK) return status;
    judge_seeds(verdict);
    note_released(verdict);
    if (verdict->pairing->n_seeds > 0) verdict->smallest_p = claim_smallest_p(claim, verdict->pairing->n_seeds);
    return verdict->refused ? STATUS_OK : claim_test(verdict, alpha, err);
}

/* --- decisions --------------------------------------------------------------------------------------------------- */

/* Holm's correction of one kind of p over all verdicts. A claim that could not be tested counts with p 1. */
static Status correct(Verdicts *verdicts, bool against, Error *err) {
    const int count = verdicts->count;
    double *p = calloc(2 * (size_t)count + 1, sizeof *p);
    if (p == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for %d claims", count);
    for (int i = 0; i < count; i++) {
        const Verdict *verdict = &verdicts->items[i];
        p[i] = verdict->refused ? 1 : against ? verdict->p_against : verdict->p;
    }
    holm_adjust(p, count, p + count);
    for (int i = 0; i < count; i++) {
        Verdict *verdict = &verdicts->items[i];
        if (!verdict->refused) *(against ? &verdict->p_against_holm : &verdict->p_holm) = p[count + i];
    }
    free(p);
    return STATUS_OK;
}

/* How far the effect is from what the test must reject, in standard deviations of the differences; not above 0: on the
 * wrong side. */
static double distance(const Verdict *verdict) {
    const Claim *claim = verdict->claim;
    double mean = verdict->estimate.mean, deviation = verdict->estimate.standard_deviation;
    if (claim->margin > 0) return (claim->margin - fabs(mean)) / deviation;
    bool down = claim->direction == CLAIM_DECREASING || claim->direction == CLAIM_LESS;
    return claim->direction == CLAIM_TWO_SIDED ? fabs(mean) / deviation : (down ? -mean : mean) / deviation;
}

/* The seeds that give the paired t test 80 % power at the level every claim is sure to get, and that the exact test can
 * reach it with. */
static int64_t power_seeds(const Verdict *verdict, double level) {
    enum { MORE_MAX = 1000 };
    double effect = distance(verdict);
    bool two_sided = verdict->claim->direction == CLAIM_TWO_SIDED && !(verdict->claim->margin > 0);
    int64_t seeds = effect > 0 && isfinite(effect) ? seeds_needed(effect, 0.8, level, two_sided) : 0;
    for (int more = 0; seeds > 0 && more < MORE_MAX && !(claim_smallest_p(verdict->claim, seeds) <= level); more++)
        seeds++;
    return seeds;
}

static void decide(Verdict *verdict, double alpha, int count) {
    verdict->decision = DECISION_INCONCLUSIVE;
    if (verdict->refused) return;
    if (verdict->p_holm <= alpha)
        verdict->decision = DECISION_SUPPORTED;
    else if (verdict->p_against_holm <= alpha)
        verdict->decision = DECISION_CONTRADICTED;
    verdict->seeds_needed = power_seeds(verdict, alpha / count);
    int n = verdict->pairing->n_seeds;
    if (!(verdict->smallest_p <= alpha / count) && verdict->decision == DECISION_INCONCLUSIVE)
        verdict_note(verdict,
                     "few seeds: with %d the smallest possible p is %.3g, and Holm over %d claim%s asks for %.3g", n,
                     verdict->smallest_p, count, plural(count), alpha / count);
}

Status verdicts_create(const Table *table, const char *const *dirs, int n_dirs, const char *claims_path, Verdicts **out,
                       char *warning, size_t warning_bytes, Error *err) {
    Verdicts *verdicts = calloc(1, sizeof *verdicts);
    if (verdicts == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for verdicts");
    Declared *declared = &verdicts->declared;
    Status status = declared_read(table, dirs, n_dirs, claims_path, declared, warning, warning_bytes, err);
    if (status == STATUS_OK) {
        verdicts->items = calloc((size_t)declared->count + 1, sizeof *verdicts->items);
        if (verdicts->items == NULL) status = error_set(err, STATUS_NO_MEMORY, "no memory for verdicts");
    }
    for (int i = 0; i < declared->count && status == STATUS_OK; i++) {
        Verdict *verdict = &verdicts->items[verdicts->count++];
        verdict->claim = declared->claims[i];
        verdict->job_name = job_name(declared->of[i]);
        status = examine(verdict, table, declared->alpha, err);
    }
    if (status == STATUS_OK) status = correct(verdicts, false, err);
    if (status == STATUS_OK) status = correct(verdicts, true, err);
    for (int i = 0; i < verdicts->count && status == STATUS_OK; i++)
        decide(&verdicts->items[i], declared->alpha, verdicts->count);
    if (status != STATUS_OK) {
        verdicts_free(verdicts);
        return status;
    }
    *out = verdicts;
    return STATUS_OK;
}

void verdicts_free(Verdicts *verdicts) {
    if (verdicts == NULL) return;
    for (int i = 0; i < verdicts->count; i++) {
        pairing_free(verdicts->items[i].pairing);
        free(verdicts->items[i].arms);
    }
    free(verdicts->items);
    declared_destroy(&verdicts->declared);
    free(verdicts);
}

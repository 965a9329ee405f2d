/* See claims.h. */
#include "jobs/claims/claims.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

const char *claim_test_name(int test) {
    static const char *const names[] = {"trend", "plateau", "difference", "equivalence", "regression"};
    return test >= 0 && test < COUNT(names) ? names[test] : "?";
}

const char *claim_direction_name(int direction) {
    static const char *const names[] = {"two-sided", "increasing", "decreasing", "greater", "less"};
    return direction >= 0 && direction < COUNT(names) ? names[direction] : "?";
}

const char *claim_kind_name(int kind) {
    static const char *const names[] = {"examples", "rounds"};
    return kind >= 0 && kind < COUNT(names) ? names[kind] : "?";
}

const char *claim_metric_name(const Claim *claim) {
    return claim->kind == CLAIM_ROUNDS ? round_metric_name(claim->round_metric) : metric_name(claim->metric);
}

bool claim_names_at(const Claim *claim) {
    return !place_known(claim->a.at.place) || !place_known(claim->b.at.place);
}

/* --- as a sentence ----------------------------------------------------------------------------------------------- */

/* Text that grows in a buffer and is cut at its end. */
typedef struct Sentence {
    char *text;
    size_t used, size;
} Sentence;

__attribute__((format(printf, 2, 3))) static void say(Sentence *sentence, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(sentence->text + sentence->used, sentence->size - sentence->used, format, arguments);
    va_end(arguments);
    sentence->used += length < 0 ? 0 : (size_t)length;
    if (sentence->used >= sentence->size) sentence->used = sentence->size - 1;
}

/* "at 15 examples", "over rounds 1 to 7". */
static void say_at(Sentence *sentence, const Claim *claim, int first, int last) {
    bool rounds = claim->kind == CLAIM_ROUNDS;
    if (first != last)
        say(sentence, "over %s%d to %d%s", rounds ? "rounds " : "", first, last, rounds ? "" : " examples");
    else
        say(sentence, rounds ? "at round %d" : "at %d examples", first);
}

/* at: those of the arm, where it has its own. */
static void say_conditions(Sentence *sentence, const Claim *claim, const ClaimConditions *conditions) {
    char value[64];
    const char *before = "";
    if (conditions->names_predictor) {
        say(sentence, "predictor %s", predictor_name(conditions->predictor));
        before = ", ";
    }
    for (int i = 0; i < conditions->count; i++, before = ", ") {
        const ClaimCondition *condition = &conditions->items[i];
        say(sentence, "%s%s %s", before, condition->setting->key,
            setting_format(condition->setting, condition->value, value, sizeof value));
    }
    if (!place_known(conditions->at.place)) return;
    say(sentence, before[0] == '\0' ? "that " : " ");
    say_at(sentence, claim, conditions->at.first, conditions->at.last);
}

static void say_levels(Sentence *sentence, const Claim *claim) {
    char value[64];
    say(sentence, "%s (", claim->over->key);
    for (int i = 0; i < claim->n_arms; i++)
        say(sentence, "%s%s", i == 0 ? "" : ", ",
            setting_format(claim->over, claim->arms[i].level, value, sizeof value));
    say(sentence, ")");
}

const char *claim_sentence(const Claim *claim, char *text, size_t text_bytes) {
    Sentence sentence = {.text = text, .size = text_bytes};
    const char *direction = claim_direction_name((int)claim->direction);
    say(&sentence, "%s", claim_metric_name(claim));
    if (claim_names_at(claim)) {
        say(&sentence, " ");
        say_at(&sentence, claim, claim->at.first, claim->at.last);
    }
    switch (claim->test) {
    case CLAIM_TREND:
        say(&sentence, " %s with ", direction);
        say_levels(&sentence, claim);
        break;
    case CLAIM_PLATEAU:
        say(&sentence, " within %g of its best from a level below the last of ", claim->margin);
        say_levels(&sentence, claim);
        break;
    case CLAIM_REGRESSION:
        say(&sentence, " %s linearly with self_check_accuracy over ",
            claim->direction == CLAIM_TWO_SIDED ? "changing" : direction);
        say_levels(&sentence, claim);
        break;
    case CLAIM_DIFFERENCE:
    case CLAIM_EQUIVALENCE:
        say(&sentence, ": ");
        say_conditions(&sentence, claim, &claim->a);
        if (claim->test == CLAIM_EQUIVALENCE)
            say(&sentence, " within %g of ", claim->margin);
        else if (claim->direction == CLAIM_TWO_SIDED)
            say(&sentence, " other than ");
        else
            say(&sentence, " %s than ", direction);
        say_conditions(&sentence, claim, &claim->b);
        break;
    }
    if (claim->where.count > 0 || claim->where.names_predictor) {
        say(&sentence, " where ");
        say_conditions(&sentence, claim, &claim->where);
    }
    return text;
}

/* --- what seeds can show ----------------------------------------------------------------------------------------- */

double claim_smallest_p(const Claim *claim, int64_t n_seeds) {
    assert(n_seeds >= 1);
    double n = (double)n_seeds;
    if (claim->test == CLAIM_TREND) {
        double orders = 1; /* k!, or infinite: a smallest p of 0 */
        for (int i = 2; i <= claim->n_arms; i++)
            orders *= i;
        return pow(orders, -n);
    }
    bool one_sided =
        claim->test == CLAIM_EQUIVALENCE || claim->test == CLAIM_PLATEAU || claim->direction != CLAIM_TWO_SIDED;
    return pow(2, one_sided ? -n : 1 - n);
}

/* The bound of Holm's procedure that each of the p-values meets or misses, and how many meet theirs: bounds (count) is
 * in the order of p. */
static void holm(const double *p, int count, double alpha, double *bounds) {
    int order[CLAIMS_MAX];
    for (int i = 0; i < count; i++) { /* ascending, equal ones as they come */
        int k = i;
        for (; k > 0 && p[order[k - 1]] > p[i]; k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
    bool ended = false;
    double bound = 0;
    for (int i = 0; i < count; i++) {
        if (!ended) bound = alpha / (count - i);
        ended = ended || !(p[order[i]] <= bound);
        bounds[order[i]] = bound;
    }
}

void claims_outlook(const Claim *claims, int count, double alpha, ClaimOutlook *outlooks) {
    assert(count <= CLAIMS_MAX && alpha > 0);
    double p[CLAIMS_MAX] = {0}, bounds[CLAIMS_MAX];
    for (int i = 0; i < count; i++)
        p[i] = claim_smallest_p(&claims[i], claims[i].n_seeds);
    holm(p, count, alpha, bounds);
    for (int i = 0; i < count; i++)
        outlooks[i] = (ClaimOutlook){.smallest_p = p[i], .within_reach = p[i] <= bounds[i], .needed_p = bounds[i]};

    /* Each further seed at least halves a smallest p, so this ends. */
    int found = 0;
    for (int64_t n = 1; found < count; n++) {
        for (int i = 0; i < count; i++)
            p[i] = claim_smallest_p(&claims[i], n);
        holm(p, count, alpha, bounds);
        for (int i = 0; i < count; i++) {
            if (outlooks[i].seeds_needed > 0 || !(p[i] <= bounds[i])) continue;
            outlooks[i].seeds_needed = n;
            found++;
        }
    }
}

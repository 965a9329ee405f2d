/* See verdict_tables.h. */
#include "analysis/report/verdict_tables.h"

#include "analysis/output/rows.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- text -------------------------------------------------------------------------------------------------------- */

enum { LINE_WIDTH = 100, INDENT = 4 };

/* Prints text indented, broken between words, at most LINE_WIDTH wide; its own line ends begin new lines. */
static void print_wrapped(const char *text, FILE *out) {
    int used = 0;
    while (*text != '\0') {
        bool line_end = *text == '\n';
        text += strspn(text, " \n");
        int length = (int)strcspn(text, " \n");
        if (used > 0 && (line_end || used + 1 + length > LINE_WIDTH)) {
            fputc('\n', out);
            used = 0;
        }
        used += used == 0 ? fprintf(out, "%*s%.*s", INDENT, "", length, text) : fprintf(out, " %.*s", length, text);
        text += length;
    }
    if (used > 0) fputc('\n', out);
}

/* Adds to a text that may be full. */
__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *format, ...) {
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

const char *verdict_numbers(const Verdict *verdict, char *text, size_t size) {
    const MeanInterval *estimate = &verdict->estimate;
    text[0] = '\0';
    if (verdict->refused) return text;
    add(text, size, "%s %.4g [%.4g, %.4g]", verdict->estimate_name, estimate->mean, estimate->low, estimate->high);
    if (!isnan(verdict->bootstrap.low))
        add(text, size, ", bootstrap-t [%.4g, %.4g]", verdict->bootstrap.low, verdict->bootstrap.high);
    add(text, size, "; p %.2g, corrected %.2g", verdict->p, verdict->p_holm);
    if (verdict->decision == DECISION_CONTRADICTED)
        add(text, size, "; of the opposite %.2g, corrected %.2g", verdict->p_against, verdict->p_against_holm);
    add(text, size, "; %d seeds", verdict->pairing->n_seeds);
    if (!isnan(verdict->effect.d_z))
        add(text, size, "; d_z %.3g [%.3g, %.3g]", verdict->effect.d_z, verdict->effect.interval.low,
            verdict->effect.interval.high);
    add(text, size, "; positive in %.0f %% of seeds [%.0f, %.0f]", 100 * verdict->improvement.share,
        100 * verdict->improvement.interval.low, 100 * verdict->improvement.interval.high);
    if (!isnan(verdict->r_squared)) add(text, size, "; R^2 %.3f", verdict->r_squared);
    if (verdict->decision == DECISION_INCONCLUSIVE && verdict->seeds_needed > verdict->pairing->n_seeds)
        add(text, size, "; %lld seeds would give 80 %% power at this effect", (long long)verdict->seeds_needed);
    return text;
}

static void print_verdict(const Verdict *verdict, FILE *out) {
    char word[16], line[2048];
    snprintf(word, sizeof word, "%s", decision_name(verdict->decision));
    for (char *c = word; *c != '\0'; c++)
        *c = (char)toupper((unsigned char)*c);
    fprintf(out, "\n%s%s  %s\n", word, verdict->provisional ? " (so far)" : "", verdict->claim->id);
    print_wrapped(verdict->sentence, out);
    print_wrapped(verdict_numbers(verdict, line, sizeof line), out);
    print_wrapped(verdict->method, out);
    print_wrapped(verdict->notes, out);
}

void verdicts_print(const Verdicts *verdicts, FILE *out) {
    if (verdicts->count == 0) return;
    fprintf(out, "\nClaims: %d, sharing the level %g by Holm's procedure\n", verdicts->count, verdicts->declared.alpha);
    for (int i = 0; i < verdicts->count; i++)
        print_verdict(&verdicts->items[i], out);
}

/* --- CSV --------------------------------------------------------------------------------------------------------- */

static void seed_columns(RowWriter *rows, const Pairing *pairing) {
    row_integer(rows, "seeds", pairing->n_seeds);
    row_integer(rows, "seeds_wanted", pairing->n_wanted);
    row_integer(rows, "diverged", pairing->lost[SEED_DIVERGED]);
    row_integer(rows, "failed", pairing->lost[SEED_FAILED]);
    row_integer(rows, "not_finished", pairing->lost[SEED_UNFINISHED]);
    row_integer(rows, "undefined", pairing->lost[SEED_UNDEFINED]);
    row_integer(rows, "unbalanced", pairing->lost[SEED_ABSENT]);
    row_integer(rows, "mixed_fingerprints", pairing->n_mixed);
}

static void number_columns(RowWriter *rows, const Verdict *verdict) {
    row_text(rows, "estimate_name", verdict->estimate_name);
    row_number(rows, "estimate", verdict->estimate.mean);
    row_number(rows, "standard_deviation", verdict->estimate.standard_deviation);
    row_number(rows, "low", verdict->estimate.low);
    row_number(rows, "high", verdict->estimate.high);
    row_number(rows, "bootstrap_low", verdict->bootstrap.low);
    row_number(rows, "bootstrap_high", verdict->bootstrap.high);
    row_number(rows, "p", verdict->p);
    row_number(rows, "p_corrected", verdict->p_holm);
    row_number(rows, "p_against", verdict->p_against);
    row_number(rows, "p_against_corrected", verdict->p_against_holm);
    row_number(rows, "smallest_p", verdict->smallest_p);
    row_number(rows, "d_z", verdict->effect.d_z);
    row_number(rows, "d_z_low", verdict->effect.interval.low);
    row_number(rows, "d_z_high", verdict->effect.interval.high);
    row_number(rows, "improvement", verdict->improvement.share);
    row_number(rows, "improvement_low", verdict->improvement.interval.low);
    row_number(rows, "improvement_high", verdict->improvement.interval.high);
    row_number(rows, "plateau_level", verdict->plateau_level);
    row_number(rows, "r_squared", verdict->r_squared);
    row_number(rows, "mean_rank_correlation", verdict->mean_rank_correlation);
    row_number(rows, "seeds_for_80_percent_power", verdict->seeds_needed > 0 ? (double)verdict->seeds_needed : NAN);
}

static void verdict_row(RowWriter *rows, const Verdict *verdict) {
    row_text(rows, "id", verdict->claim->id);
    row_text(rows, "job", verdict->job_name);
    row_text(rows, "decision", decision_name(verdict->decision));
    row_text(rows, "provisional", verdict->provisional ? "true" : "false");
    row_text(rows, "claim", verdict->sentence);
    row_text(rows, "test", claim_test_name((int)verdict->claim->test));
    seed_columns(rows, verdict->pairing);
    number_columns(rows, verdict);
    row_text(rows, "method", verdict->method);
    row_text(rows, "intervals", verdict->intervals);
    row_text(rows, "notes", verdict->notes);
    row_end(rows);
}

static void write_verdicts(RowWriter *rows, const void *context) {
    const Verdicts *verdicts = context;
    verdict_row(rows, &(Verdict){.claim = &(Claim){.id = ""}, .job_name = "", .pairing = &(Pairing){0}});
    rows_end_naming(rows);
    for (int i = 0; i < verdicts->count; i++)
        verdict_row(rows, &verdicts->items[i]);
}

Status verdicts_write_csv(const Verdicts *verdicts, const char *dir, Error *err) {
    return csv_write(dir, "claims.csv", write_verdicts, verdicts, err);
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void set_number(json_t *object, const char *name, double value) {
    json_object_set_new(object, name, isfinite(value) ? json_real(value) : json_null());
}

static json_t *range_json(double low, double high) {
    return isfinite(low) && isfinite(high) ? json_pack("[f, f]", low, high) : json_null();
}

static json_t *arms_json(const Verdict *verdict) {
    json_t *arms = json_array();
    for (int i = 0; i < verdict->n_arms; i++) {
        const VerdictArm *arm = &verdict->arms[i];
        json_t *object = json_pack("{s:s}", "label", arm->label);
        set_number(object, "mean", arm->interval.mean);
        set_number(object, "low", arm->interval.low);
        set_number(object, "high", arm->interval.high);
        set_number(object, "self_check_accuracy", arm->self_check);
        json_array_append_new(arms, object);
    }
    return arms;
}

static json_t *lines_json(const char *text) {
    json_t *lines = json_array();
    for (; *text != '\0'; text += strspn(text, "\n")) {
        size_t length = strcspn(text, "\n");
        json_array_append_new(lines, json_stringn(text, length));
        text += length;
    }
    return lines;
}

static void set_seeds(json_t *object, const Pairing *pairing) {
    json_t *seeds = json_array(), *lost = json_object();
    for (int i = 0; i < pairing->n_seeds; i++)
        json_array_append_new(seeds, json_integer(pairing->seeds[i]));
    for (SeedState state = SEED_ABSENT; state < SEED_STATE_COUNT; state++)
        if (pairing->lost[state] > 0)
            json_object_set_new(lost, seed_state_name(state), json_integer(pairing->lost[state]));
    json_object_set_new(object, "seeds", seeds);
    json_object_set_new(object, "seeds_wanted", json_integer(pairing->n_wanted));
    json_object_set_new(object, "seeds_left_out", lost);
    json_object_set_new(object, "mixed_fingerprints", json_integer(pairing->n_mixed));
}

static json_t *verdict_json(const Verdict *verdict) {
    json_t *object =
        json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:s}", "id", verdict->claim->id, "job", verdict->job_name, "decision",
                  decision_name(verdict->decision), "provisional", verdict->provisional, "claim", verdict->sentence,
                  "test", claim_test_name((int)verdict->claim->test), "estimate_name", verdict->estimate_name);
    if (object == NULL) return NULL;
    set_number(object, "estimate", verdict->estimate.mean);
    json_object_set_new(object, "interval", range_json(verdict->estimate.low, verdict->estimate.high));
    json_object_set_new(object, "bootstrap_interval", range_json(verdict->bootstrap.low, verdict->bootstrap.high));
    set_number(object, "p", verdict->p);
    set_number(object, "p_corrected", verdict->p_holm);
    set_number(object, "p_against", verdict->p_against);
    set_number(object, "p_against_corrected", verdict->p_against_holm);
    set_number(object, "smallest_p", verdict->smallest_p);
    set_number(object, "d_z", verdict->effect.d_z);
    json_object_set_new(object, "d_z_interval",
                        range_json(verdict->effect.interval.low, verdict->effect.interval.high));
    set_number(object, "improvement", verdict->improvement.share);
    json_object_set_new(object, "improvement_interval",
                        range_json(verdict->improvement.interval.low, verdict->improvement.interval.high));
    set_number(object, "plateau_level", verdict->plateau_level);
    set_number(object, "r_squared", verdict->r_squared);
    set_number(object, "mean_rank_correlation", verdict->mean_rank_correlation);
    json_object_set_new(object, "seeds_for_80_percent_power",
                        verdict->seeds_needed > 0 ? json_integer(verdict->seeds_needed) : json_null());
    set_seeds(object, verdict->pairing);
    json_object_set_new(object, "arms", arms_json(verdict));
    json_object_set_new(object, "method", json_string(verdict->method));
    json_object_set_new(object, "intervals", json_string(verdict->intervals));
    json_object_set_new(object, "notes", lines_json(verdict->notes));
    return object;
}

json_t *verdicts_json(const Verdicts *verdicts) {
    json_t *claims = json_array();
    for (int i = 0; i < verdicts->count; i++)
        json_array_append_new(claims, verdict_json(&verdicts->items[i]));
    return json_pack("{s:f, s:s, s:o}", "alpha", verdicts->declared.alpha, "correction", "holm", "claims", claims);
}

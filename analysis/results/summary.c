/* See summary.h. */
#include "analysis/results/summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_PAPER = 15, FEW_SEEDS = 5, GROUPS_TOLD = 20 };

static void find_configurations(Summary *summary) {
    const Table *table = summary->table;
    for (int i = 0; i < table->n_series; i++) {
        const Series *series = &table->series[i];
        if (i == 0 || series_compare_configuration(series - 1, series) != 0)
            summary->configurations[summary->n_configurations++] = (Configuration){series, 0};
        summary->configurations[summary->n_configurations - 1].n_series++;
    }
}

bool training_is_done(const Training *training) {
    return training->ended && training->record.outcome == OUTCOME_DONE;
}

static void find_training_groups(Summary *summary) {
    const Table *table = summary->table;
    for (int i = 0; i < table->n_trainings; i++) {
        const Training *training = &table->trainings[i];
        if (i == 0 || spec_compare_configuration(&training[-1].record.spec, &training->record.spec) != 0)
            summary->training_groups[summary->n_training_groups++] = (TrainingGroup){training, 0, 0};
        TrainingGroup *group = &summary->training_groups[summary->n_training_groups - 1];
        group->n_trainings++;
        group->done += training_is_done(training);
        summary->done += training_is_done(training);
        summary->diverged += training->ended && training->record.outcome == OUTCOME_DIVERGED;
        summary->failed += training->ended && training->record.outcome == OUTCOME_FAILED;
    }
}

bool summary_is_complete(const Summary *summary) {
    return summary->done == summary->n_training_groups * summary->table->n_seeds;
}

Status summary_create(const Table *table, int at, Summary **out, Error *err) {
    int most_points = 0;
    for (int i = 0; i < table->n_series; i++)
        if (table->series[i].curves.n_points > most_points) most_points = table->series[i].curves.n_points;
    if (most_points > 0 && at >= most_points)
        return error_set(err, STATUS_USAGE,
                         "--at %d: expected a number of examples from 0 to %d, the longest curve's last", at,
                         most_points - 1);
    Summary *summary = calloc(1, sizeof *summary);
    if (summary != NULL) {
        summary->configurations = calloc((size_t)table->n_series + 1, sizeof *summary->configurations);
        summary->training_groups = calloc((size_t)table->n_trainings + 1, sizeof *summary->training_groups);
    }
    if (summary == NULL || summary->configurations == NULL || summary->training_groups == NULL) {
        summary_free(summary);
        return error_set(err, STATUS_NO_MEMORY, "no memory for the summary of %d series", table->n_series);
    }
    summary->table = table;
    summary->at = at != AT_DEFAULT ? at : most_points > AT_PAPER ? AT_PAPER : most_points - 1;
    find_configurations(summary);
    find_training_groups(summary);
    *out = summary;
    return STATUS_OK;
}

void summary_free(Summary *summary) {
    if (summary == NULL) return;
    free(summary->configurations);
    free(summary->training_groups);
    free(summary);
}

int configuration_at(const Configuration *configuration, int at) {
    int last = configuration->series[0].curves.n_points - 1;
    return at < last ? at : last;
}

void configuration_values(const Configuration *configuration, Metric metric, int examples, double *values) {
    for (int i = 0; i < configuration->n_series; i++) {
        const Curves *curves = &configuration->series[i].curves;
        values[i] = examples < curves->n_points ? curves->value[curves_at(curves, metric, examples)] : NAN;
    }
}

double configuration_self_check(const Configuration *configuration) {
    double values[configuration->n_series];
    for (int i = 0; i < configuration->n_series; i++)
        values[i] = configuration->series[i].self_check_accuracy;
    return mean_interval(values, configuration->n_series, CONFIDENCE_95).mean;
}

const Configuration *configuration_beside(const Summary *summary, const Configuration *of, Predictor predictor) {
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *other = &summary->configurations[i];
        if (other->series->predictor == predictor && series_same_task(other->series, of->series)) return other;
    }
    return NULL;
}

/* --- remarks ---------------------------------------------------------------------------------------------------- */

static const char *plural(int count) {
    return count == 1 ? "" : "s";
}

/* "; diverged: seeds 3, 4"; nothing when there are none. */
static void print_seeds(FILE *out, const char *words, const uint32_t *seeds, int count) {
    if (count == 0) return;
    fprintf(out, "; %s: seed%s ", words, plural(count));
    for (int i = 0; i < count; i++)
        fprintf(out, "%s%u", i > 0 ? ", " : "", seeds[i]);
}

static void print_group(const Summary *summary, const TrainingGroup *group, FILE *out) {
    const Table *table = summary->table;
    uint32_t *seeds = calloc(4 * (size_t)table->n_seeds, sizeof *seeds);
    if (seeds == NULL) return; /* the counts have been told */
    uint32_t *lists[4] = {seeds, seeds + table->n_seeds, seeds + 2 * table->n_seeds, seeds + 3 * table->n_seeds};
    static const char *const words[4] = {"diverged", "failed", "not finished", "not asked for"};
    int counts[4] = {0};
    for (int i = 0, next = 0; i < table->n_seeds; i++) {
        const Training *training = next < group->n_trainings ? &group->trainings[next] : NULL;
        int list = 3;
        if (training != NULL && training->record.spec.seed == table->seeds[i]) {
            next++;
            if (training_is_done(training)) continue;
            list = !training->ended ? 2 : training->record.outcome == OUTCOME_DIVERGED ? 0 : 1;
        }
        lists[list][counts[list]++] = table->seeds[i];
    }
    char label[512];
    training_label(table, &group->trainings->record.spec, label, sizeof label);
    fprintf(out, "  %s%s%d of %d seeds", label, label[0] != '\0' ? ": " : "", group->done, table->n_seeds);
    for (int list = 0; list < 4; list++)
        print_seeds(out, words[list], lists[list], counts[list]);
    fputc('\n', out);
    free(seeds);
}

/* The fewest seeds behind any configuration's mean, of models. */
static int fewest_seeds(const Summary *summary) {
    int fewest = 0;
    for (int i = 0; i < summary->n_configurations; i++) {
        const Configuration *configuration = &summary->configurations[i];
        if (configuration->series->predictor != PREDICTOR_MODEL) continue;
        if (fewest == 0 || configuration->n_series < fewest) fewest = configuration->n_series;
    }
    return fewest;
}

static bool mixed_fingerprints(const Table *table) {
    for (int i = 1; i < table->n_series; i++)
        if (strcmp(table->series[0].fingerprint, table->series[i].fingerprint) != 0) return true;
    return false;
}

char *summary_remarks(const Summary *summary) {
    const Table *table = summary->table;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    int groups = summary->n_training_groups;
    fprintf(out, "%d configuration%s x %d seed%s: %d of %d trainings done, %d diverged, %d failed%s\n", groups,
            plural(groups), table->n_seeds, plural(table->n_seeds), summary->done, table->n_trainings,
            summary->diverged, summary->failed, summary_is_complete(summary) ? "; complete" : "");
    int incomplete = 0;
    for (int i = 0; i < groups; i++)
        if (summary->training_groups[i].done < table->n_seeds && incomplete++ < GROUPS_TOLD)
            print_group(summary, &summary->training_groups[i], out);
    if (incomplete > GROUPS_TOLD)
        fprintf(out, "  and %d configurations more: tables/completeness.csv\n", incomplete - GROUPS_TOLD);
    if (table->orphans > 0)
        fprintf(out, "  %d cell%s left out: the training record is missing (palinode verify)\n", table->orphans,
                plural(table->orphans));
    int fewest = fewest_seeds(summary);
    if (fewest == 1)
        fprintf(out, "  one seed only somewhere: no interval can be given there; the spread over seeds is unknown\n");
    else if (fewest > 0 && fewest <= FEW_SEEDS)
        fprintf(out, "  only %d seeds: wide intervals that lean on normality; the smallest two-sided p is %g\n", fewest,
                pow(2, 1 - fewest));
    if (mixed_fingerprints(table))
        fprintf(out, "  several numerics fingerprints: equal settings may differ in their last bits\n");
    return fclose(out) == 0 ? text : (free(text), NULL);
}

/* See pairing.h. */
#include "analysis/results/pairing.h"
#include "analysis/output/columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *seed_state_name(SeedState state) {
    static const char *const names[SEED_STATE_COUNT] = {"there",     "not asked for", "not finished",
                                                        "undefined", "failed",        "diverged"};
    return (unsigned)state < SEED_STATE_COUNT ? names[state] : "?";
}

/* What is known of every seed of the table in every arm: (n_arms, n_seeds of the table). */
typedef struct Cell {
    const Series *series; /* NULL: there is none */
    SeedState state;      /* of one without a series */
} Cell;

typedef struct Board {
    const Table *table;
    int n_arms;
    Cell *cells;
} Board;

static int seed_place(const Table *table, uint32_t seed) {
    int low = 0, high = table->n_seeds;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (table->seeds[middle] < seed)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static Cell *board_cell(const Board *board, int arm, uint32_t seed) {
    return &board->cells[(size_t)arm * (size_t)board->table->n_seeds + (size_t)seed_place(board->table, seed)];
}

static Status board_create(const Table *table, int n_arms, Board *board, Error *err) {
    size_t cells = (size_t)n_arms * (size_t)table->n_seeds;
    *board = (Board){table, n_arms, calloc(cells + 1, sizeof *board->cells)};
    if (board->cells == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory to pair %zu results", cells);
    for (size_t i = 0; i < cells; i++)
        board->cells[i].state = SEED_ABSENT;
    return STATUS_OK;
}

/* --- arms of a claim --------------------------------------------------------------------------------------------- */

/* Whether the settings that make a result agree: training and critic, the number of prompts, the steps of gd. How many
 * rounds there are beside decides nothing that is measured without them, nor in the first of them (has_rounds). */
static bool same_result(const Settings *a, const Settings *b, Predictor predictor) {
    int count;
    const Setting *settings = settings_table(&count);
    for (int i = 0; i < count; i++) {
        bool told = settings[i].role != ROLE_EVALUATION || settings[i].offset == offsetof(Settings, evaluation.prompts);
        if (told && settings[i].role != ROLE_ROUNDS && setting_applies(&settings[i], predictor) &&
            setting_get(&settings[i], a) != setting_get(&settings[i], b))
            return false;
    }
    return true;
}

/* Whether a training stands behind an arm: of a baseline any on its task does. */
static bool stands_behind(const TrainingSpec *spec, const ClaimArm *arm) {
    Settings settings = arm->settings;
    settings.training = *spec;
    return same_result(&settings, &arm->settings, arm->predictor);
}

static SeedState state_of(const Training *training, Predictor predictor) {
    if (predictor != PREDICTOR_MODEL || !training->ended || training->record.outcome == OUTCOME_DONE)
        return SEED_UNFINISHED;
    return training->record.outcome == OUTCOME_DIVERGED ? SEED_DIVERGED : SEED_FAILED;
}

/* Whether a series was measured as the claim's rounds were: it has them, begun and judged alike. */
static bool has_rounds(const Series *series, const Claim *claim, const ClaimArm *arm) {
    const EvaluationSettings *evaluation = &series->settings.evaluation, *wanted = &arm->settings.evaluation;
    return claim->kind != CLAIM_ROUNDS ||
           (series->rounds.count > arm->last && evaluation->initial_responses == wanted->initial_responses &&
            evaluation->right_cosine == wanted->right_cosine);
}

static void place_arm(const Board *board, int place, const Claim *claim) {
    const Table *table = board->table;
    const ClaimArm *arm = &claim->arms[place];
    for (int i = 0; i < table->n_trainings; i++) {
        const Training *training = &table->trainings[i];
        if (stands_behind(&training->record.spec, arm))
            board_cell(board, place, training->record.spec.seed)->state = state_of(training, arm->predictor);
    }
    for (int i = 0; i < table->n_series; i++) {
        const Series *series = &table->series[i];
        if (series->predictor == arm->predictor && has_rounds(series, claim, arm) &&
            same_result(&series->settings, &arm->settings, arm->predictor))
            board_cell(board, place, series->settings.training.seed)->series = series;
    }
}

/* A number of the series of an arm, and of its critic's accuracy; NaN: undefined. */
typedef struct Reader {
    double (*value)(const Series *series, int arm, const void *context);
    const void *context;
    bool rounds; /* the accuracy is that on the responses of the rounds */
} Reader;

/* The metric of a claim: its mean over the arm's numbers of examples, or rounds; undefined where one of them is. */
static double claim_value(const Series *series, int arm, const void *context) {
    const Claim *claim = context;
    const int first = claim->arms[arm].first, last = claim->arms[arm].last;
    const bool rounds = claim->kind == CLAIM_ROUNDS;
    if (last >= (rounds ? series->rounds.count : series->curves.n_points)) return NAN;
    double sum = 0;
    for (int i = first; i <= last; i++)
        sum += rounds ? series->rounds.value[round_curves_at(&series->rounds, claim->round_metric, i)]
                      : series->curves.value[curves_at(&series->curves, claim->metric, i)];
    return sum / (last - first + 1);
}

typedef struct Comparison {
    SeriesValue value;
    const void *context;
} Comparison;

static double compared_value(const Series *series, int arm, const void *context) {
    const Comparison *comparison = context;
    return comparison->value(series, comparison->context);
}

/* --- settling ---------------------------------------------------------------------------------------------------- */

/* The worst state of a seed over the arms; *wanted: whether any arm asked for it; *mixed: several fingerprints. */
static SeedState seed_state(const Board *board, int seed, const Reader *reader, bool *wanted, bool *mixed) {
    SeedState worst = SEED_HAS;
    const char *fingerprint = NULL;
    *wanted = *mixed = false;
    for (int arm = 0; arm < board->n_arms; arm++) {
        const Cell *cell = &board->cells[(size_t)arm * (size_t)board->table->n_seeds + (size_t)seed];
        SeedState state = cell->state;
        if (cell->series != NULL) {
            state = isfinite(reader->value(cell->series, arm, reader->context)) ? SEED_HAS : SEED_UNDEFINED;
            *mixed = *mixed || (fingerprint != NULL && strcmp(fingerprint, cell->series->fingerprint) != 0);
            fingerprint = cell->series->fingerprint;
        }
        *wanted = *wanted || state != SEED_ABSENT;
        if (state > worst) worst = state;
    }
    return worst;
}

static Status settle(const Board *board, const Reader *reader, Pairing **out, Error *err) {
    const int most = board->table->n_seeds;
    Pairing *pairing = calloc(1, sizeof *pairing);
    if (pairing != NULL) {
        size_t room = (size_t)board->n_arms * (size_t)most + 1;
        *pairing = (Pairing){.n_arms = board->n_arms,
                             .seeds = malloc(((size_t)most + 1) * sizeof *pairing->seeds),
                             .values = malloc(room * sizeof *pairing->values),
                             .self_check = malloc(room * sizeof *pairing->self_check)};
    }
    if (pairing == NULL || pairing->seeds == NULL || pairing->values == NULL || pairing->self_check == NULL) {
        pairing_free(pairing);
        return error_set(err, STATUS_NO_MEMORY, "no memory to pair %d seeds", most);
    }
    for (int i = 0; i < most; i++) {
        bool wanted, mixed;
        SeedState state = seed_state(board, i, reader, &wanted, &mixed);
        pairing->n_wanted += wanted;
        if (state == SEED_HAS) {
            pairing->n_mixed += mixed;
            pairing->seeds[pairing->n_seeds++] = (uint32_t)i; /* its place, for now */
        } else if (wanted) {
            pairing->lost[state]++;
        }
    }
    const int n = pairing->n_seeds;
    for (int arm = 0; arm < board->n_arms; arm++)
        for (int i = 0; i < n; i++) {
            const Series *series = board->cells[(size_t)arm * (size_t)most + pairing->seeds[i]].series;
            pairing->values[(size_t)arm * (size_t)n + (size_t)i] = reader->value(series, arm, reader->context);
            pairing->self_check[(size_t)arm * (size_t)n + (size_t)i] =
                reader->rounds ? series->rounds.self_check_accuracy : series->self_check_accuracy;
        }
    for (int i = 0; i < n; i++)
        pairing->seeds[i] = board->table->seeds[pairing->seeds[i]];
    *out = pairing;
    return STATUS_OK;
}

Status pairing_of_claim(const Table *table, const Claim *claim, Pairing **out, Error *err) {
    Board board;
    Status status = board_create(table, claim->n_arms, &board, err);
    for (int arm = 0; arm < claim->n_arms && status == STATUS_OK; arm++)
        place_arm(&board, arm, claim);
    const Reader reader = {claim_value, claim, claim->kind == CLAIM_ROUNDS};
    if (status == STATUS_OK) status = settle(&board, &reader, out, err);
    free(board.cells);
    return status;
}

Status pairing_of_configurations(const Table *table, const Configuration *const *arms, int n_arms, SeriesValue value,
                                 const void *context, Pairing **out, Error *err) {
    Board board;
    Status status = board_create(table, n_arms, &board, err);
    for (int arm = 0; arm < n_arms && status == STATUS_OK; arm++)
        for (int i = 0; i < arms[arm]->n_series; i++) {
            const Series *series = &arms[arm]->series[i];
            board_cell(&board, arm, series->settings.training.seed)->series = series;
        }
    const Comparison comparison = {value, context};
    const Reader reader = {compared_value, &comparison, false};
    if (status == STATUS_OK) status = settle(&board, &reader, out, err);
    free(board.cells);
    return status;
}

void pairing_free(Pairing *pairing) {
    if (pairing == NULL) return;
    free(pairing->seeds);
    free(pairing->values);
    free(pairing->self_check);
    free(pairing);
}

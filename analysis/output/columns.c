/* See columns.h. */
#include "analysis/output/columns.h"

#include <stdio.h>
#include <time.h>

static bool within(const Setting *setting, size_t offset, size_t size) {
    return setting->offset >= offset && setting->offset < offset + size;
}

static bool is_seed(const Setting *setting) {
    return setting->offset == offsetof(Settings, training.seed);
}

static bool is_task(const Setting *setting) {
    return within(setting, offsetof(Settings, training.task), sizeof(TaskSettings));
}

bool setting_applies(const Setting *setting, Predictor predictor) {
    if (setting->type == SETTING_SET || is_seed(setting)) return false;
    if (setting->role == ROLE_BASELINE) return predictor == PREDICTOR_GD;
    if (setting->role == ROLE_ROUNDS) return predictor == PREDICTOR_MODEL;
    return predictor == PREDICTOR_MODEL || setting->role != ROLE_TRAINING || is_task(setting);
}

void settings_columns(RowWriter *rows, const Settings *settings, Predictor predictor, bool critics) {
    int count;
    const Setting *table = settings_table(&count);
    for (int i = 0; i < count; i++) {
        if (table[i].type == SETTING_SET || (!critics && table[i].role != ROLE_TRAINING)) continue;
        bool active = table[i].active == NULL || table[i].active(settings);
        row_setting(rows, &table[i], settings, active && setting_applies(&table[i], predictor));
    }
}

const char *utc_text(int64_t unix_ms, char *text, size_t text_bytes) {
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm parts;
    if (unix_ms <= 0 || gmtime_r(&seconds, &parts) == NULL) return NULL;
    size_t used = strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + used, text_bytes - used, ".%03dZ", (int)(unix_ms % 1000));
    return text;
}

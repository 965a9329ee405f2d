/* See job.h. A job is a file read, and the text it came from; here is what only the whole of it shows. */
#include "jobs/job/job.h"

#include "jobs/grid/near_values.h"
#include "jobs/job/job_file.h"
#include "proto/wire/record_file.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { JOB_FILE_BYTES_MAX = 1 << 20 };

struct Job {
    char *text;
    JobFile file;
    uint64_t points, trainings, critics;
    char warnings[2048];
};

/* --- checks of the whole ----------------------------------------------------------------------------------------- */

/* An exclusion that matches nothing is a slip, unless an override has taken its values away: then it is dropped. */
static Status check_exclusions(Grid *grid, const Source *source, Error *err) {
    int kept = 0;
    for (int e = 0; e < grid->n_exclusions; e++) {
        const Exclusion *exclusion = &grid->exclusions[e];
        if (grid_can_match(grid, exclusion)) {
            grid->exclusions[kept++] = *exclusion;
            continue;
        }
        bool overridden = false;
        for (int c = 0; c < exclusion->n_conditions; c++)
            overridden = overridden || grid->axes[exclusion->conditions[c].axis].given.option > 0;
        if (!overridden)
            return place_error(source, exclusion->place, err, "exclude: no training of the grid matches this mapping");
    }
    grid->n_exclusions = kept;
    return grid_index_exclusions(grid, err);
}

/* Says which list makes a grid too large: the longest. */
static Status refuse_size(const Grid *grid, const Source *source, SettingRole role, const char *what, int limit,
                          Error *err) {
    const Axis *longest = NULL;
    double size = 1;
    for (int i = 0; i < grid->n_axes; i++) {
        const Axis *axis = &grid->axes[i];
        bool of_role = axis->setting == NULL ? role == ROLE_TRAINING : axis->setting->role == role;
        if (!of_role || axis->leader != i) continue;
        size *= (double)axis->count;
        if (longest == NULL || axis->count > longest->count) longest = axis;
    }
    return place_error(source, longest != NULL ? longest->given : (Place){0}, err,
                       "a grid of %.0f %s: expected at most %d (the longest list, %s, has %lld values)", size, what,
                       limit, longest == NULL || longest->setting == NULL ? "seeds" : longest->setting->key,
                       longest != NULL ? (long long)longest->count : 0);
}

static Status check_job(Job *job, const Source *source, Error *err) {
    Grid *grid = &job->file.grid;
    const Axis *seeds = &grid->axes[SEED_AXIS];
    if (seeds->values == NULL && seeds->first + (uint64_t)seeds->count - 1 > UINT32_MAX)
        return place_error(source, seeds->given, err, "seeds: the last one is beyond %u", UINT32_MAX);
    Status status = check_exclusions(grid, source, err);
    if (status != STATUS_OK) return status;
    job->points = grid_size(grid, ROLE_TRAINING, GRID_POINTS_MAX);
    if (job->points == 0) return refuse_size(grid, source, ROLE_TRAINING, "trainings", GRID_POINTS_MAX, err);
    job->critics = grid_size(grid, ROLE_CRITIC, CRITICS_MAX);
    if (job->critics == 0) return refuse_size(grid, source, ROLE_CRITIC, "critics", CRITICS_MAX, err);
    job->trainings = grid_count(grid, NULL);
    if (job->trainings == 0)
        return place_error(source, grid->exclusions[0].place, err, "exclude: every training is excluded");
    status = grid_check(grid, source, err);
    if (status == STATUS_OK) status = near_values_warn(grid, source, job->warnings, sizeof job->warnings, err);
    return status != STATUS_OK ? status : claims_file_check(&job->file.claims, grid, source, err);
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* The file's name without directories and .yaml, made a name that is allowed. Where letters beyond ASCII get lost, a
 * checksum of the name tells it from others that lost as much. */
static void name_from_path(const char *path, char name[NAME_BYTES]) {
    const char *slash = strrchr(path, '/');
    snprintf(name, NAME_BYTES, "%s", slash == NULL ? path : slash + 1);
    char *dot = strrchr(name, '.');
    if (dot != NULL && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0)) *dot = '\0';
    uint32_t checksum = crc32c(name, strlen(name));
    bool lost = false;
    for (char *c = name; *c != '\0'; c++) {
        lost = lost || (unsigned char)*c >= 0x80;
        if (!isalnum((unsigned char)*c) && strchr("-_.", *c) == NULL) *c = '-';
    }
    if (!words_name_allowed(name)) strcpy(name, "job");
    if (lost) snprintf(name + strnlen(name, NAME_BYTES - 10), 10, "-%08" PRIx32, checksum);
}

static Status parse_bytes(const Source *source, int n_options, const char *text, size_t size, Job **out, Error *err) {
    if (size > JOB_FILE_BYTES_MAX)
        return place_error(source, (Place){0}, err, "longer than %d bytes: not a job file", JOB_FILE_BYTES_MAX);
    Job *job = calloc(1, sizeof *job);
    if (job == NULL) return out_of_memory(err);
    job->text = strndup(text == NULL ? "" : text, size);
    Status status =
        job->text == NULL ? out_of_memory(err) : job_file_read(source, n_options, text, size, &job->file, err);
    if (status == STATUS_OK) status = check_job(job, source, err);
    if (status != STATUS_OK) {
        job_free(job);
        return status;
    }
    if (job->file.name[0] == '\0') name_from_path(source->path, job->file.name);
    *out = job;
    return STATUS_OK;
}

Status job_parse(const char *path, const char *text, const char *const *overrides, int n_overrides, Job **out,
                 Error *err) {
    Source source = {.path = path, .options = overrides};
    return parse_bytes(&source, n_overrides, text, text == NULL ? 0 : strlen(text), out, err);
}

/* Reads up to size bytes; fewer: the file's end. */
static Status read_bytes(const char *path, char *data, size_t size, size_t *used, Error *err) {
    bool standard_input = strcmp(path, "-") == 0;
    int file = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return error_set(err, STATUS_IO, "cannot open the job file %.500s: %s", path, strerror(errno));
    Status status = STATUS_OK;
    *used = 0;
    while (*used < size) {
        ssize_t n = read(file, data + *used, size - *used);
        if (n > 0)
            *used += (size_t)n;
        else if (n == 0)
            break;
        else if (errno != EINTR) {
            status = error_set(err, STATUS_IO, "cannot read the job file %.500s: %s", path, strerror(errno));
            break;
        }
    }
    if (!standard_input) close(file);
    return status;
}

Status job_read(const char *path, const char *const *overrides, int n_overrides, Job **out, Error *err) {
    Source source = {.path = strcmp(path, "-") == 0 ? "standard input" : path, .options = overrides};
    size_t capacity = JOB_FILE_BYTES_MAX + 1, size = 0;
    char *data = malloc(capacity);
    if (data == NULL) return out_of_memory(err);
    Status status = read_bytes(path, data, capacity, &size, err);
    if (status == STATUS_OK) status = parse_bytes(&source, n_overrides, data, size, out, err);
    free(data);
    return status;
}

Status job_read_resolved(const char *dir, Job **out, Error *err) {
    char path[PATH_MAX];
    struct stat about;
    *out = NULL;
    if (snprintf(path, sizeof path, "%s/job.resolved.yaml", dir) >= (int)sizeof path)
        return error_set(err, STATUS_IO, "%.100s..: the path is too long", dir);
    if (stat(path, &about) != 0 && errno == ENOENT) return STATUS_OK;
    if (!S_ISREG(about.st_mode)) /* a pipe would be waited for */
        return error_set(err, STATUS_IO, "%s: is not a regular file", path);
    return job_read(path, NULL, 0, out, err);
}

/* Whether a job file says anything besides claims. */
static bool gives_settings(const JobFile *file) {
    for (int i = 0; i < file->grid.n_axes; i++)
        if (place_known(file->grid.axes[i].given)) return true;
    return false;
}

static Status take_claims(Job *job, const Source *source, const char *text, size_t size, Error *err) {
    Job other = {0};
    if (size > JOB_FILE_BYTES_MAX)
        return place_error(source, (Place){0}, err, "longer than %d bytes: not a job file", JOB_FILE_BYTES_MAX);
    Status status = job_file_read(source, 0, text, size, &other.file, err);
    if (status == STATUS_OK && other.file.claims.count == 0)
        status = place_error(source, (Place){0}, err, "no claims: expected the key claims, as in a job file");
    if (status == STATUS_OK && gives_settings(&other.file)) {
        status = check_job(&other, source, err);
        if (status != STATUS_OK) {
            job_file_destroy(&other.file);
            return status;
        }
        if (other.file.name[0] == '\0') strcpy(other.file.name, job->file.name);
        other.text = job->text;
        job_file_destroy(&job->file);
        *job = other;
        return STATUS_OK;
    }
    if (status == STATUS_OK) status = claims_file_check(&other.file.claims, &job->file.grid, source, err);
    if (status == STATUS_OK) {
        ClaimList old = job->file.claims;
        job->file.claims = other.file.claims;
        other.file.claims = old;
    }
    job_file_destroy(&other.file);
    return status;
}

Status job_read_claims(Job *job, const char *path, Error *err) {
    Source source = {.path = path};
    size_t capacity = JOB_FILE_BYTES_MAX + 1, size = 0;
    char *data = malloc(capacity);
    if (data == NULL) return out_of_memory(err);
    Status status = read_bytes(path, data, capacity, &size, err);
    if (status == STATUS_OK) status = take_claims(job, &source, data, size, err);
    free(data);
    return status;
}

void job_free(Job *job) {
    if (job == NULL) return;
    job_file_destroy(&job->file);
    free(job->text);
    free(job);
}

/* --- what is in it ----------------------------------------------------------------------------------------------- */

const char *job_name(const Job *job) {
    return job->file.name;
}

const char *job_text(const Job *job) {
    return job->text;
}

const char *job_warnings(const Job *job) {
    return job->warnings;
}

EvaluationSettings job_evaluation(const Job *job) {
    Settings settings = settings_default();
    for (SettingRole role = ROLE_EVALUATION; role <= ROLE_BASELINE; role++)
        grid_settings(&job->file.grid, role, 0, &settings);
    settings_drop_inactive(&settings);
    return settings.evaluation;
}

uint64_t job_grid_points(const Job *job) {
    return job->points;
}

uint64_t job_trainings(const Job *job) {
    return job->trainings;
}

bool job_training(const Job *job, uint64_t index, TrainingSpec *out) {
    assert(index < job->points);
    Settings settings = {0};
    grid_settings(&job->file.grid, ROLE_TRAINING, index, &settings);
    bool included = grid_exclusion_of(&job->file.grid, &settings) == 0;
    grid_fit_defaults(&job->file.grid, &settings);
    settings_drop_inactive(&settings);
    *out = settings.training;
    return included;
}

int job_critics(const Job *job) {
    return (int)job->critics;
}

CriticSettings job_critic(const Job *job, int index) {
    assert(index >= 0 && (uint64_t)index < job->critics);
    Settings settings = {0};
    grid_settings(&job->file.grid, ROLE_CRITIC, (uint64_t)index, &settings);
    return settings.critic;
}

const Grid *job_grid(const Job *job) {
    return &job->file.grid;
}

const Claim *job_claims(const Job *job, int *count) {
    *count = job->file.claims.count;
    return job->file.claims.items;
}

double job_alpha(const Job *job) {
    return job->file.claims.alpha;
}

/* --- as a file --------------------------------------------------------------------------------------------------- */

static void print_value(FILE *out, const Axis *axis, SettingValue value) {
    char text[256];
    if (axis->setting == NULL)
        fprintf(out, "%.0f", value);
    else
        fputs(setting_format(axis->setting, value, text, sizeof text), out);
}

static void print_axis(FILE *out, const Axis *axis) {
    if (axis->count > 1) fputs("[", out);
    for (int64_t i = 0; i < axis->count; i++) {
        fputs(i == 0 ? "" : ", ", out);
        print_value(out, axis, axis_value(axis, i));
    }
    fputs(axis->count > 1 ? "]\n" : "\n", out);
}

static void print_settings(FILE *out, const Grid *grid) {
    const char *section = "";
    for (int i = 1; i < grid->n_axes; i++) {
        const Axis *axis = &grid->axes[i];
        if (axis->linked || !grid_default_holds(grid, axis)) continue;
        const char *key = axis->setting->key;
        int length = (int)strcspn(key, ".") + 1;
        if (strncmp(section, key, (size_t)length) != 0) fprintf(out, "%.*s:\n", length - 1, key);
        section = key;
        fprintf(out, "  %s: ", key + length);
        print_axis(out, axis);
    }
}

static void print_zip(FILE *out, const Grid *grid) {
    int64_t count = 0;
    for (int i = 1; i < grid->n_axes; i++)
        if (grid->axes[i].linked) count = grid->axes[i].count;
    if (count > 0) fputs("zip:\n", out);
    for (int64_t entry = 0; entry < count; entry++) {
        const char *before = "  - {";
        for (int i = 1; i < grid->n_axes; i++) {
            const Axis *axis = &grid->axes[i];
            if (!axis->linked) continue;
            fprintf(out, "%s%s: ", before, axis->setting->key);
            print_value(out, axis, axis_value(axis, entry));
            before = ", ";
        }
        fputs("}\n", out);
    }
}

static void print_exclusions(FILE *out, const Grid *grid) {
    if (grid->n_exclusions > 0) fputs("exclude:\n", out);
    for (int e = 0; e < grid->n_exclusions; e++) {
        const char *before = "  - {";
        for (int c = 0; c < grid->exclusions[e].n_conditions; c++) {
            const Condition *condition = &grid->exclusions[e].conditions[c];
            const Axis *axis = &grid->axes[condition->axis];
            fprintf(out, "%s%s: ", before, axis->setting == NULL ? "seed" : axis->setting->key);
            print_value(out, axis, condition->value);
            before = ", ";
        }
        fputs("}\n", out);
    }
}

char *job_resolved(const Job *job) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    const Axis *seeds = &job->file.grid.axes[SEED_AXIS];
    fprintf(out, "name: %s\n", job->file.name);
    print_settings(out, &job->file.grid);
    fputs("seeds: ", out);
    if (seeds->values == NULL)
        fprintf(out, "{first: %u, count: %lld}\n", seeds->first, (long long)seeds->count);
    else
        print_axis(out, seeds);
    print_zip(out, &job->file.grid);
    print_exclusions(out, &job->file.grid);
    claims_file_print(&job->file.claims, out);
    bool failed = ferror(out) != 0;
    if (fclose(out) == 0 && !failed) return text;
    free(text);
    return NULL;
}

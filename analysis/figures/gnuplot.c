/* See gnuplot.h. */
#include "analysis/figures/gnuplot.h"

#include "analysis/output/whole_file.h"

#include "analysis/figures/figure_script.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_NO_PROGRAM = 127 };

/* What gnuplot gets of the caller's environment: what it takes to find and start it. Fonts, terminals, encodings and
 * numbers are for the script to say; with --default-settings it reads no file of the user's either. */
static void choose_environment(char *chosen[]) {
    static const char *const wanted[] = {"PATH=", "LD_LIBRARY_PATH=", "TMPDIR="};
    static char locale[] = "LC_ALL=C";
    int n = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        for (char **variable = environ; *variable != NULL; variable++)
            if (strncmp(*variable, wanted[i], strlen(wanted[i])) == 0) {
                chosen[n++] = *variable;
                break;
            }
    chosen[n++] = locale;
    chosen[n] = NULL;
}

/* In the child: gnuplot in dir, its messages into the pipe. */
static void become_gnuplot(const char *dir, const char *script, bool png, int messages) {
    char *arguments[] = {"gnuplot", "--default-settings", "-e", png ? "png=1" : "", (char *)script, NULL};
    char *environment[5];
    choose_environment(environment);
    if (chdir(dir) != 0 || dup2(messages, STDOUT_FILENO) < 0 || dup2(messages, STDERR_FILENO) < 0) _exit(1);
    execvpe("gnuplot", arguments, environment);
    _exit(errno == ENOENT ? EXIT_NO_PROGRAM : 1);
}

/* Reads until the child closes its end; keeps the first bytes as one line, the rest only keeps the pipe from filling.
 */
static void read_messages(int from, char *text, size_t text_bytes) {
    size_t used = 0;
    char rest[512];
    for (;;) {
        bool room = used < text_bytes - 1;
        ssize_t got = read(from, room ? text + used : rest, room ? text_bytes - 1 - used : sizeof rest);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        if (room) used += (size_t)got;
    }
    text[used] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r') *c = ' ';
}

static Status run_gnuplot(const char *dir, const char *script, bool png, Error *err) {
    int ends[2];
    if (pipe(ends) != 0) return error_set(err, STATUS_IO, "gnuplot: cannot make a pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0) {
        close(ends[0]);
        close(ends[1]);
        return error_set(err, STATUS_IO, "gnuplot: cannot fork: %s", strerror(errno));
    }
    if (child == 0) become_gnuplot(dir, script, png, ends[1]);
    close(ends[1]);
    char messages[512];
    read_messages(ends[0], messages, sizeof messages);
    close(ends[0]);
    int ended = -1;
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0) return STATUS_OK;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == EXIT_NO_PROGRAM)
        return error_set(
            err, STATUS_FAILED,
            "gnuplot is not on PATH: no figure can be drawn; install it (Debian: gnuplot-nox) and analyze again");
    return error_set(err, STATUS_FAILED, "gnuplot %s/%s failed: %s", dir, script, messages);
}

/* Writes one of the figure's files by print. */
static Status write_file(const Figure *figure, const char *dir, const char *suffix,
                         void (*print)(const Figure *, FILE *), Error *err) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.%s", dir, figure->name, suffix);
    WholeFile file;
    Status status = whole_file_begin(&file, path, err);
    if (status != STATUS_OK) return status;
    print(figure, file.out);
    return whole_file_end(&file, STATUS_OK, err);
}

Status gnuplot_draw(const Figure *figure, const char *dir, bool png, Error *err) {
    char path[PATH_MAX], script[FIGURE_NAME_BYTES + 8];
    snprintf(path, sizeof path, "%s/%s.svg", dir, figure->name);
    unlink(path);
    snprintf(path, sizeof path, "%s/%s.png", dir, figure->name);
    unlink(path);
    if (!figure_is_whole(figure)) return error_set(err, STATUS_NO_MEMORY, "no memory for the figure %s", figure->name);
    Status status = write_file(figure, dir, "dat", figure_print_data, err);
    if (status == STATUS_OK) status = write_file(figure, dir, "gp", figure_print_script, err);
    snprintf(script, sizeof script, "%s.gp", figure->name);
    if (status == STATUS_OK) status = run_gnuplot(dir, script, false, err);
    if (status == STATUS_OK && png) status = run_gnuplot(dir, script, true, err);
    return status;
}

/* Whether a script of gnuplot's begins as figure_print_script begins it. */
static bool is_ours(const char *path) {
    static const char opening[] = FIGURE_SCRIPT_OPENING;
    char text[sizeof opening] = "";
    FILE *in = fopen(path, "r");
    if (in == NULL) return false;
    size_t got = fread(text, 1, sizeof opening - 1, in);
    fclose(in);
    return got == sizeof opening - 1 && memcmp(text, opening, got) == 0;
}

void gnuplot_remove_figures(const char *dir) {
    static const char *const suffixes[] = {"svg", "png", "dat", "gp"};
    DIR *entries = opendir(dir);
    if (entries == NULL) return;
    for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        char path[PATH_MAX];
        size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 3, ".gp") != 0) continue;
        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        for (size_t i = 0; is_ours(path) && i < sizeof suffixes / sizeof suffixes[0]; i++) {
            char file[PATH_MAX];
            snprintf(file, sizeof file, "%s/%.*s.%s", dir, (int)length - 3, entry->d_name, suffixes[i]);
            unlink(file);
        }
    }
    closedir(entries);
}

/* See terminal.h. */
#include "cli/shared/terminal.h"

#include "proto/base/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Columns of the terminal behind fd; 0 when it is none. */
static int columns_of(int fd) {
    struct winsize size;
    if (!isatty(fd)) return 0;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

Terminal terminal_open(bool quiet) {
    Terminal terminal = {.quiet = quiet, .columns = columns_of(STDERR_FILENO)};
    if (terminal.columns == 0 && getenv("OMPI_COMM_WORLD_SIZE") != NULL) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/fd/2", (int)getppid());
        int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0) {
            terminal.columns = columns_of(fd);
            close(fd);
        }
    }
    terminal.live = terminal.columns > 0;
    return terminal;
}

void terminal_clear(Terminal *terminal) {
    if (terminal->shown) fputs("\r\033[K", stderr);
    terminal->shown = false;
    fflush(stderr);
}

void terminal_live(Terminal *terminal, const char *text) {
    if (terminal->quiet) return;
    fprintf(stderr, "\r%s\033[K", text);
    fflush(stderr);
    terminal->shown = true;
}

void terminal_say(Terminal *terminal, const char *foreign) {
    const char *text = TEXT_SHOWN(foreign);
    terminal_clear(terminal);
    if (terminal->live) {
        fprintf(stderr, "palinode: %s\n", text);
    } else {
        char clock[16];
        time_t now = time(NULL);
        struct tm local;
        strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&now, &local));
        fprintf(stderr, "palinode: %s %s\n", clock, text);
    }
    fflush(stderr);
}

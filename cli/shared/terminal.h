/* Progress and messages on stderr: a live line where a person looks, plain lines elsewhere. */
#ifndef CLI_SHARED_TERMINAL_H
#define CLI_SHARED_TERMINAL_H

#include <stdbool.h>

typedef struct Terminal {
    bool live;  /* stderr ends on a terminal, also through mpirun */
    bool quiet; /* no progress; messages still appear */
    bool shown; /* a live line stands on the screen */
    int columns;
} Terminal;

/* Finds out where stderr ends. Under mpirun it is a pipe to mpirun, whose own stderr then tells. */
Terminal terminal_open(bool quiet);
/* Puts text in place of the live line. */
void terminal_live(Terminal *terminal, const char *text);
/* A line of its own: "palinode: <text>" above the live line; with a time of day where output is a log. */
void terminal_say(Terminal *terminal, const char *text);
/* Removes the live line. */
void terminal_clear(Terminal *terminal);

#endif

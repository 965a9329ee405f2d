/* Outcome of a library call, and the message that goes with a failure.
 *
 * Every function that can fail for a reason outside the program (a file, a user, a machine) returns a Status and fills
 * a caller-owned Error whose text names the object, the place and what was expected. Bugs are assertions; scientific
 * outcomes (a training that diverged) are data. Library code never prints and never exits. */
#ifndef PROTO_BASE_STATUS_H
#define PROTO_BASE_STATUS_H

/* The values are the program's exit codes (sysexits.h where one fits). */
typedef enum Status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,      /* finished, but trainings failed or a check did not hold */
    STATUS_USAGE = 64,      /* the command line is wrong */
    STATUS_DATA = 65,       /* a job file or a data file is wrong */
    STATUS_NO_MEMORY = 71,  /* an allocation failed */
    STATUS_IO = 74,         /* the operating system or MPI refused */
    STATUS_INCOMPLETE = 75, /* stopped early; the same command goes on */
    STATUS_TOO_MANY_FAILURES = 76
} Status;

enum { ERROR_TEXT_BYTES = 1024 };

typedef struct Error {
    char text[ERROR_TEXT_BYTES]; /* one line, no trailing newline */
} Error;

/* Writes a formatted message into err (NULL: nowhere) and returns status, so that a failure is one statement:
 *     return error_set(err, STATUS_DATA, "%s:%d: expected a number", path, line); */
Status error_set(Error *err, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Puts formatted words and ": " in front of what err already says; returns status. */
Status error_prefix(Error *err, Status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Makes the message one line that can be shown, whatever names and texts are quoted in it (text.h). */
void error_show(Error *err);

#endif

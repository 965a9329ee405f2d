/* Where results come from, as far as the program itself knows: for the headers of what it writes. */
#ifndef CLI_SHARED_PROVENANCE_H
#define CLI_SHARED_PROVENANCE_H

/* "palinode run JOB.yaml -o DIR": argv of the subcommand; malloc'd, NULL: no memory. */
char *provenance_command_line(int argc, char **argv);

#endif

/* What readers of results have to say besides the results. */
#ifndef CLI_SHARED_WARNING_H
#define CLI_SHARED_WARNING_H

/* "palinode: warning: LINE" on stderr for every line of text; nothing for "". */
void print_warnings(const char *text);

#endif

/* palinode explain without an id: a line for every training of a folder. */
#ifndef CLI_COMMANDS_EXPLAIN_LIST_H
#define CLI_COMMANDS_EXPLAIN_LIST_H

#include "jobs/job/job_list.h"

/* Prints a line a training (id, state, and the settings in which its job's trainings differ), or with json an array of
 * objects, as they come: memory stays that of the ids. */
Status explain_list(const char *dir, const JobList *jobs, bool json, char *warning, size_t warning_bytes, Error *err);

#endif

/* The claims of a job file: read as they stand there, then checked against the job's own grid once that is known whole,
 * and written again for the resolved form. Which keys a test needs and takes, and that every word and number is one
 * that can be, shows when reading; that the arms exist, and that each is exactly one configuration, when checking. */
#ifndef JOBS_CLAIMS_CLAIMS_FILE_H
#define JOBS_CLAIMS_CLAIMS_FILE_H

#include "jobs/claims/claims.h"
#include "jobs/grid/mapping.h"

#include <stdio.h>

typedef struct ClaimList {
    double alpha; /* the level that they share */
    int count;
    Claim *items; /* (count) */
} ClaimList;

/* Reads the value of the key claims in place of what *claims holds; an empty list is none. */
Status claims_file_read(Reader *reader, const YamlNode *list, ClaimList *claims, Error *err);
Status claims_file_read_alpha(Reader *reader, const YamlNode *node, ClaimList *claims, Error *err);
/* Finds the arms, seeds and default index of every claim. An error's place is the override that took away what the
 * claim needs, or else where the claim says it; it names the claim. */
Status claims_file_check(ClaimList *claims, const Grid *grid, const Source *source, Error *err);
/* As YAML that reads back to the same. */
void claims_file_print(const ClaimList *claims, FILE *out);
void claims_file_destroy(ClaimList *claims);

#endif

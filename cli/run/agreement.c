/* See agreement.h. */
#include "cli/run/agreement.h"

#include "cli/shared/provenance.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a rank has to say. */
typedef struct Opinion {
    Status status;
    Error error;
} Opinion;

/* Rank 0's command line, malloc'd, on every rank. */
static Status share(Channel *channel, const char *own, char **first, Error *err) {
    uint64_t size = own != NULL ? strlen(own) + 1 : 0;
    Status status = channel_broadcast(channel, &size, sizeof size, err);
    *first = NULL;
    if (status != STATUS_OK) return status;
    *first = size > 0 ? malloc(size) : NULL;
    if (*first == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the command line of rank 0");
    if (channel_rank(channel) == 0) memcpy(*first, own, size);
    return channel_broadcast(channel, *first, size, err);
}

/* The first rank that objects, in the words of rank 0. */
static Status first_objection(const Opinion *opinions, int n, Error *err) {
    for (int rank = 0; rank < n; rank++) {
        Status status = opinions[rank].status;
        if (status == STATUS_OK) continue;
        *err = opinions[rank].error;
        return rank == 0 ? status : error_prefix(err, status, "rank %d", rank);
    }
    return STATUS_OK;
}

Status agree_on_command_line(Channel *channel, int argc, char **argv, Status own, const Error *own_err, Status *agreed,
                             Error *err) {
    char *mine = provenance_command_line(argc, argv), *first;
    Opinion opinion = {.status = own, .error = *own_err}, *all = NULL;
    int n = channel_size(channel);
    bool judge = channel_rank(channel) == 0;
    Status status = share(channel, mine, &first, err);
    if (status == STATUS_OK && own == STATUS_OK && (mine == NULL || strcmp(mine, first) != 0))
        opinion.status = error_set(&opinion.error, STATUS_USAGE,
                                   "was started as '%.400s' and rank 0 as '%.400s': all ranks of a run take the same "
                                   "command line",
                                   mine != NULL ? mine : "?", first);
    if (status == STATUS_OK && judge && (all = malloc((size_t)n * sizeof *all)) == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for what %d ranks say of their command lines", n);
    if (status == STATUS_OK) status = channel_gather(channel, &opinion, sizeof opinion, all, err);
    *agreed = status == STATUS_OK && judge ? first_objection(all, n, err) : STATUS_OK;
    free(mine);
    free(first);
    free(all);
    return status;
}

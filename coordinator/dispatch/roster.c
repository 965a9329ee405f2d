/* See roster.h. */
#include "coordinator/dispatch/roster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static Status take_hello(Roster *roster, int from, const Bytes *bytes, int *missing, Error *err) {
    Message message;
    Status status = message_decode(bytes->data, bytes->size, &message, err);
    if (status != STATUS_OK) return error_prefix(err, status, "the first message of rank %d", from);
    if (message.kind == MESSAGE_STOP) return error_set(err, STATUS_INCOMPLETE, "rank %d was told to end", from);
    if (message.kind != MESSAGE_HELLO || roster->ranks[from].host != NULL) {
        message_free(&message);
        return error_set(err, STATUS_DATA, "rank %d did not start with one hello", from);
    }
    roster->ranks[from] = message.of.hello; /* its strings are the roster's now */
    roster->n_workers += message.of.hello.workers;
    *missing -= 1;
    return STATUS_OK;
}

Status roster_collect(Channel *channel, Roster *out, Error *err) {
    *out = (Roster){.n_ranks = channel_size(channel)};
    out->ranks = calloc((size_t)out->n_ranks, sizeof *out->ranks);
    if (out->ranks == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for a list of %d ranks", out->n_ranks);
    int missing = out->n_ranks;
    Status status = STATUS_OK;
    while (status == STATUS_OK && missing > 0) {
        bool received;
        int from;
        Bytes bytes;
        status = channel_receive(channel, INBOX_COORDINATOR, &received, &from, &bytes, err);
        if (status == STATUS_OK && received) {
            status = take_hello(out, from, &bytes, &missing, err);
            bytes_free(&bytes);
        } else if (status == STATUS_OK) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
    if (status != STATUS_OK) roster_free(out);
    return status;
}

void roster_free(Roster *roster) {
    for (int i = 0; roster->ranks != NULL && i < roster->n_ranks; i++) {
        Message message = {.kind = MESSAGE_HELLO, .of.hello = roster->ranks[i]};
        message_free(&message);
    }
    free(roster->ranks);
    *roster = (Roster){0};
}

char *roster_describe(const Roster *roster) {
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) return NULL;
    for (int i = 0; i < roster->n_ranks; i++)
        fprintf(out, "rank %d: %s, %s, %d worker%s\n", i, roster->ranks[i].host, roster->ranks[i].cpu,
                roster->ranks[i].workers, roster->ranks[i].workers == 1 ? "" : "s");
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

int roster_odd_rank(const Roster *roster) {
    for (int i = 1; i < roster->n_ranks; i++)
        if (strcmp(roster->ranks[i].fingerprint, roster->ranks[0].fingerprint) != 0) return i;
    return -1;
}

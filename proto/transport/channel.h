/* How messages travel between ranks: bytes with an addressee, never blocking. channel.c is the only user of MPI.
 *
 * Every rank has two inboxes: one for its agent and, on rank 0, one for the coordinator. Messages from one rank to one
 * inbox arrive in the order in which they were sent. What a rank sends to itself stays in the process. */
#ifndef PROTO_TRANSPORT_CHANNEL_H
#define PROTO_TRANSPORT_CHANNEL_H

#include "proto/wire/codec.h"

typedef struct Channel Channel;

/* The tags of all messages. */
typedef enum Inbox { INBOX_AGENT = 1, INBOX_COORDINATOR = 2, INBOX_COUNT = 3 } Inbox;

/* Starts MPI (a process that mpirun did not start is rank 0 of 1) on a communicator of its own. Collective. Open MPI 4
 * does not come back from a start that fails: it says why and calls exit. */
Status channel_open(Channel **out, Error *err);
/* Waits for what was sent, meets all ranks, ends MPI. What arrives meanwhile is dropped. Collective. STATUS_IO also
 * when some rank does not come within half a minute: MPI is then not ended, the process should end. Accepts NULL. */
Status channel_close(Channel *channel, Error *err);

int channel_rank(const Channel *channel);
int channel_size(const Channel *channel);
/* "Open MPI v4.1.4, ..": the library really loaded. */
const char *channel_library(const Channel *channel);

/* Takes over bytes (also on failure) and sends them. */
Status channel_send(Channel *channel, int to, Inbox inbox, Bytes bytes, Error *err);
/* Something sent has not left yet: it moves on while this rank looks for messages, so it should not sleep long. */
bool channel_sending(const Channel *channel);
/* Encodes and sends. */
Status channel_send_message(Channel *channel, int to, Inbox inbox, const Message *message, Error *err);
/* The next message waiting in an inbox: *received tells whether there was one; out is freed by bytes_free. */
Status channel_receive(Channel *channel, Inbox inbox, bool *received, int *from, Bytes *out, Error *err);

/* Rank 0's size bytes at data go to every rank. Collective. */
Status channel_broadcast(Channel *channel, void *data, size_t size, Error *err);
/* Every rank contributes size bytes at mine; all of rank 0 gets size bytes of each, in rank order, other ranks
 * may give NULL. Collective. */
Status channel_gather(Channel *channel, const void *mine, size_t size, void *all, Error *err);
/* Every rank on this node contributes size bytes at mine; *all (malloc'd) gets n x size bytes in rank order and *me
 * this rank's place among them. Collective. */
Status channel_gather_node(Channel *channel, const void *mine, size_t size, void **all, int *n, int *me, Error *err);

#endif

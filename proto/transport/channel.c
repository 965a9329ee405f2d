/* See channel.h. Sends are MPI_Isend of a buffer that the channel owns until it has left; receives are a matched probe,
 * so that the buffer is made to measure. Errors of MPI come back as STATUS_IO with MPI's own words. */
#include "proto/transport/channel.h"

#include "proto/transport/launcher.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct Outgoing {
    MPI_Request request;
    Bytes bytes;
} Outgoing;

typedef struct Local {
    struct Local *next;
    Bytes bytes;
} Local;

struct Channel {
    MPI_Comm communicator;
    int rank, size;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];
    Outgoing *outgoing; /* sends under way */
    int n_outgoing, outgoing_capacity;
    Local *local_first[INBOX_COUNT], *local_last[INBOX_COUNT]; /* from this rank to itself, oldest first */
};

static Status mpi_status(int code, const char *what, Error *err) {
    if (code == MPI_SUCCESS) return STATUS_OK;
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length = 0;
    MPI_Error_string(code, text, &length);
    return error_set(err, STATUS_IO, "%s: %s", what, text);
}

/* Other threads of this process never call MPI. */
static int start_mpi(void) {
    int provided;
    launcher_forget_lone_task();
    /* Without mpirun MPI would start a daemon of its own, for spawning processes that palinode never spawns. */
    setenv("OMPI_MCA_ess_singleton_isolated", "1", 0);
    return MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
}

Status channel_open(Channel **out, Error *err) {
    Status status = launcher_check(err);
    if (status != STATUS_OK) return status;
    Channel *channel = calloc(1, sizeof *channel);
    if (channel == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the channel between ranks");
    int length;
    status = mpi_status(start_mpi(), "cannot start MPI", err);
    if (status != STATUS_OK) {
        free(channel);
        return status;
    }
    int code = MPI_Comm_dup(MPI_COMM_WORLD, &channel->communicator);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_name(channel->communicator, "palinode");
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(channel->communicator, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(channel->communicator, &channel->rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(channel->communicator, &channel->size);
    if (code == MPI_SUCCESS) code = MPI_Get_library_version(channel->library, &length);
    channel->library[strcspn(channel->library, ",\n")] = '\0';
    *out = channel;
    return mpi_status(code, "cannot set up the communicator", err);
}

int channel_rank(const Channel *channel) {
    return channel->rank;
}

int channel_size(const Channel *channel) {
    return channel->size;
}

const char *channel_library(const Channel *channel) {
    return channel->library;
}

/* Frees the buffers of sends that have left. */
static Status collect_outgoing(Channel *channel, Error *err) {
    int kept = 0, code = MPI_SUCCESS;
    for (int i = 0; i < channel->n_outgoing; i++) {
        Outgoing *outgoing = &channel->outgoing[i];
        int left = 1;
        int one = MPI_Test(&outgoing->request, &left, MPI_STATUS_IGNORE);
        if (one != MPI_SUCCESS) code = one;
        if (left)
            bytes_free(&outgoing->bytes);
        else
            channel->outgoing[kept++] = *outgoing;
    }
    channel->n_outgoing = kept;
    return mpi_status(code, "cannot send a message", err);
}

bool channel_sending(const Channel *channel) {
    return channel->n_outgoing > 0;
}

static Status queue_local(Channel *channel, Inbox inbox, Bytes bytes, Error *err) {
    Local *local = malloc(sizeof *local);
    if (local == NULL) {
        Status status = error_set(err, STATUS_NO_MEMORY, "no memory for a message of %zu bytes", bytes.size);
        bytes_free(&bytes);
        return status;
    }
    *local = (Local){.bytes = bytes};
    if (channel->local_last[inbox] != NULL)
        channel->local_last[inbox]->next = local;
    else
        channel->local_first[inbox] = local;
    channel->local_last[inbox] = local;
    return STATUS_OK;
}

Status channel_send(Channel *channel, int to, Inbox inbox, Bytes bytes, Error *err) {
    if (to == channel->rank) return queue_local(channel, inbox, bytes, err);
    Status status = collect_outgoing(channel, err);
    if (status == STATUS_OK && bytes.size > INT_MAX)
        status = error_set(err, STATUS_DATA, "a message of %zu bytes is larger than MPI carries", bytes.size);
    if (status == STATUS_OK && channel->n_outgoing == channel->outgoing_capacity) {
        int capacity = channel->outgoing_capacity * 2 + 16;
        Outgoing *more = realloc(channel->outgoing, (size_t)capacity * sizeof *more);
        if (more == NULL)
            status = error_set(err, STATUS_NO_MEMORY, "no memory for %d messages under way", capacity);
        else {
            channel->outgoing = more;
            channel->outgoing_capacity = capacity;
        }
    }
    if (status != STATUS_OK) {
        bytes_free(&bytes);
        return status;
    }
    Outgoing *outgoing = &channel->outgoing[channel->n_outgoing];
    outgoing->bytes = bytes;
    int code =
        MPI_Isend(bytes.data, (int)bytes.size, MPI_BYTE, to, (int)inbox, channel->communicator, &outgoing->request);
    if (code == MPI_SUCCESS)
        channel->n_outgoing++;
    else
        bytes_free(&bytes);
    return mpi_status(code, "cannot send a message", err);
}

Status channel_send_message(Channel *channel, int to, Inbox inbox, const Message *message, Error *err) {
    Bytes bytes;
    Status status = message_encode(message, &bytes, err);
    return status == STATUS_OK ? channel_send(channel, to, inbox, bytes, err) : status;
}

Status channel_receive(Channel *channel, Inbox inbox, bool *received, int *from, Bytes *out, Error *err) {
    *received = false;
    Local *local = channel->local_first[inbox];
    if (local != NULL) {
        channel->local_first[inbox] = local->next;
        if (local->next == NULL) channel->local_last[inbox] = NULL;
        *out = local->bytes;
        *from = channel->rank;
        *received = true;
        free(local);
        return STATUS_OK;
    }
    if (channel->size == 1) return STATUS_OK;
    Status status = collect_outgoing(channel, err);
    if (status != STATUS_OK) return status;
    MPI_Message message;
    MPI_Status where;
    int found = 0, size = 0, code = MPI_SUCCESS;
    /* One probe only drives the progress engine; the second then sees what has just arrived. */
    for (int i = 0; i < 2 && !found && code == MPI_SUCCESS; i++)
        code = MPI_Improbe(MPI_ANY_SOURCE, (int)inbox, channel->communicator, &found, &message, &where);
    if (code != MPI_SUCCESS || !found) return mpi_status(code, "cannot look for messages", err);
    code = MPI_Get_count(&where, MPI_BYTE, &size);
    if (code != MPI_SUCCESS) return mpi_status(code, "cannot read a message's size", err);
    *out = (Bytes){.data = malloc(size > 0 ? (size_t)size : 1), .size = (size_t)size};
    if (out->data == NULL)
        return error_set(err, STATUS_NO_MEMORY, "cannot allocate %d bytes for a message from rank %d", size,
                         where.MPI_SOURCE);
    code = MPI_Mrecv(out->data, size, MPI_BYTE, &message, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS) {
        bytes_free(out);
        return mpi_status(code, "cannot receive a message", err);
    }
    *from = where.MPI_SOURCE;
    *received = true;
    return STATUS_OK;
}

Status channel_gather(Channel *channel, const void *mine, size_t size, void *all, Error *err) {
    if (size > INT_MAX) return error_set(err, STATUS_DATA, "cannot gather %zu bytes", size);
    return mpi_status(MPI_Gather(mine, (int)size, MPI_BYTE, all, (int)size, MPI_BYTE, 0, channel->communicator),
                      "cannot gather from the ranks", err);
}

Status channel_broadcast(Channel *channel, void *data, size_t size, Error *err) {
    if (size > INT_MAX) return error_set(err, STATUS_DATA, "cannot broadcast %zu bytes", size);
    return mpi_status(MPI_Bcast(data, (int)size, MPI_BYTE, 0, channel->communicator), "cannot broadcast", err);
}

Status channel_gather_node(Channel *channel, const void *mine, size_t size, void **all, int *n, int *me, Error *err) {
    MPI_Comm node;
    *all = NULL;
    int code = MPI_Comm_split_type(channel->communicator, MPI_COMM_TYPE_SHARED, channel->rank, MPI_INFO_NULL, &node);
    if (code != MPI_SUCCESS) return mpi_status(code, "cannot find the ranks of this node", err);
    code = MPI_Comm_size(node, n);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(node, me);
    Status status = mpi_status(code, "cannot count the ranks of this node", err);
    if (status == STATUS_OK && (*all = malloc((size_t)*n * size)) == NULL)
        status = error_set(err, STATUS_NO_MEMORY, "no memory for what %d ranks of a node say", *n);
    if (status == STATUS_OK)
        status = mpi_status(MPI_Allgather(mine, (int)size, MPI_BYTE, *all, (int)size, MPI_BYTE, node),
                            "cannot gather from the ranks of this node", err);
    MPI_Comm_free(&node);
    return status;
}

/* Meets all ranks when what this one sent has left. It goes on taking messages, else a rank with a large last message
 * for this one could never come. Counts pauses, not time: a whole job may be suspended here. */
static Status meet_all(Channel *channel, Error *err) {
    enum { PAUSE_NS = 1000000, MOST_PAUSES = 30000 };
    MPI_Request meeting = MPI_REQUEST_NULL;
    int met = 0, from, code = MPI_SUCCESS;
    bool entered = false, received;
    Bytes bytes;
    Status status = STATUS_OK;
    for (int i = 0; status == STATUS_OK && !met; i++) {
        if (i == MOST_PAUSES) return error_set(err, STATUS_IO, "some rank does not come to the end");
        if (i > 0) nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        for (Inbox inbox = INBOX_AGENT; inbox < INBOX_COUNT && status == STATUS_OK; inbox++)
            do {
                status = channel_receive(channel, inbox, &received, &from, &bytes, err);
                if (received) bytes_free(&bytes);
            } while (status == STATUS_OK && received);
        if (status == STATUS_OK && !entered && !channel_sending(channel)) {
            code = MPI_Ibarrier(channel->communicator, &meeting);
            entered = true;
        }
        if (code == MPI_SUCCESS && entered) code = MPI_Test(&meeting, &met, MPI_STATUS_IGNORE);
        if (status == STATUS_OK) status = mpi_status(code, "cannot meet all ranks", err);
    }
    return status;
}

Status channel_close(Channel *channel, Error *err) {
    if (channel == NULL) return STATUS_OK;
    Status status = meet_all(channel, err);
    if (status != STATUS_OK) return status; /* ending MPI would wait for the same rank */
    int code = MPI_Comm_free(&channel->communicator);
    if (code == MPI_SUCCESS) code = MPI_Finalize();
    free(channel->outgoing);
    free(channel);
    return mpi_status(code, "cannot end MPI", err);
}

/* A rank: takes work from the coordinator, has the nursery start a child for each piece, and passes on what the
 * children say.
 *
 * The agent computes nothing itself: frames of children go to the coordinator as they are, but only those that make
 * sense. A child that ends without an answer, talks nonsense or has been silent for too long (vigil.h) becomes a
 * MESSAGE_FAILED with the reason and whose fault it is. Waiting costs next to nothing: agent_wait sleeps on the
 * children's sockets and looks for messages of other ranks with growing pauses. */
#ifndef WORKER_PROCESS_AGENT_H
#define WORKER_PROCESS_AGENT_H

#include "proto/transport/channel.h"
#include "worker/process/nursery.h"

typedef struct Agent Agent;

/* Tells the coordinator (rank 0) that this rank has `workers` places for children, and which numerics it will compute
 * with. */
Status agent_create(Channel *channel, Nursery *nursery, int workers, const char *kernels, Agent **out, Error *err);
/* The CPU time without progress that a child is granted at least (VIGIL_PATIENCE_S unless set): for tests. */
void agent_set_patience(Agent *agent, double patience_s);
/* Kills the children that run. Accepts NULL. */
void agent_free(Agent *agent);

/* Does what can be done without waiting; *moved is set when there was something. */
Status agent_step(Agent *agent, bool *moved, Error *err);
/* Stopped by the coordinator, and no child is left. */
bool agent_finished(const Agent *agent);
/* Sleeps until a child has something to say or pause_ns have passed. */
void agent_wait(Agent *agent, long pause_ns);

#endif

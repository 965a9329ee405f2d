/* A child process: takes one piece of work from its socket, does it, and sends back progress and records. */
#ifndef WORKER_PROCESS_TRIAL_H
#define WORKER_PROCESS_TRIAL_H

/* A ChildMain (nursery.h; the context is not used): reads a MESSAGE_WORK frame, answers with MESSAGE_PROGRESS frames
 * and one MESSAGE_DONE, MESSAGE_FAILED or, told to drain by a MESSAGE_DRAIN frame, MESSAGE_PAUSED. The records' rank is
 * -1: the coordinator, which knows who sent them, fills it in. Exit code 0 when it could answer. */
int trial_main(void *context, int fd);

#endif

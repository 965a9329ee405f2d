/* See nursery.h. Rank and nursery talk over a SOCK_SEQPACKET pair: orders one way (a child's socket travels with its
 * order by SCM_RIGHTS), news the other. The pair is close-on-exec: a daemon that MPI_Init starts must not inherit it,
 * or the nursery would never see the end of its rank. The nursery never blocks on its rank: with many places each could
 * otherwise wait for the other to read. */
#include "worker/process/nursery.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

typedef enum OrderKind { ORDER_SPAWN = 1, ORDER_KILL = 2 } OrderKind;

typedef struct Order {
    OrderKind kind;
    uint64_t token;
} Order;

struct Nursery {
    pid_t pid;
    int socket;
};

/* --- the nursery's own process ---------------------------------------------------------------------------------- */

typedef struct Child {
    ChildNews news; /* pid 0: ended, but the rank has not been told yet */
    bool told;      /* that it has started */
} Child;

typedef struct House {
    ChildMain child_main;
    void *context;
    int socket, signals;
    Child *children;
    int n_children, capacity;
} House;

/* What asks a run to end is for its ranks, who then tell the children; but srun and scancel signal every process of a
 * job. */
static void set_signals(void) {
    static const int for_ranks[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL); /* fails harmlessly for SIGKILL, SIGSTOP and reserved numbers */
    for (size_t i = 0; i < sizeof for_ranks / sizeof for_ranks[0]; i++)
        signal(for_ranks[i], SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a checkpoint that grows too large is an error like a full disk */
}

/* Dies with the process that made it, even if that happened before the request took effect. */
static void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
}

/* Tells the rank who has started and ended, as far as its socket takes it; true when all is told. */
static bool tell_news(House *house) {
    for (int i = 0; i < house->n_children;) {
        Child *child = &house->children[i];
        bool ended = child->news.pid == 0;
        if (ended || !child->told) {
            ssize_t n = send(house->socket, &child->news, sizeof child->news, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) continue;
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
            child->told = true;
        }
        if (ended)
            *child = house->children[--house->n_children];
        else
            i++;
    }
    return true;
}

static pid_t fork_child(House *house, int fd) {
    pid_t nursery = getpid(), pid = fork();
    if (pid != 0) return pid;
    sigset_t none;
    setpgid(0, 0);
    die_with(nursery);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    close(house->socket);
    close(house->signals);
    _exit(house->child_main(house->context, fd));
}

/* fd < 0: the socket was lost on its way, for want of descriptors. */
static void spawn(House *house, uint64_t token, int fd) {
    if (house->n_children == house->capacity) {
        int capacity = house->capacity * 2 + 16;
        Child *more = realloc(house->children, (size_t)capacity * sizeof *more);
        if (more == NULL) _exit(1); /* the rank sees its nursery die */
        house->children = more;
        house->capacity = capacity;
    }
    Child child = {.news = {.token = token, .fork_errno = fd < 0 ? EMFILE : 0}};
    pid_t pid = fd >= 0 ? fork_child(house, fd) : 0;
    if (pid < 0)
        child.news.fork_errno = errno;
    else
        child.news.pid = pid;
    house->children[house->n_children++] = child;
    if (fd >= 0) close(fd);
}

static void obey(House *house, const Order *order, int fd) {
    if (order->kind == ORDER_SPAWN) spawn(house, order->token, fd);
    if (order->kind == ORDER_KILL)
        for (int i = 0; i < house->n_children; i++)
            if (house->children[i].news.token == order->token && house->children[i].news.pid != 0)
                kill(house->children[i].news.pid, SIGKILL);
}

/* False when the rank has closed its end. */
static bool take_order(House *house) {
    Order order;
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = &order, .iov_len = sizeof order};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(house->socket, &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (n != (ssize_t)sizeof order) return false;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    int fd = -1;
    if (head != NULL && head->cmsg_type == SCM_RIGHTS) memcpy(&fd, CMSG_DATA(head), sizeof fd);
    obey(house, &order, fd);
    return true;
}

static void bury(House *house) {
    int wait_status;
    pid_t pid;
    while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
        for (int i = 0; i < house->n_children; i++)
            if (house->children[i].news.pid == pid) {
                house->children[i].news.pid = 0;
                house->children[i].news.wait_status = wait_status;
            }
}

static _Noreturn void nursery_main(House *house) {
    bool open = house->signals >= 0, all_told = true;
    while (open) {
        struct pollfd waiting[2] = {{.fd = house->socket, .events = (short)(POLLIN | (all_told ? 0 : POLLOUT))},
                                    {.fd = house->signals, .events = POLLIN}};
        if (poll(waiting, 2, -1) < 0) {
            if (errno == EINTR) continue;
            break;
        }
        if (waiting[1].revents != 0) {
            struct signalfd_siginfo ignored;
            while (read(house->signals, &ignored, sizeof ignored) > 0)
                ;
        }
        bury(house);
        if ((waiting[0].revents & ~POLLOUT) != 0) open = take_order(house);
        all_told = tell_news(house);
    }
    for (int i = 0; i < house->n_children; i++)
        if (house->children[i].news.pid != 0) kill(house->children[i].news.pid, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0)
        ;
    _exit(0);
}

/* --- the rank's side -------------------------------------------------------------------------------------------- */

Status nursery_start(ChildMain child_main, void *context, Nursery **out, Error *err) {
    int ends[2];
    sigset_t child_signal;
    Nursery *nursery = calloc(1, sizeof *nursery);
    if (nursery == NULL) return error_set(err, STATUS_NO_MEMORY, "no memory for the process that starts trainings");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        free(nursery);
        return error_set(err, STATUS_IO, "cannot make a socket pair: %s", strerror(errno));
    }
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    pid_t rank = getpid();
    nursery->pid = fork();
    if (nursery->pid < 0) {
        close(ends[0]);
        close(ends[1]);
        free(nursery);
        return error_set(err, STATUS_IO, "cannot fork: %s", strerror(errno));
    }
    if (nursery->pid == 0) {
        close(ends[0]);
        setpgid(0, 0); /* spared by ^C and by the signals that mpirun forwards to the ranks' groups */
        die_with(rank);
        prctl(PR_SET_NAME, "palinode:nurse");
        set_signals();
        sigprocmask(SIG_SETMASK, &child_signal, NULL);
        House house = {.child_main = child_main,
                       .context = context,
                       .socket = ends[1],
                       .signals = signalfd(-1, &child_signal, SFD_CLOEXEC | SFD_NONBLOCK)};
        nursery_main(&house);
    }
    close(ends[1]);
    nursery->socket = ends[0];
    *out = nursery;
    return STATUS_OK;
}

static Status order(Nursery *nursery, Order what, int fd, Error *err) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec part = {.iov_base = &what, .iov_len = sizeof what};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(head), &fd, sizeof fd);
    }
    ssize_t n;
    while ((n = sendmsg(nursery->socket, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    if (n < 0) return error_set(err, STATUS_IO, "the process that starts trainings is gone: %s", strerror(errno));
    return STATUS_OK;
}

Status nursery_spawn(Nursery *nursery, uint64_t token, int fd, Error *err) {
    Status status = order(nursery, (Order){.kind = ORDER_SPAWN, .token = token}, fd, err);
    close(fd);
    return status;
}

Status nursery_kill(Nursery *nursery, uint64_t token, Error *err) {
    kill(nursery->pid, SIGCONT); /* should somebody have stopped it, it could not obey */
    return order(nursery, (Order){.kind = ORDER_KILL, .token = token}, -1, err);
}

Status nursery_news(Nursery *nursery, bool *any, ChildNews *out, Error *err) {
    ssize_t n;
    *any = false;
    while ((n = recv(nursery->socket, out, sizeof *out, MSG_DONTWAIT)) < 0 && errno == EINTR)
        ;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return STATUS_OK;
    if (n != (ssize_t)sizeof *out) return error_set(err, STATUS_IO, "the process that starts trainings died");
    *any = true;
    return STATUS_OK;
}

int nursery_fd(const Nursery *nursery) {
    return nursery->socket;
}

void nursery_stop(Nursery *nursery) {
    if (nursery == NULL) return;
    close(nursery->socket);
    kill(nursery->pid, SIGCONT); /* as for a kill */
    while (waitpid(nursery->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    free(nursery);
}

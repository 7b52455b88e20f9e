/* A provider for measurements: it speaks Chat Completions, knows no model, and costs next to nothing.
 *
 *   provider                      listens on a free port of 127.0.0.1, prints it, and serves until it is killed
 *
 * A whole answer comes at once. A streamed one has EVENTS words, GAP milliseconds apart, as the model's name ends in
 * `-EVENTS-GAP`; else 20 words 20 ms apart. The first word comes with the head, the terminal frames one gap after the
 * last word. GET answers the list of its one model. Usage is reported always, in streams to whoever asks for it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 16, AT_ONCE = 512, PIECE = 1 << 18, SAID_AT_ONCE = 1 << 17, DEFAULT_EVENTS = 20, DEFAULT_GAP_MS = 20 };

#define HEADERS "\r\nx-request-id: req_bench\r\n"
#define WHOLE "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1750000000,\"model\":\"bench\"," \
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"The painter's three primary colours " \
    "are red, blue and yellow.\"},\"logprobs\":null,\"finish_reason\":\"stop\"}]," \
    "\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":16,\"total_tokens\":40}}"
#define LIST "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\",\"created\":1750000000," \
    "\"owned_by\":\"bench\"}]}"
#define FRAME "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1750000000," \
    "\"model\":\"bench\",\"choices\":"

/* A connection: the bytes of its request, and where its stream stands. place: in the heap, or -1. */
struct client {
    int fd, place;
    char *in;
    size_t have, room, head, need;
    bool chunked, usage;
    long events, told;
    uint64_t gap_us, due;
};

static struct client *clients[MOST], *heap[MOST];
static int waiting;

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- who is due next: a binary heap of streams --- */

static void put_at(int place, struct client *c) { heap[place] = c; c->place = place; }

static void rise(int place) {
    struct client *c = heap[place];
    for (; place && c->due < heap[(place - 1) / 2]->due; place = (place - 1) / 2) put_at(place, heap[(place - 1) / 2]);
    put_at(place, c);
}

static void sink(int place) {
    struct client *c = heap[place];
    for (int below; (below = 2 * place + 1) < waiting; place = below) {
        if (below + 1 < waiting && heap[below + 1]->due < heap[below]->due) below++;
        if (c->due <= heap[below]->due) break;
        put_at(place, heap[below]);
    }
    put_at(place, c);
}

static void wait_until(struct client *c, uint64_t due) {
    c->due = due;
    put_at(waiting, c);
    rise(waiting++);
}

static void no_wait(struct client *c) {
    if (c->place < 0) return;
    struct client *last = heap[--waiting];
    if (last != c) {
        put_at(c->place, last);
        rise(last->place);
        sink(last->place);
    }
    c->place = -1;
}

/* --- talking --- */

static void drop(struct client *c) {
    no_wait(c);
    close(c->fd);
    clients[c->fd] = NULL;
    free(c->in);
    free(c);
}

/* Send all of it. Who does not read is waited for, for a second, and then dropped; answers fit into a socket's buffer. */
static bool say(struct client *c, const char *text, size_t size) {
    while (size) {
        ssize_t n = send(c->fd, text, size, MSG_NOSIGNAL);
        if (n < 0) {
            struct pollfd room = {.fd = c->fd, .events = POLLOUT};
            if (errno == EINTR || (errno == EAGAIN && poll(&room, 1, 1000) == 1)) continue;
            drop(c);
            return false;
        }
        text += n;
        size -= (size_t)n;
    }
    return true;
}

/* One frame in one chunk of the body, written at `at`; its end. */
static char *frame(char *at, const char *choices, const char *more) {
    char body[512];
    int n = snprintf(body, sizeof body, "data: " FRAME "%s%s}\n\n", choices, more);
    return at + sprintf(at, "%x\r\n%s\r\n", n, body);
}

static char *word(char *at, long number) {
    char choices[128];
    snprintf(choices, sizeof choices, "[{\"index\":0,\"delta\":{\"content\":\" word%ld\"},\"finish_reason\":null}]", number);
    return frame(at, choices, "");
}

static char *last(char *at, const struct client *c) {
    char usage[160];
    at = frame(at, "[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]", "");
    if (c->usage) {
        snprintf(usage, sizeof usage, ",\"usage\":{\"prompt_tokens\":24,\"completion_tokens\":%ld,\"total_tokens\":%ld}",
                 c->events, c->events + 24);
        at = frame(at, "[]", usage);
    }
    return at + sprintf(at, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

/* What a stream says now; with a gap of 0 all of it. True if it goes on later. */
static bool tell(struct client *c, char *from) {
    static char room[SAID_AT_ONCE];
    char *at = from ? stpcpy(room, from) : room;
    do {
        at = c->told < c->events ? word(at, c->told) : last(at, c);
        c->told++;
    } while (c->told <= c->events && !c->gap_us && at - room < SAID_AT_ONCE - 2048);
    if (!say(c, room, (size_t)(at - room)) || c->told > c->events) return false;
    return true;
}

static bool stream(struct client *c) {
    static char head[1024];
    char *at = stpcpy(head, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked" HEADERS "\r\n");
    frame(at, "[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]", "");
    c->told = 0;
    if (!tell(c, head)) return false;
    wait_until(c, now_us() + c->gap_us);
    return true;
}

static bool whole(struct client *c, const char *body) {
    char answer[2048];
    int n = sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu" HEADERS "\r\n%s",
                    strlen(body), body);
    return say(c, answer, (size_t)n);
}

/* Whether a member of the body is true. */
static bool is_true(const char *body, size_t size, const char *name) {
    const char *at = memmem(body, size, name, strlen(name)), *end = body + size;
    if (!at) return false;
    for (at += strlen(name); at < end && (*at == ' ' || *at == ':'); at++);
    return end - at >= 4 && !memcmp(at, "true", 4);
}

/* Reads what is asked for, which has come whole; c->events is 0 for a whole answer. */
static void understand(struct client *c) {
    const char *body = c->in + c->head;
    size_t size = c->need - c->head;
    c->events = is_true(body, size, "\"stream\"") ? DEFAULT_EVENTS : 0;
    c->usage = is_true(body, size, "\"include_usage\"");
    c->gap_us = DEFAULT_GAP_MS * 1000;
    const char *name = memmem(body, size, "\"model\"", 7), *end = body + size;
    if (!c->events || !name) return;
    name = memchr(name + 7, '"', (size_t)(end - name - 7));
    const char *close = name ? memchr(name + 1, '"', (size_t)(end - name - 1)) : NULL;
    char model[128] = "", *gap, *events;
    if (!close || close - name > (long)sizeof model) return;
    memcpy(model, name + 1, (size_t)(close - name - 1));
    if (!(gap = strrchr(model, '-'))) return;
    *gap++ = 0;
    if (!(events = strrchr(model, '-')) || atol(events + 1) < 1) return;
    c->events = atol(events + 1);
    c->gap_us = strtoul(gap, NULL, 10) * 1000;
}

/* Whether a request has come whole; sets where its body begins and ends. A chunked one is JSON, so that no line of it
 * looks like a last chunk. */
static bool complete(struct client *c) {
    if (!c->head) {
        char *end = memmem(c->in, c->have, "\r\n\r\n", 4);
        if (!end) return false;
        c->head = (size_t)(end + 4 - c->in);
        c->need = c->head;
        c->chunked = false;
        for (char *line = c->in; line < end; line = memchr(line, '\n', (size_t)(end + 2 - line)) + 1) {
            if (!strncasecmp(line, "content-length:", 15)) c->need += strtoul(line + 15, NULL, 10);
            if (!strncasecmp(line, "transfer-encoding:", 18)) c->chunked = true;
        }
    }
    if (!c->chunked) return c->have >= c->need;
    char *end = memmem(c->in + c->head, c->have - c->head, "\r\n0\r\n\r\n", 7);
    if (end) c->need = (size_t)(end + 7 - c->in);
    return end != NULL;
}

/* Answer what has come whole, unless a stream still runs. */
static void serve(struct client *c) {
    while (c->place < 0 && c->have && complete(c)) {
        bool asks = !strncmp(c->in, "POST", 4);
        if (asks) understand(c);
        c->have -= c->need;
        memmove(c->in, c->in + c->need, c->have);
        c->head = 0;
        int fd = c->fd;
        if (asks && c->events) stream(c);
        else whole(c, asks ? WHOLE : LIST);
        if (clients[fd] != c) return;
    }
}

static void hear(struct client *c) {
    if (c->room - c->have < PIECE) {
        c->room = c->room * 2 + 2 * PIECE;
        c->in = realloc(c->in, c->room);
        if (!c->in) abort();
    }
    ssize_t n = recv(c->fd, c->in + c->have, PIECE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        drop(c);
        return;
    }
    c->have += (size_t)n;
    serve(c);
}

static void welcome(int door, int ep) {
    for (int fd, on = 1; (fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        struct client *c = fd < MOST ? calloc(1, sizeof *c) : NULL;
        if (!c) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        *c = (struct client){.fd = fd, .place = -1};
        clients[fd] = c;
        epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){.events = EPOLLIN, .data.fd = fd});
    }
}

int main(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof here;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    signal(SIGPIPE, SIG_IGN);
    int door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ep = epoll_create1(0);
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (bind(door, (void *)&here, size) || listen(door, 4096) || getsockname(door, (void *)&here, &size)) {
        perror("provider");
        return 1;
    }
    printf("%d\n", ntohs(here.sin_port));
    fflush(stdout);
    epoll_ctl(ep, EPOLL_CTL_ADD, door, &(struct epoll_event){.events = EPOLLIN, .data.fd = door});
    epoll_ctl(ep, EPOLL_CTL_ADD, clock, &(struct epoll_event){.events = EPOLLIN, .data.fd = clock});
    for (struct epoll_event events[AT_ONCE];;) {
        struct itimerspec next = {0};
        if (waiting) {
            next.it_value.tv_sec = (time_t)(heap[0]->due / 1000000);
            next.it_value.tv_nsec = (long)(heap[0]->due % 1000000 * 1000);
        }
        timerfd_settime(clock, TFD_TIMER_ABSTIME, &next, NULL);
        int n = epoll_wait(ep, events, AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == door) welcome(door, ep);
            else if (fd != clock && clients[fd]) hear(clients[fd]);
        }
        for (uint64_t now = now_us(); waiting && heap[0]->due <= now;) {
            struct client *c = heap[0];
            int fd = c->fd;
            no_wait(c);
            if (tell(c, NULL)) wait_until(c, c->due + c->gap_us);
            else if (clients[fd] == c) serve(c);
        }
    }
}

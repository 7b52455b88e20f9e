/* Clients for measurements: one event loop, keep-alive connections, whole answers and streams.
 *
 *   load -p PORT -P PATH -c CONNECTIONS [-b FILE] [-H 'Name: value']... [-s SECONDS] [-n CALLS] [-r RATE] [-e SECONDS]
 *        [-m MARK -k TIMES]
 *
 * -b: the body, sent by POST; without it GET · -s, -n: no call begins after so many seconds, or calls; what runs is
 * waited for, 60 s at most · -r: calls fall due RATE times a second, whatever became of those before, and their times
 * count from there; without it each connection calls again as soon as it is answered · -e: the connections begin spread
 * over so many seconds · -m, -k: an answer is good only if it holds MARK so many times; the times between two marks of
 * an answer are the gaps, so that what comes behind the last one is in none.
 *
 * Prints one JSON object: seconds (from the first to the last call), in_time (good ones before SECONDS were over), good,
 * bad by reason (a status, `short`, `broken`, `refused`, `unfinished`), and n, p50, p90, p99 and max of total_ms (to the
 * last byte), first_ms (to the first byte of the body) and gap_ms, over good answers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
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

enum { MOST = 20000, AT_ONCE = 512, PIECE = 1 << 16, MOST_MARKS = 4096, PATIENCE_US = 60000000 };
enum framing { BY_LENGTH, BY_CHUNKS, BY_CLOSE };
enum chunk { SIZE, DATA, DATA_END, TRAILER };

struct times {
    uint32_t *us;
    size_t n, room;
};

struct conn {
    int fd;
    bool busy, headed, closes;
    char head[8192];
    size_t head_n, unsent;
    int status;
    enum framing framing;
    enum chunk chunk;
    uint64_t left, began, first;
    size_t line_n, matched;
    long marks;
    uint64_t marked[MOST_MARKS];
};

static struct conn *conns;
static int *idle, idle_n, connections = 1, ep;
static struct sockaddr_in there = {.sin_family = AF_INET};
static char *request;
static size_t request_n;
static const char *mark = "";
static long times_wanted;
static struct times total, first, gap;
static uint64_t good, in_time, bad_status[1000], cut_short, broken, refused, last_end, stop_at = UINT64_MAX;

static uint64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void note(struct times *t, uint64_t us) {
    if (t->n == t->room) {
        t->room = t->room ? 2 * t->room : 4096;
        t->us = realloc(t->us, t->room * sizeof *t->us);
        if (!t->us) abort();
    }
    t->us[t->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double share(const struct times *t, double of) {
    return t->n ? t->us[(size_t)(of * (double)(t->n - 1) + 0.5)] / 1000.0 : 0;
}

static void show(const char *name, struct times *t) {
    if (t->n) qsort(t->us, t->n, sizeof *t->us, by_size);
    printf(", \"%s\": {\"n\": %zu, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name, t->n, share(t, 0.5),
           share(t, 0.9), share(t, 0.99), share(t, 1));
}

/* --- a call --- */

static void hang_up(struct conn *c) {
    close(c->fd);
    c->fd = -1;
}

static void rest(struct conn *c) {
    c->busy = false;
    idle[idle_n++] = (int)(c - conns);
}

static void done(struct conn *c, uint64_t now) {
    last_end = now;
    if (c->status != 200) bad_status[c->status % 1000]++;
    else if (*mark && c->marks != times_wanted) cut_short++;
    else {
        good++;
        in_time += now <= stop_at;
        note(&total, now - c->began);
        note(&first, (c->first ? c->first : now) - c->began);
        for (long i = 1; i < c->marks && i < MOST_MARKS; i++) note(&gap, c->marked[i] - c->marked[i - 1]);
    }
    if (c->closes) hang_up(c);
    rest(c);
}

static void fail(struct conn *c, uint64_t *reason) {
    ++*reason;
    last_end = now_us();
    if (c->fd >= 0) hang_up(c);
    rest(c);
}

static bool dial(struct conn *c) {
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (void *)&there, sizeof there)) return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event wanted = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.u32 = (uint32_t)(c - conns)};
    return !epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &wanted);
}

static void push(struct conn *c) {
    while (c->busy && c->unsent) {
        ssize_t n = send(c->fd, request + request_n - c->unsent, c->unsent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return; /* epoll tells when there is room */
        if (n < 0) {
            fail(c, &broken);
            return;
        }
        c->unsent -= (size_t)n;
    }
}

static void call(uint64_t due) {
    struct conn *c = &conns[idle[--idle_n]];
    c->busy = true;
    c->headed = c->closes = false;
    c->head_n = c->line_n = c->matched = 0;
    c->unsent = request_n;
    c->marks = 0;
    c->first = 0;
    c->began = due;
    if (c->fd < 0 && !dial(c)) {
        fail(c, &refused);
        usleep(1000); /* nobody is there: no need to ask a million times */
    } else push(c);
}

static void look_for_marks(struct conn *c, const char *data, size_t n, uint64_t now) {
    for (const char *end = data + n; data < end; data++) {
        c->matched = *data == mark[c->matched] ? c->matched + 1 : *data == *mark;
        if (mark[c->matched]) continue;
        c->matched = 0;
        if (c->marks < MOST_MARKS) c->marked[c->marks] = now;
        c->marks++;
    }
}

/* Takes decoded bytes of the body. */
static void body(struct conn *c, const char *data, size_t n, uint64_t now) {
    if (n && !c->first) c->first = now;
    if (*mark) look_for_marks(c, data, n, now);
}

static bool chunks(struct conn *c, const char *at, const char *end, uint64_t now) {
    while (at < end) {
        size_t n = (size_t)(end - at);
        switch (c->chunk) {
        case SIZE:
            if (*at == '\n') {
                c->head[c->line_n] = 0;
                c->left = strtoul(c->head, NULL, 16);
                c->chunk = c->left ? DATA : TRAILER;
                c->line_n = 0;
            } else if (c->line_n < 32) c->head[c->line_n++] = *at;
            at++;
            break;
        case DATA:
            if (n > c->left) n = c->left;
            body(c, at, n, now);
            at += n;
            c->left -= n;
            if (!c->left) c->chunk = DATA_END;
            break;
        case DATA_END:
            if (*at++ == '\n') c->chunk = SIZE;
            break;
        case TRAILER: /* ends with an empty line */
            if (*at == '\n' && !c->line_n) return true;
            c->line_n = *at == '\n' ? 0 : c->line_n + (*at != '\r');
            at++;
        }
    }
    return false;
}

/* Reads the head once it is whole; the length of what belongs to it, or 0. */
static size_t head(struct conn *c, const char *data, size_t n) {
    size_t had = c->head_n, take = n < sizeof c->head - 1 - had ? n : sizeof c->head - 1 - had;
    memcpy(c->head + had, data, take);
    c->head_n += take;
    c->head[c->head_n] = 0;
    char *end = strstr(c->head, "\r\n\r\n");
    if (!end) return 0;
    end[2] = 0;
    const char *length = strcasestr(c->head, "\ncontent-length:");
    c->status = atoi(c->head + sizeof "HTTP/1.1");
    c->closes = strcasestr(c->head, "\nconnection: close") != NULL;
    c->framing = strcasestr(c->head, "\ntransfer-encoding: chunked") ? BY_CHUNKS : length ? BY_LENGTH : BY_CLOSE;
    c->left = length ? strtoul(length + sizeof "content-length:", NULL, 10) : 0;
    c->chunk = SIZE;
    c->headed = true;
    return (size_t)(end + 4 - c->head) - had;
}

static void take(struct conn *c, const char *data, size_t n, uint64_t now) {
    if (!c->headed) {
        size_t of_head = head(c, data, n);
        if (!c->headed) {
            if (c->head_n == sizeof c->head - 1) fail(c, &broken);
            return;
        }
        data += of_head;
        n -= of_head;
    }
    if (c->framing == BY_CHUNKS) {
        if (chunks(c, data, data + n, now)) done(c, now);
        return;
    }
    body(c, data, n, now);
    if (c->framing == BY_LENGTH && (c->left -= n < c->left ? n : c->left) == 0) done(c, now);
}

static void hear(struct conn *c) {
    static char data[PIECE];
    while (c->fd >= 0) {
        ssize_t n = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        uint64_t now = now_us();
        if (n > 0 && c->busy) take(c, data, (size_t)n, now);
        else if (c->busy && c->headed && c->framing == BY_CLOSE && n == 0) {
            c->closes = true;
            done(c, now);
        } else if (c->busy) fail(c, &broken);
        else hang_up(c); /* an idle connection ended, or says what nobody asked */
    }
}

/* --- all of them --- */

static char *read_file(const char *name, size_t *size) {
    FILE *file = fopen(name, "rb");
    char *text = NULL;
    size_t room = 0;
    *size = 0;
    if (!file) {
        perror(name);
        exit(2);
    }
    do {
        text = realloc(text, room += PIECE);
        *size += fread(text + *size, 1, room - *size, file);
    } while (*size == room);
    fclose(file);
    return text;
}

int main(int argc, char **argv) {
    double seconds = 0, rate = 0, spread = 0;
    uint64_t calls = UINT64_MAX, begun = 0;
    const char *path = "/", *file = NULL;
    char headers[8192] = "";
    size_t headers_n = 0, body_n = 0;
    for (int option; (option = getopt(argc, argv, "p:P:c:b:H:s:n:r:e:m:k:")) != -1;) {
        switch (option) {
        case 'p': there.sin_port = htons((uint16_t)atoi(optarg)); break;
        case 'P': path = optarg; break;
        case 'c': connections = atoi(optarg); break;
        case 'b': file = optarg; break;
        case 'H': headers_n += (size_t)snprintf(headers + headers_n, sizeof headers - headers_n, "%s\r\n", optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'n': calls = strtoull(optarg, NULL, 10); break;
        case 'r': rate = atof(optarg); break;
        case 'e': spread = atof(optarg); break;
        case 'm': mark = optarg; break;
        case 'k': times_wanted = atol(optarg); break;
        default: return 2;
        }
        if (headers_n >= sizeof headers) return 2;
    }
    if (connections < 1 || connections > MOST || (*mark && strchr(mark + 1, *mark)) || (!seconds && calls == UINT64_MAX)) {
        fprintf(stderr, "load: 1 to %d connections, -s or -n, and a mark whose first letter comes once in it\n", MOST);
        return 2;
    }
    char *text = file ? read_file(file, &body_n) : NULL;
    request = malloc(body_n + sizeof headers + 4096);
    request_n = (size_t)sprintf(request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s", file ? "POST" : "GET", path,
                                ntohs(there.sin_port), headers);
    if (file) request_n += (size_t)sprintf(request + request_n, "Content-Type: application/json\r\nContent-Length: %zu\r\n", body_n);
    request_n += (size_t)sprintf(request + request_n, "\r\n");
    if (file) memcpy(request + request_n, text, body_n);
    request_n += body_n;

    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    signal(SIGPIPE, SIG_IGN);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conns = calloc((size_t)connections, sizeof *conns);
    idle = calloc((size_t)connections, sizeof *idle);
    for (idle_n = 0; idle_n < connections; idle_n++) {
        idle[idle_n] = connections - 1 - idle_n;
        conns[idle_n].fd = -1;
    }
    ep = epoll_create1(0);
    int clock = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    epoll_ctl(ep, EPOLL_CTL_ADD, clock, &(struct epoll_event){.events = EPOLLIN, .data.u32 = MOST});

    uint64_t start = now_us(), opened = 0;
    last_end = start;
    if (seconds) stop_at = start + (uint64_t)(seconds * 1e6);
    for (struct epoll_event events[AT_ONCE];;) {
        uint64_t now = now_us(), due = UINT64_MAX;
        while (idle_n && now < stop_at && begun < calls) {
            if (rate) due = start + (uint64_t)((double)begun * 1e6 / rate);
            else if (opened < (uint64_t)connections)
                due = start + (uint64_t)((double)opened * spread * 1e6 / connections);
            else due = now;
            /* while connections still wait for their first turn, one that is free again goes at once */
            if (!rate && due > now && (uint64_t)idle_n > (uint64_t)connections - opened) due = now;
            else if (!rate && opened < (uint64_t)connections && due <= now) opened++;
            if (due > now || due >= stop_at) break;
            begun++;
            call(due);
            due = UINT64_MAX;
            now = now_us();
        }
        bool more = now < stop_at && begun < calls;
        if (!more && (idle_n == connections || now > (stop_at < UINT64_MAX ? stop_at : last_end) + PATIENCE_US)) break;
        uint64_t wake = more && idle_n && due < stop_at ? due : more && stop_at < UINT64_MAX ? stop_at : now + 1000000;
        struct itimerspec next = {.it_value = {(time_t)(wake / 1000000), (long)(wake % 1000000 * 1000)}};
        timerfd_settime(clock, TFD_TIMER_ABSTIME, &next, NULL);
        int n = epoll_wait(ep, events, AT_ONCE, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.u32 == MOST) continue;
            struct conn *c = &conns[events[i].data.u32];
            if (c->fd >= 0 && c->busy && (events[i].events & EPOLLOUT)) push(c);
            if (c->fd >= 0 && (events[i].events & ~(uint32_t)EPOLLOUT)) hear(c);
        }
    }
    printf("{\"seconds\": %.3f, \"in_time\": %lu, \"good\": %lu, \"bad\": {", (double)(last_end - start) / 1e6, in_time, good);
    const char *comma = "";
    for (int status = 0; status < 1000; status++)
        if (bad_status[status]) printf("%s\"%d\": %lu", comma, status, bad_status[status]), comma = ", ";
    const struct { const char *name; uint64_t n; } others[] = {
        {"short", cut_short}, {"broken", broken}, {"refused", refused}, {"unfinished", (uint64_t)(connections - idle_n)},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].n) printf("%s\"%s\": %lu", comma, others[i].name, others[i].n), comma = ", ";
    printf("}");
    show("total_ms", &total);
    show("first_ms", &first);
    show("gap_ms", &gap);
    printf("}\n");
}

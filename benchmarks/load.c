/* A closed-loop load generator for the doors of an edge node: N connections, one request outstanding on each.
 *
 *   load PORT CONNECTIONS SECONDS FILE lines|frames
 *
 * FILE holds requests, each behind its length (4 bytes, big-endian). `lines`: an answer ends at its empty line and has no
 * body. `frames`: an answer stands behind its own length (4 bytes, big-endian); the first request of FILE opens each
 * connection, the others follow. Prints one JSON object: answers, seconds, and percentiles of the time to an answer. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 65536, SLOTS = 1000000, LATEST = 60 };

typedef struct {
  int socket, greeted;
  size_t at, filled;
  double asked;
  unsigned char data[BUFFER];
} Connection;

static unsigned char *requests;
static size_t requests_size;
static size_t *starts;
static size_t count, next_request;
static int frames;
static uint32_t slots[SLOTS]; /* answers by the microseconds they took */

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint32_t number(const unsigned char *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }

static void read_requests(const char *path) {
  struct stat s;
  FILE *f = fopen(path, "rb");
  if (!f || fstat(fileno(f), &s)) fail(path);
  requests_size = s.st_size;
  requests = malloc(requests_size);
  starts = malloc(sizeof(size_t) * (requests_size / 4 + 1));
  if (fread(requests, 1, requests_size, f) != requests_size) fail(path);
  fclose(f);
  for (size_t at = 0; at + 4 <= requests_size; at += 4 + number(requests + at)) starts[count++] = at;
}

static void ask(Connection *c) {
  size_t chosen = !frames ? next_request++ % count : c->greeted ? 1 + next_request++ % (count - 1) : 0;
  unsigned char *at = requests + starts[chosen];
  size_t size = number(at);
  c->asked = now();
  if (write(c->socket, at + 4, size) != (ssize_t)size) fail("write");
}

/* 1 where a whole answer has come; what follows it stays. */
static int answered(Connection *c) {
  if (frames) {
    if (c->filled < 4 || c->filled < 4 + number(c->data)) return 0;
    size_t size = 4 + number(c->data);
    memmove(c->data, c->data + size, c->filled -= size);
    return 1;
  }
  unsigned char *end = memmem(c->data, c->filled, "\r\n\r\n", 4);
  if (!end) return 0;
  size_t size = end + 4 - c->data;
  memmove(c->data, c->data + size, c->filled -= size);
  return 1;
}

static void open_connection(Connection *c, int port, int poller) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int one = 1;
  c->socket = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(c->socket, (struct sockaddr *)&a, sizeof a)) fail("connect");
  setsockopt(c->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, c->socket, &e)) fail("epoll");
}

static double percentile(uint64_t total, double share) {
  uint64_t seen = 0;
  for (int i = 0; i < SLOTS; i++)
    if ((seen += slots[i]) >= total * share) return i;
  return SLOTS;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: load PORT CONNECTIONS SECONDS FILE lines|frames\n"), 2;
  int port = atoi(argv[1]), connections = atoi(argv[2]);
  double seconds = atof(argv[3]);
  frames = !strcmp(argv[5], "frames");
  read_requests(argv[4]);
  int poller = epoll_create1(0);
  Connection *all = calloc(connections, sizeof *all);
  for (int i = 0; i < connections; i++) open_connection(all + i, port, poller), ask(all + i);
  uint64_t total = 0;
  double begun = now(), end = begun + seconds, at = begun;
  struct epoll_event events[256];
  while (at < end) {
    int n = epoll_wait(poller, events, 256, 1000);
    at = now();
    if (n == 0 && at > end + LATEST) fail("no answer");
    for (int i = 0; i < n; i++) {
      Connection *c = events[i].data.ptr;
      ssize_t got = read(c->socket, c->data + c->filled, BUFFER - c->filled);
      if (got <= 0) fail("the server ended a connection");
      c->filled += got;
      if (!answered(c)) continue;
      if (c->greeted || !frames) {
        double took = (at - c->asked) * 1e6;
        slots[took < 0 ? 0 : took >= SLOTS ? SLOTS - 1 : (int)took]++;
        total++;
      }
      c->greeted = 1;
      ask(c);
    }
  }
  printf("{\"answers\": %llu, \"seconds\": %.3f, \"p50_us\": %.0f, \"p99_us\": %.0f}\n", (unsigned long long)total, at - begun,
         percentile(total, 0.5), percentile(total, 0.99));
  return 0;
}

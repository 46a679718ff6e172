// SPDX-License-Identifier: Apache-2.0
//
// The program of the test pods: pod NAME [tcp:PORT | udp:PORT]...
//
// Answers every TCP connection (as HTTP, so that curl and wget work) and every UDP datagram with
// one line: "NAME ADDRESS", where ADDRESS is who it saw asking. That is how a test knows which pod
// a packet reached, and whether it was masqueraded. Without ports it only waits: a pause process.
// It reaps what it inherits as process 1, and ends on SIGTERM.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { kMaxPorts = 8 };

static void end(int number)
{
    (void)number;
    _exit(0);
}

static int open_port(const char *words)
{
    const int type = strncmp(words, "udp:", 4) == 0 ? SOCK_DGRAM : SOCK_STREAM;
    const int one = 1;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6,
                               .sin6_port = htons((unsigned short)atoi(words + 4))};
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0 ||
        (type == SOCK_STREAM && listen(fd, 64) != 0)) {
        perror(words);
        exit(1);
    }
    return fd;
}

static int answer_line(char *line, size_t size, const char *name, const struct sockaddr_in6 *peer)
{
    char address[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &peer->sin6_addr, address, sizeof address);
    const char *mapped = strncmp(address, "::ffff:", 7) == 0 ? address + 7 : address;
    return snprintf(line, size, "%s %s\n", name, mapped);
}

static void answer_connection(int fd, const char *name)
{
    struct sockaddr_in6 peer;
    socklen_t size = sizeof peer;
    char line[256];
    char request[1024];
    const struct timeval patience = {.tv_sec = 2};
    int connection = accept(fd, (struct sockaddr *)&peer, &size);
    if (connection < 0) {
        return;
    }
    // The request is read so that closing sends no reset; what it says does not matter.
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)!read(connection, request, sizeof request);
    int length = answer_line(line, sizeof line, name, &peer);
    dprintf(connection,
            "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", length,
            line);
    close(connection);
}

static void answer_datagram(int fd, const char *name)
{
    struct sockaddr_in6 peer;
    socklen_t size = sizeof peer;
    char line[256];
    char request[1024];
    if (recvfrom(fd, request, sizeof request, 0, (struct sockaddr *)&peer, &size) < 0) {
        return;
    }
    int length = answer_line(line, sizeof line, name, &peer);
    sendto(fd, line, (size_t)length, 0, (struct sockaddr *)&peer, size);
}

int main(int argc, char **argv)
{
    struct pollfd ports[kMaxPorts];
    int count = argc > 2 ? argc - 2 : 0;
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGCHLD, SIG_IGN);  // children are reaped by the kernel
    signal(SIGPIPE, SIG_IGN);
    if (count > kMaxPorts) {
        return 2;
    }
    for (int i = 0; i < count; i++) {
        ports[i] = (struct pollfd){.fd = open_port(argv[i + 2]), .events = POLLIN};
    }
    for (;;) {
        if (poll(ports, (nfds_t)count, -1) <= 0) {
            continue;
        }
        for (int i = 0; i < count; i++) {
            if (ports[i].revents == 0) {
                continue;
            }
            if (argv[i + 2][0] == 'u') {
                answer_datagram(ports[i].fd, argv[1]);
            } else {
                answer_connection(ports[i].fd, argv[1]);
            }
        }
    }
}

/* A socket and a prompt for lines. */
#include "lab/line_server.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/live/unix_socket.h"

#include <errno.h>
#include <ev.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS_MOST  16u
#define PATIENCE_S    10.0 /* for a client that says nothing, or does not listen */
#define PROMPT        "live> "
#define EXIT_ANSWERED 0

struct client {
    struct line_server *server;
    int fd; /* owned; -1: this place is free */
    ev_io reader;
    ev_io writer;
    ev_timer patience;
    char line[LINE_MOST_BYTES];
    size_t line_bytes;
    char *answer; /* owned */
    size_t answer_bytes;
    size_t sent_bytes;
};

struct line_server {
    struct ev_loop *loop;   /* borrowed */
    struct line_user *user; /* borrowed */
    char *path;             /* owned */
    int fd;                 /* owned */
    ev_io listener;
    struct client clients[CLIENTS_MOST];
};

struct line_prompt {
    struct ev_loop *loop;   /* borrowed */
    struct line_user *user; /* borrowed */
    ev_io reader;
    char line[LINE_MOST_BYTES];
    size_t line_bytes;
    bool is_too_long; /* the rest of a line that had no room */
};

/* The answer to a line, with its code in front if 'has_code'; owned by the caller. */
static char *answer_to(struct line_user *user, const char *line, bool has_code, size_t *ret_bytes)
{
    char *text = NULL;
    size_t text_bytes = 0;
    FILE *stream = open_memstream(&text, &text_bytes);
    int code = stream ? user->on_line(user, line, stream) : 7;

    if (stream)
        fclose(stream);
    char *answer = mem_array(text_bytes + 16, 1);
    int head = has_code ? snprintf(answer, 16, "%d\n", code) : 0;

    if (text)
        memcpy(answer + head, text, text_bytes);
    free(text);
    *ret_bytes = (size_t)head + text_bytes;
    return answer;
}

/* Clients. */

static void client_leaves(struct client *client)
{
    struct ev_loop *loop = client->server->loop;

    if (client->fd < 0)
        return;
    ev_io_stop(loop, &client->reader);
    ev_io_stop(loop, &client->writer);
    ev_timer_stop(loop, &client->patience);
    close(client->fd);
    free(client->answer);
    client->answer = NULL;
    client->fd = -1;
}

static void on_impatient(struct ev_loop *loop, ev_timer *timer, int events)
{
    (void)loop, (void)events;
    client_leaves(timer->data);
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct client *client = watcher->data;
    (void)loop, (void)events;
    ssize_t sent = send(client->fd, client->answer + client->sent_bytes,
                        client->answer_bytes - client->sent_bytes, MSG_NOSIGNAL);

    if (sent < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (sent >= 0)
        client->sent_bytes += (size_t)sent;
    if (sent < 0 || client->sent_bytes == client->answer_bytes)
        client_leaves(client);
}

static void answer(struct client *client)
{
    struct line_server *server = client->server;

    client->answer = answer_to(server->user, client->line, true, &client->answer_bytes);
    client->sent_bytes = 0;
    ev_io_stop(server->loop, &client->reader);
    ev_io_start(server->loop, &client->writer);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct client *client = watcher->data;
    (void)loop, (void)events;
    ssize_t bytes = read(client->fd, client->line + client->line_bytes,
                         sizeof(client->line) - client->line_bytes);

    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (bytes <= 0) {
        client_leaves(client);
        return;
    }
    client->line_bytes += (size_t)bytes;
    char *end = memchr(client->line, '\n', client->line_bytes);

    if (end) {
        *end = '\0';
        answer(client);
    } else if (client->line_bytes == sizeof(client->line)) {
        client_leaves(client);
    }
}

/* A place for a client: a free one, or that of the one that has said nothing for longest. NULL: all
 * wait for their answers. */
static struct client *make_place(struct line_server *server)
{
    struct client *oldest = NULL;

    for (struct client *client = server->clients; client < server->clients + CLIENTS_MOST;
         client++) {
        if (client->fd < 0)
            return client;
        if (!client->answer && (!oldest || ev_timer_remaining(server->loop, &client->patience) <
                                               ev_timer_remaining(server->loop, &oldest->patience)))
            oldest = client;
    }
    if (oldest)
        client_leaves(oldest);
    return oldest;
}

static void on_client(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct line_server *server = watcher->data;
    int fd = unix_socket_accept(server->fd);
    (void)events;

    if (fd < 0)
        return;
    struct client *client = make_place(server);

    if (!client) {
        close(fd);
        return;
    }
    client->fd = fd;
    client->line_bytes = 0;
    ev_io_set(&client->reader, fd, EV_READ);
    ev_io_set(&client->writer, fd, EV_WRITE);
    ev_io_start(loop, &client->reader);
    ev_timer_set(&client->patience, PATIENCE_S, 0.0);
    ev_timer_start(loop, &client->patience);
}

struct line_server *line_server_open(struct ev_loop *loop, const char *path, struct line_user *user,
                                     struct error *err)
{
    int fd = unix_socket_check(path, err) ? unix_socket_listen(path, err) : -1;

    if (fd < 0)
        return NULL;
    struct line_server *server = mem_new(sizeof(*server));

    *server = (struct line_server){.loop = loop, .user = user, .path = mem_text(path), .fd = fd};
    ev_io_init(&server->listener, on_client, fd, EV_READ);
    server->listener.data = server;
    ev_io_start(loop, &server->listener);
    for (size_t i = 0; i < CLIENTS_MOST; i++) {
        struct client *client = &server->clients[i];

        client->server = server;
        client->fd = -1;
        ev_io_init(&client->reader, on_readable, -1, EV_READ);
        ev_io_init(&client->writer, on_writable, -1, EV_WRITE);
        ev_timer_init(&client->patience, on_impatient, PATIENCE_S, 0.0);
        client->reader.data = client->writer.data = client->patience.data = client;
    }
    return server;
}

void line_server_close(struct line_server *server)
{
    if (!server)
        return;
    for (size_t i = 0; i < CLIENTS_MOST; i++) {
        if (server->clients[i].fd >= 0 && server->clients[i].answer) /* who said 'quit' */
            on_writable(server->loop, &server->clients[i].writer, EV_WRITE);
        client_leaves(&server->clients[i]);
    }
    ev_io_stop(server->loop, &server->listener);
    close(server->fd);
    (void)unlink(server->path);
    free(server->path);
    free(server);
}

/* The prompt. */

static void show_prompt(void)
{
    fputs(PROMPT, stdout);
    fflush(stdout);
}

static void take_line(struct line_prompt *prompt, const char *line)
{
    size_t bytes;

    if (line[strspn(line, " \t\r")] == '\0')
        return;
    char *text = answer_to(prompt->user, line, false, &bytes);

    fwrite(text, 1, bytes, stdout);
    free(text);
}

static void on_typed(struct ev_loop *loop, ev_io *watcher, int events)
{
    struct line_prompt *prompt = watcher->data;
    ssize_t bytes = read(STDIN_FILENO, prompt->line + prompt->line_bytes,
                         sizeof(prompt->line) - 1 - prompt->line_bytes);
    char *end;
    (void)events;

    if (bytes < 0 && errno == EINTR)
        return;
    if (bytes <= 0) {
        ev_io_stop(loop, watcher);
        return;
    }
    prompt->line_bytes += (size_t)bytes;
    while ((end = memchr(prompt->line, '\n', prompt->line_bytes))) {
        size_t line_bytes = (size_t)(end - prompt->line) + 1;

        *end = '\0';
        if (!prompt->is_too_long)
            take_line(prompt, prompt->line);
        prompt->is_too_long = false;
        prompt->line_bytes -= line_bytes;
        memmove(prompt->line, prompt->line + line_bytes, prompt->line_bytes);
    }
    if (prompt->line_bytes == sizeof(prompt->line) - 1) {
        fputs("error: the line is too long\n", stdout);
        prompt->is_too_long = true;
        prompt->line_bytes = 0;
    }
    show_prompt();
}

struct line_prompt *line_prompt_open(struct ev_loop *loop, struct line_user *user)
{
    struct line_prompt *prompt = mem_new(sizeof(*prompt));

    prompt->loop = loop;
    prompt->user = user;
    ev_io_init(&prompt->reader, on_typed, STDIN_FILENO, EV_READ);
    prompt->reader.data = prompt;
    ev_io_start(loop, &prompt->reader);
    show_prompt();
    return prompt;
}

void line_prompt_close(struct line_prompt *prompt)
{
    if (!prompt)
        return;
    ev_io_stop(prompt->loop, &prompt->reader);
    free(prompt);
}

/* The client. */

static const struct source_pos nowhere;

static bool send_all(int fd, const char *data, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        data += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

/* All that comes until the end; owned by the caller and ended by a 0. */
static char *receive_all(int fd, size_t *ret_bytes)
{
    char *text = mem_array(1, 1);
    size_t bytes = 0;

    for (;;) {
        char piece[4096];
        ssize_t got = read(fd, piece, sizeof(piece));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        text = mem_resize(text, bytes + (size_t)got + 1, 1);
        memcpy(text + bytes, piece, (size_t)got);
        bytes += (size_t)got;
        text[bytes] = '\0';
    }
    *ret_bytes = bytes;
    return text;
}

static int show_answer(const char *answer, size_t bytes, FILE *out, FILE *err_out,
                       struct error *err)
{
    char *end;
    long code = strtol(answer, &end, 10);

    if (end == answer || *end != '\n' || code < 0 || code > 255) {
        (void)error_set(err, ERR_SYSTEM, nowhere, "there was no answer");
        error_help(err, "the program at the socket has ended, or is another one");
        return -1;
    }
    fwrite(end + 1, 1, bytes - (size_t)(end + 1 - answer), code == EXIT_ANSWERED ? out : err_out);
    return (int)code;
}

bool line_client_fits(const char *line)
{
    return strlen(line) + 2 <= LINE_MOST_BYTES && !strchr(line, '\n');
}

int line_client_ask(const char *path, const char *line, FILE *out, FILE *err_out, struct error *err)
{
    if (!line_client_fits(line)) {
        (void)error_set(err, ERR_USAGE, nowhere, "a step is one line of at most %u bytes",
                        LINE_MOST_BYTES - 2);
        return -1;
    }
    int fd = unix_socket_check(path, err) ? unix_socket_connect(path, err) : -1;

    if (fd < 0)
        return -1;
    size_t bytes = 0;
    char *answer = NULL;

    if (send_all(fd, line, strlen(line)) && send_all(fd, "\n", 1))
        answer = receive_all(fd, &bytes);
    close(fd);
    int code = show_answer(answer ? answer : "", bytes, out, err_out, err);

    free(answer);
    return code;
}

/* Lines that are typed while the program runs, at a prompt on its terminal or through a socket, and
 * their answers.
 *
 *     client: power-off: switch-1 <newline>
 *     server: 0 <newline> text of the answer, then it closes; the number is an exit code
 *
 * Whoever may open the socket may say anything of any length: a line has a bound, a client that
 * says too much or nothing is cut off, there are a few of them at a time, and those that say
 * nothing make way for others.
 */
#pragma once

#include "sim/core/error.h"

#include <stdbool.h>
#include <stdio.h>

#define LINE_MOST_BYTES 4096u /* with its newline */

struct ev_loop;
struct line_server;
struct line_prompt;

/* Who answers. */
struct line_user {
    /* Does what 'line' says and writes to 'answer'. Returns an exit code. */
    int (*on_line)(struct line_user *user, const char *line, FILE *answer);
};

/* Listens at 'path'. NULL: '*err' says why. All borrowed. */
struct line_server *line_server_open(struct ev_loop *loop, const char *path, struct line_user *user,
                                     struct error *err);
void line_server_close(struct line_server *server); /* NULL does nothing */

/* Reads standard input with a prompt, until it ends. */
struct line_prompt *line_prompt_open(struct ev_loop *loop, struct line_user *user);
void line_prompt_close(struct line_prompt *prompt); /* NULL does nothing */

/* Can it be said at all: one line, and not too long? */
bool line_client_fits(const char *line);
/* The client: says 'line' to the server at 'path' and copies the answer, to 'out' if its code is 0,
 * else to 'err_out'. Returns the code, or -1: '*err' says why. */
int line_client_ask(const char *path, const char *line, FILE *out, FILE *err_out,
                    struct error *err);

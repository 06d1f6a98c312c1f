/* Faults of an array on real sockets, as they are typed: the verbs of scenarios through a socket.
 *
 *     iscsilab ctl PATH 'slow: {part: san1, by: 20 ms}'
 *
 * The array stands alone, so that verbs of the fabric are refused. The kernel's TCP lives on when
 * the array loses its power: it answers with RST where a box without power would be silent.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/error.h"

#include <stdint.h>
#include <stdio.h>

struct device;
struct ev_loop;
struct media;
struct pacer;
struct portal_node;
struct serve_control;
struct topology;

/* Whose array it is. */
struct serve_control_user {
    void (*print)(struct serve_control_user *user, FILE *to); /* what was counted so far */
    void (*stop)(struct serve_control_user *user);
};

/* All borrowed, but for the array of media. */
struct serve_control_config {
    const char *path;
    struct ev_loop *loop;
    struct pacer *pacer;
    struct clock *clock;
    const struct topology *topology;
    uint32_t array_index;
    struct portal_node *node;
    struct device *device;
    struct media *const *media; /* by disk of the array */
    struct serve_control_user *user;
    FILE *log;
};

/* Listens. NULL: '*err' says why. */
struct serve_control *serve_control_open(const struct serve_control_config *config,
                                         struct error *err);
/* Before what it acts on. NULL does nothing. */
void serve_control_close(struct serve_control *control);

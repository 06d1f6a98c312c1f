/* How long media take: a store in front of another one, with a number of servers and one queue.
 *
 *   submit -> [ queue, first come first served ] -> [ servers, a fixed time each ] -> inner store
 *
 * A request takes effect in the inner store when its service ends, all of it at once: then a read
 * sees what is there and a write lands. That is how an array answers from its cache, and requests
 * of one kind take effect in the order of arrival.
 *
 * Faults stack as layers: each slows down what begins after it came, or makes a range fail; taking
 * it away removes just that layer.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/store.h"
#include "target/profile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct media;

struct media *media_new(const struct media_model *model, struct clock *clock, struct store *inner);
/* Nothing may be in work: done, or crashed away. 'inner' is the caller's. */
void media_free(struct media *media);
/* The inner store has grown, and this one with it. */
void media_grow(struct media *media);
/* The interface; it lives as long as the media. */
struct store *media_interface(struct media *media);

/* What a service takes from now on. There are never more servers than the first model had. */
void media_set_model(struct media *media, const struct media_model *model);

/* "slow": service time x factor_ppm / 1,000,000 + add_ns, one layer after the other. */
struct media_slow {
    uint64_t factor_ppm; /* 1,000,000 leaves the time as it is */
    int64_t add_ns;      /* 0 or more */
    struct media_slow *next;
};
void media_slow_add(struct media *media, struct media_slow *layer); /* borrowed until removed */
void media_slow_remove(struct media *media, struct media_slow *layer);

/* "fail-media": requests that touch the range end with MEDIUM ERROR after their service time. */
struct media_failure {
    uint64_t offset;
    uint64_t bytes;
    bool fails_reads;
    bool fails_writes; /* PUNCH too */
    struct media_failure *next;
};
void media_failure_add(struct media *media, struct media_failure *layer);
void media_failure_remove(struct media *media, struct media_failure *layer);

/* Requests in the queue and in service. */
size_t media_waiting(const struct media *media);
size_t media_in_service(const struct media *media);

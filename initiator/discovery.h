/* One SendTargets discovery (RFC 7143, Appendix C): log in to a discovery session, ask for all
 * targets, log out.
 *
 * A core like any other: the owner joins it to a stream and a timer. When 'state' leaves
 * DISCOVERY_RUNNING it closes the stream and reads the result.
 */
#pragma once

#include "initiator/isession.h"
#include "sim/core/net.h"

#include <stdbool.h>
#include <stdint.h>

enum discovery_state { DISCOVERY_RUNNING, DISCOVERY_DONE, DISCOVERY_FAILED };

struct discovery;

struct discovery_config {
    const char *initiator_name; /* borrowed */
    uint8_t isid[ISID_BYTES];
    struct iscsi_params offer;
    struct chap_login chap; /* {0}: no authentication */
    int64_t timeout_ns;     /* for all of it */
    struct pool *pool;
};

struct discovery *discovery_new(const struct discovery_config *config, int64_t now_ns);
void discovery_free(struct discovery *discovery);

void discovery_connected(struct discovery *discovery, int64_t now_ns);
size_t discovery_room(const struct discovery *discovery);
/* Takes ownership of 'bytes'. */
void discovery_feed(struct discovery *discovery, struct buf *bytes, int64_t now_ns);
struct buf *discovery_take(struct discovery *discovery, size_t max_bytes, int64_t now_ns);
void discovery_closed(struct discovery *discovery, enum close_reason reason, int64_t now_ns);
int64_t discovery_deadline_ns(const struct discovery *discovery);
void discovery_wake(struct discovery *discovery, int64_t now_ns);
const uint8_t *discovery_next_pdu(struct discovery *discovery, bool *ret_from_target);

enum discovery_state discovery_state(const struct discovery *discovery);
const char *discovery_problem(const struct discovery *discovery); /* FAILED: why; static */

/* The result. */
uint32_t discovery_target_count(const struct discovery *discovery);
const char *discovery_target_name(const struct discovery *discovery, uint32_t target_index);
/* Is 'target_name' among the answers, reachable at 'portal'? */
bool discovery_names(const struct discovery *discovery, const char *target_name,
                     struct endpoint portal);

/* Rule P7: TCP delivers an in-order prefix of what was sent, and nothing after a reset.
 *
 * One watch per fabric, shared by all of its stacks. For each direction of a connection (a way) it
 * holds what was written and not yet delivered, and compares as the receiver delivers. The slices
 * are shared with the send queue, so that comparing usually means comparing pointers. A way is
 * known by its four-tuple and first sequence number: a new connection between the same ports is
 * another way. A slice whose chunk a fault damaged may differ, for the fault did that and not TCP;
 * only its length counts.
 *
 *     sender: stream_watch_send() ... stream_way_written() ... stream_way_leave()
 *     receiver:  stream_watch_receive() ... stream_way_delivered() ... stream_way_leave()
 *
 * A way whose other end is outside of the fabric (a real host) watches nothing.
 */
#pragma once

#include "sim/core/clock.h"
#include "sim/core/net.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_watch;
struct stream_way;

/* Life cycle; arguments are borrowed. Freeing forgets the ways that are left. */
struct stream_watch *stream_watch_new(struct clock *clock, struct pool *pool, struct trace *trace);
void stream_watch_free(struct stream_watch *watch);

/* The sending end of a new way, and the receiving end of a known one (NULL: its sender is not in
 * this fabric, or gone). Either may be NULL in all calls below. */
struct stream_way *stream_watch_send(struct stream_watch *watch, struct endpoint from,
                                     struct endpoint to, uint32_t first_sn);
struct stream_way *stream_watch_receive(struct stream_watch *watch, struct endpoint from,
                                        struct endpoint to, uint32_t first_sn);

/* The sender's connection is established: a receiver in this fabric would be here by now. */
void stream_way_connected(struct stream_way *way);
/* The sender's user wrote 'data' (shared, not taken). */
void stream_way_written(struct stream_way *way, const struct buf *data);
/* The receiver is about to deliver 'data'. */
void stream_way_delivered(struct stream_way *way, const struct buf *data);
/* The receiver delivers a FIN: all that was written has arrived. */
void stream_way_finished(struct stream_way *way);
/* The receiver was reset: nothing may be delivered from now on. */
void stream_way_reset(struct stream_way *way);
/* This end is gone; call it once per end. */
void stream_way_leave(struct stream_way *way, bool is_sender);

/* Ways that are alive, for the leak check; violations so far. */
size_t stream_watch_live(const struct stream_watch *watch);
uint64_t stream_watch_broken(const struct stream_watch *watch);

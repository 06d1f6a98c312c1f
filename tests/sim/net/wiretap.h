/* A switch with bare NICs, and everything that arrives at any port noted byte by byte.
 *
 *     struct wiretap w;
 *     wiretap_open(&w, &(struct switch_config){.name = "switch-1", .port_count = 4});
 *     wiretap_plug(&w, 0, NULL);          // NIC "n0" into port 1
 *     wiretap_send(&w, 0, 1, 46);         // to n1, 46 bytes of payload
 *     wiretap_run(&w, MS(1));
 *     assert_int_equal(wiretap_count(&w, "n1"), 1);
 *     wiretap_close(&w);                  // checks that frames are conserved and memory is back
 */
#pragma once

#include "sim/core/bytes.h"
#include "sim/core/time.h"
#include "sim/engine/event_queue.h"
#include "sim/net/fabric.h"
#include "sim/net/frame_codec.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIRETAP_MOST_NICS  8
#define WIRETAP_MOST_SEEN  4096
#define WIRETAP_HEAD_BYTES 64
#define WIRETAP_TYPE       0x88b5 /* local experimental (802-2014, 9.2.4) */

struct wiretap_seen {
    uint32_t port_id;
    int64_t at_ns;
    uint32_t bytes;
    uint8_t head[WIRETAP_HEAD_BYTES];
};

struct wiretap {
    struct event_queue queue;
    struct pool *pool;
    struct trace trace;
    struct fabric *fabric;
    struct sw *sw;
    struct nic *nics[WIRETAP_MOST_NICS];
    struct cable *cables[WIRETAP_MOST_NICS];
    struct tap tap;
    struct wiretap_seen *seen; /* arrivals, all ports */
    unsigned seen_count;
};

static inline void wiretap_note(struct tap *tap, int64_t at_ns, uint32_t port_id,
                                enum direction direction, const struct frame *frame)
{
    struct wiretap *w = (struct wiretap *)(void *)((char *)tap - offsetof(struct wiretap, tap));
    uint8_t bytes[FRAME_MOST_BYTES];

    if (direction != DIRECTION_IN)
        return;
    assert_true(w->seen_count < WIRETAP_MOST_SEEN);
    struct wiretap_seen *seen = &w->seen[w->seen_count++];

    *seen = (struct wiretap_seen){.port_id = port_id, .at_ns = at_ns, .bytes = frame_bytes(frame)};
    frame_write(frame, bytes);
    memcpy(seen->head, bytes, seen->bytes < WIRETAP_HEAD_BYTES ? seen->bytes : WIRETAP_HEAD_BYTES);
}

static inline void wiretap_ignore(struct tap *tap, int64_t at_ns, uint32_t nic,
                                  enum direction direction, const struct frame *frame)
{
    (void)tap, (void)at_ns, (void)nic, (void)direction, (void)frame;
}

static inline void wiretap_ignore_drop(struct tap *tap, int64_t at_ns, const char *where,
                                       enum drop_reason reason, const struct frame *frame)
{
    (void)tap, (void)at_ns, (void)where, (void)reason, (void)frame;
}

static inline void wiretap_open(struct wiretap *w, const struct switch_config *config)
{
    static const struct tap_ops ops = {
        .frame = wiretap_ignore, .port_frame = wiretap_note, .drop = wiretap_ignore_drop};

    *w = (struct wiretap){.trace = {.ops = trace_nowhere_ops()}, .tap = {.ops = &ops}};
    event_queue_init(&w->queue);
    w->pool = pool_new();
    w->seen = calloc(WIRETAP_MOST_SEEN, sizeof(*w->seen));
    assert_non_null(w->seen);
    w->fabric = fabric_new(&w->queue.clock, w->pool, &w->trace, 1);
    w->sw = fabric_add_switch(w->fabric, config);
    fabric_set_tap(w->fabric, &w->tap);
}

static inline struct nic *wiretap_plug_into(struct wiretap *w, unsigned number, struct port *port,
                                            const struct nic_config *nic, int64_t rate_bits_per_s)
{
    struct nic_config config = nic ? *nic : (struct nic_config){.mtu_bytes = 9000};
    char name[16];

    snprintf(name, sizeof(name), "n%u", number);
    config.name = name;
    w->nics[number] = fabric_add_nic(w->fabric, &config);
    snprintf(name, sizeof(name), "cable-%u", number);
    w->cables[number] = fabric_add_cable(
        w->fabric, &(struct cable_config){.name = name,
                                          .ends = {nic_port(w->nics[number]), port},
                                          .rate_bits_per_s = rate_bits_per_s});
    return w->nics[number];
}

/* NIC 'number' into the port after it: 0 into port 1. */
static inline struct nic *wiretap_plug(struct wiretap *w, unsigned number,
                                       const struct nic_config *nic)
{
    return wiretap_plug_into(w, number, switch_port(w->sw, number + 1), nic, 0);
}

static inline void wiretap_run(struct wiretap *w, int64_t span_ns)
{
    event_queue_run(&w->queue, clock_now_ns(&w->queue.clock) + span_ns, 10000000);
}

static inline struct frame *wiretap_frame(struct wiretap *w, struct mac_addr to,
                                          struct mac_addr from, uint32_t payload_bytes)
{
    struct frame *frame = frame_new(w->pool);

    if (payload_bytes > 0) {
        struct chunk *chunk = chunk_new(w->pool, payload_bytes);

        memset(chunk->data, 0x5a, payload_bytes);
        frame_set_payload(frame, buf_new(chunk, 0, payload_bytes));
    }
    frame->ethertype = WIRETAP_TYPE;
    frame_set_ethernet(frame, to, from);
    return frame;
}

static inline void wiretap_send(struct wiretap *w, unsigned from, unsigned to,
                                uint32_t payload_bytes)
{
    nic_send(w->nics[from],
             wiretap_frame(w, nic_mac(w->nics[to]), nic_mac(w->nics[from]), payload_bytes));
}

static inline void wiretap_broadcast(struct wiretap *w, unsigned from, uint32_t payload_bytes)
{
    nic_send(w->nics[from], wiretap_frame(w, MAC_BROADCAST, nic_mac(w->nics[from]), payload_bytes));
}

/* The 'number'th frame that arrived at a port from the first on; NULL: there were fewer. */
static inline const struct wiretap_seen *wiretap_at(const struct wiretap *w, const char *port,
                                                    unsigned number)
{
    uint32_t id = fabric_find_port(w->fabric, port)->id;

    for (unsigned i = 0; i < w->seen_count; i++)
        if (w->seen[i].port_id == id && number-- == 0)
            return &w->seen[i];
    return NULL;
}

static inline unsigned wiretap_count(const struct wiretap *w, const char *port)
{
    unsigned count = 0;

    while (wiretap_at(w, port, count))
        count++;
    return count;
}

static inline void wiretap_forget(struct wiretap *w)
{
    w->seen_count = 0;
}

static inline void wiretap_check(struct wiretap *w)
{
    char text[256] = "";

    if (!fabric_check_conservation(w->fabric, text, sizeof(text)))
        fail_msg("%s", text);
}

static inline void wiretap_close(struct wiretap *w)
{
    wiretap_check(w);
    fabric_free(w->fabric);
    assert_int_equal(w->queue.count, 0);
    assert_int_equal(pool_live_blocks(w->pool), 0);
    assert_int_equal(pool_live_bufs(w->pool), 0);
    assert_int_equal(pool_live_chunks(w->pool), 0);
    pool_free(w->pool);
    event_queue_fini(&w->queue);
    free(w->seen);
}

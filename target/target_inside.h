/* The inside of the iSCSI target node: what target.c, the sessions and the connections share. */
#pragma once

#include "target/session.h"
#include "target/target.h"

#define TARGET_MOST_COMMANDS 4096u /* of one session, whatever the profile says */

/* What planted_iscsi.c remembers: each bug strikes once. */
struct planted_iscsi {
    bool has_struck;
};

struct target {
    char name[DEVICE_NAME_BYTES];
    char alias[DEVICE_NAME_BYTES]; /* "": none */
    struct target_portal portals[TARGET_MOST_PORTALS];
    size_t portal_count;
    struct array_profile profile;
    struct device *device;
    struct pool *pool;
    struct trace *trace;
    struct restless_watch *watch;
    bool is_in_service;
    struct session *sessions; /* uthash by key, in order of login */
    struct session *over;     /* utlist: over, not yet freed */
    struct session *ghosts;   /* planted bug P6: forgotten by everybody but the list */
    uint8_t tsihs_in_use[65536 / 8];
    uint16_t last_tsih;
    struct conn *conns;   /* utlist by next, previous */
    uint32_t open_count;  /* of those that have not ended */
    struct conn *at_door; /* utlist by door_next, door_prev: open, not logged in; oldest first */
    struct target_limits limits;
    uint64_t moving_bytes;    /* of all sessions: see command_has_budget() */
    struct session *retained; /* utlist by next, prev: they have no connection */
    uint64_t next_connection;
    struct conn *restless_head;
    struct conn *restless_tail;
    struct target_counters counters;
    enum plant plant;
    struct planted_iscsi planted;
    struct endpoint moved_to; /* address 0: nowhere */
    bool has_moved_for_good;
    struct chap_policy chap;
    struct chap_policy discovery_chap;
    struct chance *chance;
};

/* Puts a connection into the line of the restless. */
void target_mark_restless(struct target *target, struct conn *conn);
void target_unmark_restless(struct target *target, struct conn *conn);

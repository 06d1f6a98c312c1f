/* The inside of a host, for its own files alone:
 *
 *   host.c        life and questions
 *   host_line.c   a core and its stream: bytes, timers, carrier, the trace of PDUs
 *   host_disks.c  from what a scan found to multipath disks, and the I/O between them and the paths
 */
#pragma once

#include "initiator/discovery.h"
#include "initiator/host.h"
#include "initiator/scan.h"

#include "sim/core/time.h"

/* Joins one core (a path, or the discovery) to a stream and a timer. */
struct line {
    struct host *host;
    struct stream_user user;
    struct stream *stream; /* NULL: none */
    struct timer timer;
    uint64_t connection; /* its number in the trace */
    void *trace_memo;    /* the trace's: see struct trace_pdu */
    bool is_paused;
};

/* A path to one of the disks behind it. */
struct host_way {
    uint32_t disk;
    uint64_t lun;
    bool is_open; /* by the last scan the disk is there; else mpath knows the path as removed */
};

struct host_path {
    struct line line;
    struct link_watch watch;
    uint32_t index;
    const struct host_session *session;
    struct path *path; /* owned; NULL while the host is off or discovers */
    bool is_dirty;     /* in the list of those to drain */
    struct host_path *next_dirty;
    struct host_way *ways; /* owned: the disks that it ever led to since the host booted */
    uint32_t way_count;
    uint8_t isid[ISID_BYTES];
    struct path_counters past; /* of the paths before the last boot */
    struct scan scan;
};

struct host_disk {
    struct host *host;
    struct mpath *mpath; /* owned; NULL: not found yet */
    struct timer timer;
    uint32_t index;
    bool is_dirty;
    bool is_gone; /* it was removed, and has not arrived since */
    struct host_disk *next_dirty;
    struct scan_lun who; /* as the first path found it */
};

struct host {
    struct host_config config;
    struct host_path *paths;  /* owned; as many as sessions */
    struct host_disk **disks; /* owned, and each: they have timers and must not move */
    uint32_t disk_count;
    struct discovery *discovery; /* owned; NULL: not now */
    struct line discovery_line;
    struct timer boot_timer;
    struct timer flush_timer;
    struct host_path *dirty_paths;
    struct host_disk *dirty_disks;
    uint64_t connections; /* ever made */
    bool is_on;
    bool is_stopping;
    bool is_stopped;
    bool is_draining;
};

/* host.c */
void host_start_paths(struct host *host);
void host_look_if_stopped(struct host *host);

/* host_line.c */
void line_init(struct line *line, struct host *host, const struct stream_user_ops *ops,
               timer_fire_fn *fire);
void line_open(struct line *line, uint32_t from, struct endpoint to);
/* Nobody hears of the stream any more. LEAVE: it is the net's to end it. */
enum line_end { LINE_CLOSE, LINE_ABORT, LINE_LEAVE };
void line_drop(struct line *line, enum line_end how);
void line_trace_pdu(struct line *line, const uint8_t *header, bool is_from_target);
/* Moves the deadline; arming again for later is left to the firing, so that a deadline which moves
 * with each byte costs nothing. */
void host_rearm(struct host *host, struct timer *timer, int64_t at_ns);
void host_path_init(struct host *host, uint32_t path_index);
void host_begin_discovery(struct host *host);
void host_end_discovery(struct host *host);
/* Hears what the path has to say, now. */
void host_hear_path(struct host_path *p);
/* Takes all that a path has to say and to send. */
void host_drain_path(struct host_path *p);

/* host_disks.c */
void host_mark_path(struct host_path *p);
void host_mark_disk(struct host_disk *d);
/* Until nothing is left to do in this instant. */
void host_drain(struct host *host);
struct host_disk *host_disk_new(struct host *host);
/* The scan of this path is done. */
void host_path_scanned(struct host_path *p);
void host_path_news(struct host_path *p, enum path_news news, const char *reason);
bool host_is_named(const struct scan_lun *who, const char *identity);

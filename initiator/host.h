/* A host of the SAN: its paths (sessions) and its multipath disks, joined to the network.
 *
 * The owner of the initiator's cores. It opens a stream per path from a NIC's address to a portal,
 * moves bytes, keeps one timer per core, watches the carrier of its NICs, and tells the trace what
 * happened. Life of a host:
 *
 *   host_new() - host_start() - [SendTargets discovery] - login of each session - scan of each
 *   session's LUNs - multipath disks appear, one per identity (VPD 83h) - I/O - host_stop()
 *
 * Nothing here sleeps or blocks: everything happens in callbacks of the clock and the net.
 */
#pragma once

#include "initiator/mpath.h"
#include "initiator/path.h"
#include "initiator/profile.h"
#include "sim/core/clock.h"
#include "sim/core/net.h"
#include "sim/core/plant.h"
#include "sim/core/trace.h"

#include <stdbool.h>
#include <stdint.h>

struct host;

/* One session to be held, as a topology lists them. */
struct host_session {
    const char *path_name; /* "hv1.iscsi1>san1.port-a"; borrowed, as all strings here */
    uint32_t from;         /* the NIC's address */
    struct endpoint portal;
    const char *target_name; /* iqn of the target behind the portal */
    bool is_preferred;       /* FAILBACK_TO_PREFERRED: the marked path */
    struct chap_login chap;  /* {0}: no authentication; each login reads the secrets anew */
};

/* What the owner of the host (lab/) wants to hear. */
struct host_user;
struct host_user_ops {
    /* A multipath disk arrived: the first time, or again after it was removed. */
    void (*on_disk)(struct host_user *user, struct host *host, uint32_t disk);
    /* It was removed (all paths lost for too long): I/O fails until it arrives again. */
    void (*on_disk_gone)(struct host_user *user, struct host *host, uint32_t disk);
    /* An I/O of host_submit() is done. More may be submitted from here. */
    void (*on_io_done)(struct host_user *user, struct host *host, uint32_t disk,
                       struct mpath_io *io);
    /* host_stop() has done its work: no session, no stream. */
    void (*on_stopped)(struct host_user *user, struct host *host);
};
struct host_user {
    const struct host_user_ops *ops;
};

struct host_config {
    const char *name;                    /* "hv1" */
    uint32_t index;                      /* for the trace */
    const struct host_profile *profile;  /* borrowed, as all below, for the life of the host */
    const struct host_session *sessions; /* one path each; their order is the path index */
    uint32_t session_count;
    /* The disks that it should find, see host_find_disk(): their positions are the disk numbers;
     * others that turn up are numbered after them. */
    const char *const *disk_identities;
    uint32_t disk_count;
    const char *initiator_name;       /* iqn */
    bool discovers;                   /* SendTargets through the first portal before the logins;
                                         the answer must name every target that 'sessions' want */
    struct chap_login discovery_chap; /* {0}: no authentication */
    struct net *net;
    struct clock *clock;
    struct pool *pool;
    struct trace *trace;
    struct host_user *user; /* NULL: nobody listens */
    enum plant plant;
    uint64_t seed; /* of the run */
};

/* Life. host_free() in any state: cancels timers, aborts streams, gives all memory back. */
struct host *host_new(const struct host_config *config);
void host_free(struct host *host);

/* Boots the initiator service: discovery if wanted, logins, scans. */
void host_start(struct host *host);
/* Logs out of every session, then calls on_stopped(). Disks take no more I/O. */
void host_stop(struct host *host);
bool host_is_stopped(const struct host *host);

/* Power is gone or the kernel crashed: all state is lost at once, without a byte on the wire. The
 * streams are left to the net, which ends them by itself: call this before stack_power_off(). Open
 * I/O ends without a completion. */
void host_crash(struct host *host);
/* The initiator service alone crashed: the same, but the kernel lives and resets its connections.
 */
void host_kill_service(struct host *host);
/* Boots again after 'boot_ns'. */
void host_boot(struct host *host, int64_t boot_ns);
bool host_is_on(const struct host *host);

/* Disks by number. A number below host_config.disk_count may have no disk yet: NULL. */
uint32_t host_disk_count(const struct host *host);
struct mpath *host_disk(const struct host *host, uint32_t disk);
/* The number of the disk whose unit serial number (VPD 80h) or LU designator (VPD 83h, in
 * hexadecimal, or as text if it is printable) is 'identity'; TRACE_NONE: there is none (yet). */
uint32_t host_find_disk(const struct host *host, const char *identity);
/* Sends an I/O to a disk that is there; it ends in on_io_done(), never before this call returns.
 * It goes out with the next host_flush(), or by itself in the same instant. */
void host_submit(struct host *host, uint32_t disk, struct mpath_io *io);
/* Sends what was submitted; spares one event. Some of it may be done before this returns. */
void host_flush(struct host *host);

/* Paths, in the order of the configuration. */
uint32_t host_path_count(const struct host *host);
const char *host_path_name(const struct host *host, uint32_t path_index);
/* NULL while the host is off or discovers. */
const struct path *host_path(const struct host *host, uint32_t path_index);

/* A live session, for rule P6: the target must have the same ones. */
struct host_live_session {
    uint32_t path;
    uint8_t isid[ISID_BYTES];
    uint16_t tsih;
    uint32_t from;
    struct endpoint portal;
};
/* Fills at most 'most' and returns how many there are. */
uint32_t host_live_sessions(const struct host *host, struct host_live_session *ret_sessions,
                            uint32_t most);

/* What a path counted since the host was made, through all boots; and the sums over all paths. */
struct path_counters host_path_counters(const struct host *host, uint32_t path_index);
struct path_counters host_counters(const struct host *host);

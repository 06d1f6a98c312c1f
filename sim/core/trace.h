/* What happened: for the database, the digest and the rules. Handed down, never global.
 *
 * Owners report what they drained from their cores. The receiver (lab's recorder) copies what it
 * keeps; strings need to live for the call only unless said otherwise. Hosts, disks and paths are
 * named by index where it happens a million times: 'host' counts the topology's hosts, 'disk' the
 * host's multipath disks in the order of their arrival names, 'path' the host's sessions in the
 * order of the topology.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Where a sign of trouble was seen. X-macro: name, word in the database. */
#define TRACE_LAYERS(X)                                                                            \
    X(LAYER_LINK, "link")                                                                          \
    X(LAYER_TCP, "tcp")                                                                            \
    X(LAYER_ISCSI, "iscsi")                                                                        \
    X(LAYER_SCSI, "scsi")                                                                          \
    X(LAYER_MULTIPATH, "multipath")

enum trace_layer {
#define X(name, word) name,
    TRACE_LAYERS(X)
#undef X
};

const char *trace_layer_word(enum trace_layer layer);

#define TRACE_NONE UINT32_MAX /* no such host, disk or path */

/* The life of one I/O of the workload:
 *   SUBMITTED -> (SENT -> ATTEMPT_FAILED)* -> SENT -> DONE
 * An I/O may wait before it is SENT, and may end in DONE without ever being sent. */
enum trace_io_step { IO_SUBMITTED, IO_SENT, IO_ATTEMPT_FAILED, IO_DONE };

struct trace_io {
    enum trace_io_step step;
    uint32_t host;
    uint32_t disk;
    uint32_t path;  /* SENT, ATTEMPT_FAILED: where; DONE: the last one, or TRACE_NONE */
    uint64_t io_id; /* unique per host */
    uint32_t load;  /* which load of the host submitted it */
    bool is_write;
    bool is_error; /* DONE: the workload sees an error */
    uint64_t lba;
    uint32_t bytes;
    int64_t planned_at_ns; /* when it was due (open loop) or submitted: latency counts from here */
    void **memo; /* where the listener may keep what it knows of this I/O, from SUBMITTED to DONE */
};

/* A sign of trouble that this host acts on: carrier, connection, session, task time-out, path.
 * Retransmissions are none. */
struct trace_sign {
    uint32_t host;
    uint32_t path; /* each may be TRACE_NONE */
    uint32_t disk;
    enum trace_layer layer;
    bool is_change;   /* a state went bad; not: one that is bad already stays so, or gets better */
    const char *what; /* "carrier lost", "session dropped: nop time-out" */
};

struct trace_path {
    uint32_t host;
    uint32_t disk;
    uint32_t path;
    const char *old_state; /* words of initiator/path_state.h; static strings */
    const char *new_state;
    const char *reason;
};

/* A rule of reference/checks.md is broken. */
struct trace_broken {
    const char *rule; /* "D1" */
    uint32_t host;    /* each may be TRACE_NONE */
    uint32_t path;
    uint32_t disk;
    uint64_t lba;     /* UINT64_MAX: none */
    const char *text; /* what was expected, what was seen */
};

/* A PDU as one end sent or received it, in the order of the connection; for rules P1 to P4. */
struct trace_pdu {
    uint64_t connection;   /* unique in the run, the same number for all PDUs of one end */
    bool is_target_end;    /* which end saw it */
    bool is_from_target;   /* direction */
    const uint8_t *header; /* the 48 bytes of the BHS */
    void **memo; /* where the listener may keep what it knows of this end, until pdu_end; or NULL */
};

struct iscsi_params; /* iscsi/params.h */

struct trace;
struct trace_ops {
    void (*io)(struct trace *trace, int64_t at_ns, const struct trace_io *io);
    void (*sign)(struct trace *trace, int64_t at_ns, const struct trace_sign *sign);
    void (*path)(struct trace *trace, int64_t at_ns, const struct trace_path *path);
    /* A host crashed or lost its power, with all that it knew: its open I/O ends without a
     * completion. NULL: does not matter here. */
    void (*host_lost)(struct trace *trace, int64_t at_ns, uint32_t host);
    void (*broken)(struct trace *trace, int64_t at_ns, const struct trace_broken *broken);
    void (*pdu)(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu);
    /* PDUs of tasks with these tags will be told soon, at the end that 'end' names (it has no
     * header): time to fetch what is known of them. NULL: does not matter here. */
    void (*tasks_ahead)(struct trace *trace, const struct trace_pdu *end, const uint32_t tags[],
                        uint32_t count);
    /* One end of a connection knows what login agreed, as seen from there: its bursts and segments
     * are watched from now on. NULL: does not matter here. */
    void (*agreed)(struct trace *trace, uint64_t connection, bool is_target_end,
                   const struct iscsi_params *params);
    void (*pdu_end)(struct trace *trace, int64_t at_ns, uint64_t connection); /* it is closed */
    /* An event that only the digest and the counters care for. */
    void (*event)(struct trace *trace, int64_t at_ns, const char *component, const char *what,
                  uint64_t number);
};
struct trace {
    const struct trace_ops *ops; /* all set, but where NULL may be */
};

/* For a trace that forgets everything, in tests. */
const struct trace_ops *trace_nowhere_ops(void);

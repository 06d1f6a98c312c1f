/* What a connection sends: bytes not yet acknowledged, cut into the segments they were sent in.
 *
 *   SND.UNA                          SND.NXT
 *      |  sent  |  sent  |  sent  |  sent |      not sent yet      |
 *      '------------ records -------------'                        '- the user's next write
 *
 * A record is what one segment carried: when it was sent, how often, and what the peer said of it.
 * The scoreboard of SACK (RFC 6675), the marks of loss detection and the samples of round trips all
 * live on the records, so that another way to detect a loss is another function that marks them.
 *
 * How much is in the network ("pipe", RFC 6675, 4): flight, less what the peer has (SACKED), less
 * what is thought lost (LOST), plus what of that was sent again (RESENT).
 */
#pragma once

#include "sim/core/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Some of the user's bytes. They stand in a ring, numbered as they came: what waits for its
 * acknowledgment has left the processor's cache by the time that it comes, if there are many
 * connections, and a ring brings back several in a line. */
struct tcp_piece {
    struct chunk *chunk; /* one reference, owned */
    uint32_t offset;
    uint32_t bytes; /* 1 or more */
};

/* A byte of the queue: stays true while pieces before it are dropped. */
struct tcp_place {
    uint32_t piece; /* its number; that of the next one to come: behind the last byte */
    uint32_t at;    /* offset in its chunk */
};

enum tcp_sent_mark {
    TCP_SENT_SACKED = 1,
    TCP_SENT_LOST = 2,
    TCP_SENT_RESENT = 4, /* in the network again since it was marked LOST */
    TCP_SENT_FIN = 8,    /* carries our FIN behind its bytes */
    TCP_SENT_TIMED = 16, /* stands in the list by time */
    TCP_SENT_TWICE = 32, /* or more often */
};

/* One line of the cache, for the same reason. */
struct tcp_sent {
    struct tcp_sent *next;
    struct tcp_sent *time_next; /* by when they were sent last; while in the network, as far as */
    struct tcp_sent *time_prev; /* we know: neither SACKED nor LOST without being sent again */
    struct tcp_place place;     /* of its first byte, if it has any */
    uint32_t sn;
    uint32_t end;  /* behind its last byte and FIN */
    uint8_t marks; /* of enum tcp_sent_mark */
    int64_t first_sent_at_ns;
    int64_t sent_at_ns; /* the last time */
};
static_assert(sizeof(struct tcp_sent) <= 64, "a record is a line of the cache");

/* What arrived at the peer since someone looked last, by ACK or SACK. */
struct tcp_delivery {
    int64_t ambiguous_after_ns; /* an answer to what was sent again later than this may be one to
                                   an earlier sending (RFC 8985, 6.2, step 2): set by the owner */
    int64_t sent_at_ns;         /* of the one sent last (RACK.xmit_ts), with its end */
    uint32_t end;
    uint32_t highest;      /* RACK.fack */
    uint32_t original_end; /* of the lowest that was sent once */
    bool is_begun;         /* 'sent_at_ns' and 'highest' hold */
    bool is_news;          /* the next four: since someone looked */
    bool has_original;
    bool is_reordered; /* one that was sent once arrived behind a later one */
};

struct tcp_send_queue {
    struct pool *pool;
    struct tcp_piece *pieces; /* from the first byte not acknowledged on: a ring in 'memory' */
    struct chunk *memory;     /* NULL: none yet */
    uint32_t capacity;        /* a power of two, or 0 */
    uint32_t first_piece;     /* its number */
    uint32_t next_piece;      /* the number of the next to come */
    uint32_t bytes;           /* in all pieces */
    struct tcp_place unsent;
    uint32_t unsent_bytes;
    struct tcp_sent *first; /* records, in order */
    struct tcp_sent *last;
    struct tcp_sent *oldest; /* by time */
    struct tcp_sent *newest;
    struct tcp_sent *lost_hint; /* no record before it is LOST and not RESENT; NULL: none is */
    uint32_t sacked;            /* of the sequence space, as all below */
    uint32_t sacked_segments;
    uint32_t lost;
    uint32_t resent;
    struct tcp_delivery delivery;
};

void tcp_send_queue_init(struct tcp_send_queue *queue, struct pool *pool);
void tcp_send_queue_clear(struct tcp_send_queue *queue);

/* An acknowledgment is looked at soon. */
static inline void tcp_send_queue_fetch(const struct tcp_send_queue *queue)
{
    __builtin_prefetch(queue->first);
    if (queue->capacity > 0)
        __builtin_prefetch(&queue->pieces[queue->first_piece & (queue->capacity - 1)]);
}

/* The user's bytes. Takes ownership of 'data'. */
void tcp_send_queue_put(struct tcp_send_queue *queue, struct buf *data);

/* A new record of the next 'bytes' unsent bytes and maybe FIN, at 'sn'. Returns its bytes, shared.
 */
struct buf *tcp_send_queue_send(struct tcp_send_queue *queue, uint32_t sn, uint32_t bytes,
                                bool is_fin, int64_t now_ns);
/* The record's bytes once more, at most 'most_bytes' of them: a longer one is split in two. */
struct buf *tcp_send_queue_resend(struct tcp_send_queue *queue, struct tcp_sent *sent,
                                  uint32_t most_bytes, int64_t now_ns);

static inline uint32_t tcp_sent_bytes(const struct tcp_sent *sent)
{
    return sent->end - sent->sn - ((sent->marks & TCP_SENT_FIN) != 0);
}

/* What an acknowledgment told. */
struct tcp_acked {
    int64_t sent_at_ns;       /* of the newest record that it covers and that was sent only once */
    int64_t first_sent_at_ns; /* of the oldest such one */
    uint32_t segments;        /* records that it covers */
    bool has_sample;          /* sent_at_ns is usable (Karn) */
    bool covers_retransmission;
    bool covers_fin;
};

/* All before 'una' has arrived. */
struct tcp_acked tcp_send_queue_ack(struct tcp_send_queue *queue, uint32_t una);
/* The peer has [left, right). Returns whether it told something new. */
bool tcp_send_queue_sack(struct tcp_send_queue *queue, uint32_t left, uint32_t right);
void tcp_send_queue_forget_sacks(struct tcp_send_queue *queue);

/* Marks. */
void tcp_send_queue_mark_lost(struct tcp_send_queue *queue, struct tcp_sent *sent);
/* It was sent again, and that is lost, too. */
void tcp_send_queue_mark_overdue(struct tcp_send_queue *queue, struct tcp_sent *sent);
/* Nothing was lost after all. */
void tcp_send_queue_unmark_lost(struct tcp_send_queue *queue);
/* After a timeout: all that the peer did not report is lost, what was sent again, too. */
/* But for the first record, what was sent after 'spared_ns' keeps its marks. */
void tcp_send_queue_mark_all_lost(struct tcp_send_queue *queue, int64_t spared_ns);
/* IsLost() of RFC 6675, 4, for all records: 'dup_threshold' segments above one are SACKED. */
void tcp_send_queue_mark_by_sack(struct tcp_send_queue *queue, uint32_t dup_threshold);
/* The first record to be sent again; NULL: none. */
struct tcp_sent *tcp_send_queue_next_lost(struct tcp_send_queue *queue);

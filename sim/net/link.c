/* Queue, serializer and cable in one: times are arithmetic, and only arrivals are events. */
#include "sim/net/link.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"
#include "sim/net/frame_codec.h"
#include "sim/net/packet_buffer.h"

#include <stdlib.h>

#define NS_PER_S INT64_C(1000000000)

struct link_slot {
    struct frame *frame; /* one reference */
    uint32_t from;       /* the ingress port, or LINK_FROM_SELF */
    uint32_t bytes;
    int64_t eligible_ns;
    int64_t start_ns; /* of the preamble */
    int64_t done_ns;  /* last bit sent, rounded up */
    int64_t arrival_ns;
    int64_t tail_ns; /* arrival of its last bit */
};

/* The frame at 'index' from the oldest on. */
static struct link_slot *slot_at(const struct link *link, uint32_t index)
{
    return &link->slots[(link->first + index) & (link->capacity - 1)];
}

static int64_t bits_ns(uint64_t bytes) /* in 1/rate ns */
{
    return (int64_t)(bytes * 8) * NS_PER_S;
}

static void learn_rate(struct link *link)
{
    link->rate_bits_per_s = impair_rate(&link->impair, link->config.rate_bits_per_s);
    link->gap_ns = bits_ns(LINK_GAP_BYTES) / link->rate_bits_per_s;
    link->gap_fraction = bits_ns(LINK_GAP_BYTES) % link->rate_bits_per_s;
}

/* From the bytes that a cut-through switch waits for to the last bit. */
static int64_t rest_of(const struct link *link, uint32_t on_wire, int64_t fraction)
{
    if (link->head_bytes == 0 || on_wire + LINK_FCS_BYTES <= link->head_bytes)
        return 0;
    int64_t head = fraction + bits_ns(LINK_PREAMBLE_BYTES + link->head_bytes);
    int64_t whole = fraction + bits_ns(LINK_PREAMBLE_BYTES + on_wire + LINK_FCS_BYTES);
    int64_t rate = link->rate_bits_per_s;

    return (whole + rate - 1) / rate - (head + rate - 1) / rate;
}

/* Works out the times of the newest frame: it follows on 'busy_until'. */
static void plan(struct link *link, struct link_slot *slot)
{
    uint32_t on_wire = slot->bytes > LINK_MIN_FRAME_BYTES ? slot->bytes : LINK_MIN_FRAME_BYTES;
    int64_t fraction = link->busy_fraction;
    int64_t delay_ns = link->config.delay_ns;
    int64_t earliest_ns = slot->eligible_ns;

    if (link->paused_until_ns > earliest_ns && slot->from != LINK_FROM_SELF)
        earliest_ns = link->paused_until_ns;
    slot->start_ns = link->busy_until_ns;
    if (earliest_ns > link->busy_until_ns) {
        slot->start_ns = earliest_ns;
        fraction = 0;
    }
    int64_t rest_ns = rest_of(link, on_wire, fraction);

    fraction += bits_ns(on_wire + LINK_PREAMBLE_BYTES + LINK_FCS_BYTES);
    int64_t last_bit_ns = slot->start_ns + fraction / link->rate_bits_per_s;

    fraction %= link->rate_bits_per_s;
    slot->done_ns = last_bit_ns + (fraction > 0);
    link->busy_until_ns = last_bit_ns + link->gap_ns;
    link->busy_fraction = fraction + link->gap_fraction;
    if (link->busy_fraction >= link->rate_bits_per_s) {
        link->busy_fraction -= link->rate_bits_per_s;
        link->busy_until_ns++;
    }
    if (!impair_is_none(&link->impair))
        delay_ns += impair_delay_ns(&link->impair);
    slot->arrival_ns = time_max(slot->done_ns - rest_ns + delay_ns, link->last_arrival_ns);
    slot->tail_ns = slot->arrival_ns + rest_ns;
    link->last_arrival_ns = slot->arrival_ns;
}

static void book_out(struct link *link, const struct link_slot *slot)
{
    link->queued_bytes -= slot->bytes;
    if (link->buffer && slot->from != LINK_FROM_SELF)
        packet_buffer_leave(link->buffer, slot->from, slot->bytes);
}

/* Places of frames that have arrived and left the serializer are free. */
static void retire(struct link *link)
{
    while (link->handed > 0 && link->sent > 0) {
        link->first = (link->first + 1) & (link->capacity - 1);
        link->count--;
        link->sent--;
        link->handed--;
    }
}

/* Frames whose last bit has left give their place in the queue back. */
static void look_at_queue(struct link *link)
{
    int64_t now_ns = clock_now_ns(link->wire->clock);

    while (link->sent < link->count) {
        const struct link_slot *slot = slot_at(link, link->sent);

        if (slot->done_ns > now_ns)
            break;
        book_out(link, slot);
        link->sent++;
    }
    if (link->handed > 0)
        retire(link);
}

/* When half of the queue is free: the frame that makes it so is done. */
static void arm_room_timer(struct link *link)
{
    int64_t at_ns = clock_now_ns(link->wire->clock);
    uint32_t half = link->config.queue_frames / 2;

    look_at_queue(link);
    if (link->count - link->sent > half)
        at_ns = slot_at(link, link->count - half - 1)->done_ns;
    clock_arm(link->wire->clock, &link->room_timer, at_ns);
}

/* After frames went or times changed. */
static void rearm(struct link *link)
{
    if (link->count > link->handed)
        clock_arm(link->wire->clock, &link->arrival_timer, slot_at(link, link->handed)->arrival_ns);
    else
        clock_cancel(link->wire->clock, &link->arrival_timer);
    if (timer_is_armed(&link->room_timer))
        arm_room_timer(link);
    if (link->ops->on_replanned)
        link->ops->on_replanned(link);
}

static void drop(struct link *link, struct frame *frame, enum drop_reason reason)
{
    link->counts.dropped[reason]++;
    wire_drop(link->wire, link->name, reason, frame);
}

static struct frame *take_first(struct link *link)
{
    const struct link_slot *slot = slot_at(link, link->handed);
    struct frame *frame = slot->frame;

    assert(link->handed < link->count);
    link->tail_ns = slot->tail_ns;
    link->handed++;
    retire(link);
    return frame;
}

static void deliver(struct link *link, struct frame *frame)
{
    link->counts.delivered++;
    link->counts.delivered_bytes += frame_bytes(frame);
    link->ops->on_arrival(link, frame);
}

static void deliver_late(struct holding *holding, struct frame *frame, uint32_t from)
{
    struct link *link = CONTAINER_OF(holding, struct link, holding);

    (void)from;
    link->tail_ns = clock_now_ns(link->wire->clock);
    deliver(link, frame);
}

/* With preamble, FCS and gap. */
static int64_t frame_time_ns(const struct link *link, const struct frame *frame)
{
    uint32_t bytes = frame_bytes(frame);
    uint32_t on_wire = bytes > LINK_MIN_FRAME_BYTES ? bytes : LINK_MIN_FRAME_BYTES;

    return bits_ns(on_wire + LINK_PREAMBLE_BYTES + LINK_FCS_BYTES + LINK_GAP_BYTES) /
           link->rate_bits_per_s;
}

/* Bits flip in the frame. NULL: somebody saw it, and it was dropped. */
static struct frame *damage(struct link *link, struct frame *frame,
                            const struct impair_verdict *verdict)
{
    if (!impair_damage(verdict, &frame))
        return frame;
    if (frame->is_fcs_bad && link->head_bytes == 0) {
        drop(link, frame, DROP_CORRUPT);
        return NULL;
    }
    link->counts.damaged++;
    return frame;
}

/* The frame comes out of a cable with faults: what is left of it, how often, and when? A second
 * copy follows as closely as the rate allows. */
static void suffer(struct link *link, struct frame *frame)
{
    struct impair_verdict verdict = impair_judge(&link->impair, frame_bytes(frame));
    int64_t at_ns = time_after(clock_now_ns(link->wire->clock), verdict.late_ns);

    if (verdict.is_lost) {
        drop(link, frame, DROP_LOSS);
        return;
    }
    if (verdict.is_corrupt)
        frame = damage(link, frame, &verdict);
    if (!frame)
        return;
    for (uint32_t i = 0; i < verdict.copies; i++) {
        link->counts.duplicated++;
        holding_add(&link->holding, frame_ref(frame), 0,
                    time_after(at_ns, (i + 1) * frame_time_ns(link, frame)));
    }
    if (verdict.late_ns > 0) {
        link->counts.reordered++;
        holding_add(&link->holding, frame, 0, at_ns);
    } else {
        deliver(link, frame);
    }
}

/* The next frames were sent long ago if the queue is long. Of each, what the last step brought into
 * the cache shows where the next part of it is. */
static void fetch_ahead(const struct link *link)
{
    uint32_t waiting = link->count - link->handed;

    if (waiting > 2)
        frame_fetch(slot_at(link, link->handed + 2)->frame);
    if (waiting > 1)
        frame_fetch_payload(slot_at(link, link->handed + 1)->frame, 0);
    frame_fetch_payload(slot_at(link, link->handed)->frame, 1);
}

static void arrive(struct timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, arrival_timer);

    look_at_queue(link);
    struct frame *frame = take_first(link);

    if (link->count > link->handed) {
        const struct link_slot *next = slot_at(link, link->handed);

        clock_arm(link->wire->clock, timer, next->arrival_ns);
        fetch_ahead(link);
    }
    frame_fetch_payload(frame, 3);
    if (impair_is_none(&link->impair))
        deliver(link, frame);
    else
        suffer(link, frame);
}

static void tell_room(struct timer *timer)
{
    struct link *link = CONTAINER_OF(timer, struct link, room_timer);

    if (link->ops->on_room)
        link->ops->on_room(link);
}

void link_init(struct link *link, struct wire *wire, const char *name, uint32_t port_id,
               const struct link_ops *ops, const struct link_config *config)
{
    static const struct holding_ops holding_ops = {.on_due = deliver_late};

    assert(config->rate_bits_per_s > 0);
    *link = (struct link){
        .ops = ops, .wire = wire, .name = name, .port_id = port_id, .config = *config};
    timer_init(&link->arrival_timer, arrive);
    timer_init(&link->room_timer, tell_room);
    holding_init(&link->holding, wire, &holding_ops);
    learn_rate(link);
}

void link_fini(struct link *link)
{
    clock_cancel(link->wire->clock, &link->arrival_timer);
    clock_cancel(link->wire->clock, &link->room_timer);
    for (uint32_t i = link->handed; i < link->count; i++)
        frame_unref(slot_at(link, i)->frame);
    free(link->slots);
    holding_fini(&link->holding);
    impair_fini(&link->impair);
    link->slots = NULL;
    link->count = 0;
    link->handed = 0;
}

static void grow(struct link *link)
{
    uint32_t capacity = link->capacity ? link->capacity * 2 : 16;
    struct link_slot *slots = mem_array(capacity, sizeof(*slots));

    for (uint32_t i = 0; i < link->count; i++)
        slots[i] = *slot_at(link, i);
    free(link->slots);
    link->slots = slots;
    link->capacity = capacity;
    link->first = 0;
}

static bool is_full(const struct link *link, uint32_t bytes)
{
    const struct link_config *config = &link->config;

    if (config->queue_frames > 0 && link->count - link->sent >= config->queue_frames)
        return true;
    return config->queue_bytes > 0 && link->queued_bytes + bytes > config->queue_bytes;
}

void link_refuse(struct link *link, struct frame *frame, enum drop_reason reason)
{
    link->counts.offered++;
    link->counts.offered_bytes += frame_bytes(frame);
    drop(link, frame, reason);
}

/* Room for one more at 'index', before those that stand there now. */
static struct link_slot *make_place(struct link *link, uint32_t index)
{
    if (link->count == link->capacity)
        grow(link);
    for (uint32_t i = link->count; i > index; i--)
        *slot_at(link, i) = *slot_at(link, i - 1);
    link->count++;
    return slot_at(link, index);
}

static void book_in(struct link *link, const struct link_slot *slot)
{
    link->queued_bytes += slot->bytes;
    link->counts.offered++;
    link->counts.offered_bytes += slot->bytes;
    if (link->buffer && slot->from != LINK_FROM_SELF)
        packet_buffer_enter(link->buffer, slot->from, slot->bytes);
    wire_sent(link->wire, link->port_id, slot->frame);
}

void link_send(struct link *link, struct frame *frame, int64_t eligible_ns, uint32_t from)
{
    uint32_t bytes = frame_bytes(frame);

    assert(eligible_ns >= clock_now_ns(link->wire->clock));
    if (!link->is_passing) {
        link_refuse(link, frame, DROP_NO_CARRIER);
        return;
    }
    look_at_queue(link);
    if (is_full(link, bytes)) {
        link_refuse(link, frame, DROP_QUEUE_FULL);
        return;
    }
    struct link_slot *slot = make_place(link, link->count);

    slot->frame = frame;
    slot->from = from;
    slot->bytes = bytes;
    slot->eligible_ns = eligible_ns;
    plan(link, slot);
    book_in(link, slot);
    if (link->count - link->handed > 1)
        return;
    clock_arm(link->wire->clock, &link->arrival_timer, slot->arrival_ns);
    if (link->ops->on_ahead)
        link->ops->on_ahead(link, frame);
}

uint32_t link_room(struct link *link)
{
    look_at_queue(link);
    return link->config.queue_frames - (link->count - link->sent);
}

uint64_t link_queued_bytes(struct link *link)
{
    look_at_queue(link);
    return link->queued_bytes;
}

int64_t link_next_departure_ns(struct link *link)
{
    look_at_queue(link);
    return link->sent < link->count ? slot_at(link, link->sent)->done_ns : TIME_NEVER;
}

void link_want_room(struct link *link)
{
    if (!timer_is_armed(&link->room_timer))
        arm_room_timer(link);
}

/* The first frame whose first bit has not left. */
static uint32_t first_waiting(const struct link *link)
{
    int64_t now_ns = clock_now_ns(link->wire->clock);
    uint32_t index = link->sent;

    while (index < link->count && slot_at(link, index)->start_ns <= now_ns)
        index++;
    return index;
}

/* The serializer and the cable as the 'kept' oldest frames leave them. */
static void follow_on(struct link *link, uint32_t kept)
{
    link->busy_until_ns = clock_now_ns(link->wire->clock);
    link->busy_fraction = 0;
    link->last_arrival_ns = 0;
    if (kept == 0)
        return;
    const struct link_slot *last = slot_at(link, kept - 1);

    link->busy_until_ns = time_max(link->busy_until_ns, last->done_ns + link->gap_ns);
    link->last_arrival_ns = last->arrival_ns;
}

/* Takes the newest frames away, so that 'kept' stay. The queue has been looked at: places that
 * become free would move the others. */
static void drop_from(struct link *link, uint32_t kept, enum drop_reason reason)
{
    uint32_t end = link->count;

    for (uint32_t i = link->sent > kept ? link->sent : kept; i < end; i++)
        book_out(link, slot_at(link, i));
    link->count = kept;
    if (link->sent > kept)
        link->sent = kept;
    follow_on(link, kept);
    for (uint32_t i = kept; i < end; i++)
        drop(link, slot_at(link, i)->frame, reason);
    rearm(link);
}

void link_drop_queued(struct link *link, enum drop_reason reason)
{
    look_at_queue(link);
    uint32_t kept = first_waiting(link);

    if (kept < link->count)
        drop_from(link, kept, reason);
}

void link_set_passing(struct link *link, bool is_passing)
{
    struct frame *frame;
    uint32_t from;

    link->is_passing = is_passing;
    if (is_passing)
        return;
    link->paused_until_ns = 0;
    look_at_queue(link);
    if (link->count > link->handed)
        drop_from(link, link->handed, DROP_NO_CARRIER);
    while ((frame = holding_take(&link->holding, &from)))
        drop(link, frame, DROP_NO_CARRIER);
}

/* Rate, delay or layers changed: frames that did not start yet follow the new ones. */
static void plan_again(struct link *link)
{
    uint32_t index = first_waiting(link);

    learn_rate(link);
    if (index == link->count)
        return;
    follow_on(link, index);
    for (; index < link->count; index++)
        plan(link, slot_at(link, index));
    rearm(link);
}

void link_pause(struct link *link, int64_t until_ns)
{
    link->paused_until_ns = until_ns;
    plan_again(link);
}

void link_send_control(struct link *link, struct frame *frame)
{
    if (!link->is_passing) {
        link_refuse(link, frame, DROP_NO_CARRIER);
        return;
    }
    look_at_queue(link);
    uint32_t index = first_waiting(link);
    struct link_slot *slot = make_place(link, index);

    *slot = (struct link_slot){.frame = frame,
                               .from = LINK_FROM_SELF,
                               .bytes = frame_bytes(frame),
                               .eligible_ns = clock_now_ns(link->wire->clock)};
    slot->start_ns = TIME_NEVER; /* not before it is planned */
    book_in(link, slot);
    plan_again(link);
}

void link_set_rate(struct link *link, int64_t rate_bits_per_s)
{
    assert(rate_bits_per_s > 0);
    link->config.rate_bits_per_s = rate_bits_per_s;
    plan_again(link);
}

void link_set_delay(struct link *link, int64_t delay_ns)
{
    assert(delay_ns >= 0);
    link->config.delay_ns = delay_ns;
    plan_again(link);
}

struct impair_layer *link_impair(struct link *link, const struct impair_config *config)
{
    struct impair_layer *layer = impair_add(&link->impair, config, link->wire->seed, link->name);

    plan_again(link);
    return layer;
}

void link_repair(struct link *link, struct impair_layer *layer)
{
    impair_remove(&link->impair, layer);
    plan_again(link);
}

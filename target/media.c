/* How long media take: see media.h. */
#include "target/media.h"

#include <assert.h>
#include <stdlib.h>

#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/core/time.h"

#define PPM UINT64_C(1000000)

struct server {
    struct timer timer;
    struct media *media;
    bool is_busy;
    struct store_request *request; /* NULL: idle, or what it served was cancelled */
    struct server *next_idle;
};

struct media {
    struct store store;
    struct clock *clock;
    struct store *inner; /* borrowed */
    struct media_model model;
    struct server *servers; /* owned; as many as the first model had */
    uint32_t server_count;
    struct server *idle;
    uint32_t busy_count;
    struct store_request *queue_head;
    struct store_request **queue_end;
    size_t queue_count;
    struct store_request *failed_head; /* ended here with an error: on_done is due */
    struct store_request **failed_end;
    struct timer failed_timer;
    struct media_slow *slow;
    struct media_failure *failures;
};

/* 'ns' x 'factor_ppm' / 1,000,000, saturating. Split so that the product stays in 64 bits. */
static int64_t scale(int64_t ns, uint64_t factor_ppm)
{
    uint64_t whole = factor_ppm / PPM;
    uint64_t part = factor_ppm % PPM;
    uint64_t span = (uint64_t)ns;

    if (whole > 0 && span > (uint64_t)TIME_NEVER / whole)
        return TIME_NEVER;
    uint64_t fraction = span / PPM * part + span % PPM * part / PPM;

    return time_after((int64_t)(span * whole), (int64_t)fraction);
}

static int64_t service_ns(const struct media *media, const struct store_request *request)
{
    int64_t ns =
        store_op_only_looks(request->op) ? media->model.read_time_ns : media->model.write_time_ns;

    for (const struct media_slow *layer = media->slow; layer; layer = layer->next)
        ns = time_after(scale(ns, layer->factor_ppm), layer->add_ns);
    return ns;
}

static void append(struct store_request ***end, struct store_request *request)
{
    request->next = NULL;
    **end = request;
    *end = &request->next;
}

static void serve(struct media *media, struct store_request *request)
{
    struct server *server = media->idle;

    media->idle = server->next_idle;
    media->busy_count++;
    server->is_busy = true;
    server->request = request;
    clock_arm(media->clock, &server->timer,
              time_after(clock_now_ns(media->clock), service_ns(media, request)));
}

static void release(struct media *media, struct server *server)
{
    server->is_busy = false;
    server->request = NULL;
    server->next_idle = media->idle;
    media->idle = server;
    media->busy_count--;
}

static bool has_idle(const struct media *media)
{
    return media->idle && media->busy_count < media->model.commands_at_once;
}

static void serve_queue(struct media *media)
{
    while (media->queue_head && has_idle(media)) {
        struct store_request *following = media->queue_head;

        media->queue_head = following->next;
        if (!media->queue_head)
            media->queue_end = &media->queue_head;
        media->queue_count--;
        serve(media, following);
    }
}

static bool touches(const struct media_failure *layer, const struct store_request *request)
{
    bool fails = request->op == STORE_READ ? layer->fails_reads : layer->fails_writes;

    return fails && request->op != STORE_FLUSH && request->op != STORE_MAP && request->bytes > 0 &&
           layer->bytes > 0 && request->offset <= layer->offset + (layer->bytes - 1) &&
           layer->offset <= request->offset + (request->bytes - 1);
}

/* Where the first byte that fails is; false: none does. */
static bool fails_at(const struct media *media, const struct store_request *request,
                     uint64_t *ret_offset)
{
    bool fails = false;

    for (const struct media_failure *layer = media->failures; layer; layer = layer->next) {
        uint64_t first = layer->offset > request->offset ? layer->offset : request->offset;

        if (touches(layer, request) && (!fails || first < *ret_offset)) {
            *ret_offset = first;
            fails = true;
        }
    }
    return fails;
}

static void fail(struct media *media, struct store_request *request, uint64_t error_offset)
{
    if (store_op_takes_data(request->op))
        buf_free(request->data);
    request->data = NULL;
    request->result = STORE_MEDIUM_ERROR;
    request->error_offset = error_offset;
    append(&media->failed_end, request);
    if (!timer_is_armed(&media->failed_timer))
        clock_arm(media->clock, &media->failed_timer, clock_now_ns(media->clock));
}

static void service_ends(struct timer *timer)
{
    struct server *server = CONTAINER_OF(timer, struct server, timer);
    struct media *media = server->media;
    struct store_request *request = server->request;
    uint64_t error_offset = 0;

    release(media, server);
    serve_queue(media);
    if (!request)
        return;
    if (media->failures && fails_at(media, request, &error_offset))
        fail(media, request, error_offset);
    else
        store_submit(media->inner, request);
}

static void tell_failed(struct timer *timer)
{
    struct media *media = CONTAINER_OF(timer, struct media, failed_timer);
    struct store_request *request = media->failed_head;

    media->failed_head = request->next;
    if (media->failed_head)
        clock_arm(media->clock, timer, clock_now_ns(media->clock));
    else
        media->failed_end = &media->failed_head;
    request->on_done(request);
}

static void media_submit(struct store *store, struct store_request *request)
{
    struct media *media = CONTAINER_OF(store, struct media, store);

    store_fetch(media->inner, request);
    if (!media->queue_head && has_idle(media)) {
        serve(media, request);
        return;
    }
    append(&media->queue_end, request);
    media->queue_count++;
}

static void drop(struct store_request *request)
{
    if (store_op_takes_data(request->op))
        buf_free(request->data);
    request->data = NULL;
}

static void drop_all(struct store_request **head, struct store_request ***end)
{
    for (struct store_request *request = *head; request;) {
        struct store_request *next = request->next;

        drop(request);
        request = next;
    }
    *head = NULL;
    *end = head;
}

static void media_crash(struct store *store)
{
    struct media *media = CONTAINER_OF(store, struct media, store);

    for (uint32_t i = 0; i < media->server_count; i++) {
        struct server *server = &media->servers[i];

        if (!server->is_busy)
            continue;
        clock_cancel(media->clock, &server->timer);
        if (server->request)
            drop(server->request);
        release(media, server);
    }
    drop_all(&media->queue_head, &media->queue_end);
    media->queue_count = 0;
    clock_cancel(media->clock, &media->failed_timer);
    drop_all(&media->failed_head, &media->failed_end);
    store_crash(media->inner);
}

/* Takes 'request' out of a list; false: it is not there. */
static bool take_out(struct store_request **head, struct store_request ***end,
                     const struct store_request *request)
{
    for (struct store_request **each = head; *each; each = &(*each)->next) {
        if (*each != request)
            continue;
        *each = request->next;
        if (!*each)
            *end = each;
        return true;
    }
    return false;
}

/* What is in service keeps its server busy to the end; only its effect is gone. */
static bool media_cancel(struct store *store, struct store_request *request)
{
    struct media *media = CONTAINER_OF(store, struct media, store);

    for (uint32_t i = 0; i < media->server_count; i++) {
        if (media->servers[i].request == request) {
            media->servers[i].request = NULL;
            drop(request);
            return true;
        }
    }
    if (!take_out(&media->queue_head, &media->queue_end, request))
        return false; /* it has failed already or is with the inner store */
    media->queue_count--;
    drop(request);
    return true;
}

static const struct store_ops media_ops = {
    .submit = media_submit, .crash = media_crash, .cancel = media_cancel};

struct media *media_new(const struct media_model *model, struct clock *clock, struct store *inner)
{
    assert(model->commands_at_once > 0);
    struct media *media = mem_new(sizeof(*media));

    *media = (struct media){
        .store = {.ops = &media_ops, .bytes = inner->bytes},
        .clock = clock,
        .inner = inner,
        .model = *model,
        .server_count = model->commands_at_once,
        .servers = mem_array(model->commands_at_once, sizeof(struct server)),
    };
    media->queue_end = &media->queue_head;
    media->failed_end = &media->failed_head;
    timer_init(&media->failed_timer, tell_failed);
    for (uint32_t i = media->server_count; i-- > 0;) {
        struct server *server = &media->servers[i];

        *server = (struct server){.media = media, .next_idle = media->idle};
        timer_init(&server->timer, service_ends);
        media->idle = server;
    }
    return media;
}

void media_grow(struct media *media)
{
    assert(media->inner->bytes >= media->store.bytes);
    media->store.bytes = media->inner->bytes;
}

void media_free(struct media *media)
{
    if (!media)
        return;
    assert(media->busy_count == 0);
    assert(!media->failed_head);
    free(media->servers);
    free(media);
}

struct store *media_interface(struct media *media)
{
    return &media->store;
}

void media_set_model(struct media *media, const struct media_model *model)
{
    assert(model->commands_at_once > 0);
    media->model = *model;
    serve_queue(media);
}

void media_slow_add(struct media *media, struct media_slow *layer)
{
    struct media_slow **end = &media->slow;

    while (*end)
        end = &(*end)->next;
    layer->next = NULL;
    *end = layer;
}

void media_slow_remove(struct media *media, struct media_slow *layer)
{
    for (struct media_slow **each = &media->slow; *each; each = &(*each)->next) {
        if (*each == layer) {
            *each = layer->next;
            return;
        }
    }
}

void media_failure_add(struct media *media, struct media_failure *layer)
{
    layer->next = media->failures;
    media->failures = layer;
}

void media_failure_remove(struct media *media, struct media_failure *layer)
{
    for (struct media_failure **each = &media->failures; *each; each = &(*each)->next) {
        if (*each == layer) {
            *each = layer->next;
            return;
        }
    }
}

size_t media_waiting(const struct media *media)
{
    return media->queue_count;
}

size_t media_in_service(const struct media *media)
{
    return media->busy_count;
}

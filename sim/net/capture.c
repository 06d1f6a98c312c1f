/* The tap that writes a capture. It reads frames and changes nothing, so that a run with a capture
 * has the digest of one without. */
#include "sim/net/capture.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <stdlib.h>

struct capture {
    struct tap tap;
    struct fabric *fabric; /* borrowed */
    struct pcapng file;
    uint32_t dropped_interface;
    uint32_t event_interface;
};

static struct capture *capture_of(struct tap *tap)
{
    return CONTAINER_OF(tap, struct capture, tap);
}

static void write_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                        const struct frame *frame)
{
    pcapng_write_frame(&capture_of(tap)->file, nic * DIRECTION_COUNT + direction, at_ns,
                       direction == DIRECTION_OUT, frame,
                       frame->is_damaged ? "damaged by a fault" : NULL);
}

static void write_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                       const struct frame *frame)
{
    struct capture *capture = capture_of(tap);
    char comment[192];

    snprintf(comment, sizeof(comment), "dropped at %s: %s%s", where, drop_reason_word(reason),
             frame->is_damaged ? ", damaged by a fault" : "");
    pcapng_write_frame(&capture->file, capture->dropped_interface, at_ns, false, frame, comment);
}

struct capture *capture_new(struct fabric *fabric, FILE *file, const char *application)
{
    static const struct tap_ops ops = {.frame = write_frame, .drop = write_drop};
    static const char *const words[DIRECTION_COUNT] = {
        [DIRECTION_OUT] = "out", [DIRECTION_IN] = "in"};
    struct capture *capture = mem_new(sizeof(*capture));

    *capture = (struct capture){.tap = {.ops = &ops}, .fabric = fabric};
    pcapng_init(&capture->file, file, application);
    for (size_t i = 0; i < fabric_nic_count(fabric); i++) {
        for (size_t direction = 0; direction < DIRECTION_COUNT; direction++) {
            char name[160];

            snprintf(name, sizeof(name), "%s %s", nic_name(fabric_nic(fabric, i)),
                     words[direction]);
            pcapng_add_interface(&capture->file, PCAPNG_ETHERNET, name);
        }
    }
    capture->dropped_interface = pcapng_add_interface(&capture->file, PCAPNG_ETHERNET, "dropped");
    capture->event_interface = pcapng_add_interface(&capture->file, PCAPNG_EVENTS, "events");
    fabric_set_tap(fabric, &capture->tap);
    return capture;
}

void capture_event(struct capture *capture, int64_t at_ns, const char *text)
{
    pcapng_write_event(&capture->file, capture->event_interface, at_ns, text);
}

bool capture_free(struct capture *capture, int *ret_error)
{
    if (!capture)
        return true;
    fabric_set_tap(capture->fabric, NULL);
    bool is_whole = pcapng_finish(&capture->file, ret_error);

    pcapng_fini(&capture->file);
    free(capture);
    return is_whole;
}

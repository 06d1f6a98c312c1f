/* The tap that writes a capture. It reads frames and changes nothing, so that a run with a capture
 * has the digest of one without. */
#include "sim/net/capture.h"

#include "sim/core/attributes.h"
#include "sim/core/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INTERFACE_NONE UINT32_MAX

struct capture {
    struct tap tap;
    struct fabric *fabric; /* borrowed */
    char *application;     /* owned */
    struct pcapng file;
    bool is_filtered;   /* only what was asked for */
    const char **names; /* owned, of what is captured; each has DIRECTION_COUNT interfaces */
    uint32_t name_count;
    uint32_t *interface_of_nic;  /* owned, by NIC: the first, or INTERFACE_NONE */
    uint32_t *interface_of_port; /* owned, by port id: the first, or INTERFACE_NONE; NICs: NONE */
    uint32_t port_count;
    uint32_t dropped_interface;
    uint32_t event_interface;
    uint64_t rotate_bytes;
    struct capture_files *files; /* borrowed */
    bool has_failed;             /* one of the files before */
    int error;
};

static struct capture *capture_of(struct tap *tap)
{
    return CONTAINER_OF(tap, struct capture, tap);
}

/* Files. */

static void add_interface(struct capture *capture, const char *name, const char *direction)
{
    char text[160];

    snprintf(text, sizeof(text), "%s %s", name, direction);
    pcapng_add_interface(&capture->file, PCAPNG_ETHERNET, text);
}

/* Each file has all interfaces, so that each stands for itself. */
static void begin_file(struct capture *capture, FILE *file)
{
    static const char *const words[DIRECTION_COUNT] = {
        [DIRECTION_OUT] = "out", [DIRECTION_IN] = "in"};

    pcapng_init(&capture->file, file, capture->application);
    for (uint32_t i = 0; i < capture->name_count; i++)
        for (size_t direction = 0; direction < DIRECTION_COUNT; direction++)
            add_interface(capture, capture->names[i], words[direction]);
    capture->dropped_interface = pcapng_add_interface(&capture->file, PCAPNG_ETHERNET, "dropped");
    capture->event_interface = pcapng_add_interface(&capture->file, PCAPNG_EVENTS, "events");
}

static void end_file(struct capture *capture)
{
    int error = 0;

    if (!pcapng_finish(&capture->file, &error) && !capture->has_failed) {
        capture->has_failed = true;
        capture->error = error;
    }
    pcapng_fini(&capture->file);
}

/* Before a packet is written: the file that it goes to. False: there is none any more. */
static bool is_writable(struct capture *capture)
{
    if (capture->has_failed)
        return false;
    if (capture->rotate_bytes == 0 || capture->file.written_bytes < capture->rotate_bytes)
        return true;
    end_file(capture);
    FILE *next = capture->has_failed ? NULL : capture->files->next(capture->files);

    if (!next) {
        capture->error = capture->has_failed ? capture->error : errno;
        capture->has_failed = true;
        capture->file = (struct pcapng){.has_failed = true, .error = capture->error};
        return false;
    }
    begin_file(capture, next);
    return true;
}

/* The tap. */

static void write_frame(struct capture *capture, uint32_t first, int64_t at_ns,
                        enum direction direction, const struct frame *frame)
{
    if (first == INTERFACE_NONE || !is_writable(capture))
        return;
    pcapng_write_frame(&capture->file, first + direction, at_ns, direction == DIRECTION_OUT, frame,
                       frame->is_damaged ? "damaged by a fault" : NULL);
}

static void write_nic_frame(struct tap *tap, int64_t at_ns, uint32_t nic, enum direction direction,
                            const struct frame *frame)
{
    struct capture *capture = capture_of(tap);

    write_frame(capture, capture->interface_of_nic[nic], at_ns, direction, frame);
}

static void write_port_frame(struct tap *tap, int64_t at_ns, uint32_t port_id,
                             enum direction direction, const struct frame *frame)
{
    struct capture *capture = capture_of(tap);

    if (port_id < capture->port_count)
        write_frame(capture, capture->interface_of_port[port_id], at_ns, direction, frame);
}

static bool is_captured(const struct capture *capture, const char *name)
{
    for (uint32_t i = 0; i < capture->name_count; i++)
        if (strcmp(capture->names[i], name) == 0)
            return true;
    return false;
}

static void write_drop(struct tap *tap, int64_t at_ns, const char *where, enum drop_reason reason,
                       const struct frame *frame)
{
    struct capture *capture = capture_of(tap);
    char comment[192];

    if ((capture->is_filtered && !is_captured(capture, where)) || !is_writable(capture))
        return;
    snprintf(comment, sizeof(comment), "dropped at %s: %s%s", where, drop_reason_word(reason),
             frame->is_damaged ? ", damaged by a fault" : "");
    pcapng_write_frame(&capture->file, capture->dropped_interface, at_ns, false, frame, comment);
}

/* What is captured. */

static void add_captured(struct capture *capture, const struct port *port, uint32_t nic_index)
{
    uint32_t interface = capture->name_count * DIRECTION_COUNT;

    if (nic_index != UINT32_MAX)
        capture->interface_of_nic[nic_index] = interface;
    else
        capture->interface_of_port[port->id] = interface;
    capture->names[capture->name_count++] = port->name;
}

static uint32_t nic_index_of(const struct fabric *fabric, const struct port *port)
{
    for (size_t i = 0; i < fabric_nic_count(fabric); i++)
        if (nic_port(fabric_nic(fabric, i)) == port)
            return (uint32_t)i;
    return UINT32_MAX;
}

static void choose(struct capture *capture, const struct capture_config *config)
{
    struct fabric *fabric = capture->fabric;
    size_t nic_count = fabric_nic_count(fabric);

    capture->port_count = fabric_wire(fabric)->port_count;
    capture->names = mem_array(nic_count + config->port_count, sizeof(*capture->names));
    capture->interface_of_nic = mem_array(nic_count, sizeof(uint32_t));
    capture->interface_of_port = mem_array(capture->port_count, sizeof(uint32_t));
    for (size_t i = 0; i < nic_count; i++)
        capture->interface_of_nic[i] = INTERFACE_NONE;
    for (uint32_t i = 0; i < capture->port_count; i++)
        capture->interface_of_port[i] = INTERFACE_NONE;
    for (size_t i = 0; i < nic_count && config->port_count == 0; i++)
        add_captured(capture, nic_port(fabric_nic(fabric, i)), (uint32_t)i);
    for (size_t i = 0; i < config->port_count; i++) {
        const struct port *port = fabric_find_port(fabric, config->ports[i]);

        assert(port);
        if (!is_captured(capture, port->name))
            add_captured(capture, port, nic_index_of(fabric, port));
    }
}

/* Life cycle. */

struct capture *capture_new(struct fabric *fabric, const struct capture_config *config)
{
    static const struct tap_ops ops = {
        .frame = write_nic_frame, .port_frame = write_port_frame, .drop = write_drop};
    struct capture *capture = mem_new(sizeof(*capture));

    assert(config->rotate_bytes == 0 || config->files);
    *capture = (struct capture){.tap = {.ops = &ops},
                                .fabric = fabric,
                                .application = mem_text(config->application),
                                .is_filtered = config->port_count > 0,
                                .rotate_bytes = config->rotate_bytes,
                                .files = config->files};
    choose(capture, config);
    begin_file(capture, config->file);
    fabric_set_tap(fabric, &capture->tap);
    return capture;
}

void capture_event(struct capture *capture, int64_t at_ns, const char *text)
{
    if (is_writable(capture))
        pcapng_write_event(&capture->file, capture->event_interface, at_ns, text);
}

bool capture_free(struct capture *capture, int *ret_error)
{
    if (!capture)
        return true;
    fabric_set_tap(capture->fabric, NULL);
    if (!capture->has_failed)
        end_file(capture);
    bool is_whole = !capture->has_failed;

    if (!is_whole)
        *ret_error = capture->error;
    free(capture->application);
    free(capture->names);
    free(capture->interface_of_nic);
    free(capture->interface_of_port);
    free(capture);
    return is_whole;
}

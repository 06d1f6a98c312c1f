/* INQUIRY and its vital product data (SPC-4, 6.6 and 7.8; SBC-3, 6.6). */
#include <stdio.h>
#include <string.h>

#include "sim/core/attributes.h"
#include "sim/core/bytes.h"
#include "target/start.h"

#define MOST_BYTES     (DEVICE_MAX_PORTS * (16u + DEVICE_NAME_BYTES + 16u) + 4u) /* of page 88h */
#define NO_UNIT        0x7fu /* qualifier 011b, type 1Fh: no such logical unit */
#define STANDARD_BYTES 96u
#define VERSION_SPC4   6u
#define PROTOCOL_ISCSI 5u

/* SPC-4, 7.8.6: who a designator names. */
enum association { OF_UNIT, OF_PORT, OF_DEVICE };
enum code_set { BINARY = 1, ASCII = 2, UTF8 = 3 };
enum designator {
    DESIGNATOR_T10 = 1,
    DESIGNATOR_NAA = 3,
    DESIGNATOR_RELATIVE_PORT = 4,
    DESIGNATOR_PORT_GROUP = 5,
    DESIGNATOR_SCSI_NAME = 8,
};

struct writer {
    uint8_t data[MOST_BYTES];
    size_t bytes;
};

/* 'text' in a field of fixed size, padded with blanks. */
static void put_text(uint8_t *to, size_t bytes, const char *text)
{
    size_t length = strlen(text);

    memset(to, ' ', bytes);
    memcpy(to, text, length < bytes ? length : bytes);
}

static void fill_standard(const struct device *device, const struct lun *lun, uint8_t *to)
{
    to[0] = lun ? 0 : NO_UNIT;
    to[1] = lun && lun->is_removable ? 0x80 : 0;
    to[2] = VERSION_SPC4;
    to[3] = 0x12; /* HISUP, RESPONSE DATA FORMAT 2 */
    to[4] = STANDARD_BYTES - 5;
    to[5] = (uint8_t)(device->tpgs << 4 | 0x08); /* 3PC */
    to[6] = device->port_count > 1 ? 0x10 : 0;   /* MULTIP */
    to[7] = 0x02;                                /* CMDQUE */
    put_text(to + 8, 8, device->vendor);
    put_text(to + 16, 16, device->product);
    put_text(to + 32, 4, device->revision);
    put_be16(to + 58, 0x00a0); /* SAM-5 */
    put_be16(to + 60, 0x0460); /* SPC-4 */
    put_be16(to + 62, 0x04c0); /* SBC-3 */
    put_be16(to + 64, 0x0960); /* iSCSI */
}

static void put_serial(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    (void)task;
    memcpy(out->data + out->bytes, lun->serial, strlen(lun->serial));
    out->bytes += strlen(lun->serial);
}

static void put_designator(struct writer *out, enum association association, enum code_set code_set,
                           enum designator type, const void *value, size_t bytes)
{
    uint8_t *to = out->data + out->bytes;

    assert(bytes <= UINT8_MAX);
    assert(out->bytes + 4 + bytes <= sizeof(out->data));
    to[0] = (uint8_t)(association == OF_UNIT ? code_set : PROTOCOL_ISCSI << 4 | code_set);
    to[1] = (uint8_t)((association == OF_UNIT ? 0 : 0x80) | association << 4 | type); /* PIV */
    to[3] = (uint8_t)bytes;
    memcpy(to + 4, value, bytes);
    out->bytes += 4 + bytes;
}

/* A SCSI name string: NUL-terminated, padded to a multiple of four (SPC-4, 7.8.6.11). */
static void put_name(struct writer *out, enum association association, const char *name)
{
    char padded[DEVICE_NAME_BYTES + 16] = {0};
    size_t bytes = strlen(name) + 1;

    assert(bytes <= sizeof(padded));
    memcpy(padded, name, bytes);
    put_designator(out, association, UTF8, DESIGNATOR_SCSI_NAME, padded, (bytes + 3) / 4 * 4);
}

/* The name of an iSCSI target port (RFC 7143, 4.4): target name and portal group tag. */
static void put_port_name(struct writer *out, const struct device *device, const struct port *port)
{
    char name[DEVICE_NAME_BYTES + 16];

    snprintf(name, sizeof(name), "%s,t,0x%04x", device->target_name, port->config.portal_group_tag);
    put_name(out, OF_PORT, name);
}

static void put_identification(struct writer *out, const struct lun *lun,
                               const struct scsi_task *task)
{
    const struct device *device = lun->device;
    const struct port *port = task->nexus->port;
    uint8_t vendor_id[8 + LUN_SERIAL_BYTES];
    uint8_t value[8] = {0};

    put_be64(value, lun->naa_id);
    put_designator(out, OF_UNIT, BINARY, DESIGNATOR_NAA, value, 8);
    put_text(vendor_id, 8, device->vendor);
    memcpy(vendor_id + 8, lun->serial, strlen(lun->serial));
    put_designator(out, OF_UNIT, ASCII, DESIGNATOR_T10, vendor_id, 8 + strlen(lun->serial));
    put_be32(value, port->config.relative_port_id);
    put_designator(out, OF_PORT, BINARY, DESIGNATOR_RELATIVE_PORT, value, 4);
    put_be32(value, port->group->id);
    put_designator(out, OF_PORT, BINARY, DESIGNATOR_PORT_GROUP, value, 4);
    put_port_name(out, device, port);
    put_name(out, OF_DEVICE, device->target_name);
}

/* SPC-4, 7.8.7. */
static void put_extended(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    uint8_t *to = out->data;

    (void)task;
    to[5] = 0x07; /* HEADSUP, ORDSUP, SIMPSUP */
    if (lun->has_write_cache)
        to[6] = 0x01; /* V_SUP */
    to[7] = 0x01;     /* LUICLR */
    out->bytes = 64;
}

/* SPC-4, 7.8.14: every target port with its name, so that a host sees all paths from one. */
static void put_ports(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    const struct device *device = lun->device;

    (void)task;
    for (size_t i = 0; i < device->port_count; i++) {
        size_t at = out->bytes;

        put_be16(out->data + at + 2, device->ports[i].config.relative_port_id);
        out->bytes += 12; /* no initiator port transport identifier */
        put_port_name(out, device, &device->ports[i]);
        put_be16(out->data + at + 10, (uint16_t)(out->bytes - at - 12));
    }
}

static void put_copy(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    (void)lun, (void)task;
    out->bytes += copy_describe(out->data + out->bytes);
}

/* SBC-3, 6.6.4. */
static void put_limits(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    uint8_t *to = out->data;

    (void)task;
    to[4] = 0x01; /* WSNZ */
    to[5] = COMPARE_AND_WRITE_MOST_BLOCKS;
    put_be16(to + 6, (uint16_t)(1u << lun->physical_block_exponent));
    put_be32(to + 8, DEVICE_MAX_UNIT_BLOCKS);
    put_be64(to + 36, WRITE_SAME_MOST_BLOCKS);
    put_be32(to + 44, WRITE_ATOMIC_MOST_BLOCKS);
    if (lun->is_thin) {
        put_be32(to + 20, UNMAP_MOST_BLOCKS);
        put_be32(to + 24, UNMAP_MOST_DESCRIPTORS);
        put_be32(to + 28, 1u << lun->physical_block_exponent); /* UNMAP GRANULARITY */
    }
    out->bytes = 64;
}

/* SBC-3, 6.6.3. */
static void put_characteristics(struct writer *out, const struct lun *lun,
                                const struct scsi_task *task)
{
    (void)task;
    put_be16(out->data + 4, 1); /* non-rotating medium */
    if (lun->is_thin)
        out->data[7] = 0x50; /* WABEREQ, WACEREQ 01b: a read after either is GOOD */
    out->bytes = 64;
}

/* SBC-3, 6.6.5. */
static void put_provisioning(struct writer *out, const struct lun *lun,
                             const struct scsi_task *task)
{
    (void)task;
    if (lun->is_thin) {
        out->data[5] = 0xe4; /* LBPU, LBPWS, LBPWS10, LBPRZ */
        out->data[6] = 0x02; /* thin */
    }
    out->bytes = 8;
}

static void put_page_list(struct writer *out, const struct lun *lun, const struct scsi_task *task);

/* Ascending; each fills what follows the four bytes of the header. */
static const struct vital_page {
    uint8_t code;
    void (*put)(struct writer *out, const struct lun *lun, const struct scsi_task *task);
} vital_pages[] = {
    {0x00, put_page_list}, {0x80, put_serial},          {0x83, put_identification},
    {0x86, put_extended},  {0x88, put_ports},           {0x8f, put_copy},
    {0xb0, put_limits},    {0xb1, put_characteristics}, {0xb2, put_provisioning},
};

static void put_page_list(struct writer *out, const struct lun *lun, const struct scsi_task *task)
{
    (void)lun, (void)task;
    for (size_t i = 0; i < ARRAY_SIZE(vital_pages); i++)
        out->data[out->bytes++] = vital_pages[i].code;
}

static const struct vital_page *page_of(uint8_t code)
{
    for (size_t i = 0; i < ARRAY_SIZE(vital_pages); i++) {
        if (vital_pages[i].code == code)
            return &vital_pages[i];
    }
    return NULL;
}

static enum task_step reply_vital(struct lun *lun, struct scsi_task *task, uint64_t allocation)
{
    const struct vital_page *page = page_of(task->cdb[2]);
    struct writer out = {.bytes = 4};

    if (!page || (!lun && page->code != 0x00))
        return task_refuse_field(task, 2, 7);
    page->put(&out, lun, task);
    out.data[0] = lun ? 0 : NO_UNIT;
    out.data[1] = page->code;
    put_be16(out.data + 2, (uint16_t)(out.bytes - 4));
    return task_reply(task, task->nexus->device->pool, out.data, out.bytes, allocation);
}

enum task_step start_inquiry(struct lun *lun, struct scsi_task *task)
{
    uint64_t allocation = get_be16(task->cdb + 3);
    uint8_t data[STANDARD_BYTES] = {0};

    if (task->cdb[1] & 0x01)
        return reply_vital(lun, task, allocation);
    if (task->cdb[2] != 0)
        return task_refuse_field(task, 2, 7);
    fill_standard(task->nexus->device, lun, data);
    return task_reply(task, task->nexus->device->pool, data, sizeof(data), allocation);
}

/* What the disk says of itself, field by field. */
#include "tests/target/array.h"

static void inquire(struct array *array, struct nexus *nexus, int page, struct answer *ret_answer)
{
    uint8_t cdb[SCSI_CDB_BYTES];

    if (page < 0)
        scsi_cdb_inquiry(cdb, 512);
    else
        scsi_cdb_inquiry_vpd(cdb, (uint8_t)page, 512);
    array_do(array, nexus, cdb, NULL, 0, 512, ret_answer);
    assert_int_equal(ret_answer->status, SCSI_GOOD);
}

static void standard_data_are_those_of_a_disk(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new(&array);
    inquire(&array, array.a, -1, &answer);
    assert_int_equal(answer.data[0], 0);
    assert_int_equal(answer.data[1], 0);       /* not removable */
    assert_int_equal(answer.data[2], 6);       /* SPC-4 */
    assert_int_equal(answer.data[3] & 0xf, 2); /* RESPONSE DATA FORMAT */
    assert_int_equal(answer.data[4] + 5u, answer.bytes);
    assert_int_equal(answer.data[5], 0x18); /* TPGS implicit, 3PC */
    assert_int_equal(answer.data[6], 0x10); /* MULTIP */
    assert_int_equal(answer.data[7], 0x02); /* CMDQUE */
    assert_memory_equal(answer.data + 8, "ISCSILABVirtual Disk    0001", 28);
    array_free(&array);
}

static void the_list_of_pages_is_ascending_and_each_is_there(void **state)
{
    static struct answer list;
    static struct answer page;
    struct array array;
    (void)state;

    array_new(&array);
    inquire(&array, array.a, 0x00, &list);
    assert_int_equal(get_be16(list.data + 2) + 4u, list.bytes);
    for (size_t i = 4; i < list.bytes; i++) {
        if (i > 4)
            assert_true(list.data[i] > list.data[i - 1]);
        inquire(&array, array.a, list.data[i], &page);
        assert_int_equal(page.data[1], list.data[i]);
        assert_int_equal(get_be16(page.data + 2) + 4u, page.bytes);
    }
    array_free(&array);
}

/* The designator of an association and type; NULL: there is none. */
static const uint8_t *designator(const struct answer *answer, unsigned association, unsigned type)
{
    for (size_t at = 4; at + 4 <= answer->bytes; at += 4u + answer->data[at + 3]) {
        if ((answer->data[at + 1] & 0x3f) == (association << 4 | type))
            return answer->data + at;
    }
    return NULL;
}

/* VPD 88h from one path names the port of the other, as 83h does there. */
static void every_port_is_seen_from_one(void **state)
{
    static struct answer ports;
    static struct answer other;
    struct array array;
    (void)state;

    array_new(&array);
    inquire(&array, array.a, 0x88, &ports);
    inquire(&array, array.b, 0x83, &other);
    size_t at = 4 + 12u + get_be16(ports.data + 4 + 10);
    const uint8_t *name = designator(&other, 1, 8);

    assert_int_equal(get_be16(ports.data + 4 + 2), 1);
    assert_int_equal(get_be16(ports.data + at + 2), 2);
    assert_int_equal(at + 12 + get_be16(ports.data + at + 10), ports.bytes);
    assert_int_equal(get_be16(ports.data + at + 10), 4u + name[3]);
    assert_memory_equal(ports.data + at + 12, name, 4u + name[3]);
    array_free(&array);
}

/* VPD 8Fh lists the copy commands, and says what RECEIVE COPY OPERATING PARAMETERS says. */
static void the_copy_manager_describes_itself(void **state)
{
    static struct answer page;
    static struct answer parameters;
    struct array array;
    unsigned found = 0;
    (void)state;

    array_new(&array);
    inquire(&array, array.a, 0x8f, &page);
    array_do(&array, array.a, (uint8_t[16]){0x84, 3, [13] = 255}, NULL, 0, 255, &parameters);
    for (size_t at = 4; at < page.bytes; at += 4u + get_be16(page.data + at + 2)) {
        const uint8_t *value = page.data + at + 4;

        assert_int_equal(get_be16(page.data + at + 2) % 4, 0);
        switch (get_be16(page.data + at)) {
        case 0x0001:
            assert_memory_equal(value, ((uint8_t[]){7, 0x83, 1, 0, 0x84, 2, 0, 3}), 8);
            break;
        case 0x0004:
            assert_memory_equal(value + 4, parameters.data + 8, 8);
            break;
        case 0x0008:
            assert_memory_equal(value, parameters.data + 43, 4);
            break;
        case 0x8001:
            assert_memory_equal(value + 8, parameters.data + 16, 4);
            break;
        default:
            assert_int_equal(get_be16(page.data + at), 0x000c);
            break;
        }
        found++;
    }
    assert_int_equal(found, 5);
    array_free(&array);
}

static void both_paths_name_one_unit_and_two_ports(void **state)
{
    static struct answer a;
    static struct answer b;
    struct array array;
    (void)state;

    array_new(&array);
    inquire(&array, array.a, 0x83, &a);
    inquire(&array, array.b, 0x83, &b);
    const uint8_t *naa = designator(&a, 0, 3);

    assert_non_null(naa);
    assert_int_equal(naa[3], 8);
    assert_int_equal(naa[4] >> 4, 3); /* locally assigned */
    assert_memory_equal(naa, designator(&b, 0, 3), 12);
    assert_int_equal(get_be32(designator(&a, 1, 4) + 4), 1);
    assert_int_equal(get_be32(designator(&b, 1, 4) + 4), 2);
    assert_int_equal(get_be32(designator(&a, 1, 5) + 4), 1);
    assert_int_equal(get_be32(designator(&b, 1, 5) + 4), 2);
    const uint8_t *port = designator(&b, 1, 8);

    assert_int_equal(port[0], 0x53);   /* iSCSI, UTF-8 */
    assert_int_equal(port[1] >> 7, 1); /* PIV */
    assert_int_equal(port[3] % 4, 0);
    assert_string_equal((const char *)port + 4, "iqn.2024-01.lab:san1,t,0x0002");
    assert_string_equal((const char *)designator(&b, 2, 8) + 4, "iqn.2024-01.lab:san1");
    array_free(&array);
}

static void a_name_keeps_its_identity_and_another_has_another(void **state)
{
    static struct answer answers[3];
    static const char *const names[] = {"data", "data", "logs"};
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        struct array array;

        array_new_with(&array, &(struct array_setup){.disk = {.name = names[i]}});
        inquire(&array, array.a, 0x83, &answers[i]);
        array_free(&array);
    }
    assert_memory_equal(designator(&answers[0], 0, 3), designator(&answers[1], 0, 3), 12);
    assert_memory_not_equal(designator(&answers[0], 0, 3), designator(&answers[2], 0, 3), 12);
}

static void the_serial_number_may_be_chosen(void **state)
{
    static struct answer answer;
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.serial = "SN-0042"}});
    inquire(&array, array.b, 0x80, &answer);
    assert_int_equal(answer.bytes, 4 + 7);
    assert_memory_equal(answer.data + 4, "SN-0042", 7);
    array_free(&array);
}

static struct thin_row {
    const char *name;
    bool is_thin;
} thin_rows[] = {{"a thin disk says so everywhere", true},
                 {"a fully provisioned disk says so everywhere", false}};

static void provisioning_is_one_truth(void **state)
{
    static struct answer answer;
    const struct thin_row *row = *state;
    struct array array;
    uint8_t cdb[SCSI_CDB_BYTES];

    array_new_with(&array, &(struct array_setup){
                               .disk = {.is_thin = row->is_thin, .physical_block_exponent = 3}});
    inquire(&array, array.a, 0xb0, &answer);
    assert_int_equal(answer.bytes, 64);
    assert_int_equal(answer.data[4], 1); /* WSNZ */
    assert_int_equal(get_be32(answer.data + 8), 65536);
    assert_int_equal(get_be32(answer.data + 20) != 0, row->is_thin);
    assert_int_equal(get_be32(answer.data + 24) >= 256, row->is_thin);
    inquire(&array, array.a, 0xb2, &answer);
    assert_int_equal(answer.data[5], row->is_thin ? 0xe4 : 0);
    assert_int_equal(answer.data[6], row->is_thin ? 2 : 0);
    scsi_cdb_read_capacity_16(cdb, 32);
    array_do(&array, array.a, cdb, NULL, 0, 32, &answer);
    assert_int_equal(get_be64(answer.data), BLOCK_COUNT - 1);
    assert_int_equal(get_be32(answer.data + 8), BLOCK_BYTES);
    assert_int_equal(answer.data[13], 3);
    assert_int_equal(answer.data[14], row->is_thin ? 0xc0 : 0);
    array_free(&array);
}

static void mode_pages_tell_the_cache_and_what_may_change(void **state)
{
    static struct answer current;
    static struct answer changeable;
    struct array array;
    (void)state;

    array_new_with(&array, &(struct array_setup){.disk = {.has_write_cache = true}});
    array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0x08, 0, 255}, NULL, 0, 255, &current);
    assert_int_equal(current.data[2] & 0x10, 0x10); /* DPOFUA */
    assert_int_equal(current.data[4], 0x88);        /* PS: it can be saved */
    assert_int_equal(current.data[6] & 0x04, 0x04); /* WCE */
    array_do(&array, array.a, (uint8_t[16]){0x1a, 8, 0x7f, 0, 255}, NULL, 0, 255, &changeable);
    for (size_t at = 4; at < changeable.bytes; at += 2u + changeable.data[at + 1]) {
        uint8_t page = changeable.data[at] & 0x3f;

        for (unsigned i = 0; i < changeable.data[at + 1]; i++) {
            uint8_t bits = page == 0x08 && i == 0   ? 0x04 /* WCE */
                           : page == 0x0a && i == 0 ? 0x04 /* D_SENSE */
                           : page == 0x0a && i == 2 ? 0x08 /* SWP */
                                                    : 0x00;

            assert_int_equal(changeable.data[at + 2 + i], bits);
        }
    }
    array_free(&array);
}

int main(void)
{
    TEST(standard_data_are_those_of_a_disk);
    TEST(the_list_of_pages_is_ascending_and_each_is_there);
    TEST(every_port_is_seen_from_one);
    TEST(the_copy_manager_describes_itself);
    TEST(both_paths_name_one_unit_and_two_ports);
    TEST(a_name_keeps_its_identity_and_another_has_another);
    TEST(the_serial_number_may_be_chosen);
    TEST_ROWS(thin_rows, provisioning_is_one_truth);
    TEST(mode_pages_tell_the_cache_and_what_may_change);
    return TEST_RUN("target.inquiry");
}

/* Framing: what is sent comes back whatever way the bytes are cut, and what is broken is found. */
#include "tests/test.h"

#include "iscsi/crc32c.h"
#include "iscsi/framer.h"
#include "sim/core/random.h"

#include <string.h>

#define MAX_DATA 8192u
#define MAX_AHS  256u

static struct shape {
    const char *name;
    uint32_t data_bytes;
    uint32_t ahs_bytes;
    struct framer_digests digests;
} shapes[] = {
    {"a bare header", 0, 0, {false, false}},
    {"one byte of data", 1, 0, {false, false}},
    {"data of whole words", 512, 0, {false, false}},
    {"data that needs three bytes of padding", 513, 0, {false, false}},
    {"additional header segments", 0, 8, {false, false}},
    {"a header digest", 0, 0, {true, false}},
    {"a header digest over additional header segments", 7, 8, {true, false}},
    {"a data digest over padding", 513, 0, {false, true}},
    {"no data digest without data", 0, 0, {true, true}},
    {"everything", 1023, 8, {true, true}},
    {"as much as is allowed", MAX_DATA, 8, {true, true}},
};

static const uint8_t ahs_bytes[8] = {0, 5, 2, 0, 0, 0, 4, 0};

static struct buf *pattern(struct pool *pool, uint32_t bytes)
{
    if (bytes == 0)
        return NULL;
    struct chunk *chunk = chunk_new(pool, bytes);

    for (uint32_t i = 0; i < bytes; i++)
        chunk->data[i] = (uint8_t)(i * 31 + bytes);
    return buf_new(chunk, 0, bytes);
}

static struct pdu command_of(uint32_t itt)
{
    return (struct pdu){.opcode = PDU_SCSI_COMMAND,
                        .is_final = true,
                        .itt = itt,
                        .cmd_sn = itt + 1,
                        .command = {.is_write = true, .expected_bytes = 1u << 20}};
}

static struct buf *encode(struct pool *pool, const struct shape *shape, uint32_t itt)
{
    struct pdu pdu = command_of(itt);

    return framer_encode_ahs(pool, &pdu, ahs_bytes, shape->ahs_bytes,
                             pattern(pool, shape->data_bytes), shape->digests);
}

static struct framer new_framer(const struct shape *shape)
{
    struct framer framer;

    framer_init(&framer, MAX_DATA, MAX_AHS);
    framer_set_digests(&framer, shape->digests.header, shape->digests.data);
    return framer;
}

static void end(struct framer *framer, struct pool *pool)
{
    framer_fini(framer);
    assert_int_equal(pool_live_chunks(pool), 0);
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void expect_pdu(struct framer *framer, struct pool *pool, const struct shape *shape,
                       uint32_t itt)
{
    struct pdu pdu;
    struct buf *data = NULL;
    struct buf *sent = pattern(pool, shape->data_bytes);

    assert_int_equal(framer_next(framer, &pdu, &data), FRAMER_PDU);
    assert_int_equal(pdu.itt, itt);
    assert_int_equal(pdu.cmd_sn, itt + 1);
    assert_int_equal(pdu.data_bytes, shape->data_bytes);
    assert_int_equal(pdu.ahs_words, shape->ahs_bytes / 4);
    if (shape->ahs_bytes > 0)
        assert_memory_equal(framer_ahs(framer), ahs_bytes, shape->ahs_bytes);
    assert_true(buf_equal(data, sent));
    buf_free(data);
    buf_free(sent);
}

static void comes_back_cut_anywhere(void **state)
{
    const struct shape *shape = *state;
    struct pool *pool = pool_new();
    struct framer framer = new_framer(shape);
    size_t bytes;
    struct pdu pdu;
    struct buf *data;
    struct buf *first = encode(pool, shape, 0);

    bytes = buf_bytes(first);
    buf_free(first);
    for (size_t cut = 1; cut<bytes; cut += bytes> 2000 ? 61 : 1) {
        struct buf *rest = encode(pool, shape, (uint32_t)cut);

        framer_feed(&framer, buf_cut(&rest, cut));
        assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
        framer_feed(&framer, rest);
        expect_pdu(&framer, pool, shape, (uint32_t)cut);
        assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
        assert_int_equal(framer_buffered(&framer), 0);
    }
    end(&framer, pool);
}

static void comes_back_byte_by_byte(void **state)
{
    const struct shape *shape = *state;
    struct pool *pool = pool_new();
    struct framer framer = new_framer(shape);
    struct buf *rest = encode(pool, shape, 5);
    struct pdu pdu;
    struct buf *data;

    while (buf_bytes(rest) > 1) {
        framer_feed(&framer, buf_cut(&rest, 1));
        assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    }
    framer_feed(&framer, rest);
    expect_pdu(&framer, pool, shape, 5);
    end(&framer, pool);
}

static void several_in_one_piece(void **state)
{
    const struct shape *shape = *state;
    struct pool *pool = pool_new();
    struct framer framer = new_framer(shape);
    struct pdu pdu;
    struct buf *data;
    struct buf *all = NULL;

    for (uint32_t i = 0; i < 5; i++)
        all = buf_join(all, encode(pool, shape, i));
    framer_feed(&framer, all);
    for (uint32_t i = 0; i < 5; i++)
        expect_pdu(&framer, pool, shape, i);
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    end(&framer, pool);
}

static void tells_the_tags_of_what_comes(void **state)
{
    const struct shape *shape = *state;
    struct pool *pool = pool_new();
    struct framer framer = new_framer(shape);
    struct buf *bytes = NULL;
    uint32_t tags[5];

    for (uint32_t itt = 100; itt < 104; itt++)
        bytes = buf_join(bytes, encode(pool, shape, itt));
    size_t one = buf_bytes(bytes) / 4;

    assert_int_equal(framer_tags(&framer, bytes, tags, 5), 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(tags[i], 100 + i);
    assert_int_equal(framer_tags(&framer, bytes, tags, 3), 3);

    struct buf *rest = bytes;
    struct buf *front = buf_cut(&rest, one + 20); /* in the second header */

    front = buf_join(front, rest);
    assert_int_equal(framer_tags(&framer, front, tags, 5), 1);
    rest = front;
    framer_feed(&framer, buf_cut(&rest, 20));
    assert_int_equal(framer_tags(&framer, rest, tags, 5), 0); /* a PDU is under way */
    buf_free(rest);
    end(&framer, pool);
}

/* One flipped bit anywhere: with both digests nothing passes unseen, but in the length field of the
 * AHS, which moves the place where the digest is looked for. */
static void digests_find_every_flipped_bit(void **state)
{
    static const struct shape shape = {.data_bytes = 21, .ahs_bytes = 8, .digests = {true, true}};
    struct pool *pool = pool_new();
    struct buf *good = encode(pool, &shape, 3);
    size_t bytes = buf_bytes(good);
    uint8_t copy[256];
    size_t header_bytes = PDU_HEADER_BYTES + 8 + PDU_DIGEST_BYTES;

    (void)state;
    buf_read(good, 0, copy, bytes);
    buf_free(good);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        struct framer framer = new_framer(&shape);
        struct pdu pdu;
        struct buf *data = NULL;

        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        framer_feed(&framer, buf_copy(pool, copy, bytes));
        enum framer_outcome outcome = framer_next(&framer, &pdu, &data);

        if (bit / 8 >= header_bytes) {
            assert_int_equal(outcome, FRAMER_REJECT);
            assert_int_equal(framer_reject_reason(&framer), ISCSI_REJECT_DATA_DIGEST_ERROR);
            assert_int_equal(pdu.itt, 3); /* the header is good: Reject can name the PDU */
        } else if (bit / 8 == 4) {
            assert_int_not_equal(outcome, FRAMER_PDU);
        } else {
            assert_int_equal(outcome, FRAMER_BAD);
            assert_int_equal(framer_fault(&framer), FRAMER_HEADER_DIGEST);
        }
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        framer_fini(&framer);
    }
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

static void goes_on_behind_a_bad_data_digest(void **state)
{
    static const struct shape shape = {.data_bytes = 10, .digests = {true, true}};
    struct pool *pool = pool_new();
    struct framer framer = new_framer(&shape);
    struct buf *bad = encode(pool, &shape, 1);
    uint8_t copy[128];
    size_t bytes = buf_bytes(bad);
    struct pdu pdu;
    struct buf *data;

    (void)state;
    buf_read(bad, 0, copy, bytes);
    buf_free(bad);
    copy[bytes - 1] ^= 1;
    framer_feed(&framer, buf_join(buf_copy(pool, copy, bytes), encode(pool, &shape, 2)));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_REJECT);
    assert_memory_equal(framer_header(&framer), copy, PDU_HEADER_BYTES);
    expect_pdu(&framer, pool, &shape, 2);
    end(&framer, pool);
}

static void stays_bad_after_a_header_digest_error(void **state)
{
    static const struct shape shape = {.digests = {true, false}};
    struct pool *pool = pool_new();
    struct framer framer = new_framer(&shape);
    uint8_t zeros[52] = {0};
    struct pdu pdu;
    struct buf *data;

    (void)state;
    framer_feed(&framer, buf_copy(pool, zeros, sizeof(zeros)));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_BAD);
    framer_feed(&framer, encode(pool, &shape, 2)); /* good bytes behind garbage are not believed */
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_BAD);
    assert_string_equal(framer_fault_word(framer_fault(&framer)), "header digest error");
    end(&framer, pool);
}

static struct refusal {
    const char *name;
    uint8_t header[8];
    enum framer_outcome outcome;
    enum framer_fault fault;
    uint8_t reason;
} refusals[] = {
    {"a data segment one byte too long",
     {0x01, 0x80, 0, 0, 0, 0, 0x20, 0x01},
     FRAMER_BAD,
     FRAMER_DATA_TOO_LONG,
     0},
    {"a data segment of 16 MiB",
     {0x01, 0x80, 0, 0, 0, 0xff, 0xff, 0xff},
     FRAMER_BAD,
     FRAMER_DATA_TOO_LONG,
     0},
    {"additional header segments of 1020 bytes",
     {0x01, 0x80, 0, 0, 255, 0, 0, 0},
     FRAMER_BAD,
     FRAMER_AHS_TOO_LONG,
     0},
    {"an unknown opcode",
     {0x1f, 0x80, 0, 0, 0, 0, 0, 0},
     FRAMER_REJECT,
     FRAMER_INTACT,
     ISCSI_REJECT_NOT_SUPPORTED},
    {"an unknown opcode with data",
     {0x1f, 0x80, 0, 0, 0, 0, 0, 5},
     FRAMER_REJECT,
     FRAMER_INTACT,
     ISCSI_REJECT_NOT_SUPPORTED},
    {"a reserved attribute",
     {0x01, 0x87, 0, 0, 0, 0, 0, 0},
     FRAMER_REJECT,
     FRAMER_INTACT,
     ISCSI_REJECT_INVALID_PDU_FIELD},
    {"additional header segments of zeroes",
     {0x01, 0x80, 0, 0, 1, 0, 0, 0},
     FRAMER_REJECT,
     FRAMER_INTACT,
     ISCSI_REJECT_INVALID_PDU_FIELD},
};

static void refuses(void **state)
{
    static const struct shape plain = {.data_bytes = 4};
    const struct refusal *row = *state;
    struct pool *pool = pool_new();
    struct framer framer = new_framer(&plain);
    uint8_t bytes[PDU_HEADER_BYTES + 8] = {0};
    uint32_t rest = row->header[4] * 4u + (row->header[7] == 5 ? 8u : 0u);
    struct pdu pdu;
    struct buf *data;

    memcpy(bytes, row->header, sizeof(row->header));
    if (row->outcome == FRAMER_BAD)
        rest = 0;
    framer_feed(&framer, buf_copy(pool, bytes, PDU_HEADER_BYTES + rest));
    assert_int_equal(framer_next(&framer, &pdu, &data), row->outcome);
    assert_int_equal(framer_fault(&framer), row->fault);
    if (row->outcome == FRAMER_REJECT) {
        assert_int_equal(framer_reject_reason(&framer), row->reason);
        framer_feed(&framer, encode(pool, &plain, 9)); /* the stream goes on */
        expect_pdu(&framer, pool, &plain, 9);
    }
    end(&framer, pool);
}

/* Login goes without digests; what comes right behind its last PDU has them (6.1). */
static void digests_begin_between_two_pdus(void **state)
{
    static const struct shape before = {.data_bytes = 9};
    static const struct shape after = {.data_bytes = 9, .digests = {true, true}};
    struct pool *pool = pool_new();
    struct framer framer = new_framer(&before);

    (void)state;
    framer_feed(&framer, buf_join(encode(pool, &before, 1), encode(pool, &after, 2)));
    expect_pdu(&framer, pool, &before, 1);
    framer_set_digests(&framer, true, true);
    expect_pdu(&framer, pool, &after, 2);
    end(&framer, pool);
}

static void a_new_limit_holds_for_the_next_header(void **state)
{
    static const struct shape large = {.data_bytes = 4096};
    struct pool *pool = pool_new();
    struct framer framer = new_framer(&large);
    struct pdu pdu;
    struct buf *data;

    (void)state;
    framer_feed(&framer, buf_join(encode(pool, &large, 1), encode(pool, &large, 2)));
    expect_pdu(&framer, pool, &large, 1);
    framer_set_max_data(&framer, 512);
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_BAD);
    assert_int_equal(framer_fault(&framer), FRAMER_DATA_TOO_LONG);
    end(&framer, pool);
}

/* From the end of the header to the last byte of data; with Data-Out by its Buffer Offset. */
static void tells_what_data_is_due(void **state)
{
    struct pool *pool = pool_new();
    struct framer framer;
    struct pdu pdu = {.opcode = PDU_DATA_OUT,
                      .is_final = true,
                      .itt = 1,
                      .ttt = 2,
                      .data_out = {.buffer_offset = 65536}};
    struct buf *bytes = framer_encode(pool, &pdu, pattern(pool, 4001), (struct framer_digests){0});
    struct buf *data = NULL;
    uint32_t offset = 0;

    (void)state;
    framer_init(&framer, MAX_DATA, MAX_AHS);
    assert_int_equal(framer_data_due(&framer, &offset), 0);
    framer_feed(&framer, buf_cut(&bytes, 47));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    assert_int_equal(framer_data_due(&framer, &offset), 0);
    framer_feed(&framer, buf_cut(&bytes, 1));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    assert_int_equal(framer_data_due(&framer, &offset), 4001);
    assert_int_equal(offset, 65536);
    framer_feed(&framer, buf_cut(&bytes, 1001));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    assert_int_equal(framer_data_due(&framer, &offset), 3000);
    assert_int_equal(offset, 66537);
    framer_feed(&framer, buf_cut(&bytes, 3000)); /* all but the padding */
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_NEEDS_MORE);
    assert_int_equal(framer_data_due(&framer, &offset), 0);
    framer_feed(&framer, bytes);
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_PDU);
    assert_int_equal(framer_data_due(&framer, &offset), 0);
    buf_free(data);
    end(&framer, pool);
}

static void data_is_shared_not_copied(void **state)
{
    struct pool *pool = pool_new();
    struct chunk *payload = chunk_new(pool, 4096);
    struct framer framer;
    struct pdu pdu = command_of(1);
    struct buf *data = NULL;

    (void)state;
    memset(payload->data, 7, 4096);
    framer_init(&framer, MAX_DATA, 0);
    framer_feed(&framer, framer_encode(pool, &pdu, buf_new(chunk_ref(payload), 0, 4096),
                                       (struct framer_digests){false, false}));
    assert_int_equal(framer_next(&framer, &pdu, &data), FRAMER_PDU);
    assert_ptr_equal(data->chunk, payload);
    assert_null(data->next);
    assert_int_equal(pool_live_chunks(pool), 1); /* the header's is gone */
    buf_free(data);
    chunk_unref(payload);
    end(&framer, pool);
}

static void any_bytes_are_safe(void **state)
{
    struct random random;
    struct pool *pool = pool_new();

    (void)state;
    random_init(&random, 7, "any_bytes");
    for (int i = 0; i < 3000; i++) {
        static const struct shape shape = {.data_bytes = 30, .ahs_bytes = 8};
        struct framer framer = new_framer(&shape);
        uint8_t bytes[256];
        struct pdu pdu;
        struct buf *data;

        framer_set_digests(&framer, random_chance(&random, 300000), random_chance(&random, 300000));
        for (size_t at = 0; at < sizeof(bytes); at++)
            bytes[at] = random_chance(&random, 800000) ? 0 : (uint8_t)random_next(&random);
        framer_feed(&framer, buf_copy(pool, bytes, sizeof(bytes)));
        for (enum framer_outcome outcome = FRAMER_PDU;
             outcome == FRAMER_PDU || outcome == FRAMER_REJECT;) {
            outcome = framer_next(&framer, &pdu, &data);
            if (outcome == FRAMER_PDU) {
                assert_int_equal(buf_bytes(data), pdu.data_bytes);
                buf_free(data);
            }
        }
        framer_fini(&framer);
    }
    assert_int_equal(pool_live_bufs(pool), 0);
    pool_free(pool);
}

int main(void)
{
    TEST_ROWS(shapes, comes_back_cut_anywhere);
    TEST_ROWS(shapes, comes_back_byte_by_byte);
    TEST_ROWS(shapes, several_in_one_piece);
    TEST_ROWS(shapes, tells_the_tags_of_what_comes);
    TEST_ROWS(refusals, refuses);
    TEST(digests_find_every_flipped_bit);
    TEST(goes_on_behind_a_bad_data_digest);
    TEST(stays_bad_after_a_header_digest_error);
    TEST(digests_begin_between_two_pdus);
    TEST(a_new_limit_holds_for_the_next_header);
    TEST(tells_what_data_is_due);
    TEST(data_is_shared_not_copied);
    TEST(any_bytes_are_safe);
    return TEST_RUN("iscsi.framer");
}

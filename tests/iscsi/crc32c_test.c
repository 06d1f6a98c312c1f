/* The digest against the examples of the standard (RFC 3720, B.4). */
#include "tests/test.h"

#include "iscsi/crc32c.h"
#include "sim/core/buf.h"

#include <string.h>

static struct row {
    const char *name;
    uint8_t first; /* of 32 bytes, or of 48 for the command */
    int step;
    uint8_t digest[4]; /* as on the wire */
} rows[] = {
    {"32 bytes of zeroes", 0x00, 0, {0xaa, 0x36, 0x91, 0x8a}},
    {"32 bytes of ones", 0xff, 0, {0x43, 0xab, 0xa8, 0x62}},
    {"32 bytes that count up", 0x00, 1, {0x4e, 0x79, 0xdd, 0x46}},
    {"32 bytes that count down", 0x1f, -1, {0x5c, 0xdb, 0x3f, 0x11}},
};

static void gives_the_digest_of_the_standard(void **state)
{
    const struct row *row = *state;
    uint8_t data[32];
    uint8_t field[4];

    for (int i = 0; i < 32; i++)
        data[i] = (uint8_t)(row->first + i * row->step);
    crc32c_put(field, crc32c(0, data, sizeof(data)));
    assert_memory_equal(field, row->digest, 4);
    assert_int_equal(crc32c_get(field), crc32c(0, data, sizeof(data)));
}

static void covers_a_read_command_pdu(void **state)
{
    static const uint8_t command[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 4, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t digest[4] = {0x56, 0x3a, 0x96, 0xd9};
    uint8_t field[4];

    (void)state;
    crc32c_put(field, crc32c(0, command, sizeof(command)));
    assert_memory_equal(field, digest, 4);
}

static void a_chain_has_the_digest_of_its_bytes(void **state)
{
    uint8_t data[100];
    struct pool *pool = pool_new();

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    for (size_t cut = 0; cut <= sizeof(data); cut++) {
        struct buf *chain =
            buf_join(buf_copy(pool, data, cut), buf_copy(pool, data + cut, sizeof(data) - cut));

        assert_int_equal(crc32c_chain(0, chain), crc32c(0, data, sizeof(data)));
        assert_int_equal(crc32c(crc32c(0, data, cut), data + cut, sizeof(data) - cut),
                         crc32c(0, data, sizeof(data)));
        buf_free(chain);
    }
    assert_int_equal(pool_live_chunks(pool), 0);
    pool_free(pool);
}

/* Pages in a chain are not added up byte by byte. */
static void pages_in_a_chain_count_as_their_bytes(void **state)
{
    enum { PAGES = 3, ODD = 77 };
    uint8_t data[ODD + PAGES * CRC32C_PAGE_BYTES + ODD];
    struct pool *pool = pool_new();

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 31 + i / 4096);
    struct buf *chain = buf_copy(pool, data, ODD);

    for (size_t page = 0; page < PAGES; page++)
        chain = buf_join(chain,
                         buf_copy(pool, data + ODD + page * CRC32C_PAGE_BYTES, CRC32C_PAGE_BYTES));
    chain = buf_join(chain, buf_copy(pool, data + sizeof(data) - ODD, ODD));
    assert_int_equal(crc32c_chain_received(0, chain), crc32c(0, data, sizeof(data)));
    assert_false(chain->next->chunk->has_crc32c);
    for (int time = 0; time < 2; time++)
        assert_int_equal(crc32c_chain(0, chain), crc32c(0, data, sizeof(data)));
    assert_true(chain->next->chunk->has_crc32c);
    assert_int_equal(crc32c_chain_received(0, chain), crc32c(0, data, sizeof(data)));
    for (size_t skip = 0; skip < sizeof(data); skip += 1111) {
        struct buf *part = buf_share(chain, skip, sizeof(data) - skip);

        assert_int_equal(crc32c_chain(0, part), crc32c(0, data + skip, sizeof(data) - skip));
        buf_free(part);
    }
    buf_free(chain);
    pool_free(pool);
}

/* Neighbours in memory are one piece, but for pages whose CRC is known. */
static void neighbours_in_a_chain_count_as_their_bytes(void **state)
{
    enum { BYTES = BUF_RUN_PAGES * CRC32C_PAGE_BYTES };
    static uint8_t data[BYTES];
    struct pool *pool = pool_new();
    struct buf *run = buf_new_pages(pool, BUF_RUN_PAGES);
    struct buf *known = buf_share(run, 5 * CRC32C_PAGE_BYTES, CRC32C_PAGE_BYTES);
    (void)state;

    for (size_t i = 0; i < BYTES; i++)
        data[i] = (uint8_t)(i * 13 + i / 4096);
    for (struct buf *page = run; page; page = page->next)
        memcpy(page->chunk->data, data + (buf_data(page) - buf_data(run)), page->bytes);
    for (int time = 0; time < 2; time++) {
        for (size_t from = 0; from < BYTES; from += 3333) {
            struct buf *part = buf_share(run, from, BYTES - from);

            assert_int_equal(crc32c_chain_received(0, part), crc32c(0, data + from, BYTES - from));
            buf_free(part);
        }
        assert_int_equal(crc32c_chain(0, known),
                         crc32c(0, data + 5 * CRC32C_PAGE_BYTES, CRC32C_PAGE_BYTES));
        assert_true(known->chunk->has_crc32c);
    }
    assert_int_equal(crc32c_chain(0, run), crc32c(0, data, BYTES));
    buf_free(known);
    buf_free(run);
    pool_free(pool);
}

static void a_page_that_changes_has_another_digest(void **state)
{
    uint8_t data[CRC32C_PAGE_BYTES] = {1, 2, 3};
    struct pool *pool = pool_new();
    struct buf *page = buf_copy(pool, data, sizeof(data));

    (void)state;
    assert_int_equal(crc32c_chain(0, page), crc32c(0, data, sizeof(data)));
    chunk_touch(page->chunk);
    page->chunk->data[4095] = 9;
    data[4095] = 9;
    assert_int_equal(crc32c_chain(0, page), crc32c(0, data, sizeof(data)));
    buf_free(page);
    pool_free(pool);
}

int main(void)
{
    TEST_ROWS(rows, gives_the_digest_of_the_standard);
    TEST(covers_a_read_command_pdu);
    TEST(a_chain_has_the_digest_of_its_bytes);
    TEST(pages_in_a_chain_count_as_their_bytes);
    TEST(neighbours_in_a_chain_count_as_their_bytes);
    TEST(a_page_that_changes_has_another_digest);
    return TEST_RUN("iscsi.crc32c");
}

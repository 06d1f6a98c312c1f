/* Any bytes as what arrives on an iSCSI connection, cut anywhere, with or without digests. What is
 * a PDU comes back the same through encoder and framer, with digests; the watches of login and of
 * the protocol's rules look on.
 */
#include "iscsi/framer.h"
#include "iscsi/login.h"
#include "iscsi/pdu_watch.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DATA 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_right)
{
    if (!is_right)
        abort();
}

/* Out by the encoder with both digests, in by another framer. */
static void send_again(struct pool *pool, const struct framer *from, const struct pdu *pdu,
                       const struct buf *data)
{
    struct framer framer;
    struct pdu back;
    struct buf *copy = NULL;
    uint8_t first[PDU_HEADER_BYTES];
    uint8_t second[PDU_HEADER_BYTES];

    framer_init(&framer, MAX_DATA, PDU_AHS_MOST_BYTES);
    framer_set_digests(&framer, true, true);
    framer_feed(&framer, framer_encode_ahs(pool, pdu, framer_ahs(from), pdu->ahs_words * 4u,
                                           buf_share(data, 0, buf_bytes(data)),
                                           (struct framer_digests){true, true}));
    check(framer_next(&framer, &back, &copy) == FRAMER_PDU);
    check(buf_equal(data, copy));
    pdu_encode(pdu, first);
    pdu_encode(&back, second);
    check(memcmp(first, second, PDU_HEADER_BYTES) == 0);
    check(framer_buffered(&framer) == 0);
    buf_free(copy);
    framer_fini(&framer);
}

static void look_at_ahs(const struct framer *framer, const struct pdu *pdu)
{
    struct pdu_ahs ahs;
    uint8_t bytes[PDU_AHS_MOST_BYTES];

    if (pdu->ahs_words == 0)
        return;
    check(pdu_ahs_decode(framer_ahs(framer), pdu->ahs_words * 4u, &ahs));
    check(pdu_ahs_encode(&ahs, bytes) <= pdu->ahs_words * 4u);
}

static void watch_login(struct login_watch *watch, const struct pdu *pdu)
{
    enum login_outcome outcome = LOGIN_OK;

    if (pdu->opcode == PDU_LOGIN_REQUEST)
        outcome = login_see_request(watch, pdu);
    else if (pdu->opcode == PDU_LOGIN_RESPONSE)
        outcome = login_see_response(watch, pdu);
    check(login_outcome_word(outcome) != NULL);
}

/* The first byte: which digests; whose end; the second: how the bytes are cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    uint8_t flags = data[0];
    size_t piece = data[1] ? data[1] : size;
    struct pool *pool = pool_new();
    struct pdu_watch *watch = pdu_watch_new(pool, flags & 4);
    struct login_watch login = {0};
    struct pdu_break broken;
    struct framer framer;

    framer_init(&framer, MAX_DATA, flags & 8 ? PDU_AHS_MOST_BYTES : 64);
    framer_set_digests(&framer, flags & 1, flags & 2);
    for (size_t at = 2; at < size; at += piece) {
        enum framer_outcome outcome = FRAMER_PDU;

        framer_feed(&framer, buf_copy(pool, data + at, size - at < piece ? size - at : piece));
        while (outcome == FRAMER_PDU || outcome == FRAMER_REJECT) {
            struct pdu pdu;
            struct buf *content = NULL;

            outcome = framer_next(&framer, &pdu, &content);
            if (outcome != FRAMER_PDU)
                continue;
            check(buf_bytes(content) == pdu.data_bytes);
            look_at_ahs(&framer, &pdu);
            send_again(pool, &framer, &pdu, content);
            watch_login(&login, &pdu);
            if (pdu_watch_see(watch, framer_header(&framer), pdu_is_from_target(pdu.opcode),
                              &broken))
                check(broken.rule[0] == 'P' && memchr(broken.text, 0, sizeof(broken.text)));
            buf_free(content);
        }
    }
    framer_fini(&framer);
    pdu_watch_free(watch);
    check(pool_live_chunks(pool) == 0);
    check(pool_live_bufs(pool) == 0);
    check(pool_live_blocks(pool) == 0);
    pool_free(pool);
    return 0;
}

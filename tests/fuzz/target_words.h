/* What the mutators of the target's fuzzers know: every command that the device server has, the
 * parameter lists that go with them, and the texts of login.
 */
#pragma once

#include "tests/fuzz/target_rig.h"

/* One of each, in order of operation code; several where the service action matters. */
static const uint8_t known_cdbs[][16] = {
    {0x00},
    {0x03, 0, 0, 0, 252},
    {0x08, 0, 0, 8, 4},
    {0x0a, 0, 0, 8, 4},
    {0x12, 0, 0, 0, 255},
    {0x12, 1, 0x83, 1, 0},
    {0x12, 1, 0xb0, 0, 64},
    {0x12, 1, 0x00, 0, 64},
    {0x12, 1, 0x80, 0, 64},
    {0x12, 1, 0x86, 0, 64},
    {0x12, 1, 0x8f, 0, 255},
    {0x12, 1, 0xb1, 0, 64},
    {0x12, 1, 0xb2, 0, 64},
    {0x15, 0x10, 0, 0, 24},
    {0x16},
    {0x17},
    {0x1a, 0, 0x3f, 0, 255},
    {0x1a, 0, 0x0a, 0, 64},
    {0x1b, 0, 0, 0, 2},
    {0x1b, 0, 0, 0, 3},
    {0x1e, 0, 0, 0, 1},
    {0x1e, 0, 0, 0, 0},
    {0x25},
    {0x28, 0, 0, 0, 0, 16, 0, 0, 8},
    {0x28, 0x18, 0, 0, 0, 0, 0, 0, 128},
    {0x2a, 0, 0, 0, 0, 16, 0, 0, 8},
    {0x2a, 0x08, 0, 0, 0, 0, 0, 0, 128},
    {0x2e, 0x02, 0, 0, 0, 1, 0, 0, 2},
    {0x2f, 0x02, 0, 0, 0, 1, 0, 0, 2},
    {0x2f, 0x06, 0, 0, 0, 1, 0, 0, 2},
    {0x34, 0, 0, 0, 0, 1, 0, 0, 2},
    {0x35},
    {0x35, 2},
    {0x37, 0, 0x18, 0, 0, 0, 0, 0, 64},
    {0x41, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x41, 8, 0, 0, 0, 0, 0, 0, 64},
    {0x42, 0, 0, 0, 0, 0, 0, 0, 24},
    {0x48, 0x01, 0, 0, 0, 0, 0, 0, 8},
    {0x48, 0x02},
    {0x48, 0x83},
    {0x48, 0x1f},
    {0x55, 0x10, 0, 0, 0, 0, 0, 0, 28},
    {0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0},
    {0x5e, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x5e, 1, 0, 0, 0, 0, 0, 0, 64},
    {0x5e, 2, 0, 0, 0, 0, 0, 0, 64},
    {0x5e, 3, 0, 0, 0, 0, 0, 1, 0},
    {0x5f, 0, 0, 0, 0, 0, 0, 0, 24},
    {0x5f, 1, 5, 0, 0, 0, 0, 0, 24},
    {0x5f, 2, 5, 0, 0, 0, 0, 0, 24},
    {0x5f, 3, 0, 0, 0, 0, 0, 0, 24},
    {0x5f, 4, 6, 0, 0, 0, 0, 0, 24},
    {0x5f, 5, 8, 0, 0, 0, 0, 0, 24},
    {0x5f, 6, 0, 0, 0, 0, 0, 0, 24},
    {0x5f, 7, 0, 0, 0, 0, 0, 0, 68},
    {0x5f, 0, 0, 0, 0, 0, 0, 0, 80},
    {0x5f, 0, 0, 0, 0, 0, 0, 0, 24},
    {0x5f, 1, 7, 0, 0, 0, 0, 0, 24},
    {0x5e, 3, 0, 0, 0, 0, 0, 1, 0},
    {0x5f, 4, 7, 0, 0, 0, 0, 0, 24},
    {0x5f, 6, 0, 0, 0, 0, 0, 0, 24},
    {0x5f, 1, 3, 0, 0, 0, 0, 0, 24},
    {0x28, 0, 0, 0, 0, 16, 0, 0, 8},
    {0x5f, 7, 0, 0, 0, 0, 0, 0, 68},
    {0x5f, 2, 3, 0, 0, 0, 0, 0, 24},
    {0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 76},
    {0x84, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x88, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
    {0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0x8b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0x8e, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    {0x8f, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    {0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    {0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    {0x93, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x93, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x9c, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32},
    {0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64},
    {0xa3, 0x0a, 0, 0, 0, 0, 0, 0, 1, 0},
    {0xa3, 0x0c, 0, 0, 0, 0, 0, 0, 8, 0},
    {0xa3, 0x0c, 0x02, 0x5f, 0, 4, 0, 0, 1, 0},
    {0xa3, 0x0d, 0x80, 0, 0, 0, 0, 0, 0, 16},
    {0xa4, 0x0a, 0, 0, 0, 0, 0, 0, 0, 12},
    {0xa8, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 8},
    {0xae, 0, 0, 0, 0, 0, 0, 0, 0, 2},
    {0xaf, 2, 0, 0, 0, 0, 0, 0, 0, 2},
    {0xb7, 0x18, 0, 0, 0, 0, 0, 0, 0, 64},
    {0x7f},
};

#define TEXT(name, text) static const char name[] = text
#define Z8               "\0\0\0\0\0\0\0\0"

/* Parameter lists: PERSISTENT RESERVE OUT (register, with key, SPEC_I_PT with a TransportID),
 * UNMAP, MODE SELECT, SET TARGET PORT GROUPS, SANITIZE OVERWRITE, EXTENDED COPY. */
TEXT(pr_register, Z8 "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0");
TEXT(pr_aptl, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\1\0\0\0");
TEXT(pr_key, "\0\0\0\0\0\0\0\1" Z8 "\0\0\0\0\0\0\0\0");
TEXT(pr_spec_i_pt, Z8 "\0\0\0\0\0\0\0\3\0\0\0\0\x08\0\0\0\0\0\0\x34\x45\0\0\x30"
                      "iqn.2024-01.lab:hv2,i,0x800000000001\0\0\0\0\0\0\0\0\0\0\0\0");
TEXT(pr_move, "\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\4\0\0\0\2\0\0\0\x2c\x45\0\0\x28"
              "iqn.2024-01.lab:hv1,i,0x800000000001\0\0\0\0");
TEXT(unmap_one, "\0\x16\0\x10\0\0\0\0" Z8 "\0\0\0\x10\0\0\0\0");
TEXT(mode_control, "\0\0\0\0\x0a\x0a\2\0\0\0\0\0\0\0\0\0");
TEXT(mode_caching, "\0\0\0\0\0\0\0\0\x08\x12\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
TEXT(groups, "\0\0\0\0\2\0\0\1\0\0\0\2");
TEXT(overwrite, "\1\0\0\4\xaa\xbb\xcc\xdd");
TEXT(copy_list, "\1\0\0\x20\0\0\0\0\0\0\0\x1c\0\0\0\0"
                "\xe4\0\0\0\1\3\0\x08\x30\1\2\3\4\5\6\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0"
                "\2\0\0\x18\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10");
/* Texts of login, and of full feature phase. */
TEXT(login_names,
     "InitiatorName=iqn.2024-01.lab:hv1\0TargetName=" FUZZ_TARGET "\0SessionType=Normal\0");
TEXT(login_other, "InitiatorName=iqn.2024-01.lab:hv2\0TargetName=" FUZZ_TARGET "\0");
TEXT(login_discovery, "InitiatorName=iqn.2024-01.lab:hv1\0SessionType=Discovery\0");
TEXT(login_unknown_target, "InitiatorName=iqn.2024-01.lab:hv1\0TargetName=iqn.2024-01.lab:no\0");
TEXT(key_auth_none, "AuthMethod=None\0");
TEXT(key_auth_chap, "AuthMethod=CHAP,None\0");
TEXT(key_auth_all, "AuthMethod=KRB5,SRP,CHAP\0");
TEXT(key_chap_a, "CHAP_A=5\0");
TEXT(key_chap_many, "CHAP_A=99,8,7,6,5\0");
TEXT(key_chap_n, "CHAP_N=hv1\0CHAP_R=0x00112233445566778899aabbccddeeff\0");
TEXT(key_chap_mutual, "CHAP_N=hv1\0CHAP_R=0bABEiM0RVZneImaq7zN3u/w==\0CHAP_I=7\0"
                      "CHAP_C=0x0123456789abcdef0123456789abcdef\0");
TEXT(key_digests, "HeaderDigest=CRC32C,None\0DataDigest=CRC32C\0");
TEXT(key_digest_bad, "HeaderDigest=MD5\0");
TEXT(key_initial_r2t, "InitialR2T=No\0ImmediateData=Yes\0");
TEXT(key_bursts, "MaxBurstLength=262144\0FirstBurstLength=65536\0");
TEXT(key_bursts_bad, "MaxBurstLength=512\0FirstBurstLength=16777215\0");
TEXT(key_segment, "MaxRecvDataSegmentLength=512\0");
TEXT(key_segment_bad, "MaxRecvDataSegmentLength=511\0");
TEXT(key_times, "DefaultTime2Wait=2\0DefaultTime2Retain=20\0");
TEXT(key_others, "MaxOutstandingR2T=65535\0MaxConnections=8\0ErrorRecoveryLevel=2\0"
                 "DataPDUInOrder=No\0DataSequenceInOrder=No\0");
TEXT(key_markers, "IFMarker=Yes\0OFMarker=No\0IFMarkInt=1~65535\0");
TEXT(key_reporting, "TaskReporting=RFC3720,ResponseFence,FastAbort\0iSCSIProtocolLevel=2\0");
TEXT(key_alias, "InitiatorAlias=a host\0X-com.example.key=0x1234\0");
TEXT(key_unknown, "Banana=yellow\0=\0NoEquals\0");
TEXT(key_send_targets, "SendTargets=All\0");
TEXT(key_send_this, "SendTargets=\0");
TEXT(key_send_name, "SendTargets=" FUZZ_TARGET "\0");

#undef TEXT

#define KNOWN_TEXTS(X)                                                                             \
    X(pr_register)                                                                                 \
    X(pr_aptl)                                                                                     \
    X(pr_key)                                                                                      \
    X(pr_spec_i_pt)                                                                                \
    X(pr_move)                                                                                     \
    X(unmap_one)                                                                                   \
    X(mode_control)                                                                                \
    X(mode_caching)                                                                                \
    X(groups)                                                                                      \
    X(overwrite) X(copy_list) X(login_names) X(login_other) X(login_discovery)                     \
        X(login_unknown_target) X(key_auth_none) X(key_auth_chap) X(key_auth_all) X(key_chap_a)    \
            X(key_chap_many) X(key_chap_n) X(key_chap_mutual) X(key_digests) X(key_digest_bad)     \
                X(key_initial_r2t) X(key_bursts) X(key_bursts_bad) X(key_segment)                  \
                    X(key_segment_bad) X(key_times) X(key_others) X(key_markers) X(key_reporting)  \
                        X(key_alias) X(key_unknown) X(key_send_targets) X(key_send_this)           \
                            X(key_send_name)

static const char *const known_texts[] = {
#define X(name) name,
    KNOWN_TEXTS(X)
#undef X
};
/* Without the NUL of the C string: the last pair has its own. */
static const uint16_t known_text_bytes[] = {
#define X(name) sizeof(name) - 1,
    KNOWN_TEXTS(X)
#undef X
};

enum known_text {
#define X(name) TEXT_##name,
    KNOWN_TEXTS(X)
#undef X
        TEXT_COUNT,
};

static inline size_t fitting_text(const uint8_t *cdb, uint32_t roll)
{
    static const struct {
        uint8_t opcode;
        uint8_t first; /* enum known_text */
        uint8_t count;
    } fits[] = {
        {0x15, TEXT_mode_control, 2}, {0x55, TEXT_mode_control, 2}, {0x42, TEXT_unmap_one, 1},
        {0x48, TEXT_overwrite, 1},    {0x83, TEXT_copy_list, 1},    {0xa4, TEXT_groups, 1},
    };

    if (cdb[0] == 0x5f && cdb[1] == SCSI_PR_REGISTER_AND_MOVE)
        return TEXT_pr_move;
    if (cdb[0] == 0x5f && cdb[8] > 24)
        return TEXT_pr_spec_i_pt;
    if (cdb[0] == 0x5f) /* to register without a key, else mostly with it */
        return cdb[1] == SCSI_PR_REGISTER ? TEXT_pr_register + roll % 3 : TEXT_pr_aptl + roll % 2;
    for (size_t i = 0; i < ARRAY_SIZE(fits); i++) {
        if (fits[i].opcode == cdb[0])
            return fits[i].first + roll % fits[i].count;
    }
    return TEXT_COUNT;
}

static inline struct step_words target_words(const uint8_t *usual, size_t usual_count)
{
    return (struct step_words){.command_action = DO_COMMAND,
                               .run_action = DO_RUN,
                               .usual = usual,
                               .usual_count = usual_count,
                               .cdbs = known_cdbs,
                               .cdb_count = ARRAY_SIZE(known_cdbs),
                               .texts = known_texts,
                               .text_bytes = known_text_bytes,
                               .text_count = ARRAY_SIZE(known_texts),
                               .fitting_text = fitting_text};
}

static inline int play(const uint8_t *data, size_t size, bool is_logged_in)
{
    static struct steps steps;
    struct rig *rig;

    steps_decode(data, size, &steps);
    rig = rig_new(steps.setup);
    if (is_logged_in) {
        good_login(rig, 0, steps.setup[4] & 2);
        check(rig->lanes[0].is_logged_in == !is_impostor(rig));
        if (steps.setup[4] & 1)
            good_login(rig, 1, 16);
        for (size_t i = 0; i < 2 && !(steps.setup[4] & 4); i++) {
            if (rig->lanes[i].is_logged_in)
                clear_attentions(&rig->lanes[i]);
        }
    }
    for (size_t i = 0; i < steps.count; i++)
        rig_step(rig, &steps.list[i]);
    rig_free(rig);
    return 0;
}

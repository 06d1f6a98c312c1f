/* Login at the target, by a peer that keeps to nothing: stages in any order, keys good and bad, cut
 * anywhere, several connections at once, time that passes, and what comes after a login that
 * succeeded.
 */
#include "tests/fuzz/target_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed);

static const uint8_t usual[] = {
    DO_LOGIN,    DO_LOGIN,      DO_LOGIN, DO_LOGIN,  DO_LOGIN, DO_LOGIN, DO_LOGIN,
    DO_LOGIN,    DO_OPEN,       DO_OPEN,  DO_RUN,    DO_RUN,   DO_BREAK, DO_COMMAND,
    DO_TEXT,     DO_TEXT,       DO_NOP,   DO_LOGOUT, DO_BYTES, DO_TASK,  DO_ANY_OPCODE,
    DO_OPERATOR, DO_GOOD_LOGIN, DO_PROVE, DO_PROVE,  DO_PROVE};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return play(data, size, false);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
    struct step_words words = target_words(usual, ARRAY_SIZE(usual));

    return steps_mutate(&words, data, size, max_size, seed);
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed)
{
    return steps_cross(a, a_bytes, b, b_bytes, out, max_bytes, seed);
}

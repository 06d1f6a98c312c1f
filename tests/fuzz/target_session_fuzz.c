/* Full feature phase at the target: commands, data, task management, texts, pings with numbers and
 * tags right or wrong, over one session or two, while streams break, sessions are dropped and the
 * clock runs.
 */
#include "tests/fuzz/target_words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_bytes, const uint8_t *b, size_t b_bytes,
                                 uint8_t *out, size_t max_bytes, unsigned int seed);

static const uint8_t usual[] = {
    DO_COMMAND,      DO_COMMAND, DO_COMMAND,  DO_COMMAND,  DO_COMMAND,    DO_COMMAND,    DO_COMMAND,
    DO_COMMAND,      DO_ANSWER,  DO_ANSWER,   DO_ANSWER,   DO_ANSWER,     DO_RUN,        DO_RUN,
    DO_RUN,          DO_RUN,     DO_DATA_OUT, DO_DATA_OUT, DO_TASK,       DO_TASK,       DO_NOP,
    DO_TEXT,         DO_LOGOUT,  DO_SNACK,    DO_LOGIN,    DO_BYTES,      DO_ANY_OPCODE, DO_BREAK,
    DO_STOP_READING, DO_READ_ON, DO_OPEN,     DO_OPERATOR, DO_GOOD_LOGIN, DO_GOOD_LOGIN};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return play(data, size, true);
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

/* The words of the trace, and the trace that forgets. */
#include "sim/core/trace.h"

const char *trace_layer_word(enum trace_layer layer)
{
    static const char *const words[] = {
#define X(name, word) word,
        TRACE_LAYERS(X)
#undef X
    };

    return words[layer];
}

static void forget_io(struct trace *trace, int64_t at_ns, const struct trace_io *io)
{
    (void)trace, (void)at_ns, (void)io;
}

static void forget_sign(struct trace *trace, int64_t at_ns, const struct trace_sign *sign)
{
    (void)trace, (void)at_ns, (void)sign;
}

static void forget_path(struct trace *trace, int64_t at_ns, const struct trace_path *path)
{
    (void)trace, (void)at_ns, (void)path;
}

static void forget_broken(struct trace *trace, int64_t at_ns, const struct trace_broken *broken)
{
    (void)trace, (void)at_ns, (void)broken;
}

static void forget_pdu(struct trace *trace, int64_t at_ns, const struct trace_pdu *pdu)
{
    (void)trace, (void)at_ns, (void)pdu;
}

static void forget_pdu_end(struct trace *trace, int64_t at_ns, uint64_t connection)
{
    (void)trace, (void)at_ns, (void)connection;
}

static void forget_event(struct trace *trace, int64_t at_ns, const char *component,
                         const char *what, uint64_t number)
{
    (void)trace, (void)at_ns, (void)component, (void)what, (void)number;
}

static const struct trace_ops forget_ops = {.io = forget_io,
                                            .sign = forget_sign,
                                            .path = forget_path,
                                            .broken = forget_broken,
                                            .pdu = forget_pdu,
                                            .pdu_end = forget_pdu_end,
                                            .event = forget_event};

const struct trace_ops *trace_nowhere_ops(void)
{
    return &forget_ops;
}

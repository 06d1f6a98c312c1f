/* A capture of the whole fabric in one pcapng file: the tap that writes it.
 *
 * Interfaces, named as in the topology: for each NIC "hv1.iscsi1 out" and "hv1.iscsi1 in";
 * "dropped", where a frame that was lost on its way appears once more, with a comment that says
 * where and why; and "events", for faults and path changes. What a fault damaged says so in a
 * comment where it is received.
 */
#pragma once

#include "sim/net/fabric.h"
#include "sim/net/pcapng.h"

struct capture;

/* Starts to capture: all NICs of 'fabric' exist. 'file' and 'fabric' are borrowed. */
struct capture *capture_new(struct fabric *fabric, FILE *file, const char *application);
/* A line on the "events" interface. */
void capture_event(struct capture *capture, int64_t at_ns, const char *text);
/* Stops, flushes and frees. False: the file is not whole; '*ret_error' is the errno. */
bool capture_free(struct capture *capture, int *ret_error);

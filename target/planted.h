/* Planted bugs of the target, to prove that the rules of data safety are watched
 * (sim/core/plant.h).
 *
 *   D1 every 1000th write is acknowledged and never written
 *   D2 reads through the second portal come from a cache that no write refreshes
 *   D4 each portal has a cache of its own, which only its own writes refresh
 *   D6 of every 1000th write, the last block is copied half way only
 *   D7 a flush takes as long as ever and flushes nothing
 *
 * In the path only when one of these is switched on.
 */
#pragma once

#include "sim/core/plant.h"
#include "target/task.h"

struct planted;

/* NULL: none of this room's bugs is on. */
struct planted *planted_new(enum plant plant, struct pool *pool);
void planted_free(struct planted *planted);
/* Power was lost: the caches are empty. NULL does nothing. */
void planted_forget(struct planted *planted);

/* Spoils a request on its way to the store, and its result on the way back. */
void planted_before(struct planted *planted, struct scsi_task *task);
void planted_after(struct planted *planted, struct scsi_task *task);

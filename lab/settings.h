/* Settings of the topology that may change while the SAN runs: what 'change' is for.
 *
 * A setting is named by its dotted path in the topology file, 'switches.switch-2.mtu', as --set
 * names it; '*' in the place of a name means all of them. What a real part reads only when it is
 * built or boots is no setting here, and is refused with that reason.
 */
#pragma once

#include "lab/document.h"
#include "lab/scenario.h"

#include <stdbool.h>
#include <stdint.h>

struct setting;
struct world;

/* Reads 'what' and 'to' of a change into 'step': its setting, the value, and the part that has it
 * if that is a single one. False: told. */
bool setting_read(const struct topology *topology, const struct node *what, const struct node *to,
                  struct step *step, struct errors *errors);

/* The parts that might have it, and whether 'what' means the one at 'part_index'. */
enum part_kind setting_part_kind(const struct setting *setting);
uint32_t setting_part_count(const struct setting *setting, const struct topology *topology);
bool setting_covers(const struct setting *setting, const struct topology *topology,
                    const char *what, uint32_t part_index);

/* What the topology says, and what is to hold from now on. */
int64_t setting_base(const struct setting *setting, const struct topology *topology,
                     uint32_t part_index);
void setting_apply(const struct setting *setting, struct world *world, uint32_t part_index,
                   int64_t value);

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

/* The places that might have it, each a part or something of a part (a user of an array), and
 * whether 'what' means the one of that number. */
uint32_t setting_place_count(const struct setting *setting, const struct topology *topology);
bool setting_covers(const struct setting *setting, const struct topology *topology,
                    const char *what, uint32_t place);

/* Does the path run over the part that has it, or, of a user's secret, log in as that user? */
bool setting_touches(const struct setting *setting, const struct topology *topology, uint32_t place,
                     uint32_t path_index);

/* What is to hold there from now on: as 'change' says, or the topology (NULL). */
void setting_apply(const struct setting *setting, struct world *world, uint32_t place,
                   const struct step *change);

/* Faults: what a verb does to a part of the world, and how just that is undone.
 *
 * Each step that breaks something adds one layer; layers stack, and ending one leaves the others as
 * they are, in whatever order they end. What a layer needs over time (a cable that flaps, a box
 * that boots) it does by itself.
 *
 *     struct faults *faults = faults_new(world, topology, clock);
 *     struct fault_layer *layer = faults_begin(faults, step);   // power-off: switch-1
 *     faults_end(faults, layer);                                // what 'for:' and power-on do
 *
 * The steps come from a scenario, or typed one by one (step_text.h); both are checked before they
 * come here, so that nothing here can be refused.
 */
#pragma once

#include "lab/scenario.h"
#include "sim/core/clock.h"

#include <stdbool.h>
#include <stdint.h>

struct device;
struct faults;
struct fault_layer;
struct media;
struct portal_node;
struct world;

/* An array as faults see it, be it in the fabric or on real sockets. */
struct fault_array;
struct fault_array_ops {
    /* In layers: lost for one reason or several, back when the last one ends and it has booted.
     * 'is_dark': its NICs lose their power, where it has any of its own. */
    void (*lose)(struct fault_array *array, bool is_dark);
    void (*come_back)(struct fault_array *array);
    void (*reboot)(struct fault_array *array, int64_t boot_ns); /* < 0: the topology's */
    struct portal_node *(*node)(struct fault_array *array);
    struct device *(*device)(struct fault_array *array);
    struct media *(*media)(struct fault_array *array, uint32_t disk_index); /* of its disks */
};
struct fault_array {
    const struct fault_array_ops *ops;
};

/* All borrowed. Freed before the world: layers that are left end with it, undone or not. */
struct faults *faults_new(struct world *world, const struct topology *topology,
                          struct clock *clock);
/* The same of an array that stands alone: number 'array_index' of the topology. */
struct faults *faults_new_alone(struct fault_array *array, uint32_t array_index,
                                const struct topology *topology, struct clock *clock);
void faults_free(struct faults *faults);

/* NULL: the step can be done here; else why not, with "'part'" to follow, and in '*ret_help' what
 * can. */
const char *faults_refuse(const struct faults *faults, const struct step *step,
                          const char **ret_help);

/* Does what 'step' says, which is no undoing one and not refused. The step is borrowed until the
 * layer has ended. NULL: nothing is left to undo, because the verb happens in a moment ('reboot',
 * 'flush'). */
struct fault_layer *faults_begin(struct faults *faults, const struct step *step);
/* Takes away the layer, and nothing else; the pointer is void then. */
void faults_end(struct faults *faults, struct fault_layer *layer);

/* The layer that an undoing step ('power-on: switch-1') takes away: of the same part, begun last.
 * NULL: there is none; what is on cannot be switched on. */
struct fault_layer *faults_find(const struct faults *faults, const struct step *step);
const struct step *fault_layer_step(const struct fault_layer *layer);

/* Does 'path' (of the topology) run over what the step changes? */
bool fault_touches(const struct topology *topology, const struct step *step, uint32_t path_index);
/* What the step happens to: its part, or the setting that it changes; 'buffer' as of
 * topology_part_name(). */
const char *fault_part_name(const struct topology *topology, const struct step *step,
                            char buffer[PART_NAME_BYTES]);

/* From the end of the step's fault until its part is in service: what boots, boots. */
int64_t fault_recovery_ns(const struct topology *topology, const struct step *step);

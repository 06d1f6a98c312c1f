/* Changes to a document before it is checked: 'switches.switch-2.mtu=1500', from --set and 'vary'.
 *
 * A dotted path is walked through the tables of the format, so that a wrong one is refused where it
 * goes wrong. '*' stands for all names at its place; steps and expectations are found by name,
 * other items of lists by their number from 1.
 */
#pragma once

#include "lab/document.h"
#include "lab/schema.h"

/* Which document a path is about. */
enum override_root { OVERRIDE_SCENARIO, OVERRIDE_TOPOLOGY, OVERRIDE_NOTHING };

/* By its first word; OVERRIDE_NOTHING: told. */
enum override_root override_root(const struct node *path, struct errors *errors);

/* Sets what 'path' (a value: the dotted text) names in 'document', described by 'record', to a copy
 * of 'value'. False: told. */
bool override_apply(struct document *document, const struct record *record, const struct node *path,
                    const struct node *value, struct errors *errors);

/* 'KEY=VALUE' as two nodes of 'document', with places on the command line. A value that begins with
 * a bracket is read as YAML. False: told. */
bool override_parse(struct document *document, struct file_set *files, const char *text,
                    struct node **ret_path, struct node **ret_value, struct errors *errors);

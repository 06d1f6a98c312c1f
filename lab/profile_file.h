/* Profile files: what a kind of host or array is like, every value with its source beside it.
 *
 * 'topologies/profiles/NAME.yaml' has 'describes: host' or 'describes: array' and one section per
 * layer. A topology may override any value under the same keys, so the sections' tables are public.
 */
#pragma once

#include "initiator/profile.h"
#include "lab/schema.h"
#include "target/profile.h"

extern const struct record profile_ip_record;
extern const struct record profile_tcp_record;       /* struct tcp_options */
extern const struct record profile_iscsi_record;     /* struct iscsi_params */
extern const struct record profile_path_record;      /* struct path_rules */
extern const struct record profile_multipath_record; /* struct mpath_rules */
extern const struct record profile_portal_record;    /* struct array_profile */
extern const struct record profile_host_record;      /* struct host_profile */
extern const struct record profile_array_record;     /* struct array_profile */

/* Loads the profile that 'name' (a value in a topology file) names, from 'profiles/' beside the
 * topology. False: told. */
bool profile_load_host(const struct node *name, struct file_set *files,
                       struct host_profile *ret_profile, struct errors *errors);
bool profile_load_array(const struct node *name, struct file_set *files,
                        struct array_profile *ret_profile, struct errors *errors);

/* What must hold between the values of a profile after overrides; 'at' is whom to blame. */
void profile_check_host(const struct host_profile *profile, const struct node *at,
                        struct errors *errors);
void profile_check_array(const struct array_profile *profile, const struct node *at,
                         struct errors *errors);

/* Checks a profile file on its own. False: told. */
bool profile_check_document(const struct document *document, struct errors *errors);

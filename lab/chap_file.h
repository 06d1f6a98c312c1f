/* A CHAP identity from the command line: "USER:SECRETFILE", the secret in a file of its own, so
 * that no list of processes shows it.
 *
 * The file holds the secret and maybe a line end behind it, 12 to 255 bytes, and nobody but its
 * owner may read it.
 */
#pragma once

#include "iscsi/chap.h"
#include "sim/core/error.h"

/* False: '*err' says why. No message holds any part of the secret. */
MUST_CHECK bool chap_file_read(const char *user_and_file, struct chap_identity *ret_identity,
                               struct error *err);

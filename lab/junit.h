/* Verdicts as JUnit XML, the way continuous integration reads them: a suite per run, a case per
 * expectation and one for the rules that every run keeps.
 */
#pragma once

#include "lab/results_db.h"

#include <stddef.h>
#include <stdint.h>

/* Could a report be written to 'path'? Asked before anything runs. */
MUST_CHECK enum status junit_check(const char *path, struct error *err);
/* Writes the report on 'runs' to 'path' as a whole or not at all. */
MUST_CHECK enum status junit_write(const struct results *results, const int64_t *runs,
                                   size_t run_count, const char *path, struct error *err);

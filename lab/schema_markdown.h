/* The tables of the formats as a page of reference, in Markdown. */
#pragma once

#include "lab/schema_json.h"

#include <stdio.h>

void schema_markdown(enum schema_kind kind, FILE *to);

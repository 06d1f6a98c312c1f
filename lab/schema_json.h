/* The tables of the formats as JSON Schema (draft 2020-12), for editors that check and complete. */
#pragma once

#include <stdio.h>

#define SCHEMA_KINDS(X)                                                                            \
    X(SCHEMA_TOPOLOGY, "topology")                                                                 \
    X(SCHEMA_SCENARIO, "scenario")                                                                 \
    X(SCHEMA_PROFILE, "profile")

enum schema_kind {
#define X(name, word) name,
    SCHEMA_KINDS(X)
#undef X
        SCHEMA_KIND_COUNT
};

/* SCHEMA_KIND_COUNT: there is none of that word. */
enum schema_kind schema_kind_find(const char *word);

void schema_json(enum schema_kind kind, FILE *to);

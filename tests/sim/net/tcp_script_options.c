/* Settings of a script, read by the tables that read profile files. */
#include "tests/sim/net/tcp_script_text.h"

#include "lab/profile_file.h"

#include <stdio.h>
#include <stdlib.h>

static bool has_none(const struct errors *errors, char *ret_text, size_t text_bytes)
{
    if (errors->error_count == 0)
        return true;
    snprintf(ret_text, text_bytes, "%s", errors->entries[0].error.text);
    return false;
}

bool tcp_script_set_option(struct tcp_options *options, const char *key, const char *value,
                           char *ret_text, size_t text_bytes)
{
    struct file_set files;
    struct errors errors;
    char text[SCRIPT_LINE_BYTES * 2];

    snprintf(text, sizeof(text), "%s: %s\n", key, value);
    file_set_init(&files, file_reader_disk());
    errors_init(&errors);
    struct document *document = document_parse(file_set_keep(&files, "option", text), &errors);

    if (document->root && errors.error_count == 0)
        schema_overlay(&profile_tcp_record, document->root, options, &errors);
    bool is_good = has_none(&errors, ret_text, text_bytes);

    document_free(document);
    errors_fini(&errors);
    file_set_fini(&files);
    return is_good;
}

bool tcp_script_set_profile(struct tcp_options *options, const char *name, char *ret_text,
                            size_t text_bytes)
{
    struct host_profile *profile = calloc(1, sizeof(*profile));
    struct file_set files;
    struct errors errors;
    char text[SCRIPT_LINE_BYTES * 2];

    snprintf(text, sizeof(text), "profile: %s\n", name);
    file_set_init(&files, file_reader_disk());
    errors_init(&errors);
    struct document *document =
        document_parse(file_set_keep(&files, SOURCE_DIR "/topologies/script", text), &errors);
    const struct node *node = document->root ? node_get(document->root, "profile") : NULL;

    if (node && profile && profile_load_host(node, &files, profile, &errors))
        *options = profile->tcp;
    bool is_good = has_none(&errors, ret_text, text_bytes);

    document_free(document);
    errors_fini(&errors);
    file_set_fini(&files);
    free(profile);
    return is_good;
}

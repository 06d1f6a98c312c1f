/* A typed step: a document of one map with one verb. */
#include "lab/step_text.h"

#include "lab/document.h"
#include "lab/scenario_verbs.h"

#include <stdio.h>
#include <stdlib.h>

/* What a step in a file has beside its verb. */
static bool refuse_times(const struct step_file *file, struct errors *errors)
{
    const struct node *times[] = {file->at, file->after, file->when};

    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        if (!times[i])
            continue;
        error_help(node_key_error(errors, times[i], "a typed step happens now, and has no '%s'",
                                  times[i]->key->text),
                   "leave it out");
        return false;
    }
    return true;
}

bool step_read_text(const struct topology *topology, const char *text, struct file_set *files,
                    struct step *ret_step, struct errors *errors)
{
    size_t errors_before = errors->error_count;
    struct document *document = document_parse(file_set_keep(files, "typed", text), errors);
    struct step_file file = {.name = ""};
    struct step step = {.when = {.at_ns = 0}};

    if (document->root && document->root->kind != NODE_MAP) {
        error_help(node_error(errors, document->root, "a step is a verb and its part"),
                   "write 'power-off: switch-1'");
    } else if (document->root) {
        schema_read(&step_record, document->root, &file, errors);
        if (refuse_times(&file, errors))
            scenario_read_verb(topology, document->root, &file, &step, errors);
        snprintf(step.name, sizeof(step.name), "%s", file.name[0] ? file.name : STEP_TYPED_NAME);
        step.for_ns = file.for_ns;
        step.pos = node_pos(document->root);
        if (step.for_ns > 0 && step.is_undo)
            error_help(node_key_error(errors, node_get(document->root, "for"),
                                      "'%s' cannot have 'for'", verb_row(step.verb)->word),
                       "it undoes another step; 'for' belongs to that one");
    }
    document_free(document);
    if (errors->error_count == errors_before) {
        *ret_step = step;
        return true;
    }
    step_fini(&step);
    return false;
}

void step_write_text(const struct topology *topology, const struct step *step, char *text,
                     size_t text_bytes)
{
    char buffer[PART_NAME_BYTES];
    const char *const *arguments = (const char *const *)step->arguments.text;
    const char *object = step->verb == VERB_CHANGE
                             ? arguments[ARG_WHAT]
                             : topology_part_name(topology, step->part, buffer);
    FILE *to = fmemopen(text, text_bytes, "w");
    bool is_map = step->verb == VERB_CHANGE;

    text[0] = '\0';
    if (!to)
        return;
    for (size_t i = 0; i < ARG_COUNT; i++)
        is_map = is_map || arguments[i];
    fprintf(to, "%s: %s%s", verb_row(step->verb)->word,
            !is_map                     ? ""
            : step->verb == VERB_CHANGE ? "{what: "
                                        : "{part: ",
            object);
    for (enum step_argument i = 0; i < ARG_COUNT; i++)
        if (arguments[i] && i != ARG_WHAT)
            fprintf(to, ", %s: %s", step_argument_word(i), arguments[i]);
    if (is_map)
        fputc('}', to);
    fclose(to);
    text[text_bytes - 1] = '\0';
}

void step_fini(struct step *step)
{
    for (size_t i = 0; i < ARG_COUNT; i++) {
        free(step->arguments.text[i]);
        step->arguments.text[i] = NULL;
    }
}

/* Faults of an array on real sockets: see serve_control.h. */
#include "lab/serve_control.h"

#include "lab/box_power.h"
#include "lab/line_server.h"
#include "lab/line_words.h"
#include "lab/live_steps.h"
#include "lab/run_one.h"
#include "sim/core/attributes.h"
#include "sim/core/mem.h"
#include "sim/live/pacer.h"
#include "target/portal.h"

#include <stdlib.h>

struct serve_control {
    struct serve_control_config config;
    const struct topology_array *array;
    struct media **media; /* owned, by disk of the array */
    struct box_power power;
    struct fault_array faults;
    struct live_steps *steps;
    struct live_steps_user steps_user;
    struct line_user line_user;
    struct line_server *server;
};

/* ---- The array, as faults see it ---- */

static void go_down(struct box_power *power)
{
    struct serve_control *control = CONTAINER_OF(power, struct serve_control, power);

    portal_node_crash(control->config.node);
    portal_node_set_listening(control->config.node, false);
}

static void come_up(struct box_power *power)
{
    struct serve_control *control = CONTAINER_OF(power, struct serve_control, power);

    portal_node_set_listening(control->config.node, true);
}

static struct serve_control *control_of(struct fault_array *faults)
{
    return CONTAINER_OF(faults, struct serve_control, faults);
}

static void array_lose(struct fault_array *faults, bool is_dark)
{
    box_power_lose(&control_of(faults)->power, is_dark);
}

static void array_come_back(struct fault_array *faults)
{
    struct serve_control *control = control_of(faults);

    box_power_return(&control->power, control->array->boot_time_ns);
}

static void array_reboot(struct fault_array *faults, int64_t boot_ns)
{
    struct serve_control *control = control_of(faults);

    box_power_reboot(&control->power, boot_ns < 0 ? control->array->boot_time_ns : boot_ns);
}

static struct portal_node *array_node(struct fault_array *faults)
{
    return control_of(faults)->config.node;
}

static struct device *array_device(struct fault_array *faults)
{
    return control_of(faults)->config.device;
}

static struct media *array_media(struct fault_array *faults, uint32_t disk_index)
{
    return control_of(faults)->media[disk_index];
}

/* ---- Lines ---- */

static struct serve_control *asked(struct line_user *user)
{
    return CONTAINER_OF(user, struct serve_control, line_user);
}

static int help_word(struct line_user *user, const char *rest, FILE *answer)
{
    (void)user, (void)rest;
    fputs(
        "a step as in a scenario, such as 'slow: {part: san1, by: 20 ms}', 'drop-session: san1',\n"
        "'transition: {part: san1, to: standby}', 'redirect: {part: san1, to: 10.0.0.2}' (for "
        "good:\n"
        "'redirect: {part: san1, to: 10.0.0.2, permanent: true}'),\n"
        "'reboot: {part: san1, boot-time: 5 s}'; it happens now and stays until it is undone,\n"
        "by a step that undoes it, by 'undo', or after a time: '{crash: san1, for: 10 s}'. Also:\n"
        "  faults   what is broken at this moment, with numbers\n"
        "  undo     takes away the newest fault; 'undo 3' that number, 'undo all' everything\n"
        "  status   sessions, and what was counted so far\n"
        "  quit     ends\n",
        answer);
    return EXIT_MET;
}

static int undo_word(struct line_user *user, const char *rest, FILE *answer)
{
    return live_steps_undo(asked(user)->steps, rest, answer);
}

static int faults_word(struct line_user *user, const char *rest, FILE *answer)
{
    (void)rest;
    live_steps_list(asked(user)->steps, answer);
    return EXIT_MET;
}

static int status_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct serve_control_user *owner = asked(user)->config.user;
    (void)rest;

    owner->print(owner, answer);
    return EXIT_MET;
}

static int quit_word(struct line_user *user, const char *rest, FILE *answer)
{
    struct serve_control_user *owner = asked(user)->config.user;
    (void)rest, (void)answer;

    owner->stop(owner);
    return EXIT_MET;
}

static int on_line(struct line_user *user, const char *line, FILE *answer)
{
    static const struct line_word words[] = {
        {"help", false, help_word},     {"faults", false, faults_word}, {"undo", true, undo_word},
        {"status", false, status_word}, {"quit", false, quit_word},     {NULL, false, NULL}};
    struct serve_control *control = asked(user);
    int code;

    pacer_catch_up(control->config.pacer);
    return line_words_answer(words, user, line, answer, &code)
               ? code
               : live_steps_type(control->steps, line, answer);
}

static void on_step(struct live_steps_user *user, int64_t at_ns, const char *text)
{
    struct serve_control *control = CONTAINER_OF(user, struct serve_control, steps_user);
    (void)at_ns;

    fprintf(control->config.log, "step %s\n", text);
    fflush(control->config.log);
}

/* ---- Life ---- */

struct serve_control *serve_control_open(const struct serve_control_config *config,
                                         struct error *err)
{
    static const struct box_power_ops power_ops = {.go_down = go_down, .come_up = come_up};
    static const struct fault_array_ops fault_ops = {.lose = array_lose,
                                                     .come_back = array_come_back,
                                                     .reboot = array_reboot,
                                                     .node = array_node,
                                                     .device = array_device,
                                                     .media = array_media};
    struct serve_control *control = mem_new(sizeof(*control));

    *control = (struct serve_control){.config = *config,
                                      .array = &config->topology->arrays[config->array_index],
                                      .faults = {&fault_ops},
                                      .steps_user = {on_step},
                                      .line_user = {on_line}};
    control->media = mem_array(control->array->disk_count, sizeof(struct media *));
    for (uint32_t i = 0; i < control->array->disk_count; i++)
        control->media[i] = config->media[i];
    box_power_init(&control->power, &power_ops, config->clock, NULL, config->topology, 0, 0);
    control->steps = live_steps_new(
        config->topology,
        faults_new_alone(&control->faults, config->array_index, config->topology, config->clock),
        config->clock, &control->steps_user);
    control->server = line_server_open(config->loop, config->path, &control->line_user, err);
    if (control->server)
        return control;
    serve_control_close(control);
    return NULL;
}

void serve_control_close(struct serve_control *control)
{
    if (!control)
        return;
    line_server_close(control->server);
    live_steps_free(control->steps);
    box_power_fini(&control->power);
    free(control->media);
    free(control);
}

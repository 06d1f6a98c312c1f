/* The device queues of one path. */
#include "initiator/lanes.h"

#include "sim/core/mem.h"

#include <assert.h>
#include <stdlib.h>

#include <uthash.h>

struct lane {
    uint64_t lun;
    struct command_list waiting;
    uint32_t open;
    bool is_ready; /* in the list of ready lanes */
    struct lane *ready_next;
    struct lane *ready_previous;
    UT_hash_handle hh;
};

void command_list_append(struct command_list *list, struct command *command)
{
    command->next = NULL;
    command->previous = list->tail;
    if (list->tail)
        list->tail->next = command;
    else
        list->head = command;
    list->tail = command;
}

void command_list_remove(struct command_list *list, struct command *command)
{
    if (command->previous)
        command->previous->next = command->next;
    else
        list->head = command->next;
    if (command->next)
        command->next->previous = command->previous;
    else
        list->tail = command->previous;
    command->next = NULL;
    command->previous = NULL;
}

struct command *command_list_pop(struct command_list *list)
{
    struct command *command = list->head;

    if (command)
        command_list_remove(list, command);
    return command;
}

void command_list_join(struct command_list *list, struct command_list *from)
{
    if (!from->head)
        return;
    from->head->previous = list->tail;
    if (list->tail)
        list->tail->next = from->head;
    else
        list->head = from->head;
    list->tail = from->tail;
    *from = (struct command_list){0};
}

void lanes_init(struct lanes *lanes, uint32_t depth)
{
    assert(depth > 0);
    *lanes = (struct lanes){.depth = depth};
}

void lanes_fini(struct lanes *lanes)
{
    struct lane *lane;
    struct lane *following;

    HASH_ITER(hh, lanes->by_lun, lane, following)
    {
        HASH_DEL(lanes->by_lun, lane); /* NOLINT: uthash's deletion is no use after free */
        free(lane);
    }
    *lanes = (struct lanes){.depth = lanes->depth};
}

static struct lane *lane_of_lun(struct lanes *lanes, uint64_t lun)
{
    struct lane *lane = lanes->last;

    if (lane && lane->lun == lun)
        return lane;
    HASH_FIND(hh, lanes->by_lun, &lun, sizeof(lun), lane);
    if (!lane) {
        lane = mem_new(sizeof(*lane));
        lane->lun = lun;
        HASH_ADD(hh, lanes->by_lun, lun, sizeof(lane->lun), lane);
    }
    lanes->last = lane;
    return lane;
}

static void ready_append(struct lanes *lanes, struct lane *lane)
{
    lane->is_ready = true;
    lane->ready_next = NULL;
    lane->ready_previous = lanes->ready_tail;
    if (lanes->ready_tail)
        lanes->ready_tail->ready_next = lane;
    else
        lanes->ready_head = lane;
    lanes->ready_tail = lane;
}

static void ready_remove(struct lanes *lanes, struct lane *lane)
{
    lane->is_ready = false;
    if (lane->ready_previous)
        lane->ready_previous->ready_next = lane->ready_next;
    else
        lanes->ready_head = lane->ready_next;
    if (lane->ready_next)
        lane->ready_next->ready_previous = lane->ready_previous;
    else
        lanes->ready_tail = lane->ready_previous;
}

static void look_again(struct lanes *lanes, struct lane *lane)
{
    bool can_send = lane->waiting.head && lane->open < lanes->depth;

    if (can_send && !lane->is_ready)
        ready_append(lanes, lane);
    else if (!can_send && lane->is_ready)
        ready_remove(lanes, lane);
}

void lanes_put(struct lanes *lanes, struct command *command)
{
    struct lane *lane = lane_of_lun(lanes, command->lun);

    command->lane = lane;
    command_list_append(&lane->waiting, command);
    lanes->waiting++;
    look_again(lanes, lane);
}

struct command *lanes_next(struct lanes *lanes)
{
    struct lane *lane = lanes->ready_head;

    if (!lane)
        return NULL;
    struct command *command = command_list_pop(&lane->waiting);

    lanes->waiting--;
    lane->open++;
    ready_remove(lanes, lane); /* and to the end of the turn, if it has more */
    look_again(lanes, lane);
    return command;
}

void lanes_ended(struct lanes *lanes, struct command *command)
{
    struct lane *lane = command->lane;

    assert(lane->open > 0);
    lane->open--;
    look_again(lanes, lane);
}

void lanes_put_back(struct lanes *lanes, struct command_list *list)
{
    struct command *command;

    while ((command = list->tail)) { /* from the last to the first, each in front */
        struct lane *lane = command->lane;

        command_list_remove(list, command);
        command->next = lane->waiting.head;
        if (lane->waiting.head)
            lane->waiting.head->previous = command;
        else
            lane->waiting.tail = command;
        lane->waiting.head = command;
        assert(lane->open > 0);
        lane->open--;
        lanes->waiting++;
        look_again(lanes, lane);
    }
}

void lanes_withdraw(struct lanes *lanes, struct command *command)
{
    struct lane *lane = command->lane;

    command_list_remove(&lane->waiting, command);
    assert(lanes->waiting > 0);
    lanes->waiting--;
    look_again(lanes, lane);
}

struct command_list lanes_take_all(struct lanes *lanes)
{
    struct command_list all = {0};

    for (struct lane *lane = lanes->by_lun; lane; lane = lane->hh.next) {
        command_list_join(&all, &lane->waiting);
        look_again(lanes, lane);
    }
    lanes->waiting = 0;
    return all;
}

/* The device queues of one path: a lane per LUN, first in first out, with a limit of open commands
 * per lane.
 *
 * Lanes that could send take turns, one command each, so that a busy LUN does not starve another.
 * Commands are embedded in whoever started them: a lane allocates nothing for one, however many
 * wait. A command knows its lane ('lane'), so only the first of a LUN is looked up by hashing.
 */
#pragma once

#include "initiator/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A list of commands through their 'next' and 'previous'. {0} is empty. */
struct command_list {
    struct command *head;
    struct command *tail;
};

void command_list_append(struct command_list *list, struct command *command);
void command_list_remove(struct command_list *list, struct command *command);
/* The head, taken off; NULL: empty. */
struct command *command_list_pop(struct command_list *list);
/* Moves all of 'from' behind the tail of 'list'. */
void command_list_join(struct command_list *list, struct command_list *from);

struct lane;
struct lanes {
    struct lane *by_lun;     /* owned; uthash */
    struct lane *last;       /* the lane used last: most commands hit it */
    struct lane *ready_head; /* lanes with something waiting and room below the limit */
    struct lane *ready_tail;
    uint32_t depth; /* open commands per lane, 1 or more */
    uint32_t waiting;
};

void lanes_init(struct lanes *lanes, uint32_t depth);
/* Forgets the commands inside. */
void lanes_fini(struct lanes *lanes);

/* Waits behind those of its LUN. */
void lanes_put(struct lanes *lanes, struct command *command);
/* The next command to send, which is open from now on; NULL: none may go. */
struct command *lanes_next(struct lanes *lanes);
/* An open command came to its end. */
void lanes_ended(struct lanes *lanes, struct command *command);
/* Open commands that are to be sent again wait in front of all others, in the order of 'list',
 * which is empty afterwards. */
void lanes_put_back(struct lanes *lanes, struct command_list *list);
/* Takes out a waiting command. */
void lanes_withdraw(struct lanes *lanes, struct command *command);
/* Takes out all that wait: LUN by LUN, each in its order. */
struct command_list lanes_take_all(struct lanes *lanes);

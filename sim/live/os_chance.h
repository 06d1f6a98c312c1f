/* Chance of the operating system, for what nobody may guess: getrandom(2).
 */
#pragma once

#include "sim/core/chance.h"

/* Ends the program with exit code 7 if the system has none. */
struct chance *os_chance(void);

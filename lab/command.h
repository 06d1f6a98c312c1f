/* The commands of the program: each takes its own part of the command line and returns the exit
 * code of the program.
 */
#pragma once

/* Exit codes; the design's table says when. */
#define EXIT_USAGE       2
#define EXIT_FILE        3
#define EXIT_ASSERTION   70
#define EXIT_INTERRUPTED 130

#define RESULTS_DEFAULT "results/lab.db"

/* argv[0] is the command's name. */
int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_report(int argc, char **argv);
int command_schema(int argc, char **argv);

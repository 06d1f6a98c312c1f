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
int run_command(int argc, char **argv);
int check_command(int argc, char **argv);
int report_command(int argc, char **argv);
int schema_command(int argc, char **argv);
int live_command(int argc, char **argv);
int ctl_command(int argc, char **argv);
int ping_command(int argc, char **argv);
int serve_command(int argc, char **argv);

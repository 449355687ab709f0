/*
 * cmd/cmd.h - what a subcommand is, what it gets, and how one is found and run.
 *
 * A subcommand is one file src/cmd/NAME.c that ends in one constant, `const struct command cmd_NAME`, and one
 * row in the table of src/cmd/commands.c. Help, the overview, the man page and completion come from that constant.
 * A command turns options into one call below and prints the result; it holds no logic a test would want.
 *
 * Results go to context->output (standard output), progress and warnings to context->messages (standard
 * error). Errors are returned; only main prints them.
 */
#ifndef CMD_CMD_H
#define CMD_CMD_H

#include <stddef.h>
#include <stdio.h>

#include "cmd/environment.h"
#include "cmd/global.h"
#include "util/err.h"
#include "util/option.h"
#include "util/term.h"

/* What kind of thing an operand or an option's value is: how it is completed (cmd/complete.h). */
enum complete {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_DIRECTORY,
	COMPLETE_CONTEXT, /* of the kubeconfig; likewise the next two */
	COMPLETE_CLUSTER,
	COMPLETE_USER,
	COMPLETE_NAMESPACE,     /* of the cluster */
	COMPLETE_STORAGE_CLASS, /* the same */
	COMPLETE_SET,           /* StatefulSets in the namespace that run Consul servers */
	COMPLETE_SERVER,        /* their pods */
	COMPLETE_REMAINS,       /* servers that are gone, of which something is left */
	COMPLETE_SIZE,          /* a good number of servers */
	COMPLETE_FINDING,
	COMPLETE_COMMAND,
};

/* Exit codes beyond those of errors (err_exit_code: 1, 4 refused by a safety rule, 124 timeout, 130 interrupted). */
enum cmd_exit {
	CMD_EXIT_FINE = 0,
	CMD_EXIT_CRITICAL = 2,
	CMD_EXIT_DEGRADED = 3,
};

/* What a command gets. All of it is borrowed and outlives the run. */
struct cmd_context {
	const struct program *program;
	const struct command *command;
	const char *title;                   /* "kubectl consul health": for messages and Kubectl-Command */
	const struct global_options *global; /* parsed */
	const void *options;                 /* the command's own struct, parsed (command->options_size bytes) */
	const struct option_words *words;    /* operands; which options were given */
	const struct cmd_environment *environment;
	FILE *output;
	FILE *messages;
	int input_fd;                        /* standard input: answers are read from it */
	struct term output_term;
	struct term messages_term;
	int interrupt_fd;                    /* readable after Ctrl-C or SIGTERM: for loop_set_interrupt */
};

struct command {
	const char *name;     /* "health" */
	const char *group;    /* heading in the overview, "Cluster"; NULL: not listed there */
	const char *summary;  /* one line, no full stop */
	const char *also;     /* "status members": what people type who mean it, with blanks between; NULL: nothing */
	const char *operands; /* usage: "CODE...", NULL: none are allowed */
	size_t operands_min;  /* fewer, or more than max: a usage error before run is called */
	size_t operands_max;
	enum complete operand;                /* what kind of thing each of them is */
	const char *const *operand_choices;   /* those there are, ended by NULL; NULL: not listed */
	const char *description;      /* paragraphs; NULL: the summary */
	const char *examples;         /* lines: "# comment" and command, an empty line between two examples */
	const struct option *options; /* its own table; NULL: none */
	size_t options_size;          /* of the struct the table fills; it starts as zeros */

	/*
	 * Does it. -1 with err, or 0: then *ret_exit_code (0 on entry) is the process's exit code. Writes to
	 * output are checked once at the end by main; a command that goes on for long ends when
	 * ferror(context->output) says that nobody reads it any more.
	 */
	int (*run)(const struct cmd_context *context, int *ret_exit_code, struct err *err);

	/*
	 * Where words (without the command's name; perhaps they could not be parsed) ask for an output that tells of
	 * failures in its own way: does so, and returns 0. Otherwise -1, err as it was. NULL: main tells.
	 */
	int (*fail)(const struct cmd_context *context, char *const *words, int *ret_exit_code, struct err *err);
};

struct program {
	const char *name;                     /* as the user typed it: "kubectl consul" */
	const char *path;                     /* argv[0]; NULL: unknown */
	const char *description;              /* first lines of the overview */
	const struct command *const *commands; /* in the order of the overview, ended by NULL */
};

/* The commands, one file each. */
extern const struct command cmd_deploy;
extern const struct command cmd_health;
extern const struct command cmd_scale;
extern const struct command cmd_reap;
extern const struct command cmd_failover;
extern const struct command cmd_recover;
extern const struct command cmd_explain;
extern const struct command cmd_completion;
extern const struct command cmd_help;
extern const struct command cmd_options;
extern const struct command cmd_version;

/* All of them, in the order of the overview, ended by NULL; and the program's description. */
extern const struct command *const cmd_commands[];
extern const char cmd_description[];

/* --help, which every command has. */
extern const struct option cmd_help_option_table[];

/*
 * Finds the command among words (argv without the program's name, ended by NULL), parses, and runs it.
 * context comes with program, environment, output, messages, their terms and interrupt_fd; the rest is filled
 * here. Without a command, and with --help, help is printed. Returns as command->run does.
 */
int cmd_dispatch(struct cmd_context *context, char *const *words, int *ret_exit_code, struct err *err)
	__attribute__((warn_unused_result));

/* The command of this name, or NULL. */
const struct command *cmd_find(const struct program *program, const char *name);

/* "kubectl consul" for a path that ends in kubectl-consul, otherwise the path's last part. New string. */
char *cmd_program_name(const char *argv0) __attribute__((warn_unused_result));

/* Prints the overview, or one command's help. */
void cmd_print_overview(const struct cmd_context *context);
void cmd_print_help(const struct cmd_context *context, const struct command *command);

/* Prints the one line of `version` and --version. */
void cmd_print_version(const struct cmd_context *context);

/*
 * How a person reads an error: err_text, then the hint as "hint: …" with further lines below it; the hint of a
 * usage error is kubectl's own words and stands alone. Control characters are made visible.
 */
void cmd_error_text(const struct err *err, const struct term *term, struct buf *out);

/* Of candidates (ended by NULL), those that look most like word are added to list; none when none is near. */
void cmd_suggest(const char *word, const char *const *candidates, struct strv *list);

/* Sets ERR_USAGE with MESSAGE, and "Did you mean this?" with the suggestions if there are any. Returns -1. */
int cmd_unknown(struct err *err, const char *message, const struct strv *suggestions);

/* cmd_unknown for a word that is no command. */
int cmd_unknown_command(const struct program *program, const char *word, struct err *err);

/* The choices of --dry-run. */
enum cmd_dry_run { CMD_DRY_RUN_NONE, CMD_DRY_RUN_CLIENT, CMD_DRY_RUN_SERVER };
extern const char *const cmd_dry_run_choices[]; /* "none", "client", "server" */

/* Rows that several commands have; member is the enum in the command's struct. */
#define CMD_OPTION_DRY_RUN(type_, member_)                                                                             \
	{ .name = "dry-run", .kind = OPTION_CHOICE, OPTION_AT(type_, member_), .choices = cmd_dry_run_choices,         \
	  .default_text = "none", .bare_text = "client",                                                               \
	  .wrong_choice = "Invalid dry-run value ($). Must be \"none\", \"server\", or \"client\".",                   \
	  .help = "Must be \"none\", \"server\", or \"client\". With client, only show what would be done; with "      \
		  "server, let the API server check it as well, without keeping anything." }

#define CMD_WRONG_OUTPUT(formats_)                                                                                     \
	"unable to match a printer suitable for the output format \"$\", allowed formats are: " formats_

#endif

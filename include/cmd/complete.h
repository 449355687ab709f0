/*
 * cmd/complete.h - completion: what can stand under the cursor. From the tables of commands and options alone.
 *
 * kubectl (1.26 and newer) runs `kubectl_complete-consul WORD…` with the words after "consul", the last one being under
 * the cursor, perhaps "". The answer is one candidate a line, "value<TAB>description", hints for people as
 * "_activeHelp_ TEXT", and ":DIRECTIVE" as the last line. The shell reads it: control characters never get in.
 *
 * Source: kubectl pkg/cmd/plugin/plugin_completion.go; cobra's ShellCompDirective.
 */
#ifndef CMD_COMPLETE_H
#define CMD_COMPLETE_H

#include <stddef.h>
#include <stdio.h>

#include "cmd/cmd.h"
#include "util/str.h"

/* The last line: what else the shell may do. */
enum complete_directive {
	COMPLETE_SHELL_FILES = 0,
	COMPLETE_SHELL_NOTHING = 4,
	COMPLETE_SHELL_DIRECTORIES = 16,
};

/* Most candidates that are printed: nobody reads more. */
#define COMPLETE_CANDIDATES_MAX ((size_t)1000)

/* One answer, and what is still to be found for it. */
struct completion {
	enum complete kind;            /* to be looked up (complete_lookup); COMPLETE_NOTHING: nothing is */
	const struct command *command; /* borrowed; NULL: none is named before the cursor */
	char *typed;                   /* the part of the candidate that stands there already */
	struct strv before;            /* the words before the cursor, without the command's name: for option_parse */
	struct strv used;              /* operands that stand there already: no candidates any more */
	struct strv values;            /* candidates … */
	struct strv descriptions;      /* … and as many descriptions, "" for none */
	struct strv hints;
	enum complete_directive directive;
};

#define COMPLETION_INIT { .directive = COMPLETE_SHELL_NOTHING }

/* What can be told without looking anything up: fills an initialised completion. words is ended by NULL. Pure. */
void complete_words(const struct program *program, char *const *words, struct completion *ret_completion);

/*
 * Adds a candidate, if it begins with what is typed, is not used yet, and can be shown as it is. description may be NULL;
 * it is made fit for one line.
 */
void complete_add(struct completion *completion, const char *value, const char *description);
void complete_hint(struct completion *completion, const char *text);

/* The answer as kubectl reads it. */
void complete_render(const struct completion *completion, struct buf *out);

void completion_release(struct completion *completion);

/*
 * Adds what completion->kind asks for: from the kubeconfig, or from the API server. Blocks for COMPLETE_LOOKUP_MS at most, as
 * far as that can be told; whatever fails adds nothing.
 */
#define COMPLETE_LOOKUP_MS 800
void complete_lookup(struct cmd_context *context, struct completion *completion);

/*
 * The whole program under its other name, COMPLETE_FILE_NAME. context as for cmd_dispatch. Always 0: anything else makes
 * kubectl throw the answer away. The process leaves its terminal, ends by itself when it takes longer than
 * COMPLETE_GIVE_UP_MS, and takes what plugins left behind with it.
 */
#define COMPLETE_FILE_NAME  "kubectl_complete-consul"
#define COMPLETE_GIVE_UP_MS 950
int complete_main(struct cmd_context *context, char *const *words);

#endif

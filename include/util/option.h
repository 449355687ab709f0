/*
 * util/option.h - option tables: one row per option; parsing and help are made from the same rows. Pure.
 *
 * Tables are plain constant data, ended by a row whose name is NULL. The values go into a struct of the
 * table's owner:
 *
 *     static const struct option health_option_table[] = {
 *         { .name = "watch", .letter = 'w', .kind = OPTION_FLAG, OPTION_AT(struct health_options, watch),
 *           .help = "Show the health again whenever it changes." },
 *         { .name = "dry-run", .kind = OPTION_CHOICE, OPTION_AT(struct x, dry_run), .choices = dry_run_choices,
 *           .default_text = "none", .bare_text = "client", .help = "…" },
 *         { 0 },
 *     };
 *
 * The syntax and the errors are kubectl's (github.com/spf13/pflag): --flag=value, --flag value, -nvalue,
 * -n value, -n=value, bundled letters (-wn value), "--" ends the options, options and operands in any order.
 * An option that may stand without a value (a flag, or one with bare_text) takes one with "=" only.
 */
#ifndef UTIL_OPTION_H
#define UTIL_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/buf.h"
#include "util/err.h"
#include "util/str.h"

/* The kind, and the type of the member it fills. */
enum option_kind {
	OPTION_FLAG,     /* bool: --flag, --flag=true, --flag=false */
	OPTION_STRING,   /* const char *, borrowed from argv; NULL when not given and without default */
	OPTION_INT,      /* int64_t, from min to max */
	OPTION_DURATION, /* int64_t, milliseconds; kubectl's time-out values (clock_parse_timeout) */
	OPTION_CHOICE,   /* an enum (or int): the index into choices */
	OPTION_LIST,     /* struct strv: each use adds one value */
};

struct option {
	const char *name; /* without the dashes; NULL ends the table */
	char letter;      /* 0: none */
	enum option_kind kind;
	size_t offset;             /* OPTION_AT fills both */
	size_t size;               /* of the member: checked against the kind */
	const char *value_name;    /* "FILE", "NAME": for the man page and completion; NULL: the kind's own */
	const char *default_text;  /* parsed into the member before the command line; NULL: it stays as it is */
	const char *bare_text;     /* the value of --name alone; NULL: a value must follow (flags: "true") */
	const char *const *choices; /* of OPTION_CHOICE, ended by NULL; of OPTION_STRING: those that its owner knows, or NULL */
	const char *wrong_choice;  /* error of another choice, '$' standing for the value; NULL: a general one */
	int64_t min, max;          /* of OPTION_INT; both 0: not limited */
	int complete;              /* what kind of thing a value is: the table's owner's enum, for completion; 0: not told */
	bool hidden;               /* works, but no help shows it */
	const char *help;          /* one paragraph */
};

/* In a row: where the value goes. */
#define OPTION_AT(type_, member_) .offset = offsetof(type_, member_), .size = sizeof(((type_ *)0)->member_)

/* A table together with the struct it fills. */
struct option_set {
	const struct option *options;
	void *target;
};

/* What the command line had besides values. */
struct option_words {
	struct strv operands; /* in order */
	struct strv given;    /* names of the options that were used */
};

#define OPTION_WORDS_INIT { 0 }

/*
 * Puts the defaults into all targets, then parses words (argv without the program, ended by NULL). A name
 * that stands in two sets belongs to the first. ERR_USAGE in kubectl's words; the targets then hold what
 * was parsed so far and are released as usual. A table with a bad default is a programming mistake (asserted).
 */
int option_parse(const struct option_set *sets, size_t set_count, char *const *words, struct option_words *ret_words,
		 struct err *err) __attribute__((warn_unused_result));

/* Index of the first operand, skipping the values of options of sets; -1 when there is none. Unknown options
 * are taken to have no value. */
int option_first_operand(const struct option_set *sets, size_t set_count, char *const *words);

/* The option in word, an argument that begins with '-', whose value is the argument after it; NULL when there is none. */
const struct option *option_wants_next(const struct option_set *sets, size_t set_count, const char *word);

/* Whether --name was on the command line, whatever its value. */
bool option_was_given(const struct option_words *words, const char *name);

void option_words_release(struct option_words *words);

/* Releases what parsing allocated in the targets (lists). */
void option_sets_release(const struct option_set *sets, size_t set_count);

/* The row of this name or letter (name NULL: by letter); NULL when there is none. */
const struct option *option_find(const struct option *options, const char *name, char letter);

/* Whether it may stand alone on the command line. */
bool option_is_bare(const struct option *option);

/* What --help shows as its value name: "FILE", "client|server|none", "DURATION"; NULL for flags. New string. */
char *option_value_text(const struct option *option) __attribute__((warn_unused_result));

/*
 * The table as kubectl prints it, an empty line between two options:
 *
 *     -n, --namespace='':
 * 	If present, the namespace scope for this CLI request
 *
 * Help is wrapped at width columns (0: not wrapped).
 */
void option_help(const struct option *options, size_t width, struct buf *out);

#endif

/*
 * consul/glossary.h - the words of the screens, explained: for people who run Consul, but have not met raft.
 */
#ifndef CONSUL_GLOSSARY_H
#define CONSUL_GLOSSARY_H

struct glossary_word {
	const char *name;  /* "tolerance" */
	const char *other; /* "tolerates": another form that is met; NULL: none */
	const char *title; /* one line */
	const char *text;  /* some paragraphs, wrapped by the printer; indented lines are kept */
};

extern const struct glossary_word glossary[]; /* ended by a row whose name is NULL; no name is a finding's */

/* By name or other form, any case; NULL when there is none. */
const struct glossary_word *glossary_find(const char *name);

#endif

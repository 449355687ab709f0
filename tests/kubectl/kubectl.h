/*
 * kubectl.h - the table of kubeconfig cases: what kubectl makes of a kubeconfig, flags and an environment, and what
 * we make of the same.
 *
 * Each case is given to every kubectl there is (`kubectl get statefulsets.apps …`) and to the plugin
 * (`kubectl-consul health …`). Both end in a request for the StatefulSets of a namespace, or in an error, and that is
 * the outcome that is compared, as one line of text:
 *
 *     A ns1 Bearer one, as jane    server, namespace, who one is there: what the server saw, not what was printed
 *     … by PROXY to api.test:6443  and through which proxy, with what that was asked for
 *     error: context "zz" …        the first line on standard error that is no log line
 *
 * In the texts of a case and in outcomes these names stand for what is new in each run:
 *
 *     $A $B                        address and port of two API servers; what is below them is in world.c
 *     $EXPIRED $OTHER $STRANGER    those whose certificate is expired, for another name, of another authority
 *     $PLAIN                       one without TLS
 *     $CLOSED                      nobody listens there
 *     $PROXY $TLSPROXY $SOCKS      proxies that lead to $A whatever they are asked for: http, https, socks5
 *     $LOCKED $LOCKEDSOCKS         http and socks5 for user "me" with the password "s3cret" only
 *     $BADPROXY $HANGPROXY         http: answers 502; never answers
 *     $PLAINPROXY                  http, leads to $PLAIN
 *     $APORT …                     the port alone, of each
 *     $CASE                        the directory of the case's files; empty for each program
 *     $PKI                         directory: ca.crt other.crt client.crt client.key encrypted.key
 *     $CA64 $CRT64 $KEY64          ca.crt, client.crt and client.key as base64
 */
#ifndef KUBECTL_KUBECTL_H
#define KUBECTL_KUBECTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pki;

struct kubectl_file {
	const char *path; /* below $CASE; one directory may be in it */
	const char *text;
	bool executable;
};

struct kubectl_case {
	const char *rule;   /* what is tried; NULL ends a table */
	const char *config; /* text of $CASE/config, which $KUBECONFIG names; NULL: neither is there */
	struct kubectl_file files[4];
	const char *words[10];      /* behind `get statefulsets.apps` and `health` */
	const char *environment[5]; /* "NAME=value"; KUBECONFIG= replaces the above */
	const char *outcome;        /* pattern (`*`) for ours */
	const char *kubectls;       /* pattern for that of kubectl, where it may differ; NULL: it is ours, word for word */
	const char *why;            /* with kubectls: "better: …", or "words: …" where only the words differ */
	const char *also;           /* a file below $CASE that is written in the run: its text belongs to the outcome */
	bool headers;               /* by which headers the program introduces itself belongs to the outcome */
	bool in_cluster;            /* a pod's service account is mounted: token "pod", namespace "podns" */
};

/* ----------------------------------------------------------------------------------------- cases.c */

extern const struct kubectl_case kubectl_cases_files[];
extern const struct kubectl_case kubectl_cases_users[];
extern const struct kubectl_case kubectl_cases_servers[];
extern const struct kubectl_case kubectl_cases_flags[];
extern const struct kubectl_case kubectl_cases_proxies[];

/* Pieces of a kubeconfig. */
#define CONFIG(current, clusters, users, contexts)                                                                     \
	"apiVersion: v1\nkind: Config\ncurrent-context: " current "\nclusters:\n" clusters "users:\n" users                \
	"contexts:\n" contexts
#define CLUSTER(name, server, more)            "- {name: " name ", cluster: {server: \"" server "\"" more "}}\n"
#define USER(name, fields)                     "- {name: " name ", user: {" fields "}}\n"
#define CONTEXT(name, cluster, user, more)                                                                             \
	"- {name: " name ", context: {cluster: " cluster ", user: " user more "}}\n"
#define CA ", certificate-authority: $PKI/ca.crt"

/* Cluster a with its authority, user u with these fields, context c of both. */
#define USUAL(fields) CONFIG("c", CLUSTER("a", "https://$A", CA), USER("u", fields), CONTEXT("c", "a", "u", ""))

/* ----------------------------------------------------------------------------------------- world.c */

struct world;

/* Starts the servers and writes the files that all cases share. Aborts with a message on failure. */
struct world *world_new(void);
void world_free(struct world *world);

/* Empties $CASE, writes the case's files, and forgets what the servers were asked. */
void world_prepare(struct world *world, const struct kubectl_case *given);

/* text with the names above replaced by what they stand for; new string. */
char *world_expand(const struct world *world, const char *text);

/* The reverse; times, versions and session ids become words too. New string. */
char *world_normalize(const struct world *world, const char *text);

const char *world_directory(const struct world *world); /* $CASE */
const char *world_account(const struct world *world);   /* directory of a pod's service account */

/* The outcome by the last request for StatefulSets that was answered; NULL: there was none. New string. */
char *world_seen(const struct world *world, bool headers);

/* ------------------------------------------------------------------------------------------ ways.c */

/* The password of proxies: in nothing that a program prints, or the outcome says so. */
#define WAYS_PASSWORD "s3cret"

struct ways;

/* Proxies that lead to these ports of 127.0.0.1. pki is borrowed. */
struct ways *ways_new(const struct pki *pki, uint16_t to, uint16_t plain);
void ways_free(struct ways *ways);

/* Name and port of one of them; NULL: there are no more. */
const char *ways_name(const struct ways *ways, size_t index, uint16_t *ret_port);

/* Forgets what the proxies did until now; " by NAME to TARGET" of what was done since, NULL: nothing. New string. */
void ways_mark(struct ways *ways);
char *ways_taken(const struct ways *ways);

/* --------------------------------------------------------------------------------------- program.c */

/* Runs the case with a kubectl (path), or with the plugin (NULL); new string. */
char *program_outcome(struct world *world, const struct kubectl_case *given, const char *kubectl);

/* Whether the system lets us mount in a namespace of our own, which in_cluster wants. */
bool program_can_mount(struct world *world);

#endif

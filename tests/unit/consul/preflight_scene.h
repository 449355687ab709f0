/*
 * A preflight of the usual cluster (three new servers, rendered by manifest.h, in namespace ns) against an API server that
 * allows everything and has what is needed: what the tests of preflight change one thing in.
 *
 * JSON in these tests has single quotes where JSON has double ones.
 */
#ifndef TEST_PREFLIGHT_SCENE_H
#define TEST_PREFLIGHT_SCENE_H

#include "../../support/apiserver.h"
#include "consul/preflight.h"

/* What is different: NULL and 0 mean as usual. */
struct preflight_case {
	const char *namespace_json; /* "403", "404": refused so; likewise below, where the items of the list stand */
	const char *minor;          /* of the server's version 1.MINOR */
	const char *classes;
	const char *volumes;
	const char *claims;
	const char *pods;
	const char *nodes;
	const char *user;       /* who asks, as a SelfSubjectReview tells; NULL: the server has no such thing */
	const char *denied;     /* "create configmaps, get pods/exec": what reviews say no to */
	const char *reviews;    /* "403": reviews are refused */
	const char *storage_class;
	const char *image;
	const char *live_set;   /* merged into the rendered StatefulSet, as one that exists; "{}": as rendered */
	const char *template;   /* merged into the pod template that would be applied */
	const char *set;        /* merged into the StatefulSet */
	const char *live_service;
	bool all_exists;        /* everything is as rendered already */
	bool gossip_exists;
	bool from_file;         /* objects have a source */
	bool acls, exists, restarts, scales, blind;
	bool cut;               /* lists say that they go on */
};

struct preflight_scene {
	const struct preflight_case *how;
	struct apiserver_route routes[2];
	struct apiserver *server;
	struct loop *loop;
	struct kube_config config;
	struct kube_client_options options;
	struct kube_client *client;
	struct apply_list objects;
	struct preflight found;
	struct err err;
};

/* Runs it; the test fails when that does. */
void scene_run(struct preflight_scene *scene, const struct preflight_case *how);
void scene_end(struct preflight_scene *scene);

const struct preflight_check *scene_check(const struct preflight_scene *scene, const char *name);

/* The outcome, and words that text, hint and paste must have ("" any, NULL: there must be none). */
struct preflight_expected {
	const char *name;
	enum preflight_outcome outcome;
	const char *text;
	const char *hint;
	const char *paste;
};

/* One table's row: run, compare, end. label is printed when it fails. */
void scene_expect(const char *label, const struct preflight_case *how, const struct preflight_expected *expected);

/* RFC 3339 of so many hours ago; one of a few buffers, reused in turn. */
const char *hours_ago(int hours);

#endif

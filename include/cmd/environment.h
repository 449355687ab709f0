/*
 * cmd/environment.h - everything the program takes from its environment, read once, at the start, here only.
 */
#ifndef CMD_ENVIRONMENT_H
#define CMD_ENVIRONMENT_H

#include "util/term.h"

/* Strings are borrowed from the environment; NULL: not set. */
struct cmd_environment {
	const char *home;
	const char *path; /* PATH */
	const char *user; /* USER, else LOGNAME */
	const char *kubeconfig;
	const char *consul_token; /* CONSUL_HTTP_TOKEN; secret */
	const char *consul_token_file;
	const char *service_host; /* KUBERNETES_SERVICE_HOST */
	const char *service_port;
	const char *https_proxy; /* HTTPS_PROXY, else https_proxy; likewise the next two, as Go reads them */
	const char *http_proxy;
	const char *no_proxy;
	const char *ssl_cert_file;
	const char *ssl_cert_dir;
	const char *columns;
	const char *term;
	const char *no_color;
	const char *lc_all;
	const char *lc_ctype;
	const char *lang;
};

void cmd_environment_read(struct cmd_environment *ret_environment);

/* What kind of terminal fd is. */
struct term cmd_environment_term(const struct cmd_environment *environment, int fd);

#endif

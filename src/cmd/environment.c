/* See include/cmd/environment.h. */
#include "cmd/environment.h"

#include <stdlib.h>
#include <unistd.h>

/* The first of two that is not empty. */
static const char *either(const char *name, const char *other)
{
	const char *value = getenv(name);

	return value && *value ? value : getenv(other);
}

void cmd_environment_read(struct cmd_environment *ret_environment)
{
	*ret_environment = (struct cmd_environment){
		.home = getenv("HOME"),
		.path = getenv("PATH"),
		.user = either("USER", "LOGNAME"),
		.kubeconfig = getenv("KUBECONFIG"),
		.consul_token = getenv("CONSUL_HTTP_TOKEN"),
		.consul_token_file = getenv("CONSUL_HTTP_TOKEN_FILE"),
		.service_host = getenv("KUBERNETES_SERVICE_HOST"),
		.service_port = getenv("KUBERNETES_SERVICE_PORT"),
		.https_proxy = either("HTTPS_PROXY", "https_proxy"),
		.http_proxy = either("HTTP_PROXY", "http_proxy"),
		.no_proxy = either("NO_PROXY", "no_proxy"),
		.ssl_cert_file = getenv("SSL_CERT_FILE"),
		.ssl_cert_dir = getenv("SSL_CERT_DIR"),
		.columns = getenv("COLUMNS"),
		.term = getenv("TERM"),
		.no_color = getenv("NO_COLOR"),
		.lc_all = getenv("LC_ALL"),
		.lc_ctype = getenv("LC_CTYPE"),
		.lang = getenv("LANG"),
	};
}

struct term cmd_environment_term(const struct cmd_environment *environment, int fd)
{
	struct term_inputs inputs = {
		.is_tty = isatty(fd) == 1,
		.columns = environment->columns,
		.term = environment->term,
		.no_color = environment->no_color,
		.lc_all = environment->lc_all,
		.lc_ctype = environment->lc_ctype,
		.lang = environment->lang,
	};

	if (inputs.is_tty)
		term_window(fd, &inputs.window_columns, &inputs.window_rows);
	return term_compute(&inputs);
}

/* See config_parts.h. Which server, and whom to trust that it is it. */
#include "config_parts.h"

#include <string.h>

#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

bool config_in_cluster_possible(const struct kube_config_inputs *inputs)
{
	_cleanup_free_ char *token = NULL;

	if (str_is_empty(inputs->env_service_host) || str_is_empty(inputs->env_service_port) ||
	    str_is_empty(inputs->service_account_dir))
		return false;
	token = file_join(inputs->service_account_dir, "token");
	return file_exists(token);
}

int config_resolve_authorities(const struct kube_config_inputs *inputs, const struct choice *choice,
                               struct kube_config *config, struct err *err)
{
	static const char contradiction[] = "specifying a root certificates file with the insecure flag is not allowed";
	const struct kubeconfig_cluster *cluster = choice->cluster;
	const char *flag = str_is_empty(inputs->certificate_authority) ? NULL : inputs->certificate_authority;

	if (flag && inputs->insecure_skip_tls_verify)
		return err_set(err, ERR_USAGE, "%s", contradiction);
	config->insecure = inputs->insecure_skip_tls_verify;
	if (config->insecure)
		return 0;
	if (flag)
		return config_read_pem(flag, "certificate-authority", cluster ? cluster->name : "", &config->ca_pem,
		                       err);
	if (!cluster)
		return 0;
	if (cluster->insecure && (cluster->ca_pem || cluster->ca_file))
		return err_set(err, ERR_CONFIG, "%s", contradiction);
	config->insecure = cluster->insecure;
	if (cluster->ca_pem)
		config->ca_pem = xstrdup(cluster->ca_pem);
	else if (cluster->ca_file)
		return config_read_pem(cluster->ca_file, "certificate-authority", cluster->name, &config->ca_pem, err);
	return 0;
}

/* ------------------------------------------------------------------------------------------- the URL */

/* Length of "https://" or "http://" at the start of text, 0 when there is none. */
static size_t scheme_length(const char *text)
{
	static const char *const schemes[] = { "https://", "http://" };

	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		size_t length = strlen(schemes[i]);
		_cleanup_free_ char *start = xstrndup(text, length);

		if (str_equal_nocase(start, schemes[i]))
			return length;
	}
	return 0;
}

static int bad_url(const char *server, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(server, NAME_SHOWN);

	return err_set(err, ERR_CONFIG, "host must be a URL or a host:port pair: \"%s\"", shown);
}

/* "HOST" or "HOST:PORT"; user information is refused, so that no password hides in a URL. */
static bool is_authority(const char *text, size_t length)
{
	_cleanup_free_ char *authority = xstrndup(text, length);
	const char *colon = strrchr(authority, ':'), *bracket = strrchr(authority, ']');
	uint64_t port;

	for (const char *at = authority; *at; at++)
		if (*at <= ' ' || *at >= 0x7f || strchr("@%\\\"<>^`{|}", *at))
			return false;
	if (colon && (!bracket || colon > bracket) &&
	    (str_to_uint64(colon + 1, &port) < 0 || port < 1 || port > UINT16_MAX))
		return false;
	return length > 0 && authority[0] != ':' && (*authority == '[') == (bracket != NULL);
}

/*
 * As client-go's DefaultServerURL: without a scheme it is host:port, and https only if something is said about TLS.
 * Query and fragment are dropped, and trailing slashes too.
 */
static int resolve_url(const char *server, bool default_https, char **ret_url, struct err *err)
{
	size_t scheme = scheme_length(server), authority, length;
	const char *rest = server + scheme;

	authority = strcspn(rest, "/?#");
	length = strcspn(rest, "?#");
	while (length > 0 && rest[length - 1] == '/')
		length--;
	if (!scheme && strstr(server, "://")) {
		_cleanup_free_ char *shown = NULL;

		shown = str_visible(server, NAME_SHOWN);
		return err_set(err, ERR_CONFIG, "unsupported protocol scheme in the server's URL \"%s\"", shown);
	}
	if (!is_authority(rest, authority) || (!scheme && length > authority))
		return bad_url(server, err);
	for (size_t i = 0; i < length; i++)
		if (rest[i] <= ' ' || rest[i] >= 0x7f)
			return bad_url(server, err);
	if (scheme)
		default_https = scheme == strlen("https://");
	*ret_url = xasprintf("%s%.*s", default_https ? "https://" : "http://", (int)length, rest);
	return 0;
}

/* ------------------------------------------------------------------------------------------ in a pod */

static int resolve_in_cluster(const struct kube_config_inputs *inputs, struct kube_config *config, struct err *err)
{
	const char *host = inputs->env_service_host;
	_cleanup_free_ char *address = NULL, *ca_file = file_join(inputs->service_account_dir, "ca.crt");

	address = xasprintf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, inputs->env_service_port);
	if (resolve_url(address, true, &config->server, err) < 0)
		return err_wrap(err, "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
	if (!config->ca_pem && !config->insecure && file_exists(ca_file) &&
	    config_read_pem(ca_file, "certificate-authority", "the service account", &config->ca_pem, err) < 0)
		return -1;
	if (!config->token && !config->client_cert_pem && !config->token_file && !config->username && !config->exec)
		config->token_file = file_join(inputs->service_account_dir, "token");
	return 0;
}

/* ------------------------------------------------------------------------------------------- together */

int config_resolve_server(const struct kube_config_inputs *inputs, const struct choice *choice,
                          struct kube_config *config, struct err *err)
{
	bool from_flag = !str_is_empty(inputs->server);
	const char *server = from_flag ? inputs->server : choice->cluster ? choice->cluster->server : NULL;
	bool default_https = config->ca_pem || config->client_cert_pem || config->insecure;

	if (!str_is_empty(inputs->tls_server_name))
		config->tls_server_name = xstrdup(inputs->tls_server_name);
	else if (!from_flag && choice->cluster)
		config->tls_server_name = xstrdup_null(choice->cluster->tls_server_name);
	if (server)
		return resolve_url(server, default_https, &config->server, err);
	return resolve_in_cluster(inputs, config, err);
}

int config_resolve_proxy(const struct kube_config_inputs *inputs, const struct choice *choice,
                         struct kube_config *config, struct err *err)
{
	const struct kubeconfig_cluster *cluster = choice->cluster;

	return kube_proxy_choose(config->server, cluster ? cluster->proxy_url : NULL, cluster ? cluster->name : "",
	                         &inputs->env_proxy, &config->proxy, err);
}

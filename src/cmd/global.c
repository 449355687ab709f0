/* See include/cmd/global.h. */
#include "cmd/global.h"

#define SERVICE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"
#define VERBOSITY_MAX       10

/* In the order of enum ask_way. */
static const char *const via_choices[] = { "auto", "tunnel", "exec", NULL };

#define GLOBAL_AT(member_) OPTION_AT(struct global_options, member_)

/* By name, as kubectl lists them. The texts are kubectl's where the option is. */
const struct option global_option_table[] = {
	{ .name = "as",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(as),
	  .value_name = "USER",
	  .help = "Username to impersonate for the operation. User could be a regular user or a service account in a "
	          "namespace." },
	{ .name = "as-group",
	  .kind = OPTION_LIST,
	  GLOBAL_AT(as_groups),
	  .value_name = "GROUP",
	  .help = "Group to impersonate for the operation, this flag can be repeated to specify multiple groups." },
	{ .name = "as-uid",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(as_uid),
	  .value_name = "UID",
	  .help = "UID to impersonate for the operation." },
	{ .name = "as-user-extra",
	  .kind = OPTION_LIST,
	  GLOBAL_AT(as_user_extra),
	  .value_name = "KEY=VALUE",
	  .help = "User extras to impersonate for the operation, this flag can be repeated to specify multiple values "
	          "for the same key." },
	{ .name = "cache-dir",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(cache_dir),
	  .value_name = "DIRECTORY",
	  .help = "Default cache directory. It is not used: nothing is cached on disk." },
	{ .name = "certificate-authority",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(certificate_authority),
	  .value_name = "FILE",
	  .help = "Path to a cert file for the certificate authority" },
	{ .name = "client-certificate",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(client_certificate),
	  .value_name = "FILE",
	  .help = "Path to a client certificate file for TLS" },
	{ .name = "client-key",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(client_key),
	  .value_name = "FILE",
	  .help = "Path to a client key file for TLS" },
	{ .name = "cluster",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(cluster),
	  .value_name = "NAME",
	  .help = "The name of the kubeconfig cluster to use" },
	{ .name = "context",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(context),
	  .value_name = "NAME",
	  .help = "The name of the kubeconfig context to use" },
	{ .name = "insecure-skip-tls-verify",
	  .kind = OPTION_FLAG,
	  GLOBAL_AT(insecure_skip_tls_verify),
	  .help = "If true, the server's certificate will not be checked for validity. This will make your HTTPS "
	          "connections insecure" },
	{ .name = "kubeconfig",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(kubeconfig),
	  .value_name = "FILE",
	  .help = "Path to the kubeconfig file to use for CLI requests." },
	{ .name = "name",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(name),
	  .value_name = "STATEFULSET",
	  .default_text = "consul",
	  .help = "The StatefulSet the Consul servers run in. If there is none of this name, but exactly one in the "
	          "namespace that runs Consul servers, that one is used." },
	{ .name = "namespace",
	  .letter = 'n',
	  .kind = OPTION_STRING,
	  GLOBAL_AT(namespace_name),
	  .value_name = "NAMESPACE",
	  .help = "If present, the namespace scope for this CLI request" },
	{ .name = "password",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(password),
	  .value_name = "PASSWORD",
	  .help = "Password for basic authentication to the API server" },
	{ .name = "request-timeout",
	  .kind = OPTION_DURATION,
	  GLOBAL_AT(request_timeout_ms),
	  .help =
	      "The length of time to wait before giving up on a single server request. Non-zero values should "
	      "contain a corresponding time unit (e.g. 1s, 2m, 3h). A value of zero means don't timeout requests." },
	{ .name = "server",
	  .letter = 's',
	  .kind = OPTION_STRING,
	  GLOBAL_AT(server),
	  .value_name = "URL",
	  .help = "The address and port of the Kubernetes API server" },
	{ .name = "timeout",
	  .kind = OPTION_DURATION,
	  GLOBAL_AT(timeout_ms),
	  .help = "The length of time to wait before giving up on the whole command, zero means the command's own "
	          "default. Any other values should contain a corresponding time unit (e.g. 1s, 2m, 3h)." },
	{ .name = "tls-server-name",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(tls_server_name),
	  .value_name = "NAME",
	  .help = "Server name to use for server certificate validation. If it is not provided, the hostname used to "
	          "contact the server is used" },
	{ .name = "token",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(token),
	  .value_name = "TOKEN",
	  .help = "Bearer token for authentication to the API server" },
	{ .name = "token-file",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(token_file),
	  .value_name = "FILE",
	  .help =
	      "File whose first line is the ACL token to show to the Consul servers. Without it: CONSUL_HTTP_TOKEN, "
	      "the "
	      "file CONSUL_HTTP_TOKEN_FILE, or the token that deploy keeps in the Secret STATEFULSET-acl-bootstrap." },
	{ .name = "user",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(user),
	  .value_name = "NAME",
	  .help = "The name of the kubeconfig user to use" },
	{ .name = "username",
	  .kind = OPTION_STRING,
	  GLOBAL_AT(username),
	  .value_name = "NAME",
	  .help = "Username for basic authentication to the API server" },
	{ .name = "v",
	  .letter = 'v',
	  .kind = OPTION_INT,
	  GLOBAL_AT(verbosity),
	  .max = VERBOSITY_MAX,
	  .help = "number for the log level verbosity; from 6 on each request is logged" },
	{ .name = "via",
	  .kind = OPTION_CHOICE,
	  GLOBAL_AT(via),
	  .choices = via_choices,
	  .default_text = "auto",
	  .help =
	      "How to ask the Consul servers: \"tunnel\" speaks to their HTTP API through pods/portforward, \"exec\" "
	      "runs the consul CLI in their containers through pods/exec, \"auto\" tries them in this order." },
	{ 0 },
};

int64_t global_timeout_ms(const struct global_options *global, int64_t otherwise_ms)
{
	return global->timeout_ms > 0 ? global->timeout_ms : otherwise_ms;
}

void global_config_inputs(const struct global_options *global, const struct cmd_environment *environment,
                          struct kube_config_inputs *ret_inputs)
{
	*ret_inputs = (struct kube_config_inputs){
		.kubeconfig = global->kubeconfig,
		.context = global->context,
		.cluster = global->cluster,
		.user = global->user,
		.namespace_name = global->namespace_name,
		.server = global->server,
		.token = global->token,
		.certificate_authority = global->certificate_authority,
		.client_certificate = global->client_certificate,
		.client_key = global->client_key,
		.tls_server_name = global->tls_server_name,
		.insecure_skip_tls_verify = global->insecure_skip_tls_verify,
		.username = global->username,
		.password = global->password,
		.as = global->as,
		.as_uid = global->as_uid,
		.as_groups = &global->as_groups,
		.as_user_extra = &global->as_user_extra,
		.env_kubeconfig = environment->kubeconfig,
		.home = environment->home,
		.env_service_host = environment->service_host,
		.env_service_port = environment->service_port,
		.service_account_dir = SERVICE_ACCOUNT_DIR,
		.authorities = {
			.env_file = environment->ssl_cert_file,
			.env_dir = environment->ssl_cert_dir,
			.root = "/",
		},
	};
}

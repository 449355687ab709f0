/* kube/config.h and kube/kubeconfig.h: files in a directory of their own, wording compared with kubectl 1.32. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kube/config.h"
#include "kube/kubeconfig.h"
#include "util/buf.h"
#include "util/file.h"
#include "util/mem.h"
#include "util/str.h"

/* One cluster, user and context; %s are the fields of cluster and user. "Zm9v" is "foo". */
#define ONE(cluster, user)                                                                                             \
	"apiVersion: v1\nkind: Config\ncurrent-context: a\n"                                                           \
	"clusters: [{name: c, cluster: {" cluster "}}]\nusers: [{name: u, user: {" user "}}]\n"                        \
	"contexts: [{name: a, context: {cluster: c, user: u}}, {name: lost, context: {cluster: gone, user: u}},\n"     \
	" {name: nobody, context: {cluster: c, user: gone}}, {name: bare, context: {user: u}}]\n"
#define SERVER "server: 'https://10.0.0.1:6443/'"
#define TOKEN  "token: secret"

static void make_directory(void)
{
	static char directory[] = "/tmp/unit-config-XXXXXX";

	cr_assert_not_null(mkdtemp(directory));
	cr_assert_eq(chdir(directory), 0);
	cr_assert_eq(mkdir("sub", 0700), 0);
	cr_assert_eq(mkdir("home", 0700), 0);
	cr_assert_eq(mkdir("home/.kube", 0700), 0);
	cr_assert_eq(mkdir("account", 0700), 0);
}

static void remove_directory(void)
{
	static const char *const entries[] = { "config",
		                               "other",
		                               "cert",
		                               "key",
		                               "ca",
		                               "home/.kube/config",
		                               "sub/config",
		                               "sub/ca",
		                               "sub/token",
		                               "account/token",
		                               "account/namespace",
		                               "account/ca.crt" };
	static const char *const directories[] = { "home/.kube", "home", "sub", "account" };
	_cleanup_free_ char *here = getcwd(NULL, 0);

	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		unlink(entries[i]);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		rmdir(directories[i]);
	rmdir(here);
}

static void write_file(const char *path, const char *content)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(content, file);
	fclose(file);
}

static struct kube_config loaded(const struct kube_config_inputs *inputs)
{
	struct kube_config config = KUBE_CONFIG_INIT;
	struct err err = ERR_INIT;

	cr_assert_eq(kube_config_load(inputs, &config, &err), 0, "%s", err.message);
	return config;
}

static void expect_failure(const struct kube_config_inputs *inputs, enum err_kind kind, const char *text)
{
	struct kube_config config = KUBE_CONFIG_INIT;
	_cleanup_err_ struct err err = ERR_INIT;
	_cleanup_free_ char *actual = NULL;

	cr_assert_eq(kube_config_load(inputs, &config, &err), -1, "no error, but should be: %s", text);
	actual = err_text(&err);
	cr_expect_str_eq(actual, text);
	cr_expect_eq(err.kind, kind, "kind %d: %s", (int)err.kind, text);
	cr_expect_null(config.server);
}

/* With this kubeconfig and no flags. */
static void expect_refused(const char *kubeconfig, const char *text)
{
	write_file("config", kubeconfig);
	expect_failure(&(struct kube_config_inputs){ .kubeconfig = "config" }, ERR_CONFIG, text);
}

TestSuite(config, .init = make_directory, .fini = remove_directory);

/* ---------------------------------------------------------------------------------- which files */

Test(config, the_simple_case)
{
	struct kube_config config;

	write_file("config", ONE(SERVER ", certificate-authority-data: Zm9v", TOKEN));
	config =
	    loaded(&(struct kube_config_inputs){ .kubeconfig = "config", .env_kubeconfig = "/nope", .home = "home" });
	cr_expect_str_eq(config.server, "https://10.0.0.1:6443");
	cr_expect_str_eq(config.namespace_name, "default");
	cr_expect_str_eq(config.context, "a");
	cr_expect_str_eq(config.user, "u");
	cr_expect_str_eq(config.ca_pem, "foo");
	cr_expect_str_eq(config.token, "secret");
	cr_expect_null(config.client_cert_pem);
	cr_expect_null(config.token_file);
	cr_expect_not(config.insecure);
	kube_config_release(&config);
	cr_expect_null(config.token);
}

Test(config, json_is_fine_too)
{
	struct kube_config config;

	write_file("home/.kube/config",
	           "{\"current-context\":\"a\",\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":"
	           "\"https://h\"}}],\"contexts\":[{\"name\":\"a\",\"context\":{\"cluster\":\"c\"}}]}");
	config = loaded(&(struct kube_config_inputs){ .home = "home" });
	cr_expect_str_eq(config.server, "https://h");
	cr_expect_null(config.user);
	kube_config_release(&config);
}

Test(config, the_first_file_wins_entry_by_entry)
{
	struct kube_config config;
	struct kube_config_inputs inputs = { .env_kubeconfig = "config::nope:sub/config:config", .home = "home" };

	write_file("home/.kube/config", "broken: [");
	write_file("sub/token", "t");
	write_file("sub/ca", "authority");
	write_file("config", "current-context: a\nclusters: [{name: c, cluster: {server: 'https://one'}}]\n"
	                     "users: [{name: u, user: {token: one}}]\n"
	                     "contexts: [{name: a, context: {cluster: c, user: u}}]\n");
	write_file(
	    "sub/config",
	    "current-context: b\nclusters: [{name: c, cluster: {server: 'https://two', certificate-authority: gone}},"
	    " {name: d, cluster: {server: 'https://three', certificate-authority: ca}}]\n"
	    "users: [{name: u, user: {username: x}}, {name: v, user: {tokenFile: token}}]\n"
	    "contexts: [{name: b, context: {cluster: d, user: v, namespace: ns}}]\n");
	config = loaded(&inputs);
	cr_expect_str_eq(config.server, "https://one");
	cr_expect_str_eq(config.token, "one");
	cr_expect_null(config.ca_pem);
	kube_config_release(&config);
	inputs.context = "b";
	config = loaded(&inputs);
	cr_expect_str_eq(config.server, "https://three");
	cr_expect_str_eq(config.ca_pem, "authority");
	cr_expect_str_eq(config.token_file, "sub/token");
	cr_expect_str_eq(config.namespace_name, "ns");
	kube_config_release(&config);
}

Test(config, files_that_are_none)
{
	write_file("config", "");
	expect_failure(&(struct kube_config_inputs){ .kubeconfig = "/nope" }, ERR_CONFIG,
	               "error: stat /nope: no such file or directory");
	expect_failure(&(struct kube_config_inputs){ .kubeconfig = "sub" }, ERR_CONFIG,
	               "error: error loading config file \"sub\": read sub: is a directory");
	expect_failure(&(struct kube_config_inputs){ .env_kubeconfig = "/nope:sub" }, ERR_CONFIG,
	               "error: error loading config file \"sub\": read sub: is a directory");
	expect_failure(&(struct kube_config_inputs){ .env_kubeconfig = "/nope", .home = "home" }, ERR_CONFIG,
	               "error: invalid configuration: no configuration has been provided");
	expect_failure(&(struct kube_config_inputs){ .kubeconfig = "config" }, ERR_CONFIG,
	               "error: invalid configuration: no configuration has been provided");
	expect_failure(&(struct kube_config_inputs){ .home = "home" }, ERR_CONFIG,
	               "error: invalid configuration: no configuration has been provided");
	expect_failure(&(struct kube_config_inputs){ 0 }, ERR_CONFIG,
	               "error: invalid configuration: no configuration has been provided");
}

Test(config, content_that_is_none)
{
	expect_refused("a: [1\n",
	               "error: error loading config file \"config\": yaml: line 1: did not find expected ',' or ']'");
	expect_refused("hello", "error: error loading config file \"config\": it is no kubeconfig");
	expect_refused("kind: Pod",
	               "error: error loading config file \"config\": it is no kubeconfig but of kind \"Pod\"");
	expect_refused("apiVersion: v2", "error: error loading config file \"config\": apiVersion \"v2\" is not known");
	expect_refused("clusters: 3", "error: error loading config file \"config\": clusters is not a list");
	expect_refused("users: [{user: {}}]",
	               "error: error loading config file \"config\": entry 1 of users: name is missing");
	expect_refused(
	    "users: [{name: a}, {name: b, user: {token: 3}}]",
	    "error: error loading config file \"config\": entry 2 of users: user.token is not of the expected type");
	expect_refused("clusters: [{name: a}, {name: a}]",
	               "error: error loading config file \"config\": duplicate name \"a\" in clusters");
	expect_refused(
	    ONE(SERVER ", certificate-authority-data: '!!'", TOKEN),
	    "error: error loading config file \"config\": entry 1 of clusters: cluster.certificate-authority-data: "
	    "illegal base64 data at input byte 0");
	expect_refused(
	    ONE(SERVER, "client-key-data: AGE="),
	    "error: error loading config file \"config\": entry 1 of users: user.client-key-data: it is not PEM");
	expect_refused("current-context: [a]",
	               "error: error loading config file \"config\": current-context is not of the expected type");
}

/* -------------------------------------------------------------------------------- which entries */

Test(config, entries_that_are_missing)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config", .context = "zz" };

	write_file("config", ONE(SERVER, TOKEN));
	expect_failure(&inputs, ERR_CONFIG, "Error in configuration: context was not found for specified context: zz");
	inputs.context = "lost";
	expect_failure(&inputs, ERR_CONFIG, "error: cluster \"gone\" was not found for context \"lost\"");
	inputs.context = "nobody";
	expect_failure(&inputs, ERR_CONFIG, "error: user \"gone\" was not found for context \"nobody\"");
	inputs.context = "bare";
	expect_failure(&inputs, ERR_CONFIG, "error: context \"bare\" names no cluster");
	inputs.context = NULL;
	inputs.cluster = "zz";
	expect_failure(&inputs, ERR_CONFIG, "error: no server found for cluster \"zz\"");
	inputs.cluster = NULL;
	inputs.user = "zz";
	expect_failure(&inputs, ERR_CONFIG, "error: auth info \"zz\" does not exist");
	expect_refused("current-context: gone",
	               "Error in configuration: context was not found for specified context: gone");
	expect_refused("contexts: [{name: x}]", "error: invalid configuration: current-context is not set");
	expect_refused(ONE("", TOKEN), "error: no server found for cluster \"c\"");
}

Test(config, missing_entries_do_not_matter_when_flags_replace_them)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config", .context = "lost", .server = "https://x" };
	struct kube_config config;

	write_file("config", ONE(SERVER, TOKEN));
	config = loaded(&inputs);
	cr_expect_str_eq(config.server, "https://x");
	kube_config_release(&config);
	inputs = (struct kube_config_inputs){ .kubeconfig = "config", .context = "nobody", .token = "mine" };
	config = loaded(&inputs);
	cr_expect_str_eq(config.token, "mine");
	kube_config_release(&config);
}

Test(config, hints_name_the_contexts)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config", .context = "zz\x1b" };
	struct kube_config config = KUBE_CONFIG_INIT;
	_cleanup_err_ struct err err = ERR_INIT;

	write_file("config", ONE(SERVER, TOKEN));
	cr_assert_eq(kube_config_load(&inputs, &config, &err), -1);
	cr_expect_str_eq(err.message, "context was not found for specified context: zz^[");
	cr_expect_str_eq(err.hint, "choose one with --context: a, bare, lost, nobody");
}

/* ----------------------------------------------------------------------------------- the server */

Test(config, servers)
{
	static const char *const rows[][2] = {
		{ "https://h:1/pre/fix//", "https://h:1/pre/fix" },
		{ "HTTPS://h/x?y=1#z", "https://h/x" },
		{ "http://localhost:8001", "http://localhost:8001" },
		{ "https://[::1]:6443/", "https://[::1]:6443" },
		{ "h:1", "http://h:1" },
		{ "localhost", "http://localhost" },
		{ "https://h?x/", "https://h" },
	};
	static const char *const bad[] = { "http://a b",    "https://",    ":5",
		                           "h:1/foo",       "https://h:0", "https://h:65536",
		                           "https://u:p@h", "https://h:x", "https://h/\x01",
		                           "http://%zz",    "https://[::1" };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct kube_config config = loaded(&(struct kube_config_inputs){ .server = rows[i][0] });

		cr_expect_str_eq(config.server, rows[i][1]);
		kube_config_release(&config);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_free_ char *shown = str_visible(bad[i], 0);
		_cleanup_free_ char *text = xasprintf("error: host must be a URL or a host:port pair: \"%s\"", shown);

		expect_failure(&(struct kube_config_inputs){ .server = bad[i] }, ERR_CONFIG, text);
	}
	expect_failure(&(struct kube_config_inputs){ .server = "ftp://h" }, ERR_CONFIG,
	               "error: unsupported protocol scheme in the server's URL \"ftp://h\"");
}

Test(config, a_server_without_scheme_is_https_when_tls_is_spoken_of)
{
	struct kube_config config =
	    loaded(&(struct kube_config_inputs){ .server = "h:1", .insecure_skip_tls_verify = true });

	cr_expect_str_eq(config.server, "https://h:1");
	cr_expect(config.insecure);
	kube_config_release(&config);
}

Test(config, the_server_flag_clears_the_tls_server_name)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config" };
	struct kube_config config;

	write_file("config", ONE(SERVER ", tls-server-name: name", TOKEN));
	config = loaded(&inputs);
	cr_expect_str_eq(config.tls_server_name, "name");
	kube_config_release(&config);
	inputs.server = "https://other";
	config = loaded(&inputs);
	cr_expect_null(config.tls_server_name);
	kube_config_release(&config);
	inputs.tls_server_name = "mine";
	config = loaded(&inputs);
	cr_expect_str_eq(config.tls_server_name, "mine");
	kube_config_release(&config);
}

Test(config, authorities)
{
	static const char contradiction[] =
	    "error: specifying a root certificates file with the insecure flag is not allowed";
	struct kube_config_inputs inputs = { .kubeconfig = "config" };
	struct kube_config config;

	write_file("ca", "from file");
	write_file("config", ONE(SERVER ", certificate-authority: ca, certificate-authority-data: Zm9v", TOKEN));
	config = loaded(&inputs);
	cr_expect_str_eq(config.ca_pem, "foo"); /* data wins */
	kube_config_release(&config);
	inputs.certificate_authority = "ca";
	config = loaded(&inputs);
	cr_expect_str_eq(config.ca_pem, "from file");
	kube_config_release(&config);
	inputs.insecure_skip_tls_verify = true;
	expect_failure(&inputs, ERR_USAGE, contradiction);
	inputs.certificate_authority = NULL;
	config = loaded(&inputs);
	cr_expect_null(config.ca_pem);
	cr_expect(config.insecure);
	kube_config_release(&config);
	expect_refused(ONE(SERVER ", certificate-authority: ca, insecure-skip-tls-verify: true", TOKEN), contradiction);
	expect_refused(
	    ONE(SERVER ", certificate-authority: gone", TOKEN),
	    "error: unable to read certificate-authority gone for c due to open gone: no such file or directory");
	write_file("config", ONE(SERVER ", insecure-skip-tls-verify: true", TOKEN));
	config = loaded(&(struct kube_config_inputs){ .kubeconfig = "config", .certificate_authority = "ca" });
	cr_expect_not(config.insecure);
	kube_config_release(&config);
}

/* ------------------------------------------------------------------------------------- the user */

Test(config, client_certificates)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config" };
	struct kube_config config;

	write_file("cert", "certificate");
	write_file("key", "private");
	write_file("config", ONE(SERVER, "client-certificate: cert, client-key: key"));
	config = loaded(&inputs);
	cr_expect_str_eq(config.client_cert_pem, "certificate");
	cr_expect_str_eq(config.client_key_pem, "private");
	kube_config_release(&config);
	write_file("config",
	           ONE(SERVER, "client-certificate: gone, client-certificate-data: Zm9v, client-key-data: Zm9v"));
	config = loaded(&inputs);
	cr_expect_str_eq(config.client_cert_pem, "foo");
	kube_config_release(&config);
	inputs.client_certificate = "cert";
	inputs.client_key = "key";
	config = loaded(&inputs);
	cr_expect_str_eq(config.client_key_pem, "private");
	kube_config_release(&config);
}

Test(config, client_certificates_that_cannot_be_used)
{
	expect_refused(ONE(SERVER, "client-certificate-data: Zm9v"),
	               "error: client-key-data or client-key must be specified for u to use the clientCert "
	               "authentication method.");
	expect_refused(
	    ONE(SERVER, "client-key-data: Zm9v"),
	    "error: client-certificate-data or client-certificate must be specified for u to use its client key");
	expect_refused(ONE(SERVER, "client-certificate-data: Zm9v, client-key: gone"),
	               "error: unable to read client-key gone for u due to open gone: no such file or directory");
	expect_refused(ONE(SERVER, "client-certificate: gone, client-key-data: Zm9v"),
	               "error: unable to read client-cert gone for u due to open gone: no such file or directory");
}

Test(config, tokens)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config" };
	struct kube_config config;

	write_file("config",
	           ONE(SERVER, "token: a, tokenFile: gone, client-certificate-data: Zm9v, client-key-data: Zm9v"));
	config = loaded(&inputs);
	cr_expect_str_eq(config.token, "a");
	cr_expect_null(config.token_file);
	cr_expect_str_eq(config.client_cert_pem, "foo");
	kube_config_release(&config);
	inputs.token = "mine";
	config = loaded(&inputs);
	cr_expect_str_eq(config.token, "mine");
	cr_expect_null(config.client_cert_pem); /* the server would go by the certificate */
	kube_config_release(&config);
	expect_refused(ONE(SERVER, "tokenFile: /gone"), "error: open /gone: no such file or directory");
	write_file("key", "");
	expect_refused(ONE(SERVER, "tokenFile: key"), "error: token file \"key\" was empty");
}

#define PLUGIN "exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: bin/p}"

/* What kubectl 1.32 says. */
Test(config, what_cannot_log_in_is_refused)
{
	static const char *const rows[][2] = {
		{ TOKEN ", username: x, password: pw", "more than one authentication method found for u; found [token "
		                                       "basicAuth], only one is allowed" },
		{ "tokenFile: config, username: x, password: pw",
		  "username/password or bearer token may be set, but not both" },
		{ "auth-provider: {name: gcp}", "The gcp auth plugin has been removed." },
		{ "auth-provider: {name: azure}", "The azure auth plugin has been removed." },
		{ "auth-provider: {name: strange}", "no Auth Provider found for name \"strange\"" },
		{ PLUGIN ", auth-provider: {name: gcp}",
		  "authProvider cannot be provided in combination with an exec plugin for u" },
		{ "exec: {command: p}", "apiVersion must be specified for u to use exec authentication plugin" },
		{ TOKEN ", as-groups: [g]", "requesting uid, groups or user-extra for u without impersonating a user" },
		{ TOKEN ", as-user-extra: {k: [v]}",
		  "requesting uid, groups or user-extra for u without impersonating a user" },
	};
	struct kube_config config;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *kubeconfig = xasprintf(ONE(SERVER, "%s"), rows[i][0]);
		_cleanup_free_ char *text = xasprintf("error: %s", rows[i][1]);

		expect_refused(kubeconfig, text);
	}
	/* kubectl would ask. */
	expect_refused(ONE(SERVER, "username: x"), "error: user \"u\" has a username but no password");
	expect_refused(ONE(SERVER, "password: x"), "error: user \"u\" has a password but no username");
	expect_refused(ONE(SERVER ", proxy-url: 'ftp://p'", TOKEN),
	               "error: invalid 'proxy-url' \"ftp://p\" for cluster \"c\": unsupported scheme \"ftp\", must be "
	               "http, https, or socks5");
	/* --token wins over all of it. */
	write_file("config", ONE(SERVER, "auth-provider: {name: gcp}, username: x"));
	config = loaded(&(struct kube_config_inputs){ .kubeconfig = "config", .token = "t" });
	cr_expect_str_eq(config.token, "t");
	cr_expect_null(config.username);
	kube_config_release(&config);
}

Test(config, name_and_password)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config" };
	struct kube_config config;

	write_file("config", ONE(SERVER, "username: x, password: pw"));
	config = loaded(&inputs);
	cr_expect_str_eq(config.username, "x");
	cr_expect_str_eq(config.password, "pw");
	kube_config_release(&config);
	inputs.username = "joe";
	config = loaded(&inputs);
	cr_expect_str_eq(config.username, "joe");
	cr_expect_str_eq(config.password, "pw");
	kube_config_release(&config);
}

Test(config, plugins)
{
	struct kube_config config;

	write_file("sub/config",
	           ONE(SERVER ", extensions: [{name: client.authentication.k8s.io/exec, extension: {a: b}}]", PLUGIN));
	config = loaded(&(struct kube_config_inputs){ .kubeconfig = "sub/config", .stdin_is_terminal = true });
	cr_assert_not_null(config.exec);
	cr_expect_str_eq(config.exec->command, "sub/bin/p");
	cr_expect_str_eq(cJSON_GetObjectItem(config.exec_config, "a")->valuestring, "b");
	cr_expect(config.stdin_is_terminal);
	kube_config_release(&config);
	/* Whatever else there is in the entry to log in with is used instead, as by kubectl. */
	write_file("config", ONE(SERVER, TOKEN ", " PLUGIN));
	config = loaded(&(struct kube_config_inputs){ .kubeconfig = "config" });
	cr_expect_null(config.exec);
	cr_expect_str_eq(config.token, "secret");
	kube_config_release(&config);
}

static void expect_strings(const struct strv *list, const char *text)
{
	_cleanup_free_ char *joined = strv_join(list, " ", " ");

	cr_expect_str_eq(joined, text);
}

Test(config, impersonation)
{
	struct strv groups = STRV_INIT, extra = STRV_INIT;
	struct kube_config_inputs inputs = { .kubeconfig = "config", .as_groups = &groups, .as_user_extra = &extra };
	struct kube_config config;

	write_file("config",
	           ONE(SERVER, TOKEN ", as: bob, as-uid: '7', as-groups: [a, b], as-user-extra: {k: [v, w], l: [x]}"));
	config = loaded(&inputs);
	cr_expect_str_eq(config.as.user, "bob");
	cr_expect_str_eq(config.as.uid, "7");
	expect_strings(&config.as.groups, "a b");
	expect_strings(&config.as.extra_keys, "k k l");
	expect_strings(&config.as.extra_values, "v w x");
	kube_config_release(&config);
	inputs.as = "eve";
	inputs.token = "t";
	strv_add(&groups, "c");
	strv_add(&extra, "k=a=b");
	config = loaded(&inputs);
	cr_expect_str_eq(config.as.user, "eve");
	cr_expect_str_eq(config.as.uid, "7");
	expect_strings(&config.as.groups, "c");
	expect_strings(&config.as.extra_keys, "k");
	expect_strings(&config.as.extra_values, "a=b");
	kube_config_release(&config);
	strv_add(&extra, "=v");
	expect_failure(
	    &inputs, ERR_USAGE,
	    "error: invalid argument \"=v\" for \"--as-user-extra\" flag: =v must be formatted as key=value");
	strv_release(&groups);
	strv_release(&extra);
}

/* -------------------------------------------------------------------------- namespaces, in a pod */

Test(config, namespaces)
{
	struct kube_config_inputs inputs = { .kubeconfig = "config",
		                             .env_service_host = "10.0.0.1",
		                             .env_service_port = "443",
		                             .service_account_dir = "account",
		                             .namespace_name = "from-flag" };
	struct kube_config config;

	write_file("account/token", "t");
	write_file("account/namespace", "from-account\n");
	write_file("config", ONE(SERVER, TOKEN));
	config = loaded(&inputs);
	cr_expect_str_eq(config.namespace_name, "from-flag");
	kube_config_release(&config);
	inputs.namespace_name = NULL;
	config = loaded(&inputs);
	cr_expect_str_eq(config.namespace_name, "from-account");
	cr_expect_str_eq(config.server, "https://10.0.0.1:6443");
	kube_config_release(&config);
	inputs.namespace_name = "a/b";
	expect_failure(&inputs, ERR_USAGE, "error: \"a/b\" cannot be the name of a namespace");
	write_file("config", "current-context: a\nclusters: [{name: c, cluster: {server: 'https://h'}}]\n"
	                     "contexts: [{name: a, context: {cluster: c, namespace: from-context}}]\n");
	inputs.namespace_name = NULL;
	config = loaded(&inputs);
	cr_expect_str_eq(config.namespace_name, "from-context");
	kube_config_release(&config);
}

Test(config, in_a_pod_without_configuration)
{
	struct kube_config_inputs inputs = { .home = "home",
		                             .env_service_host = "fd00::1",
		                             .env_service_port = "443",
		                             .service_account_dir = "account" };
	struct kube_config config;

	expect_failure(&inputs, ERR_CONFIG, "error: invalid configuration: no configuration has been provided");
	write_file("account/token", "t");
	write_file("account/ca.crt", "authority");
	config = loaded(&inputs);
	cr_expect_str_eq(config.server, "https://[fd00::1]:443");
	cr_expect_str_eq(config.token_file, "account/token");
	cr_expect_str_eq(config.ca_pem, "authority");
	cr_expect_str_eq(config.namespace_name, "default");
	cr_expect_null(config.context);
	kube_config_release(&config);
	inputs.token = "mine";
	config = loaded(&inputs);
	cr_expect_str_eq(config.token, "mine");
	cr_expect_null(config.token_file);
	kube_config_release(&config);
}

/* kube/exec_credential.h and kube/impersonation.h: what is told to plugins, what they answer, and header lines. */
#include "kube/exec_credential.h"

#include <criterion/criterion.h>

#include "kube/config.h"
#include "kube/impersonation.h"
#include "util/json.h"
#include "util/mem.h"

#define V1     "client.authentication.k8s.io/v1"
#define ANSWER "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\",\"status\":"

static struct err err;

static int decode(const char *text, struct exec_credential *ret_credential)
{
	char version[] = V1;
	const struct exec_plugin plugin = { .api_version = version };

	return exec_credential_decode(&plugin, text, strlen(text), ret_credential, &err);
}

Test(exec_credential, answers)
{
	struct exec_credential credential;

	cr_assert_eq(decode(ANSWER "{\"token\":\"t\",\"clientCertificateData\":\"c\",\"clientKeyData\":\"k\","
	                           "\"expirationTimestamp\":\"1970-01-01T00:01:40+00:00\"}}",
	                    &credential),
	             0, "%s", err.message);
	cr_expect_str_eq(credential.token, "t");
	cr_expect_str_eq(credential.certificate_pem, "c");
	cr_expect_str_eq(credential.key_pem, "k");
	cr_expect_eq(credential.expires_at_s, 100);
	exec_credential_release(&credential);
	cr_assert_eq(decode(ANSWER "{\"token\":\"t\",\"clientKeyData\":null}}", &credential), 0, "%s", err.message);
	cr_expect_eq(credential.expires_at_s, INT64_MAX);
	cr_expect_null(credential.key_pem);
	exec_credential_release(&credential);
	cr_assert_eq(decode("---\nkind: ExecCredential\napiVersion: " V1 "\nstatus: {token: t}\n", &credential), 0,
	             "%s", err.message);
	cr_expect_str_eq(credential.token, "t");
	exec_credential_release(&credential);
	cr_assert_eq(decode(ANSWER "{\"token\":\"\\\\u0000\"}}", &credential), 0, "%s", err.message);
	cr_expect_str_eq(credential.token, "\\u0000");
	exec_credential_release(&credential);
}

Test(exec_credential, answers_that_are_none)
{
	static const char *const rows[][2] = {
		{ "", "decoding stdout: couldn't get version/kind" },
		{ "[]", "decoding stdout: couldn't get version/kind" },
		{ "{}", "decoding stdout: no kind \"\" is registered for version \"\"" },
		{ "{\"apiVersion\":\"" V1 "\",\"kind\":\"ExecCredential\"}",
		  "exec plugin didn't return a status field" },
		{ ANSWER "[]}", "exec plugin didn't return a status field" },
		{ ANSWER "{}}", "exec plugin didn't return a token or cert/key pair" },
		{ ANSWER "{\"token\":7}}", "decoding stdout: status.token is not a string" },
		{ ANSWER "{\"token\":\"hush\",\"clientKeyData\":\"k\"}}",
		  "exec plugin returned only certificate or key, not both" },
		{ ANSWER "{\"token\":\"hush\",\"expirationTimestamp\":\"soon\"}}",
		  "decoding stdout: status.expirationTimestamp" },
		{ ANSWER "{\"token\":\"a\\u0000hush\"}}", "decoding stdout: a string has a NUL in it" },
		{ "hush: [hush", "decoding stdout: couldn't get version/kind" },
		{ "kind: ExecCredential\napiVersion: " V1 "\nstatus: {token: \"a\\0hush\"}",
		  "decoding stdout: couldn't get version/kind" },
		{ ANSWER "{\"token\":\"hush\"}} hush", "decoding stdout: couldn't get version/kind" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exec_credential credential;

		cr_assert_eq(decode(rows[i][0], &credential), -1, "%s", rows[i][0]);
		cr_expect(str_starts_with(err.message, rows[i][1]), "%s: %s", rows[i][0], err.message);
		cr_expect_not(strstr(err.message, "hush"), "%s", err.message);
		cr_expect_eq(err.kind, ERR_CONFIG);
		err_release(&err);
	}
}

static struct exec_plugin *plugin_of(const char *text)
{
	struct exec_plugin *plugin = xcalloc(1, sizeof(*plugin));
	_cleanup_json_ cJSON *json = NULL;

	cr_assert_eq(json_parse(text, strlen(text), &json, &err), 0, "%s", err.message);
	cr_assert_eq(exec_plugin_decode(json, "/dir/config", "u", plugin, &err), 0, "%s", err.message);
	return plugin;
}

Test(exec_credential, plugins)
{
	static const char *const commands[][2] = { { "p", "p" }, { "./p", "/dir/./p" }, { "/bin/p", "/bin/p" } };

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		_cleanup_free_ char *text =
		    xasprintf("{\"apiVersion\":\"" V1
		              "\",\"interactiveMode\":\"Always\",\"command\":\"%s\",\"args\":[\"a\",null],"
		              "\"env\":[{\"name\":\"X\",\"value\":\"y=z\"},{\"name\":\"E\"},{\"name\":\"N\",\"value\":"
		              "null}],\"installHint\":\"h\"}",
		              commands[i][0]);
		_cleanup_free_ struct exec_plugin *plugin = plugin_of(text);

		cr_expect_str_eq(plugin->command, commands[i][1]);
		cr_assert_eq(plugin->arguments.count, 2);
		cr_expect_str_eq(plugin->arguments.items[1], "");
		cr_assert_eq(plugin->environment.count, 3);
		cr_expect_str_eq(plugin->environment.items[0], "X=y=z");
		cr_expect_str_eq(plugin->environment.items[1], "E=");
		cr_expect_str_eq(plugin->environment.items[2], "N=");
		cr_expect_str_eq(plugin->install_hint, "h");
		cr_expect_eq(plugin->interactive, EXEC_ALWAYS);
		cr_expect_not(plugin->wants_cluster);
		exec_plugin_release(plugin);
	}
}

Test(exec_credential, what_it_is_told)
{
	char server[] = "https://h:1", name[] = "n", authorities[] = "foo", proxy[] = "socks5://p";
	_cleanup_free_ struct exec_plugin *plugin = plugin_of(
	    "{\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"command\":\"p\",\"provideClusterInfo\":true}");
	struct kube_config config = { .server = server,
		                      .tls_server_name = name,
		                      .ca_pem = authorities,
		                      .exec_proxy_url = proxy,
		                      .exec = plugin };
	_cleanup_json_ cJSON *extension = json_object("a", json_int(1), NULL);
	_cleanup_free_ char *text = NULL, *short_text = NULL;

	config.exec_config = extension;
	text = exec_credential_info(&config, true);
	cr_expect_str_eq(
	    text, "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\",\"spec\":{"
	          "\"cluster\":{\"server\":\"https://h:1\",\"tls-server-name\":\"n\","
	          "\"certificate-authority-data\":\"Zm9v\",\"proxy-url\":\"socks5://"
	          "p\",\"config\":{\"a\":1}},\"interactive\":true}}");
	plugin->wants_cluster = false;
	short_text = exec_credential_info(&config, false);
	cr_expect_str_eq(short_text,
	                 "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1beta1\","
	                 "\"spec\":{\"interactive\":false}}");
	exec_plugin_release(plugin);
}

Test(impersonation, header_lines)
{
	char user[] = "system:serviceaccount:ns:sa", uid[] = "7";
	struct impersonation as = { .user = user, .uid = uid };
	_cleanup_strv_ struct strv lines = STRV_INIT;
	_cleanup_free_ char *text = NULL;

	strv_add(&as.groups, "a");
	strv_add(&as.groups, "b c");
	strv_add(&as.extra_keys, "A/b c%\xc3\xbc");
	strv_add(&as.extra_values, "v");
	cr_assert_eq(impersonation_headers(&as, &lines, &err), 0, "%s", err.message);
	text = strv_join(&lines, "|", "|");
	cr_expect_str_eq(text, "Impersonate-User: system:serviceaccount:ns:sa|Impersonate-Uid: 7|Impersonate-Group: a|"
	                       "Impersonate-Group: b c|Impersonate-Extra-A%2fb%20c%25%c3%bc: v");
	strv_add(&as.groups, "x\r\nY: z");
	cr_expect_eq(impersonation_headers(&as, &lines, &err), -1);
	cr_expect(strstr(err.message, "control characters"), "%s", err.message);
	err_release(&err);
	replace_string(&as.groups.items[as.groups.count - 1], xstrdup(" "));
	cr_expect_eq(impersonation_headers(&as, &lines, &err), -1);
	cr_expect_str_eq(err.message, "nothing to impersonate: the value of Impersonate-Group is blank");
	err_release(&err);
	while (as.groups.count <= IMPERSONATION_MAX)
		strv_add(&as.groups, "g");
	cr_expect_eq(impersonation_headers(&as, &lines, &err), -1);
	cr_expect_eq(err.kind, ERR_TOO_LARGE);
	err_release(&err);
	as.user = as.uid = NULL;
	impersonation_release(&as);
}

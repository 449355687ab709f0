/* Who one is: tokens, certificates, passwords, plugins, impersonation. */
#include "kubectl.h"

#include <stddef.h>

#define CERTIFICATE "client-certificate: $PKI/client.crt, client-key: $PKI/client.key"

/* A credential plugin that notes what it was told and answers with these fields of the status. */
#define PLUGIN_TEXT(version, status)                                                                                   \
	"#!/bin/sh\n"                                                                                                  \
	"printf '%s\\n' \"$(printf %s \"$KUBERNETES_EXEC_INFO\")\" >>$CASE/told\n"                                     \
	"echo '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/" version                    \
	"\",\"status\":{" status "}}'\n"
#define PLUGIN(version, status)                                                                                        \
	{                                                                                                              \
		"bin/plugin", PLUGIN_TEXT(version, status), true                                                       \
	}
#define TOKEN "\"token\":\"five\""
#define EXEC(version, more)                                                                                            \
	"exec: {apiVersion: client.authentication.k8s.io/" version ", command: $CASE/bin/plugin" more "}"
#define NEVER ", interactiveMode: Never"
#define SCRIPT(text)                                                                                                   \
	{                                                                                                              \
		"bin/plugin", "#!/bin/sh\n" text "\n", true                                                            \
	}

#define GETTING "Unable to connect to the server: getting credentials: "

const struct kubectl_case kubectl_cases_users[] = {
	{ .rule = "client certificate and key in files",
	  .config = USUAL(CERTIFICATE),
	  .outcome = "A default CN=tester" },
	{ .rule = "client certificate and key inline",
	  .config = USUAL("client-certificate-data: $CRT64, client-key-data: $KEY64"),
	  .outcome = "A default CN=tester" },
	{ .rule = "client certificate without a key",
	  .config = USUAL("client-certificate: $PKI/client.crt"),
	  .outcome =
	      "*client-key-data or client-key must be specified for u to use the clientCert authentication method." },
	{ .rule = "client key without a certificate",
	  .config = USUAL("client-key: $PKI/client.key"),
	  .outcome = "*",
	  .kubectls = "error: EOF",
	  .why = "better: kubectl ignores the key and asks for a name and a password" },
	{ .rule = "client certificate file that is not there",
	  .config = USUAL("client-certificate: $CASE/nope, client-key: $PKI/client.key"),
	  .outcome =
	      "*unable to read client-cert $CASE/nope for u due to open $CASE/nope: no such file or directory*" },
	{ .rule = "client key file that is not there",
	  .config = USUAL("client-certificate: $PKI/client.crt, client-key: $CASE/nope"),
	  .outcome = "*unable to read client-key $CASE/nope for u due to open $CASE/nope: no such file or directory*" },
	{ .rule = "an encrypted key",
	  .config = USUAL("client-certificate: $PKI/client.crt, client-key: $PKI/encrypted.key"),
	  .outcome = "error: *encrypted*",
	  .kubectls = "*tls: failed to parse private key*",
	  .why = "better: it says why the key cannot be read" },
	{ .rule = "base64 that is none",
	  .config = USUAL("client-certificate-data: '%%%', client-key-data: $KEY64"),
	  .outcome = "error: error loading config file \"$CASE/config\": *illegal base64 data at input byte 0",
	  .kubectls = "error: error loading config file \"$CASE/config\": *",
	  .why = "words: it says where" },
	{ .rule = "--client-certificate and --client-key",
	  .config = USUAL("token: one"),
	  .words = { "--client-certificate=$PKI/client.crt", "--client-key=$PKI/client.key" },
	  .outcome = "A default CN=tester Bearer one" },

	{ .rule = "token", .config = USUAL("token: one"), .outcome = "A default Bearer one" },
	{ .rule = "tokenFile, white space around it",
	  .config = USUAL("tokenFile: $CASE/token"),
	  .files = { { "token", "  three \n" } },
	  .outcome = "A default Bearer three" },
	{ .rule = "tokenFile beats token",
	  .config = USUAL("token: one, tokenFile: $CASE/token"),
	  .files = { { "token", "three\n" } },
	  .outcome = "A default Bearer three" },
	{ .rule = "tokenFile that is not there",
	  .config = USUAL("tokenFile: $CASE/token"),
	  .outcome = "*$CASE/token*: no such file or directory*" },
	{ .rule = "tokenFile that is not there, beside a token",
	  .config = USUAL("token: one, tokenFile: $CASE/token"),
	  .outcome = "A default Bearer one" },
	{ .rule = "username and password",
	  .config = USUAL("username: u, password: p"),
	  .outcome = "A default Basic dTpw" },
	{ .rule = "username without a password",
	  .config = USUAL("username: u"),
	  .outcome = "error: user \"u\" has a username but no password",
	  .kubectls = "A default Basic dTo=",
	  .why = "better: kubectl asks for one, and without a terminal takes none" },
	{ .rule = "--token beats a token",
	  .config = USUAL("token: one"),
	  .words = { "--token", "six" },
	  .outcome = "A default Bearer six" },
	{ .rule = "--token beats a password",
	  .config = USUAL("username: u, password: p"),
	  .words = { "--token=six" },
	  .outcome = "A default Bearer six",
	  .kubectls = "error: more than one authentication method *",
	  .why = "better: the flag counts" },
	{ .rule = "--token beats tokenFile",
	  .config = USUAL("tokenFile: $CASE/token"),
	  .files = { { "token", "three\n" } },
	  .words = { "--token=six" },
	  .outcome = "A default Bearer six",
	  .kubectls = "A default Bearer three",
	  .why = "better: the flag counts" },
	{ .rule = "--token beside a client certificate",
	  .config = USUAL(CERTIFICATE),
	  .words = { "--token=six" },
	  .outcome = "A default Bearer six",
	  .kubectls = "A default CN=tester Bearer six",
	  .why = "better: one identity; to a server the certificate's would count" },
	{ .rule = "--token beats a plugin",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { PLUGIN("v1", TOKEN) },
	  .words = { "--token=six" },
	  .outcome = "A default Bearer six" },
	{ .rule = "token and password",
	  .config = USUAL("token: one, username: u, password: p"),
	  .outcome = "*more than one authentication method found for u; found [token basicAuth], only one is allowed" },
	{ .rule = "never over plain HTTP: a token",
	  .config = CONFIG("c", CLUSTER("a", "http://$PLAIN", ""), USER("u", "token: one"), CONTEXT("c", "a", "u", "")),
	  .outcome = "PLAIN default anonymous" },
	{ .rule = "never over plain HTTP: --token",
	  .config = CONFIG("c", CLUSTER("a", "http://$PLAIN", ""), USER("u", "token: one"), CONTEXT("c", "a", "u", "")),
	  .words = { "--token=six" },
	  .outcome = "PLAIN default anonymous" },
	{ .rule = "never over plain HTTP: a password",
	  .config = CONFIG("c", CLUSTER("a", "http://$PLAIN", ""), USER("u", "username: u, password: p"),
	                   CONTEXT("c", "a", "u", "")),
	  .outcome = "PLAIN default anonymous" },

	{ .rule = "plugin v1",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { PLUGIN("v1", TOKEN) },
	  .also = "told",
	  .outcome = "A default Bearer five | {\"kind\":\"ExecCredential\",*\"interactive\":false*} | *" },
	{ .rule = "plugin v1beta1",
	  .config = USUAL(EXEC("v1beta1", "")),
	  .files = { PLUGIN("v1beta1", TOKEN) },
	  .also = "told",
	  .outcome = "A default Bearer five | {\"kind\":\"ExecCredential\",*v1beta1*} | *" },
	{ .rule = "plugin v1, told about the cluster",
	  .config =
	      CONFIG("c", CLUSTER("a", "https://$A", ", certificate-authority-data: $CA64, tls-server-name: localhost"),
	             USER("u", EXEC("v1", NEVER ", provideClusterInfo: true")), CONTEXT("c", "a", "u", "")),
	  .files = { PLUGIN("v1", TOKEN) },
	  .also = "told",
	  .outcome = "A default Bearer five | *\"cluster\":{\"server\":\"https://$A\",*\"$CA64\"*} | *" },
	{ .rule = "plugin that gives a certificate",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { { "bin/plugin",
	               "#!/bin/sh\n"
	               "line() { sed ':a;N;$!ba;s/\\n/\\\\n/g' \"$1\"; }\n"
	               "printf '%s\\n' "
	               "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{"
	               "\"clientCertificateData\":\"'\"$(line $PKI/client.crt)\"'\",\"clientKeyData\":\"'"
	               "\"$(line $PKI/client.key)\"'\"}}'\n",
	               true } },
	  .outcome = "A default CN=tester" },
	{ .rule = "plugin's arguments and environment",
	  .config = USUAL(EXEC("v1", NEVER ", args: [x, y z], env: [{name: HUE, value: red}]")),
	  .files = { { "bin/plugin",
	               "#!/bin/sh\n"
	               "printf '%s\\n' "
	               "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{"
	               "\"token\":\"'\"$1-$2-$HUE\"'\"}}'\n",
	               true } },
	  .outcome = "A default Bearer x-y z-red" },
	{ .rule = "plugin: a command with a slash stands beside its kubeconfig",
	  .config = USUAL("exec: {apiVersion: client.authentication.k8s.io/v1, command: ./bin/plugin" NEVER "}"),
	  .files = { PLUGIN("v1", TOKEN) },
	  .outcome = "A default Bearer five" },
	{ .rule = "plugin: a command without a slash is looked for on PATH",
	  .config = USUAL("exec: {apiVersion: client.authentication.k8s.io/v1, command: plugin" NEVER "}"),
	  .files = { PLUGIN("v1", TOKEN) },
	  .environment = { "PATH=$CASE/bin:/usr/bin:/bin" },
	  .outcome = "A default Bearer five" },
	{ .rule = "plugin that is missing",
	  .config = USUAL("exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin" NEVER "}"),
	  .outcome = GETTING "exec: executable no-such-plugin not found" },
	{ .rule = "plugin that fails",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { SCRIPT("exit 7") },
	  .outcome = GETTING "exec: executable $CASE/bin/plugin failed with exit code 7" },
	{ .rule = "plugin: what it writes to standard error comes through",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { SCRIPT("echo you are not logged in >&2; exit 1") },
	  .outcome = "you are not logged in" },
	{ .rule = "plugin that answers with no JSON",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { SCRIPT("echo hello") },
	  .outcome = GETTING "decoding stdout: *",
	  .kubectls = GETTING "decoding stdout: *",
	  .why = "words: kubectl shows a type of Go" },
	{ .rule = "plugin that answers in another version",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { PLUGIN("v1beta1", TOKEN) },
	  .outcome =
	      GETTING "exec plugin is configured to use API version client.authentication.k8s.io/v1, plugin returned "
	              "version client.authentication.k8s.io/v1beta1" },
	{ .rule = "plugin that answers without credentials",
	  .config = USUAL(EXEC("v1", NEVER)),
	  .files = { PLUGIN("v1", "") },
	  .outcome = GETTING "exec plugin didn't return a token or cert/key pair" },
	{ .rule = "plugin v1 without interactiveMode",
	  .config = USUAL(EXEC("v1", "")),
	  .files = { PLUGIN("v1", TOKEN) },
	  .outcome = "*interactiveMode must be specified for u to use exec authentication plugin*" },
	{ .rule = "plugin that is always interactive, without a terminal",
	  .config = USUAL(EXEC("v1", ", interactiveMode: Always")),
	  .files = { PLUGIN("v1", TOKEN) },
	  .outcome = GETTING "exec plugin cannot support interactive mode: standard input is not a terminal" },
	{ .rule = "plugin of an unknown version",
	  .config = USUAL(EXEC("v9", NEVER)),
	  .files = { PLUGIN("v9", TOKEN) },
	  .outcome = "*client.authentication.k8s.io/v9*" },
	{ .rule = "plugin without a command",
	  .config = USUAL("exec: {apiVersion: client.authentication.k8s.io/v1" NEVER "}"),
	  .outcome = "*command must be specified for u to use exec authentication plugin*" },
	{ .rule = "plugin beside a token",
	  .config = USUAL("token: one, " EXEC("v1", NEVER)),
	  .files = { PLUGIN("v1", TOKEN) },
	  .outcome = "A default Bearer one" },
	{ .rule = "plugin: never run for plain HTTP",
	  .config =
	      CONFIG("c", CLUSTER("a", "http://$PLAIN", ""), USER("u", EXEC("v1", NEVER)), CONTEXT("c", "a", "u", "")),
	  .files = { PLUGIN("v1", TOKEN) },
	  .also = "told",
	  .outcome = "PLAIN default anonymous | (no told)" },
	{ .rule = "plugin: 401 for a token that was good",
	  .config = CONFIG("c", CLUSTER("a", "https://$A/replay", CA), USER("u", EXEC("v1", NEVER)),
	                   CONTEXT("c", "a", "u", "")),
	  .files = { { "bin/plugin",
	               "#!/bin/sh\n"
	               "echo run >>$CASE/runs\n"
	               "token=stale; [ $(wc -l <$CASE/runs) = 1 ] || token=fresh\n"
	               "printf '%s\\n' "
	               "'{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":{"
	               "\"token\":\"'$token'\"}}'\n",
	               true } },
	  .also = "runs",
	  .outcome = "A default Bearer fresh | run | run | ",
	  .kubectls = "error: You must be logged in to the server (Unauthorized)*",
	  .why = "better: runs the plugin again and replays the request" },
	{ .rule = "auth-provider gcp",
	  .config = USUAL("auth-provider: {name: gcp}"),
	  .outcome = "error: The gcp auth plugin has been removed.*" },
	{ .rule = "auth-provider that nobody knows",
	  .config = USUAL("auth-provider: {name: abacus}"),
	  .outcome = "error: *abacus*" },

	{ .rule = "--as, --as-group twice, --as-uid",
	  .config = USUAL("token: one"),
	  .words = { "--as=jane", "--as-group=x", "--as-group=y", "--as-uid=7" },
	  .outcome = "A default Bearer one, impersonate-group: x, impersonate-group: y, impersonate-uid: 7, "
	             "impersonate-user: jane" },
	{ .rule = "as in the kubeconfig",
	  .config = USUAL("token: one, as: jane, as-uid: '7', as-groups: [x, z], as-user-extra: {Re/ason: [a b, c]}"),
	  .outcome = "A default Bearer one, impersonate-extra-re%2fason: a b, impersonate-extra-re%2fason: c, "
	             "impersonate-group: x, impersonate-group: z, impersonate-uid: 7, impersonate-user: jane" },
	{ .rule = "--as beats as",
	  .config = USUAL("token: one, as: jane"),
	  .words = { "--as=joe" },
	  .outcome = "A default Bearer one, impersonate-user: joe" },
	{ .rule = "--as-group without anybody",
	  .config = USUAL("token: one"),
	  .words = { "--as-group=x" },
	  .outcome = "*requesting uid, groups or user-extra for u without impersonating a user" },
	{ 0 },
};

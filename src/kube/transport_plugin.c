/* The credential plugin of the user: when it runs, and who waits for it. See include/kube/transport.h. */
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "transport_parts.h"
#include "util/clock.h"
#include "util/mem.h"
#include "util/str.h"

/* How much of a command's name, and of each line of its installHint, is shown. */
#define COMMAND_SHOWN ((size_t)200)

#define DOCUMENTATION                                                                                                  \
	"https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins"

/* ------------------------------------------------------------------------------------------ wording */

/* Puts in front of err what kubectl does. */
static int label(struct err *err)
{
	err_wrap(err, "getting credentials");
	return err_label(err, "Unable to connect to the server");
}

static int hint_install(const struct exec_plugin *plugin, const struct err *reason, struct err *err)
{
	if (reason->hint)
		return err_hint(err, "%s", reason->hint);
	if (plugin->install_hint)
		return err_hint(err, "%s", plugin->install_hint);
	return err_hint(err, "the kubeconfig names a credential plugin that is not installed; see " DOCUMENTATION);
}

/* A name that was looked for in PATH reads otherwise than a path. */
static int start_error(const struct exec_plugin *plugin, const struct err *reason, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(plugin->command, COMMAND_SHOWN);

	if (!strchr(plugin->command, '/') && reason->kind == ERR_NOT_FOUND)
		err_set(err, ERR_CONFIG, "exec: executable %s not found", shown);
	else if (!strchr(plugin->command, '/'))
		err_set(err, ERR_CONFIG, "exec: %s: %s", shown, reason->message);
	else
		err_set(err, ERR_CONFIG, "exec: fork/exec %s: %s", shown, reason->message);
	if (reason->kind == ERR_NOT_FOUND)
		hint_install(plugin, reason, err);
	return label(err);
}

static int end_error(const struct exec_plugin *plugin, const struct process_end *end, struct err *err)
{
	_cleanup_free_ char *shown = str_visible(plugin->command, COMMAND_SHOWN);

	/* Ctrl-C at the terminal reached it before us. */
	if (end->signal == SIGINT)
		return err_set(err, ERR_INTERRUPTED, "interrupted");
	if (end->is_too_large)
		err_set(err, ERR_CONFIG, "exec: executable %s wrote more than %zu bytes", shown, EXEC_CREDENTIAL_MAX);
	else if (end->signal)
		err_set(err, ERR_CONFIG, "exec: executable %s was ended by signal %d", shown, end->signal);
	else
		err_set(err, ERR_CONFIG, "exec: executable %s failed with exit code %d", shown, end->exit_code);
	return label(err);
}

int kube_transport_wait_error(const struct kube_transport *transport, struct err *err)
{
	const long long tenths = (long long)(clock_monotonic_ms() - transport->plugin.started_ms + 50) / 100;
	_cleanup_free_ char *shown = str_visible(transport->config->exec->command, COMMAND_SHOWN);

	err_set(err, ERR_TIMEOUT, "exec: executable %s has not ended within %lld.%lld s", shown, tenths / 10,
	        tenths % 10);
	err_hint(err, "if it waits for you to log in, give it more time: --timeout 5m");
	return label(err);
}

/* ------------------------------------------------------------------------------------------ waiting */

static void enlist(struct kube_transport_wait **list, struct kube_transport_wait *wait)
{
	while (*list)
		list = &(*list)->next;
	*list = wait;
	wait->place = list;
	wait->next = NULL;
}

static void unlist(struct kube_transport_wait *wait)
{
	*wait->place = wait->next;
	if (wait->next)
		wait->next->place = wait->place;
	wait->next = NULL;
	wait->place = NULL;
}

/*
 * Tells all who wait. Each may stop the others, wait again (for another run), or free the transport, with which all
 * the others stop waiting: so the list is taken off it first.
 */
static void tell_all(struct transport_plugin *plugin, const struct err *err)
{
	struct kube_transport_wait *told = TAKE(plugin->waits);

	if (told)
		told->place = &told;
	while (told) {
		struct kube_transport_wait *wait = told;

		unlist(wait);
		wait->ready(wait->context, err);
	}
}

/* ------------------------------------------------------------------------------------------ the run */

static int take_answer(struct kube_transport *transport, const struct process_end *end, struct err *err)
{
	const struct exec_plugin *exec = transport->config->exec;
	struct transport_plugin *plugin = &transport->plugin;
	struct exec_credential credential = EXEC_CREDENTIAL_NONE;

	if (end->exit_code != 0 || end->is_too_large)
		return end_error(exec, end, err);
	if (exec_credential_decode(exec, end->output, end->output_length, &credential, err) < 0)
		return label(err);
	if (credential.certificate_pem &&
	    transport_tls_check(credential.certificate_pem, credential.key_pem, err) < 0) {
		exec_credential_release(&credential);
		err_wrap(err, "failed parsing client key/certificate");
		return label(err);
	}
	/* Else it would run for every request: the clocks differ, or it does not care. The server says 401 if it must.
	 */
	if (credential.expires_at_s <= clock_wall_s())
		credential.expires_at_s = INT64_MAX;
	exec_credential_release(&plugin->credential);
	plugin->credential = credential;
	plugin->is_there = true;
	plugin->generation++;
	return 0;
}

static void on_end(void *context, const struct process_end *end)
{
	struct kube_transport *transport = context;
	_cleanup_err_ struct err err = ERR_INIT;
	const int status = take_answer(transport, end, &err);

	process_free(TAKE(transport->plugin.process));
	tell_all(&transport->plugin, status == 0 ? NULL : &err);
}

static int run(struct kube_transport *transport, struct err *err)
{
	const struct kube_config *config = transport->config;
	const struct exec_plugin *exec = config->exec;
	const bool interactive = exec->interactive != EXEC_NEVER && config->stdin_is_terminal;
	_cleanup_free_ char *info = exec_credential_info(config, interactive);
	_cleanup_(strv_release_secret) struct strv environment = STRV_INIT;
	_cleanup_strv_ struct strv argv = STRV_INIT;
	_cleanup_err_ struct err reason = ERR_INIT;
	struct process_options options = { .takes_input = interactive, .output_max = EXEC_CREDENTIAL_MAX };

	if (exec->interactive == EXEC_ALWAYS && !interactive) {
		err_set(err, ERR_CONFIG,
		        "exec plugin cannot support interactive mode: standard input is not a terminal");
		return label(err);
	}
	strv_add(&argv, exec->command);
	for (size_t i = 0; i < exec->arguments.count; i++)
		strv_add(&argv, exec->arguments.items[i]);
	for (size_t i = 0; i < exec->environment.count; i++)
		strv_add(&environment, exec->environment.items[i]);
	strv_addf(&environment, EXEC_CREDENTIAL_INFO "=%s", info);
	options.argv = (const char *const *)argv.items;
	options.environment = (const char *const *)environment.items;
	if (process_start(transport->plugin.loop, &options, on_end, transport, &transport->plugin.process, &reason) < 0)
		return start_error(exec, &reason, err);
	return 0;
}

static void on_timer(void *context)
{
	struct kube_transport *transport = context;
	_cleanup_err_ struct err err = ERR_INIT;

	if (run(transport, &err) < 0)
		tell_all(&transport->plugin, &err);
}

/* ---------------------------------------------------------------------------------------- exported */

void kube_transport_set_loop(struct kube_transport *transport, struct loop *loop)
{
	if (!transport->config->exec)
		return;
	transport->plugin.loop = loop;
	transport->plugin.timer = loop_timer_new(loop, on_timer, transport);
}

bool kube_transport_is_ready(const struct kube_transport *transport)
{
	const struct transport_plugin *plugin = &transport->plugin;

	return !transport->config->exec || (plugin->is_there && clock_wall_s() < plugin->credential.expires_at_s);
}

void kube_transport_wait(struct kube_transport *transport, struct kube_transport_wait *wait)
{
	assert(transport->config->exec && transport->plugin.loop && !wait->place);
	enlist(&transport->plugin.waits, wait);
	if (transport->plugin.process)
		return;
	transport->plugin.started_ms = clock_monotonic_ms();
	loop_timer_set(transport->plugin.timer, transport->plugin.started_ms);
}

void kube_transport_unwait(struct kube_transport *transport, struct kube_transport_wait *wait)
{
	if (!wait->place)
		return;
	unlist(wait);
	if (transport->plugin.waits)
		return;
	loop_timer_set(transport->plugin.timer, CLOCK_NEVER);
	process_free(TAKE(transport->plugin.process));
}

unsigned kube_transport_generation(const struct kube_transport *transport)
{
	return transport->plugin.generation;
}

bool kube_transport_renew(struct kube_transport *transport, unsigned generation)
{
	if (!transport->config->exec)
		return false;
	if (generation == transport->plugin.generation)
		transport->plugin.is_there = false;
	return true;
}

void kube_transport_identify(struct kube_transport *transport, CURL *easy)
{
	const struct exec_credential *credential = &transport->plugin.credential;

	if (credential->certificate_pem)
		transport_tls_apply_client(credential->certificate_pem, credential->key_pem, easy);
}

void transport_plugin_release(struct transport_plugin *plugin)
{
	assert(!plugin->waits);
	loop_timer_free(plugin->timer);
	process_free(plugin->process);
	exec_credential_release(&plugin->credential);
}

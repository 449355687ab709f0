/* What completion looks up: in the kubeconfig, at the API server. See include/cmd/complete.h. */
#include "cmd/complete.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "cmd/connect.h"
#include "consul/assess.h"
#include "consul/discover.h"
#include "consul/observe.h"
#include "consul/plan.h"
#include "kube/kubeconfig.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/mem.h"

/* In the audit log of the API server. */
#define TITLE                "kubectl consul __complete"
#define NAMESPACES_PATH      "/api/v1/namespaces?limit=500"
#define STORAGE_CLASSES_PATH "/apis/storage.k8s.io/v1/storageclasses?limit=500"
#define DEFAULT_CLASS        "storageclass.kubernetes.io/is-default-class"

struct lookup {
	struct cmd_context *context;
	struct completion *completion;
	struct connection connection;
	int64_t deadline_ms;
};

/* --------------------------------------------------------------------------------------- kubeconfig */

static void add_from_kubeconfig(const struct lookup *lookup)
{
	const struct cmd_environment *environment = lookup->context->environment;
	struct completion *completion = lookup->completion;
	_cleanup_err_ struct err err = ERR_INIT;
	struct kubeconfig config = KUBECONFIG_INIT;
	int status = kubeconfig_load(&config, lookup->context->global->kubeconfig, environment->kubeconfig,
	                             environment->home, &err);

	for (size_t i = 0; status == 0 && completion->kind == COMPLETE_CONTEXT && i < config.context_count; i++)
		complete_add(completion, config.contexts[i].name,
		             str_equal(config.contexts[i].name, config.current_context) ? "the current one" : NULL);
	for (size_t i = 0; status == 0 && completion->kind == COMPLETE_CLUSTER && i < config.cluster_count; i++)
		complete_add(completion, config.clusters[i].name, config.clusters[i].server);
	for (size_t i = 0; status == 0 && completion->kind == COMPLETE_USER && i < config.user_count; i++)
		complete_add(completion, config.users[i].name, NULL);
	kubeconfig_release(&config);
}

/* --------------------------------------------------------------------------------------- API server */

/* The items of the list at path; NULL when they cannot be had. Owned by call. */
static const cJSON *get_items(struct lookup *lookup, const char *path, struct kube_call *call)
{
	_cleanup_err_ struct err err = ERR_INIT;
	const cJSON *items = NULL;

	*call = (struct kube_call){ .method = KUBE_GET, .path = path };
	if (kube_client_perform(lookup->connection.client, call, 1, lookup->deadline_ms, &err) < 0 ||
	    err_is_set(&call->err) || kube_list_items(call->json, &items, &err) < 0)
		return NULL;
	return items;
}

static const char *storage_class_note(const cJSON *item)
{
	const cJSON *annotations = json_at(item, "metadata.annotations");
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(annotations, DEFAULT_CLASS);

	return str_equal(cJSON_GetStringValue(value), "true") ? "the default one" : NULL;
}

static void add_names(struct lookup *lookup, const char *path, const char *(*note)(const cJSON *item))
{
	struct kube_call call;
	const cJSON *items = get_items(lookup, path, &call), *item;

	cJSON_ArrayForEach (item, items) {
		const char *name = cJSON_GetStringValue(json_at(item, "metadata.name"));

		if (name)
			complete_add(lookup->completion, name, note ? note(item) : NULL);
	}
	kube_call_release(&call);
}

static void add_set(struct lookup *lookup, const cJSON *item)
{
	_cleanup_free_ char *description = NULL;
	_cleanup_err_ struct err err = ERR_INIT;
	struct kube_statefulset set = KUBE_STATEFULSET_INIT;

	if (kube_statefulset_decode(item, &set, &err) == 0 && discover_runs_servers(&set)) {
		description = xasprintf("%lld server%s", (long long)set.replicas, set.replicas == 1 ? "" : "s");
		complete_add(lookup->completion, set.name, description);
	}
	kube_statefulset_release(&set);
}

static void add_sets(struct lookup *lookup)
{
	_cleanup_buf_ struct buf path = BUF_TEXT;
	struct kube_call call;
	const cJSON *items, *item;

	buf_adds(&path, "/apis/apps/v1/namespaces/");
	buf_add_url(&path, lookup->connection.config.namespace_name);
	buf_adds(&path, "/statefulsets?limit=500");
	items = get_items(lookup, buf_text(&path), &call);
	cJSON_ArrayForEach (item, items)
		add_set(lookup, item);
	kube_call_release(&call);
}

/* ------------------------------------------------------------------------------------------ servers */

static void add_servers(const struct snapshot *snapshot, struct completion *completion)
{
	struct assessment assessment = ASSESSMENT_INIT;

	assess(snapshot, &assessment);
	for (size_t i = 0; i < assessment.server_count; i++) {
		const struct server_status *status = &assessment.servers[i];

		if (status->server->has_pod)
			complete_add(completion, status->server->name,
			             status->leader  ? "leader"
			             : status->voter ? "follower"
			                             : NULL);
	}
	assessment_release(&assessment);
}

/* What `reap --prune` would do something about, and what. */
static void add_remains(struct snapshot *snapshot, struct completion *completion)
{
	const struct goal goal = { .kind = GOAL_REAP, .prune = true };
	struct steps steps = STEPS_INIT;
	struct plan last = PLAN_INIT;

	plan_forward(snapshot, &goal, &steps, &last);
	for (size_t i = 0; i < steps.count; i++)
		if (steps.items[i].subject)
			complete_add(completion, steps.items[i].subject, steps.items[i].text);
	if (steps.count == 0 && last.kind == PLAN_DONE)
		complete_hint(completion, "Nothing is left of servers that are gone.");
	steps_release(&steps);
	plan_release(&last);
}

static void add_observed(struct lookup *lookup)
{
	const struct observe_options options = {
		.namespace_name = lookup->connection.config.namespace_name,
		.name = option_was_given(lookup->context->words, "name") ? lookup->context->global->name : NULL,
		.access = &lookup->connection.access,
		.deadline_ms = lookup->deadline_ms,
	};
	_cleanup_err_ struct err err = ERR_INIT;
	struct snapshot snapshot = SNAPSHOT_INIT;
	int status = observe(lookup->connection.client, &options, &snapshot, &err);

	if (status == 0 && lookup->completion->kind == COMPLETE_SERVER)
		add_servers(&snapshot, lookup->completion);
	else if (status == 0)
		add_remains(&snapshot, lookup->completion);
	snapshot_release(&snapshot);
}

/* Nobody can be asked for anything here: no standard input. */
static void add_from_cluster(struct lookup *lookup)
{
	_cleanup_err_ struct err err = ERR_INIT;

	lookup->connection = (struct connection)CONNECTION_INIT;
	if (connect_open(lookup->context, &lookup->connection, &err) == 0) {
		if (lookup->completion->kind == COMPLETE_NAMESPACE)
			add_names(lookup, NAMESPACES_PATH, NULL);
		else if (lookup->completion->kind == COMPLETE_STORAGE_CLASS)
			add_names(lookup, STORAGE_CLASSES_PATH, storage_class_note);
		else if (lookup->completion->kind == COMPLETE_SET)
			add_sets(lookup);
		else
			add_observed(lookup);
	}
	connection_release(&lookup->connection);
}

void complete_lookup(struct cmd_context *context, struct completion *completion)
{
	struct lookup lookup = { .context = context,
		                 .completion = completion,
		                 .deadline_ms = clock_monotonic_ms() + COMPLETE_LOOKUP_MS };

	if (completion->kind == COMPLETE_NOTHING)
		return;
	if (completion->kind == COMPLETE_CONTEXT || completion->kind == COMPLETE_CLUSTER ||
	    completion->kind == COMPLETE_USER)
		add_from_kubeconfig(&lookup);
	else
		add_from_cluster(&lookup);
}

/* ---------------------------------------------------------------------------------------- the program */

static volatile sig_atomic_t is_alone; /* in a session of its own */

/*
 * A credential plugin that opens /dev/tty would ask for a password in the middle of somebody's command line; and what a
 * plugin that is a script has started must be found again.
 */
static void leave_terminal(void)
{
	is_alone = setsid() > 0 || getsid(0) == getpid();
}

/* What plugins left behind: no TAB adds a process that hangs. Safe in a signal handler. */
static void end_others(void)
{
	if (!is_alone)
		return;
	signal(SIGTERM, SIG_IGN);
	kill(0, SIGTERM);
}

/* A kubeconfig that is a pipe, a name server that is silent, a directory that has gone away: whatever blocks. */
static void give_up(int signal_number)
{
	static const char nothing[] = ":4\n";
	ssize_t written = write(STDOUT_FILENO, nothing, sizeof(nothing) - 1);

	(void)signal_number;
	(void)written;
	end_others();
	_exit(0);
}

/* 0: no longer. */
static void give_up_after(int milliseconds)
{
	const struct itimerval timer = { .it_value.tv_usec = milliseconds * 1000 };
	struct sigaction action = { .sa_handler = give_up };
	sigset_t mask; /* of who started us: the alarm may be blocked */

	sigemptyset(&mask);
	sigaddset(&mask, SIGALRM);
	sigaction(SIGALRM, &action, NULL);
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* In the middle of somebody's command line nothing is printed but the answer, whatever a credential plugin says. */
static void silence(struct cmd_context *context)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	context->input_fd = STDIN_FILENO;
	context->interrupt_fd = -1;
}

/* The options that stand before the cursor are in force; what cannot be parsed, and what comes after it, is not. */
static void look_up(struct cmd_context *context, struct completion *completion)
{
	const struct command *command = completion->command;
	struct global_options global = GLOBAL_OPTIONS_INIT;
	struct option_words parsed = OPTION_WORDS_INIT;
	void *options = xcalloc(1, (command ? command->options_size : 0) + 1);
	const struct option_set sets[] = {
		{ global_option_table, &global },
		{ command ? command->options : NULL, options },
	};
	char *nothing[] = { NULL };
	_cleanup_err_ struct err err = ERR_INIT;

	if (option_parse(sets, ARRAY_SIZE(sets), completion->before.count > 0 ? completion->before.items : nothing,
	                 &parsed, &err) < 0)
		err_release(&err);
	global.verbosity = 0;
	context->title = TITLE;
	context->command = command;
	context->global = &global;
	context->options = options;
	context->words = &parsed;
	complete_lookup(context, completion);
	context->global = NULL;
	context->options = NULL;
	context->words = NULL;
	option_sets_release(sets, ARRAY_SIZE(sets));
	option_words_release(&parsed);
	free(options);
}

int complete_main(struct cmd_context *context, char *const *words)
{
	struct completion completion = COMPLETION_INIT;
	_cleanup_buf_ struct buf out = BUF_TEXT;

	give_up_after(COMPLETE_GIVE_UP_MS);
	leave_terminal();
	silence(context);
	complete_words(context->program, words, &completion);
	if (completion.kind != COMPLETE_NOTHING)
		look_up(context, &completion);
	give_up_after(0);
	end_others();
	complete_render(&completion, &out);
	fputs(buf_text(&out), context->output);
	fflush(context->output);
	completion_release(&completion);
	return 0;
}

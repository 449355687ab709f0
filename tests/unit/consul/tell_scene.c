/* See tell_scene.h. */
#include "tell_scene.h"

#include <string.h>

#include <criterion/criterion.h>

#include "util/buf.h"
#include "util/clock.h"
#include "util/mem.h"

void scene_start_with(struct scene *scene, const struct cluster_options *options)
{
	struct observe_options how = { .namespace_name = "consul", .deadline_ms = clock_monotonic_ms() + TELL_LONG_MS };

	*scene = (struct scene){ .cluster = cluster_start(options), .loop = loop_new(), .snapshot = SNAPSHOT_INIT };
	scene->api = cluster_api(scene->cluster);
	scene->config.server = xstrdup(apiserver_url(scene->api));
	scene->config.namespace_name = xstrdup("consul");
	cr_assert_eq(kube_client_new(scene->loop, &scene->config, &scene->client_options, &scene->client, &scene->err),
	             0);
	cr_assert_eq(observe(scene->client, &how, &scene->snapshot, &scene->err), 0, "%s", scene->err.message);
	scene->asked = apiserver_request_total(scene->api);
}

void scene_start(struct scene *scene, const struct cluster_server *servers)
{
	scene_start_with(scene, &(struct cluster_options){ .servers = servers, .count = 3 });
}

/* Further rows, looked at first. */
void scene_script(struct scene *scene, const struct apiserver_route *routes, const struct apiserver_exec *execs)
{
	apiserver_add(scene->api, routes, execs, NULL);
}

void scene_stop(struct scene *scene)
{
	_cleanup_free_ char *complaints = NULL;

	snapshot_release(&scene->snapshot);
	kube_client_free(scene->client);
	loop_free(scene->loop);
	complaints = apiserver_complaints(scene->api);
	cr_expect_str_eq(complaints, "");
	cluster_stop(scene->cluster);
	kube_config_release(&scene->config);
	err_release(&scene->err);
}

int scene_tell(struct scene *scene, size_t server, enum tell_kind kind, const char *argument, enum ask_way via,
               int64_t milliseconds)
{
	err_release(&scene->err);
	return tell(scene->client, &scene->snapshot.servers[server], &(struct tell){ kind, argument },
	            &(struct access){ .via = via }, clock_monotonic_ms() + milliseconds, &scene->err);
}

void scene_expect_fine(struct scene *scene, enum tell_kind kind, const char *argument, enum ask_way via)
{
	cr_expect_eq(scene_tell(scene, 0, kind, argument, via, TELL_LONG_MS), 0, "order %d \"%s\" by %s: %s", (int)kind,
	             argument, ask_way_name(via), scene->err.message);
}

/* With a message that has words in it. */
void scene_expect_failure(struct scene *scene, enum tell_kind kind, const char *argument, enum ask_way via,
                          enum err_kind expected, const char *words)
{
	cr_expect_eq(scene_tell(scene, 0, kind, argument, via, TELL_LONG_MS), -1, "order %d \"%s\"", (int)kind,
	             argument);
	cr_expect_eq(scene->err.kind, expected, "order %d \"%s\" by %s: %d, %s", (int)kind, argument, ask_way_name(via),
	             (int)scene->err.kind, scene->err.message);
	cr_expect(scene->err.message && strstr(scene->err.message, words), "\"%s\" is not in \"%s\"", words,
	          scene->err.message);
}

/* "PUT /v1/agent/leave", "exec consul leave": what was sent since the last time; a new string. */
static char *sent(struct scene *scene)
{
	struct buf out = BUF_TEXT;
	size_t total = apiserver_request_total(scene->api);

	for (; scene->asked < total; scene->asked++) {
		const struct apiserver_request *request = apiserver_request_at(scene->api, scene->asked);
		char *word;

		if (request->pod && strcmp(request->method, "STDIN") != 0) {
			buf_addf(&out, "%s%s %s%s%s", out.len ? ", " : "", request->method, request->path,
			         *request->query ? "?" : "", request->query);
		} else if (strstr(request->path, "/exec")) {
			buf_addf(&out, "%sexec", out.len ? ", " : "");
			for (size_t i = 0; (word = apiserver_request_query(request, "command", i)); i++) {
				buf_addf(&out, " %s", word);
				free(word);
			}
		}
	}
	return buf_detach(&out);
}

void scene_expect_sent(struct scene *scene, const char *expected)
{
	_cleanup_free_ char *got = sent(scene);

	cr_expect_str_eq(got, expected, "got \"%s\", expected \"%s\"", got, expected);
}

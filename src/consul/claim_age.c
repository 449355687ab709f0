/* See include/consul/claim_age.h. */
#include "consul/claim_age.h"

/* Clocks of machines differ. */
#define CLOCK_SLACK_S ((int64_t)30)

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static bool clock_is_behind(const struct snapshot *snapshot)
{
	int64_t latest = 0;

	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];

		latest = later(latest, server->pod.created_at);
		if (server->container)
			latest = later(latest, server->container->started_at);
	}
	for (size_t i = 0; i < snapshot->claim_count; i++)
		latest = later(latest, snapshot->claims[i].created_at);
	return latest > snapshot->taken_at + CLOCK_SLACK_S;
}

/* It runs, and its agent has data: a log, or peers. */
static bool tells_of_data(const struct server *server)
{
	const struct view *view = &server->view;

	if (!server->has_pod || server->pod.deleting || !server->container || !server->container->running)
		return false;
	return (view->peers_known && view->peer_count > 0) || (view->self_known && view->self.last_log_index > 0);
}

int64_t claim_age_heard_at(const struct snapshot *snapshot)
{
	int64_t heard_at = CLAIM_AGE_UNKNOWN;

	if (clock_is_behind(snapshot))
		return CLAIM_AGE_UNKNOWN;
	for (size_t i = 0; i < snapshot->server_count; i++) {
		const struct server *server = &snapshot->servers[i];
		const struct self *self = &server->view.self;
		int64_t at;

		if (!tells_of_data(server))
			continue;
		at = server->view.self_known && self->last_contact_ms >= 0
		         ? snapshot->taken_at - self->last_contact_ms / 1000
		         : server->container->started_at;
		if (at <= 0)
			return CLAIM_AGE_UNKNOWN;
		heard_at = later(heard_at, at);
	}
	return heard_at;
}

bool claim_age_is_newer(int64_t created_at, int64_t heard_at)
{
	return heard_at != CLAIM_AGE_UNKNOWN && created_at > heard_at + CLOCK_SLACK_S;
}

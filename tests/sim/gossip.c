/*
 * See model.h: who knows what of whom. News travel to each agent at their own pace, and the later number wins.
 */
#include "model.h"

#define NEWS_MIN_MS    100
#define NEWS_MAX_MS    2500
#define NEWS_PROMPT_MS 400
#define FAILURE_MIN_MS 3000 /* until a silent member is called failed */
#define FAILURE_MAX_MS 9000

/* The viewer will hear of it after so long, unless something newer is under way already. */
static void send_news(struct model *model, int viewer, int node, struct news news, int64_t delay)
{
	struct member_entry *entry = &model->servers[viewer].agent.members[node];

	if (entry->coming.number > news.number)
		return;
	entry->coming = news;
	entry->due = model->now + delay;
}

static void broadcast(struct model *model, int node, struct news news, int64_t min, int64_t max)
{
	if (model->traits.prompt && max > NEWS_PROMPT_MS)
		max = NEWS_PROMPT_MS;
	for (int viewer = 0; viewer < ORDINALS; viewer++)
		if (viewer != node && model->servers[viewer].agent.up)
			send_news(model, viewer, node, news, random_between(&model->random, min, max));
}

static struct news make_news(struct model *model, int node, enum status status)
{
	const struct server_truth *server = &model->servers[node];

	return (struct news){ ++model->news, status, server->agent.ip, server->claim.data.id };
}

void gossip_tell(struct model *model, int node, enum status status)
{
	struct news news = make_news(model, node, status);

	model->servers[node].agent.members[node].known = news;
	raft_members_changed(model, node);
	if (model->now >= model->servers[node].isolated_until)
		broadcast(model, node, news, NEWS_MIN_MS, NEWS_MAX_MS);
}

/* ---------------------------------------------------------------------------------------------- joining */

static bool is_newer(const struct model *model, int viewer, int node, const struct news *news)
{
	const struct news *known = &model->servers[viewer].agent.members[node].known;

	if (news->number != known->number)
		return news->number > known->number;
	/* The same news, but one of the two has noticed that it is not so any more. */
	return news->status != known->status && (news->status == STATUS_ALIVE) == agent_reaches(model, viewer, node);
}

static void merge(struct model *model, int to, int from)
{
	struct agent *agent = &model->servers[to].agent;

	for (int node = 0; node < ORDINALS; node++) {
		const struct news *news = &model->servers[from].agent.members[node].known;

		/* What is said of oneself and is not so. */
		if (node == to && news->number > agent->members[node].known.number && !agent->leaving)
			gossip_tell(model, node, STATUS_ALIVE);
		if (node == to || !is_newer(model, to, node, news))
			continue;
		agent->members[node].known = *news;
		raft_members_changed(model, to);
	}
}

static int find_other(struct model *model, int ordinal)
{
	int first = random_int(&model->random, 0, ORDINALS - 1);

	for (int i = 0; i < ORDINALS; i++) {
		int other = (first + i) % ORDINALS;
		const struct server_truth *server = &model->servers[other];

		if (other != ordinal && server->agent.up && !server->agent.leaving &&
		    model->now >= server->isolated_until)
			return other;
	}
	return -1;
}

static void join(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];
	int other;

	server->agent.join_at = model->now + random_between(&model->random, 5000, 30000);
	if (model->now < server->isolated_until)
		return;
	other = find_other(model, ordinal);
	server->agent.joined = true;
	server->agent.join_at = NEVER;
	if (other < 0)
		return;
	merge(model, ordinal, other);
	if (!server->agent.leaving)
		gossip_tell(model, ordinal, STATUS_ALIVE);
	if (!model->servers[other].agent.joined) {
		model->servers[other].agent.joined = true;
		model->servers[other].agent.join_at = NEVER;
	}
	merge(model, other, ordinal);
	raft_members_changed(model, other);
}

/* ------------------------------------------------------------------------------------------- silence */

/* Back among the others. */
static void tick_isolation(struct model *model, int ordinal)
{
	struct server_truth *server = &model->servers[ordinal];

	if (server->isolated_until == 0 || model->now < server->isolated_until)
		return;
	server->isolated_until = 0;
	if (server->agent.up)
		join(model, ordinal);
}

/* A member that does not answer is called failed after a while. */
static void suspect(struct model *model, int viewer, int node)
{
	const struct member_entry *entry = &model->servers[viewer].agent.members[node];
	struct news news = entry->known;

	if (entry->coming.number || (news.status != STATUS_ALIVE && news.status != STATUS_LEAVING) ||
	    agent_reaches(model, viewer, node))
		return;
	news.status = STATUS_FAILED;
	send_news(model, viewer, node, news, random_between(&model->random, FAILURE_MIN_MS, FAILURE_MAX_MS));
}

/* Whoever missed something learns it when two compare all they know. */
static void compare_notes(struct model *model, int viewer)
{
	int other;

	if (!random_chance(&model->random, (int)(TICK_MS / 10)) || model->now < model->servers[viewer].isolated_until ||
	    !model->servers[viewer].agent.joined)
		return;
	other = find_other(model, viewer);
	if (other >= 0 && model->servers[other].agent.joined)
		merge(model, viewer, other);
}

/* -------------------------------------------------------------------------------------------- the tick */

static void hear(struct model *model, int viewer, int node)
{
	struct agent *agent = &model->servers[viewer].agent;
	struct member_entry *entry = &agent->members[node];
	struct news news = entry->coming;

	if (model->now < model->servers[viewer].isolated_until && news.status != STATUS_FAILED) {
		entry->due = model->servers[viewer].isolated_until + 1000;
		return;
	}
	entry->coming = (struct news){ 0 };
	if (news.number < entry->known.number)
		return;
	if (news.status == STATUS_FAILED && (agent_reaches(model, viewer, node) || entry->known.status == STATUS_LEFT))
		return;
	/* Who said that he leaves and is silent then has left. */
	if (news.status == STATUS_FAILED && entry->known.status == STATUS_LEAVING)
		news.status = STATUS_LEFT;
	entry->known = news;
	raft_members_changed(model, viewer);
	if (node == viewer && news.status != STATUS_ALIVE && !agent->leaving)
		gossip_tell(model, node, STATUS_ALIVE);
}

void gossip_tick(struct model *model)
{
	for (int viewer = 0; viewer < ORDINALS; viewer++) {
		struct agent *agent = &model->servers[viewer].agent;

		if (!agent->up)
			continue;
		tick_isolation(model, viewer);
		if (!agent->joined && model->now >= agent->join_at)
			join(model, viewer);
		compare_notes(model, viewer);
		for (int node = 0; node < ORDINALS; node++) {
			if (agent->members[node].coming.number && model->now >= agent->members[node].due)
				hear(model, viewer, node);
			suspect(model, viewer, node);
		}
	}
}

/* -------------------------------------------------------------------------------------------- by order */

bool gossip_force_leave(struct model *model, int viewer, int node, bool prune)
{
	struct member_entry *entry = &model->servers[viewer].agent.members[node];
	struct news news = entry->known;
	bool alive = agent_reaches(model, viewer, node);

	if (news.status == STATUS_NONE)
		return false;
	if (alive)
		return true; /* it says that it is alive, and that is later news */
	news.number = ++model->news;
	news.status = prune ? STATUS_NONE : STATUS_LEFT;
	/* Nobody has noticed yet that it is dead: it only counts as leaving until then. */
	if (entry->known.status == STATUS_ALIVE) {
		news.status = STATUS_LEFT;
		send_news(model, viewer, node, news, FAILURE_MAX_MS);
	} else {
		entry->known = news;
		raft_members_changed(model, viewer);
	}
	if (model->now >= model->servers[viewer].isolated_until)
		broadcast(model, node, news, NEWS_MIN_MS,
		          entry->known.status == STATUS_ALIVE ? FAILURE_MAX_MS : NEWS_MAX_MS);
	return true;
}

/* See model.h: what takes the majority away, and what of it may come back. */
#include "model.h"

/* What becomes of a server. */
enum fall {
	FALL_NONE,
	FALL_RESTART, /* ends, and starts again */
	FALL_MOVE,    /* the same in a new pod, with another address */
	FALL_AWAY,    /* its pod cannot be scheduled for a while */
	FALL_BLOCKED, /* the same, until somebody gives up on it */
	FALL_LOST,    /* its data is lost: it comes with nothing */
	FALL_LOST_BLOCKED,
	FALL_BROKEN, /* ends at each start */
};

static int64_t soon(struct model *model, int low, int high)
{
	int64_t time = model->now + SECONDS(random_between(&model->random, low, high));

	faults_last_until(model, time);
	return time;
}

static void block(struct model *model, int ordinal, int64_t until)
{
	model->servers[ordinal].blocked_until = until;
	if (until != NEVER)
		faults_last_until(model, until);
}

static void fall(struct model *model, int ordinal, enum fall kind)
{
	static const char *const names[] = {
		"is spared", "restarts", "moves", "is away", "is blocked", "loses its data", "loses all and is blocked",
		"is broken"
	};
	struct server_truth *server = &model->servers[ordinal];

	trace(model, "disaster: server %d %s", ordinal, names[kind]);
	if (kind == FALL_NONE)
		return;
	server->hurt = true;
	if (kind == FALL_AWAY)
		block(model, ordinal, soon(model, 15, 200));
	if (kind == FALL_BLOCKED || kind == FALL_LOST_BLOCKED)
		block(model, ordinal, NEVER);
	if (kind == FALL_BROKEN)
		server->trouble = (enum trouble)random_int(&model->random, TROUBLE_TOO_OLD, TROUBLE_OTHER);
	if (kind == FALL_LOST || kind == FALL_LOST_BLOCKED)
		kubernetes_lose_disk(model, ordinal);
	else if (kind == FALL_MOVE || kind == FALL_AWAY || kind == FALL_BLOCKED)
		kubernetes_lose_pod(model, ordinal);
	else if (server->agent.up)
		agent_die(model, ordinal, 2);
}

/* ---------------------------------------------------------------------------------------- before it */

/* Some get nothing any more for a while, so that their logs differ in the end. */
static void hold_back(struct model *model)
{
	int seconds = random_int(&model->random, 1, 12);

	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];
		int kind = random_int(&model->random, 0, 9);

		if (!server->agent.up || kind > 4)
			continue;
		trace(model, "disaster: server %d %s", i, kind < 3 ? "gets no entries" : "is cut off");
		server->hurt = true;
		if (kind < 3)
			server->slow_until = model->now + SECONDS(seconds);
		else
			server->isolated_until = model->now + SECONDS(seconds);
	}
	model_advance(model, SECONDS(seconds) - TICK_MS);
}

/* Somebody has just scaled, without asking anybody. */
static void scale_bare(struct model *model, int replicas)
{
	trace(model, "disaster: somebody scales from %d to %d", model->set.replicas, replicas);
	for (int i = 0; i < ORDINALS; i++)
		if (i >= model->traits.start + (replicas < model->set.replicas ? replicas : model->set.replicas))
			model->servers[i].hurt = true;
	kubernetes_set_replicas(model, replicas);
	model_advance(model, SECONDS(random_between(&model->random, 1, 16)));
}

/* All but a few get no entries, so that the others alone have what is acknowledged meanwhile; some do not vote yet. */
static void outrun(struct model *model, bool *dear)
{
	const struct raft_config config = model->committed;
	int held = (raft_voters(&config) - 1) / 2, leader = raft_leader(model);

	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];

		if (!server->agent.up || i == leader || !raft_find(&config, server->claim.data.id))
			continue;
		if (held == 0) {
			/* One of those that keep up. */
			dear[i] = true;
			break;
		}
		trace(model, "disaster: server %d gets no entries", i);
		held--;
		dear[i] = true;
		server->hurt = true;
		server->slow_until = model->now + SECONDS(30);
	}
	model_advance(model, SECONDS(random_between(&model->random, 2, 8)));
}

/* The leader is cut off, and writes what nobody gets, until the others have another one. */
static void divide(struct model *model, bool *dear)
{
	int leader = raft_leader(model), next;
	int64_t until = model->now + SECONDS(20);

	if (leader < 0)
		return;
	trace(model, "disaster: leader %d is cut off", leader);
	model->servers[leader].hurt = true;
	model->servers[leader].isolated_until = model->now + SECONDS(25);
	do {
		model_advance(model, TICK_MS);
	} while (model->now < until && (raft_leader(model) < 0 || raft_leader(model) == leader));
	model_advance(model, TICK_MS * random_int(&model->random, 1, 3));
	model->servers[leader].isolated_until = model->now + TICK_MS;
	next = raft_leader(model);
	dear[leader] = true;
	dear[next < 0 ? leader : next] = true;
}

/* One is cut off for long, and knows nothing of those that come meanwhile. */
static void leave_behind(struct model *model, bool *dear)
{
	int leader = raft_leader(model),
	    ordinal = model->traits.start + random_int(&model->random, 0, model->set.replicas - 1);
	struct server_truth *server = &model->servers[ordinal];

	if (!server->agent.up || ordinal == leader || model->set.replicas < 3 || model->set.replicas > 5)
		return;
	trace(model, "disaster: server %d is cut off", ordinal);
	server->hurt = true;
	server->isolated_until = model->now + SECONDS(90);
	scale_bare(model, model->set.replicas + 2);
	model_advance(model, server->isolated_until - model->now);
	dear[ordinal] = true;
}

/* What makes logs differ; those that would be interesting if they were left are dear. */
static void prepare(struct model *model, bool *dear)
{
	struct random *random = &model->random;
	int replicas = model->set.replicas, kind = random_int(random, 0, 99);

	/* One that comes without data will wait for nobody. */
	if (random_chance(random, 70))
		model->set.expect = 1;
	else
		model->set.expect = 3;
	if (kind < 15 && replicas + 2 <= 7)
		scale_bare(model, replicas + random_int(random, 1, 2));
	else if (kind < 25 && replicas > 2)
		scale_bare(model, random_int(random, 1, replicas - 1));
	kind = random_int(random, 0, 99);
	model->shaken_at = model->now;
	if (kind < 35)
		hold_back(model);
	else if (kind < 47)
		outrun(model, dear);
	else if (kind < 57)
		divide(model, dear);
	else if (kind < 60)
		leave_behind(model, dear);
	model->shaken_at = model->now;
}

/* ----------------------------------------------------------------------------------------------- all */

static int choose_count(struct model *model, int servers)
{
	int kind = random_int(&model->random, 0, 99);

	if (servers == 1)
		return 1;
	if (kind < 75)
		return random_int(&model->random, (servers + 1) / 2, servers - 1);
	return kind < 85 ? servers : random_int(&model->random, 0, servers / 2);
}

static enum fall choose_fall(struct model *model)
{
	static const enum fall falls[] = { FALL_LOST, FALL_LOST,    FALL_LOST,    FALL_LOST,         FALL_LOST,
		                           FALL_AWAY, FALL_BLOCKED, FALL_BLOCKED, FALL_LOST_BLOCKED, FALL_BROKEN };

	return falls[random_int(&model->random, 0, 9)];
}

/* Who is to fall. */
static void choose_victims(struct model *model, int first, int servers, const bool *dear, bool *ret_victims)
{
	int count = choose_count(model, servers);
	bool spares = random_chance(&model->random, 750);

	for (int tries = 0; count > 0; tries++) {
		int ordinal = first + random_int(&model->random, 0, servers - 1);

		if (ret_victims[ordinal] || (spares && dear[ordinal] && tries < 50))
			continue;
		ret_victims[ordinal] = true;
		count--;
	}
}

static void strike(struct model *model, int first, int servers, const bool *dear)
{
	bool victims[ORDINALS] = { false };
	bool same = random_chance(&model->random, 650), all_move = random_chance(&model->random, 150);
	enum fall kind = random_chance(&model->random, 700) ? FALL_LOST : choose_fall(model);

	choose_victims(model, first, servers, dear, victims);
	for (int i = first; i < first + servers; i++) {
		enum fall other = same ? kind : choose_fall(model);
		int spared = random_int(&model->random, 0, 99);

		if (victims[i]) {
			fall(model, i, servers == 1 && random_chance(&model->random, 700) ? FALL_RESTART : other);
		} else {
			fall(model, i, all_move || spared < 10 ? FALL_MOVE : spared < 25 ? FALL_RESTART : FALL_NONE);
		}
	}
}

void disaster_strike(struct model *model)
{
	bool dear[ORDINALS] = { false };

	prepare(model, dear);
	strike(model, model->traits.start, model->set.replicas, dear);
	model->struck_at = model->shaken_at = model->now;
	faults_last_until(model, model->now);
	model_advance(model, SECONDS(random_between(&model->random, 0, 90)));
}

void disaster_keep_away(struct model *model)
{
	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];

		if (!wanted(model, i) || server->agent.up)
			continue;
		trace(model, "somebody keeps server %d away", i);
		server->blocked_until = NEVER;
		kubernetes_lose_pod(model, i);
	}
}

void disaster_give_up(struct model *model)
{
	for (int i = 0; i < ORDINALS; i++) {
		struct server_truth *server = &model->servers[i];

		if (server->trouble == TROUBLE_NONE && server->blocked_until <= model->now)
			continue;
		trace(model, "somebody gives up on server %d, and deletes what is left of it", i);
		server->trouble = TROUBLE_NONE;
		server->blocked_until = 0;
		server->hurt = true;
		kubernetes_lose_disk(model, i);
		/* If the pods are being replaced, that goes on now. */
		faults_last_until(model, model->now + MINUTES(1) * model->set.replicas);
	}
}

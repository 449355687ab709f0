/* See include/consul/diagnosis.h: findings, names and commands. The join is in join.c. */
#include "consul/diagnosis.h"

#include <assert.h>
#include <stdarg.h>

#include "consul/value.h"
#include "util/buf.h"
#include "util/mem.h"

#define NAMES_SHOWN 8 /* more are counted */

struct finding *diagnosis_add(struct diagnosis *diagnosis, const char *kind, struct place *place, const char *format,
                              ...)
{
	struct findings *findings = &diagnosis->assessment->findings;
	struct finding *finding;
	va_list arguments;

	findings->items = xreallocarray(findings->items, findings->count + 1, sizeof(*findings->items));
	finding = &findings->items[findings->count++];
	*finding = (struct finding){ .kind = finding_kind_find(kind) };
	assert(finding->kind);
	finding->server = place ? xstrdup(place_name(place)) : NULL;
	va_start(arguments, format);
	finding->message = xvasprintf(format, arguments);
	va_end(arguments);
	if (place)
		diagnosis_mark(place, finding);
	return finding;
}

void finding_set_cause(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	replace_string(&finding->cause, xvasprintf(format, arguments));
	va_end(arguments);
}

void finding_set_command(struct finding *finding, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	replace_string(&finding->command, xvasprintf(format, arguments));
	va_end(arguments);
}

void diagnosis_mark(struct place *place, const struct finding *finding)
{
	if (finding->kind->severity > place->worst)
		place->worst = finding->kind->severity;
}

bool diagnosis_has(const struct diagnosis *diagnosis, enum severity severity)
{
	const struct findings *findings = &diagnosis->assessment->findings;

	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].kind->severity >= severity)
			return true;
	return false;
}

const char *place_name(const struct place *place)
{
	return place->server->name;
}

bool place_is_empty(const struct place *place)
{
	const struct view *view = &place->server->view;

	if (view->peers_known)
		return view->peer_count == 0;
	return view->self_known && view->self.is_server && view->self.last_log_index == 0;
}

bool place_has_former_entry(const struct place *place)
{
	return place->member && place->server->pod.ip && !str_equal(place->member->address, place->server->pod.ip);
}

const struct server *place_goodbye_at(const struct diagnosis *diagnosis, const struct place *place)
{
	const char *address = place->server->pod.ip;
	const struct member *own = address ? view_member_by_address(&place->server->view, address) : NULL;

	if (!place->running || place->server->pod.deleting || !own || own->status != MEMBER_ALIVE)
		return NULL;
	FOR_EACH_PLACE (other, diagnosis) {
		const struct member *member = view_member_by_address(&other->server->view, address);

		if (member && str_equal(member->name, own->name) &&
		    (member->status == MEMBER_LEAVING || member->status == MEMBER_LEFT))
			return other->server;
	}
	return NULL;
}

bool place_has_settled(const struct diagnosis *diagnosis, const struct place *place)
{
	int64_t started_at = place->server->container ? place->server->container->started_at : 0;

	return started_at > 0 && diagnosis->snapshot->taken_at - started_at >= JOIN_S;
}

bool diagnosis_has_quorum(const struct diagnosis *diagnosis)
{
	const struct quorum *quorum = &diagnosis->assessment->quorum;

	return !quorum->known || quorum->live_voters >= quorum->quorum;
}

bool diagnosis_works(const struct diagnosis *diagnosis)
{
	return diagnosis->leader_address && diagnosis_has_quorum(diagnosis);
}

static bool share_a_peer(const struct view *a, const struct view *b)
{
	for (size_t i = 0; i < a->peer_count; i++)
		for (size_t k = 0; k < b->peer_count; k++)
			if (str_equal(a->peers[i].address, b->peers[k].address) ||
			    (a->peers[i].id && str_equal(a->peers[i].id, b->peers[k].id)))
				return true;
	return false;
}

bool diagnosis_is_stranger(const struct diagnosis *diagnosis, const struct place *place)
{
	return diagnosis->peers_of && place->server->view.peer_count > 0 &&
	       !share_a_peer(&place->server->view, &diagnosis->peers_of->view);
}

const struct place *diagnosis_find_stranger(const struct diagnosis *diagnosis)
{
	FOR_EACH_PLACE (place, diagnosis)
		if (diagnosis_is_stranger(diagnosis, place))
			return place;
	return NULL;
}

/* Addresses are used again: two ids that are known and differ are two servers. With raft protocol 2 the address is the
 * id. */
static bool are_others(const struct peer *peer, const struct member *member)
{
	return !str_is_empty(peer->id) && !str_is_empty(member->id) && !str_equal(peer->id, peer->address) &&
	       !str_equal(peer->id, member->id);
}

const struct peer *diagnosis_peer_of_member(const struct diagnosis *diagnosis, const struct member *member)
{
	const struct view *view = diagnosis->peers_of ? &diagnosis->peers_of->view : NULL;

	for (size_t i = 0; view && i < view->peer_count; i++)
		if (member->id && str_equal(view->peers[i].id, member->id))
			return &view->peers[i];
	for (size_t i = 0; view && i < view->peer_count; i++)
		if (!diagnosis->peer_taken[i] && value_address_is(view->peers[i].address, member->address) &&
		    !are_others(&view->peers[i], member))
			return &view->peers[i];
	return NULL;
}

char *list_names(const struct strv *names)
{
	_cleanup_strv_ struct strv shown = STRV_INIT;

	if (names->count <= NAMES_SHOWN)
		return strv_join(names, ", ", " and ");
	for (size_t i = 0; i + 1 < NAMES_SHOWN; i++)
		strv_add(&shown, names->items[i]);
	strv_addf(&shown, "%zu more", names->count - (NAMES_SHOWN - 1));
	return strv_join(&shown, ", ", " and ");
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("-._/:=,@", c));
}

char *shell_word(const char *text)
{
	struct buf word = BUF_TEXT;
	bool plain = *text != '\0' && *text != '-';

	for (const char *at = text; *at; at++)
		plain = plain && is_plain(*at);
	if (plain)
		return xstrdup(text);
	buf_addc(&word, '\'');
	for (const char *at = text; *at; at++) {
		if (*at == '\'')
			buf_adds(&word, "'\\''");
		else
			buf_addc(&word, *at);
	}
	buf_addc(&word, '\'');
	return buf_detach(&word);
}

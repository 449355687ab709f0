/*
 * The truth as a snapshot shows it: what the API server would list, and what each server would answer.
 */
#ifndef SIM_VIEW_H
#define SIM_VIEW_H

#include "consul/snapshot.h"
#include "model.h"

#define VIEW_DATA_DIR "/consul/data"

/* Names as they are in the snapshot. New strings. */
char *view_pod_name(int ordinal);
char *view_claim_name(int ordinal);
char *view_node_name(const struct model *model, int ordinal);

/* The ordinal of a pod's or node's name, of a claim's name; the number of an id or an address. -1: none of ours. */
int view_ordinal(const char *name);
int view_claim_ordinal(const char *name);
int view_id(const char *id);
char *view_id_text(int id);
int view_ip(const char *address);

/* StatefulSet, pods and claims. snapshot is SNAPSHOT_INIT. */
void view_kubernetes(const struct model *model, struct snapshot *snapshot);

/* True: by this snapshot the server is worth asking; else its view says why not. */
bool view_can_ask(struct server *server);

/* What the process of the ordinal says of itself now. */
void view_ask(const struct model *model, int ordinal, struct view *view);

/* It does not answer. */
void view_fail(struct view *view, enum err_kind kind, const char *message);

/* The claims could not be listed. */
void view_lose_claims(struct snapshot *snapshot);

/* One of the three planes is not known after all. */
void view_lose_plane(struct view *view, int plane);

void view_expect(const struct model *model, struct snapshot *snapshot, bool known);
void view_autopilot(const struct model *model, struct snapshot *snapshot, bool known);

#endif

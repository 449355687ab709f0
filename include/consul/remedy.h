/*
 * consul/remedy.h - what to type next: each command that a finding can name has its one place here.
 *
 * Every command can be pasted as it is, today: names, namespace and container are filled in and quoted for a shell.
 * Where a name that it needs is not known the finding is left without a command. Used by consul/check_*.c only.
 */
#ifndef CONSUL_REMEDY_H
#define CONSUL_REMEDY_H

#include "consul/diagnosis.h"

/* The log of the server's container (of its previous run), or the description of its pod. */
void remedy_logs(const struct diagnosis *diagnosis, const struct place *place, bool previous, struct finding *finding);
void remedy_describe_pod(const struct diagnosis *diagnosis, const struct place *place, struct finding *finding);

/* The description of the StatefulSet: its events say why a pod is not made. */
void remedy_describe_set(const struct diagnosis *diagnosis, struct finding *finding);

/* Where the servers' pods run. */
void remedy_list_pods(const struct diagnosis *diagnosis, struct finding *finding);

/* Whose pod has this address, in all namespaces. */
void remedy_find_address(const char *address, struct finding *finding);

/* `kubectl consul health OPTION` for this cluster. */
void remedy_health(const struct diagnosis *diagnosis, const char *option, struct finding *finding);

/* `kubectl consul explain` for this kind of finding: where the way out does not fit in a line. */
void remedy_explain(struct finding *finding);

/*
 * Removes what is left of servers: `kubectl consul reap`; with their names (of nodes, or a peer's id or address) where
 * it would not take them for servers of this StatefulSet by itself.
 */
void remedy_reap(const struct diagnosis *diagnosis, const struct strv *names, struct finding *finding);

/* More servers, or fewer: `kubectl consul scale`. */
void remedy_scale(const struct diagnosis *diagnosis, int64_t replicas, struct finding *finding);

/* Servers back that were scaled away with the quorum: by kubectl, since without a leader `kubectl consul scale` refuses. */
void remedy_scale_set(const struct diagnosis *diagnosis, int64_t replicas, struct finding *finding);

/* `kubectl consul recover`, which only looks: what is left of a cluster without a quorum, and what could be done. */
void remedy_recover(const struct diagnosis *diagnosis, struct finding *finding);

/*
 * A server that looks for nobody any more joins the one of this address: `consul join` in it. With ACLs, where that
 * takes a token that may not be in argv, its pod is made anew, which looks again.
 */
void remedy_join(const struct diagnosis *diagnosis, const struct place *place, const char *address,
                 struct finding *finding);

/* `kubectl consul deploy` again, which goes on with what was begun; with option ("--tls"), or NULL. */
void remedy_deploy(const struct diagnosis *diagnosis, const char *option, struct finding *finding);

/*
 * Another token, or more of the one there is: the right to read the Secret that has one; deploy, which goes on with
 * setting up ACLs, where that Secret has none or Consul does not know it; where that is for the lack of a leader, to
 * wait for one; after a refusal by tunnel without a token the container's own, which exec uses; else which rules are
 * needed.
 */
void remedy_acl(const struct diagnosis *diagnosis, enum ask_way refused, struct finding *finding);

#endif

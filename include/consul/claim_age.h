/*
 * consul/claim_age.h - whether a claim, or a pod, was made after the last leader: then no data of a voter is on it. Pure.
 *
 * What cannot be proved is not newer: data that is taken for lost would be thrown away.
 */
#ifndef CONSUL_CLAIM_AGE_H
#define CONSUL_CLAIM_AGE_H

#include <stdbool.h>
#include <stdint.h>

#include "consul/snapshot.h"

#define CLAIM_AGE_UNKNOWN ((int64_t)-1)

/*
 * No server with data has heard a leader after this (seconds of the snapshot's clock): what each says; or, of one that
 * has heard none since it was started, that it was before that. UNKNOWN: nobody with data runs, or does not tell since
 * when; or there are objects of the future, so that the clock is behind, and nobody knows by how much.
 */
int64_t claim_age_heard_at(const struct snapshot *snapshot);

/* Made after that, and by more than clocks differ. */
bool claim_age_is_newer(int64_t created_at, int64_t heard_at);

#endif

/* See include/consul/glossary.h. */
#include "consul/glossary.h"

#include <stddef.h>

#include "util/str.h"

const struct glossary_word glossary[] = {
	{ "quorum", NULL, "How many voters have to live: more than half of them",
	  "Raft, by which the servers agree, elects a leader and takes a write only when more than half of the "
	  "voters have said yes: 2 of 3, 3 of 5. That number is the quorum. With fewer there is no leader, nothing "
	  "is written, and reads fail, unless they ask for stale data.\n\n"
	  "Dead voters count in the half: two of five that are gone leave three, which is still the quorum of five. "
	  "Servers that are gone for good are therefore removed from raft (`kubectl consul reap`, `kubectl consul "
	  "scale`). If the quorum is lost for good: `kubectl consul recover`." },
	{ "tolerance", "tolerates", "How many more servers may fail before the quorum is lost",
	  "The voters that live, less the quorum. \"tolerates 1 failure\": one more server may fail, and the cluster "
	  "goes on. \"tolerates no failure\": it works, but the next failure stops it.\n\n"
	  "    voters   quorum   tolerates\n"
	  "    1        1        0\n"
	  "    2        2        0\n"
	  "    3        2        1\n"
	  "    4        3        1\n"
	  "    5        3        2\n"
	  "    7        4        3\n\n"
	  "An even number tolerates no more than the odd one below it, and has one server more that can fail. While "
	  "a server is restarted the tolerance is one less." },
	{ "voter", "voters", "A server whose vote counts in raft",
	  "Servers that join get the log first; once they have been stable for some seconds (autopilot's "
	  "server_stabilization_time) autopilot makes them voters. Only then a further server is added or replaced: "
	  "a pod of `kubectl consul deploy` is ready when its server is a voter.\n\n"
	  "\"2/3 voters\" says that raft has three voters, and two of them live." },
	{ "leader", NULL, "The one server that takes all writes",
	  "The voters elect it. If it stops without a word, the others notice after a while and elect another: about "
	  "two seconds with the settings of `kubectl consul deploy`, up to 20 with Consul's own defaults. Nothing is "
	  "written meanwhile. `kubectl consul failover` measures it.\n\n"
	  "\"no leader\" that lasts means that there is no quorum, or that the voters do not reach each other." },
	{ "raft", "peers", "How the servers agree on the data",
	  "Each change is an entry in a log that every server has. The leader appends to it, and an entry counts "
	  "when the quorum has it. The servers that take part are the peers (`consul operator raft list-peers`); "
	  "they are kept in the log as well, each with its id and address.\n\n"
	  "The column RAFT says what a server is (leader, follower), LAG how many entries it is behind the leader." },
	{ "member", "members", "A server (or client) in Consul's gossip",
	  "Gossip (serf) is how Consul's agents find each other and notice who is dead: alive, failed, leaving, "
	  "left. It is another list than raft's peers: a server may be alive in gossip and no voter, or failed and "
	  "still a peer whose vote is missing.\n\n"
	  "The column MEMBER says how the others see a server, SEEN how many of those that answered see it alive. "
	  "`kubectl consul health --members` shows the list." },
	{ "verdict", NULL, "HEALTHY, DEGRADED or CRITICAL: the first line of health",
	  "HEALTHY: every server is a live voter, and all agree on the leader. Exit code 0.\n"
	  "DEGRADED: there is a leader and a quorum, but something is broken or missing. Exit code 3.\n"
	  "CRITICAL: no leader or no quorum, or no server answered. Exit code 2.\n\n"
	  "What is below the table are the findings: what, why, and what to type next. Those that are warnings leave "
	  "the verdict as it is." },
	{ "autopilot", "min_quorum", "What Consul does by itself with servers that come and go",
	  "It makes stable servers voters, and removes dead ones when another has taken their place "
	  "(cleanup_dead_servers), but never so that fewer than min_quorum voters are left. `kubectl consul scale` "
	  "keeps min_quorum at what the number of servers needs." },
	{ NULL, NULL, NULL, NULL },
};

const struct glossary_word *glossary_find(const char *name)
{
	for (const struct glossary_word *word = glossary; word->name; word++)
		if (str_equal_nocase(word->name, name) || (word->other && str_equal_nocase(word->other, name)))
			return word;
	return NULL;
}

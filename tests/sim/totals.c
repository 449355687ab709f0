/* See story.h: sums. */
#include "model.h"
#include "story.h"

void totals_add(struct totals *to, const struct totals *from)
{
	to->seeds += from->seeds;
	to->violations += from->violations;
	to->reached += from->reached;
	to->refused += from->refused;
	to->lost += from->lost;
	to->runs += from->runs;
	to->killed += from->killed;
	to->orders += from->orders;
	to->recovered += from->recovered;
	to->forced += from->forced;
	to->drills += from->drills;
	to->minutes += from->minutes;
	for (int i = 0; i < LEADERLESS_MAX; i++)
		to->leaderless[i] += from->leaderless[i];
}

void totals_add_leaderless(struct totals *totals, int64_t milliseconds)
{
	int64_t ticks = milliseconds / TICK_MS;

	totals->leaderless[ticks < LEADERLESS_MAX ? ticks : LEADERLESS_MAX - 1]++;
}

int64_t totals_leaderless_ms(const struct totals *totals, int permille)
{
	int64_t all = 0, passed = 0;

	for (int i = 0; i < LEADERLESS_MAX; i++)
		all += totals->leaderless[i];
	for (int i = 0; i < LEADERLESS_MAX; i++) {
		passed += totals->leaderless[i];
		if (all > 0 && passed * 1000 >= all * permille)
			return i * TICK_MS;
	}
	return -1;
}

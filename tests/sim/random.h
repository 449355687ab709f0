/*
 * A pseudo-random generator that gives the same numbers everywhere for the same seed (splitmix64).
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
	uint64_t z = (random->state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* From low to high, both included. */
static inline int64_t random_between(struct random *random, int64_t low, int64_t high)
{
	return low + (int64_t)(random_next(random) % (uint64_t)(high - low + 1));
}

static inline int random_int(struct random *random, int low, int high)
{
	return (int)random_between(random, low, high);
}

/* True in so many cases of a thousand. */
static inline bool random_chance(struct random *random, int permille)
{
	return random_between(random, 0, 999) < permille;
}

#endif

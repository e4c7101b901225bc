/* The machine's source of random numbers: seeded, so that runs repeat. */
#include "machine/core/machine.h"

/* xoshiro256**, Blackman and Vigna. */
uint64_t machine_random(struct machine *m)
{
	uint64_t *s = m->rng_state, result = rotl64(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl64(s[3], 45);
	return result;
}

/* splitmix64 spreads a seed of any quality over the state. */
void random_seed(struct machine *m, uint64_t seed)
{
	for (unsigned i = 0; i < ARRAY_SIZE(m->rng_state); i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		m->rng_state[i] = z ^ z >> 31;
	}
}

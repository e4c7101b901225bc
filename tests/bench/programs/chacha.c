/* The ChaCha20 key stream: additions, exclusive ors and rotations of 32 bits in registers. */
#include "bench.h"

static uint32_t left(uint32_t x, int n)
{
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *x, int a, int b, int c, int d)
{
	x[a] += x[b]; x[d] = left(x[d] ^ x[a], 16);
	x[c] += x[d]; x[b] = left(x[b] ^ x[c], 12);
	x[a] += x[b]; x[d] = left(x[d] ^ x[a], 8);
	x[c] += x[d]; x[b] = left(x[b] ^ x[c], 7);
}

static void block(uint32_t *out, const uint32_t *in)
{
	uint32_t x[16];

	memcpy(x, in, sizeof(x));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++)
			quarter(x, i, 4 + i, 8 + i, 12 + i);
		for (int i = 0; i < 4; i++)
			quarter(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
	}
	for (int i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

int main(int argc, char **argv)
{
	uint32_t in[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, out[16];
	uint64_t sum = 0;

	for (uint32_t i = 4; i < 12; i++)
		in[i] = i * 0x01010101;
	for (uint64_t work = bench_work(argc, argv, 400000); work; work--) {
		in[12]++;
		block(out, in);
		sum = bench_add(sum, (uint64_t)out[in[12] & 15] << 32 | out[3]);
	}
	return bench_done("chacha", sum);
}

/* A compressor and its inverse (matches found by a hash of four bytes), over text that repeats itself. */
#include "bench.h"

#define SIZE	65536
#define HASHES	4096
#define LONGEST	(4 + 127)

static uint8_t text[SIZE], packed[SIZE + SIZE / 64], unpacked[SIZE];

static void write_text(uint64_t *seed)
{
	char words[64][8];

	for (uint32_t i = 0; i < 64; i++)
		for (uint32_t j = 0; j < 8; j++)
			words[i][j] = 'a' + bench_random(seed) % 20;
	for (uint32_t at = 0; at < SIZE;) {
		const uint64_t r = bench_random(seed);
		for (uint32_t j = 0; j < 2 + (r >> 8) % 7 && at < SIZE - 1; j++)
			text[at++] = words[r % 64][j];
		text[at++] = ' ';
	}
}

static uint32_t hash(const uint8_t *p)
{
	uint32_t four;

	memcpy(&four, p, 4);
	return four * 2654435761u >> 20;
}

/* A token is 1..127 and so many bytes as they are, or 128 + length - 4 and 16 bits of distance. */
static uint32_t pack(void)
{
	static uint32_t last[HASHES];	/* one past the place where this hash was seen */
	uint32_t out = 0, literal = 0;	/* literal: the open token's place, or 0 before the first */
	int open = 0;

	memset(last, 0, sizeof(last));
	for (uint32_t at = 0; at < SIZE;) {
		uint32_t length = 0, before = 0;
		if (at + 4 <= SIZE) {
			uint32_t *slot = &last[hash(text + at)];
			before = *slot;
			*slot = at + 1;
		}
		if (before && at + 1 - before < 65536)
			while (length < LONGEST && at + length < SIZE && text[before - 1 + length] == text[at + length])
				length++;
		if (length >= 4) {
			const uint32_t distance = at + 1 - before;
			packed[out++] = 128 + length - 4;
			packed[out++] = distance;
			packed[out++] = distance >> 8;
			at += length;
			open = 0;
			continue;
		}
		if (!open || packed[literal] == 127) {
			literal = out++;
			packed[literal] = 0;
			open = 1;
		}
		packed[literal]++;
		packed[out++] = text[at++];
	}
	return out;
}

static uint32_t unpack(uint32_t size)
{
	uint32_t out = 0;

	for (uint32_t in = 0; in < size;) {
		const uint8_t token = packed[in++];
		if (token < 128) {
			for (uint32_t i = 0; i < token; i++)
				unpacked[out++] = packed[in++];
			continue;
		}
		const uint32_t distance = packed[in] | packed[in + 1] << 8;
		in += 2;
		for (uint32_t i = 0; i < token - 128u + 4; i++, out++)
			unpacked[out] = unpacked[out - distance];
	}
	return out;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 17;

	for (uint64_t work = bench_work(argc, argv, 400); work; work--) {
		write_text(&seed);
		const uint32_t size = pack();
		bench_need(unpack(size) == SIZE && !memcmp(text, unpacked, SIZE), "lz: the text came back changed");
		for (uint32_t i = 0; i < size; i += 61)
			sum = bench_add(sum, packed[i]);
		sum = bench_add(sum, size);
	}
	return bench_done("lz", sum);
}

/* Checksums byte by byte: FNV-1a (multiply), CRC-32 (table) and Adler-32 (two sums). */
#include "bench.h"

#define SIZE	65536

static uint32_t crc_table[256];

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		crc_table[i] = crc;
	}
}

static uint64_t fnv1a(const uint8_t *data, uint64_t hash)
{
	for (uint32_t i = 0; i < SIZE; i++)
		hash = (hash ^ data[i]) * 0x100000001b3u;
	return hash;
}

static uint32_t crc32(const uint8_t *data, uint32_t crc)
{
	for (uint32_t i = 0; i < SIZE; i++)
		crc = crc >> 8 ^ crc_table[(uint8_t)crc ^ data[i]];
	return crc;
}

/* 5552 bytes are the most that 32 bits hold before the remainders must be taken. */
static uint32_t adler32(const uint8_t *data, uint32_t adler)
{
	uint32_t a = adler & 0xffff, b = adler >> 16;

	for (uint32_t i = 0; i < SIZE;) {
		uint32_t end = SIZE - i < 5552 ? SIZE : i + 5552;
		for (; i < end; i++) {
			a += data[i];
			b += a;
		}
		a %= 65521;
		b %= 65521;
	}
	return b << 16 | a;
}

int main(int argc, char **argv)
{
	static uint8_t data[SIZE];
	uint64_t seed = 7, fnv = 0xcbf29ce484222325u;
	uint32_t crc = ~0u, adler = 1;

	make_crc_table();
	for (uint32_t i = 0; i < SIZE; i++)
		data[i] = bench_random(&seed);
	for (uint64_t work = bench_work(argc, argv, 1400); work; work--) {
		fnv = fnv1a(data, fnv);
		crc = crc32(data, crc);
		adler = adler32(data, adler);
	}
	return bench_done("checksum", bench_add(bench_add(fnv, crc), adler));
}

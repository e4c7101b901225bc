/* The CRC-32 of IEEE 802.3, eight bytes at a time: a table for each of the eight. */
#include <stdlib.h>
#include <string.h>

#include "savevm/stream.h"

#define POLYNOMIAL UINT32_C(0xedb88320)	/* bit-reversed */
#define TABLES 8
#define FOLDABLE 64			/* bytes at least */

uint32_t (*crc32_new(void))[256]
{
	uint32_t (*table)[256] = malloc(TABLES * sizeof *table);

	if (!table)
		return NULL;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][i] = crc;
	}
	for (unsigned t = 1; t < TABLES; t++)
		for (unsigned i = 0; i < 256; i++)
			table[t][i] = table[t - 1][i] >> 8 ^ table[0][table[t - 1][i] & 0xff];
	return table;
}

uint32_t crc32_add(uint32_t (*t)[256], uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	if (len >= FOLDABLE && crc32_is_fast()) {
		size_t most = len & ~(size_t)15;

		crc = crc32_fold(crc, p, most);
		p += most;
		len -= most;
	}
	for (; len >= 8; p += 8, len -= 8) {
		uint32_t low, high;

		memcpy(&low, p, 4);
		memcpy(&high, p + 4, 4);
		low ^= crc;
		crc = t[7][low & 0xff] ^ t[6][low >> 8 & 0xff] ^ t[5][low >> 16 & 0xff] ^ t[4][low >> 24] ^
		      t[3][high & 0xff] ^ t[2][high >> 8 & 0xff] ^ t[1][high >> 16 & 0xff] ^ t[0][high >> 24];
	}
	while (len--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 0xff];
	return ~crc;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "words are taken as the host has them");

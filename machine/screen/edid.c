#include "machine/screen/edid.h"

#include <string.h>

#define HZ 75u
#define DPI 100u

static void put_u16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

/* 3.10.2: detailed timing. Blanking is a quarter of a line and a thirtieth of a frame. */
static void put_timing(uint8_t *at, unsigned width, unsigned height)
{
	unsigned x_blank = width / 4, y_blank = height / 30 + 3, mm_x = width * 254 / (DPI * 10), mm_y = height * 254 / (DPI * 10);
	unsigned clock = (unsigned)((uint64_t)(width + x_blank) * (height + y_blank) * HZ / 10000);
	unsigned x_front = width / 16, x_sync = width / 16, y_front = 1, y_sync = 2;

	put_u16(at, clock < UINT16_MAX ? clock : UINT16_MAX);
	at[2] = (uint8_t)width;
	at[3] = (uint8_t)x_blank;
	at[4] = (uint8_t)(width >> 8 << 4 | x_blank >> 8);
	at[5] = (uint8_t)height;
	at[6] = (uint8_t)y_blank;
	at[7] = (uint8_t)(height >> 8 << 4 | y_blank >> 8);
	at[8] = (uint8_t)x_front;
	at[9] = (uint8_t)x_sync;
	at[10] = (uint8_t)(y_front << 4 | y_sync);
	at[11] = (uint8_t)(x_front >> 8 << 6 | x_sync >> 8 << 4);
	at[12] = (uint8_t)mm_x;
	at[13] = (uint8_t)mm_y;
	at[14] = (uint8_t)(mm_x >> 8 << 4 | mm_y >> 8);
	at[17] = 0x18;			/* digital, separate sync */
}

/* 3.10.3: a text of at most 13 characters. */
static void put_text(uint8_t *at, uint8_t tag, const char *text)
{
	size_t len = strlen(text);

	at[3] = tag;
	memset(at + 5, ' ', 13);
	memcpy(at + 5, text, len);
	if (len < 13)
		at[5 + len] = '\n';
}

void edid_fill(uint8_t edid[EDID_BYTES], unsigned width, unsigned height)
{
	static const uint8_t magic[] = { 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00 };
	/* 3.7: chromaticity of sRGB. */
	static const uint8_t colours[] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
	uint8_t sum = 0;

	memset(edid, 0, EDID_BYTES);
	memcpy(edid, magic, sizeof magic);
	edid[8] = (('C' - '@') << 2 | ('E' - '@') >> 3) & 0xff;		/* "CED": three letters of five bits, high byte first */
	edid[9] = (('E' - '@') << 5 | ('D' - '@')) & 0xff;
	put_u16(edid + 10, 1);		/* product */
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa5;		/* digital, 8 bits a colour, DisplayPort */
	edid[21] = (uint8_t)(width * 254 / (DPI * 100));
	edid[22] = (uint8_t)(height * 254 / (DPI * 100));
	edid[23] = 120;			/* gamma 2.2 */
	edid[24] = 0x06;		/* sRGB; the first timing is the best */
	memcpy(edid + 25, colours, sizeof colours);
	memset(edid + 38, 1, 16);	/* no standard timings */
	put_timing(edid + 54, width, height);
	put_text(edid + 72, 0xfc, "cede");
	edid[93] = edid[111] = 0x10;	/* dummies: 3.10.3.11 */
	for (unsigned i = 0; i < EDID_BYTES - 1; i++)
		sum = (uint8_t)(sum + edid[i]);
	edid[EDID_BYTES - 1] = (uint8_t)-sum;
}

#include "machine/display/drawing.h"

#include <stdarg.h>
#include <stdio.h>

#define FIRST ' '
#define LAST  '~'

static const uint8_t font[][8] = {
#define GLYPH(c, ...) [(c) - FIRST] = { __VA_ARGS__ },
#include "machine/display/font.def"
#undef GLYPH
};

static int within(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

void draw_box(const struct drawing *d, int x, int y, int width, int height, uint32_t colour)
{
	int left = within(x, d->width), right = within(x + width, d->width), bottom = within(y + height, d->height);

	for (int row = within(y, d->height); row < bottom; row++)
		for (int column = left; column < right; column++)
			d->pixel[(long)row * d->width + column] = colour;
}

static void draw_letter(const struct drawing *d, int x, int y, int size, uint32_t colour, char c)
{
	const uint8_t *rows = font[(c < FIRST || c > LAST ? '?' : c) - FIRST];

	for (int row = 0; row < 8; row++)
		for (int column = 0; column < 5; column++)
			if (rows[row] >> (4 - column) & 1)
				draw_box(d, x + column * size, y + row * size, size, size, colour);
}

void draw_text(const struct drawing *d, int x, int y, int size, uint32_t colour, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (const char *at = text; *at && x < d->width; at++, x += LETTER_WIDTH * size)
		draw_letter(d, x, y, size, colour, *at);
}

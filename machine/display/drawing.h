/* Boxes and texts, as pixels 0x00RRGGBB. What lies outside the picture is not drawn. */
#ifndef MACHINE_DISPLAY_DRAWING_H
#define MACHINE_DISPLAY_DRAWING_H

#include <stdint.h>

struct drawing {
	uint32_t *pixel;
	int width, height;
};

#define LETTER_WIDTH  6			/* with the space between two; times a text's size */
#define LETTER_HEIGHT 9

void draw_box(const struct drawing *d, int x, int y, int width, int height, uint32_t colour);
/* Letters are `size` times 5 x 8 dots; (x, y) is the text's upper left corner. What is not ASCII is a '?'. */
void draw_text(const struct drawing *d, int x, int y, int size, uint32_t colour, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));

#endif

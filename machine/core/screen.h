/* Screens: what a device shows, row by row, for those who put it before a user or into a file. */
#ifndef MACHINE_CORE_SCREEN_H
#define MACHINE_CORE_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#define SCREEN_MOST 4096u		/* columns, and rows */

struct device;

struct screen {
	uint32_t width, height;		/* never 0: a device that shows nothing is black */
	/* Row y, which there is, as 0x00RRGGBB a pixel, `width` of them. */
	void (*draw)(const struct device *dev, unsigned y, uint32_t *pixel);
	/* Whether it has another look than when this was last asked. For one who shows it to a user. */
	bool (*changed)(struct device *dev, unsigned y);
};

#endif

/* Pictures as files: PPM (netpbm), PNG (W3C, Portable Network Graphics, second edition). */
#ifndef MACHINE_HOST_PICTURE_H
#define MACHINE_HOST_PICTURE_H

#include <stdint.h>

#include "savevm/error.h"

enum picture_format { PICTURE_UNKNOWN, PICTURE_PPM, PICTURE_PNG };
enum picture_format picture_format(const char *name);

/* `pixel`: 0x00RRGGBB, row by row. The file is whole or the old one. False and err->msg set. */
bool picture_write(const char *path, enum picture_format format, const uint32_t *pixel, unsigned width, unsigned height,
		   struct error *err);

#endif

/* A virtual terminal: the console behind H_GET_TERM_CHAR and H_PUT_TERM_CHAR. */
#ifndef MACHINE_VIO_VIO_VTY_H
#define MACHINE_VIO_VIO_VTY_H

#include "machine/vio/vio.h"

#define VTY_PACKET 16			/* bytes in one call, and in the input ring */

struct vty;

extern const struct device_class vty_class;	/* one for each -serial */

/* The terminal with that unit address; 0 is the first one. NULL: none. */
struct vty *vty_find(struct machine *m, uint32_t reg);
/* Sends bytes to the host. Never makes the guest wait. */
void vty_put(struct vty *vty, const uint8_t *buf, unsigned len);
/* Takes what has been typed, at most 16 bytes; how many. */
unsigned vty_get(struct vty *vty, uint8_t buf[VTY_PACKET]);
/* The same for who wants bytes and no packets: at most `len` of them. */
unsigned vty_take(struct vty *vty, uint8_t *buf, unsigned len);

#endif

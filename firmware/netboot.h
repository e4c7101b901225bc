/* Booting from a network: an address and a file's name by DHCP, the file by TFTP, which is a kernel in ELF.
 * Sources: RFC 2131, 2132 (DHCP), 1350, 2347 to 2349 (TFTP and its options). */
#ifndef FIRMWARE_NETBOOT_H
#define FIRMWARE_NETBOOT_H

#include "firmware/state.h"

#define NETBOOT_MAX (UINT64_C(256) << 20)	/* bytes of a file */

/* Is there a card with a network on it? */
bool netboot_possible(const struct machine *m);
/* The kernel that the network has is fw->kernel. False and err->msg set. */
bool netboot(struct machine *m, struct net *n, struct error *err);
void netboot_forget(struct firmware *fw);

#endif

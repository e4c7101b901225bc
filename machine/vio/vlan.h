/* A virtual Ethernet card (spapr-vlan, PAPR's Interpartition Logical LAN), for hcall/lan.c.
 *
 * All that it has is in guest memory, at the I/O addresses of its window:
 *   the buffer list, a page that the guest gives and leaves alone: a descriptor of the queue, one of the filters' page, and in
 *     its last 8 bytes how many frames were lost for want of a buffer;
 *   the receive queue, entries of 16 bytes: control, a byte of nothing, where in the buffer the frame begins (2 bytes), its length
 *     (4), the buffer's handle (8); who has read it once around expects another toggle bit;
 *   buffers, whose first 8 bytes are a handle of the guest's, and the frame follows.
 * Buffers wait here in pools, one for each size.
 *
 * PAPR, "Interpartition Logical LAN (ILLAN) Option"; pools, limits and how it is saved are QEMU's. */
#ifndef MACHINE_VIO_VLAN_H
#define MACHINE_VIO_VLAN_H

#include "machine/vio/vio.h"

struct vlan;

/* A descriptor: flags, a length of 24 bits, an I/O address of 32. */
#define VLAN_VALID     UINT64_C(0x8000000000000000)
#define VLAN_TOGGLE    UINT64_C(0x4000000000000000)
#define VLAN_LENGTH(d) ((uint32_t)((d) >> 32) & 0xffffffu)
#define VLAN_PLACE(d)  ((d) & 0xffffffffu)

#define VLAN_FRAME_MAX 65536u		/* bytes that the guest may send at once */
#define VLAN_PIECES    6u		/* descriptors of such a frame */

enum vlan_result { VLAN_OK, VLAN_WRONG, VLAN_TAKEN, VLAN_CLOSED, VLAN_FULL, VLAN_UNMAPPED };

struct vlan *vlan_find(const struct machine *m, uint64_t unit);	/* NULL: no such card */
/* The card is open from now on: WRONG: not pages, or not mapped for reading and writing; TAKEN: it is open. */
enum vlan_result vlan_register(struct vlan *l, uint64_t list, uint64_t queue, uint64_t filters);
enum vlan_result vlan_free(struct vlan *l);			/* CLOSED */
/* WRONG: of less than 16 bytes, or not mapped; CLOSED; FULL: no pool has room. */
enum vlan_result vlan_add_buffer(struct vlan *l, uint64_t buffer);
/* The pieces up to the first that is not valid, as one frame. CLOSED; FULL: too long; UNMAPPED: nothing is sent. */
enum vlan_result vlan_send(struct vlan *l, const uint64_t piece[VLAN_PIECES]);
bool vlan_is_open(const struct vlan *l);
void vlan_set_mac(struct vlan *l, uint64_t mac);		/* its low 48 bits; until it is freed */

#endif

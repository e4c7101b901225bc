/* Command/response queues (CRQ): how a guest and a VIO device send each other messages of 16 bytes. The guest sends by
 * hypercall; the device writes into a ring in the guest's memory, which it reaches through the device's DMA window.
 * PAPR, "Command/Response Queue". The hypercalls are hcall/crq.c's. */
#ifndef MACHINE_VIO_CRQ_H
#define MACHINE_VIO_CRQ_H

#include "machine/vio/vio.h"

#define CRQ_ENTRY    16u
#define CRQ_PAGE     UINT64_C(4096)	/* a queue begins on one and has whole ones */
#define CRQ_MAX_SIZE UINT64_C(0x10000000)

/* Byte 0 of an entry. */
enum crq_valid { CRQ_FREE = 0x00, CRQ_MESSAGE = 0x80, CRQ_INIT = 0xc0, CRQ_EVENT = 0xff };
/* Byte 1, of an initialization. */
enum crq_init { CRQ_INITIALIZE = 1, CRQ_INITIALIZED = 2 };

enum crq_answer { CRQ_OK, CRQ_WRONG, CRQ_NONE, CRQ_TAKEN };

/* CRQ_WRONG: no such queue can be; CRQ_NONE: the device has none; CRQ_TAKEN: one is registered. Whether its memory is
 * mapped is not asked: an entry that cannot be written is lost. */
enum crq_answer crq_register(struct vio_device *vio, uint64_t addr, uint64_t size);
/* What the guest has asked for and not been told yet it is not told any more. */
void crq_free(struct vio_device *vio);
bool crq_is_open(const struct vio_device *vio);
/* The guest's message goes to the device. False: it has no queue to answer on. */
bool crq_receive(struct vio_device *vio, const uint8_t entry[CRQ_ENTRY]);
/* The device's message goes into the ring, byte 0 last, and the interrupt is raised. False: there is no queue, no room
 * in it, or no memory: the message is lost. */
bool crq_send(struct vio_device *vio, const uint8_t entry[CRQ_ENTRY]);

#endif

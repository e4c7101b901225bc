/* A guest of virtual SCSI for tests: an adapter with its queue, the memory behind it, and a target of the test's own
 * (the program is linked with --wrap for the bus's functions). Included once by each program. */
#ifndef TESTS_VSCSI_GUEST_H
#define TESTS_VSCSI_GUEST_H

#include <stdlib.h>

#include "hcall/hcall.h"
#include "machine/core/device.h"
#include "machine/disk/scsi.h"
#include "machine/vio/crq.h"
#include "machine/vio/srp.h"

/* In the device's window, which maps its first pages to RAM from GUEST_RAM on; GUEST_ODD is the last of them and may
 * only be read, GUEST_HOLE behind it is not mapped. */
#define GUEST_RAM   UINT64_C(0x100000)
#define GUEST_QUEUE UINT64_C(0)
#define GUEST_IU    UINT64_C(0x1000)
#define GUEST_TABLE UINT64_C(0x2000)
#define GUEST_DATA  UINT64_C(0x8000)
#define GUEST_PAGES 64u
#define GUEST_ODD   ((GUEST_PAGES - 1) * UINT64_C(4096))
#define GUEST_HOLE  (GUEST_PAGES * UINT64_C(4096))

extern const struct device_class vscsi_class;
hcall_fn hcall_H_REG_CRQ, hcall_H_FREE_CRQ, hcall_H_SEND_CRQ, hcall_H_ENABLE_CRQ;

struct guest {
	struct machine *m;
	struct vio_device *vio;
	uint32_t next;			/* byte of the queue that the next answer is looked for at */
};

static inline void guest_map(struct guest *g)
{
	for (unsigned i = 0; i < GUEST_PAGES; i++)
		tce_put(&g->vio->window, i * UINT64_C(4096), (GUEST_RAM + i * UINT64_C(4096)) | TCE_READ |
			(i == GUEST_PAGES - 1 ? 0 : TCE_WRITE));
}

static inline uint8_t *guest_at(const struct guest *g, uint64_t ioba)
{
	return g->m->ram.base + GUEST_RAM + ioba;
}

static inline bool guest_new(struct guest *g, struct machine *m, struct error *err)
{
	*g = (struct guest){ .m = m, .vio = (struct vio_device *)device_new(m, &vscsi_class, "", err) };
	if (g->vio)
		guest_map(g);
	return g->vio != NULL;
}

static inline int64_t guest_call(const struct guest *g, hcall_fn *fn, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t in[HCALL_MAX_IN] = { a, b, c }, out[HCALL_MAX_OUT] = { 0 };

	return fn(&g->m->cpu[0]->cpu, in, out);
}

static inline int64_t guest_send(const struct guest *g, uint8_t valid, uint8_t format, uint16_t size, uint64_t ioba)
{
	return guest_call(g, hcall_H_SEND_CRQ, g->vio->reg, (uint64_t)valid << 56 | (uint64_t)format << 48 | size, ioba);
}

static inline int64_t guest_open(struct guest *g)
{
	g->next = 0;
	memset(guest_at(g, GUEST_QUEUE), 0, 4096);
	return guest_call(g, hcall_H_REG_CRQ, g->vio->reg, GUEST_QUEUE, 4096);
}

/* Takes the next answer; false: there is none. */
static inline bool guest_answer(struct guest *g, uint8_t entry[CRQ_ENTRY])
{
	uint8_t *at = guest_at(g, GUEST_QUEUE + g->next);

	memcpy(entry, at, CRQ_ENTRY);
	if (!*at)
		return false;
	*at = 0;
	g->next = (g->next + CRQ_ENTRY) % 4096;
	return true;
}

/* ---- The target: unit 0 of target 0 on channel 0 ---- */

#define TARGET_HELD 64
/* First bytes of its commands. A held one ends when target_go() says so. */
enum target_opcode { TARGET_FAIL = 0x00, TARGET_READ = 0x12, TARGET_WRITE = 0x2a, TARGET_HOLD = 0x28, TARGET_LITTLE = 0xa0 };

static struct {
	const struct scsi_adapter *adapter;
	struct scsi_command *held[TARGET_HELD], last;
	unsigned n, executed, resets;
	uint8_t taken[256];		/* the first bytes of the last write */
} target;

static inline bool target_is(struct scsi_address at)
{
	return !at.channel && !at.target && !at.lun;
}

/* Moves as many bytes as there is room for, at most `most`, of a pattern, and ends the command. */
static inline void target_finish(struct device *dev, struct scsi_command *c, uint32_t most)
{
	uint32_t n = c->out_bytes ? c->out_bytes : c->in_bytes;
	uint8_t *buf;
	bool ok;

	n = n < most ? n : most;
	buf = malloc(n + 1);
	for (uint32_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(i * 7 + 1);
	ok = c->out_bytes ? target.adapter->take(dev, c, 0, buf, n) : target.adapter->give(dev, c, 0, buf, n);
	if (c->out_bytes && ok)
		memcpy(target.taken, buf, n < sizeof target.taken ? n : sizeof target.taken);
	free(buf);
	c->moved = ok ? n : 0;
	c->status = ok && c->cdb[0] != TARGET_FAIL ? SCSI_GOOD : SCSI_CHECK_CONDITION;
	if (c->status != SCSI_GOOD) {
		memset(c->sense, 0x5a, sizeof c->sense);
		c->sense_bytes = 18;
	}
	target.adapter->done(dev, c);
}

static inline void target_count(struct device *dev)
{
	((struct scsi_bus_state *)dev->carries)->in_flight = target.n;
}

/* The i-th that is held, which then is not. */
static inline void target_go(struct device *dev, unsigned i, bool abort)
{
	struct scsi_command *c = target.held[i];

	memmove(target.held + i, target.held + i + 1, (--target.n - i) * sizeof target.held[0]);
	target_count(dev);
	c->status = SCSI_TASK_ABORTED;
	if (abort)
		target.adapter->done(dev, c);
	else
		target_finish(dev, c, UINT32_MAX);
}

void __wrap_scsi_bus_init(struct device *dev, struct scsi_bus_state *bus, const struct scsi_adapter *functions);
void __wrap_scsi_bus_init(struct device *dev, struct scsi_bus_state *bus, const struct scsi_adapter *functions)
{
	dev->carries = bus;
	target.adapter = bus->adapter = functions;
}

void __wrap_scsi_execute(struct device *dev, struct scsi_command *c);
void __wrap_scsi_execute(struct device *dev, struct scsi_command *c)
{
	target.executed++;
	target.last = *c;
	c->absent = !target_is(c->address);
	if (c->absent)
		target.adapter->done(dev, c);
	else if (c->cdb[0] == TARGET_HOLD && target.n < TARGET_HELD) {
		target.held[target.n++] = c;
		target_count(dev);
	} else
		target_finish(dev, c, c->cdb[0] == TARGET_LITTLE ? 36 : UINT32_MAX);
}

unsigned __wrap_scsi_abort(struct device *dev, struct scsi_address at, const uint64_t *tag);
unsigned __wrap_scsi_abort(struct device *dev, struct scsi_address at, const uint64_t *tag)
{
	unsigned n = 0;

	for (unsigned i = target.n; i-- > 0;)
		if (target_is(at) && (!tag || target.held[i]->tag == *tag)) {
			target_go(dev, i, true);
			n++;
		}
	return n;
}

void __wrap_scsi_reset_target(struct device *dev, struct scsi_address at);
void __wrap_scsi_reset_target(struct device *dev, struct scsi_address at)
{
	target.resets++;
	__wrap_scsi_abort(dev, at, NULL);
}

void __wrap_scsi_bus_drop(struct device *dev);
void __wrap_scsi_bus_drop(struct device *dev)
{
	while (target.n)
		target.adapter->drop(dev, target.held[--target.n]);
	target_count(dev);
}

struct device *__wrap_scsi_find(const struct device *dev, struct scsi_address at);
struct device *__wrap_scsi_find(const struct device *dev, struct scsi_address at)
{
	return target_is(at) ? (struct device *)(uintptr_t)dev : NULL;
}

#endif

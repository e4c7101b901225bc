/* ibm,client-architecture-support: the guest lists the processors and options that it knows, the
 * platform picks. PAPR, "Root Node Methods"; option vectors: PAPR, Table "ibm,architecture.vec". */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "cpu/core/model.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"
#include "machine/irq/irq.h"

#define MAX_PVRS   512
#define MAX_VECTOR 256			/* bytes: the length byte says bytes - 1 */
#define REAL_ADDR  (~UINT64_C(0) >> 4)	/* real mode ignores the top 4 address bits */

struct option_vector {
	uint8_t byte[MAX_VECTOR + 1];	/* numbered from 1 as in the tables; absent ones are 0 */
	unsigned len;
};

/* Byte 3 of vector 1: who does not know ISA 3.0 may take the radix MMU for one that it can use, so it is not told of it. */
#define VEC1_ISA_3  0x80
#define VEC5_SHARED 0x40		/* byte 2 */
#define VEC5_XIVE   0x40		/* byte 23, of two bits: the guest uses it, and no XICS */
#define VEC5_XIVE_MASK 0xc0
#define VEC5_RADIX  0x40		/* byte 24 */
#define VEC5_GTSE   0x40		/* byte 26 */

#define VEC5_RESIZE 0x01		/* byte 6 */
#define VEC5_HOTPLUG 0x04		/* byte 6: an interrupt of its own for what is plugged in and out */

/* Option vector 5, what the platform has to offer in each byte. */
static const uint8_t offered_vec5[27] = {
	[2] = VEC5_SHARED,
	[5] = 0x80,	/* form 1 affinity */
	[6] = VEC5_RESIZE | VEC5_HOTPLUG,	/* another size of hash page table */
	[23] = VEC5_XIVE,
	[24] = VEC5_RADIX,	/* or hash */
	[26] = 0x40,	/* radix: guest translation shootdown */
};

/* PCR acts on problem state alone: privileged software knows what it asked for. */
void firmware_appear_as(struct machine *m, const struct cpu_level *level)
{
	m->compat_pvr = level ? level->logical_pvr : 0;
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->cpu.logical_pvr = m->compat_pvr;
	engine_limit_problem_state(m->engine, level ? level->since : m->config->cpu_model->since);
}

/* Reads the guest's list of (mask, PVR) pairs; *vec is then behind it. *raw: the processor's own PVR fits one of
 * them; *best: the model's highest level up to `top` among them, NULL none. False: the list has no end within
 * RAM and MAX_PVRS. */
static bool pvr_list(const struct cpu_model *model, const struct ram *ram, const struct cpu_level *top, uint64_t *vec, bool *raw,
		     const struct cpu_level **best)
{
	const struct cpu_level *level;

	*raw = false;
	*best = NULL;
	for (unsigned i = 0; i < MAX_PVRS && ram_ok(ram, *vec, 8); i++) {
		uint32_t mask = ld_be32(ram, *vec), pvr = ld_be32(ram, *vec + 4);

		*vec += 8;
		if (pvr & ~mask)
			return true;
		level = cpu_model_find_level(model, pvr);
		if ((model->pvr & mask) == (pvr & mask))
			*raw = true;
		else if (level && level <= top && (!*best || level > *best))
			*best = level;
	}
	return false;
}

/* Option vector `n`; `table` is where the number of vectors stands. False: not given. */
static bool vector_get(const struct ram *ram, uint64_t table, unsigned n, struct option_vector *v)
{
	uint64_t at = table + 1;

	if (!ram_ok(ram, table, 1) || n > ld_u8(ram, table) + 1u)
		return false;
	for (unsigned i = 1;; i++) {
		if (!ram_ok(ram, at, 1))
			return false;
		v->len = ld_u8(ram, at) + 1u;
		if (i == n)
			break;
		at += 1 + v->len;
	}
	memset(v->byte, 0, sizeof v->byte);
	return ram_read(ram, at + 1, v->byte + 1, v->len);
}

static void tree_replace(struct machine *m, void *fdt, uint64_t size)
{
	free(m->fdt);
	m->fdt = fdt;
	m->fdt_size = size;
	firmware_tree_changed(m);
}

/* Gives the tree room for changes: a packed one, or one that the guest has given, has none. */
static bool tree_grow(struct machine *m)
{
	void *fdt = calloc(1, TREE_MAX_SIZE);

	if (!fdt || fdt_open_into(m->fdt, fdt, (int)TREE_MAX_SIZE) < 0) {
		free(fdt);
		return false;
	}
	tree_replace(m, fdt, TREE_MAX_SIZE);
	return true;
}

static int64_t refuse_cas(struct machine *m, int64_t code, const char *why)
{
	machine_log(m, LOG_GUEST_ERROR, "client-architecture-support refused: %s", why);
	return code;
}

static bool others_run(const struct machine *m, const struct cpu *self)
{
	for (unsigned i = 0; i < m->ncpus; i++)
		if (&m->cpu[i]->cpu != self && m->cpu[i]->cpu.run_state != CPU_STOPPED)
			return true;
	return false;
}

/* Option vector 5 as agreed on, in the form in which QEMU's snapshots have it. */
static void keep_vector(struct machine *m, const struct option_vector *v5)
{
	memset(m->ov5_cas, 0, sizeof m->ov5_cas);
	for (unsigned bit = 0; bit < 8 * MAX_VECTOR; bit++)
		if (v5->byte[bit / 8 + 1] >> (7 - bit % 8) & 1)
			m->ov5_cas[bit / 64] |= UINT64_C(1) << bit % 64;
}

/* A guest that does not know shared processors must not see the SPLPAR option. If its processors are shared all the
 * same, all that it notices is that it gets fewer cycles. */
static bool hide_splpar(struct machine *m)
{
	if (m->dispatcher->shared)
		machine_log(m, LOG_GUEST_ERROR, "the guest does not know shared processors, and it runs on them");
	m->splpar_off = true;
	return tree_hide_splpar(m->fdt) >= 0;
}

static bool controller_there(const struct machine *m, uint8_t wanted)
{
	return wanted == VEC5_XIVE ? m->xive != NULL : !wanted && m->xics;
}

int64_t cas_negotiate(struct cpu *cpu, uint64_t vec)
{
	struct machine *m = cpu_machine(cpu);
	const struct cpu_model *model = m->config->cpu_model;
	uint32_t max = m->config->compat_pvr;
	const struct cpu_level *top = cpu_model_find_level(model, max), *best;
	struct option_vector v1, v5;
	bool raw, by_xive;

	if (others_run(m, cpu))
		return refuse_cas(m, H_MULTI_THREADS_ACTIVE, "other processors run");
	vec &= REAL_ADDR;
	if (!top)
		top = cpu_model_level(model);
	if (!pvr_list(model, &m->ram, top, &vec, &raw, &best))
		return refuse_cas(m, H_PARAMETER, "the list of processor versions has no end");
	if (!best && (!raw || max))
		return refuse_cas(m, H_HARDWARE, "no processor version in common");
	if (!vector_get(&m->ram, vec, 1, &v1) || !vector_get(&m->ram, vec, 5, &v5))
		return refuse_cas(m, H_PARAMETER, "option vector 1 or 5 is missing");
	if (v5.byte[24] & 0x80)
		return refuse_cas(m, H_PARAMETER, "the guest asks for both MMUs");
	if (!(best ? best : cpu_model_level(model))->radix && v5.byte[24] & VEC5_RADIX)
		return refuse_cas(m, H_PARAMETER, "the guest asks for the radix MMU, and its processor has none");
	if (!controller_there(m, v5.byte[23] & VEC5_XIVE_MASK))
		return refuse_cas(m, H_PARAMETER, "the guest asks for an interrupt controller that is not there (-M ic-mode=dual has both)");
	if (m->config->resize_hpt == RESIZE_HPT_REQUIRED && !(v5.byte[24] & VEC5_RADIX) && !(v5.byte[6] & VEC5_RESIZE))
		return refuse_cas(m, H_HARDWARE, "the guest cannot change its hash page table's size (-M resize-hpt=required)");
	for (unsigned i = 0; i < ARRAY_SIZE(v5.byte); i++)
		v5.byte[i] &= i < ARRAY_SIZE(offered_vec5) ? offered_vec5[i] : 0;
	if (m->config->resize_hpt == RESIZE_HPT_DISABLED)
		v5.byte[6] &= (uint8_t)~VEC5_RESIZE;
	if (!(v5.byte[24] & VEC5_RADIX))
		v5.byte[26] &= (uint8_t)~VEC5_GTSE;
	if (!tree_grow(m) || tree_set_vec5(m->fdt, v5.byte + 1, MAX_VECTOR) < 0)
		return refuse_cas(m, H_HARDWARE, "no room in the device tree");
	if (!(v5.byte[2] & VEC5_SHARED) && !hide_splpar(m))
		return refuse_cas(m, H_HARDWARE, "no room in the device tree");
	if (tree_set_level(m->fdt, m->ncpus / m->threads, m->config, best, v1.byte[3] & VEC1_ISA_3) < 0)
		return refuse_cas(m, H_HARDWARE, "no room in the device tree");
	firmware_appear_as(m, best);
	m->radix = v5.byte[24] & VEC5_RADIX;
	by_xive = irq_by_xive(m);
	keep_vector(m, &v5);
	irq_mode_changed(m);
	if (by_xive != irq_by_xive(m) && tree_set_controller(m, m->fdt) < 0)
		return refuse_cas(m, H_HARDWARE, "no room in the device tree");
	m->cas_done = true;
	return H_SUCCESS;
}

/* What stands before the answer's tree: the version of its format. */
#define CAS_HEAD 4u

/* A buffer too small for the tree as it is changes nothing. One that only what is agreed on makes too small is refused after all. */
static bool tree_has_room(const void *fdt, uint64_t size)
{
	return size >= (uint64_t)fdt_off_dt_strings(fdt) + fdt_size_dt_strings(fdt) + CAS_HEAD;
}

int64_t firmware_cas(struct cpu *cpu, const uint64_t *in)
{
	struct machine *m = cpu_machine(cpu);
	uint64_t buf = in[1] & REAL_ADDR, size = in[2];
	int64_t rc;

	if (!m->fdt || !tree_has_room(m->fdt, size) || !ram_ok(&m->ram, buf, size))
		return H_PARAMETER;
	rc = cas_negotiate(cpu, in[0]);
	if (rc != H_SUCCESS)
		return rc;
	if (fdt_pack(m->fdt) < 0)
		return H_HARDWARE;
	m->fdt_size = fdt_totalsize(m->fdt);
	if (m->fdt_size > size - CAS_HEAD)
		return H_PARAMETER;
	st_be32(&m->ram, buf, 1);	/* version of the update format: a whole tree follows */
	ram_write(&m->ram, buf + CAS_HEAD, m->fdt, m->fdt_size);
	return H_SUCCESS;
}

int64_t firmware_update_dt(struct cpu *cpu, const uint64_t *in)
{
	struct machine *m = cpu_machine(cpu);
	uint64_t addr = in[0] & REAL_ADDR;
	uint32_t size = ld_be32(&m->ram, addr + 4);	/* totalsize */
	void *given, *fdt;
	const char *why;

	if (size < sizeof(struct fdt_header) || size > m->firmware->tree_limit || !ram_ok(&m->ram, addr, size))
		return H_PARAMETER;
	given = malloc(size);
	if (!given)
		return H_NO_MEM;
	ram_read(&m->ram, addr, given, size);
	why = tree_check(given, size);
	fdt = why ? NULL : tree_copy(given, &size);
	free(given);
	if (why) {
		machine_log(m, LOG_GUEST_ERROR, "device tree refused: %s", why);
		return H_PARAMETER;
	}
	if (!fdt)
		return H_NO_MEM;
	tree_replace(m, fdt, size);
	return H_SUCCESS;
}

/* Builds the device tree; see fdt.h. The names, numbers and flags are what PAPR, "Device Tree" and
 * QEMU's pseries machine say: a guest keeps many of them in RAM, so that a snapshot carries them.
 *
 * libfdt puts a new node before its siblings: what is written last comes first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/fdt.h"
#include "hcall/affinity.h"
#include "hcall/dispatcher.h"
#include "hcall/energy.h"
#include "hcall/hcall.h"
#include "machine/core/machine.h"
#include "machine/irq/xics.h"
#include "machine/rtas/rtas.h"
#include "machine/core/config.h"
#include "machine/vio/nvram.h"
#include "machine/vio/vio.h"
#include "savevm/error.h"

#define CACHE_LINE 128		/* bytes, both L1 caches; so is cbz */
#define L1_SIZE    0x8000	/* bytes, each */
#define SLB_SIZE   32
#define LMB_SIZE   UINT64_C(0x10000000)
#define PARTITION_NUMBER 1

/* A tree under construction; the first error stays. */
struct tree {
	void *fdt;
	int err;
};

static void keep(struct tree *t, int err)
{
	if (err < 0 && !t->err)
		t->err = err;
}

static int node(struct tree *t, int parent, const char *name)
{
	int offset = fdt_add_subnode(t->fdt, parent, name);

	keep(t, offset);
	return offset;
}

static int node_at(struct tree *t, int parent, const char *name, uint64_t unit)
{
	char buf[64];

	snprintf(buf, sizeof buf, "%s@%llx", name, (unsigned long long)unit);
	return node(t, parent, buf);
}

static void bytes(struct tree *t, int at, const char *name, const void *value, size_t len)
{
	keep(t, fdt_setprop(t->fdt, at, name, value, (int)len));
}

static void flag(struct tree *t, int at, const char *name)
{
	bytes(t, at, name, NULL, 0);
}

static void cell(struct tree *t, int at, const char *name, uint32_t value)
{
	keep(t, fdt_setprop_u32(t->fdt, at, name, value));
}

static void string(struct tree *t, int at, const char *name, const char *value)
{
	keep(t, fdt_setprop_string(t->fdt, at, name, value));
}

static void cells_n(struct tree *t, int at, const char *name, const uint32_t *value, unsigned n)
{
	fdt32_t be[2 * MACHINE_MAX_CPUS];

	for (unsigned i = 0; i < n; i++)
		be[i] = cpu_to_fdt32(value[i]);
	bytes(t, at, name, be, n * sizeof be[0]);
}

#define CELLS(t, at, name, ...) \
	cells_n(t, at, name, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
#define HIGH_LOW(v) (uint32_t)((uint64_t)(v) >> 32), (uint32_t)(v)

uint64_t tree_rma_size(const struct machine *m)
{
	return m->ram.size;
}

const char *tree_partition_name(const struct machine *m)
{
	return m->config->name ? m->config->name : "cede";
}

/* Of something on that chip; `own` are n numbers below the levels. */
static void associativity(struct tree *t, int at, unsigned chip, const uint32_t *own, unsigned n)
{
	uint32_t value[1 + AFFINITY_LEVELS + 1] = { AFFINITY_LEVELS + n };

	affinity_domains(chip, value + 1);
	memcpy(value + 1 + AFFINITY_LEVELS, own ? own : value, n * sizeof *own);
	cells_n(t, at, "ibm,associativity", value, 1 + AFFINITY_LEVELS + n);
}

/* ---- /memory@0 ---- */
static void add_memory(struct tree *t, const struct machine *m)
{
	int at = node_at(t, 0, "memory", 0);

	string(t, at, "device_type", "memory");
	CELLS(t, at, "reg", HIGH_LOW(0), HIGH_LOW(tree_rma_size(m)));
	associativity(t, at, 0, NULL, 0);
}

/* ---- /vdevice ---- */
static void add_vio(struct tree *t, const struct machine *m, int vdevice, const struct vio_device *dev)
{
	int at;

	if (!dev)
		return;
	add_vio(t, m, vdevice, dev->next);
	at = node_at(t, vdevice, dev->class->name, dev->reg);
	cell(t, at, "reg", dev->reg);
	if (dev->class->device_type)
		string(t, at, "device_type", dev->class->device_type);
	if (dev->class->compatible)
		string(t, at, "compatible", dev->class->compatible);
	if (dev->irq)
		CELLS(t, at, "interrupts", dev->irq, 0);
	if (m->nvram && dev == &m->nvram->vio)
		cell(t, at, "#bytes", m->nvram->size);
}

static void add_vdevice(struct tree *t, const struct machine *m)
{
	int at = node(t, 0, "vdevice");

	string(t, at, "device_type", "vdevice");
	string(t, at, "compatible", "IBM,vdevice");
	cell(t, at, "#address-cells", 1);
	cell(t, at, "#size-cells", 0);
	cell(t, at, "#interrupt-cells", 2);
	flag(t, at, "interrupt-controller");
	add_vio(t, m, at, m->vio->devices);
}

/* The first terminal is the console; false if there is none. */
static bool stdout_path(const struct machine *m, char *buf, size_t size)
{
	for (const struct vio_device *dev = m->vio->devices; dev; dev = dev->next) {
		if (!strcmp(dev->class->name, "vty")) {
			snprintf(buf, size, "/vdevice/vty@%x", dev->reg);
			return true;
		}
	}
	return false;
}

/* ---- /cpus ---- */

/* ibm,pa-features, by the byte and bit numbers of PAPR's table of processor architecture
 * attributes. Off though POWER9 has them: transactional memory (22), decimal floating point (54), and
 * what would count and match (DABR in 0, performance monitor in 28 and 42) but does not here. */
static const uint8_t pa_features[2 + 66] = {
	66, 0,			/* length, attribute specifier type */
	[2 + 0] = 0xf2,		/* MMU, FPU, SLB, RUN, no-execute */
	[2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 3] = 0xc0, [2 + 4] = 0x80,
	[2 + 5] = 0xf0,		/* little-endian, CFAR, exception boundaries, lq and stq */
	[2 + 6] = 0x80,
	[2 + 16] = 0x80,	/* vector */
	[2 + 18] = 0x80,	/* VSX */
	[2 + 20] = 0x80,	/* vector XOR */
	[2 + 24] = 0x80,	/* external decrementer */
	[2 + 26] = 0x80,	/* 64-bit features */
	[2 + 30] = 0x80,	/* MMR */
	[2 + 32] = 0x80,	/* little-endian atomics */
	[2 + 34] = 0xc0,	/* event-based branches */
	[2 + 36] = 0x80,	/* SPR SO */
	[2 + 38] = 0x80,	/* copy and paste */
	[2 + 40] = 0x80,	/* radix MMU */
	[2 + 44] = 0x80,	/* PC-relative adds */
	[2 + 46] = 0x80,	/* system call vectored */
	[2 + 48] = 0x80,	/* SIMD */
	[2 + 50] = 0x80,	/* quad-precision binary floating point */
	[2 + 52] = 0x80,	/* string */
	[2 + 56] = 0x80,	/* decimal integer */
	[2 + 58] = 0x80,	/* SHA */
	[2 + 60] = 0x80,	/* near-memory atomics */
	[2 + 62] = 0x80,	/* darn */
};

static void add_threads(struct tree *t, const struct machine *m, int at, uint32_t core)
{
	uint32_t server[MACHINE_MAX_CPUS], gserver[2 * MACHINE_MAX_CPUS];

	for (unsigned i = 0; i < m->threads; i++) {
		server[i] = core + i;
		gserver[2 * i] = core + i;
		gserver[2 * i + 1] = 0;
	}
	cells_n(t, at, "ibm,ppc-interrupt-server#s", server, m->threads);
	cells_n(t, at, "ibm,ppc-interrupt-gserver#s", gserver, 2 * m->threads);
}

static void add_mmu(struct tree *t, int at)
{
	cell(t, at, "slb-size", SLB_SIZE);
	cell(t, at, "ibm,slb-size", SLB_SIZE);
	CELLS(t, at, "ibm,processor-segment-sizes", 28, 40, ~0u, ~0u);
	/* 4 KiB and 64 KiB bases: shift, SLB encoding, page sizes (shift, PTE encoding). */
	CELLS(t, at, "ibm,segment-page-sizes", 12, 0, 1, 12, 0, 16, 0x110, 1, 16, 1);
	/* AP << 29 | shift: 4 KiB, 64 KiB, 2 MiB, 1 GiB. */
	CELLS(t, at, "ibm,processor-radix-AP-encodings", 0u << 29 | 12, 5u << 29 | 16, 1u << 29 | 21, 2u << 29 | 30);
}

/* Where a core is. Processors of a pool may be anywhere in it: nothing that says
 * more. PAPR, "Device Tree Variances". */
static void add_place(struct tree *t, const struct machine *m, int at, unsigned first)
{
	const struct config *o = m->config;
	uint32_t core = m->cpu[first]->cpu.pir;
	unsigned per_socket = m->threads * (o->cores ? o->cores : 1);

	if (m->dispatcher->shared) {
		associativity(t, at, 0, NULL, 0);
	} else {
		associativity(t, at, 0, &core, 1);
		cell(t, at, "ibm,chip-id", first / per_socket);
	}
}

static void add_core(struct tree *t, const struct machine *m, int cpus, unsigned first)
{
	uint32_t core = m->cpu[first]->cpu.pir;
	int at = node_at(t, cpus, "PowerPC,POWER9", core);

	cell(t, at, "reg", core);
	string(t, at, "device_type", "cpu");
	string(t, at, "status", "okay");
	cell(t, at, "cpu-version", m->cpu[first]->cpu.pvr);
	cell(t, at, "timebase-frequency", (uint32_t)TIMEBASE_HZ);
	cell(t, at, "clock-frequency", (uint32_t)CPU_HZ);
	cell(t, at, "d-cache-block-size", CACHE_LINE);
	cell(t, at, "d-cache-line-size", CACHE_LINE);
	cell(t, at, "i-cache-block-size", CACHE_LINE);
	cell(t, at, "i-cache-line-size", CACHE_LINE);
	cell(t, at, "d-cache-size", L1_SIZE);
	cell(t, at, "i-cache-size", L1_SIZE);
	flag(t, at, "64-bit");
	cell(t, at, "ibm,purr", 1);
	cell(t, at, "ibm,spurr", 1);
	cell(t, at, "ibm,vmx", 2);	/* with VSX */
	add_mmu(t, at);
	bytes(t, at, "ibm,pa-features", pa_features, sizeof pa_features);
	add_place(t, m, at, first);
	if (m->config->large_decr)
		cell(t, at, "ibm,dec-bits", 56);
	add_threads(t, m, at, core);
}

/* The names that H_BEST_ENERGY has for cores. Nothing says that one could be taken away (ibm,drc-names,
 * -types and -power-domains, and ibm,my-drc-index at the core): there is no set-indicator and no
 * ibm,configure-connector that would do it. PAPR, "Dynamic Reconfiguration (DR) Architecture". */
static void add_drc_indexes(struct tree *t, const struct machine *m, int at)
{
	uint32_t cores = m->ncpus / m->threads, value[1 + MACHINE_MAX_CPUS] = { cores };

	for (unsigned i = 0; i < cores; i++)
		value[1 + i] = energy_drc_index(m->cpu[i * m->threads]);
	cells_n(t, at, "ibm,drc-indexes", value, 1 + cores);
}

static void add_cpus(struct tree *t, const struct machine *m)
{
	int at = node(t, 0, "cpus");

	cell(t, at, "#address-cells", 1);
	cell(t, at, "#size-cells", 0);
	add_drc_indexes(t, m, at);
	for (unsigned first = m->ncpus - m->ncpus % m->threads; first; first -= m->threads)
		add_core(t, m, at, first - m->threads);
}

/* ---- /event-sources. PAPR, "Event Sources". Nothing is plugged in or out while the guest runs ---- */
static void add_events(struct tree *t)
{
	int at = node(t, 0, "event-sources"), event;

	flag(t, at, "interrupt-controller");
	cell(t, at, "#interrupt-cells", 2);
	CELLS(t, at, "interrupt-ranges", XICS_IRQ_EPOW, 1);
	event = node(t, at, "epow-events");
	CELLS(t, event, "interrupts", XICS_IRQ_EPOW, 0);
}

/* ---- /rtas ---- */

/* H_CONFER, H_PROD and H_PURR change no registers but those that PAPR names for each. */
static const uint8_t rks_hcalls[] = { 0xe0 };

/* Nearest first: what a guest takes for distance 0, 1, 2. With one chip as QEMU has it. */
static void add_affinity(struct tree *t, const struct machine *m, int at)
{
	unsigned chips = m->dispatcher->chips;

	if (chips == 1) {
		CELLS(t, at, "ibm,associativity-reference-points", 4, 4, 2);
		CELLS(t, at, "ibm,max-associativity-domains", 4, 0, 0, 0, 1);
	} else {
		CELLS(t, at, "ibm,associativity-reference-points", 4, 3, 2);
		CELLS(t, at, "ibm,max-associativity-domains", 4, 1, 1, (chips + 1) / 2, chips);
	}
}

static void add_rtas(struct tree *t, struct machine *m)
{
	int at = node(t, 0, "rtas");

	add_affinity(t, m, at);
	bytes(t, at, "ibm,rks-hcalls", rks_hcalls, sizeof rks_hcalls);
	/* Where memory ends, what it grows by, how many cores there may be. */
	CELLS(t, at, "ibm,lrdr-capacity", HIGH_LOW(m->ram.size), HIGH_LOW(LMB_SIZE), m->ncpus / m->threads);
	keep(t, rtas_fdt(m, t->fdt, at));
}

/* ---- /chosen ---- */

/* What the guest may ask for in bytes 23 to 26 of option vector 5: XICS; radix and nothing else;
 * no segment tables; translation shootdown by the guest. */
static const uint8_t platform_support[] = { 23, 0x00, 24, 0x40, 25, 0x00, 26, 0x40 };

static void add_images(struct tree *t, int at, const struct tree_boot *boot)
{
	if (boot->initrd_size) {
		cell(t, at, "linux,initrd-start", (uint32_t)boot->initrd_addr);
		cell(t, at, "linux,initrd-end", (uint32_t)(boot->initrd_addr + boot->initrd_size));
		keep(t, fdt_add_mem_rsv(t->fdt, boot->initrd_addr, boot->initrd_size));
	}
	if (boot->kernel_size) {
		CELLS(t, at, "qemu,boot-kernel", HIGH_LOW(boot->kernel_addr), HIGH_LOW(boot->kernel_size));
		if (boot->kernel_le)
			flag(t, at, "qemu,boot-kernel-le");
		keep(t, fdt_add_mem_rsv(t->fdt, boot->kernel_addr, boot->kernel_size));
	}
}

static void add_chosen(struct tree *t, struct machine *m, const struct tree_boot *boot)
{
	int at = node(t, 0, "chosen");
	char path[32];
	uint64_t seed[4];

	if (m->config->append && *m->config->append)
		string(t, at, "bootargs", m->config->append);
	if (stdout_path(m, path, sizeof path)) {
		string(t, at, "linux,stdout-path", path);
		string(t, at, "stdout-path", path);
	}
	bytes(t, at, "ibm,arch-vec-5-platform-support", platform_support, sizeof platform_support);
	for (unsigned i = 0; i < ARRAY_SIZE(seed); i++)
		seed[i] = cpu_to_fdt64(machine_random(m));
	bytes(t, at, "rng-seed", seed, sizeof seed);
	keep(t, tree_set_vec5(t->fdt, (const uint8_t[]){ 0 }, 1));
	add_images(t, fdt_path_offset(t->fdt, "/chosen"), boot);
}

static void add_aliases(struct tree *t, const struct machine *m)
{
	int at = node(t, 0, "aliases");
	char path[32];

	if (stdout_path(m, path, sizeof path))
		string(t, at, "hvterm", path);
	string(t, at, "rtas", "/rtas");
}

static void set_root(struct tree *t, const struct machine *m)
{
	const struct config *o = m->config;
	const uint8_t *u = o->uuid;
	char uuid[37];

	string(t, 0, "device_type", "chrp");
	string(t, 0, "model", "IBM pSeries (emulated by cede)");
	string(t, 0, "compatible", "qemu,pseries");	/* what guests know its quirks by */
	snprintf(uuid, sizeof uuid, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	string(t, 0, "vm,uuid", uuid);
	string(t, 0, "system-id", uuid);
	cell(t, 0, "ibm,partition-no", PARTITION_NUMBER);
	string(t, 0, "ibm,partition-name", tree_partition_name(m));
	cell(t, 0, "ibm,partition-performance-parameters-level", 1);	/* hcall/ppp.c */
	cell(t, 0, "#address-cells", 2);
	cell(t, 0, "#size-cells", 2);
}

static void number_nodes(struct tree *t)
{
	uint32_t next = TREE_PHANDLE_XICS + 1;

	for (int at = 0; at >= 0 && !t->err; at = fdt_next_node(t->fdt, at, NULL))
		if (!fdt_get_phandle(t->fdt, at))
			cell(t, at, "phandle", next++);
}

void *tree_build(struct machine *m, const struct tree_boot *boot, struct error *err)
{
	struct tree t = { .fdt = calloc(1, TREE_MAX_SIZE) };

	if (!t.fdt) {
		error_set(err, "out of memory");
		return NULL;
	}
	keep(&t, fdt_create_empty_tree(t.fdt, TREE_MAX_SIZE));
	set_root(&t, m);
	keep(&t, xics_fdt(m, t.fdt, TREE_PHANDLE_XICS));
	add_memory(&t, m);
	add_vdevice(&t, m);
	add_cpus(&t, m);
	add_events(&t);
	add_rtas(&t, m);
	add_chosen(&t, m, boot);
	add_aliases(&t, m);
	number_nodes(&t);
	if (t.err) {
		error_set(err, "cannot build the device tree: %s", fdt_strerror(t.err));
		free(t.fdt);
		return NULL;
	}
	return t.fdt;
}

int tree_set_vec5(void *fdt, const uint8_t *vec5, unsigned len)
{
	uint8_t value[1 + 256];

	while (len > 1 && !vec5[len - 1])
		len--;
	value[0] = (uint8_t)(len - 1);		/* as the guest gives its own */
	memcpy(value + 1, vec5, len);
	return fdt_setprop(fdt, fdt_path_offset(fdt, "/chosen"), "ibm,architecture-vec-5", value, (int)len + 1);
}

/* The option, and calls that PAPR has for that option only. */
static const char *const splpar_sets[] = { "hcall-splpar", "hcall-pic", "hcall-poll-pending", "hcall-join" };

static bool is_splpar(const char *set)
{
	for (unsigned i = 0; i < ARRAY_SIZE(splpar_sets); i++)
		if (!strcmp(set, splpar_sets[i]))
			return true;
	return false;
}

int tree_hide_splpar(void *fdt)
{
	int rtas = fdt_path_offset(fdt, "/rtas"), len, left = 0;
	const char *sets = fdt_getprop(fdt, rtas, "ibm,hypertas-functions", &len), *set;
	char *rest;
	int rc;

	if (!sets || len < 1 || sets[len - 1])
		return 0;		/* a guest's own tree */
	rest = malloc((size_t)len);
	if (!rest)
		return -FDT_ERR_NOSPACE;
	for (set = sets; set < sets + len; set += strlen(set) + 1) {
		if (is_splpar(set))
			continue;
		strcpy(rest + left, set);
		left += (int)strlen(set) + 1;
	}
	rc = fdt_setprop(fdt, rtas, "ibm,hypertas-functions", rest, left);
	free(rest);
	return rc;
}

/* Builds the device tree; see fdt.h. The names, numbers and flags are what PAPR, "Device Tree" and
 * QEMU's pseries machine say: a guest keeps many of them in RAM, so that a snapshot carries them.
 *
 * libfdt puts a new node before its siblings: what is written last comes first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/boot.h"
#include "firmware/fdt.h"
#include "cpu/core/model.h"
#include "hcall/affinity.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/drc.h"
#include "machine/core/node.h"
#include "machine/irq/irq.h"
#include "machine/rtas/rtas.h"
#include "machine/vio/vio_vty.h"
#include "savevm/error.h"

#define LMB_SIZE UINT64_C(0x10000000)
#define PARTITION_NUMBER 1

uint64_t tree_rma_size(const struct machine *m)
{
	const struct numa_config *numa = &m->config->numa;

	return numa->nodes ? numa->node[0].size : m->ram.size;
}

/* Where something is: the domains of its node or chip, and below them `n` numbers of its own. */
static void add_associativity(struct tree *t, const struct machine *m, int at, unsigned place, const uint32_t *own, unsigned n)
{
	const struct numa_config *numa = &m->config->numa;
	uint32_t value[1 + AFFINITY_LEVELS + 1] = { AFFINITY_LEVELS + n };

	if (numa->nodes)
		numa_domains(numa, place, value + 1);
	else
		affinity_domains(place, value + 1);
	memcpy(value + 1 + AFFINITY_LEVELS, own ? own : value, n * sizeof *own);
	node_cells(t, at, "ibm,associativity", value, 1 + AFFINITY_LEVELS + n);
}

/* ---- /memory@.. ---- */

static void add_memory_at(struct tree *t, const struct machine *m, uint64_t gra, uint64_t size, unsigned node)
{
	int at = node_add_at(t, 0, "memory", gra);

	node_string(t, at, "device_type", "memory");
	NODE_CELLS(t, at, "reg", HIGH_LOW(gra), HIGH_LOW(size));
	add_associativity(t, m, at, node, NULL, 0);
}

/* The largest power of two that `gra` is a multiple of, up to `size`. */
static uint64_t piece(uint64_t gra, uint64_t size)
{
	uint64_t most = UINT64_C(1) << (63 - __builtin_clzll(size)), aligned = gra & -gra;

	return aligned && aligned < most ? aligned : most;
}

/* A node's memory, in pieces of a power of two, as QEMU has it; the last one first. */
static void add_pieces(struct tree *t, const struct machine *m, uint64_t gra, uint64_t size, unsigned node)
{
	uint64_t first;

	if (!size)
		return;
	first = gra ? piece(gra, size) : size;
	add_pieces(t, m, gra + first, size - first, node);
	add_memory_at(t, m, gra, first, node);
}

static void add_memory(struct tree *t, const struct machine *m)
{
	const struct numa_config *numa = &m->config->numa;

	if (!numa->nodes)
		add_memory_at(t, m, 0, m->ram.size, 0);
	for (unsigned i = numa->nodes; i--;)
		add_pieces(t, m, numa_start(numa, i), numa->node[i].size, i);
}

/* The first terminal is the console; false if there is none. */
static bool stdout_path(const struct machine *m, char *buf, size_t size)
{
	const struct device *vty = device_next(m, NULL, &vty_class);

	if (vty)
		snprintf(buf, size, "/vdevice/vty@%x", ((const struct vio_device *)vty)->reg);
	return vty;
}

/* ---- /cpus ---- */

static void add_threads(struct tree *t, const struct machine *m, int at, uint32_t core)
{
	uint32_t server[MACHINE_MAX_CPUS], gserver[2 * MACHINE_MAX_CPUS];

	for (unsigned i = 0; i < m->threads; i++) {
		server[i] = core + i;
		gserver[2 * i] = core + i;
		gserver[2 * i + 1] = 0;
	}
	node_cells(t, at, "ibm,ppc-interrupt-server#s", server, m->threads);
	node_cells(t, at, "ibm,ppc-interrupt-gserver#s", gserver, 2 * m->threads);
}

/* By base page size: shift, SLB encoding, and the sizes that pages may have there (shift, PTE encoding). */
static void add_segment_pages(struct tree *t, int at, const struct hash_pages *pages)
{
	uint32_t value[5 * HASH_PAGES_MAX];
	unsigned n = 0, count = 0;

	for (unsigned i = 0; i < pages->n; i++) {
		const struct hash_page *page = &pages->row[i];

		if (!i || page->base != page[-1].base) {
			value[n++] = page->base;
			value[n++] = page->slb;
			count = n++;
			value[count] = 0;
		}
		value[count]++;
		value[n++] = page->shift;
		value[n++] = page->pte;
	}
	node_cells(t, at, "ibm,segment-page-sizes", value, n);
}

#define STORAGE_KEYS 32

static void add_mmu(struct tree *t, const struct machine *m, int at, const struct cpu_model *model)
{
	node_cell(t, at, "slb-size", model->slb_entries);
	node_cell(t, at, "ibm,slb-size", model->slb_entries);
	node_cells(t, at, "ibm,processor-segment-sizes", model->segment_sizes.cell, model->segment_sizes.n);
	add_segment_pages(t, at, &m->hpt.pages);
	NODE_CELLS(t, at, "ibm,pft-size", 0, hpt_shift_for(m->ram.size));
	/* Of the hash MMU: for loads and stores, for fetches. */
	NODE_CELLS(t, at, "ibm,processor-storage-keys", STORAGE_KEYS, STORAGE_KEYS);
	if (model->radix_pages.n)
		node_cells(t, at, "ibm,processor-radix-AP-encodings", model->radix_pages.cell, model->radix_pages.n);
}

static void add_caches(struct tree *t, int at, const struct cpu_model *model)
{
	node_cell(t, at, "d-cache-block-size", model->cache_line);
	node_cell(t, at, "d-cache-line-size", model->cache_line);
	node_cell(t, at, "i-cache-block-size", model->cache_line);
	node_cell(t, at, "i-cache-line-size", model->cache_line);
	node_cell(t, at, "d-cache-size", model->l1d_size);
	node_cell(t, at, "i-cache-size", model->l1i_size);
}

/* Where a core is. A virtual processor of a pool may run on any chip of it, so that neither its core nor its chip is told.
 * PAPR, "Device Tree Variances". */
static void add_place(struct tree *t, const struct machine *m, int at, unsigned first)
{
	const struct config *o = m->config;
	uint32_t core = m->cpu[first]->cpu.pir;
	unsigned per_socket = m->threads * (o->cores ? o->cores : 1);

	if (m->dispatcher->shared) {
		add_associativity(t, m, at, 0, NULL, 0);
	} else {
		add_associativity(t, m, at, o->numa.cpu_node[first], &core, 1);
		node_cell(t, at, "ibm,chip-id", first / per_socket);
	}
}

#define MOST_FEATURES 256
#define FEATURE_HTM   (2 + 22)
#define FEATURE_DAWR1 (2 + 64)
#define FEATURE_RADIX (2 + 40)

/* What a core's node says of the level that it appears as, NULL: its own. */
static int set_level(void *fdt, int at, const struct config *o, const struct cpu_level *level, bool radix)
{
	const struct cpu_model *model = o->cpu_model;
	const struct cpu_level *own = cpu_model_level(model), *as = level ? level : own;
	uint8_t features[MOST_FEATURES];
	int rc = fdt_setprop_u32(fdt, at, "cpu-version", level ? level->logical_pvr : model->pvr);

	memcpy(features, as->pa_features, as->pa_features_size);
	for (unsigned i = 2; i < as->pa_features_size; i++)
		features[i] &= i < own->pa_features_size ? own->pa_features[i] : 0;
	if (as->pa_features_size > FEATURE_DAWR1 && !config_dawr1(o))
		features[FEATURE_DAWR1] = 0;
	if (as->pa_features_size > FEATURE_RADIX && !radix)
		features[FEATURE_RADIX] &= 0x7f;
	if (as->pa_features_size > FEATURE_HTM && o->htm)
		features[FEATURE_HTM] = 0x80;
	return rc < 0 ? rc : fdt_setprop(fdt, at, "ibm,pa-features", features, (int)as->pa_features_size);
}

int tree_set_level(void *fdt, unsigned cores, const struct config *o, const struct cpu_level *level, bool radix)
{
	static const char cpu[] = "cpu";
	int at, len, rc = 0;

	fdt_for_each_subnode(at, fdt, fdt_path_offset(fdt, "/cpus")) {
		const char *type = fdt_getprop(fdt, at, "device_type", &len);

		if (!type || len != sizeof cpu || memcmp(type, cpu, sizeof cpu))
			continue;
		if (!cores--)
			break;		/* a guest's own tree may have any number of them */
		rc = set_level(fdt, at, o, level, radix);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void add_core(struct tree *t, const struct machine *m, int cpus, unsigned first)
{
	const struct cpu_model *model = m->config->cpu_model;
	uint32_t core = m->cpu[first]->cpu.pir;
	int at = node_add_at(t, cpus, model->node, core);

	node_cell(t, at, "reg", core);
	node_string(t, at, "device_type", "cpu");
	node_string(t, at, "status", "okay");
	node_cell(t, at, "timebase-frequency", (uint32_t)TIMEBASE_HZ);
	node_cell(t, at, "clock-frequency", (uint32_t)engine_core_hz(m->engine));
	add_caches(t, at, model);
	node_flag(t, at, "64-bit");
	node_cell(t, at, "ibm,purr", 1);
	node_cell(t, at, "ibm,spurr", 1);
	node_cell(t, at, "ibm,vmx", 2);	/* with VSX */
	if (m->config->dfp)
		node_cell(t, at, "ibm,dfp", 1);
	add_mmu(t, m, at, model);
	tree_keep_error(t, set_level(t->fdt, at, m->config, cpu_model_find_level(model, m->compat_pvr), true));
	add_place(t, m, at, first);
	if (m->config->large_decr && config_dec_bits(m->config))
		node_cell(t, at, "ibm,dec-bits", config_dec_bits(m->config));
	node_cell(t, at, "ibm,my-drc-index", DRC_CPU | core);
	add_threads(t, m, at, core);
}

void tree_core(struct machine *m, struct tree *t, unsigned first)
{
	add_core(t, m, 0, first);
}

static void add_cpus(struct tree *t, struct machine *m)
{
	int at = node_add(t, 0, "cpus");

	node_cell(t, at, "#address-cells", 1);
	node_cell(t, at, "#size-cells", 0);
	/* By these H_BEST_ENERGY calls cores, too. */
	drc_fdt(m, DRC_CPU, t, at);
	for (unsigned first = m->ncpus - m->ncpus % m->threads; first; first -= m->threads)
		if (!m->cpu[first - m->threads]->absent)
			add_core(t, m, at, first - m->threads);
}

/* ---- /event-sources. PAPR, "Event Sources" ---- */
static void add_events(struct tree *t)
{
	int at = node_add(t, 0, "event-sources"), event;

	node_flag(t, at, "interrupt-controller");
	node_cell(t, at, "#interrupt-cells", 2);
	NODE_CELLS(t, at, "interrupt-ranges", IRQ_EPOW, 1, IRQ_HOTPLUG, 1);
	event = node_add(t, at, "hot-plug-events");
	NODE_CELLS(t, event, "interrupts", IRQ_HOTPLUG, 0);
	event = node_add(t, at, "epow-events");
	NODE_CELLS(t, event, "interrupts", IRQ_EPOW, 0);
}

/* ---- /rtas ---- */

/* H_CONFER, H_PROD and H_PURR change no registers but those that PAPR names for each. */
static const uint8_t rks_hcalls[] = { 0xe0 };

/* Which levels a guest compares, nearest first, to find out a distance of 0, 1 or 2. With one chip they are QEMU's. */
static void add_affinity(struct tree *t, const struct machine *m, int at)
{
	unsigned chips = m->dispatcher->chips, nodes = m->config->numa.nodes;

	if (nodes > 1) {
		NODE_CELLS(t, at, "ibm,associativity-reference-points", 4, 3, 2, 1);
		NODE_CELLS(t, at, "ibm,max-associativity-domains", 4, nodes, nodes, nodes, nodes);
	} else if (chips == 1) {
		NODE_CELLS(t, at, "ibm,associativity-reference-points", 4, 4, 2);
		NODE_CELLS(t, at, "ibm,max-associativity-domains", 4, 0, 0, 0, 1);
	} else {
		NODE_CELLS(t, at, "ibm,associativity-reference-points", 4, 3, 2);
		NODE_CELLS(t, at, "ibm,max-associativity-domains", 4, 1, 1, (chips + 1) / 2, chips);
	}
}

static void add_rtas(struct tree *t, struct machine *m)
{
	int at = node_add(t, 0, "rtas");

	add_affinity(t, m, at);
	node_bytes(t, at, "ibm,rks-hcalls", rks_hcalls, sizeof rks_hcalls);
	/* Where memory ends, by how much it could grow at once, how many cores there may be. */
	NODE_CELLS(t, at, "ibm,lrdr-capacity", HIGH_LOW(m->ram.size), HIGH_LOW(LMB_SIZE), m->ncpus / m->threads);
	rtas_fdt(m, t, at);
}

/* ---- /chosen ---- */

/* What the guest may ask for in bytes 23 to 26 of option vector 5: the interrupt controller; either MMU, or hash alone, as the
 * level has it that its processors appear as; no segment tables; translation shootdown by the guest, with radix. */
static void add_platform_support(struct tree *t, const struct machine *m, int at)
{
	static const uint8_t controllers[] = { [IC_XICS] = 0x00, [IC_XIVE] = 0x40, [IC_DUAL] = 0x80 };
	const struct cpu_level *level = cpu_model_find_level(m->config->cpu_model, m->compat_pvr);
	bool radix = (level ? level : cpu_model_level(m->config->cpu_model))->radix;
	const uint8_t value[] = { 23, controllers[m->config->ic_mode], 24, radix ? 0xc0 : 0x00, 25, 0x00, 26, radix ? 0x40 : 0x00 };

	node_bytes(t, at, "ibm,arch-vec-5-platform-support", value, sizeof value);
}

static void add_images(struct tree *t, int at, const struct tree_boot *boot)
{
	if (boot->initrd_size) {
		node_cell(t, at, "linux,initrd-start", (uint32_t)boot->initrd_addr);
		node_cell(t, at, "linux,initrd-end", (uint32_t)(boot->initrd_addr + boot->initrd_size));
		tree_keep_error(t, fdt_add_mem_rsv(t->fdt, boot->initrd_addr, boot->initrd_size));
	}
	if (boot->kernel_size) {
		NODE_CELLS(t, at, "qemu,boot-kernel", HIGH_LOW(boot->kernel_addr), HIGH_LOW(boot->kernel_size));
		if (boot->kernel_le)
			node_flag(t, at, "qemu,boot-kernel-le");
		tree_keep_error(t, fdt_add_mem_rsv(t->fdt, boot->kernel_addr, boot->kernel_size));
	}
}

static void add_chosen(struct tree *t, struct machine *m, const struct tree_boot *boot)
{
	int at = node_add(t, 0, "chosen");
	char path[32];
	uint64_t seed[4];

	if (m->config->append && *m->config->append)
		node_string(t, at, "bootargs", m->config->append);
	/* As QEMU: SLOF then talks on the screen. Our firmware has terminals only, and so has Linux before its drivers. */
	if (!(m->config->bios && m->config->graphics) && stdout_path(m, path, sizeof path)) {
		node_string(t, at, "linux,stdout-path", path);
		node_string(t, at, "stdout-path", path);
	}
	node_cell(t, at, "linux,pci-probe-only", 0);	/* nobody has given PCI devices their addresses: the guest does */
	add_platform_support(t, m, at);
	for (unsigned i = 0; i < ARRAY_SIZE(seed); i++)
		seed[i] = cpu_to_fdt64(machine_random(m));
	node_bytes(t, at, "rng-seed", seed, sizeof seed);
	tree_keep_error(t, tree_set_vec5(t->fdt, (const uint8_t[]){ 0 }, 1));
	if (m->firmware && m->config->bios)
		boot_hints_fdt(m, t, fdt_path_offset(t->fdt, "/chosen"));
	add_images(t, fdt_path_offset(t->fdt, "/chosen"), boot);
}

static void add_aliases(struct tree *t, const struct machine *m)
{
	int at = node_add(t, 0, "aliases");
	char path[32];

	if (stdout_path(m, path, sizeof path))
		node_string(t, at, "hvterm", path);
	node_string(t, at, "rtas", "/rtas");
}

static void set_root(struct tree *t, const struct machine *m)
{
	const struct config *o = m->config;
	const uint8_t *u = o->uuid;
	char uuid[37];

	node_string(t, 0, "device_type", "chrp");
	node_string(t, 0, "model", "IBM pSeries (emulated by cede)");
	node_string(t, 0, "compatible", "qemu,pseries");	/* by this name guests know what QEMU's machine does differently */
	snprintf(uuid, sizeof uuid, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	node_string(t, 0, "vm,uuid", uuid);
	node_string(t, 0, "system-id", uuid);
	node_cell(t, 0, "ibm,partition-no", PARTITION_NUMBER);
	node_string(t, 0, "ibm,partition-name", config_name(o));
	node_cell(t, 0, "ibm,partition-performance-parameters-level", 1);	/* hcall/ppp.c */
	node_cell(t, 0, "#address-cells", 2);
	node_cell(t, 0, "#size-cells", 2);
}

static void number_nodes(struct tree *t)
{
	uint32_t next = NODE_PHANDLE_IRQ + 1;

	for (int at = 0; at >= 0 && !t->err; at = fdt_next_node(t->fdt, at, NULL))
		if (!fdt_get_phandle(t->fdt, at))
			node_cell(t, at, "phandle", next++);
}

void *tree_build(struct machine *m, const struct tree_boot *boot, struct error *err)
{
	struct tree t = { .fdt = calloc(1, TREE_MAX_SIZE) };

	if (!t.fdt) {
		error_set(err, "out of memory");
		return NULL;
	}
	tree_keep_error(&t, fdt_create_empty_tree(t.fdt, TREE_MAX_SIZE));
	set_root(&t, m);
	devices_fdt(m, &t, true);
	add_memory(&t, m);
	devices_fdt(m, &t, false);
	add_cpus(&t, m);
	add_events(&t);
	add_rtas(&t, m);
	add_chosen(&t, m, boot);
	add_aliases(&t, m);
	if (m->firmware && m->firmware->booted)
		boot_fdt(m, &t);
	number_nodes(&t);
	if (t.err) {
		error_set(err, "cannot build the device tree: %s", fdt_strerror(t.err));
		free(t.fdt);
		return NULL;
	}
	return t.fdt;
}

int tree_set_controller(struct machine *m, void *fdt)
{
	struct tree t = { .fdt = fdt };
	int at = fdt_subnode_offset(fdt, 0, "interrupt-controller");
	uint32_t phandle = at < 0 ? 0 : fdt_get_phandle(fdt, at);

	if (at < 0 || fdt_del_node(fdt, at) < 0)
		return 0;		/* a guest's own tree */
	fdt_delprop(fdt, 0, "ibm,plat-res-int-priorities");
	devices_fdt(m, &t, true);
	at = fdt_subnode_offset(fdt, 0, "interrupt-controller");
	if (!t.err && at >= 0 && phandle) {
		node_cell(&t, at, "linux,phandle", phandle);
		node_cell(&t, at, "phandle", phandle);
	}
	return t.err;
}

int tree_set_vec5(void *fdt, const uint8_t *vec5, unsigned len)
{
	uint8_t value[1 + 256];

	while (len > 1 && !vec5[len - 1])
		len--;
	value[0] = (uint8_t)(len - 1);		/* in the form of the vectors that a guest gives to ibm,client-architecture-support */
	memcpy(value + 1, vec5, len);
	return fdt_setprop(fdt, fdt_path_offset(fdt, "/chosen"), "ibm,architecture-vec-5", value, (int)len + 1);
}

/* Function sets that are there for guests with the SPLPAR option only. */
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

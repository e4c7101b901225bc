/* What of the firmware goes into a snapshot: the device tree, which QEMU keeps as well, and what the
 * client interface has open. */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "cpu/core/model.h"
#include "firmware/boot.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "machine/core/config.h"
#include "machine/rtas/rtas.h"
#include "savevm/vmstate.h"

/* ---- spapr_dtb, of struct machine ---- */

/* The guest may bring a tree up to twice as large as the first. */
static uint64_t initial_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct machine *)s)->firmware->tree_limit / 2;
}

static bool initial_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	((struct machine *)s)->firmware->tree_limit = v < TREE_MAX_SIZE / 2 ? 2 * v : TREE_MAX_SIZE;
	return true;
}

static bool dtb_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;
	const char *why = tree_check(m->fdt, m->fdt_size);

	return !why || vms_wrong(w, "fdt_blob", m->fdt_size, "a device tree (%s)", why);
}

/* A blob that was refused must not be used as a tree. */
static void dtb_drop(void *s)
{
	struct machine *m = s;

	free(m->fdt);
	m->fdt = NULL;
	m->fdt_size = 0;
	firmware_tree_changed(m);
}

static bool dtb_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	firmware_tree_changed(s);
	return true;
}

const struct vmstate spapr_dtb_state = {
	.name = "spapr_dtb", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.check = dtb_check, .drop = dtb_drop, .post_load = dtb_post_load,
	.fields = VMS_FIELDS(
		VMS_CALC("fdt_initial_size", vms_u32, initial_get, initial_put),
		VMS_U32(struct machine, fdt_size),
		VMS_ALLOCATED_BUFFER("fdt_blob", struct machine, fdt, fdt_size, TREE_MAX_SIZE)),
};

/* ---- cede/firmware ---- */

static const struct vmstate claim_state = {
	.name = "cede/firmware/claim", .version = 1, .min_version = 1, VMS_OF(struct claim),
	.fields = VMS_FIELDS(VMS_U64(struct claim, start), VMS_U64(struct claim, size)),
};

/* Ascending and disjoint, as claim_add() leaves them. */
static bool client_check(const void *s, struct vms_walk *w)
{
	const struct client *client = s;
	uint64_t end = 0;

	for (uint32_t i = 0; i < client->claims; i++) {
		const struct claim *claim = &client->claim[i];

		if (claim->start < end || !claim->size || claim->start + claim->size < claim->start)
			return vms_wrong(w, "claim", claim->start, "one behind the last");
		end = claim->start + claim->size;
	}
	return true;
}

static const struct vmstate client_state = {
	.name = "cede/firmware/client", .version = 1, .min_version = 1, VMS_OF(struct client), .check = client_check,
	.fields = VMS_FIELDS(
		VMS_U32(struct client, claims),
		VMS_COUNTED_STRUCTS("claim", struct client, claim, struct claim, claims, claim_state),
		VMS_U32_ARRAY(struct client, instance)),
};

static const struct vmstate disk_state = {
	.name = "cede/firmware/disk", .version = 1, .min_version = 1, VMS_OF(struct client_disk),
	.fields = VMS_FIELDS(
		VMS_U32(struct client_disk, ihandle), VMS_U32(struct client_disk, disk), VMS_U64(struct client_disk, start),
		VMS_U64(struct client_disk, size), VMS_U64(struct client_disk, at)),
};

/* What there is once a machine has booted from a disk. */
static bool boot_needed(const void *s)
{
	const struct firmware *fw = s;

	return fw->booted || fw->wake_at || fw->boot_again || fw->boots_failed;
}

static const struct vmstate boot_state = {
	.name = "cede/firmware/boot", .version = 1, .min_version = 1, VMS_OF(struct firmware), .needed = boot_needed,
	.fields = VMS_FIELDS(
		VMS_BOOL(struct firmware, booted), VMS_BOOL(struct firmware, boot_again),
		VMS_U32_TO(struct firmware, boots_failed, BOOT_MAX_PLACES),
		VMS_STRUCT_ARRAY("disk", struct firmware, disk, struct client_disk, disk_state),
		VMS_U64(struct firmware, wake_at), VMS_U32(struct firmware, sleeper)),
};

#define FILES "follows from the options: for a reboot"

const struct vmstate cede_firmware_state = {
	.name = "cede/firmware", .version = 1, .min_version = 1, VMS_OF(struct firmware),
	.fields = VMS_FIELDS(
		VMS_STRUCT("client", struct firmware, client, struct client, client_state),
		VMS_U64_TO(struct firmware, tree_limit, TREE_MAX_SIZE),
		VMS_SKIP(struct firmware, net_file, "a file; a start gets it again"), VMS_SKIP(struct firmware, net_name, "a file"),
		VMS_SKIP(struct firmware, boot, "follows from the devices, and for the next boot from the disks"),
		VMS_SKIP(struct firmware, starts, "of this process: -boot once= is for the first start of it"),
		VMS_SKIP(struct firmware, wake, "wake_at"),
		VMS_SKIP(struct firmware, kernel, FILES), VMS_SKIP(struct firmware, initrd, FILES),
		VMS_SKIP(struct firmware, bios, FILES), VMS_SKIP(struct firmware, segment, FILES),
		VMS_SKIP(struct firmware, segments, FILES), VMS_SKIP(struct firmware, kernel_addr, FILES),
		VMS_SKIP(struct firmware, kernel_size, FILES), VMS_SKIP(struct firmware, entry, FILES),
		VMS_SKIP(struct firmware, kernel_le, FILES), VMS_SKIP(struct firmware, initrd_addr, FILES),
		VMS_SKIP(struct firmware, node, "follows from the tree"), VMS_SKIP(struct firmware, nodes, "follows from the tree"),
		VMS_SKIP(struct firmware, node_room, "follows from the tree"),
		VMS_SKIP(struct firmware, tree_changed, "set after a load")),
	.subs = VMS_SUBS(&boot_state, &menu_state),
};

void firmware_loaded(struct machine *m)
{
	struct firmware *fw = m->firmware;

	firmware_tree_changed(m);
	firmware_appear_as(m, cpu_model_find_level(m->config->cpu_model, m->compat_pvr));
	event_cancel(m, &fw->wake);
	menu_loaded(m);
	fw->starts = 2;
	if (fw->sleeper >= m->ncpus)
		fw->wake_at = 0;
	if (fw->wake_at)
		event_restore(m, &fw->wake, fw->wake_at);
}

/* ---- From another hypervisor ---- */

void firmware_adopt(struct machine *m)
{
	int rtas = m->fdt ? fdt_path_offset(m->fdt, "/rtas") : -1, len;
	const fdt32_t *base = rtas >= 0 ? fdt_getprop(m->fdt, rtas, "linux,rtas-base", &len) : NULL;

	m->rtas_addr = base && len == sizeof *base ? fdt32_to_cpu(*base) : 0;
	m->rtas_size = rtas_area_size(m);
	if (!ram_ok(&m->ram, m->rtas_addr, m->rtas_size))
		m->rtas_addr = 0;
	if (!m->rtas_addr)
		m->rtas_size = 0;
	m->fdt_addr = 0;
	memset(&m->firmware->client, 0, sizeof m->firmware->client);
}

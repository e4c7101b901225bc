/* The state in which a guest begins: images and entry code in RAM, the boot processor's registers.
 *
 * Without -bios the kernel starts at once as an Open Firmware client: r3 and r4 say where the
 * initrd is, r5 where to call the firmware. PowerPC Processor binding to IEEE 1275, 8.2.
 * With -bios that image starts, at 0x100, with a device tree in r3; the kernel only lies there. */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "cpu/core/model.h"
#include "firmware/boot.h"
#include "firmware/disk.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/netboot.h"
#include "firmware/state.h"
#include "machine/core/config.h"
#include "machine/irq/irq.h"
#include "savevm/error.h"

#define MIN_FRAME 0x20		/* bytes below the first stack frame, for a callee's LR and CR */

/* The client entry: hands r3 to the firmware by the hypercall H_VOF_CLIENT, in whatever width the
 * caller runs. */
static const uint32_t client_entry[] = {
	0x7c641b78,			/* mr r4,r3 */
	0x3c600000,			/* lis r3,0 */
	0x6063f005,			/* ori r3,r3,0xf005 */
	0x44000022,			/* sc 1 */
	0x4e800020,			/* blr */
};

static bool images_place(struct machine *m, struct error *err)
{
	const struct firmware *fw = m->firmware;

	for (unsigned i = 0; i < fw->segments; i++) {
		const struct segment *s = &fw->segment[i];

		if (!image_place(&fw->kernel, s->offset, &m->ram, s->addr, s->filesz, err))
			return false;
	}
	return image_place(&fw->initrd, 0, &m->ram, fw->initrd_addr, fw->initrd.size, err) &&
	       image_place(&fw->bios, 0, &m->ram, 0, fw->bios.size, err);
}

static bool tree_start(struct machine *m, struct error *err)
{
	struct firmware *fw = m->firmware;
	struct tree_boot boot = {
		.kernel_addr = fw->kernel_addr, .kernel_size = fw->kernel_size, .kernel_le = fw->kernel_le,
		.initrd_addr = fw->initrd_addr, .initrd_size = fw->initrd.size,
	};

	if (fw->booted)		/* a boot program is nothing that its kernel should keep */
		boot.kernel_size = 0;

	free(m->fdt);
	m->fdt = tree_build(m, &boot, err);
	m->fdt_size = m->fdt ? TREE_MAX_SIZE : 0;
	m->fdt_addr = 0;
	fw->tree_limit = TREE_MAX_SIZE;
	fw->tree_changed = true;
	return m->fdt != NULL;
}

/* The tree lies below the end of RAM or of what 32-bit code reaches, whichever is lower. */
static bool flat_start(struct machine *m, struct cpu *cpu, struct error *err)
{
	uint64_t top = tree_rma_size(m) < FW_TREE_TOP ? tree_rma_size(m) : FW_TREE_TOP;

	if (fdt_pack(m->fdt) < 0) {
		error_set(err, "cannot pack the device tree");
		return false;
	}
	m->fdt_size = fdt_totalsize(m->fdt);
	m->firmware->tree_limit = 2 * m->fdt_size < TREE_MAX_SIZE ? 2 * m->fdt_size : TREE_MAX_SIZE;
	m->fdt_addr = top - FW_TREE_ROOM;
	ram_write(&m->ram, m->fdt_addr, m->fdt, m->fdt_size);
	cpu->nip = BOOT_ENTRY;
	cpu->r[3] = m->fdt_addr;
	return true;
}

static bool kernel_start(struct machine *m, struct cpu *cpu, struct error *err)
{
	const struct firmware *fw = m->firmware;

	if (!client_start(m, err))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(client_entry); i++)
		st_be32(&m->ram, BOOT_ENTRY + 4 * i, client_entry[i]);
	cpu->nip = fw->entry;
	cpu->r[1] = FW_STACK + FW_STACK_SIZE - MIN_FRAME;
	cpu->r[3] = fw->initrd_addr;
	cpu->r[4] = fw->initrd.size;
	cpu->r[5] = BOOT_ENTRY;
	return true;
}

/* A program from a disk is looked for at each start, a kernel's file is the same each time. */
static bool program_ready(struct machine *m, struct error *err)
{
	struct firmware *fw = m->firmware;

	event_cancel(m, &fw->wake);
	fw->wake_at = 0;
	menu_clear(m);
	if (!fw->boot_again) {
		disks_find(m);
		fw->menu.first = 0;
		fw->boots_failed = 0;
		fw->starts += fw->starts < 2;
	}
	fw->boot_again = false;
	if (fw->starts == 1 && !environment_set(m, err))
		return false;
	if (fw->kernel.fd >= 0 || fw->bios.fd >= 0) {
		fw->booted = false;		/* a snapshot may say that a disk had the program */
		return true;
	}
	if (fw->boot.disks || netboot_possible(m))
		return boot_find(m, err);
	error_set(err, "nothing to boot again: give -kernel or -bios with the snapshot");
	return false;
}

/* The boot processor stands until there is something for it to run; should somebody wake it, it goes round here. */
static void menu_wait(struct machine *m, struct cpu *boot)
{
	st_be32(&m->ram, BOOT_ENTRY, 0x48000000);	/* b . */
	boot->nip = BOOT_ENTRY;
	boot->run_state = CPU_CEDED;
	boot->halt = 1;
	cpu_state_changed(boot);
}

bool firmware_boots_next(const struct machine *m)
{
	return m->firmware->boot_again;
}

bool firmware_start(struct machine *m, struct error *err)
{
	struct cpu *boot = &m->cpu[0]->cpu;
	bool ok, again = m->firmware->boot_again;

	m->cas_done = m->radix = m->splpar_off = false;
	firmware_appear_as(m, cpu_model_find_level(m->config->cpu_model, m->config->compat_pvr));
	memset(m->ov5_cas, 0, sizeof m->ov5_cas);
	irq_mode_changed(m);
	if (!program_ready(m, err))
		return false;
	if (!tree_start(m, err))
		return false;
	if (m->firmware->kernel.volume && !again && menu_start(m)) {
		menu_wait(m, boot);
		return true;
	}
	if (!images_place(m, err))
		return false;
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->cpu.run_state = CPU_STOPPED;
	memset(boot->r, 0, sizeof boot->r);
	cpu_set_msr(boot, MSR_ME | (m->firmware->booted ? MSR_FP : 0));	/* 32-bit, big-endian, translation off. Binding, 8.2.1 */
	ok = m->firmware->bios.fd >= 0 ? flat_start(m, boot, err) : kernel_start(m, boot, err);
	boot->run_state = CPU_RUNNING;
	cpu_state_changed(boot);
	return ok;
}

/* The device tree that the guest finds at power-on.
 *
 * fdt.c writes what belongs to no device (processors, memory, /rtas, /chosen, /event-sources); each device writes its own
 * node (machine/core/device.h) with the functions of machine/core/node.h. Bindings: PAPR, "Device Tree"; IEEE 1275-1994 and its PowerPC
 * processor binding.
 */
#ifndef FIRMWARE_FDT_H
#define FIRMWARE_FDT_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct cpu_level;
struct error;
struct machine;
struct tree;

#define TREE_MAX_SIZE     UINT32_C(0x80000)	/* bytes of the blob, with room for what the guest adds */

/* Real memory that the guest can address with translation off, from 0 on. */
uint64_t tree_rma_size(const struct machine *m);

/* What the firmware has put into RAM; sizes in bytes, 0: nothing there. */
struct tree_boot {
	uint64_t kernel_addr, kernel_size;
	uint64_t initrd_addr, initrd_size;
	bool kernel_le;
};

/* A new blob of TREE_MAX_SIZE bytes, every node with a phandle; the caller frees it.
 * NULL and err->msg set: out of memory. */
void *tree_build(struct machine *m, const struct tree_boot *boot, struct error *err);

/* Writes the node of the core whose first thread has that number below the root of an empty tree. */
void tree_core(struct machine *m, struct tree *t, unsigned first);

/* Sets /chosen/ibm,architecture-vec-5: option vector 5 as agreed on, `len` (1 to 256) bytes from
 * its byte 1 on. A libfdt error code if negative. */
int tree_set_vec5(void *fdt, const uint8_t *vec5, unsigned len);

/* Each core's node says that its processors appear as one of that level, NULL: as what they are; `radix`: whether
 * they are said to have that MMU, if they do. A libfdt error code if negative. */
int tree_set_level(void *fdt, unsigned cores, const struct config *o, const struct cpu_level *level, bool radix);

/* Has the interrupt controller that is in charge now describe itself in place of the other one, by the same phandle. A libfdt
 * error code if negative. */
int tree_set_controller(struct machine *m, void *fdt);

/* Takes what belongs to the SPLPAR option out of /rtas/ibm,hypertas-functions: the guest cannot run
 * with it. A libfdt error code if negative. */
int tree_hide_splpar(void *fdt);

#endif

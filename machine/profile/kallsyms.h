/* The functions of a Linux kernel, by address, out of the guest's memory. */
#ifndef MACHINE_PROFILE_KALLSYMS_H
#define MACHINE_PROFILE_KALLSYMS_H

#include <stdint.h>

struct ram;

struct kernel_symbol {
	uint64_t addr;
	uint32_t name;			/* place of its name */
};
struct kernel_symbols {
	struct kernel_symbol *at;
	char *names;
	uint32_t n;
};
/* None: there is no kernel whose tables are understood, or no memory. */
void kallsyms_find(const struct ram *ram, struct kernel_symbols *found);
void kallsyms_free(struct kernel_symbols *found);

/* The function that an address is in: its name, and how far behind its beginning. NULL: there is none. */
const char *kallsyms_name(const struct kernel_symbols *found, uint64_t addr, uint64_t *offset);

#endif

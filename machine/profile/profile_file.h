/* What the files of this room have of each other; nobody else includes this. */
#ifndef MACHINE_PROFILE_PROFILE_FILE_H
#define MACHINE_PROFILE_PROFILE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "savevm/error.h"

struct machine;
struct ram;
struct spent;

/* The file is whole, or the old one. */
bool profile_write(struct machine *m, const char *path, const struct spent *s, uint64_t began, uint64_t ended, struct error *err);

/* ---- kallsyms.c: the functions of a Linux kernel, by address, out of the guest's memory ---- */
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

#endif

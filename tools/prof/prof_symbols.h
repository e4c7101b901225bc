/* Names of addresses: the kernel's that are in the profile, and those of --symbols. */
#ifndef TOOLS_PROF_PROF_SYMBOLS_H
#define TOOLS_PROF_PROF_SYMBOLS_H

#include "tools/prof/prof_file.h"

struct prof_symbol {
	uint64_t addr, end;		/* end: what follows is not its; 0: up to the next one */
	char *name;
	uint32_t order;			/* among those of one address the first counts */
	uint32_t function;		/* prof_functions.c */
};

struct prof_symbols {
	struct prof_symbol *at;		/* by address, once prof_symbols_sort() has been there */
	size_t n, room;
	size_t bytes;			/* of names */
};

#define PROF_LONGEST_NAME 4000		/* the rest of a longer one is dropped */

/* False: out of memory, or too many. The name is copied; what a terminal must not see in it is not. */
bool prof_symbols_add(struct prof_symbols *s, uint64_t addr, uint64_t size, const char *name, size_t len);
/* "FILE" or "FILE@ADDR": a System.map or an ELF file, at that address if it can lie anywhere. */
bool prof_symbols_load(struct prof_symbols *s, const char *text, struct error *err);
bool prof_symbols_take(struct prof_symbols *s, const struct prof *p, struct error *err);
void prof_symbols_sort(struct prof_symbols *s);
/* NULL: nobody's. */
struct prof_symbol *prof_symbols_find(const struct prof_symbols *s, uint64_t addr);
void prof_symbols_free(struct prof_symbols *s);

/* ---- prof_elf.c ---- */
static inline bool prof_is_elf(const uint8_t *bytes, size_t size)
{
	return size >= 4 && bytes[0] == 0x7f && bytes[1] == 'E' && bytes[2] == 'L' && bytes[3] == 'F';
}
/* False: `why` is the reason alone. */
bool prof_elf_read(struct prof_symbols *s, const uint8_t *bytes, size_t size, bool placed, uint64_t place, struct error *why);

#endif

/* The functions of an ELF file: of its .symtab, else of its .dynsym. ELF-64 and ELF-32, both byte orders. The file is
 * hostile: every offset and size in it is checked. Source: System V ABI, "Object Files". */
#include "tools/prof/prof_symbols.h"

#include <string.h>

enum { SHT_SYMTAB = 2, SHT_DYNSYM = 11, STT_FUNC = 2, STT_GNU_IFUNC = 10, PT_LOAD = 1 };
enum { BIND_LOCAL = 0 };

/* Where fields are, by class. */
static const struct layout {
	unsigned word;			/* bytes of an address */
	unsigned shoff, shentsize, shnum, phoff, phentsize, phnum;
	unsigned sh_size, sh_offset_at, sh_size_at, sh_link_at, sh_entsize_at;
	unsigned ph_size, p_vaddr_at;
	unsigned sym_size, value_at, size_at, info_at, shndx_at;
} layouts[] = {
	{ 4, 32, 46, 48, 28, 42, 44, 40, 16, 20, 24, 36, 32, 8, 16, 4, 8, 12, 14 },
	{ 8, 40, 58, 60, 32, 54, 56, 64, 24, 32, 40, 56, 56, 16, 24, 8, 16, 4, 6 },
};

struct elf {
	const uint8_t *bytes;
	size_t size;
	bool big;
	const struct layout *l;
};

static bool within(const struct elf *e, uint64_t at, uint64_t len)
{
	return at <= e->size && len <= e->size - at;
}

static uint64_t get(const struct elf *e, uint64_t at, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)e->bytes[at + i] << 8 * (e->big ? bytes - 1 - i : i);
	return v;
}

static bool fail(struct error *why, const char *what)
{
	error_set(why, "%s", what);
	return false;
}

static bool read_head(struct elf *e, struct error *why)
{
	if (e->size < 64 || e->bytes[4] < 1 || e->bytes[4] > 2 || e->bytes[5] < 1 || e->bytes[5] > 2)
		return fail(why, "is no ELF file of a known class");
	e->l = &layouts[e->bytes[4] - 1];
	e->big = e->bytes[5] == 2;
	return true;
}

/* The lowest address that the file itself gives to what is loaded: 0 in what can lie anywhere. */
static bool lowest_address(const struct elf *e, uint64_t *lowest, struct error *why)
{
	const struct layout *l = e->l;
	uint64_t at = get(e, l->phoff, l->word), n = get(e, l->phnum, 2);
	bool found = false;

	*lowest = 0;
	if (n && (get(e, l->phentsize, 2) != l->ph_size || !within(e, at, n * l->ph_size)))
		return fail(why, "its program headers are not there");
	for (uint64_t i = 0; i < n; i++) {
		uint64_t header = at + i * l->ph_size, vaddr = get(e, header + l->p_vaddr_at, l->word);

		if (get(e, header, 4) != PT_LOAD)
			continue;
		if (!found || vaddr < *lowest)
			*lowest = vaddr;
		found = true;
	}
	return true;
}

struct section {
	uint64_t type, offset, size, link, entsize;
};

static struct section section(const struct elf *e, uint64_t table, uint64_t i)
{
	const struct layout *l = e->l;
	uint64_t at = table + i * l->sh_size;

	return (struct section){
		.type = get(e, at + 4, 4), .offset = get(e, at + l->sh_offset_at, l->word), .size = get(e, at + l->sh_size_at, l->word),
		.link = get(e, at + l->sh_link_at, 4), .entsize = get(e, at + l->sh_entsize_at, l->word),
	};
}

static bool is_function(unsigned type) { return type == STT_FUNC || type == STT_GNU_IFUNC; }

/* The name, of which no more is looked at than is kept. NULL: it has no end. */
static const char *name_at(const struct elf *e, const struct section *strings, uint64_t name, size_t *len)
{
	uint64_t left = name < strings->size ? strings->size - name : 0, most = left < PROF_LONGEST_NAME ? left : PROF_LONGEST_NAME;
	const char *text = left ? (const char *)e->bytes + strings->offset + name : NULL;

	*len = text ? strnlen(text, most) : 0;
	return *len < left ? text : NULL;
}

/* One pass takes global symbols, the other local ones: of several names for one address a global one counts. */
static bool take_symbols(const struct elf *e, struct prof_symbols *s, const struct section *table, const struct section *strings,
			 bool local, uint64_t shift, struct error *why)
{
	const struct layout *l = e->l;

	for (uint64_t i = 0; i < table->size / l->sym_size; i++) {
		uint64_t at = table->offset + i * l->sym_size, name = get(e, at, 4);
		unsigned info = (unsigned)get(e, at + l->info_at, 1);
		const char *text;
		size_t len;

		if (!is_function(info & 15) || !get(e, at + l->shndx_at, 2) || (info >> 4 == BIND_LOCAL) != local)
			continue;
		text = name_at(e, strings, name, &len);
		if (!text)
			return fail(why, "a name in it has no end");
		if (len && !prof_symbols_add(s, get(e, at + l->value_at, l->word) + shift, get(e, at + l->size_at, l->word), text, len))
			return fail(why, "has too many symbols");
	}
	return true;
}

/* The number of the first section of that type; `n`: there is none. */
static uint64_t find_section(const struct elf *e, uint64_t at, uint64_t n, uint64_t type)
{
	for (uint64_t i = 0; i < n; i++)
		if (section(e, at, i).type == type)
			return i;
	return n;
}

static bool find_table(const struct elf *e, struct section *table, struct section *strings, struct error *why)
{
	const struct layout *l = e->l;
	uint64_t at = get(e, l->shoff, l->word), n = get(e, l->shnum, 2), i;

	if (!n || get(e, l->shentsize, 2) != l->sh_size || !within(e, at, n * l->sh_size))
		return fail(why, "has no section headers");
	i = find_section(e, at, n, SHT_SYMTAB);
	if (i == n)
		i = find_section(e, at, n, SHT_DYNSYM);
	if (i == n)
		return fail(why, "has no symbols");
	*table = section(e, at, i);
	if (table->entsize != l->sym_size || !within(e, table->offset, table->size) || table->link >= n)
		return fail(why, "its table of symbols is not there");
	*strings = section(e, at, table->link);
	if (!within(e, strings->offset, strings->size))
		return fail(why, "its names are not there");
	return true;
}

bool prof_elf_read(struct prof_symbols *s, const uint8_t *bytes, size_t size, bool placed, uint64_t place, struct error *why)
{
	struct elf e = { .bytes = bytes, .size = size };
	struct section table, strings;
	uint64_t lowest = 0;

	if (!read_head(&e, why) || (placed && !lowest_address(&e, &lowest, why)))
		return false;
	if (!find_table(&e, &table, &strings, why))
		return false;
	place = placed ? place - lowest : 0;
	return take_symbols(&e, s, &table, &strings, false, place, why) && take_symbols(&e, s, &table, &strings, true, place, why);
}

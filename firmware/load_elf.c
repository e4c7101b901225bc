/* ELF64 kernels of both byte orders: where their segments go and where they begin.
 *
 * A kernel is linked at the address it will run at after its own relocation (Linux: real 0,
 * effective 0xc000000000000000), so of the physical addresses only the low 28 bits count, from
 * KERNEL_LOAD_ADDR on. Nothing in the file is trusted.
 * Source: System V ABI, "Object Files" and "Program Loading"; 64-bit PowerPC ELF ABI 1.9 and 2. */
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "firmware/state.h"
#include "machine/error.h"

/* A field of the file in host order. */
struct order {
	bool le;
};

static uint64_t get(const struct order *o, const void *field, unsigned bytes)
{
	const uint8_t *p = field;
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[o->le ? bytes - 1 - i : i];
	return v;
}

#define GET(order, s, field) get(order, &(s)->field, sizeof (s)->field)

struct elf {
	const struct image *file;
	struct order order;
	Elf64_Phdr ph[KERNEL_MAX_SEGMENTS];
	unsigned phs;
};

bool elf_is(const struct image *image, bool *elf, struct error *err)
{
	char magic[SELFMAG];

	*elf = false;
	if (image->size < sizeof magic)
		return true;
	if (!image_read(image, 0, magic, sizeof magic, err))
		return false;
	*elf = !memcmp(magic, ELFMAG, SELFMAG);
	return true;
}

static bool bad(const struct elf *e, struct error *err, const char *why)
{
	error_set(err, "%s '%s' %s", e->file->what, e->file->path, why);
	return false;
}

static bool header_check(const struct elf *e, const Elf64_Ehdr *eh, struct error *err)
{
	uint64_t type = GET(&e->order, eh, e_type);

	if (eh->e_ident[EI_CLASS] == ELFCLASS32)
		return bad(e, err, "is a 32-bit ELF file; a 64-bit one is needed");
	if (eh->e_ident[EI_CLASS] != ELFCLASS64)
		return bad(e, err, "has an unknown ELF class");
	if (eh->e_ident[EI_DATA] != ELFDATA2LSB && eh->e_ident[EI_DATA] != ELFDATA2MSB)
		return bad(e, err, "has an unknown ELF byte order");
	if (eh->e_ident[EI_VERSION] != EV_CURRENT)
		return bad(e, err, "has an unknown ELF version");
	if (GET(&e->order, eh, e_machine) != EM_PPC64)
		return bad(e, err, "is an ELF file for another machine, not for 64-bit PowerPC");
	if (type != ET_EXEC && type != ET_DYN)
		return bad(e, err, "is an ELF file that is not linked (neither executable nor shared object)");
	if (GET(&e->order, eh, e_phnum) == 0)
		return bad(e, err, "is an ELF file without program headers");
	if (GET(&e->order, eh, e_phentsize) != sizeof(Elf64_Phdr))
		return bad(e, err, "has ELF program headers of a wrong size");
	if (GET(&e->order, eh, e_phnum) > KERNEL_MAX_SEGMENTS)
		return bad(e, err, "has too many ELF program headers");
	return true;
}

static bool headers_read(struct elf *e, Elf64_Ehdr *eh, struct error *err)
{
	uint64_t phoff;

	if (e->file->size < sizeof *eh)
		return bad(e, err, "is truncated: its ELF header is incomplete");
	if (!image_read(e->file, 0, eh, sizeof *eh, err))
		return false;
	e->order.le = eh->e_ident[EI_DATA] == ELFDATA2LSB;
	if (!header_check(e, eh, err))
		return false;
	e->phs = (unsigned)GET(&e->order, eh, e_phnum);
	phoff = GET(&e->order, eh, e_phoff);
	if (phoff > e->file->size || e->phs * sizeof e->ph[0] > e->file->size - phoff)
		return bad(e, err, "is truncated: its program headers lie beyond the end");
	return image_read(e->file, phoff, e->ph, e->phs * sizeof e->ph[0], err);
}

static bool overlaps(const struct segment *a, const struct segment *b)
{
	return a->addr < b->addr + b->memsz && b->addr < a->addr + a->memsz;
}

static bool segment_add(const struct elf *e, struct firmware *fw, const Elf64_Phdr *ph, const struct ram *ram,
			struct error *err)
{
	struct segment *s = &fw->segment[fw->segments];

	*s = (struct segment){
		.offset = GET(&e->order, ph, p_offset), .filesz = GET(&e->order, ph, p_filesz),
		.addr = (GET(&e->order, ph, p_paddr) & KERNEL_ADDR_MASK) + KERNEL_LOAD_ADDR,
		.memsz = GET(&e->order, ph, p_memsz),
	};
	if (s->filesz > s->memsz)
		return bad(e, err, "has a segment with more bytes in the file than in memory");
	if (s->offset > e->file->size || s->filesz > e->file->size - s->offset)
		return bad(e, err, "is truncated: a segment lies beyond its end");
	if (!ram_ok(ram, s->addr, s->memsz)) {
		error_set(err, "%s '%s' does not fit: a segment of %llu bytes at 0x%llx leaves RAM (%llu MiB)",
			  e->file->what, e->file->path, (unsigned long long)s->memsz, (unsigned long long)s->addr,
			  (unsigned long long)(ram->size >> 20));
		return false;
	}
	for (unsigned i = 0; i < fw->segments; i++)
		if (overlaps(s, &fw->segment[i]))
			return bad(e, err, "has segments that overlap in memory");
	fw->segments++;
	return true;
}

/* Where the byte at effective address `ea` of the linked program will lie: guest real and in the
 * file. False if no segment has it. */
static bool locate(const struct elf *e, uint64_t ea, uint64_t *addr, uint64_t *offset, uint64_t *filesz)
{
	for (unsigned i = 0; i < e->phs; i++) {
		const Elf64_Phdr *ph = &e->ph[i];
		uint64_t into = ea - GET(&e->order, ph, p_vaddr);

		if (GET(&e->order, ph, p_type) != PT_LOAD || into >= GET(&e->order, ph, p_memsz))
			continue;
		*addr = (GET(&e->order, ph, p_paddr) & KERNEL_ADDR_MASK) + KERNEL_LOAD_ADDR + into;
		*offset = GET(&e->order, ph, p_offset) + into;
		*filesz = GET(&e->order, ph, p_filesz) > into ? GET(&e->order, ph, p_filesz) - into : 0;
		return true;
	}
	return false;
}

static bool entry_find(struct elf *e, const Elf64_Ehdr *eh, struct firmware *fw, struct error *err)
{
	uint64_t ea = GET(&e->order, eh, e_entry), offset, filesz, addr, code, ignored;
	uint8_t dw[8];

	if (!locate(e, ea, &fw->entry, &offset, &filesz))
		return bad(e, err, "has an entry point outside its segments");
	/* ABI version 1: the entry point may be a function descriptor, whose first doubleword is
	 * the code's address. No instruction sequence looks like that: opcode 0 is illegal and so
	 * is what a kernel address reads as. */
	if (!e->order.le && (GET(&e->order, eh, e_flags) & 3) < 2 && !(ea & 7) && filesz >= sizeof dw) {
		if (!image_read(e->file, offset, dw, sizeof dw, err))
			return false;
		code = get(&e->order, dw, sizeof dw);
		if (code != ea && !(code & 3) && locate(e, code, &addr, &offset, &ignored))
			fw->entry = addr;
	}
	if (fw->entry & 3)
		return bad(e, err, "has an entry point that is no multiple of 4");
	return true;
}

bool elf_load(struct firmware *fw, const struct ram *ram, struct error *err)
{
	struct elf e = { .file = &fw->kernel };
	Elf64_Ehdr eh;
	uint64_t low = UINT64_MAX, high = 0;

	if (!headers_read(&e, &eh, err))
		return false;
	for (unsigned i = 0; i < e.phs; i++)
		if (GET(&e.order, &e.ph[i], p_type) == PT_LOAD && GET(&e.order, &e.ph[i], p_memsz) &&
		    !segment_add(&e, fw, &e.ph[i], ram, err))
			return false;
	if (!fw->segments)
		return bad(&e, err, "is an ELF file with nothing to load");
	for (unsigned i = 0; i < fw->segments; i++) {
		const struct segment *s = &fw->segment[i];

		low = s->addr < low ? s->addr : low;
		high = s->addr + s->memsz > high ? s->addr + s->memsz : high;
	}
	fw->kernel_addr = low;
	fw->kernel_size = high - low;
	fw->kernel_le = e.order.le;
	return entry_find(&e, &eh, fw, err);
}

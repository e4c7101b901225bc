/* ELF kernels: where their segments go and where they begin.
 *
 * A 64-bit kernel is linked at the address it will run at after its own relocation (Linux: real 0,
 * effective 0xc000000000000000), so of the physical addresses only the low 28 bits count, from
 * KERNEL_LOAD_ADDR on. A 32-bit one (Linux: zImage.pseries) runs where it is linked, unless it can run anywhere.
 * Nothing in the file is trusted.
 * Source: System V ABI, "Object Files" and "Program Loading"; 64-bit PowerPC ELF ABI 1.9 and 2; PowerPC Processor
 * binding to IEEE 1275, "Client Program Requirements". */
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include "firmware/state.h"
#include "savevm/error.h"

/* A field of the file in host order. */
struct order {
	bool le;
};

static uint64_t get_number(const struct order *o, const void *field, unsigned bytes)
{
	const uint8_t *p = field;
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[o->le ? bytes - 1 - i : i];
	return v;
}

#define GET(order, s, field) get_number(order, &(s)->field, sizeof (s)->field)

/* What counts of the headers, in host order, whichever width the file has. */
struct header {
	uint64_t type, machine, phnum, phentsize, phoff, entry, flags;
};

struct program {
	uint64_t type, offset, vaddr, paddr, filesz, memsz;
};

#define HEADER(o, eh) \
	(struct header){ GET(o, eh, e_type), GET(o, eh, e_machine), GET(o, eh, e_phnum), GET(o, eh, e_phentsize), GET(o, eh, e_phoff), \
			 GET(o, eh, e_entry), GET(o, eh, e_flags) }
#define PROGRAM(o, ph) \
	(struct program){ GET(o, ph, p_type), GET(o, ph, p_offset), GET(o, ph, p_vaddr), GET(o, ph, p_paddr), GET(o, ph, p_filesz), \
			  GET(o, ph, p_memsz) }

struct elf {
	const struct image *file;
	struct order order;
	bool wide;			/* 64 bits */
	struct header head;
	struct program ph[KERNEL_MAX_SEGMENTS];
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

static bool elf_wrong(const struct elf *e, struct error *err, const char *why)
{
	error_set(err, "%s '%s' %s", e->file->what, e->file->path, why);
	return false;
}

static bool ident_check(const struct elf *e, const unsigned char *ident, struct error *err)
{
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return elf_wrong(e, err, "has an unknown ELF class");
	if (ident[EI_DATA] != ELFDATA2LSB && ident[EI_DATA] != ELFDATA2MSB)
		return elf_wrong(e, err, "has an unknown ELF byte order");
	if (ident[EI_VERSION] != EV_CURRENT)
		return elf_wrong(e, err, "has an unknown ELF version");
	return true;
}

static bool header_check(const struct elf *e, struct error *err)
{
	const struct header *h = &e->head;

	if (h->machine != (e->wide ? EM_PPC64 : EM_PPC))
		return elf_wrong(e, err, e->wide ? "is an ELF file for another machine, not for 64-bit PowerPC" :
				 "is a 32-bit ELF file for another machine, not for PowerPC");
	if (!e->wide && e->order.le)
		return elf_wrong(e, err, "is a little-endian 32-bit ELF file, and those start in big-endian mode");
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return elf_wrong(e, err, "is an ELF file that is not linked (neither executable nor shared object)");
	if (h->phnum == 0)
		return elf_wrong(e, err, "is an ELF file without program headers");
	if (h->phentsize != (e->wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return elf_wrong(e, err, "has ELF program headers of a wrong size");
	if (h->phnum > KERNEL_MAX_SEGMENTS)
		return elf_wrong(e, err, "has too many ELF program headers");
	return true;
}

/* The file's header, of either width: the first 16 bytes tell. */
static bool header_read(struct elf *e, struct error *err)
{
	union {
		Elf32_Ehdr narrow;
		Elf64_Ehdr wide;
	} eh;

	if (e->file->size < sizeof eh.narrow)
		return elf_wrong(e, err, "is truncated: its ELF header is incomplete");
	if (!image_read(e->file, 0, &eh, sizeof eh.narrow, err) || !ident_check(e, eh.narrow.e_ident, err))
		return false;
	e->wide = eh.narrow.e_ident[EI_CLASS] == ELFCLASS64;
	e->order.le = eh.narrow.e_ident[EI_DATA] == ELFDATA2LSB;
	if (e->wide && e->file->size < sizeof eh.wide)
		return elf_wrong(e, err, "is truncated: its ELF header is incomplete");
	if (e->wide && !image_read(e->file, 0, &eh, sizeof eh.wide, err))
		return false;
	e->head = e->wide ? HEADER(&e->order, &eh.wide) : HEADER(&e->order, &eh.narrow);
	return header_check(e, err);
}

static bool headers_read(struct elf *e, struct error *err)
{
	union {
		Elf32_Phdr narrow[KERNEL_MAX_SEGMENTS];
		Elf64_Phdr wide[KERNEL_MAX_SEGMENTS];
	} ph;
	uint64_t size;

	if (!header_read(e, err))
		return false;
	e->phs = (unsigned)e->head.phnum;
	size = e->phs * e->head.phentsize;
	if (e->head.phoff > e->file->size || size > e->file->size - e->head.phoff)
		return elf_wrong(e, err, "is truncated: its program headers lie beyond the end");
	if (!image_read(e->file, e->head.phoff, &ph, size, err))
		return false;
	for (unsigned i = 0; i < e->phs; i++)
		e->ph[i] = e->wide ? PROGRAM(&e->order, &ph.wide[i]) : PROGRAM(&e->order, &ph.narrow[i]);
	return true;
}

/* Guest real address of what a program header has at `paddr`. */
static uint64_t load_address(const struct elf *e, uint64_t paddr)
{
	bool fixed = !e->wide && e->head.type == ET_EXEC;

	return fixed ? paddr : (paddr & KERNEL_ADDR_MASK) + KERNEL_LOAD_ADDR;
}

static bool segments_overlap(const struct segment *a, const struct segment *b)
{
	return a->addr < b->addr + b->memsz && b->addr < a->addr + a->memsz;
}

static bool segment_add(const struct elf *e, struct firmware *fw, const struct program *ph, const struct ram *ram,
			struct error *err)
{
	struct segment *s = &fw->segment[fw->segments];

	*s = (struct segment){ .offset = ph->offset, .filesz = ph->filesz, .addr = load_address(e, ph->paddr), .memsz = ph->memsz };
	if (s->filesz > s->memsz)
		return elf_wrong(e, err, "has a segment with more bytes in the file than in memory");
	if (s->offset > e->file->size || s->filesz > e->file->size - s->offset)
		return elf_wrong(e, err, "is truncated: a segment lies beyond its end");
	if (!ram_ok(ram, s->addr, s->memsz)) {
		error_set(err, "%s '%s' does not fit: a segment of %llu bytes at 0x%llx leaves RAM (%llu MiB)",
			  e->file->what, e->file->path, (unsigned long long)s->memsz, (unsigned long long)s->addr,
			  (unsigned long long)(ram->size >> 20));
		return false;
	}
	for (unsigned i = 0; i < fw->segments; i++)
		if (segments_overlap(s, &fw->segment[i]))
			return elf_wrong(e, err, "has segments that overlap in memory");
	fw->segments++;
	return true;
}

/* Where the byte at effective address `ea` of the linked program will lie: guest real and in the
 * file. False if no segment has it. */
static bool locate_address(const struct elf *e, uint64_t ea, uint64_t *addr, uint64_t *offset, uint64_t *filesz)
{
	for (unsigned i = 0; i < e->phs; i++) {
		const struct program *ph = &e->ph[i];
		uint64_t into = ea - ph->vaddr;

		if (ph->type != PT_LOAD || into >= ph->memsz)
			continue;
		*addr = load_address(e, ph->paddr) + into;
		*offset = ph->offset + into;
		*filesz = ph->filesz > into ? ph->filesz - into : 0;
		return true;
	}
	return false;
}

static bool entry_find(struct elf *e, struct firmware *fw, struct error *err)
{
	uint64_t ea = e->head.entry, offset, filesz, addr, code, ignored;
	uint8_t dw[8];

	if (!locate_address(e, ea, &fw->entry, &offset, &filesz))
		return elf_wrong(e, err, "has an entry point outside its segments");
	/* ABI version 1: the entry point may be a function descriptor, whose first doubleword is
	 * the code's address. No instruction sequence looks like that: opcode 0 is illegal and so
	 * is what a kernel address reads as. */
	if (e->wide && !e->order.le && (e->head.flags & 3) < 2 && !(ea & 7) && filesz >= sizeof dw) {
		if (!image_read(e->file, offset, dw, sizeof dw, err))
			return false;
		code = get_number(&e->order, dw, sizeof dw);
		if (code != ea && !(code & 3) && locate_address(e, code, &addr, &offset, &ignored))
			fw->entry = addr;
	}
	if (fw->entry & 3)
		return elf_wrong(e, err, "has an entry point that is no multiple of 4");
	return true;
}

bool elf_load(struct firmware *fw, const struct ram *ram, struct error *err)
{
	struct elf e = { .file = &fw->kernel };
	uint64_t low = UINT64_MAX, high = 0;

	if (!headers_read(&e, err))
		return false;
	for (unsigned i = 0; i < e.phs; i++)
		if (e.ph[i].type == PT_LOAD && e.ph[i].memsz &&
		    !segment_add(&e, fw, &e.ph[i], ram, err))
			return false;
	if (!fw->segments)
		return elf_wrong(&e, err, "is an ELF file with nothing to load");
	for (unsigned i = 0; i < fw->segments; i++) {
		const struct segment *s = &fw->segment[i];

		low = s->addr < low ? s->addr : low;
		high = s->addr + s->memsz > high ? s->addr + s->memsz : high;
	}
	fw->kernel_addr = low;
	fw->kernel_size = high - low;
	fw->kernel_le = e.order.le;
	return entry_find(&e, fw, err);
}

/* Instructions as text: capstone's, where it was there at build time; else the word alone. */
#include <string.h>

#include "tools/prof/prof_views.h"

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

/* Opened once: an address or two is asked for at a time. */
static bool disassemble(uint64_t ea, uint32_t word, char *text, size_t size)
{
	const uint8_t bytes[4] = { (uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word };
	static csh handle;
	cs_insn *insn;

	if (!handle && cs_open(CS_ARCH_PPC, (cs_mode)(CS_MODE_64 | CS_MODE_BIG_ENDIAN), &handle) != CS_ERR_OK)
		return false;
	if (cs_disasm(handle, bytes, sizeof bytes, ea, 1, &insn) != 1)
		return false;
	snprintf(text, size, "%s%s%s", insn->mnemonic, *insn->op_str ? " " : "", insn->op_str);
	cs_free(insn, 1);
	return true;
}
#else
static bool disassemble(uint64_t ea, uint32_t word, char *text, size_t size)
{
	(void)ea, (void)word, (void)text, (void)size;
	return false;
}
#endif

/* Where a direct branch leads. Power ISA 3.0B, Book I, 2.4. */
static bool branch_target(uint64_t ea, uint32_t word, uint64_t *target)
{
	int64_t offset;

	if (word >> 26 == 18)
		offset = (int32_t)((word & 0x03fffffc) << 6) >> 6;
	else if (word >> 26 == 16)
		offset = (int16_t)(word & 0xfffc);
	else
		return false;
	*target = (uint64_t)offset + (word & 2 ? 0 : ea);
	return true;
}

void prof_disasm(const struct prof_functions *f, uint64_t ea, uint64_t space, uint32_t word, char *text, size_t size)
{
	uint64_t target;
	size_t len;

	if (!disassemble(ea, word, text, size))
		snprintf(text, size, ".long 0x%08x", word);
	len = strlen(text);
	if (!f || !branch_target(ea, word, &target) || !prof_is_named(f, target, space) || size - len < 8)
		return;
	snprintf(text + len, size - len, "  <");
	len += 3;
	prof_place_name(f, target, space, text + len, size - len - 2);
	strcat(text, ">");
}

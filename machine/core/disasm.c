/* Disassembly through capstone, where it was there at build time. */
#include "machine/core/disasm.h"

#include <stdio.h>
#include <string.h>

#include "cpu/engine/decode.h"
#include "machine/core/machine.h"

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>

/* The text of one instruction of one word; false if capstone does not know it. */
static bool disassemble(uint64_t ea, uint32_t word, char *text, size_t size)
{
	const uint8_t bytes[4] = { (uint8_t)(word >> 24), (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word };
	cs_insn *insn;
	csh handle;
	bool known = false;

	if (cs_open(CS_ARCH_PPC, CS_MODE_64 | CS_MODE_BIG_ENDIAN, &handle) != CS_ERR_OK)
		return false;
	if (cs_disasm(handle, bytes, sizeof bytes, ea, 1, &insn) == 1) {
		snprintf(text, size, "%s %s", insn->mnemonic, insn->op_str);
		cs_free(insn, 1);
		known = true;
	}
	cs_close(&handle);
	return known;
}
static const bool have_capstone = true;
#else
static const bool have_capstone = false;

static bool disassemble(uint64_t ea, uint32_t word, char *text, size_t size)
{
	(void)ea;
	(void)word;
	(void)text;
	(void)size;
	return false;
}
#endif

/* Rows are named as C can: andi_ is andi. */
static void name_of(const struct insn *row, char *text, size_t size)
{
	size_t len;

	snprintf(text, size, "%s", row ? row->name : "(illegal)");
	len = strlen(text);
	if (text[len - 1] == '_')
		text[len - 1] = '.';
}

void disasm_announce(struct machine *m)
{
	if (!have_capstone)
		machine_log(m, LOG_IN_ASM, "built without capstone: mnemonics only");
}

void disasm_show(void *machine, uint64_t ea, const uint32_t *words, unsigned n)
{
	char text[256];

	for (unsigned i = 0; i < n; i++) {
		uint64_t insn = insn_at(words, n, i);

		if (is_prefixed(insn) || !disassemble(ea + 4 * i, words[i], text, sizeof text))
			name_of(insn_lookup(insn), text, sizeof text);
		machine_log(machine, LOG_IN_ASM, "0x%016llx: %08x  %s\n", (unsigned long long)(ea + 4 * i), words[i], text);
		if (is_prefixed(insn)) {
			i++;
			machine_log(machine, LOG_IN_ASM, "0x%016llx: %08x\n", (unsigned long long)(ea + 4 * i), words[i]);
		}
	}
}

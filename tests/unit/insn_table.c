/* The instruction table against itself: nothing claimed twice, operands known, the handlers that
 * the flags promise.
 *
 *   insn_table            checks
 *   insn_table -w N SEED  prints "NAME WORD" for N random words, or prefixes and suffixes, of each row: objdump.py compares
 *   insn_table -k LEVEL   a byte for each of the words on stdin: whether a processor of level P8, P9 or P10 has a row for it
 */
#include <stdarg.h>

#include "check.h"
#include "cpu/engine/decode.h"

static bool common_word(const struct insn *a, const struct insn *b)
{
	return ((a->match ^ b->match) & a->mask & b->mask) == 0;
}

/* A later generation gives a meaning to some of the words that an earlier one had for all alike. */
static bool takes_from(const struct insn *later, const struct insn *earlier)
{
	return later->since > earlier->since && later->mask != earlier->mask && (later->mask & earlier->mask) == earlier->mask;
}

static void test_overlaps(void)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < ninsns; i++)
		for (unsigned j = 0; j < i; j++) {
			const struct insn *a = &insns[i], *b = &insns[j];

			if (!common_word(a, b) || takes_from(a, b) || takes_from(b, a))
				continue;
			check(false, "overlap: %s and %s", a->name, b->name);
			bad++;
		}
	check(!bad, "no-word-claimed-twice");
}

/* Rows that move no data, or whole blocks: there is nothing to swap. */
static bool has_no_order(const struct insn *r)
{
	static const char *const names[] = { "icbi", "dcbst", "dcbf", "copy", "paste" };

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(r->name, names[i]))
			return true;
	return false;
}

/* By what the row calls its first operand: a source, or by its name where that says nothing. */
static bool is_store(const struct insn *r)
{
	static const char *const sources[] = { "RS,", "FRS,", "VRS,", "XS,", "XSQ,", "XSP,", "XPS,", "XS0,", "FRSP," };

	for (unsigned i = 0; i < sizeof sources / sizeof sources[0]; i++)
		if (!strncmp(r->operands, sources[i], strlen(sources[i])))
			return true;
	return !strncmp(r->name, "hashst", 6) || !strcmp(r->name, "dcbz") || !strcmp(r->name, "paste");
}

static void test_rows(void)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < ninsns; i++) {
		const struct insn *r = &insns[i];
		uint64_t operands = decode_operand_bits(r);
		uint32_t opcode = 0xfc000000;
		bool ok = true;

#define FACT(fact, what) do { if (!(fact)) ok = check(false, "%s: " what, r->name); } while (0)
		FACT((r->match & ~r->mask) == 0, "match has bits outside the mask");
		FACT((r->mask >> 32 & opcode) == opcode, "primary opcode is not in the mask, or what says that it has no prefix");
		FACT(is_prefixed(r->match) == (r->mask >> 32 != UINT32_MAX), "a prefix that the mask knows nothing of");
		FACT(!is_prefixed(r->match) || is_prefix((uint32_t)(r->match >> 32)), "a prefix of another opcode");
		FACT(decode_operands_valid(r), "unknown operand");
		FACT((operands & r->mask) == 0, "an operand lies in the opcode");
		FACT(r->fn, "no handler");
		FACT(!(r->flags & MEM) || r->be || has_no_order(r), "no big-endian handler");
		FACT(!(r->flags & OE) || r->o, "no handler for OE");
		FACT(!(r->flags & (RCF | VRC)) || r->rc, "no handler for Rc");
		FACT(!(r->flags & RCF) || r->flags & RC, "RCF without RC");
		FACT(!(r->flags & RC && r->flags & RCFP), "RC and RCFP");
		FACT(!(r->flags & UPD) || r->flags & MEM, "UPD without MEM");
		FACT(!(r->flags & MEM) || strstr(r->operands, "(RA") || strstr(r->operands, "RA"), "MEM without address");
		FACT(!(r->flags & WRITES) == !(r->flags & MEM && is_store(r)), "WRITES is for stores");
		FACT(strlen(r->reference) > 3, "no reference");
#undef FACT
		bad += !ok;
	}
	check(ninsns > 700, "rows: %u", ninsns);
	check(!bad, "rows-are-sound");
	bad = 0;
	for (unsigned i = 0; i < ninsns; i++)
		for (unsigned j = 0; j < i; j++)
			bad += !strcmp(insns[i].name, insns[j].name);
	check(!bad, "names-unique");
}

/* Random bits where the row has operands, and in what it ignores if `reserved`. */
static uint64_t word_of(const struct insn *r, uint64_t *seed, bool reserved)
{
	uint64_t bits = check_random(seed);

	return r->match | (bits & (reserved ? ~r->mask : decode_operand_bits(r)));
}

#define PREFIX_OPCODES (UINT64_C(63) << 58)
#define PREFIXED       ((uint64_t)PREFIX_OPCODE << 58)

static void test_lookup(void)
{
	uint64_t seed = 5;
	unsigned bad = 0, found = 0, none = 0, later = 0;

	for (unsigned i = 0; i < ninsns; i++) {
		const struct insn *r = &insns[i];

		for (unsigned k = 0; k < 50; k++) {
			uint64_t word = word_of(r, &seed, true);
			const struct insn *got = insn_lookup_at(word, r->since);

			if (got != r)
				bad += check(false, "%s: %016" PRIx64 " is %s", r->name, word, got ? got->name : "nobody's") == false;
		}
	}
	check(!bad, "lookup-finds-its-row");
	/* Against the plain search, by processors of each generation. */
	bad = 0;
	for (unsigned k = 0; k < 300000; k++) {
		uint64_t random = check_random(&seed), word = k % 3 ? random >> 32 : PREFIXED | (random & ~PREFIX_OPCODES);
		enum insn_since level = (enum insn_since)(check_random(&seed) % (P10 + 1));
		const struct insn *got = insn_lookup_at(word, level), *want = NULL;

		for (unsigned i = 0; i < ninsns; i++)
			if ((word & insns[i].mask) == insns[i].match && insns[i].since <= level &&
			    (!want || __builtin_popcountll(insns[i].mask) > __builtin_popcountll(want->mask)))
				want = &insns[i];
		bad += got != want;
		found += got != NULL;
		none += got == NULL;
		later += got != insn_lookup(word);
	}
	check(!bad, "lookup-is-the-plain-search");
	check(found > 1000 && none > 1000 && later > 1000, "all-kinds-of-words");
	check(!insn_lookup(0), "all-zeros-is-illegal");
}

/* A pair of FPRs begins at an even number; odd ones are invalid forms, and no instruction at all here. */
static void test_pairs(void)
{
	static const struct { const char *token; unsigned shift; } fields[] = { { "FRTP", 21 }, { "FRAP", 16 }, { "FRBP", 11 } };
	unsigned pairs = 0, bad = 0;

	for (unsigned i = 0; i < ninsns; i++)
		for (unsigned k = 0; k < sizeof fields / sizeof fields[0]; k++) {
			if (!strstr(insns[i].operands, fields[k].token))
				continue;
			bad += insn_lookup(insns[i].match | 1u << fields[k].shift) != NULL;
			bad += insn_lookup(insns[i].match | 2u << fields[k].shift) != &insns[i];
			pairs++;
		}
	check(pairs == 51, "pairs: %u", pairs);
	check(!bad, "odd-pairs-are-illegal");
}

static void test_generations(void)
{
	static const struct { uint32_t word; enum insn_since since; } rows[] = {
		{ 0x7c000524 /* a reserved no-op, then hashstp */, P8 },
		{ 0xec000004 /* dadd */, P6 }, { 0xfc000004 /* daddq */, P6 }, { 0xec000546 /* dtstsfi */, P9 },
		{ 0xfc000546 /* dtstsfiq */, P9 }, { 0xfc0007c4 /* dcffixqq */, P10 }, { 0xfc0107c4 /* dctfixqq */, P10 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(insn_lookup_at(rows[i].word, rows[i].since) && !insn_lookup_at(rows[i].word, rows[i].since - 1),
		      "generation-of-%08x", rows[i].word);
	check(insn_lookup_at(0x7c000524, P9) != insn_lookup_at(0x7c000524, P10), "no-op-becomes-hashstp");
}

/* For each instruction of so many words on stdin. */
static int print_known(const char *level, unsigned nwords)
{
	enum insn_since since = !strcmp(level, "P8") ? P8 : !strcmp(level, "P9") ? P9 : P10;
	uint32_t words[2];

	while (fread(words, sizeof words[0], nwords, stdin) == nwords)
		putchar(insn_lookup_at(nwords > 1 ? (uint64_t)words[0] << 32 | words[1] : words[0], since) ? '1' : '0');
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc == 3 && (!strcmp(argv[1], "-k") || !strcmp(argv[1], "-p")))
		return print_known(argv[2], argv[1][1] == 'p' ? 2 : 1);
	if (argc > 2 && !strcmp(argv[1], "-w")) {
		uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
		unsigned n = (unsigned)strtoul(argv[2], NULL, 0);

		for (unsigned i = 0; i < ninsns; i++)
			for (unsigned k = 0; k < n; k++) {
				uint64_t word = word_of(&insns[i], &seed, false);

				if (insn_lookup(word) == &insns[i])
					printf("%s %0*" PRIx64 "\n", insns[i].name, is_prefixed(word) ? 16 : 8, word);
			}
		return EXIT_SUCCESS;
	}
	test_overlaps();
	test_pairs();
	test_generations();
	test_rows();
	test_lookup();
	return check_done();
}

/* Results that insn/ cannot see, because cede differs from qemu-user on purpose or qemu-user draws a key of its own: what
 * POWER9 hardware gives, or a whole machine of QEMU's, as literals. Where they come from is in tests/insn/README.md. */
#include <stdarg.h>
#include <sys/mman.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"

#define CODE 0x1000u
#define DATA 0x2000u

/* Targets and operands of every row here: register 3 <- 4, 5, 6. */
enum { T = 3, A = 4, B = 5, C = 6 };

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct cpu *cpu;
};

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static void rig_new(struct rig *rig, uint64_t size)
{
	memset(rig, 0, sizeof *rig);
	rig->ram.size = size;
	rig->ram.base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rig->ram.page = calloc(rig->ram.size >> RAM_PAGE_SHIFT, 1);
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .ram = &rig->ram, .clock = &rig->clock };
	rig->cpu = aligned_alloc(64, (sizeof *rig->cpu + 63) & ~(size_t)63);
	memset(rig->cpu, 0, sizeof *rig->cpu);
	rig->cpu->env = &rig->env;
	engine_add_cpu(engine_new(&rig->ram, "flat", P10, 1), rig->cpu);
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->cpu->engine);
	munmap(rig->ram.base, rig->ram.size);
	free(rig->ram.page);
	free(rig->cpu);
}

static struct cpu *start_in(struct rig *rig, uint64_t msr)
{
	struct cpu *cpu = rig->cpu;

	cpu_reset(cpu);
	cpu->run_state = CPU_RUNNING;
	cpu->cycles = 0;
	cpu->nip = CODE;
	cpu_set_msr(cpu, msr | MSR_FP | MSR_VEC | MSR_VSX);
	return cpu;
}

static struct cpu *start(struct rig *rig)
{
	return start_in(rig, MSR_SF | MSR_LE);
}

static uint32_t word_of(const char *name)
{
	for (unsigned i = 0; i < ninsns; i++)
		if (!strcmp(insns[i].name, name))
			return insns[i].match;
	printf("FAIL no row %s\n", name);
	exit(EXIT_FAILURE);
}

/* One instruction in the byte order of MSR. */
static void execute(struct rig *rig, uint32_t word)
{
	if (!(rig->cpu->msr & MSR_LE))
		word = __builtin_bswap32(word);
	ram_write(&rig->ram, CODE, &word, sizeof word);
	engine_code_written(rig->cpu->engine, CODE, sizeof word);
	cpu_run(rig->cpu, 1);
}

static bool run_word(struct rig *rig, const char *name, uint32_t word)
{
	execute(rig, word);
	return check_eq(rig->cpu->nip, CODE + 4, "%s ran", name);
}

/* The row's instruction on registers T, A, B (and C if it has such a field), other bits or-ed in. */
static bool run(struct rig *rig, const char *name, uint32_t bits)
{
	return run_word(rig, name, word_of(name) | T << 21 | A << 16 | B << 11 | bits);
}

/* ---- Division: quotients and remainders that there are not ---- */

#define OE (1u << 10)
#define OVERFLOWN (UINT64_C(0xc0080000))	/* SO, OV, OV32 */

static void test_division(struct rig *rig)
{
	static const struct { const char *name; uint64_t a, b; bool oe; } rows[] = {
		{ "divw", 7, 0, true }, { "divw", 0x80000000, 0xffffffff, true }, { "divwu", 7, 0, true },
		{ "divd", 7, 0, true }, { "divd", PPC_BIT(0), UINT64_MAX, true }, { "divdu", 7, 0, true },
		{ "divwe", 7, 0, true }, { "divwe", 1, 1, true }, { "divweu", 7, 0, true }, { "divweu", 9, 9, true },
		{ "divde", 7, 0, true }, { "divde", 1, 1, true }, { "divdeu", 7, 0, true }, { "divdeu", 9, 9, true },
		{ "modsw", 7, 0, false }, { "modsw", 0x80000000, 0xffffffff, false }, { "moduw", 7, 0, false },
		{ "modsd", 7, 0, false }, { "modsd", PPC_BIT(0), UINT64_MAX, false }, { "modud", 7, 0, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		for (unsigned oe = 0; oe <= rows[i].oe; oe++) {
			struct cpu *cpu = start(rig);

			cpu->r[T] = 0x5555;
			cpu->r[A] = rows[i].a;
			cpu->r[B] = rows[i].b;
			run(rig, rows[i].name, oe ? OE : 0);
			check_eq(cpu->r[T], 0, "%s of 0x%" PRIx64 " by 0x%" PRIx64, rows[i].name, rows[i].a, rows[i].b);
			check_eq(cpu_get_xer(cpu), oe ? OVERFLOWN : 0, "XER after it");
		}
	}
}

/* ---- A single's NaN: 23 bits of fraction are all that it has ---- */

#define WIDE_QNAN UINT64_C(0x7fffffffffffffff)
#define WIDE_SNAN UINT64_C(0x7ff7ffffffffffff)
#define LOW_SNAN  UINT64_C(0xfff0000000000001)	/* nothing but the quiet bit remains */
#define ONE       UINT64_C(0x3ff0000000000000)

static uint64_t single(uint64_t nan)
{
	return (nan | PPC_BIT(12)) & ~UINT64_C(0x1fffffff);
}

static void test_single_nan(struct rig *rig, uint64_t nan)
{
	/* Where the operand that is a NaN stands. */
	static const struct { const char *name; unsigned at; } rows[] = {
		{ "fadds", A }, { "fadds", B }, { "fsubs", A }, { "fsubs", B }, { "fmuls", A }, { "fmuls", C },
		{ "fdivs", A }, { "fdivs", B }, { "fmadds", A }, { "fmadds", B }, { "fmadds", C }, { "fmsubs", A },
		{ "fmsubs", B }, { "fmsubs", C }, { "fnmadds", A }, { "fnmadds", B }, { "fnmadds", C }, { "fnmsubs", A },
		{ "fnmsubs", B }, { "fnmsubs", C }, { "fsqrts", B }, { "fres", B }, { "frsqrtes", B }, { "frsp", B },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu *cpu = start(rig);
		bool product = !strncmp(rows[i].name, "fm", 2) || !strncmp(rows[i].name, "fn", 2);

		for (unsigned r = A; r <= C; r++)
			VD(cpu->vsr[r], 0) = r == rows[i].at ? nan : ONE;
		run(rig, rows[i].name, product ? C << 6 : 0);
		check_eq(VD(cpu->vsr[T], 0), single(nan), "%s of the NaN 0x%" PRIx64, rows[i].name, nan);
		check_eq(fpscr_get(cpu) & FPSCR_FPRF, (uint64_t)FPRF_QNAN << FPSCR_FPRF_SHIFT, "FPRF after it");
	}
}

/* ---- Maximum and minimum as C has them: of two equal numbers the second ---- */

#define MINUS_0 PPC_BIT(0)

static void test_equal_zeros(struct rig *rig)
{
	static const struct { const char *name; uint64_t a, b, t; } rows[] = {
		{ "xsmaxcdp", 0, MINUS_0, MINUS_0 }, { "xsmaxcdp", MINUS_0, 0, 0 },
		{ "xsmincdp", 0, MINUS_0, MINUS_0 }, { "xsmincdp", MINUS_0, 0, 0 },
		{ "xsmaxjdp", 0, MINUS_0, 0 }, { "xsmaxjdp", MINUS_0, 0, 0 },
		{ "xsminjdp", 0, MINUS_0, MINUS_0 }, { "xsminjdp", MINUS_0, 0, MINUS_0 },
		{ "xsmaxdp", 0, MINUS_0, 0 }, { "xsmaxdp", MINUS_0, 0, 0 },
		{ "xsmindp", 0, MINUS_0, MINUS_0 }, { "xsmindp", MINUS_0, 0, MINUS_0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu *cpu = start(rig);

		VD(cpu->vsr[A], 0) = rows[i].a;
		VD(cpu->vsr[B], 0) = rows[i].b;
		run(rig, rows[i].name, 0);
		check_eq(VD(cpu->vsr[T], 0), rows[i].t, "%s of %c0 and %c0", rows[i].name, rows[i].a ? '-' : '+', rows[i].b ? '-' : '+');
	}
}

/* ---- Decimal shifts and truncations: CR6 tells what the source was ---- */

enum { LT = 8, GT = 4, EQ = 2, SO = 1 };

static void test_decimal(struct rig *rig)
{
	static const struct { const char *name; int count; uint64_t high, low, t_high, t_low; unsigned cr6; } rows[] = {
		{ "bcds", 31, 0, 0x10c, 0, 0xc, GT | SO }, { "bcds", 31, 0, 0x10d, 0, 0xd, LT | SO },
		{ "bcds", -5, 0, 0x123c, 0, 0xc, GT }, { "bcds", -5, 0, 0x123d, 0, 0xd, LT },
		{ "bcds", 3, 0, 0xd, 0, 0xd, EQ }, { "bcds", 1, 0, 0x12d, 0, 0x120d, LT },
		{ "bcds", 1, UINT64_C(0x9000000000000000), 0xc, 0, 0xc, GT | SO },
		{ "bcdsr", -5, 0, 0x123c, 0, 0xc, GT }, { "bcdsr", -3, 0, 0x499d, 0, 0xd, LT },
		{ "bcdsr", -3, 0, 0x500d, 0, 0x1d, LT }, { "bcdsr", 31, 0, 0x10c, 0, 0xc, GT | SO },
		{ "bcdus", -5, 0, 0x123, 0, 0, GT }, { "bcdus", 32, 0, 0x123, 0, 0, GT | SO }, { "bcdus", 32, 0, 0, 0, 0, EQ },
		{ "bcdus", 31, 0, 0x10, 0, 0, GT | SO }, { "bcdus", 1, 0, 0x10, 0, 0x100, GT },
		{ "bcdtrunc", 0, 0, 0x123c, 0, 0xc, GT | SO }, { "bcdtrunc", 0, 0, 0x123d, 0, 0xd, LT | SO },
		{ "bcdtrunc", 1, 0, 0x120d, 0, 0xd, LT | SO }, { "bcdtrunc", 2, 0, 0x12d, 0, 0x12d, LT },
		{ "bcdtrunc", 1, 0, 0xd, 0, 0xd, EQ },
		{ "bcdutrunc", 0, 0, 0x123, 0, 0, GT | SO }, { "bcdutrunc", 2, 0, 0x100, 0, 0, GT | SO },
		{ "bcdutrunc", 3, 0, 0x123, 0, 0x123, GT }, { "bcdutrunc", 3, 0, 0, 0, 0, EQ },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu *cpu = start(rig);
		union vreg *t = &cpu->vsr[32 + T];

		/* The shifts take byte 7, the truncations halfword 3: both end doubleword 0. */
		VD(cpu->vsr[32 + A], 0) = (uint16_t)rows[i].count;
		VD(cpu->vsr[32 + B], 0) = rows[i].high;
		VD(cpu->vsr[32 + B], 1) = rows[i].low;
		run(rig, rows[i].name, 0);
		check(VD(*t, 0) == rows[i].t_high && VD(*t, 1) == rows[i].t_low, "%s %d of 0x%" PRIx64, rows[i].name,
		      rows[i].count, rows[i].low);
		check_eq(cpu->cr[6], rows[i].cr6, "CR6 after it");
	}
}

/* ---- Scalar loads: the other doubleword becomes 0 ---- */

static void test_scalar_loads(struct rig *rig)
{
	static const struct { const char *name; uint64_t t; } rows[] = {
		{ "lxsibzx", 0x88 }, { "lxsihzx", 0x7788 }, { "lxsiwzx", 0x55667788 }, { "lxsiwax", 0x55667788 },
		{ "lxsdx", UINT64_C(0x1122334455667788) },
	};
	const uint64_t data = UINT64_C(0x1122334455667788);

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu *cpu = start(rig);

		ram_write(&rig->ram, DATA, &data, sizeof data);
		cpu->vsr[T] = (union vreg){ .d = { UINT64_MAX, UINT64_MAX } };
		cpu->r[A] = DATA - 0x10;
		cpu->r[B] = 0x10;
		run(rig, rows[i].name, 0);
		check_eq(VD(cpu->vsr[T], 0), rows[i].t, "%s", rows[i].name);
		check_eq(VD(cpu->vsr[T], 1), 0, "doubleword 1 after it");
	}
}

/* ---- String loads whose registers come to the base: there they end ---- */

#define MARK(n) (UINT64_C(0x5555555500000000) + (n))

/* Digests that qemu-system-ppc64 7.2 stores. DEXCR says whether there is one. */
static void test_hash(struct rig *rig)
{
	static const struct { uint64_t ra, rb, key, digest; } rows[] = {
		{ 0x20000, UINT64_C(0xf2a74de452e6b438), UINT64_C(0x6513270e269e0d37), UINT64_C(0xcefc17e1a84fc3fc) },
		{ 0x20100, UINT64_C(0x0c5c7fd0a6a3a450), UINT64_C(0xd23f0824128b2f33), UINT64_C(0x7f49eccfa3cf7c80) },
		{ 0x20200, UINT64_C(0x1818e811892f902b), UINT64_C(0x9531985d5d9dc9f8), UINT64_C(0xafbb9383fb092aa3) },
		{ 0x20300, UINT64_C(0xe8e25d940ed90475), UINT64_C(0x36f675cc81e74ef5), UINT64_C(0xd596fb3e9fec2cda) },
	};
	static const struct { const char *name; uint64_t msr, aspect; } forms[] = {
		{ "hashst", 0, PPC_BIT(5) }, { "hashst", MSR_LE, PPC_BIT(5) }, { "hashchk", 0, PPC_BIT(5) },
		{ "hashstp", 0, PPC_BIT(6) }, { "hashchkp", 0, PPC_BIT(6) },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(forms) * 2; i++) {
		const char *name = forms[i / 2 % ARRAY_SIZE(forms)].name;
		uint64_t msr = forms[i / 2 % ARRAY_SIZE(forms)].msr, aspect = forms[i / 2 % ARRAY_SIZE(forms)].aspect;
		bool acts = i & 1, stores = strstr(name, "st"), privileged = strchr(name, 'p');
		uint64_t ra = rows[i / 2 / ARRAY_SIZE(forms)].ra, digest = rows[i / 2 / ARRAY_SIZE(forms)].digest, found;
		struct cpu *cpu = start_in(rig, MSR_SF | msr);

		cpu->dexcr = acts ? aspect : ~aspect;
		cpu->hashkeyr = rows[i / 2 / ARRAY_SIZE(forms)].key;
		cpu->r[4] = ra;
		cpu->r[5] = rows[i / 2 / ARRAY_SIZE(forms)].rb;
		st_be64(&rig->ram, ra - 8, stores ? 0 : digest);
		execute(rig, word_of(name) | 31u << 21 | 1 | 4u << 16 | 5u << 11);
		found = ld_be64(&rig->ram, ra - 8);
		if (msr & MSR_LE)
			found = __builtin_bswap64(found);
		/* hashstp's key is another, so that hashchkp finds something else. */
		if (stores)
			check(acts ? privileged ? found && found != digest : found == digest : !found, "%s %u", name, i);
		else
			check((cpu->nip == CODE + 4) == !(acts && privileged), "%s %u", name, i);
	}
}

static void test_string_bases(struct rig *rig, uint64_t msr)
{
	/* RB is NB in lswi; `count` is XER's in lswx. */
	static const struct { const char *name; unsigned rt, ra, rb, count, loaded; } rows[] = {
		{ "lswi", 5, 7, 16, 0, 2 }, { "lswi", 5, 5, 16, 0, 0 }, { "lswi", 5, 8, 16, 0, 3 }, { "lswi", 5, 9, 16, 0, 4 },
		{ "lswi", 30, 1, 16, 0, 3 }, { "lswi", 30, 31, 0, 0, 1 }, { "lswi", 31, 0, 8, 0, 2 },
		{ "lswx", 5, 4, 6, 12, 1 }, { "lswx", 5, 6, 4, 12, 1 }, { "lswx", 5, 5, 4, 12, 0 }, { "lswx", 5, 4, 5, 12, 0 },
		{ "lswx", 29, 1, 0, 24, 3 }, { "lswx", 29, 0, 3, 24, 6 }, { "lswx", 5, 8, 9, 12, 3 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu *cpu = start_in(rig, msr);
		bool ok = true, indexed = rows[i].count != 0;
		uint64_t base = rows[i].ra ? DATA : 0, index = indexed ? 0x40 : 0;

		for (unsigned k = 0; k < 128; k++)
			st_u8(&rig->ram, base + index + k, (uint8_t)(k + 1));
		for (unsigned r = 0; r < 32; r++)
			cpu->r[r] = MARK(r);
		if (rows[i].ra)
			cpu->r[rows[i].ra] = base;
		if (indexed)
			cpu->r[rows[i].rb] = index;
		cpu->xer_count = (uint8_t)rows[i].count;
		run_word(rig, rows[i].name, word_of(rows[i].name) | rows[i].rt << 21 | rows[i].ra << 16 | rows[i].rb << 11);
		for (unsigned k = 0; k < 32; k++) {
			unsigned r = (rows[i].rt + k) & 31;
			uint64_t kept = rows[i].ra && r == rows[i].ra ? base : indexed && r == rows[i].rb ? index : MARK(r);

			ok &= cpu->r[r] == (k < rows[i].loaded ? 0x01020304 + k * 0x04040404 : kept);
		}
		check(ok, "%s r%u,r%u,%u in %u-bit mode loads %u registers", rows[i].name, rows[i].rt, rows[i].ra, rows[i].rb,
		      msr & MSR_SF ? 64 : 32, rows[i].loaded);
	}
}

/* ---- 32-bit mode: behind the last address comes the first, wherever in an access that is ---- */

#define FOUR_GIB (UINT64_C(1) << 32)

static uint8_t around(const struct rig *rig, uint64_t ea) { return ld_u8(&rig->ram, (uint32_t)ea); }

static void fill_around(struct rig *rig)
{
	for (unsigned i = 0; i < 256; i++) {
		st_u8(&rig->ram, FOUR_GIB - 128 + i, i < 128 ? (uint8_t)(i + 1) : 0xee);
		st_u8(&rig->ram, i, (uint8_t)(i + 129));
	}
}

static bool untouched_above(const struct rig *rig)
{
	bool ok = true;

	for (unsigned i = 0; i < 128; i++)
		ok &= ld_u8(&rig->ram, FOUR_GIB + i) == 0xee;
	return ok;
}

/* n bytes from or to registers 4 and on; the address stands in r3. */
static void test_words(struct rig *rig, const char *name, uint32_t bits, unsigned n, uint64_t ea)
{
	struct cpu *cpu = start_in(rig, 0);
	bool load = name[0] == 'l', ok = true;

	fill_around(rig);
	for (unsigned r = 4; r < 36; r++)
		cpu->r[r & 31] = UINT64_C(0x0101010101010101) * r;
	cpu->r[3] = ea;
	cpu->xer_count = 100;
	run_word(rig, name, word_of(name) | 4u << 21 | bits);
	for (unsigned i = 0; i < n; i++) {
		uint8_t in_register = (uint8_t)(cpu->r[(4 + i / 4) & 31] >> (24 - 8 * (i % 4)));
		uint64_t at = (uint32_t)(ea + i);

		ok &= around(rig, ea + i) == in_register;
		ok &= in_register == (load ? (uint8_t)(at >= FOUR_GIB - 128 ? at - FOUR_GIB + 129 : at + 129) : 4 + i / 4);
	}
	check(ok && untouched_above(rig), "%s of %u bytes, %u before 4 GiB", name, n, (unsigned)(FOUR_GIB - ea));
}

static void test_pair(struct rig *rig, uint64_t ea)
{
	struct cpu *cpu = start_in(rig, 0);
	bool ok = true;

	fill_around(rig);
	cpu->r[3] = ea;
	run_word(rig, "lfdp", word_of("lfdp") | 4u << 21 | 3u << 16);
	for (unsigned i = 0; i < 16; i++)
		ok &= (uint8_t)(VD(cpu->vsr[4 + i / 8], 0) >> (56 - 8 * (i & 7))) == around(rig, ea + i);
	check(ok, "lfdp %u before 4 GiB", (unsigned)(FOUR_GIB - ea));
	cpu = start_in(rig, 0);
	cpu->r[3] = ea;
	VD(cpu->vsr[4], 0) = VD(cpu->vsr[5], 0) = UINT64_C(0x7777777777777777);
	run_word(rig, "stfdp", word_of("stfdp") | 4u << 21 | 3u << 16);
	for (unsigned i = 0; i < 16; i++)
		ok &= around(rig, ea + i) == 0x77;
	check(ok && untouched_above(rig), "stfdp %u before 4 GiB", (unsigned)(FOUR_GIB - ea));
}

/* VSRs 2 and 3. */
static void test_vector_pair(struct rig *rig, uint64_t ea)
{
	struct cpu *cpu = start_in(rig, 0);
	bool ok = true;

	fill_around(rig);
	cpu->r[3] = ea;
	run_word(rig, "lxvp", word_of("lxvp") | 1u << 22 | 3u << 16);
	for (unsigned i = 0; i < 32; i++)
		ok &= VB(cpu->vsr[2 + i / 16], i & 15) == around(rig, ea + i);
	check(ok, "lxvp %u before 4 GiB", (unsigned)(FOUR_GIB - ea));
	cpu = start_in(rig, 0);
	cpu->r[3] = ea;
	memset(&cpu->vsr[2], 0x77, 32);
	run_word(rig, "stxvp", word_of("stxvp") | 1u << 22 | 3u << 16);
	for (unsigned i = 0; i < 32; i++)
		ok &= around(rig, ea + i) == 0x77;
	check(ok && untouched_above(rig), "stxvp %u before 4 GiB", (unsigned)(FOUR_GIB - ea));
}

static void test_wraps(struct rig *rig)
{
	static const unsigned before[] = { 4, 7, 8, 12, 16, 20, 31, 60, 99, 111 };

	for (unsigned i = 0; i < ARRAY_SIZE(before); i++) {
		uint64_t ea = FOUR_GIB - before[i];

		test_words(rig, "lmw", 3u << 16, 112, ea);
		test_words(rig, "stmw", 3u << 16, 112, ea);
		test_words(rig, "lswx", 3u << 11, 100, ea);
		test_words(rig, "stswx", 3u << 11, 100, ea);
		test_words(rig, "lswi", 3u << 16, 32, ea);
		test_words(rig, "stswi", 3u << 16, 32, ea);
		if (before[i] <= 16)
			test_pair(rig, ea);
		if (before[i] <= 31)
			test_vector_pair(rig, ea);
	}
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, UINT64_C(1) << 20);
	test_division(&rig);
	test_single_nan(&rig, WIDE_QNAN);
	test_single_nan(&rig, WIDE_SNAN);
	test_single_nan(&rig, LOW_SNAN);
	test_equal_zeros(&rig);
	test_decimal(&rig);
	test_scalar_loads(&rig);
	test_hash(&rig);
	test_string_bases(&rig, MSR_SF);
	test_string_bases(&rig, 0);
	rig_free(&rig);
	rig_new(&rig, FOUR_GIB + 65536);
	test_wraps(&rig);
	rig_free(&rig);
	return check_done();
}

/* The tables of hypercalls and RTAS calls: no number twice, and every entry comes back whatever
 * it is given.
 *
 *   calls [ROUNDS [SEED]]
 *
 * The second part calls each of them with arguments chosen to hurt. It has no opinion on the
 * answers; the sanitizer build has on what happens on the way. */
#include <stdarg.h>

#include "check.h"
#include "cpu/core/cpu.h"
#include "hcall/hcall.h"
#include "machine/rtas/rtas.h"
#include "rig.h"

struct row {
	const char *name, *in, *out, *set;
	uint64_t number;
};

static const struct row hcalls[] = {
#define HCALL(name, number, in, out, set, section) { #name, in, out, set, number },
#define HCALL_PRIVATE(name, number, in, out) { #name, in, out, "", number },
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};
#define NHCALLS (sizeof hcalls / sizeof hcalls[0])

static const struct rtas_row { const char *name; unsigned token, min, max, nret; } rtas_rows[] = {
#define RTAS(id, name, token, min, max, nret) { name, token, min, max, nret },
#include "machine/rtas/rtas.def"
#undef RTAS
};
#define NRTAS (sizeof rtas_rows / sizeof rtas_rows[0])

static unsigned names(const char *s)
{
	unsigned n = *s != 0;

	for (; *s; s++)
		n += *s == ',';
	return n;
}

static void test_hcall_table(void)
{
	bool unique = true, numbers = true, counts = true, sets = true;

	for (unsigned i = 0; i < NHCALLS; i++) {
		for (unsigned j = 0; j < i; j++)
			unique &= hcalls[i].number != hcalls[j].number && strcmp(hcalls[i].name, hcalls[j].name);
		numbers &= hcalls[i].number % 4 == 0 || hcalls[i].number >= 0xf000;
		counts &= names(hcalls[i].in) <= HCALL_MAX_IN && names(hcalls[i].out) <= HCALL_MAX_OUT;
		sets &= !*hcalls[i].set || !strncmp(hcalls[i].set, "hcall-", 6);
	}
	check(NHCALLS > 30, "hypercalls");
	check(unique, "hypercalls-unique");
	check(numbers, "hypercall-numbers");
	check(counts, "hypercall-arguments");
	check(sets, "hypercall-sets");
}

static void test_rtas_table(void)
{
	bool unique = true, counts = true;

	for (unsigned i = 0; i < NRTAS; i++) {
		for (unsigned j = 0; j < i; j++)
			unique &= rtas_rows[i].token != rtas_rows[j].token && strcmp(rtas_rows[i].name, rtas_rows[j].name);
		counts &= rtas_rows[i].min <= rtas_rows[i].max && rtas_rows[i].max <= RTAS_MAX_CELLS &&
			  rtas_rows[i].nret <= RTAS_MAX_CELLS;
	}
	check(NRTAS > 15, "rtas-calls");
	check(unique, "rtas-unique");
	check(counts, "rtas-arguments");
}

static int64_t call(struct machine *m, unsigned c, uint64_t number, const uint64_t in[HCALL_MAX_IN])
{
	struct cpu *cpu = &m->cpu[c]->cpu;
	int64_t rc;

	cpu->r[3] = number;
	memcpy(&cpu->r[4], in, HCALL_MAX_IN * sizeof in[0]);
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	rc = (int64_t)cpu->r[3];
	for (unsigned i = 0; i < m->ncpus; i++)
		m->cpu[i]->cpu.run_state = CPU_RUNNING;
	free(m->panic_message);
	m->panic_message = NULL;
	m->request = REQ_NONE;
	return rc;
}

static void test_lookup(struct machine *m)
{
	static const uint64_t none[] = { 0, 1, 2, 3, 0x6, 0x26, 0x25, 0x3fc, 0x400, 0xefff, 0xf080, 0xffff, 0x10000,
					 UINT64_C(1) << 32 | 0x300, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 3 };
	const uint64_t in[HCALL_MAX_IN] = { 0x1111, 0x2222, 0x3333 };
	bool ok = true, kept = true;

	for (unsigned i = 0; i < sizeof none / sizeof none[0]; i++) {
		ok &= call(m, 0, none[i], in) == H_FUNCTION;
		kept &= m->cpu[0]->cpu.r[4] == 0x1111 && m->cpu[0]->cpu.r[6] == 0x3333;
	}
	for (uint64_t number = 0; number < 0x1000; number++) {
		bool known = false;

		for (unsigned i = 0; i < NHCALLS; i++)
			known |= hcalls[i].number == number;
		if (!known)
			ok &= call(m, 0, number, in) == H_FUNCTION;
	}
	check(ok, "no-such-hypercall");
	check(kept, "no-such-hypercall-keeps-registers");
	/* Registers beyond the named results stay. */
	call(m, 0, 0x300, in);
	check(m->cpu[0]->cpu.r[5] == 0x2222 && m->cpu[0]->cpu.r[4] != 0x1111, "results-only-where-named");
}

static uint64_t nasty(uint64_t *seed)
{
	static const uint64_t edge[] = { 0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 255, 256, 0xfff, 0x1000, 0xffff, 0x7fffffff,
		0x80000000, 0xffffffff, UINT64_C(1) << 32, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7, INT64_MAX,
		0x0ffffff8, 0x0fffffff, 0x10000000, 0x10000008, 0x0fff0000, 0x30000000, 0x71000000 };

	switch (check_random(seed) % 5) {
	case 0: case 1: return edge[check_random(seed) % (sizeof edge / sizeof edge[0])];
	case 2: return check_random(seed) & 0x0ffffff0;		/* in RAM */
	case 3: return check_random(seed) >> (check_random(seed) % 64);
	default: return (check_random(seed) % 8) << (check_random(seed) % 64);
	}
}

static void fuzz_hcalls(struct machine *m, unsigned rounds, uint64_t seed)
{
	for (unsigned i = 0; i < rounds; i++) {
		const struct row *row = &hcalls[check_random(&seed) % NHCALLS];
		uint64_t in[HCALL_MAX_IN];

		for (unsigned k = 0; k < HCALL_MAX_IN; k++)
			in[k] = nasty(&seed);
		/* Something to be read where the arguments point. */
		for (unsigned k = 0; k < 3; k++)
			for (unsigned w = 0; w < 32; w++)
				st_be32(&m->ram, in[k] + 4 * w, check_random(&seed) % 2 ? (uint32_t)nasty(&seed)
											: (uint32_t)(check_random(&seed) % 8));
		m->cpu[0]->cpu.msr = check_random(&seed) % 2 ? MSR_SF | MSR_ME : MSR_ME;
		/* Moving gigabytes piece by piece is no test of anything. */
		if (!strcmp(row->name, "H_LOGICAL_MEMOP"))
			in[3] &= check_random(&seed) % 8 ? 0xffff : UINT64_MAX << 40;
		call(m, (unsigned)(check_random(&seed) % m->ncpus), row->number, in);
	}
	check(true, "hypercalls-come-back");
}

static void fuzz_rtas(struct machine *m, unsigned rounds, uint64_t seed)
{
	for (unsigned i = 0; i < rounds; i++) {
		const struct rtas_row *row = &rtas_rows[check_random(&seed) % NRTAS];
		bool wild = check_random(&seed) % 4 == 0;
		uint64_t at = check_random(&seed) % 16 ? 0x100000 : nasty(&seed);
		uint64_t in[HCALL_MAX_IN] = { at };
		unsigned nargs = wild ? (unsigned)(check_random(&seed) % 20) : row->max;

		st_be32(&m->ram, at, wild && check_random(&seed) % 2 ? (uint32_t)nasty(&seed) : RTAS_TOKEN_BASE + row->token);
		st_be32(&m->ram, at + 4, wild && check_random(&seed) % 2 ? (uint32_t)nasty(&seed) : nargs);
		st_be32(&m->ram, at + 8, wild && check_random(&seed) % 2 ? (uint32_t)nasty(&seed) : row->nret);
		for (unsigned k = 0; k < nargs && k < 20; k++)
			st_be32(&m->ram, at + 12 + 4 * k, (uint32_t)nasty(&seed));
		call(m, (unsigned)(check_random(&seed) % m->ncpus), 0xf000, in);
	}
	check(true, "rtas-calls-come-back");
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 20000;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	struct rig rig;

	test_hcall_table();
	test_rtas_table();
	rig_new(&rig, "4");
	rig.options.panic = PANIC_SHUTDOWN;	/* else each guest that gives up is a line on stderr */
	test_lookup(rig.m);
	fflush(stdout);
	fuzz_hcalls(rig.m, rounds, seed);
	fuzz_rtas(rig.m, rounds, seed);
	/* And it is still a machine: a fresh start works. */
	check_eq(machine_run(rig.m), 0, "runs-again");
	rig_free(&rig);
	return check_done();
}

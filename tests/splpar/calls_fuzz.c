/* Random calls of the hypervisor's side, by processors that do nothing else.
 *
 * The machine and its run loop are the real ones; a processor, instead of executing, lets a random
 * number of cycles pass and calls. After each call: the code that PAPR says, the dispatch counts'
 * parity, nobody twice on a processor. Now and then: guest memory differs only where an area that
 * was registered has a field of the hypervisor's. RAM lies between inaccessible pages. At some cycles the
 * machine is saved: whatever it has been called into, that loads, and is saved as the same file again.
 *
 * usage: calls_fuzz [-n CALLS] [-c CONFIGURATION] [SEED] */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <elf.h>

#include "cpu/core/timebase.h"
#include "cpu/engine/tlb.h"
#include "cpu/model/models.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"
#include "machine/board/pseries.h"
#include "machine/core/memory.h"
#include "machine/host/term.h"
#include "machine/run/run.h"
#include "machine/core/config.h"
#include "machine/host/chardev.h"
#include "machine/run/options_pool.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/error.h"
#include "tests/fuzz/rng.h"

#define CPUS     8
#define RAM_SIZE (UINT64_C(256) << 20)
#define GUARD    (UINT64_C(64) << 20)
#define START    UINT64_C(1000)
#define SHAKE    UINT64_C(100000)	/* cycles between two wake-ups from outside */
#define CHECK    64			/* calls between two looks at memory */

/* Where areas lie: in the middle and at the end of RAM. And what RTAS is called with. */
#define LOW      UINT64_C(0x2000000)
#define PART     UINT64_C(0x8000)	/* bytes of each */
#define BLOCKS   UINT64_C(0x3000000)

#define H_RTAS 0xf000
enum { VPA = 1, DTL, SLB };

static const struct configuration {
	const char *pool;		/* NULL: dedicated */
	unsigned threads;
} configurations[] = {
	{ NULL, 1 }, { NULL, 2 }, { "procs=1", 1 }, { "procs=2", 2 },
	{ "procs=2,load=0.5", 1 }, { "procs=3,chips=3,mode=capped,entitlement=0.5", 1 },
	{ "procs=4,chips=2,load=bursty:2.5:7,load-entitlement=1,window=1ms", 1 },
	{ "procs=2,mode=capped,entitlement=0.08,load=2,window=1ms", 1 },
};

struct area {
	uint64_t at, size;		/* size 0: not registered */
};

static struct {
	struct machine *m;
	struct rng rng;
	uint64_t left, calls;
	unsigned loads;
	unsigned long codes[3];		/* H_SUCCESS, more, less */
	struct area area[4][CPUS];
	bool clean[CPUS];		/* nobody but the hypervisor has written the VPA's count */
	uint8_t before[2][PART];	/* memory as it is to be, but where `may` is set */
	bool may[2][PART];
	uint64_t rest[RAM_SIZE >> RAM_PAGE_SHIFT];	/* hash of each other page */
	uint64_t waited[CPUS][WAIT_INTERVALS];
} t;

static void fail(const char *what, uint64_t a, uint64_t b)
{
	printf("FAIL call %llu: %s (%llx, %llx)\n", (unsigned long long)t.calls, what, (unsigned long long)a, (unsigned long long)b);
	fflush(stdout);
	abort();
}

/* ---- Memory ---- */

static void *map_guarded(uint64_t size)
{
	char *p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + GUARD, size, PROT_READ | PROT_WRITE))
		return NULL;
	return p + GUARD;
}

bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err);
bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err)
{
	*ram = (struct ram){ .size = size, .base = map_guarded(size), .page = map_guarded(size >> RAM_PAGE_SHIFT) };
	if (!ram->base || !ram->page)
		error_set(err, "no memory");
	return ram->base && ram->page;
}

static uint64_t base_of(unsigned part) { return part ? RAM_SIZE - PART : LOW; }

static bool in_a_part(uint64_t at)
{
	return at - LOW < PART || at - BLOCKS < PART || at - (RAM_SIZE - PART) < PART;
}

/* All pages beside the parts: keeps what they are like, or compares. */
static void look_at_rest(bool compare)
{
	for (uint64_t at = 0; at < RAM_SIZE; at += RAM_PAGE_SIZE) {
		uint64_t h = 0, v;

		for (unsigned i = 0; i < RAM_PAGE_SIZE && !in_a_part(at); i += 8) {
			memcpy(&v, t.m->ram.base + at + i, 8);
			h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
		}
		if (compare && h != t.rest[at / RAM_PAGE_SIZE])
			fail("other memory has changed", at, 0);
		t.rest[at / RAM_PAGE_SIZE] = h;
	}
}

static void allow(uint64_t at, uint64_t size)
{
	for (unsigned part = 0; part < 2; part++)
		for (uint64_t i = at; i < at + size; i++)
			if (i >= base_of(part) && i < base_of(part) + PART)
				t.may[part][i - base_of(part)] = true;
}

/* The hypervisor's fields. */
static void allow_area(unsigned kind, const struct area *a)
{
	static const struct { uint16_t at, size; } fields[] = { { 0x09, 1 }, { 0x18, 8 }, { 0x58, 8 }, { 0x100, 0x80 }, { 0x188, 16 }, { 0x218, 8 } };

	if (!a->size)
		return;
	if (kind == DTL)
		allow(a->at, a->size / 48 * 48);
	else if (kind == VPA)
		for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
			allow(a->at + fields[i].at, fields[i].size);
}

static bool overlaps(const struct area *a, uint64_t at, uint64_t size)
{
	return a->size && at < a->at + a->size && a->at < at + size;
}

static void check_memory(void)
{
	for (unsigned part = 0; part < 2; part++) {
		const uint8_t *now = t.m->ram.base + base_of(part);

		for (uint64_t i = 0; i < PART; i++)
			if (now[i] != t.before[part][i] && !t.may[part][i])
				fail("guest memory has changed", base_of(part) + i, now[i]);
		memcpy(t.before[part], now, PART);
		memset(t.may[part], 0, PART);
	}
	for (unsigned n = 0; n < CPUS; n++) {
		allow_area(VPA, &t.area[VPA][n]);
		allow_area(DTL, &t.area[DTL][n]);
	}
}

/* The guest's own stores. */
static void scribble(uint64_t at, const void *bytes, unsigned size)
{
	for (unsigned n = 0; n < CPUS; n++)
		if (overlaps(&(struct area){ t.area[VPA][n].at + 0x100, t.area[VPA][n].size ? 4 : 0 }, at, size))
			t.clean[n] = false;
	for (unsigned part = 0; part < 2; part++)
		if (at >= base_of(part) && at + size <= base_of(part) + PART) {
			memcpy(t.m->ram.base + at, bytes, size);
			memcpy(&t.before[part][at - base_of(part)], bytes, size);
		}
}

/* ---- What there is to choose from ---- */

/* Beyond RAM: where areas would be out of our sight, none may be. */
static uint64_t beyond(uint64_t at) { return at < RAM_SIZE ? at + RAM_SIZE : at; }

static uint64_t place(void)
{
	unsigned part = rng_below(&t.rng, 2);
	/* Behind the first part there is more RAM. */
	uint64_t at = base_of(part) + rng_below(&t.rng, part ? PART : PART - 4096);

	switch (rng_below(&t.rng, 32)) {
	case 0: return at;
	case 1: return RAM_SIZE + 128 * rng_below(&t.rng, 4);
	case 2: return 0;
	case 3: return beyond(rng_u64(&t.rng) & ~UINT64_C(127));
	case 4: return beyond(UINT64_C(1) << rng_below(&t.rng, 64));
	case 5: return at & ~UINT64_C(4095);
	case 6: return (at & ~UINT64_C(4095)) + 4096 - 640;
	default: return at & ~UINT64_C(127);
	}
}

static uint32_t size_for(unsigned kind)
{
	static const uint32_t sizes[] = { 0, 1, 7, 8, 47, 48, 96, 192, 239, 512, 0x27f, 0x280, 0x281, 1024, 2048, 4080, 4096, 4097, 0xffff,
					  0x10000, 0x7fffffff, 0x80000000, 0xffffffff };

	if (!rng_one_in(&t.rng, 3))
		return kind == VPA ? 640 + rng_below(&t.rng, 512) : 48 + rng_below(&t.rng, 500);
	return sizes[rng_below(&t.rng, ARRAY_SIZE(sizes))];
}

static uint64_t processor(const struct cpu *cpu)
{
	switch (rng_below(&t.rng, 16)) {
	case 0: return rng_u64(&t.rng);
	case 1: return UINT64_MAX;
	case 2: return CPUS;
	case 3: case 4: case 5: return cpu->index;
	default: return rng_below(&t.rng, CPUS);
	}
}

static void set_size(uint64_t at, unsigned kind, uint32_t size)
{
	uint8_t b[4] = { (uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size };

	if (kind == VPA)
		scribble(at + 4, b + 2, 2);
	else
		scribble(at + 4, b, 4);
}

static void random_store(void)
{
	static const uint16_t fields[] = { 0x04, 0x09, 0x5c, 0xb8, 0xb8, 0xb8, 0xb9, 0xfe, 0x100, 0x104, 0x168, 0x218, 0x21f };
	unsigned kind = 1 + rng_below(&t.rng, 3), n = rng_below(&t.rng, CPUS);
	uint64_t at = t.area[kind][n].size ? t.area[kind][n].at : place(), v = rng_u64(&t.rng);

	if (kind == VPA)
		at += fields[rng_below(&t.rng, ARRAY_SIZE(fields))];
	else
		at += rng_below(&t.rng, 64);
	scribble(at, &v, 1 + rng_below(&t.rng, 8));
}

/* ---- Calls ---- */

static int64_t call(struct cpu *cpu, uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
	cpu->r[3] = number;
	cpu->r[4] = a;
	cpu->r[5] = b;
	cpu->r[6] = c;
	t.m->env.hypercall(cpu);
	return (int64_t)cpu->r[3];
}

static bool whole(uint64_t at, uint64_t size) { return at < RAM_SIZE && size <= RAM_SIZE - at; }

static bool in_page(uint64_t at, uint64_t size) { return at % 4096 + size <= 4096; }

/* What H_REGISTER_VPA is to answer. */
static int64_t verdict(const struct cpu *cpu, unsigned what, uint64_t proc, uint64_t at)
{
	unsigned kind = what & 3;
	bool off = what > 4;
	uint64_t size;

	if (!kind || proc >= CPUS)
		return H_PARAMETER;
	if (kind != DTL && proc != cpu->index && t.m->cpu[proc]->cpu.run_state != CPU_STOPPED)
		return H_STATE;
	if (off)
		return kind == VPA && (t.area[DTL][proc].size || t.area[SLB][proc].size) ? H_RESOURCE : H_SUCCESS;
	if (!at || at % 128 || !whole(at, 128))
		return H_PARAMETER;
	size = kind == VPA ? ld_be16(&t.m->ram, at + 4) : ld_be32(&t.m->ram, at + 4);
	if (!whole(at, size) || size < (kind == VPA ? 640u : kind == DTL ? 48u : 8u) || size > 4096)
		return H_PARAMETER;
	if (kind != DTL && !in_page(at, size))
		return H_PARAMETER;
	return kind != VPA && !t.area[VPA][proc].size ? H_RESOURCE : H_SUCCESS;
}

static void note(unsigned what, uint64_t proc, uint64_t at)
{
	unsigned kind = what & 3;
	struct area *a = &t.area[kind][proc];

	if (what > 4) {
		if (kind == VPA && a->size && t.clean[proc] && ld_be32(&t.m->ram, a->at + 0x100) % 2 == 0)
			fail("count even after deregistering", proc, a->at);
		a->size = 0;
		return;
	}
	a->at = at;
	a->size = kind == VPA ? ld_be16(&t.m->ram, at + 4) : ld_be32(&t.m->ram, at + 4);
	allow_area(kind, a);
	for (unsigned n = 0; n < CPUS; n++)
		for (unsigned k = VPA; k <= DTL; k++)
			if ((k != kind || n != proc) && t.area[VPA][n].size && overlaps(&t.area[k][n], at, a->size))
				t.clean[n] = t.clean[proc] = false;
}

static void register_something(struct cpu *cpu)
{
	unsigned what = rng_below(&t.rng, 8);
	uint64_t proc = processor(cpu), at = place(), flags = (uint64_t)what << 45;
	int64_t want, rc;

	if (what && what < 4 && !rng_one_in(&t.rng, 8))
		set_size(at, what, size_for(what));
	if (rng_one_in(&t.rng, 8))
		flags |= rng_u64(&t.rng) & ~(UINT64_C(7) << 45);
	want = verdict(cpu, what, proc, at);
	if (want == H_SUCCESS && what < 4) {		/* before the hypervisor writes */
		struct area a = { at, what == VPA ? ld_be16(&t.m->ram, at + 4) : ld_be32(&t.m->ram, at + 4) };

		allow_area(what, &a);
		if (what == VPA)
			t.clean[proc] = true;
		note(what, proc, at);
	} else if (want == H_SUCCESS) {
		allow_area(what & 3, &t.area[what & 3][proc]);
	}
	rc = call(cpu, 0x0dc, flags, proc, at);
	if (rc != want)
		fail("H_REGISTER_VPA", (uint64_t)rc, (uint64_t)want);
	t.codes[rc ? 2 : 0]++;
	if (rc == H_SUCCESS && what > 4)
		note(what, proc, at);
	if (rc == H_SUCCESS && what == VPA) {
		uint32_t count = ld_be32(&t.m->ram, at + 0x100);

		if (!count || count % 2 == (uint32_t)vp_runs(t.m->cpu[proc]))
			fail("count after registering", proc, count);
	}
}

static void expect(int64_t rc, int64_t want, const char *name)
{
	if (rc != want)
		fail(name, (uint64_t)rc, (uint64_t)want);
	t.codes[rc == 0 ? 0 : rc > 0 ? 1 : 2]++;
}

static void confer(struct cpu *cpu)
{
	uint64_t proc = processor(cpu);
	bool all = proc == UINT64_MAX || proc == UINT32_MAX;
	uint64_t count = rng_one_in(&t.rng, 4) || proc >= CPUS ? rng_u64(&t.rng) : t.m->cpu[proc]->dispatch_count + rng_below(&t.rng, 2);

	expect(call(cpu, 0x0e4, proc, count, 0), all || proc < CPUS ? H_SUCCESS : H_PARAMETER, "H_CONFER");
}

static void join(struct cpu *cpu)
{
	bool others = false;

	for (unsigned i = 0; i < CPUS; i++) {
		uint8_t state = t.m->cpu[i]->cpu.run_state;

		others |= i != cpu->index && state != CPU_STOPPED && state != CPU_JOINED;
	}
	expect(call(cpu, 0x298, 0, 0, 0), cpu->msr & MSR_EE ? H_BAD_MODE : others ? H_SUCCESS : H_CONTINUE, "H_JOIN");
}

static void capacity(struct cpu *cpu)
{
	static const uint16_t reads[] = { 0x0ec, 0x0f4, 0x2d4, 0x2b8 };
	uint64_t weight = rng_one_in(&t.rng, 8) ? rng_u64(&t.rng) : rng_below(&t.rng, 300), entitled = rng_below(&t.rng, 900);
	int64_t rc;

	switch (rng_below(&t.rng, 5)) {
	case 4:
		rc = call(cpu, 0x0f8, 0, 0, 0);
		if (rc != H_SUCCESS && rc != H_AUTHORITY)
			fail("H_PIC", (uint64_t)rc, 0);
		break;
	case 0:
		rc = call(cpu, 0x0f0, rng_one_in(&t.rng, 8) ? rng_u64(&t.rng) : entitled, weight, 0);
		if (weight > 255 ? rc != H_PARAMETER : rc != H_SUCCESS && rc != H_CONSTRAINED)
			fail("H_SET_PPP", (uint64_t)rc, weight);
		break;
	case 1:
		rc = call(cpu, 0x1d8, 0, 0, 0);
		if (rc != H_SUCCESS && rc != H_PENDING)
			fail("H_POLL_PENDING", (uint64_t)rc, 0);
		break;
	case 2:
		rc = call(cpu, 0x2ec, rng_below(&t.rng, 5), processor(cpu), 0);
		if (rc != H_SUCCESS && rc != H_PARAMETER && rc != H_P2)
			fail("H_HOME_NODE_ASSOCIATIVITY", (uint64_t)rc, 0);
		break;
	default:
		expect(call(cpu, reads[rng_below(&t.rng, ARRAY_SIZE(reads))], 0, 0, 0), H_SUCCESS, "a call that only reads");
	}
}

static void reset(struct cpu *cpu)
{
	uint64_t proc = processor(cpu);

	expect(call(cpu, 0x380, proc, 0, 0), proc == UINT64_MAX || proc < CPUS ? H_SUCCESS : H_PARAMETER, "H_SIGNAL_SYS_RESET");
}

/* Stopping, and starting others. */
static void rtas(struct cpu *cpu)
{
	unsigned n = rng_below(&t.rng, CPUS + 1);

	if (n == cpu->index)
		n = CPUS;
	call(cpu, H_RTAS, BLOCKS + 64 * n, 0, 0);
}

static void put_blocks(void)
{
	for (unsigned n = 0; n <= CPUS; n++) {
		const uint32_t start[] = { 0x2006, 3, 1, n, 0x100, 0 }, stop[] = { 0x2007, 0, 1 };

		for (unsigned i = 0; i < (n < CPUS ? ARRAY_SIZE(start) : ARRAY_SIZE(stop)); i++)
			st_be32(&t.m->ram, BLOCKS + 64 * n + 4 * i, n < CPUS ? start[i] : stop[i]);
	}
}

static void random_call(struct cpu *cpu)
{
	switch (rng_below(&t.rng, 32)) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: case 8: case 9: register_something(cpu); break;
	case 10: case 11: case 12: case 13: case 14: expect(call(cpu, 0x0e0, 0, 0, 0), H_SUCCESS, "H_CEDE"); break;
	case 15: case 16: case 17: case 18: confer(cpu); break;
	case 19: case 20: case 21: case 22: {
		uint64_t proc = processor(cpu);

		expect(call(cpu, 0x0e8, proc, 0, 0), proc < CPUS ? H_SUCCESS : H_PARAMETER, "H_PROD");
		break;
	}
	case 23: case 24: case 25: join(cpu); break;
	case 26: case 27: capacity(cpu); break;
	case 28: reset(cpu); break;
	case 29: rtas(cpu); break;
	case 30: call(cpu, 0x06c, rng_below(&t.rng, CPUS), rng_below(&t.rng, 256), 0); break;
	default: cpu_set_dec(cpu, cpu->cycles, rng_below(&t.rng, 200000)); break;
	}
}

/* ---- After each call ---- */

static void check_processors(void)
{
	bool taken[VP_MAX * 2] = { false };
	const struct dispatcher *d = t.m->dispatcher;

	for (unsigned n = 0; n < CPUS; n++) {
		const struct spapr_cpu *sc = t.m->cpu[n];

		if (t.area[VPA][n].size && vp_runs(sc) != (sc->dispatch_count % 2 == 0))
			fail("parity", n, sc->dispatch_count);
		for (unsigned i = 0; i < WAIT_INTERVALS; i++) {
			if (sc->vp.waited[i] < t.waited[n][i])
				fail("a total has stepped back", n, i);
			t.waited[n][i] = sc->vp.waited[i];
		}
		if (!vp_runs(sc))
			continue;
		if (sc->vp.physical >= d->procs * d->threads || taken[sc->vp.physical])
			fail("two on a processor", n, sc->vp.physical);
		taken[sc->vp.physical] = true;
	}
}

static void take_interrupts(struct cpu *cpu)
{
	if (!cpu_interrupt_pending(cpu, cpu->msr))
		return;
	cpu_set_msr(cpu, cpu->msr & ~MSR_EE);
	cpu->irq &= ~(uint32_t)(IRQ_RESET | IRQ_DOORBELL);
	if (cpu->irq & IRQ_EXTERNAL) {
		call(cpu, 0x074, 0, 0, 0);
		call(cpu, 0x06c, cpu->index, 0xff, 0);
		call(cpu, 0x064, cpu->r[4], 0, 0);
	}
	cpu_set_dec(cpu, cpu->cycles, rng_one_in(&t.rng, 2) ? UINT64_C(1) << 50 : rng_below(&t.rng, 100000));
}

void __wrap_cpu_run(struct cpu *cpu, uint64_t until);
void __wrap_cpu_run(struct cpu *cpu, uint64_t until)
{
	while (cpu->cycles < until && cpu->run_state == CPU_RUNNING && !cpu->halt) {
		uint64_t n = 1 + rng_below(&t.rng, rng_one_in(&t.rng, 16) ? 20000 : 600);

		cpu->cycles = n < until - cpu->cycles ? cpu->cycles + n : until;
		if (cpu->cycles == until)
			return;
		take_interrupts(cpu);
		if (rng_one_in(&t.rng, 4))
			cpu_set_msr(cpu, cpu->msr ^ MSR_EE);
		if (rng_one_in(&t.rng, 4))
			random_store();
		random_call(cpu);
		check_processors();
		if (++t.calls % CHECK == 0)
			check_memory();
		if (t.calls >= t.left)
			machine_request(t.m, REQ_QUIT, 0);
	}
}

/* ---- From outside ---- */

static void on_shake(void *opaque)
{
	struct spapr_cpu *sc = t.m->cpu[rng_below(&t.rng, CPUS)];

	if (sc->cpu.run_state == CPU_STOPPED)
		sc->cpu.run_state = CPU_RUNNING;
	else if (sc->cpu.run_state != CPU_RUNNING)
		sc->cpu.prodded = true;
	event_schedule(t.m, opaque, t.m->clock.now + SHAKE);
}

static void on_start(void *opaque)
{
	(void)opaque;
	for (unsigned part = 0; part < 2; part++) {
		for (uint64_t i = 0; i < PART; i++)
			t.before[part][i] = (uint8_t)rng_u64(&t.rng);
		memcpy(t.m->ram.base + base_of(part), t.before[part], PART);
	}
	put_blocks();
	look_at_rest(false);
	for (unsigned i = 0; i < CPUS; i++)
		t.m->cpu[i]->cpu.run_state = CPU_RUNNING;
}

/* A kernel has to be there. */
static bool make_kernel(char path[64])
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		uint32_t code[4];
	} k = { .eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			.e_machine = EM_PPC64, .e_version = EV_CURRENT, .e_phoff = sizeof k.eh, .e_flags = 2,
			.e_ehsize = sizeof k.eh, .e_phentsize = sizeof k.ph, .e_phnum = 1 },
		.ph = { .p_type = PT_LOAD, .p_offset = sizeof k.eh + sizeof k.ph, .p_filesz = sizeof k.code,
			.p_memsz = sizeof k.code } };
	int fd = memfd_create("kernel", 0);

	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd >= 0 && write(fd, &k, sizeof k) == sizeof k;
}

/* ---- What is saved loads ---- */

#define SAVES 6

static void plan_saves(struct config *o)
{
	for (unsigned i = 0; i < SAVES; i++) {
		struct save_request *r = &o->save[o->saves++];
		char path[64];

		snprintf(path, sizeof path, "/tmp/cede-calls-%d-%u", getpid(), i);
		*r = (struct save_request){ .path = strdup(path), .when = SAVE_AT_CYCLE, .cycle = START + (UINT64_C(100000) << 2 * i) + rng_below(&t.rng, 100000) };
	}
}

static size_t read_whole(int fd, uint8_t **data)
{
	off_t len = lseek(fd, 0, SEEK_END);

	*data = malloc(len > 0 ? (size_t)len : 1);
	return *data && len > 0 && pread(fd, *data, (size_t)len, 0) == len ? (size_t)len : 0;
}

static void check_save(struct machine *m, const char *path)
{
	const struct snapshot_options plain = { .quiet = true };
	int first = open(path, O_RDONLY | O_CLOEXEC), second = memfd_create("again", MFD_CLOEXEC);
	struct error err = { .msg = "" };
	uint8_t *a = NULL, *b = NULL;
	size_t len;

	if (first < 0)
		return;		/* it ended before */
	machine_clear(m);
	if (!snapshot_load(m, path, &err) || !snapshot_save_fd(m, second, &plain, &err)) {
		printf("FAIL %s\n", err.msg);
		fail("what was saved does not load", 0, 0);
	}
	len = read_whole(first, &a);
	if (!len || len != read_whole(second, &b) || memcmp(a, b, len))
		fail("what was saved loads as something else", len, 0);
	t.loads++;
	free(a);
	free(b);
	close(first);
	close(second);
	unlink(path);
}

static void check_saves(const struct config *o, struct term *term)
{
	struct config plain = *o;
	struct error err = { .msg = "" };
	struct machine *m;

	plain.saves = 0;
	plain.dtl_file = NULL;
	m = machine_make(&plain, term, &err);
	for (unsigned i = 0; m && i < o->saves; i++) {
		check_save(m, o->save[i].path);
		free((char *)(uintptr_t)o->save[i].path);
	}
	if (!m || !t.loads || !snapshots_end(t.m))
		fail("nothing was saved, or not all", t.loads, 0);
	machine_free(m);
}

static void run(const struct configuration *c, uint64_t calls, uint64_t seed, const char *kernel)
{
	struct config o = {
		.machine = "pseries", .vsmt = c->threads, .dfp = true, .large_decr = true, .cpus = CPUS, .threads = c->threads,
		.cores = CPUS / c->threads, .sockets = 1, .max_cpus = CPUS, .ram_size = RAM_SIZE, .kernel = kernel,
		.serial = { &(struct chardev){ .id = "serial0", .kind = CHARDEV_NULL } }, .serials = 1, .rtc_base = RTC_DATE, .rtc_date = 1000000000, .cpu_model = cpu_models[0], .timing = "flat", .warp = true,
		.no_reboot = true, .seed = seed, .cfpc = MITIGATION_FIXED, .dtl_file = seed & 1 ? "/dev/null" : NULL,
	};
	struct event start = { .when = UINT64_MAX, .fire = on_start }, shake = { .when = UINT64_MAX, .fire = on_shake };
	struct error err = { .msg = "" };
	struct term *term = term_new(&err);

	memset(&t, 0, sizeof t);
	t.rng = (struct rng){ seed };
	t.left = calls;
	shake.opaque = &shake;
	plan_saves(&o);
	pool_defaults(&o.pool);
	if ((c->pool && !pool_parse(&o.pool, c->pool, &err)) || !pool_finish(&o.pool, CPUS / c->threads, &err) || !term ||
	    !(t.m = machine_make(&o, term, &err))) {
		printf("FAIL %s: %s\n", c->pool, err.msg);
		exit(1);
	}
	event_schedule(t.m, &start, START);
	event_schedule(t.m, &shake, START + SHAKE);
	machine_run(t.m);
	if (t.calls < calls)
		fail("it ended before", t.calls, t.m->request);
	check_memory();
	look_at_rest(true);
	check_saves(&o, term);
	printf("ok %s%s, seed %llu: %llu calls, %lu done, %lu more or less so, %lu refused, cycle %llu\n", c->pool ? c->pool : "dedicated",
	       c->threads > 1 ? ", two threads" : "", (unsigned long long)seed, (unsigned long long)t.calls, t.codes[0], t.codes[1],
	       t.codes[2], (unsigned long long)t.m->clock.now);
	fflush(stdout);
	machine_free(t.m);
	term_free(term);
}

int main(int argc, char **argv)
{
	uint64_t calls = 400000, seed = 1;
	int opt, only = -1;
	char kernel[64];

	while ((opt = getopt(argc, argv, "n:c:")) != -1) {
		switch (opt) {
		case 'n': calls = strtoull(optarg, NULL, 0); break;
		case 'c': only = atoi(optarg); break;
		default:
			fprintf(stderr, "usage: calls_fuzz [-n CALLS] [-c CONFIGURATION] [SEED]\n");
			return 2;
		}
	}
	if (optind < argc)
		seed = strtoull(argv[optind], NULL, 0);
	if (!make_kernel(kernel))
		return 1;
	for (unsigned i = 0; i < ARRAY_SIZE(configurations); i++)
		if (only < 0 || only == (int)i)
			run(&configurations[i], calls / ARRAY_SIZE(configurations), seed + i, kernel);
	return 0;
}

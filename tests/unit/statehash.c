/* The state hash: every register shows in it, derived state does not, and it repeats. */
#include <stdarg.h>
#include <stddef.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "machine/irq/xics.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "savevm/hash.h"

struct field {
	const char *name;
	size_t offset, size;
};

#define CPU(field)   { #field, offsetof(struct spapr_cpu, cpu.field), sizeof((struct spapr_cpu *)0)->cpu.field }
#define BOARD(field) { #field, offsetof(struct spapr_cpu, field), sizeof((struct spapr_cpu *)0)->field }

/* What a guest can see of a processor. XER and CR bits: one bit each, so the lowest is changed. */
static const struct field fields[] = {
	CPU(r), CPU(lr), CPU(ctr), CPU(tar), CPU(cr), CPU(ca), CPU(ca32), CPU(ov), CPU(ov32), CPU(so), CPU(xer_count),
	CPU(vsr), CPU(nip), CPU(msr), CPU(vscr), CPU(vrsave), CPU(srr0), CPU(srr1), CPU(dar), CPU(dsisr), CPU(sprg),
	CPU(sprg_user3), CPU(lpcr), CPU(fscr), CPU(dscr), CPU(ppr), CPU(amr), CPU(iamr), CPU(uamor), CPU(ctrl), CPU(pspb),
	CPU(ciabr), CPU(dawr0), CPU(dawrx0), CPU(mmcr0), CPU(mmcr1), CPU(mmcr2), CPU(mmcra), CPU(siar), CPU(sdar),
	CPU(sier), CPU(pmc), CPU(bescr), CPU(ebbhr), CPU(ebbrr), CPU(tfhar), CPU(texasr), CPU(tfiar), CPU(vtb_off),
	CPU(pidr), CPU(proc_tbl), CPU(dec_expires), CPU(purr_base), CPU(spurr_base), CPU(tidr), CPU(wort), CPU(slb), CPU(irq),
	CPU(run_state), CPU(prodded), CPU(cycles), CPU(logical_pvr), CPU(pir), CPU(tir),
	BOARD(vpa_addr), BOARD(slb_shadow_addr), BOARD(slb_shadow_size), BOARD(dtl_addr), BOARD(dtl_size), BOARD(cppr),
	BOARD(mfrr), BOARD(pending_priority), BOARD(xirr_owner), BOARD(xirr), BOARD(dispatch_count),
	BOARD(dispersion_count), BOARD(dtl_index), BOARD(home_changes), BOARD(donated), BOARD(donates),
	BOARD(donates_idle), CPU(share_from), CPU(used), CPU(core_ran), CPU(used_part), CPU(share), BOARD(vp.state), BOARD(vp.stopped_by), BOARD(vp.woken_by), BOARD(vp.gift),
	BOARD(vp.conferring), BOARD(vp.confers_to_all), BOARD(vp.physical), BOARD(vp.since), BOARD(vp.wait),
	BOARD(vp.waited), BOARD(vp.ran), BOARD(vp.awaits), BOARD(vp.dispatches),
};

/* Bytes that make up one value; arrays are gone through element by element. */
static size_t step(const struct field *f)
{
	return f->size == 1 || !strcmp(f->name, "cr") || !strcmp(f->name, "home_changes") ? 1 : f->size == 4 ? 4 : 8;
}

static void test_registers(struct machine *m)
{
	uint64_t before = machine_statehash(m), seen[1024];
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		const struct field *f = &fields[i];
		unsigned missed = 0;

		for (size_t at = 0; at < f->size; at += step(f)) {
			for (unsigned c = 0; c < m->ncpus; c++) {
				uint8_t *byte = (uint8_t *)m->cpu[c] + f->offset + at;
				uint64_t hash;

				*byte ^= 1;
				hash = machine_statehash(m);
				*byte ^= 1;
				missed += hash == before;
				for (unsigned k = 0; k < n; k++)
					missed += seen[k] == hash;
				if (n < 1024)
					seen[n++] = hash;
			}
		}
		check(!missed, "shows-%s", f->name);
	}
	check_eq(machine_statehash(m), before, "back-to-the-same");
	fpscr_set(&m->cpu[0]->cpu, 1);
	check(machine_statehash(m) != before, "shows-fpscr");
	fpscr_set(&m->cpu[0]->cpu, 0);
	check_eq(machine_statehash(m), before, "fpscr-back");
}

static void test_memory(struct machine *m)
{
	uint64_t before = machine_statehash(m), hash[8];
	static const uint64_t at[] = { 0, 7, 4095, 4096, 0x10000, (256 << 20) - 1, 0x8000123, 0x8001123 };
	bool ok = true;

	for (unsigned i = 0; i < 8; i++) {
		uint8_t old = ld_u8(&m->ram, at[i]);

		st_u8(&m->ram, at[i], old ^ 0x80);
		hash[i] = machine_statehash(m);
		st_u8(&m->ram, at[i], old);
		ok &= hash[i] != before;
		for (unsigned j = 0; j < i; j++)
			ok &= hash[i] != hash[j];
	}
	check(ok, "shows-memory");
	check_eq(machine_statehash(m), before, "memory-back");
	/* Touched and cleared is as if never touched. */
	st_be64(&m->ram, 0x9000000, 1);
	st_be64(&m->ram, 0x9000000, 0);
	check_eq(machine_statehash(m), before, "zero-is-zero");
}

static void test_board(struct machine *m)
{
	uint64_t before = machine_statehash(m);

	m->rng_state[2] ^= 1;
	check(machine_statehash(m) != before, "shows-rng");
	m->rng_state[2] ^= 1;
	m->clock.tb.tb_offset ^= 1;
	check(machine_statehash(m) != before, "shows-timebase");
	m->clock.tb.tb_offset ^= 1;
	m->clock.now ^= 1;
	check(machine_statehash(m) != before, "shows-clock");
	m->clock.now ^= 1;
	xics_claim(m, 0x1300, true);
	before = machine_statehash(m);
	xics_route(m, 0x1300, 1, 5, 5);
	check(machine_statehash(m) != before, "shows-interrupt-source");
	xics_route(m, 0x1300, 0, 0xff, 0xff);
	check_eq(machine_statehash(m), before, "source-back");
	/* Derived state must not show. */
	engine_flush(m->engine);
	for (unsigned i = 0; i < m->ncpus; i++) {
		cpu_state_changed(&m->cpu[i]->cpu);
		m->cpu[i]->cpu.insns += 12345;
		m->cpu[i]->cpu.interrupts++;
		m->cpu[i]->cpu.zero = 0;
		m->cpu[i]->cpu.ea = 77;
	}
	check_eq(machine_statehash(m), before, "derived-state-does-not-show");
}

static void test_function(void)
{
	uint8_t buf[256] = { 0 };
	bool ok = true;

	for (size_t len = 0; len < sizeof buf; len++) {
		uint64_t h = hash_bytes(1, buf, len);

		ok &= h == hash_bytes(1, buf, len) && h != hash_bytes(2, buf, len) && h != hash_bytes(1, buf, len + 1);
		for (size_t bit = 0; bit < 8 * len; bit += 5) {
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
			ok &= h != hash_bytes(1, buf, len);
			buf[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	check(ok, "every-bit-counts");
	check(hash_u64(0, 0) != 0 && hash_u64(0, 1) != hash_u64(1, 0), "order-counts");
}

int main(void)
{
	struct rig a, b;

	test_function();
	rig_new(&a, "2");
	rig_new(&b, "2");
	check_eq(machine_statehash(a.m), machine_statehash(b.m), "two-machines-are-equal");
	rig_free(&b);
	rig_new(&b, "1");
	check(machine_statehash(a.m) != machine_statehash(b.m), "another-machine-is-not");
	rig_free(&b);
	test_registers(a.m);
	test_memory(a.m);
	test_board(a.m);
	rig_free(&a);
	return check_done();
}

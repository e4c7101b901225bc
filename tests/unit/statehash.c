/* The state hash: all that is saved shows in it, derived state does not, and it repeats. */
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "machine/irq/xics.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "savevm/hash.h"
#include "savevm/savevm.h"

#define MAX_SEEN 65536

/* ---- Each number that is saved shows, and shows as itself ---- */

struct seen {
	struct machine *m;
	uint64_t before, *hash;		/* with one bit changed */
	unsigned n, missed, rows;
};

/* Says how many of another there are: what is behind the end is not there. */
static bool is_count(const struct vmstate *state, const struct vms_field *field)
{
	for (const struct vms_field *f = state->fields; f->kind; f++)
		if (f->counted && f->count_at == field->offset && field->kind == VMS_VALUE)
			return true;
	return false;
}

static void change(struct seen *seen, const struct vmstate *state, const struct vms_field *f, uint8_t *byte)
{
	uint64_t hash;

	*byte ^= 1;
	hash = machine_statehash(seen->m);
	*byte ^= 1;
	if (hash == seen->before)
		check(!seen->missed++, "%s-%s-shows", state->name, f->name);
	if (seen->n < MAX_SEEN)
		seen->hash[seen->n++] = hash;
}

static void change_state(struct seen *seen, const struct vmstate *state, uint8_t *s);

static void change_row(struct seen *seen, const struct vmstate *state, const struct vms_field *f, uint8_t *s)
{
	uint8_t *p = f->pointer || f->kind == VMS_QUEUE ? *(uint8_t **)(s + f->offset) : s + f->offset;
	uint32_t n = f->counted ? *(uint32_t *)(s + f->count_at) : f->kind == VMS_QUEUE ? p != NULL : f->count;
	bool number = f->kind == VMS_VALUE || f->kind == VMS_BYTES || f->kind == VMS_CARRIED_HERE;
	size_t width = f->pointer ? f->stride : f->covers;

	if (f->unhashed || f->hash || f->equal || is_count(state, f))
		return;
	seen->rows += number;
	for (uint32_t i = 0; i < n; i++)
		if (n > 128 && i % (n / 64))
			continue;
		else if (f->kind == VMS_NESTED || f->kind == VMS_QUEUE)
			change_state(seen, f->state, p + i * f->stride);
		else if (number)
			for (size_t k = 0; k < width && k < 256; k += 8)
				change(seen, state, f, p + i * f->stride + k);
}

static void change_state(struct seen *seen, const struct vmstate *state, uint8_t *s)
{
	if (state->needed && !state->needed(s))
		return;
	for (const struct vms_field *f = state->fields; f->kind; f++)
		change_row(seen, state, f, s);
	for (const struct vmstate *const *sub = state->subs; sub && *sub; sub++)
		change_state(seen, *sub, s);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void test_rows(struct machine *m)
{
	struct seen seen = { .m = m, .before = machine_statehash(m), .hash = calloc(MAX_SEEN, sizeof *seen.hash) };
	struct vms_set set;
	struct vms_ram ram;
	unsigned same = 0;

	snapshot_sections(m, m->cpu, &set, &ram, NULL);
	for (unsigned i = 0; i < set.sections; i++)
		change_state(&seen, set.section[i].state, set.section[i].object);
	snapshot_sections_free(&set, &ram);
	check(seen.rows > 250 && seen.n > 1000, "rows-found: %u, numbers changed: %u", seen.rows, seen.n);
	check(!seen.missed, "all-that-is-saved-shows");
	qsort(seen.hash, seen.n, sizeof *seen.hash, compare);
	for (unsigned i = 1; i < seen.n; i++)
		same += seen.hash[i] == seen.hash[i - 1];
	check_eq(same, 0, "as-itself");
	check_eq(machine_statehash(m), seen.before, "back-to-the-same");
	free(seen.hash);
}

/* What shows as something else than its bytes, or only at times. */
static void test_conditions(struct machine *m)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	uint64_t before = machine_statehash(m);

	fpscr_set(cpu, 1);
	check(machine_statehash(m) != before, "shows-fpscr");
	fpscr_set(cpu, 0);
	check_eq(machine_statehash(m), before, "fpscr-back");
	cpu->resv_addr ^= 128;
	check_eq(machine_statehash(m), before, "no-reservation-no-address");
	cpu->resv_size = 8;
	before = machine_statehash(m);
	cpu->resv_addr ^= 128;
	check(machine_statehash(m) != before, "the-address-of-a-reservation-shows");
	cpu->resv_size = 0;
	before = machine_statehash(m);
	m->rtc_offset_ns += 1000, m->rtc_base_ns += 1000;
	check_eq(machine_statehash(m), before, "another-time-of-the-host");
	m->rtc_offset_ns++;
	check(machine_statehash(m) != before, "the-guest-has-set-its-clock");
	m->rtc_offset_ns--;
	/* An SLB shadow is not a log of the same address and size. */
	m->cpu[0]->vpa_addr = 0x10000;
	m->cpu[0]->slb_shadow_addr = 0x11000, m->cpu[0]->slb_shadow_size = 640;
	before = machine_statehash(m);
	m->cpu[0]->slb_shadow_addr = m->cpu[0]->slb_shadow_size = 0;
	m->cpu[0]->dtl_addr = 0x11000, m->cpu[0]->dtl_size = 640;
	check(machine_statehash(m) != before, "subsections-are-told-apart");
	m->cpu[0]->vpa_addr = m->cpu[0]->dtl_addr = m->cpu[0]->dtl_size = 0;
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
	m->cpu[0]->cpu.insns ^= 1;	/* a guest sees them in IC */
	check(machine_statehash(m) != before, "shows-instructions");
	m->cpu[0]->cpu.insns ^= 1;
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
	test_rows(a.m);
	test_conditions(a.m);
	test_memory(a.m);
	test_board(a.m);
	rig_free(&a);
	return check_done();
}

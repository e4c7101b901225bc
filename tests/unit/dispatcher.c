/* Decisions of the dispatcher that a guest cannot bring about at will. */
#include <stdarg.h>

#include "check.h"
#include "cpu/core/timebase.h"
#include "hcall/hcall.h"
#include "hcall/pool.h"
#include "hcall/splpar.h"
#include "rig.h"

#define H_CONFER 0x0e4

/* By cpu 0. True: it gave its processor up. */
static bool confers(struct machine *m, uint64_t proc, uint64_t count)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	bool waits;

	cpu->r[3] = H_CONFER;
	cpu->r[4] = proc;
	cpu->r[5] = count;
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	check_eq(cpu->r[3], H_SUCCESS, "confer-r3");
	waits = cpu->run_state == CPU_CONFERRED;
	cpu->run_state = CPU_RUNNING;
	m->cpu[0]->vp.conferring = false;
	return waits;
}

/* A target that itself confers to all waits for the caller. Once it is released, and only has no
 * processor yet, it can be helped as any other. */
static void test_confer_to_released(void)
{
	struct spapr_cpu *target;
	struct rig rig;

	rig_new_pool(&rig, "3", "procs=1");
	target = rig.m->cpu[1];
	target->dispatch_count = 5;
	target->vp.conferring = target->vp.confers_to_all = true;
	target->vp.state = VP_CONFERRED;
	target->cpu.run_state = CPU_CONFERRED;
	check(!confers(rig.m, 1, 5), "not-to-one-that-confers-to-all");
	check(!target->vp.gift, "no-gift");
	target->vp.state = VP_READY;
	target->cpu.run_state = CPU_RUNNING;
	check(confers(rig.m, 1, 5), "to-one-that-has-conferred-to-all");
	check(target->vp.gift, "gift");
	rig_free(&rig);
}

/* By a weight of 0 in between nobody gets rid of what it had already. */
static void test_weight(void)
{
	struct partition *guest;
	struct rig rig;

	rig_new_pool(&rig, "2", "procs=1,load=0.5,weight=100");
	guest = &rig.m->dispatcher->partition[PARTITION_GUEST];
	guest->excess = 5000;
	pool_set_weight(guest, 200);
	check_eq(guest->excess, 10000, "twice-the-weight");
	pool_set_weight(guest, 0);
	pool_set_weight(guest, 200);
	check_eq(guest->excess, 10000, "weight-0-and-back");
	pool_set_weight(guest, 0);
	pool_set_weight(guest, 50);
	check_eq(guest->excess, 2500, "weight-0-and-another");
	rig_free(&rig);
}

/* ---- Shares of a core ---- */

/* Parts of a cycle that a thread has had up to there, as its PURR would show them. */
static uint64_t parts_at(const struct cpu *c, uint64_t cycle)
{
	return c->used * CORE_PARTS + c->used_part + (cycle - c->share_from) * c->share;
}

/* Up to 8 threads that stop and are dispatched as they like, quantum for quantum: what they have had adds
 * up to what the core was dispatched, to the part, and what one has read never becomes less. */
static void test_shares(void)
{
	uint64_t seed = 11, now, sum = 0, ran = 0, seen[8] = { 0 };
	bool exact = true, forward = true, one = true;
	struct rig rig;

	rig_new(&rig, "8,threads=8");
	now = rig.m->clock.now;
	for (unsigned i = 0; i < 8; i++) {
		share_reset(&rig.m->cpu[i]->cpu, now);
		rig.m->cpu[i]->vp.state = VP_CEDED;
	}
	for (unsigned round = 0; round < 20000; round++) {
		uint64_t length = check_random(&seed) % 20000, last = 0;

		for (unsigned i = 0; i < 8; i++)
			if (check_random(&seed) % 3)
				rig.m->cpu[i]->vp.state = VP_RUNNING;
		share_deal(rig.m, 0);
		for (unsigned i = 0; i < 8; i++) {
			struct spapr_cpu *sc = rig.m->cpu[i];
			uint64_t stop = check_random(&seed) % (length + 1);

			if (!vp_runs(sc))
				continue;
			if (check_random(&seed) % 2) {
				sc->vp.state = VP_CEDED;
				sc->vp.since = now + stop;
			} else {
				stop = length;
			}
			last = stop > last ? stop : last;
			seen[i] = parts_at(&sc->cpu, now + stop);
		}
		now += length;
		share_settle(rig.m, 0, now);
		ran += last;
		share_deal(rig.m, 0);
		for (unsigned i = 0; i < 8; i++) {
			forward &= parts_at(&rig.m->cpu[i]->cpu, now) >= seen[i];
			one &= rig.m->cpu[i]->cpu.core_ran == ran;
		}
	}
	for (unsigned i = 0; i < 8; i++)
		sum += parts_at(&rig.m->cpu[i]->cpu, now);
	exact &= sum == ran * CORE_PARTS;
	check(exact && ran, "shares-are-the-core's-time");
	check(forward, "shares-never-run-back");
	check(one, "the-core's-time-is-one");
	rig_free(&rig);
}

/* VTB begins with the time base at a reboot, too: the time base goes on. */
static void test_reboot(void)
{
	struct rig rig;
	struct cpu *cpu;

	rig_new(&rig, "2");
	cpu = &rig.m->cpu[0]->cpu;
	rig.m->clock.now += 1000000;
	check_eq(machine_run(rig.m), 0, "boots-again");
	check(cpu_vtb(cpu, cpu->cycles) > 500000, "VTB-after-a-reboot");
	check_eq(cpu_vtb(cpu, cpu->cycles), machine_timebase(rig.m), "is-the-time-base");
	rig_free(&rig);
}

int main(void)
{
	test_reboot();
	test_shares();
	test_confer_to_released();
	test_weight();
	return check_done();
}

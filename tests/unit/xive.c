/* XIVE: what an event does on its way from a source to a processor, what each load and store of the pages means, and the
 * codes of H_INT_*. Then all of it at random.
 *
 *   xive [ROUNDS [SEED]] */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "hcall/hcall.h"
#include "machine/core/mmio.h"
#include "machine/irq/irq.h"
#include "machine/irq/msi.h"
#include "machine/irq/xive.h"
#include "machine/rtas/events.h"
#include "machine/snapshot/snapshot.h"
#include "rig.h"

#define CPUS     8
#define PAGE     (UINT64_C(1) << XIVE_PAGE_SHIFT)
#define QUEUES   UINT64_C(0x2000000)	/* 64 KiB for each processor and priority, from here on */
#define LSI      0x1200			/* of the PCI bridge */
#define DISK     0x1100			/* of the terminal */
#define UNUSED   0x1f00
#define NOTHING  UINT64_MAX

static uint64_t out[HCALL_MAX_OUT];	/* what the last call gave */

static int64_t call(struct machine *m, unsigned c, uint64_t number, uint64_t a, uint64_t b, uint64_t d, uint64_t e, uint64_t f)
{
	struct cpu *cpu = &m->cpu[c]->cpu;

	memcpy(&cpu->r[3], (const uint64_t[]){ number, a, b, d, e, f }, 6 * 8);
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	memcpy(out, &cpu->r[4], sizeof out);
	return (int64_t)cpu->r[3];
}

enum {
#define HCALL(name, number, ...) name = number,
#define HCALL_PRIVATE(name, number, ...)
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};

static uint64_t big(uint64_t value, unsigned size)
{
	return __builtin_bswap64(value) >> (64 - 8 * size);
}

static uint64_t load(struct machine *m, unsigned c, uint64_t at, unsigned size)
{
	uint64_t v = 0;
	bool there;

	m->running = &m->cpu[c]->cpu;
	there = mmio_load(m, at, size, &v);
	m->running = NULL;
	return there ? big(v, size) : NOTHING - 1;
}

static bool store(struct machine *m, unsigned c, uint64_t at, unsigned size, uint64_t value)
{
	bool there;

	m->running = &m->cpu[c]->cpu;
	there = mmio_store(m, at, size, big(value, size));
	m->running = NULL;
	return there;
}

static uint64_t management(uint32_t lisn) { return XIVE_ESB_BASE + lisn * 2 * PAGE + PAGE; }
static uint64_t trigger_page(uint32_t lisn) { return XIVE_ESB_BASE + lisn * 2 * PAGE; }
static uint64_t pq(struct machine *m, uint32_t lisn) { return load(m, 0, management(lisn) + 0x800, 8); }
static uint64_t queue_at(unsigned c, unsigned priority) { return QUEUES + (c * 8 + priority) * PAGE; }
static bool line(struct machine *m, unsigned c) { return m->cpu[c]->cpu.irq & IRQ_EXTERNAL; }
static uint64_t tima(struct machine *m, unsigned c, unsigned reg) { return load(m, c, XIVE_TIMA_OS + reg, 1); }
static void set_cppr(struct machine *m, unsigned c, uint8_t cppr) { store(m, c, XIVE_TIMA_OS + TIMA_CPPR, 1, cppr); }
static uint64_t acknowledge(struct machine *m, unsigned c) { return load(m, c, XIVE_TIMA_OS + 0x810, 2); }

static void choose(struct machine *m, bool xive)
{
	uint64_t bit = UINT64_C(1) << OV5_XIVE % 64;

	m->ov5_cas[OV5_XIVE / 64] = xive ? bit : 0;
	irq_mode_changed(m);
}

static void fresh(struct machine *m)
{
	devices_reset(m);
	choose(m, true);
}

/* ---- Who is in charge ---- */

static void test_charge(struct machine *m)
{
	choose(m, false);
	check_eq(load(m, 0, management(0) + 0x800, 8), NOTHING - 1, "xics-no-esb-pages");
	check(!store(m, 0, XIVE_TIMA_OS + TIMA_CPPR, 1, 0xff), "xics-no-tima");
	for (uint64_t n = H_INT_GET_SOURCE_INFO; n <= H_INT_RESET; n += 4)
		check_eq(call(m, 0, n, 0, 0, 0, 0, 0), H_FUNCTION, "xics-no-call-0x%" PRIx64, n);
	check_eq(call(m, 0, H_XIRR, 0, 0, 0, 0, 0), H_SUCCESS, "xics-its-own-calls");
	choose(m, true);
	check_eq(pq(m, 0), XIVE_Q, "xive-esb-pages");
	check_eq(call(m, 0, H_XIRR, 0, 0, 0, 0, 0), H_HARDWARE, "xive-no-h-xirr");
	check_eq(call(m, 0, H_IPI, 0, 0, 0, 0, 0), H_HARDWARE, "xive-no-h-ipi");
	check_eq(load(m, 0, XIVE_TIMA_OS - PAGE, 8), NOTHING - 1, "tima-no-hypervisor-page");
	check_eq(load(m, 0, XIVE_TIMA_USER + PAGE, 8), NOTHING - 1, "tima-ends");
	check_eq(load(m, 0, XIVE_END_BASE + 2 * PAGE * 8 * CPUS, 8), NOTHING - 1, "queues-pages-end");
	/* An interrupt that one of them shows is not shown while the other one is in charge. */
	set_cppr(m, 1, 0xff);
	store(m, 1, XIVE_TIMA_OS + 0x812, 1, 3);
	check(line(m, 1), "line-high");
	choose(m, false);
	check(!line(m, 1), "line-is-the-other-one-s");
	choose(m, true);
	check(line(m, 1), "line-back");
}

/* ---- State bits ---- */

static void test_esb(struct machine *m)
{
	uint64_t at = management(DISK);

	fresh(m);
	check_eq(pq(m, DISK), 1, "reset-off");
	store(m, 0, trigger_page(DISK), 8, 0);
	check_eq(pq(m, DISK), 1, "off-stays-off");
	check_eq(load(m, 0, at + 0xc00, 8), 1, "set-00-gives-what-was");
	check_eq(pq(m, DISK), 0, "set-00");
	check_eq(load(m, 0, (at + 0xdff) & ~UINT64_C(7), 8), 0, "set-01-anywhere-in-its-range");
	check_eq(pq(m, DISK), 1, "set-01");
	load(m, 0, at + 0xe00, 8);
	check_eq(pq(m, DISK), 2, "set-10");
	load(m, 0, at + 0xf00, 8);
	check_eq(pq(m, DISK), 3, "set-11");
	check_eq(load(m, 0, at, 8), 1, "eoi-of-11-gives-another");
	check_eq(pq(m, DISK), 2, "eoi-of-11");
	check_eq(load(m, 0, at + 0x400, 8), 0, "eoi-of-10");
	check_eq(pq(m, DISK), 0, "eoi-of-10-idle");
	check_eq(load(m, 0, at, 8), 0, "eoi-of-00");
	store(m, 0, trigger_page(DISK) + 0xc00, 8, 0);
	check_eq(pq(m, DISK), 2, "trigger-page-triggers-everywhere");
	store(m, 0, at, 8, 0);
	check_eq(pq(m, DISK), 3, "management-page-triggers-too");
	store(m, 0, at + 0x400, 8, 0);
	check_eq(pq(m, DISK), 3, "no-eoi-by-a-store");
	store(m, 0, at + 0x1d00, 8, 0);
	check_eq(pq(m, DISK), 1, "set-by-a-store-and-pages-repeat");
	check_eq(load(m, 0, trigger_page(DISK), 8), NOTHING, "no-load-from-a-trigger-page");
	check_eq(load(m, 0, at + 0x804, 4), 1, "four-bytes");
}

/* ---- On to a queue, and a processor ---- */

static uint32_t entry(struct machine *m, unsigned c, unsigned priority, unsigned n)
{
	return ld_be32(&m->ram, queue_at(c, priority) + 4 * n);
}

static void route_to(struct machine *m, uint32_t lisn, unsigned c, unsigned priority, uint32_t eisn)
{
	check_eq(call(m, 0, H_INT_SET_QUEUE_CONFIG, 1, c, priority, queue_at(c, priority), 16), H_SUCCESS, "queue-%u-%u", c, priority);
	check_eq(call(m, 0, H_INT_SET_SOURCE_CONFIG, 2, lisn, c, priority, eisn), H_SUCCESS, "source-%x", lisn);
	load(m, 0, management(lisn) + 0xc00, 8);
	memset(m->ram.base + queue_at(c, priority), 0, PAGE);
}

static void test_event(struct machine *m)
{
	fresh(m);
	route_to(m, DISK, 2, 5, 0x12345);
	check_eq(tima(m, 2, TIMA_PIPR), 0xff, "nothing-pending");
	irq_set(m, DISK, true);
	check_eq(entry(m, 2, 5, 0), 0x80012345, "entry");
	check_eq(pq(m, DISK), 2, "source-pending");
	check_eq(tima(m, 2, TIMA_IPB), 0x04, "ipb");
	check_eq(tima(m, 2, TIMA_PIPR), 5, "pipr");
	check(!line(m, 2) && !tima(m, 2, TIMA_NSR), "cppr-0-lets-nothing-through");
	set_cppr(m, 2, 5);
	check(!line(m, 2), "its-own-priority-masks-it");
	set_cppr(m, 2, 6);
	check(line(m, 2) && tima(m, 2, TIMA_NSR) == 0x80, "presented");
	check(!line(m, 0) && !line(m, 1), "to-nobody-else");
	set_cppr(m, 2, 0);
	check(!line(m, 2) && !tima(m, 2, TIMA_NSR), "taken-back-when-cppr-falls");
	check_eq(acknowledge(m, 2), 0, "nothing-to-acknowledge");
	set_cppr(m, 2, 0xff);
	irq_set(m, DISK, true);
	check_eq(entry(m, 2, 5, 1), 0, "second-one-waits");
	check_eq(acknowledge(m, 2), 0x8005, "acknowledged");
	check(!line(m, 2) && tima(m, 2, TIMA_CPPR) == 5 && tima(m, 2, TIMA_PIPR) == 0xff, "cppr-is-its-priority");
	check_eq(acknowledge(m, 2), 5, "once");
	load(m, 0, management(DISK), 8);
	check_eq(entry(m, 2, 5, 1), 0x80012345, "second-one-comes-at-eoi");
	check(!line(m, 2), "and-waits-for-cppr");
	set_cppr(m, 2, 200);
	check(line(m, 2) && tima(m, 2, TIMA_CPPR) == 0xff, "cppr-has-eight-values-and-off");
	/* The more favoured one first. */
	route_to(m, 3, 2, 0, 7);
	store(m, 0, trigger_page(3), 8, 0);
	check_eq(acknowledge(m, 2), 0x8000, "more-favoured-first");
	set_cppr(m, 2, 0xff);
	check_eq(acknowledge(m, 2), 0x8005, "then-the-other-one");
	/* Masked in the EAS: dropped, its state stays. */
	call(m, 0, H_INT_SET_SOURCE_CONFIG, 1, 3, 2, 0, 0);
	load(m, 0, management(3) + 0xc00, 8);
	store(m, 0, trigger_page(3), 8, 0);
	check(pq(m, 3) == 2 && tima(m, 2, TIMA_PIPR) == 0xff, "masked");
}

/* A wish of the user's to switch off comes as an event of the firmware's. */
static void test_epow(struct machine *m)
{
	fresh(m);
	route_to(m, IRQ_EPOW, 0, 5, 0x77);
	events_powerdown(m);
	check_eq(entry(m, 0, 5, 0), 0x80000077, "epow");
	events_clear(m);
}

static void test_queue(struct machine *m)
{
	fresh(m);
	route_to(m, 1, 1, 4, 9);
	for (unsigned i = 0; i < PAGE / 4; i++) {
		store(m, 0, trigger_page(1), 8, 0);
		load(m, 0, management(1), 8);
	}
	check_eq(entry(m, 1, 4, 0), 0x80000009, "first-round-generation-1");
	check_eq(entry(m, 1, 4, PAGE / 4 - 1), 0x80000009, "last-entry");
	check_eq(ld_be32(&m->ram, queue_at(1, 5)), 0, "not-beyond-it");
	call(m, 0, H_INT_GET_QUEUE_CONFIG, 1, 1, 4, 0, 0);
	check(out[0] == 1 && out[3] == 0, "wrapped: 0x%" PRIx64 " %" PRIu64, out[0], out[3]);
	store(m, 0, trigger_page(1), 8, 0);
	check_eq(entry(m, 1, 4, 0), 9, "second-round-generation-0");
	/* Reset: no more entries, nobody told. */
	set_cppr(m, 1, 0xff);
	acknowledge(m, 1);
	check_eq(call(m, 0, H_INT_SET_QUEUE_CONFIG, 0, 1, 4, 0, 0), H_SUCCESS, "queue-reset");
	load(m, 0, management(1), 8);
	store(m, 0, trigger_page(1), 8, 0);
	check(entry(m, 1, 4, 1) == 0x80000009 && tima(m, 1, TIMA_PIPR) == 0xff, "no-queue-no-event");
}

/* Without "notify always" the queue's own state bits hold back. */
static void test_notify(struct machine *m)
{
	uint64_t esn = XIVE_END_BASE + 2 * PAGE * (1 * 8 + 4);

	fresh(m);
	route_to(m, 1, 1, 4, 9);
	call(m, 0, H_INT_SET_QUEUE_CONFIG, 0, 1, 4, queue_at(1, 4), 16);
	set_cppr(m, 1, 0xff);
	for (unsigned i = 0; i < 3; i++) {
		store(m, 0, trigger_page(1), 8, 0);
		load(m, 0, management(1), 8);
	}
	check_eq(entry(m, 1, 4, 2), 0x80000009, "all-in-the-queue");
	check_eq(acknowledge(m, 1), 0x8004, "told-once");
	set_cppr(m, 1, 0xff);
	check(!line(m, 1), "told-once-only");
	check_eq(load(m, 0, esn + 0x800, 8), 3, "esn-queued");
	check_eq(load(m, 0, esn, 8), 1, "esn-eoi");
	check(line(m, 1), "told-again");
	check_eq(load(m, 0, esn + 0xd00, 8), 2, "esn-set");
	check_eq(load(m, 0, esn + 0x800, 8), 1, "esn-off");
	check_eq(load(m, 0, esn + PAGE + 0x800, 8), 0, "ese");
	store(m, 0, esn + 0xc00, 8, 0);
	check_eq(load(m, 0, esn + 0x800, 8), 1, "esn-no-stores");
	check_eq(load(m, 0, esn + 2 * PAGE + 0x800, 8), NOTHING, "no-such-queue");
}

static void test_level(struct machine *m)
{
	fresh(m);
	irq_set(m, LSI, true);
	check_eq(pq(m, LSI), 1, "level-off");
	route_to(m, LSI, 0, 6, 2);
	set_cppr(m, 0, 0xff);
	check_eq(call(m, 0, H_INT_ESB, 0, LSI, 0, 0, 0), H_SUCCESS, "level-eoi-by-a-call");
	check(out[0] == 1 && line(m, 0) && pq(m, LSI) == 2, "level-high-comes-at-eoi");
	acknowledge(m, 0);
	irq_set(m, LSI, true);
	check_eq(pq(m, LSI), 2, "level-has-no-second-one");
	call(m, 0, H_INT_ESB, 0, LSI, 0, 0, 0);
	check_eq(entry(m, 0, 6, 1), 0x80000002, "level-again-while-high");
	irq_set(m, LSI, false);
	call(m, 0, H_INT_ESB, 0, LSI, 0, 0, 0);
	check(out[0] == 0 && pq(m, LSI) == 0 && !entry(m, 0, 6, 2), "level-gone-when-low");
	irq_set(m, LSI, true);
	check_eq(entry(m, 0, 6, 2), 0x80000002, "level-comes-when-high");
}

static void test_msi(struct machine *m)
{
	uint32_t first;

	fresh(m);
	first = msi_alloc(m, 4, true);
	check(first == MSI_FIRST && xive_source_valid(m->xive, first + 3) && !xive_source_valid(m->xive, first + 4), "msi-claimed");
	route_to(m, first, 0, 6, 3);
	irq_set(m, first, true);
	check_eq(entry(m, 0, 6, 0), 0x80000003, "msi");
	msi_free(m, first, 4);
	check(!xive_source_valid(m->xive, first), "msi-given-back");
	irq_set(m, first, true);
	irq_set(m, 0x1fffffff, true);
	check_eq(entry(m, 0, 6, 1), 0, "no-such-source");
}

/* ---- The thread's context ---- */

static void test_tima(struct machine *m)
{
	fresh(m);
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x10, 8), UINT64_C(0x000000ffff0000ff), "os-ring-after-reset");
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x18, 8), 0, "os-ring-no-word2");
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x20, 8), 0, "no-pool-ring");
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x30, 8), 0, "no-physical-ring");
	store(m, 3, XIVE_TIMA_OS + TIMA_IPB, 1, 0xff);
	store(m, 3, XIVE_TIMA_OS + TIMA_PIPR, 1, 0);
	check(tima(m, 3, TIMA_IPB) == 0 && tima(m, 3, TIMA_PIPR) == 0xff, "registers-to-read-only");
	store(m, 3, XIVE_TIMA_OS + 0x10, 8, UINT64_C(0xff03ffffffffffff));
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x10, 8), UINT64_C(0x000300ffff0000ff), "wide-store-sets-cppr-alone");
	store(m, 3, XIVE_TIMA_USER + TIMA_CPPR, 1, 7);
	check(tima(m, 3, TIMA_CPPR) == 3 && !load(m, 3, XIVE_TIMA_USER + TIMA_CPPR, 1), "user-page-has-no-os-ring");
	store(m, 3, XIVE_TIMA_USER, 1, 0x80);
	check(load(m, 3, XIVE_TIMA_USER, 1) == 0x80 && load(m, 4, XIVE_TIMA_USER, 1) == 0, "each-thread-its-own");
	store(m, 3, XIVE_TIMA_OS + 0x812, 1, 2);
	check(line(m, 3) && tima(m, 3, TIMA_IPB) == 0x20, "set-pending");
	store(m, 3, XIVE_TIMA_OS + 0x812, 1, 8);
	check_eq(tima(m, 3, TIMA_IPB), 0x20, "no-such-priority");
	check_eq(load(m, 3, XIVE_TIMA_USER + 0x810, 2), 0xffff, "user-page-acknowledges-nothing");
	check_eq(load(m, 3, XIVE_TIMA_OS + 0x810, 4), 0xffffffff, "acknowledge-has-two-bytes");
	check(line(m, 3), "still-there");
	/* Into the reporting line. */
	check_eq(call(m, 3, H_INT_SET_OS_REPORTING_LINE, 0, 0x10000, 0, 0, 0), H_SUCCESS, "line-set");
	store(m, 3, XIVE_TIMA_OS + 0xc10, 1, 0);
	check(!line(m, 3) && ld_be32(&m->ram, 0x10000) == 0x000200ff && ld_be32(&m->ram, 0x10008) == 0x80000403, "reported");
	store(m, 3, XIVE_TIMA_OS + 0x810, 2, 0);
	store(m, 3, XIVE_TIMA_OS + 0xfff, 1, 0);
	check(tima(m, 3, TIMA_CPPR) == 2, "no-such-command");
}

/* ---- Codes ---- */

static const struct code {
	uint64_t number, a, b, d, e, f;
	int64_t code;
	const char *name;
} codes[] = {
	{ H_INT_GET_SOURCE_INFO, 1, 0, 0, 0, 0, H_PARAMETER, "info-flags" },
	{ H_INT_GET_SOURCE_INFO, 0, CPUS, 0, 0, 0, H_P2, "info-no-such-source" },
	{ H_INT_GET_SOURCE_INFO, 0, XIVE_SOURCES, 0, 0, 0, H_P2, "info-number-too-high" },
	{ H_INT_GET_SOURCE_INFO, 0, NOTHING, 0, 0, 0, H_P2, "info-number-much-too-high" },
	{ H_INT_SET_SOURCE_CONFIG, 4, 0, 0, 0, 0, H_PARAMETER, "source-flags" },
	{ H_INT_SET_SOURCE_CONFIG, 0, UNUSED, 0, 0, 0, H_P2, "source-no-such" },
	{ H_INT_SET_SOURCE_CONFIG, 0, 0, CPUS, 0, 0, H_P3, "source-no-such-processor" },
	{ H_INT_SET_SOURCE_CONFIG, 0, 0, 0, 7, 0, H_P4, "source-reserved-priority" },
	{ H_INT_SET_SOURCE_CONFIG, 0, 0, CPUS, 7, 0, H_P4, "source-priority-before-processor" },
	{ H_INT_SET_SOURCE_CONFIG, 0, 0, NOTHING, 0xff, 0, H_SUCCESS, "source-off-needs-no-processor" },
	{ H_INT_GET_SOURCE_CONFIG, 1, 0, 0, 0, 0, H_PARAMETER, "source-get-flags" },
	{ H_INT_GET_SOURCE_CONFIG, 0, UNUSED, 0, 0, 0, H_P2, "source-get-no-such" },
	{ H_INT_GET_QUEUE_INFO, 1, 0, 0, 0, 0, H_PARAMETER, "queue-info-flags" },
	{ H_INT_GET_QUEUE_INFO, 0, 0, 7, 0, 0, H_P3, "queue-info-reserved-priority" },
	{ H_INT_GET_QUEUE_INFO, 0, CPUS, 0, 0, 0, H_P2, "queue-info-no-such-processor" },
	{ H_INT_SET_QUEUE_CONFIG, 2, 0, 0, QUEUES, 16, H_PARAMETER, "queue-flags" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 8, QUEUES, 16, H_P3, "queue-reserved-priority" },
	{ H_INT_SET_QUEUE_CONFIG, 0, CPUS, 0, QUEUES, 16, H_P2, "queue-no-such-processor" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, QUEUES, 17, H_P5, "queue-size" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, QUEUES, NOTHING, H_P5, "queue-no-size" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, QUEUES + 4096, 16, H_P4, "queue-alignment" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, UINT64_C(0x10000000), 16, H_P4, "queue-behind-ram" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, UINT64_C(0x0ff00000), 24, H_P4, "queue-partly-behind-ram" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, UINT64_C(1) << 60, 16, H_P4, "queue-far-behind-ram" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, QUEUES + 4096, 12, H_SUCCESS, "queue-4k" },
	{ H_INT_SET_QUEUE_CONFIG, 0, 0, 0, QUEUES, 24, H_SUCCESS, "queue-16m" },
	{ H_INT_GET_QUEUE_CONFIG, 2, 0, 0, 0, 0, H_PARAMETER, "queue-get-flags" },
	{ H_INT_GET_QUEUE_CONFIG, 0, 0, 7, 0, 0, H_P3, "queue-get-reserved-priority" },
	{ H_INT_GET_QUEUE_CONFIG, 0, CPUS, 0, 0, 0, H_P2, "queue-get-no-such-processor" },
	{ H_INT_SET_OS_REPORTING_LINE, 1, 0, 0, 0, 0, H_PARAMETER, "line-flags" },
	{ H_INT_SET_OS_REPORTING_LINE, 0, 0x80, 0, 0, 0, H_P2, "line-alignment" },
	{ H_INT_SET_OS_REPORTING_LINE, 0, UINT64_C(0x10000000), 0, 0, 0, H_P2, "line-behind-ram" },
	{ H_INT_GET_OS_REPORTING_LINE, 1, 0, 0, 0, 0, H_PARAMETER, "line-get-flags" },
	{ H_INT_GET_OS_REPORTING_LINE, 0, CPUS, 0, 0, 0, H_P2, "line-get-no-such-processor" },
	{ H_INT_ESB, 2, 0, 0, 0, 0, H_PARAMETER, "esb-flags" },
	{ H_INT_ESB, 0, UNUSED, 0, 0, 0, H_P2, "esb-no-such-source" },
	{ H_INT_ESB, 0, 0, 0x10000, 0, 0, H_P3, "esb-offset" },
	{ H_INT_SYNC, 1, 0, 0, 0, 0, H_PARAMETER, "sync-flags" },
	{ H_INT_SYNC, 0, UNUSED, 0, 0, 0, H_P2, "sync-no-such-source" },
	{ H_INT_SYNC, 0, 0, 0, 0, 0, H_SUCCESS, "sync" },
	{ H_INT_RESET, 1, 0, 0, 0, 0, H_PARAMETER, "reset-flags" },
	{ H_INT_RESET, 0, 0, 0, 0, 0, H_SUCCESS, "reset" },
};

static void test_codes(struct machine *m)
{
	fresh(m);
	for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
		const struct code *c = &codes[i];

		check_eq(call(m, 0, c->number, c->a, c->b, c->d, c->e, c->f), (uint64_t)c->code, "%s", c->name);
	}
}

static void test_answers(struct machine *m)
{
	fresh(m);
	call(m, 0, H_INT_GET_SOURCE_INFO, 0, DISK, 0, 0, 0);
	check(out[0] == 0 && out[1] == management(DISK) && out[2] == trigger_page(DISK) && out[3] == 16, "info");
	call(m, 0, H_INT_GET_SOURCE_INFO, 0, LSI, 0, 0, 0);
	check(out[0] == 12 && out[1] == NOTHING && out[2] == NOTHING, "info-level");
	call(m, 0, H_INT_GET_SOURCE_CONFIG, 0, DISK, 0, 0, 0);
	check(out[0] == 0 && out[1] == 0xff && out[2] == 0, "source-at-first");
	call(m, 0, H_INT_SET_SOURCE_CONFIG, 2, DISK, 7, 6, UINT64_C(0xf80001234));
	call(m, 0, H_INT_GET_SOURCE_CONFIG, 0, DISK, 0, 0, 0);
	check(out[0] == 7 && out[1] == 6 && out[2] == 0x1234, "source-set");
	call(m, 0, H_INT_SET_SOURCE_CONFIG, 0, DISK, 6, 5, 99);
	call(m, 0, H_INT_GET_SOURCE_CONFIG, 0, DISK, 0, 0, 0);
	check(out[0] == 6 && out[1] == 5 && out[2] == 0x1234, "source-keeps-eisn");
	call(m, 0, H_INT_GET_QUEUE_INFO, 0, 6, 5, 0, 0);
	check(out[0] == XIVE_END_BASE + 2 * PAGE * 53 && out[1] == 0, "queue-info-none");
	call(m, 0, H_INT_SET_QUEUE_CONFIG, 0, 6, 5, QUEUES, 21);
	call(m, 0, H_INT_GET_QUEUE_INFO, 0, 6, 5, 0, 0);
	check_eq(out[1], 21, "queue-info");
	call(m, 0, H_INT_GET_QUEUE_CONFIG, 0, 6, 5, 0, 0);
	check(out[0] == 0 && out[1] == QUEUES && out[2] == 21 && out[3] == 0, "queue-get");
	call(m, 0, H_INT_GET_QUEUE_CONFIG, 1, 6, 5, 0, 0);
	check_eq(out[0], 2, "queue-get-generation");
	call(m, 2, H_INT_GET_OS_REPORTING_LINE, 0, 4, 0, 0, 0);
	check_eq(out[0], NOTHING, "line-none");
	call(m, 4, H_INT_SET_OS_REPORTING_LINE, 0, 0x10000, 0, 0, 0);
	call(m, 2, H_INT_GET_OS_REPORTING_LINE, 0, 4, 0, 0, 0);
	check_eq(out[0], 0x10000, "line-get");
	call(m, 0, H_INT_ESB, 0, DISK, 0xc00, 0, 0);
	check(out[0] == 1 && pq(m, DISK) == 0, "esb-load");
	call(m, 0, H_INT_ESB, 1, DISK, 0, 0, 0);
	check(out[0] == NOTHING && pq(m, DISK) == 2, "esb-store");
	call(m, 0, H_INT_RESET, 0, 0, 0, 0, 0);
	call(m, 0, H_INT_GET_SOURCE_CONFIG, 0, DISK, 0, 0, 0);
	check(out[1] == 0xff && out[2] == 0 && pq(m, DISK) == 1, "reset-sources");
	call(m, 0, H_INT_GET_QUEUE_CONFIG, 1, 6, 5, 0, 0);
	check(out[0] == 0 && out[1] == 0 && out[2] == 0, "reset-queues");
	call(m, 2, H_INT_GET_OS_REPORTING_LINE, 0, 4, 0, 0, 0);
	check_eq(out[0], NOTHING, "reset-lines");
}

/* ---- What no calls can have made is neither saved nor, by the same check, loaded ---- */

static bool saves(struct machine *m)
{
	const struct snapshot_options o = { .quiet = true };
	struct error err;
	int fd = memfd_create("snapshot", 0);
	bool ok = fd >= 0 && snapshot_save_fd(m, fd, &o, &err);

	close(fd);
	return ok;
}

static void test_snapshot(struct machine *m)
{
	struct xive *xive = m->xive;
	struct xive_end *end = &xive->end[8 * 2 + 5], good;

	fresh(m);
	route_to(m, DISK, 2, 5, 1);
	good = *end;
	check(saves(m), "saved");
	xive->eat[DISK].w |= (uint64_t)(8 * CPUS) << EAS_END_SHIFT;
	check(!saves(m), "refused-no-such-queue");
	xive->eat[DISK].w = EAS_VALID | EAS_BLOCK;
	check(!saves(m), "refused-another-chip");
	xive->eat[DISK].w = EAS_VALID | EAS_MASKED;
	end->w2 = 1;
	check(!saves(m), "refused-queue-behind-ram");
	*end = good;
	end->w3 += 4096;
	check(!saves(m), "refused-queue-alignment");
	*end = good;
	end->w0 |= 15u << END0_SIZE_SHIFT;
	check(!saves(m), "refused-queue-size");
	*end = good;
	end->w1 = PAGE / 4;
	check(!saves(m), "refused-next-entry-behind-the-queue");
	*end = good;
	xive->status[5] = 8;
	check(!saves(m), "refused-state-bits");
	xive->status[5] = XIVE_Q;
	xive->eat[CPUS - 1].w = 0;
	check(!saves(m), "refused-fewer-processors");
	xive->eat[CPUS - 1].w = EAS_VALID | EAS_MASKED;
	xive->tctx[1].line = 0x80;
	check(!saves(m), "refused-reporting-line");
	xive->tctx[1].line = XIVE_NO_LINE;
	check(saves(m), "saved-again");
}

/* ---- At random ---- */

static uint32_t some_source(uint64_t *seed)
{
	static const uint32_t source[] = { 0, 1, 5, CPUS - 1, CPUS, 0xfff, IRQ_EPOW, DISK, LSI, LSI + 3, MSI_FIRST, UNUSED, XIVE_SOURCES - 1 };

	return source[check_random(seed) % (sizeof source / sizeof source[0])];
}

static uint64_t nasty(uint64_t *seed)
{
	static const uint64_t edge[] = { 0, 1, 2, 3, 4, 6, 7, 8, 12, 16, 21, 24, 0xff, 0x100, 0x800, 0xc00, 0xffff, 0x10000,
		QUEUES, QUEUES + 0x10000, QUEUES + 0x200000, 0x0f000000, 0x0fff0000, 0x10000000, INT64_MAX, UINT64_MAX };

	return check_random(seed) % 4 ? edge[check_random(seed) % (sizeof edge / sizeof edge[0])] : check_random(seed) >> check_random(seed) % 64;
}

/* Half of them as a guest would call, half as nobody would. */
static void random_call(struct machine *m, uint64_t *seed)
{
	uint64_t number = H_INT_GET_SOURCE_INFO + 4 * (check_random(seed) % 11), b = some_source(seed);
	unsigned c = check_random(seed) % CPUS, server = check_random(seed) % CPUS, priority = check_random(seed) % 7;

	if (number == H_INT_RESET && check_random(seed) % 64)
		return;
	if (number == H_INT_SET_QUEUE_CONFIG || number == H_INT_GET_QUEUE_INFO || number == H_INT_GET_QUEUE_CONFIG)
		b = server;
	if (check_random(seed) % 4 == 0)
		call(m, c, number, nasty(seed), nasty(seed), nasty(seed), nasty(seed), nasty(seed));
	else if (number == H_INT_SET_QUEUE_CONFIG)
		call(m, c, number, check_random(seed) % 2, b, priority, queue_at(server, priority), check_random(seed) % 8 ? 12 : 0);
	else if (number == H_INT_SET_SOURCE_CONFIG)
		call(m, c, number, check_random(seed) % 4, b, server, priority, check_random(seed));
	else
		call(m, c, number, 0, b, number == H_INT_ESB ? check_random(seed) % 0x1000 : priority, 0, 0);
}

static void random_access(struct machine *m, uint64_t *seed)
{
	unsigned size = 1u << check_random(seed) % 4, c = check_random(seed) % CPUS;
	uint64_t at;

	switch (check_random(seed) % 8) {
	case 0: case 1: at = trigger_page(some_source(seed)); break;
	case 2: case 3: at = management(some_source(seed)) + check_random(seed) % 0x1000; break;
	case 4: at = XIVE_TIMA_OS + 0x810 + check_random(seed) % 4; break;
	case 5: at = XIVE_TIMA_OS + TIMA_CPPR; break;
	case 6: at = XIVE_TIMA_OS - 0x10 + check_random(seed) % (2 * PAGE + 0x20); break;
	default: at = XIVE_END_BASE + check_random(seed) % (2 * PAGE * 8 * CPUS + 0x10000); break;
	}
	at &= ~(uint64_t)(size - 1);
	if (check_random(seed) % 2)
		load(m, c, at, size);
	else
		store(m, c, at, size, check_random(seed) % 3 ? check_random(seed) % 9 : check_random(seed));
}

/* What holds of each processor, whatever has been done. */
static bool sane(struct machine *m, unsigned c)
{
	const uint8_t *regs = m->xive->tctx[c].regs;
	unsigned best = 0;

	while (best < 8 && !(regs[TIMA_IPB] << best & 0x80))
		best++;
	return regs[TIMA_PIPR] == (best < 8 ? best : 0xff) && (regs[TIMA_CPPR] < 8 || regs[TIMA_CPPR] == 0xff) &&
	       !!(regs[TIMA_NSR] & 0x80) == (regs[TIMA_PIPR] < regs[TIMA_CPPR]) && line(m, c) == !!(regs[TIMA_NSR] & 0x80);
}

/* RAM below the first place where a queue or a reporting line is ever asked for: nobody writes there. */
static bool untouched(struct machine *m, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at += 8)
		if (ld_be64(&m->ram, at) != UINT64_C(0x5a5a5a5a5a5a5a5a))
			return false;
	return true;
}

static void test_random(struct machine *m, uint64_t rounds, uint64_t seed)
{
	const uint64_t low = 0x1000000, high = 0x1010000;
	unsigned wrong = 0, lines = 0;

	fresh(m);
	memset(m->ram.base + low, 0x5a, high - low);
	for (uint64_t i = 0; i < rounds && wrong < 10; i++) {
		if (check_random(&seed) % 4 == 0)
			random_call(m, &seed);
		else if (check_random(&seed) % 8 == 0)
			irq_set(m, some_source(&seed), check_random(&seed) % 2);
		else
			random_access(m, &seed);
		m->hcall_work = 0;
		for (unsigned c = 0; c < CPUS; c++) {
			wrong += !sane(m, c);
			lines += line(m, c);
		}
		/* Everybody on again. */
		if (i % 512 == 0)
			for (unsigned c = 0; c < CPUS; c++)
				set_cppr(m, c, 0xff);
	}
	check(!wrong, "random-%" PRIu64 ": %u wrong", rounds, wrong);
	check(lines > rounds / 100, "random-lines: %u", lines);
	check(untouched(m, low, high), "random-memory");
}

int main(int argc, char **argv)
{
	struct rig rig;
	uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 0) : 100000, seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	rig_new(&rig, "8");
	test_charge(rig.m);
	test_esb(rig.m);
	test_event(rig.m);
	test_epow(rig.m);
	test_queue(rig.m);
	test_notify(rig.m);
	test_level(rig.m);
	test_msi(rig.m);
	test_tima(rig.m);
	test_codes(rig.m);
	test_answers(rig.m);
	test_snapshot(rig.m);
	test_random(rig.m, rounds, seed);
	rig_free(&rig);
	return check_done();
}

/* The board: what is made in which order, and the loop that runs it.
 *
 * Virtual time is parallel. All physical processors advance together from clock.now by quanta: each
 * in turn, from number 0 on, runs what the dispatcher has put there to the quantum's end; then the
 * clock moves there, due events fire, and the dispatcher looks at who waits. A quantum ends at
 *   - MACHINE_QUANTUM cycles, if more than one thread runs;
 *   - the next event, the next look at the host's inputs (a multiple of POLL_CYCLES), the decrementer
 *     of a waiting thread, or the end of a time slice or budget, whichever is first;
 *   - the cycle at which the only thread that runs woke another one, scheduled an event or stopped
 *     (machine_kick).
 * So a thread woken by another starts at the end of the quantum in which that happened, one that
 * was ready starts where its predecessor stopped, and everything is a function of cycles and of what
 * the host's inputs brought. With all threads waiting the clock jumps to what wakes the first of them.
 */
#define _GNU_SOURCE
#include "machine/board/pseries.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/engine/block.h"
#include "cpu/core/model.h"
#include "cpu/core/timebase.h"
#include "firmware/firmware.h"
#include "hcall/dispatcher.h"
#include "hcall/dtl_file.h"
#include "hcall/hcall.h"
#include "hcall/splpar.h"
#include "hcall/trace.h"
#include "hcall/vasi.h"
#include "machine/core/clock.h"
#include "machine/core/log.h"
#include "machine/core/memory.h"
#include "machine/host/console.h"
#include "machine/host/term.h"
#include "machine/irq/xics.h"
#include "machine/irq/xive_idle.h"
#include "machine/monitor/control.h"
#include "machine/monitor/monitor.h"
#include "machine/pci/phb_idle.h"
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"
#include "machine/run/disasm.h"
#include "machine/core/config.h"
#include "machine/snapshot/incoming.h"
#include "machine/snapshot/outgoing.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "machine/vio/nvram.h"
#include "machine/vio/vio_vty.h"

#define SLICE       UINT64_C(200000)	/* cycles: a thread that runs alone comes out of the engine after so many */
#define KICKED      1u			/* cpu->halt: the machine wants it out; TERM_TICKED: the host does */
#define HELD_NS     UINT64_C(100000000)	/* between two looks at a terminal that drops what nobody reads */

/* ---- Services to the parts ---- */

uint64_t machine_now(struct machine *m)
{
	return m->running ? m->running->cycles : m->clock.now;
}

uint64_t machine_timebase(struct machine *m)
{
	struct cpu_clock *tb = &m->clock.tb;
	uint64_t ticks = machine_now(m) / CYCLES_PER_TICK + tb->tb_offset;

	/* Processors take turns, so one may be behind what another has already read. */
	if (ticks > tb->tb_floor)
		tb->tb_floor = ticks;
	return tb->tb_floor;
}

/* xoshiro256**, Blackman and Vigna. */
uint64_t machine_random(struct machine *m)
{
	uint64_t *s = m->rng_state, result = rotl64(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl64(s[3], 45);
	return result;
}

/* splitmix64 spreads a seed of any quality over the state. */
static void seed_random(struct machine *m, uint64_t seed)
{
	for (unsigned i = 0; i < ARRAY_SIZE(m->rng_state); i++) {
		uint64_t z = seed += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		m->rng_state[i] = z ^ z >> 31;
	}
}

void machine_kick(struct machine *m)
{
	if (m->running)
		m->running->halt = KICKED;
}

void machine_request(struct machine *m, enum machine_request request, int status)
{
	if (m->request == REQ_NONE) {
		m->request = request;
		m->exit_status = status;
	}
	machine_kick(m);
}

/* Pausing is for those who can say "cont": the guest's call has come back then. */
static bool panic_pauses(const struct config *o)
{
	return o->panic == PANIC_PAUSE || (o->panic == PANIC_SHUTDOWN && o->no_shutdown);
}

static void say_panic(const struct machine *m)
{
	term_fresh_line(m->term);
	fprintf(stderr, "cede: the guest gave up: %s\n", m->panic_message ? m->panic_message : "no reason given");
}

void machine_gave_up(struct machine *m, char *text)
{
	bool again = m->panic_message != NULL, pauses = panic_pauses(m->config);

	free(m->panic_message);
	m->panic_message = text;
	if (!pauses && m->config->panic != PANIC_NONE) {
		machine_request(m, REQ_PANIC, EXIT_GUEST_PANIC);
		return;
	}
	/* A guest that says so all the time is heard once in a boot. */
	if (!again) {
		say_panic(m);
		monitor_event(m, "GUEST_PANICKED", pauses ? "{\"action\": \"pause\"}" : "{\"action\": \"run\"}");
	}
	if (pauses) {
		control_halt(m);
		m->monitors->panicked = true;
	}
}

/* Server numbers are processor indices: -M vsmt= is the number of threads of a core. */
struct spapr_cpu *machine_cpu(struct machine *m, uint64_t server)
{
	return server < m->ncpus ? m->cpu[server] : NULL;
}

static uint64_t env_next_event(struct cpu *cpu)
{
	return cpu_machine(cpu)->quantum_end;
}

static uint64_t env_random(void *machine)
{
	return machine_random(machine);
}

static void check_signals(struct machine *m)
{
	m->stop_signal = term_signal(m->term);
	if (term_save_asked(m->term))
		snapshots_asked(m);
	if (m->stop_signal || term_ending(m->term))
		machine_request(m, REQ_QUIT, m->stop_signal || term_is_lost(m->term) ? EXIT_HOST_ERROR : EXIT_SUCCESS);
}

static void env_doorbell(struct cpu *from, unsigned tir, bool set)
{
	struct machine *m = cpu_machine(from);
	struct cpu *to;

	if (tir >= m->threads)
		return;
	to = &m->cpu[from->index - from->tir + tir]->cpu;	/* cores are whole: options.c */
	if (set)
		to->irq |= IRQ_DOORBELL;
	else
		to->irq &= ~(uint32_t)IRQ_DOORBELL;
	machine_kick(m);
}

/* ---- Making it ---- */

static bool new_cpu(struct machine *m, struct error *err)
{
	struct spapr_cpu *sc = aligned_alloc(64, (sizeof *sc + 63) & ~(size_t)63);

	if (!sc) {
		error_set(err, "out of memory");
		return false;
	}
	memset(sc, 0, sizeof *sc);
	sc->cpu.index = m->ncpus;
	sc->cpu.engine = m->engine;
	sc->cpu.env = &m->env;
	sc->cpu.machine_data = sc;
	sc->cpu.run_state = CPU_STOPPED;
	m->cpu[m->ncpus++] = sc;
	if (!engine_add_cpu(m->engine, &sc->cpu)) {
		error_set(err, "out of memory");
		return false;
	}
	return true;
}

static bool new_serials(struct machine *m, struct error *err)
{
	const struct config *o = m->config;

	for (unsigned i = 0; i < o->serials; i++) {
		struct console *console;

		if (!strcmp(o->serial[i], "none"))
			continue;
		console = console_open(m->term, o->serial[i], err);
		if (!console)
			return false;
		if (!vty_new(m, console)) {
			console_close(console);
			error_set(err, "out of memory");
			return false;
		}
	}
	return true;
}

static void init_rtc(struct machine *m)
{
	const struct config *o = m->config;
	struct timespec now;
	struct tm local;

	clock_gettime(CLOCK_REALTIME, &now);
	switch (o->rtc_base) {
	case RTC_DATE:
		m->rtc_offset_ns = (uint64_t)o->rtc_date * NSEC_PER_SEC;
		return;		/* given, so part of what must be equal: rtc_base_ns stays 0 */
	case RTC_LOCALTIME:
		if (localtime_r(&now.tv_sec, &local))
			now.tv_sec += local.tm_gmtoff;
		break;
	case RTC_UTC:
		break;
	}
	m->rtc_offset_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
	m->rtc_base_ns = m->rtc_offset_ns;
}

struct machine *machine_new(const struct config *o, struct term *term, struct error *err)
{
	struct machine *m = calloc(1, sizeof *m);

	if (!m) {
		error_set(err, "out of memory");
		return NULL;
	}
	m->config = o;
	m->term = term;
	m->threads = o->threads;
	m->log_mask = o->log_mask;
	m->env = (struct cpu_env){
		.show_code = disasm_show,
		.hypercall = hcall_dispatch, .next_event = env_next_event, .random = env_random,
		.log = log_from_cpu, .machine = m, .ram = &m->ram, .clock = &m->clock.tb,
		.log_mask = o->log_mask, .fwnmi_entry = fwnmi_entry, .doorbell = env_doorbell,
	};
	seed_random(m, o->seed);
	init_rtc(m);
	if (!log_open(m, o->log_file, err) || !memory_map(&m->ram, o->ram_size, err))
		goto out_free;
	disasm_announce(m);
	if (!trace_new(m, &o->trace)) {
		error_set(err, "out of memory");
		goto out_free;
	}
	m->engine = engine_new(&m->ram, o->timing, o->cpu_model->since, o->cpus);
	m->xics = xics_new();
	m->vio = vio_new();
	m->phb = phb_idle_new();
	m->xive = xive_idle_new(o->max_cpus);
	m->snapshots = snapshots_new(m);
	if (!m->engine || !m->xics || !m->vio || !m->phb || !m->xive || !m->snapshots) {
		error_set(err, "out of memory");
		goto out_free;
	}
	for (unsigned i = 0; i < o->cpus; i++)
		if (!new_cpu(m, err))
			goto out_free;
	if (!dispatcher_new(m, &o->pool, err) || (o->dtl_file && !dtl_file_open(m, o->dtl_file, err)))
		goto out_free;
	/* In this order: unit addresses follow from it. */
	if (!new_serials(m, err))
		goto out_free;
	m->nvram = nvram_new(m, o->nvram_file, err);
	if (!m->nvram || !firmware_load(m, o, err) || !monitors_new(m, err))
		goto out_free;
	clock_init(m, o->warp);
	return m;
out_free:
	machine_free(m);
	return NULL;
}

void machine_free(struct machine *m)
{
	if (!m)
		return;
	monitors_free(m);
	firmware_free(m);
	events_clear(m);
	dispatcher_free(m);
	trace_free(m);
	vio_free(m->vio);
	xics_free(m->xics);
	phb_idle_free(m->phb);
	free(m->xive);
	snapshots_free(m->snapshots);
	engine_free(m->engine);		/* before the processors, whose contexts it frees */
	for (unsigned i = 0; i < m->ncpus; i++)
		free(m->cpu[i]);
	memory_unmap(&m->ram);
	log_close(m);
	free(m->panic_message);
	free(m);
}

/* ---- Power-on and system-reboot ---- */

static void reset_cpu(struct machine *m, struct spapr_cpu *sc)
{
	struct cpu *cpu = &sc->cpu;
	uint64_t insns = cpu->insns;

	cpu->cycles = m->clock.now;	/* DEC starts from here */
	cpu_reset(cpu);
	cpu->pvr = m->config->cpu_model->pvr;
	cpu->logical_pvr = cpu_model_level(m->config->cpu_model)->logical_pvr;
	cpu->pir = cpu->index;
	cpu->tir = cpu->index % m->threads;
	cpu->lpcr = m->config->large_decr ? LPCR_LD : 0;
	cpu->run_state = CPU_STOPPED;
	cpu->prodded = false;
	cpu->irq = 0;
	cpu->insns = insns;
	vpa_reset(sc);
}

void machine_clear(struct machine *m)
{
	m->request = REQ_NONE;
	free(m->panic_message);
	m->panic_message = NULL;
	m->monitors->panicked = false;
	m->suspending = NULL;
	vasi_reset(m);
	hcall_trace_cut(m);
	m->proc_tbl = 0;
	m->cut_end = 0;
	rtas_reset(m);
	events_clear(m);
	engine_flush(m->engine);
	memory_clear(&m->ram);
	for (unsigned i = 0; i < m->ncpus; i++)
		reset_cpu(m, m->cpu[i]);
	dispatcher_reset(m);
	xics_reset(m);
	vio_reset(m->vio);
}

static bool machine_reset(struct machine *m, struct error *err)
{
	machine_clear(m);
	return firmware_start(m, err);		/* the boot processor runs, the others wait for start-cpu */
}

/* ---- The host's side ---- */

/* What comes from files: at a poll point, or while the clock stands. */
static void read_files(struct machine *m)
{
	for (struct vty *vty = vty_find(m, 0); vty; vty = vty_next(vty))
		if (vty_console(vty))
			console_poll_file(vty_console(vty));
	monitors_poll_files(m);
}

static bool files_wait(struct machine *m)
{
	for (struct vty *vty = vty_find(m, 0); vty; vty = vty_next(vty))
		if (vty_console(vty) && console_file_waits(vty_console(vty)))
			return true;
	return monitors_file_waits(m);
}

/* A guest whose terminal's reader is slow stands between two quanta and does not notice. */
static bool held(struct machine *m)
{
	for (struct vty *vty = vty_find(m, 0); vty; vty = vty_next(vty))
		if (vty_console(vty) && console_pending(vty_console(vty)))
			return true;
	return false;
}

static bool clock_stands(const struct machine *m)
{
	return m->monitors->stopped || m->monitors->gone;
}

static void check_host(struct machine *m)
{
	bool is_held = held(m);

	if (clock_stands(m))
		read_files(m);
	for (struct vty *vty = vty_find(m, 0); vty; vty = vty_next(vty)) {
		if (vty_console(vty))
			(is_held ? console_poll_held : console_poll)(vty_console(vty));
		/* What is typed at a stopped machine waits. */
		if (!clock_stands(m) && !is_held)
			vty_receive(vty);
	}
	monitors_poll(m);
	outgoing_poll(m);
	check_signals(m);
}

/* The host's clock has ticked. True if somebody commands us who can be obeyed between any two instructions. */
static bool look_at_host(struct machine *m)
{
	bool wanted = monitors_glance(m);

	outgoing_poll(m);
	check_signals(m);
	return m->request == REQ_NONE && (wanted || snapshots_wanted(m));
}

bool machine_waits_to_write(struct machine *m, int out)
{
	struct pollfd fds[2] = { { .fd = out, .events = POLLOUT }, { .fd = term_fd(m->term), .events = POLLIN } };

	for (;;) {
		bool ends = term_ending(m->term) || m->request == REQ_QUIT;

		if (term_poll(m->term, fds, 2, ends ? 0 : TERM_TICK_MS) > 0 && fds[0].revents)
			return true;	/* if it is an error, write() says which */
		if (ends)
			return false;
		if (m->request != REQ_NONE || !m->monitors)
			term_signal(m->term);
		else if (look_at_host(m))
			monitors_run_within(m);
	}
}

/* Waits until the host has something for us or `ns` have passed (UINT64_MAX: no limit), and
 * takes it. True if there was something. */
static bool wait_for_host(struct machine *m, uint64_t ns)
{
	struct pollfd fds[2 + (CONFIG_MAX_SERIAL + MONITORS_MAX) * CONSOLE_MAX_FDS];
	struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };
	bool is_held = held(m), at_once = clock_stands(m) && files_wait(m);
	nfds_t n = 0;

	if (term_ending(m->term) || (!is_held && monitors_early(m))) {
		check_host(m);
		return true;
	}
	if (at_once)
		ts = (struct timespec){ 0 };
	fds[n++] = (struct pollfd){ .fd = term_fd(m->term), .events = POLLIN };
	for (struct vty *vty = vty_find(m, 0); vty; vty = vty_next(vty))
		if (vty_console(vty))
			n += (is_held ? console_pollfds_held : console_pollfds)(vty_console(vty), fds + n);
	n += monitors_pollfds(m, fds + n);
	n += outgoing_pollfds(m, fds + n);
	/* What the last look at the host has brought is obeyed before we wait, be it for years. */
	if (!monitors_ready(m) &&
	    ppoll(fds, n, ns == UINT64_MAX && !at_once ? NULL : &ts, term_still(m->term)) <= 0 && !at_once && !is_held && !m->monitors->gone)
		return false;
	check_host(m);
	return true;
}

static uint64_t poll_after(uint64_t cycle)
{
	return (cycle / POLL_CYCLES + 1) * POLL_CYCLES;
}

/* ---- Waiting ---- */

/* Cycle of the first tick at which this processor's decrementer is negative, if that lies ahead
 * and would wake it. */
static uint64_t dec_wake(const struct machine *m, const struct cpu *cpu)
{
	uint64_t due;

	if (cpu->run_state != CPU_CEDED && !(cpu->run_state == CPU_CONFERRED && cpu->msr & MSR_EE))
		return UINT64_MAX;
	due = cpu_dec_due(cpu, m->clock.now);
	return due > m->clock.now ? due : UINT64_MAX;
}

static uint64_t first_wake(const struct machine *m)
{
	uint64_t first = clock_next_event(m), change = dispatcher_next(m);

	if (change < first)
		first = change;
	for (unsigned i = 0; i < m->ncpus; i++) {
		uint64_t wake = dec_wake(m, &m->cpu[i]->cpu);

		if (wake < first)
			first = wake;
	}
	return first;
}

/* As first_wake(); a file's next bytes are there at the next look at the host's inputs, a running guest or not. */
static uint64_t idle_end(struct machine *m)
{
	uint64_t first = first_wake(m);

	return m->next_poll < first && files_wait(m) ? m->next_poll : first;
}

/* UINT64_MAX is no cycle: nothing will happen. */
static uint64_t before_end(uint64_t cycle)
{
	return cycle > CLOCK_END && cycle != UINT64_MAX ? CLOCK_END : cycle;
}

/* A guest may ask for a wait of years, again and again: no more than that is skipped. */
static void warp_ends(struct machine *m, uint64_t wake)
{
	if (!m->clock.warp || wake == UINT64_MAX || wake <= CLOCK_WARP_END)
		return;
	m->clock.warp = false;
	term_fresh_line(m->term);
	fprintf(stderr, "cede: -clock warp: the guest waits until more than two years have passed: from here on idle time is not skipped\n");
}

/* Nobody runs: on to what wakes the first, as late on the host's clock as the guest thinks.
 * Host input cuts the wait short; without any, the same cycle follows whether we slept or not. */
static void idle(struct machine *m)
{
	uint64_t end = before_end(m->cut_end ? m->cut_end : idle_end(m)), save = snapshots_next(m), wake = end, wall, ns;

	m->cut_end = 0;
	if (save > m->clock.now && save < wake)
		wake = save;
	clock_anchor(m);
	warp_ends(m, wake);
	ns = wake == UINT64_MAX ? UINT64_MAX : clock_wait_ns(m, wake);
	if (ns && wait_for_host(m, ns)) {
		wall = m->clock.warp ? m->clock.now : clock_wall_cycle(m);
		if (wall > m->clock.now)
			m->clock.now = wall < wake ? wall : wake;
	} else if (wake != UINT64_MAX) {
		m->clock.now = wake;
		m->cut_end = wake < end ? end : 0;
	}
}

/* ---- Running ---- */

/* Where a processor goes on that leaves the rest of its slice to the others: where its
 * decrementer calls, or at the end. */
static uint64_t after_wait(const struct cpu *cpu, uint64_t end)
{
	uint64_t due = cpu_dec_due(cpu, cpu->cycles);

	return due > cpu->cycles && due < end ? due : end;
}

/* Nothing that one waits for who spins changes during its slice: the host's time is better spent
 * on the others. */
static void run_shared(struct cpu *cpu, uint64_t end)
{
	cpu->waiting = false;
	cpu_run(cpu, end);
	if (cpu->run_state == CPU_RUNNING && cpu->cycles < end && cpu->waiting)
		cpu->cycles = after_wait(cpu, end);
}

static bool stays(const struct machine *m, const struct cpu *cpu, uint64_t end)
{
	return cpu->run_state == CPU_RUNNING && cpu->cycles < end && m->request == REQ_NONE && !m->suspending;
}

/* Up to `end`, or the cycle at which the thread kicks the machine or stops, or one at which the host's users want
 * us: that one is no part of the guest's course. A chain of blocks takes no notice of the tick, so it is not long. */
static uint64_t run_alone(struct machine *m, struct cpu *cpu, uint64_t end)
{
	do {
		cpu->halt = 0;
		if (term_ticked(m->term) && look_at_host(m))
			return cpu->cycles;
		cpu_run(cpu, end - cpu->cycles > SLICE ? cpu->cycles + SLICE : end);
	} while (!(cpu->halt & KICKED) && stays(m, cpu, end));
	return end;
}

/* The same, but others run beside it: the machine is whole again at the quantum's end only. */
static void run_beside(struct machine *m, struct cpu *cpu, uint64_t end)
{
	do {
		cpu->halt = 0;
		if (term_ticked(m->term) && look_at_host(m))
			monitors_run_within(m);
		if (m->request == REQ_NONE)
			run_shared(cpu, end);
	} while (stays(m, cpu, end));
}

/* One dispatched thread, up to the quantum's end or the cycle at which it stops. */
static void run_thread(struct machine *m, struct spapr_cpu *sc, bool alone)
{
	struct cpu *cpu = &sc->cpu;
	uint64_t save = alone ? snapshots_next(m) : UINT64_MAX, end = m->quantum_end;

	if (save > cpu->cycles && save < end)
		end = save;
	m->running = cpu;
	term_halts(m->term, &cpu->halt);
	/* In a pool a guest counts how long it spins, and then confers: that takes its time. */
	cpu->shared = !alone && !m->dispatcher->shared;
	if (alone)
		end = run_alone(m, cpu, end);
	else
		run_beside(m, cpu, end);
	term_halts(m->term, NULL);
	m->running = NULL;
	if (end < m->quantum_end && cpu->cycles == end && cpu->run_state == CPU_RUNNING && !(cpu->halt & KICKED) && m->request == REQ_NONE) {
		m->cut_end = m->quantum_end;
		return;
	}
	/* Others' stores must not pass unseen between lwarx and stwcx. */
	if (m->ncpus > 1)
		cpu->resv_size = 0;
	if (cpu->run_state != CPU_RUNNING)
		dispatcher_stopped(m, sc);
}

/* What runs in a quantum, and how far it came. */
struct quantum {
	bool alone;			/* one thread */
	bool runs;			/* somebody still does at its end */
	uint64_t reached;		/* cycle */
};

/* The threads of the virtual processor that begins at index `first`; true if one still runs. */
static bool run_core(struct machine *m, unsigned first, struct quantum *q, uint64_t *stopped)
{
	bool runs = false;

	for (unsigned i = first; i < first + m->threads && m->request == REQ_NONE; i++) {
		struct spapr_cpu *sc = m->cpu[i];

		if (!vp_runs(sc))
			continue;
		run_thread(m, sc, q->alone);
		if (vp_runs(sc))
			runs = true;
		else if (sc->cpu.cycles > *stopped)
			*stopped = sc->cpu.cycles;
		if (sc->cpu.cycles > q->reached)
			q->reached = sc->cpu.cycles;
	}
	return runs;
}

/* One physical processor: whoever is on it, and whoever it is handed over to. */
static void run_physical(struct machine *m, unsigned phys, struct quantum *q)
{
	int first;

	while ((first = dispatcher_core_on(m, phys)) >= 0 && m->request == REQ_NONE) {
		uint64_t stopped = m->clock.now;

		if (run_core(m, (unsigned)first, q, &stopped)) {
			q->runs = true;
			return;
		}
		if (m->request == REQ_NONE)
			dispatcher_hand_over(m, phys, stopped);
		/* The next one may have several threads: a new quantum, from this cycle on. */
		if (q->alone)
			return;
	}
}

static unsigned threads_dispatched(const struct machine *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->ncpus; i++)
		n += vp_runs(m->cpu[i]);
	return n;
}

static uint64_t quantum_end(const struct machine *m, bool alone)
{
	uint64_t end = first_wake(m);

	if (end > m->next_poll)
		end = m->next_poll;
	if (end > CLOCK_END)
		end = CLOCK_END;
	if (!alone && end > m->clock.now + MACHINE_QUANTUM)
		end = m->clock.now + MACHINE_QUANTUM;
	return end;
}

static void run_quantum(struct machine *m, unsigned running)
{
	struct quantum q = { .alone = running == 1, .reached = m->clock.now };
	uint64_t end = m->cut_end ? m->cut_end : quantum_end(m, q.alone);

	m->cut_end = 0;
	m->quantum_end = end;
	m->hcall_work = 0;
	m->side_by_side = !q.alone;
	m->hcall_turn_taken = false;
	for (unsigned i = 0; i < m->dispatcher->procs && m->request == REQ_NONE; i++)
		run_physical(m, i, &q);
	m->quantum_end = 0;
	/* It goes on when the last of the others has stopped: their virtual time is parallel to its. */
	if (m->suspending)
		m->suspending->cycles = q.reached;
	m->clock.now = q.alone || !q.runs || m->request != REQ_NONE || m->suspending ? q.reached : end;
}

/* What is later could not be saved, and soon not be counted. */
static void clock_ends(struct machine *m)
{
	if (m->clock.now < CLOCK_END)
		return;
	term_fresh_line(m->term);
	fprintf(stderr, "cede: the virtual clock is at its end, after 4 years\n");
	machine_request(m, REQ_QUIT, EXIT_HOST_ERROR);
}

/* At a quantum's end: what is due, what the host has, who is to run. */
static void look_around(struct machine *m)
{
	clock_fire_due(m);
	clock_ends(m);
	if (m->clock.now >= m->next_poll) {
		m->next_poll = poll_after(m->clock.now);
		read_files(m);
		check_host(m);
	}
	dispatcher_look(m);
}

/* Between quanta: what the monitors want. A stopped machine's clock stands, so does that of one that is held. */
static void obey(struct machine *m)
{
	bool stopped = m->monitors->stopped;

	monitors_run(m);
	while ((m->monitors->stopped || held(m)) && m->request == REQ_NONE) {
		stopped |= m->monitors->stopped;
		wait_for_host(m, held(m) ? HELD_NS : UINT64_MAX);
		monitors_run(m);
		if (m->request == REQ_NONE)
			snapshots_take(m);	/* SIGUSR1 */
	}
	/* Who runs is given it at the next look at the host's inputs. */
	if (stopped && m->request == REQ_NONE && !threads_dispatched(m))
		check_host(m);
}

static void run_until_request(struct machine *m)
{
	while (m->request == REQ_NONE) {
		unsigned running;

		obey(m);
		if (m->request != REQ_NONE)
			break;
		snapshots_take(m);
		if (!m->cut_end)
			look_around(m);
		if (m->request != REQ_NONE)
			break;
		running = threads_dispatched(m);
		if (running)
			run_quantum(m, running);
		else
			idle(m);
		if (m->suspending) {
			snapshots_suspend(m);
			check_host(m);	/* it may have taken long, and come again at once */
		}
	}
}

/* ---- Programs that listen are told why: events and reasons are QEMU's ---- */

static const char *quit_reason(const struct machine *m)
{
	return m->stop_signal ? "host-signal" : term_is_lost(m->term) ? "host-error" : term_ending(m->term) ? "host-ui" : "host-qmp-quit";
}

static void tell_why(struct machine *m, const char *event, bool guest, const char *reason)
{
	char data[80];

	snprintf(data, sizeof data, "{\"guest\": %s, \"reason\": \"%s\"}", guest ? "true" : "false", reason);
	monitor_event(m, event, data);
}

static void tell(struct machine *m)
{
	bool stays = m->config->no_shutdown || panic_pauses(m->config), host = m->monitors->resets;

	m->monitors->resets = false;
	switch (m->request) {
	case REQ_RESET:
		tell_why(m, m->config->no_reboot ? "SHUTDOWN" : "RESET", !host, host ? "host-qmp-system-reset" : "guest-reset");
		break;
	case REQ_PANIC:
		monitor_event(m, "GUEST_PANICKED", stays ? "{\"action\": \"pause\"}" : "{\"action\": \"poweroff\"}");
		monitor_event(m, "STOP", NULL);
		if (!stays)
			tell_why(m, "SHUTDOWN", true, "guest-panic");
		break;
	case REQ_POWER_OFF:
		tell_why(m, "SHUTDOWN", true, "guest-shutdown");
		if (m->config->no_shutdown)
			monitor_event(m, "STOP", NULL);
		break;
	default:
		tell_why(m, "SHUTDOWN", false, quit_reason(m));
	}
}

/* -no-shutdown: the guest is gone, the machine stays until the user ends it, or boots it again. */
static void linger(struct machine *m)
{
	m->monitors->panicked = m->request == REQ_PANIC;
	if (m->monitors->panicked)
		say_panic(m);
	m->request = REQ_NONE;
	m->monitors->gone = true;
	while (m->request == REQ_NONE) {
		wait_for_host(m, UINT64_MAX);
		monitors_run(m);
	}
	m->monitors->gone = m->monitors->panicked = false;
	tell(m);
	if (m->request == REQ_RESET && !m->config->no_reboot)
		monitor_event(m, "RESUME", NULL);
}

/* What the guest and the monitors have said last may have a slow reader. Who wants an end does not wait for the guest's. */
static void drain(struct machine *m)
{
	enum machine_request why = m->request;
	int status = m->exit_status;
	bool heard = why != REQ_QUIT;

	m->monitors->gone = true;
	m->request = REQ_NONE;
	while (m->request == REQ_NONE && !term_ending(m->term) && ((heard && held(m)) || monitors_pending(m))) {
		wait_for_host(m, HELD_NS);
		if (heard)
			monitors_run(m);
	}
	if (!term_ending(m->term) || why == REQ_QUIT) {
		m->request = why;
		m->exit_status = status;
	}
}

static bool goes_on(struct machine *m)
{
	bool stays = m->config->no_shutdown || (m->request == REQ_PANIC && panic_pauses(m->config));

	if ((m->request == REQ_POWER_OFF || m->request == REQ_PANIC) && stays)
		linger(m);
	return m->request == REQ_RESET && !m->config->no_reboot;
}

/* Why it ended, if that needs saying; the exit status. */
static int verdict(const struct machine *m)
{
	term_fresh_line(m->term);
	switch (m->request) {
	case REQ_PANIC:
		say_panic(m);
		return EXIT_GUEST_PANIC;
	case REQ_QUIT:
		if (m->stop_signal)
			fprintf(stderr, "cede: %s\n", term_end(m->term));
		return m->exit_status;
	case REQ_RESET:
		return EXIT_SUCCESS;	/* -no-reboot */
	default:
		return m->exit_status;
	}
}

/* The guest's end was a good one; that a file is missing which was asked for shows all the same. */
static int with_saves(const struct machine *m, int status)
{
	return status == EXIT_SUCCESS && snapshots_failed(m) ? EXIT_HOST_ERROR : status;
}

/* From power-on or, the first time, from a snapshot. */
static bool begin(struct machine *m, bool first, struct error *err)
{
	char path[4096];

	if (!first || (!m->config->loadvm && !m->config->incoming))
		return machine_reset(m, err);
	machine_clear(m);
	if (!(m->config->loadvm ? snapshot_load(m, control_find(m, m->config->loadvm, path, sizeof path), err) : incoming(m, m->config->incoming, err)))
		return false;
	clock_init(m, m->config->warp);
	return true;
}

int machine_run(struct machine *m)
{
	struct error err;
	bool first = true;

	do {
		if (!begin(m, first, &err)) {
			term_fresh_line(m->term);
			fprintf(stderr, "cede: %s\n", *term_end(m->term) ? term_end(m->term) : err.msg);
			return EXIT_HOST_ERROR;
		}
		first = false;
		term_begin(m->term);
		run_until_request(m);
		tell(m);
	} while (goes_on(m));
	term_leaves(m->term);
	drain(m);
	hcall_trace_summary(m);
	snapshots_wait(m);
	outgoing_end(m);
	if (m->log_mask & LOG_STATEHASH) {
		term_fresh_line(m->term);
		fprintf(stderr, "cede: statehash=%016llx cycles=%llu instructions=%llu\n",
			(unsigned long long)machine_statehash(m), (unsigned long long)m->clock.now,
			(unsigned long long)machine_instructions(m));
	}
	return with_saves(m, verdict(m));
}

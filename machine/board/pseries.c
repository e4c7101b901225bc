/* The board: what is made in which order, and how it is switched on and off. */
#include "machine/board/pseries.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/core/model.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"
#include "firmware/firmware.h"
#include "hcall/dispatcher.h"
#include "hcall/dtl_file.h"
#include "hcall/hcall.h"
#include "hcall/splpar.h"
#include "hcall/trace.h"
#include "hcall/vasi.h"
#include "machine/board/devices.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/disasm.h"
#include "machine/core/log.h"
#include "machine/core/memory.h"
#include "machine/core/mmio.h"
#include "machine/core/timers.h"
#include "machine/disk/drive.h"
#include "machine/irq/irq.h"
#include "machine/host/term.h"
#include "machine/net/net.h"
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"

/* ---- What the processors ask of the board ---- */

static uint64_t env_random(void *machine)
{
	return machine_random(machine);
}

static bool env_mmio_load(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t *value)
{
	return mmio_load(cpu_machine(cpu), gra, size, value);
}

static bool env_mmio_store(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t value)
{
	return mmio_store(cpu_machine(cpu), gra, size, value);
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
	sc->absent = m->ncpus >= m->config->cpus;
	m->cpu[m->ncpus++] = sc;
	if (!engine_add_cpu(m->engine, &sc->cpu)) {
		error_set(err, "out of memory");
		return false;
	}
	return true;
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
		.hypercall = hcall_dispatch, .random = env_random,
		.log = log_from_cpu, .machine = m, .ram = &m->ram, .hpt = &m->hpt, .clock = &m->clock.tb,
		.log_mask = o->log_mask, .fwnmi_entry = fwnmi_entry, .doorbell = env_doorbell,
		.mmio_load = env_mmio_load, .mmio_store = env_mmio_store,
	};
	random_seed(m, o->seed);
	hash_pages_choose(&m->hpt.pages, &o->cpu_model->segment_pages, o->hpt_page_shift);
	if (!log_open(m, o->log_file, err) || !memory_map(&m->ram, o->ram_size, err))
		goto out_free;
	disasm_announce(m);
	if (!trace_new(m, &o->trace)) {
		error_set(err, "out of memory");
		goto out_free;
	}
	m->engine = engine_new(&m->ram, o->timing, o->cpu_model->since, o->max_cpus);
	if (!m->engine) {
		error_set(err, "out of memory");
		goto out_free;
	}
	if (o->htm)
		engine_allow_transactions(m->engine);
	if (!drives_new(m, err) || !nets_new(m, err) || !board_devices_new(m, true, err))
		goto out_free;
	for (unsigned i = 0; i < o->max_cpus; i++)
		if (!new_cpu(m, err))
			goto out_free;
	if (!engine_charge(m->engine, m->threads)) {
		error_set(err, "out of memory");
		goto out_free;
	}
	if (!dispatcher_new(m, &o->pool, err) || (o->dtl_file && !dtl_file_open(m, o->dtl_file, err)))
		goto out_free;
	if (!board_devices_new(m, false, err) || !firmware_load(m, o, err))
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
	machine_free_listeners(m);
	firmware_free(m);
	events_clear(m);
	dispatcher_free(m);
	trace_free(m);
	timers_clear(m);
	devices_free(m);
	nets_free(m);
	drives_free(m);
	engine_free(m->engine);		/* before the processors, whose contexts it frees */
	for (unsigned i = 0; i < m->ncpus; i++)
		free(m->cpu[i]);
	memory_unmap(&m->ram);
	hpt_free(&m->hpt);
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
	cpu->logical_pvr = 0;
	cpu->pir = cpu->index;
	cpu->tir = cpu->index % m->threads;
	cpu->lpcr = m->config->large_decr && config_dec_bits(m->config) ? LPCR_LD : 0;
	cpu->run_state = CPU_STOPPED;
	cpu->prodded = false;
	cpu->irq = 0;
	cpu->insns = insns;
	vpa_reset(sc);
}

void machine_core_arrives(struct machine *m, unsigned first)
{
	for (unsigned i = first; i < first + m->threads; i++) {
		m->cpu[i]->absent = false;
		reset_cpu(m, m->cpu[i]);
		cpu_forget_translations(&m->cpu[i]->cpu);
		dispatcher_thread_reset(m, m->cpu[i]);
		irq_cpu_reset(m, i);
	}
}

void machine_core_goes(struct machine *m, unsigned first)
{
	for (unsigned i = first; i < first + m->threads; i++)
		dispatcher_thread_leaves(m, m->cpu[i]);
	machine_core_arrives(m, first);		/* nothing of it is kept */
	for (unsigned i = first; i < first + m->threads; i++)
		m->cpu[i]->absent = true;
}

/* Every machine starts as one with a hash MMU. */
static void clear_hash_table(struct machine *m)
{
	m->hpt_prepared = 0;
	hpt_free(&m->hpt);
	if (!hpt_new(&m->hpt, hpt_shift_for(m->ram.size)))
		machine_log(m, LOG_UNIMP, "no memory for a hash page table: there is the radix MMU only");
}

static void clear_machine(struct machine *m, bool logged)
{
	m->request = REQ_NONE;
	free(m->panic_message);
	m->panic_message = NULL;
	m->run.panicked = false;
	m->suspending = NULL;
	vasi_reset(m);
	if (logged)
		hcall_trace_cut(m);
	m->proc_tbl = 0;
	clear_hash_table(m);
	m->cut_end = 0;
	rtas_reset(m);
	events_clear(m);
	engine_flush(m->engine);
	memory_clear(&m->ram);
	for (unsigned i = 0; i < m->ncpus; i++)
		reset_cpu(m, m->cpu[i]);
	engine_forget_timing(m->engine);
	dispatcher_reset(m, logged);
	timers_clear(m);
	devices_reset(m);
}

void machine_clear(struct machine *m)
{
	clear_machine(m, true);
}

void machine_clear_unlogged(struct machine *m)
{
	clear_machine(m, false);
}

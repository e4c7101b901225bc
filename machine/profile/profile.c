/* When it is counted, and when written. See profile.h. */
#include "machine/profile/profile.h"

#include <stdlib.h>

#include "cpu/engine/block.h"
#include "cpu/spent/spent.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "machine/profile/profile_file.h"
#include "savevm/file.h"

struct profile {
	const struct profile_config *config;
	struct spent *spent;
	uint64_t began, ended;		/* cycles */
	uint64_t seen;			/* the cycle of the last look */
	bool on;			/* it is counted now */
	bool held;			/* by hand: not until the user says so */
	bool begun;
	bool due;			/* there is something that is not in the file */
	bool failed;
};

static struct spent *make_spent(const struct machine *m)
{
	const struct profile_config *o = &m->config->profile;

	return spent_new(m->config->max_cpus, &m->engine->timing, o->cpu, o->from, o->to);
}

bool profile_new(struct machine *m, struct error *err)
{
	const struct profile_config *o = &m->config->profile;
	struct save_file probe;

	if (!o->path)
		return true;
	/* What could not be written at the end is better known now. */
	if (!save_file_open(&probe, o->path, err))
		return false;
	save_file_drop(&probe);
	m->profile = calloc(1, sizeof *m->profile);
	if (m->profile) {
		m->profile->config = o;
		m->profile->spent = make_spent(m);
	}
	if (m->profile && m->profile->spent)
		return true;
	error_set(err, "out of memory");
	return false;
}

void profile_free(struct machine *m)
{
	if (!m->profile)
		return;
	engine_spent(m->engine, NULL);
	spent_free(m->profile->spent);
	free(m->profile);
	m->profile = NULL;
}

static void get_cpus(const struct machine *m, struct cpu *cpus[MACHINE_MAX_CPUS])
{
	for (unsigned i = 0; i < m->ncpus; i++)
		cpus[i] = &m->cpu[i]->cpu;
}

static void switch_on(struct machine *m, uint64_t cycle)
{
	struct profile *p = m->profile;
	struct cpu *cpus[MACHINE_MAX_CPUS];

	get_cpus(m, cpus);
	spent_begin(p->spent, cpus, cycle);
	engine_spent(m->engine, p->spent);
	if (!p->begun)
		p->began = cycle > p->config->from ? cycle : p->config->from;
	p->on = p->begun = p->due = true;
}

static void settle(struct machine *m)
{
	struct profile *p = m->profile;
	struct cpu *cpus[MACHINE_MAX_CPUS];

	get_cpus(m, cpus);
	if (p->on)
		spent_settle(p->spent, cpus, m->clock.now);
	if (p->on)
		p->ended = m->clock.now < p->config->to ? m->clock.now : p->config->to;
}

static void switch_off(struct machine *m)
{
	settle(m);
	engine_spent(m->engine, NULL);
	m->profile->on = false;
}

static bool write_now(struct machine *m, struct error *err)
{
	struct profile *p = m->profile;

	settle(m);
	if (!p->begun)			/* the interval has not */
		p->ended = p->began = m->clock.now < p->config->from ? p->config->from : m->clock.now;
	p->due = p->on;
	p->failed = !profile_write(m, p->config->path, p->spent, p->began, p->ended, err);
	return !p->failed;
}

static void write_and_tell(struct machine *m)
{
	struct error err;

	if (write_now(m, &err))
		return;
	term_say(m->term, "profile: %s", err.msg);
}

/* No quantum is longer than from one look at the host's inputs to the next. But idle time may be, and then the
 * interval begins in it. */
void profile_look(struct machine *m)
{
	struct profile *p = m->profile;
	uint64_t now = m->clock.now;

	if (!p)
		return;
	if (!p->on && !p->held && now < p->config->to && p->config->from <= now + POLL_CYCLES)
		switch_on(m, p->config->from > p->seen && p->config->from < now ? p->config->from : now);
	p->seen = now;
	if (!p->on || now < p->config->to)
		return;
	switch_off(m);
	write_and_tell(m);
}

void profile_restart(struct machine *m)
{
	struct profile *p = m->profile;
	struct spent *other;

	if (!p)
		return;
	p->seen = m->clock.now;
	if (!p->begun)
		return;
	engine_spent(m->engine, NULL);
	p->on = p->begun = p->due = false;
	other = make_spent(m);
	if (!other)			/* what is there goes on, with more in it than there should be */
		return;
	spent_free(p->spent);
	p->spent = other;
}

bool profile_end(struct machine *m)
{
	struct profile *p = m->profile;

	if (!p)
		return true;
	if (p->due || !p->begun)
		write_and_tell(m);
	return !p->failed;
}

/* ---- By hand ---- */

static bool is_there(const struct machine *m, struct error *err)
{
	if (!m->profile)
		error_set(err, "there is no -profile");
	return m->profile;
}

bool profile_save(struct machine *m, struct error *err)
{
	return is_there(m, err) && write_now(m, err);
}

bool profile_start(struct machine *m, struct error *err)
{
	if (!is_there(m, err))
		return false;
	m->profile->held = false;
	profile_look(m);
	return true;
}

bool profile_stop(struct machine *m, struct error *err)
{
	if (!is_there(m, err))
		return false;
	m->profile->held = true;
	if (m->profile->on)
		switch_off(m);
	return true;
}

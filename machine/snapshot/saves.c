/* -save: FILE@CYCLE, on SIGUSR1, FILE@guest. When each is due, who writes it, and what a guest is told that
 * asked for it. What is in a file is snapshot.c's. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/vasi.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/host/child.h"
#include "machine/host/term.h"
#include "machine/rtas/rtas.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/file.h"

#define QEMU_RETRY    UINT64_C(1000)	/* cycles until the next try to find all processors interruptible */
#define QEMU_PATIENCE CPU_HZ		/* cycles: a second */

struct snapshots {
	struct {
		bool done;
		bool failed;			/* when it was tried last; a guest hears of it itself */
		struct child child;		/* writes it in the background */
		uint64_t due, next_try;		/* cycles */
		uint64_t quiet_until;		/* cycle: a guest's failures are said once a second */
		/* States of the disks: that of the file which is there, if we have written it; of the one being written. */
		char kept[sizeof ((struct machine *)0)->disk_state], next[sizeof ((struct machine *)0)->disk_state];
	} of[CONFIG_MAX_SAVES];		/* options->save[] */
	bool asked;
};

/* A run may be hours old when a save is due: what is wrong with its place at the start is said at the start. */
struct snapshots *snapshots_new(const struct machine *m, struct error *err)
{
	struct snapshots *s;

	for (unsigned i = 0; i < m->config->saves; i++)
		if (!save_file_has_folder(m->config->save[i].path, err))
			return NULL;
	s = calloc(1, sizeof *s);
	if (!s)
		error_set(err, "out of memory");
	for (unsigned i = 0; s && i < m->config->saves; i++) {
		s->of[i].done = m->config->save[i].when != SAVE_AT_CYCLE;
		s->of[i].due = s->of[i].next_try = m->config->save[i].cycle;
	}
	return s;
}

/* Saves whose cycle lies before that of a loaded snapshot are not made. */
void snapshots_skip(struct machine *m)
{
	struct snapshots *s = m->snapshots;

	for (unsigned i = 0; s && i < m->config->saves; i++)
		s->of[i].done |= s->of[i].due < m->clock.now;
}

/* ---- In the background: a copy of this process, as it was, writes the file ---- */

static void print_line(struct machine *m, const char *line)
{
	term_say(m->term, "%s", line);
}

/* The file is a new one, or still the old one: nothing needs the other's state of the disks any more. */
static void let_go(struct machine *m, unsigned i, bool ok)
{
	char *kept = m->snapshots->of[i].kept, *next = m->snapshots->of[i].next;

	disks_forget(m, ok ? kept : next);
	if (ok)
		memcpy(kept, next, sizeof m->disk_state);
	memset(next, 0, sizeof m->disk_state);
}

/* The writer of save[i] has ended. It has said why itself, unless it was killed. True: the file is there. */
static bool finish_save(struct machine *m, unsigned i)
{
	const struct child *child = &m->snapshots->of[i].child;
	struct error err;

	m->snapshots->of[i].failed = child_code(child) && m->config->save[i].when != SAVE_FOR_GUEST;
	if (child_signal(child)) {
		save_file_remove_part(m->config->save[i].path);
		error_set(&err, "cannot save to '%.150s': its process was ended by signal %d", m->config->save[i].path, child_signal(child));
		print_line(m, err.msg);
	}
	let_go(m, i, !child_code(child));
	return !child_code(child);
}

/* Waits for the child that writes save[i]. False: it has failed, there is no file. True also if the user ends the
 * wait with a signal: the child then writes on by itself. */
static bool await_save(struct machine *m, unsigned i)
{
	struct child *child = &m->snapshots->of[i].child;
	char what[128];

	snprintf(what, sizeof what, "the save to '%.100s'", m->config->save[i].path);
	return !child->pid || !child_wait_patiently(child, m->term, what) || finish_save(m, i);
}

/* What the copy of this process does. */
struct save_work {
	struct machine *m;
	const char *path;
	const struct snapshot_options *o;
	bool silent;			/* about what goes wrong */
};

/* Ctrl-C at the guest's terminal does not end the copy. */
static bool write_save(void *opaque, int report)
{
	const struct save_work *w = opaque;
	struct error err;
	bool ok;

	(void)report;
	signal(SIGINT, SIG_IGN);
	ok = snapshot_save(w->m, w->path, w->o, &err);
	if (!ok && !w->silent)
		print_line(w->m, err.msg);
	return ok;
}

static bool save_behind(struct machine *m, unsigned i, const struct snapshot_options *o, struct error *err)
{
	const char *path = m->config->save[i].path;
	struct save_work save = { .m = m, .path = path, .o = o };
	const struct child_work work = { .run = write_save, .opaque = &save };

	save.silent = m->clock.now < m->snapshots->of[i].quiet_until;
	if (child_copy(&m->snapshots->of[i].child, &work, NULL))
		return true;
	error_set(err, "cannot save to '%.150s' in the background: %s", path, strerror(errno));
	return false;
}

void snapshots_wait(struct machine *m)
{
	for (unsigned i = 0; m->snapshots && i < m->config->saves; i++)
		await_save(m, i);
}

bool snapshots_end(const struct machine *m)
{
	bool there = true;

	for (unsigned i = 0; i < m->config->saves; i++) {
		const struct save_request *r = &m->config->save[i];
		bool never = r->when == SAVE_AT_CYCLE && !m->snapshots->of[i].done && m->request != REQ_QUIT;

		if (never)
			term_say(m->term, "-save %.100s@%llu: no snapshot, for the guest ended at cycle %llu", r->path,
				(unsigned long long)r->cycle, (unsigned long long)m->clock.now);
		there &= !never && !m->snapshots->of[i].failed;
	}
	return there;
}

void snapshots_free(struct snapshots *s)
{
	free(s);
}

uint64_t snapshots_next(const struct machine *m)
{
	const struct snapshots *s = m->snapshots;
	uint64_t next = UINT64_MAX;

	for (unsigned i = 0; i < m->config->saves; i++)
		if (!s->of[i].done && s->of[i].next_try < next)
			next = s->of[i].next_try;
	return next;
}

/* One at a time is written: the one before is waited for. */
static void end_earlier(struct machine *m, unsigned i)
{
	if (!await_save(m, i) && m->config->save[i].when == SAVE_FOR_GUEST && m->clock.now >= m->snapshots->of[i].quiet_until)
		m->snapshots->of[i].quiet_until = m->clock.now + CPU_HZ;
}

static bool save_with_disks(struct machine *m, unsigned i, const struct snapshot_options *o, struct error *err)
{
	const struct save_request *r = &m->config->save[i];
	bool behind = r->background && !r->quit, ok;

	if (behind)
		end_earlier(m, i);
	if (!(r->for_qemu ? disks_settle(m, err) : disks_save(m, err)))
		return false;
	memcpy(m->snapshots->of[i].next, m->disk_state, sizeof m->disk_state);
	ok = behind ? save_behind(m, i, o, err) : snapshot_save(m, r->path, o, err);
	memset(m->disk_state, 0, sizeof m->disk_state);
	if (!behind || !ok)
		let_go(m, i, ok);
	return ok;
}

/* A failure is reported on stderr; if a guest asks for saves again and again, once in a second. */
static bool save_now(struct machine *m, unsigned i)
{
	const struct save_request *r = &m->config->save[i];
	const struct snapshot_options o = {
		.with_states = !r->for_qemu && disks_any(m),
		.for_qemu = r->for_qemu, .mapped = r->mapped, .compress = r->compress, .parent = r->parent, .quiet = r->background,
		.guests = r->when == SAVE_FOR_GUEST,
	};
	struct error err;
	bool ok;

	ok = save_with_disks(m, i, &o, &err);
	if (!ok && (r->when != SAVE_FOR_GUEST || m->clock.now >= m->snapshots->of[i].quiet_until))
		print_line(m, err.msg);
	m->snapshots->of[i].failed = !ok && r->when != SAVE_FOR_GUEST;
	if (!ok && r->when == SAVE_FOR_GUEST)
		m->snapshots->of[i].quiet_until = m->clock.now + CPU_HZ;
	if (r->quit)
		machine_request(m, REQ_QUIT, !ok);
	return ok;
}

static void take_save(struct machine *m, unsigned i)
{
	struct snapshots *s = m->snapshots;

	if (m->config->save[i].for_qemu && !snapshot_qemu_ready(m) && m->clock.now - s->of[i].due < QEMU_PATIENCE) {
		s->of[i].next_try = m->clock.now + QEMU_RETRY;
		return;
	}
	s->of[i].done = true;
	save_now(m, i);
}

void snapshots_take(struct machine *m)
{
	struct snapshots *s = m->snapshots;

	for (unsigned i = 0; i < m->config->saves; i++) {
		if (s->of[i].child.pid && child_ended(&s->of[i].child))
			finish_save(m, i);
		if (s->asked && m->config->save[i].when == SAVE_ON_SIGNAL) {
			s->of[i].done = false;
			s->of[i].due = s->of[i].next_try = m->clock.now;
		}
		if (!s->of[i].done && m->clock.now >= s->of[i].next_try)
			take_save(m, i);
	}
	s->asked = false;
}

void snapshots_asked(struct machine *m)
{
	m->snapshots->asked = true;
}

bool snapshots_wanted(const struct machine *m)
{
	return m->snapshots->asked;
}

/* ---- FILE@guest ---- */

/* The stream may be another file's: this machine may come from a snapshot, but its options do not. */
void snapshots_suspend(struct machine *m)
{
	int i = vasi_save(m, m->vasi_stream);

	m->suspending = NULL;
	if (i >= 0 && save_now(m, (unsigned)i))
		return;
	m->vasi_state = VASI_ABORTED;
	st_be32(&m->ram, m->suspend_status, (uint32_t)RTAS_HW_ERROR);
}

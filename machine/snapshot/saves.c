/* -save: FILE@CYCLE, on SIGUSR1, FILE@guest. When each is due, who writes it, and what a guest is told that
 * asked for it. What is in a file is snapshot.c's. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hcall/vasi.h"
#include "machine/core/clock.h"
#include "machine/host/term.h"
#include "machine/rtas/rtas.h"
#include "machine/core/config.h"
#include "machine/snapshot/snapshot.h"

#define QEMU_RETRY    UINT64_C(1000)	/* cycles until the next try to find all processors interruptible */
#define QEMU_PATIENCE CPU_HZ		/* cycles: a second */

struct snapshots {
	struct {
		bool done;
		bool failed;			/* when it was tried last; a guest hears of it itself */
		pid_t child;			/* writes it in the background; 0: none */
		uint64_t due, next_try;		/* cycles */
		uint64_t quiet_until;		/* cycle: a guest's failures are said once a second */
	} of[CONFIG_MAX_SAVES];		/* options->save[] */
	bool asked;
};

struct snapshots *snapshots_new(const struct machine *m)
{
	struct snapshots *s = calloc(1, sizeof *s);

	for (unsigned i = 0; s && i < m->config->saves; i++) {
		s->of[i].done = m->config->save[i].when != SAVE_AT_CYCLE;
		s->of[i].due = s->of[i].next_try = m->config->save[i].cycle;
	}
	return s;
}

/* A machine that comes from a snapshot is past some of them. */
void snapshots_skip(struct machine *m)
{
	struct snapshots *s = m->snapshots;

	for (unsigned i = 0; s && i < m->config->saves; i++)
		s->of[i].done |= s->of[i].due < m->clock.now;
}

/* ---- In the background: a copy of this process, as it was, writes the file ---- */

static void say(struct machine *m, const char *line)
{
	term_fresh_line(m->term);
	fprintf(stderr, "cede: %s\n", line);
}

/* It has said why itself, unless it was killed. */
static bool reap(struct machine *m, unsigned i, int options)
{
	pid_t *child = &m->snapshots->of[i].child;
	char what[128];
	struct error err;
	int status = 0;
	pid_t ended = 0;

	if (!*child)
		return true;
	if (!options) {
		snprintf(what, sizeof what, "the save to '%.100s'", m->config->save[i].path);
		term_patient(m->term, what);
	}
	do
		ended = waitpid(*child, &status, options);
	while (ended < 0 && errno == EINTR && !term_insists(m->term));
	if (!options)
		term_patient(m->term, NULL);
	if (ended != *child)
		return true;	/* it goes on without us */
	*child = 0;
	m->snapshots->of[i].failed = status && m->config->save[i].when != SAVE_FOR_GUEST;
	if (WIFSIGNALED(status)) {
		error_set(&err, "cannot save to '%.150s': its process was ended by signal %d", m->config->save[i].path, WTERMSIG(status));
		say(m, err.msg);
	}
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

/* Ends with this process's copy. A signal for the guest's terminal is not for it. */
static void write_and_exit(struct machine *m, const char *path, const struct snapshot_options *o, bool quiet)
{
	struct error err;
	bool ok;

	signal(SIGINT, SIG_IGN);
	ok = snapshot_save(m, path, o, &err);
	if (!ok && !quiet)
		say(m, err.msg);
	_exit(ok ? EXIT_SUCCESS : EXIT_FAILURE);
}

static bool save_behind(struct machine *m, unsigned i, const struct snapshot_options *o, struct error *err)
{
	pid_t *child = &m->snapshots->of[i].child;

	if (!reap(m, i, 0) && m->config->save[i].when == SAVE_FOR_GUEST && m->clock.now >= m->snapshots->of[i].quiet_until)
		m->snapshots->of[i].quiet_until = m->clock.now + CPU_HZ;
	*child = fork();
	if (!*child)
		write_and_exit(m, m->config->save[i].path, o, m->clock.now < m->snapshots->of[i].quiet_until);
	if (*child > 0)
		return true;
	*child = 0;
	error_set(err, "cannot save to '%.150s' in the background: %s", m->config->save[i].path, strerror(errno));
	return false;
}

void snapshots_wait(struct machine *m)
{
	for (unsigned i = 0; m->snapshots && i < m->config->saves; i++)
		reap(m, i, 0);
}

bool snapshots_failed(const struct machine *m)
{
	for (unsigned i = 0; i < m->config->saves; i++)
		if (m->snapshots->of[i].failed)
			return true;
	return false;
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

/* A failure is said; one that a guest asks for again and again, once in a while. */
static bool save_now(struct machine *m, unsigned i)
{
	const struct save_request *r = &m->config->save[i];
	const struct snapshot_options o = {
		.for_qemu = r->for_qemu, .mapped = r->mapped, .compress = r->compress, .parent = r->parent, .quiet = r->background,
		.guests = r->when == SAVE_FOR_GUEST,
	};
	struct error err;
	bool ok;

	ok = r->background && !r->quit ? save_behind(m, i, &o, &err) : snapshot_save(m, r->path, &o, &err);
	if (!ok && (r->when != SAVE_FOR_GUEST || m->clock.now >= m->snapshots->of[i].quiet_until))
		say(m, err.msg);
	m->snapshots->of[i].failed = !ok && r->when != SAVE_FOR_GUEST;
	if (!ok && r->when == SAVE_FOR_GUEST)
		m->snapshots->of[i].quiet_until = m->clock.now + CPU_HZ;
	if (r->quit)
		machine_request(m, REQ_QUIT, !ok);
	return ok;
}

static void take(struct machine *m, unsigned i)
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
		reap(m, i, WNOHANG);
		if (s->asked && m->config->save[i].when == SAVE_ON_SIGNAL) {
			s->of[i].done = false;
			s->of[i].due = s->of[i].next_try = m->clock.now;
		}
		if (!s->of[i].done && m->clock.now >= s->of[i].next_try)
			take(m, i);
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

/* Its index; -1: there are not so many. */
static int for_guest(const struct machine *m, uint64_t stream)
{
	for (unsigned i = 0; i < m->config->saves; i++)
		if (m->config->save[i].when == SAVE_FOR_GUEST && !--stream)
			return (int)i;
	return -1;
}

bool snapshots_stream(const struct machine *m, uint64_t stream)
{
	return stream && for_guest(m, stream) >= 0;
}

/* The stream may be another file's: this machine may come from a snapshot, but its options do not. */
void snapshots_suspend(struct machine *m)
{
	int i = for_guest(m, m->vasi_stream);

	m->suspending = NULL;
	if (i >= 0 && save_now(m, (unsigned)i))
		return;
	m->vasi_state = VASI_ABORTED;
	st_be32(&m->ram, m->suspend_status, (uint32_t)RTAS_HW_ERROR);
}

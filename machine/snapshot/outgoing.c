/* A snapshot on its way to a file, a command or a port, while the monitors go on: see outgoing.h. */
#define _GNU_SOURCE
#include "machine/snapshot/outgoing.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cpu/core/bits.h"
#include "machine/core/device.h"
#include "machine/disk/drive.h"
#include "machine/host/child.h"
#include "machine/host/term.h"
#include "machine/host/time.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/file.h"

/* What the writer reports, in memory that it shares with this process. */
struct report {
	_Atomic uint64_t done, sent, zeros;	/* bytes of memory looked at, bytes written; pages */
	char why[256];			/* it failed */
};

struct job {
	bool migrates;
	const struct way *way;
	char where[4096];		/* behind the scheme */
};

struct outgoing {
	outgoing_ended *ended;
	struct job job;			/* while there is a child: what it does */
	struct child child;		/* writes it */
	int alive;			/* reads an end when it has ended */
	struct report *report;
	bool cancelled, resumes;	/* cede ended the child; the guest runs on if the migration fails */
	/* Of the last migration. */
	enum outgoing_status status;
	uint64_t began, took;		/* host ns */
	uint64_t total, done, sent, zeros;
	struct error err;
};

static const char *const status_names[] = { "none", "setup", "active", "cancelling", "completed", "failed", "cancelled" };

/* ---- Where to ---- */

static bool to_file(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err)
{
	return snapshot_save(m, path, o, err);
}

static bool to_command(struct machine *m, const char *command, const struct snapshot_options *o, struct error *err)
{
	struct child child;
	int fd;
	bool ok;

	if (!child_command(&child, command, CHILD_STDIN, &fd)) {
		error_set(err, "cannot run '%.120s': %s", command, strerror(errno));
		return false;
	}
	ok = snapshot_save_fd(m, fd, o, err);
	close(fd);
	child_wait(&child);
	if (child_code(&child))		/* says more than "its pipe was closed" */
		error_set(err, "'%.120s' ended with status %d", command, child_code(&child));
	return ok && !child_code(&child);
}

/* Connects to the first of a name's addresses that accepts. -1: errno is of the last one. */
static int connect_to(const struct addrinfo *info)
{
	int fd = -1;

	for (; info; info = info->ai_next) {
		int error;

		fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			continue;
		if (!connect(fd, info->ai_addr, info->ai_addrlen))
			return fd;
		error = errno;
		close(fd);
		errno = error;
	}
	return -1;
}

static bool to_port(struct machine *m, const char *address, const struct snapshot_options *o, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(address, ':');
	struct addrinfo *info;
	char host[256];
	int fd, rc;
	bool ok;

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
	rc = colon ? getaddrinfo(*host ? host : NULL, colon + 1, &hints, &info) : EAI_NONAME;	/* tcp::PORT: here */
	if (rc) {
		error_set(err, "tcp:%.100s: %s", address, gai_strerror(rc));
		return false;
	}
	fd = connect_to(info);
	freeaddrinfo(info);
	if (fd < 0) {
		error_set(err, "cannot connect to tcp:%.100s: %s", address, strerror(errno));
		return false;
	}
	ok = snapshot_save_fd(m, fd, o, err);
	close(fd);
	return ok;
}

static const struct way {
	const char *scheme;
	bool (*send)(struct machine *m, const char *rest, const struct snapshot_options *o, struct error *err);
	bool file;			/* `rest` is a file, written under another name first */
} ways[] = { { "file:", to_file, true }, { "exec:", to_command, false }, { "tcp:", to_port, false } };

static const struct way *way_of(const char *uri)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (!strncmp(uri, ways[i].scheme, strlen(ways[i].scheme)) && uri[strlen(ways[i].scheme)])
			return &ways[i];
	return NULL;
}

/* ---- The writer ---- */

static void report_progress(void *opaque, uint64_t done, uint64_t sent, uint64_t zeros)
{
	struct report *r = opaque;

	r->done = done;
	r->sent = sent;
	r->zeros = zeros;
}

static bool write_job(void *opaque, int alive)
{
	struct machine *m = opaque;
	struct report *r = m->outgoing->report;
	const struct job *job = &m->outgoing->job;
	const struct snapshot_options o = { .quiet = true, .tell = report_progress, .teller = r };
	struct error err = { .msg = "" };
	bool ok = job->way->send(m, job->where, &o, &err);

	(void)alive;
	memcpy(r->why, err.msg, sizeof r->why < sizeof err.msg ? sizeof r->why : sizeof err.msg);
	r->why[sizeof r->why - 1] = 0;
	return ok;
}

/* If cede ends, the writer of a migration is killed with it; that of a snapshot finishes its file. */
static bool start_writer(struct machine *m, struct outgoing *o, struct error *err)
{
	const struct child_work work = { .run = write_job, .opaque = m, .dies_with_us = o->job.migrates, .own_session = true };

	if (!disks_settle(m, err))
		return false;
	o->report = mmap(NULL, sizeof *o->report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	o->cancelled = false;
	if (o->report != MAP_FAILED && child_copy(&o->child, &work, &o->alive))
		return true;
	error_set(err, "cannot write in the background: %s", strerror(errno));
	if (o->report != MAP_FAILED)
		munmap(o->report, sizeof *o->report);
	return false;
}

static bool begin_job(struct machine *m, bool migrates, const struct way *way, const char *where, struct error *err)
{
	struct outgoing *o = m->outgoing;

	if (o->child.pid) {
		error_set(err, "There's a migration process in progress");
		return false;
	}
	o->job.migrates = migrates;
	o->job.way = way;
	if ((size_t)snprintf(o->job.where, sizeof o->job.where, "%s", where) >= sizeof o->job.where) {
		error_set(err, "'%.100s..' is too long", where);
		return false;
	}
	return start_writer(m, o, err);
}

/* ---- Its end ---- */

static void set_status(struct machine *m, enum outgoing_status status)
{
	m->outgoing->status = status;
	machine_announce(m, (struct run_event){ .kind = RUN_MIGRATION, .word = status_names[status] });
}

static void measure_job(struct outgoing *o)
{
	o->took = host_ns() - o->began;
	o->done = o->report->done;
	o->sent = o->report->sent;
	o->zeros = o->report->zeros;
	if (o->zeros > o->done / OUTGOING_PAGE)
		o->zeros = o->done / OUTGOING_PAGE;	/* they are not written at once */
}

static void print_failure(struct machine *m, const char *what, const char *why)
{
	term_say(m->term, "%s: %s", what, why);
}

static void end_migration(struct machine *m, bool ok)
{
	struct outgoing *o = m->outgoing;
	struct error why;

	if (ok) {
		m->run.sent = true;
		if (!drives_yield(m, &why))
			print_failure(m, "migrate", why.msg);
		set_status(m, OUT_COMPLETED);
	} else if (o->cancelled) {
		if (o->resumes)
			machine_resume(m);
		set_status(m, OUT_CANCELLED);
	} else {
		set_status(m, OUT_FAILED);
		if (o->resumes)
			machine_resume(m);
	}
}

/* Its writer has ended. */
static void finish_job(struct machine *m)
{
	struct outgoing *o = m->outgoing;
	bool ok = !child_code(&o->child), migrates = o->job.migrates;
	struct error err = { .msg = "" };

	measure_job(o);
	if (child_signal(&o->child)) {
		if (o->job.way->file)
			save_file_remove_part(o->job.where);
		if (o->cancelled)
			error_set(&err, "cancelled");
		else
			error_set(&err, "its process was ended by signal %d", child_signal(&o->child));
	} else if (!ok) {
		error_set(&err, "%.250s", o->report->why);
	}
	munmap(o->report, sizeof *o->report);
	close(o->alive);
	if (migrates) {
		o->err = err;
		end_migration(m, ok);
	}
	if (!o->ended(m, ok || o->cancelled ? NULL : &err) && !ok && !o->cancelled)
		print_failure(m, migrates ? "migrate" : "savevm", err.msg);
}

void outgoing_poll(struct machine *m)
{
	struct child *child = &m->outgoing->child;

	if (child->pid && child_ended(child))
		finish_job(m);
}

void outgoing_cancel(struct machine *m)
{
	struct outgoing *o = m->outgoing;

	if (!outgoing_holds(m) || o->cancelled)
		return;
	o->cancelled = true;
	set_status(m, OUT_CANCELLING);
	child_kill(&o->child);
}

void outgoing_end(struct machine *m)
{
	struct outgoing *o = m->outgoing;
	char what[128];

	o->resumes = false;
	outgoing_cancel(m);
	if (!o->child.pid)
		return;
	snprintf(what, sizeof what, "the save to '%.100s'", o->job.where);
	if (child_wait_patiently(&o->child, m->term, what))
		finish_job(m);
}

/* ---- Beginning ---- */

bool outgoing_migrate(struct machine *m, const char *uri, struct error *err)
{
	struct outgoing *o = m->outgoing;
	const struct way *way = way_of(uri);

	if (!way) {
		error_set(err, "'%.100s' is not exec:COMMAND, file:PATH or tcp:HOST:PORT", uri);
		return false;
	}
	if (!begin_job(m, true, way, uri + strlen(way->scheme), err))
		return false;
	o->began = host_ns();
	o->total = m->ram.size;
	o->err.msg[0] = 0;
	o->resumes = !m->run.stopped;
	set_status(m, OUT_SETUP);
	set_status(m, OUT_ACTIVE);
	if (o->resumes)
		machine_stop(m);
	return true;
}

bool outgoing_save(struct machine *m, const char *path, struct error *err)
{
	return begin_job(m, false, &ways[0], path, err);
}

static bool is_writing(const struct machine *m) { return m->outgoing->child.pid != 0; }
bool outgoing_holds(const struct machine *m) { return is_writing(m) && m->outgoing->job.migrates; }
void outgoing_stay(struct machine *m) { m->outgoing->resumes = false; }

unsigned outgoing_pollfds(const struct machine *m, struct pollfd *fds)
{
	if (is_writing(m))
		*fds = (struct pollfd){ .fd = m->outgoing->alive, .events = POLLIN };
	return is_writing(m);
}

struct outgoing *outgoing_new(outgoing_ended *ended)
{
	struct outgoing *o = calloc(1, sizeof *o);

	if (o)
		o->ended = ended;
	return o;
}

void outgoing_free(struct machine *m)
{
	if (m->outgoing)
		outgoing_end(m);
	free(m->outgoing);
}

/* ---- How far it is ---- */

struct outgoing_progress outgoing_progress(const struct machine *m)
{
	struct outgoing o = *m->outgoing;

	if (outgoing_holds(m))
		measure_job(&o);
	return (struct outgoing_progress){
		.status = o.status, .status_name = status_names[o.status], .why = m->outgoing->err.msg,
		.took_ns = o.took, .total = o.total, .done = o.done, .sent = o.sent, .zero_pages = o.zeros,
		.saving = o.child.pid && !o.job.migrates, .saved = o.child.pid ? o.report->done : 0,
		.mbps = o.took ? (double)o.sent * 8e3 / (double)o.took : 0,
	};
}

/* What a monitor can do to a machine. Called between quanta only. */
#define _GNU_SOURCE
#include "machine/monitor/control.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hcall/dispatcher.h"
#include "machine/board/pseries.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/host/term.h"
#include "machine/snapshot/outgoing.h"
#include "machine/disk/drive.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/state.h"
#include "machine/virtio/balloon.h"
#include "savevm/place.h"
#include "savevm/tail.h"

#define SUFFIX ".cede"
#define NAME_BYTES 128

/* ---- Stopping ---- */

const char *control_status(const struct machine *m)
{
	const struct runstate *run = &m->run;

	if (run->gone)
		return run->panicked ? "guest-panicked" : "shutdown";
	if (!run->stopped)
		return "running";
	return outgoing_holds(m) ? "finish-migrate" : run->sent ? "postmigrate" : run->panicked ? "guest-panicked" : "paused";
}

void control_stop(struct machine *m)
{
	outgoing_stay(m);
	machine_stop(m);
}

/* During a migration the guest must not run here: it would no longer be the one that arrives there. */
static bool may_go_on(const struct machine *m, struct error *err)
{
	if (outgoing_holds(m))
		error_set(err, "There's a migration process in progress");
	return !outgoing_holds(m);
}

bool control_cont(struct machine *m, struct error *err)
{
	if (!may_go_on(m, err) || !drives_resume(m, err))
		return false;
	machine_resume(m);
	return true;
}

bool control_balloon(struct machine *m, uint64_t bytes, struct error *err)
{
	struct device *dev = balloon_find(m);

	if (!dev)
		error_set(err, CONTROL_NO_BALLOON);
	else if (!bytes)
		error_set(err, "Parameter 'target' expects a size");
	else
		balloon_set(dev, bytes);
	return dev && bytes;
}

bool control_reset(struct machine *m, struct error *err)
{
	if (!may_go_on(m, err))
		return false;
	m->run.user_resets = true;
	machine_request(m, REQ_RESET, 0);
	return true;
}

/* ---- Names ---- */

static bool name_ok(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == '/' || name[i] == 0x7f)
			return false;
	return len && len < NAME_BYTES && *name != '.';
}

static bool path_of(const struct machine *m, const char *name, char *buf, size_t size, struct error *err)
{
	if (!m->config->snapdir)
		disks_no_place(m, err);
	else if (!name_ok(name))
		error_set(err, "'%.60s' is no name for a snapshot", name);
	else if ((size_t)snprintf(buf, size, "%s/%s" SUFFIX, m->config->snapdir, name) < size)
		return true;
	else
		error_set(err, "the name of the snapshot is too long");
	return false;
}

const char *control_find(const struct machine *m, const char *name, char *buf, size_t size)
{
	struct error err;

	if (strchr(name, '/') || !path_of(m, name, buf, size, &err) || access(buf, F_OK))
		return name;
	return buf;
}

bool control_savevm(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];

	if (disks_any(m))
		return disks_savevm(m, name, err);
	return path_of(m, name, path, sizeof path, err) && outgoing_save(m, path, err);
}

bool control_delvm(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];
	struct error why;

	if (disks_any(m))
		return disks_delvm(m, name, err);
	if (!path_of(m, name, path, sizeof path, err))
		return false;
	if (!place_has_file(path, &why))
		error_set(err, "cannot delete '%.60s': %.120s", name, why.msg);
	else if (unlink(path))
		error_set(err, "cannot delete '%.60s': %s", name, strerror(errno));
	else
		return true;
	return false;
}

/* ---- Loading over a running machine ---- */

bool control_loadvm(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (m->run.gone) {
		error_set(err, "the guest has switched itself off");
		return false;
	}
	if (!may_go_on(m, err))
		return false;
	if (disks_any(m))
		return disks_loadvm(m, name, err);
	if (!path_of(m, name, path, sizeof path, err))
		return false;
	if (access(path, R_OK) || stat(path, &st)) {
		error_set(err, "there is no snapshot '%.60s': %s", name, strerror(errno));
		return false;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(err, "'%.60s' is no snapshot: not a regular file", name);
		return false;
	}
	return snapshot_reload(m, path, err);
}

/* ---- info snapshots ---- */

/* The virtual time at which a snapshot was saved: the first field of section cede/clock. Only the end of the file is
 * read, because the guest does not run meanwhile. UINT64_MAX: the file has no such section. */
static uint64_t saved_cycle(const char *path)
{
	uint64_t now;

	return tail_number(path, cede_clock_state.name, cede_clock_state.version, &now) ? now : UINT64_MAX;
}

static void list_one(const struct machine *m, const char *name, FILE *out)
{
	char path[PATH_MAX], date[32], clock[32] = "?";
	struct error err;
	struct stat st;
	struct tm tm;
	uint64_t ms;

	if (!path_of(m, name, path, sizeof path, &err) || stat(path, &st) || !S_ISREG(st.st_mode))
		return;
	ms = saved_cycle(path);
	if (ms != UINT64_MAX) {
		ms = cycles_to_ns(ms) / 1000000;
		snprintf(clock, sizeof clock, "%02llu:%02llu:%02llu.%03llu", (unsigned long long)ms / 3600000,
			 (unsigned long long)ms / 60000 % 60, (unsigned long long)ms / 1000 % 60, (unsigned long long)ms % 1000);
	}
	strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", localtime_r(&st.st_mtime, &tm));
	fprintf(out, "%-9s %-16s %6.1f MiB %19s %14s\n", "--", name, (double)st.st_size / (1 << 20), date, clock);
}

static int is_snapshot(const struct dirent *e)
{
	size_t len = strlen(e->d_name);

	return len > strlen(SUFFIX) && e->d_name[0] != '.' && !strcmp(e->d_name + len - strlen(SUFFIX), SUFFIX);
}

bool control_list(struct machine *m, FILE *out, struct error *err)
{
	struct dirent **entry = NULL;
	int n;

	if (disks_any(m)) {
		disks_list(m, out);
		return true;
	}
	if (!m->config->snapdir) {
		disks_no_place(m, err);
		return false;
	}
	n = scandir(m->config->snapdir, &entry, is_snapshot, alphasort);
	if (n <= 0)
		fputs("There is no snapshot available.\n", out);
	else
		fprintf(out, "%-9s %-16s %10s %19s %14s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK");
	for (int i = 0; i < n; i++) {
		entry[i]->d_name[strlen(entry[i]->d_name) - strlen(SUFFIX)] = 0;
		list_one(m, entry[i]->d_name, out);
		free(entry[i]);
	}
	free(entry);
	return true;
}

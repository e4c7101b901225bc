/* What a monitor can do to a machine. Called between quanta only. */
#define _GNU_SOURCE
#include "machine/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cpu/bits.h"
#include "machine/clock.h"
#include "machine/monitor.h"
#include "machine/options.h"
#include "machine/pseries.h"
#include "machine/snapshot.h"
#include "savevm/inspect.h"

#define SUFFIX ".cede"
#define NAME_BYTES 128

static const struct snapshot_options plain = { .for_qemu = false };

/* ---- Stopping ---- */

const char *control_status(const struct machine *m)
{
	return m->monitors->gone ? "shutdown" : !m->monitors->stopped ? "running" : m->monitors->sent ? "postmigrate" : "paused";
}

void control_stop(struct machine *m)
{
	if (!m->monitors->stopped)
		monitor_event(m, "STOP", NULL);
	m->monitors->stopped = true;
}

/* The guest must not hurry to make up for the time that it did not see. */
void control_cont(struct machine *m)
{
	if (m->monitors->stopped)
		monitor_event(m, "RESUME", NULL);
	m->monitors->stopped = m->monitors->sent = false;
	clock_init(m, m->options->warp);
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
	if (!m->options->snapdir)
		error_set(err, "no place for snapshots: start with -snapdir DIR");
	else if (!name_ok(name))
		error_set(err, "'%.60s' is no name for a snapshot", name);
	else if ((size_t)snprintf(buf, size, "%s/%s" SUFFIX, m->options->snapdir, name) < size)
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

	return path_of(m, name, path, sizeof path, err) && snapshot_save(m, path, &plain, err);
}

bool control_delvm(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];

	if (!path_of(m, name, path, sizeof path, err))
		return false;
	if (!unlink(path))
		return true;
	error_set(err, "cannot delete '%.60s': %s", name, strerror(errno));
	return false;
}

/* ---- Loading over a running machine ---- */

/* What the machine holds is kept in memory until the file has proved to be good. */
static bool keep_state(struct machine *m, int *fd, struct error *err)
{
	*fd = memfd_create("cede", MFD_CLOEXEC);
	if (*fd < 0) {
		error_set(err, "cannot keep the running machine: %s", strerror(errno));
		return false;
	}
	if (snapshot_save_fd(m, *fd, &plain, err) && !lseek(*fd, 0, SEEK_SET))
		return true;
	close(*fd);
	return false;
}

static void put_back(struct machine *m, int fd)
{
	struct error err;

	machine_clear(m);
	if (!snapshot_load_fd(m, fd, &err)) {
		fprintf(stderr, "cede: cannot go back to the running machine: %s\n", err.msg);
		machine_request(m, REQ_QUIT, EXIT_HOST_ERROR);
	}
}

bool control_loadvm(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];
	int fd;
	bool ok;

	if (m->monitors->gone) {
		error_set(err, "the guest has switched itself off");
		return false;
	}
	if (!path_of(m, name, path, sizeof path, err))
		return false;
	if (access(path, R_OK)) {
		error_set(err, "there is no snapshot '%.60s': %s", name, strerror(errno));
		return false;
	}
	if (!keep_state(m, &fd, err))
		return false;
	machine_clear(m);
	ok = snapshot_load(m, path, err);
	if (!ok)
		put_back(m, fd);
	close(fd);
	clock_init(m, m->options->warp);
	return ok;
}

/* ---- info snapshots ---- */

static uint64_t saved_cycle(const char *path)
{
	struct inspect in;
	struct error err;
	uint64_t now = 0, at;

	if (!inspect_open(&in, path, &err))
		return UINT64_MAX;
	if (!inspect_number(&in, "cede/clock", 0, "clock.now", &now, &at))
		now = UINT64_MAX;
	inspect_close(&in);
	return now;
}

static void list_one(const struct machine *m, const char *name, FILE *out)
{
	char path[PATH_MAX], date[32], clock[32] = "?";
	struct error err;
	struct stat st;
	struct tm tm;
	uint64_t ms;

	if (!path_of(m, name, path, sizeof path, &err) || stat(path, &st))
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

	if (!m->options->snapdir) {
		error_set(err, "no place for snapshots: start with -snapdir DIR");
		return false;
	}
	n = scandir(m->options->snapdir, &entry, is_snapshot, alphasort);
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

/* ---- migrate ---- */

static bool to_file(struct machine *m, const char *path, struct error *err)
{
	return snapshot_save(m, path, &plain, err);
}

static bool to_command(struct machine *m, const char *command, struct error *err)
{
	int ends[2], status = 0;
	sigset_t none;
	pid_t pid;
	bool ok;

	if (pipe2(ends, O_CLOEXEC) || (pid = fork()) < 0) {
		error_set(err, "cannot run '%.120s': %s", command, strerror(errno));
		return false;
	}
	if (pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		dup2(ends[0], STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);	/* ours may be a protocol's */
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	close(ends[0]);
	ok = snapshot_save_fd(m, ends[1], &plain, err);
	close(ends[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (ok && status)
		error_set(err, "'%.120s' ended with status %d", command, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return ok && !status;
}

static bool to_port(struct machine *m, const char *address, struct error *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *colon = strrchr(address, ':');
	struct addrinfo *info;
	char host[256];
	int fd, rc;
	bool ok;

	snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - address) : 0, address);
	rc = colon ? getaddrinfo(host, colon + 1, &hints, &info) : EAI_NONAME;
	if (rc) {
		error_set(err, "tcp:%.100s: %s", address, gai_strerror(rc));
		return false;
	}
	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ok = fd >= 0 && !connect(fd, info->ai_addr, info->ai_addrlen);
	if (!ok)
		error_set(err, "cannot connect to tcp:%.100s: %s", address, strerror(errno));
	ok = ok && snapshot_save_fd(m, fd, &plain, err);
	if (fd >= 0)
		close(fd);
	freeaddrinfo(info);
	return ok;
}

static const struct way {
	const char *scheme;
	bool (*send)(struct machine *m, const char *rest, struct error *err);
} ways[] = { { "file:", to_file }, { "exec:", to_command }, { "tcp:", to_port } };

bool control_migrate(struct machine *m, const char *uri, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		size_t len = strlen(ways[i].scheme);

		if (strncmp(uri, ways[i].scheme, len) || !uri[len])
			continue;
		if (!ways[i].send(m, uri + len, err)) {
			m->monitors->migration = "failed";
			return false;
		}
		control_stop(m);
		m->monitors->sent = true;
		m->monitors->migration = "completed";
		monitor_event(m, "MIGRATION", "{\"status\": \"completed\"}");
		return true;
	}
	error_set(err, "'%.100s' is not exec:COMMAND, file:PATH or tcp:HOST:PORT", uri);
	return false;
}

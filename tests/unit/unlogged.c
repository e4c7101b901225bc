/* What a trial load leaves in the logs: nothing. A load that counts begins the dispatch log anew. */
#include <stdarg.h>
#include <sys/stat.h>

#include "check.h"
#include "hcall/dtl_file.h"
#include "hcall/transitions.h"
#include "hcall/dispatcher.h"
#include "machine/snapshot/snapshot.h"
#include "rig.h"

static char snapshot[64], dispatch_log[64];

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static void test_trial(struct machine *m, FILE *lines)
{
	struct error err = { .msg = "" };
	off_t before = size_of(dispatch_log);

	check_eq(m->cpu[0]->vp.state, VP_RUNNING, "guest-runs");
	check(snapshot_try(m, snapshot, &err), "trial-loads: %s", err.msg);
	check(before > 0, "there-are-records");
	check_eq((uint64_t)ftello(lines), 0, "trial-no-lines");
	check_eq((uint64_t)size_of(dispatch_log), (uint64_t)before, "trial-no-records");
}

static void test_load(struct machine *m, FILE *lines)
{
	struct error err = { .msg = "" };

	machine_clear(m);
	check(ftello(lines) > 0, "clear-is-logged");
	check(snapshot_replace(m, snapshot, &err), "loads: %s", err.msg);
	check_eq((uint64_t)size_of(dispatch_log), 0, "log-begins-anew");
	transitions_sync(m);
}

int main(void)
{
	const struct snapshot_options o = { .quiet = true };
	struct error err = { .msg = "" };
	struct rig rig;
	FILE *lines = tmpfile();

	rig_new_pool(&rig, "2", "procs=2,load=1");
	snprintf(snapshot, sizeof snapshot, "/tmp/cede-unlogged-%d.snap", (int)getpid());
	snprintf(dispatch_log, sizeof dispatch_log, "/tmp/cede-unlogged-%d.dtl", (int)getpid());
	if (!lines || !snapshot_save(rig.m, snapshot, &o, &err) || !dtl_file_open(rig.m, dispatch_log, &err)) {
		printf("FAIL set-up: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	setvbuf(lines, NULL, _IONBF, 0);	/* a copy of this process shows what it writes */
	rig.m->log_file = lines;
	rig.m->log_mask |= LOG_DISPATCH;
	dispatcher_log_begin(rig.m);
	transitions_sync(rig.m);
	fflush(NULL);
	rig.m->dispatcher->partition[PARTITION_LOAD].vp[0].state = VP_READY;	/* its end is a line, too */
	test_trial(rig.m, lines);
	test_load(rig.m, lines);
	rig_free(&rig);
	unlink(snapshot);
	unlink(dispatch_log);
	return check_done();
}

/* Whether a machine runs, and those above who listen to it. */
#include <stdarg.h>

#include "check.h"
#include "machine/core/config.h"
#include "machine/core/machine.h"

/* What the listeners have heard, a word each. */
static char heard[256];

static void hear(const char *who, const char *what)
{
	strcat(strcat(heard, who), what);
}

static void first_event(struct machine *m, const struct run_event *event)
{
	static const char *const names[] = { "stop ", "resume ", "reset ", "shutdown ", "panicked ", "migration " };

	(void)m;
	hear("1:", names[event->kind]);
}

static void second_serve(struct machine *m) { (void)m; hear("2:", "serve "); }
static void first_free(struct machine *m) { (void)m; hear("1:", "free "); }
static void second_free(struct machine *m) { (void)m; hear("2:", "free "); }

static const struct machine_listener first = { .event = first_event, .free = first_free };
static const struct machine_listener second = { .serve = second_serve, .free = second_free };

static void check_heard(const char *what, const char *name)
{
	check(!strcmp(heard, what), "%s: heard '%s'", name, heard);
	*heard = 0;
}

static void test_stopping(struct machine *m)
{
	check(!machine_clock_stands(m), "runs");
	machine_stop(m);
	machine_stop(m);
	check(machine_clock_stands(m), "stands");
	check_heard("1:stop ", "stopped-once");
	m->run.sent = m->run.panicked = true;
	machine_resume(m);
	machine_resume(m);
	check(!machine_clock_stands(m) && !m->run.sent && !m->run.panicked, "runs-again");
	check_heard("1:resume ", "resumed-once");
	m->run.gone = true;
	check(machine_clock_stands(m), "gone-stands");
	m->run.gone = false;
}

static void test_requests(struct machine *m)
{
	machine_request(m, REQ_POWER_OFF, 0);
	machine_request(m, REQ_QUIT, EXIT_HOST_ERROR);
	check_eq(m->request, REQ_POWER_OFF, "first-request");
	check_eq((unsigned)m->exit_status, 0, "first-status");
}

int main(void)
{
	struct config config = { .warp = true };
	struct machine *m = calloc(1, sizeof *m);

	if (!m)
		return EXIT_FAILURE;
	m->config = &config;
	machine_announce(m, (struct run_event){ .kind = RUN_STOP });
	check(!machine_serve(m), "nobody-serves");
	machine_listen(m, &first);
	check(!machine_serve(m), "first-does-not");
	machine_listen(m, &second);
	check(machine_serve(m), "second-serves");
	check_heard("2:serve ", "served");
	test_stopping(m);
	test_requests(m);
	machine_free_listeners(m);
	check_heard("2:free 1:free ", "freed-in-reverse");
	check(!machine_serve(m), "nobody-left");
	free(m);
	return check_done();
}

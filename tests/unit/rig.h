/* A whole machine for unit tests: built as cede's main() builds it, started by a kernel of seven
 * instructions that switches it off at once. What remains is a machine after power-on that may be
 * called into. */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/board/pseries.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "machine/run/options.h"
#include "machine/run/run.h"
#include "tests/power_off.h"

struct rig {
	struct config options;
	struct term *term;
	struct machine *m;
	char kernel[32];
};

/* Exits if there is no machine to be had: then no test means anything. `pool`: -pool, or NULL. */
__attribute__((unused))
static void rig_new_pool(struct rig *rig, const char *smp, const char *pool)
{
	char *argv[] = { "cede", "-m", "256M", "-smp", (char *)smp, "-nodefaults", "-serial", "null", "-seed", "1",
			 "-clock", "warp", "-M", "ic-mode=dual", "-rtc", "base=2026-01-31", "-kernel", rig->kernel, pool ? "-pool" : NULL,
			 (char *)pool, NULL };
	int argc = (int)(sizeof argv / sizeof argv[0]) - (pool ? 1 : 3);
	struct error err = { .msg = "" };
	uint8_t image[sizeof power_off];
	int status, fd;

	for (unsigned i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(power_off[i / 4] >> (24 - 8 * (i % 4)));
	strcpy(rig->kernel, "/tmp/cede-unit-XXXXXX");
	fd = mkstemp(rig->kernel);
	if (fd < 0 || write(fd, image, sizeof image) != sizeof image || close(fd) ||
	    options_parse(&rig->options, argc, argv, &err, &status) != OPTIONS_RUN ||
	    !(rig->term = term_new(&err)) || !(rig->m = machine_make(&rig->options, rig->term, &err)) ||
	    (status = machine_run(rig->m)) != 0) {
		printf("FAIL rig: %s\n", err.msg);
		exit(EXIT_FAILURE);
	}
	unlink(rig->kernel);
	rig->m->request = REQ_NONE;
}

__attribute__((unused))
static void rig_new(struct rig *rig, const char *smp)
{
	rig_new_pool(rig, smp, NULL);
}

__attribute__((unused))
static void rig_free(struct rig *rig)
{
	machine_free(rig->m);
	term_free(rig->term);
	options_free(&rig->options);
}

#endif

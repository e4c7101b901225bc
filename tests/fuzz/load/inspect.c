/* Gives an input to cede-snap: each command that reads, and the conversions. Its main() is called snap_main() here. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/load/load.h"

int snap_main(int argc, char **argv);

static unsigned long inputs, good;
static int results;

/* Standard output is what cede-snap would write to, standard error what it refuses with. */
static void tell(void)
{
	dprintf(results, "%lu inputs: %lu good\n", inputs, good);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	input_begin();
	results = dup(STDOUT_FILENO);
	stdout = fopen("/dev/null", "w");
	if (!stdout)
		die("/dev/null", "cannot be written");
	atexit(tell);
	return 0;
}

/* A program may write to its arguments. */
static int run(const char *command, const char *file, const char *a, const char *b)
{
	const char *const words[] = { "cede-snap", command, file, a, b };
	char arg[5][INPUT_PATH], *argv[6] = { NULL };
	int argc = 0, status;

	for (; argc < 5 && words[argc]; argc++) {
		snprintf(arg[argc], INPUT_PATH, "%s", words[argc]);
		argv[argc] = arg[argc];
	}
	status = snap_main(argc, argv);

	if (status != 0 && status != 1)
		die(command, "another status");
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const how[] = { "layout=stream", "layout=mapped", "target=qemu", "compress=zstd" };
	char path[INPUT_PATH], other[INPUT_PATH];

	if (size < 2 || size > LOAD_MAX)
		return 0;
	close(input_open(data, size));
	input_path(path, "input");
	input_path(other, "other");
	inputs++;
	if (run("verify", path, NULL, NULL))
		return 0;
	good++;
	run("info", path, NULL, NULL);
	run("show", path, "cpu:0", NULL);
	run("dtl", path, NULL, NULL);
	run("mem", path, "0x100000", "640");
	run("diff", path, input_path(other, "parent-0"), NULL);
	run("convert", path, input_path(other, "other"), how[LOAD_SAVE(data[0])]);
	return 0;
}

/* What the targets share that call a tool's main() with a line of options and a file: where it writes to, and an input's
 * two parts. Included by a target once. */
#ifndef TESTS_FUZZ_TOOL_H
#define TESTS_FUZZ_TOOL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_INPUT  (UINT32_C(1) << 16)
#define MAX_LINE   512u
#define MAX_OUTPUT (UINT64_C(64) << 20)	/* bytes; a picture of a log of MAX_INPUT takes a tenth of it */
#define COUNT(a)   (sizeof (a) / sizeof *(a))

extern int optind;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static unsigned long inputs, good;
static uint64_t written;
static int results;

static inline void die(const char *what, const char *why)
{
	dprintf(results, "%s: %s\n", what, why);
	abort();
}

/* ---- Where the tool writes to ---- */

static inline ssize_t count(void *opaque, const char *bytes, size_t n)
{
	(void)opaque;
	(void)bytes;
	written += n;
	if (written > MAX_OUTPUT)
		die("output", "without end");
	return (ssize_t)n;
}

static inline void tell(void)
{
	dprintf(results, "%lu inputs: %lu good\n", inputs, good);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	results = dup(STDOUT_FILENO);
	stdout = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = count });
	if (!stdout)
		die("output", "cannot be counted");
	atexit(tell);
	return 0;
}

static inline size_t lines_of(const char *text)
{
	size_t lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

/* Its status; *said is what it says on stderr, to be freed. */
static inline int call_tool(int (*tool)(int argc, char **argv), int argc, char **argv, char **said)
{
	size_t len = 0;
	int status;

	*said = NULL;
	stderr = open_memstream(said, &len);
	if (!stderr)
		die("errors", "out of memory");
	optind = 0;
	written = 0;
	status = tool(argc, argv);
	fflush(stdout);
	fclose(stderr);
	good += !status;
	return status;
}

/* ---- An input ---- */

/* Bytes of its first line; 0: there is none. */
static inline size_t head_of(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, '\n', size < MAX_LINE ? size : MAX_LINE - 1) : NULL;

	return end ? (size_t)(end - data) + 1 : 0;
}

static inline int file_of(const uint8_t *data, size_t size)
{
	int fd = memfd_create("input", 0);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
		die("file", "cannot be made");
	return fd;
}

#endif

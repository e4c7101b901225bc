/* Heads of the mapped layout and of children: an input is the numbers and the name of one, and its table; behind it is what
 * cede has saved. The first byte says whether the head's sum and size are put right. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "savevm/inspect.h"
#include "tests/fuzz/load/load.h"

#define NUMBERS 328			/* bytes of the head that mean something */
#define FIX_SUM  1
#define FIX_SIZE 2

static struct {
	uint8_t *file;			/* of each form the first: a mapped one, a child */
	size_t size;
	const char *folder;		/* -w */
	unsigned long inputs, good;
} t;

static void tell(void)
{
	printf("%lu inputs: %lu good\n", t.inputs, t.good);
}

static void put_be(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

/* An input from a file's head. */
static void write_seed(const char *name, const uint8_t *data)
{
	char path[512];
	uint8_t fix = FIX_SUM | FIX_SIZE;
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", t.folder, name);
	f = fopen(path, "we");
	if (!f || fwrite(&fix, 1, 1, f) != 1 || fwrite(data + 1, 1, NUMBERS, f) != NUMBERS || fwrite(data + 1 + LOAD_HEAD, 1, LOAD_TABLE, f) != LOAD_TABLE || fclose(f))
		die(path, "cannot be written");
}

/* Only what comes in parts, so that an input is small: the first of the others is "timer". */
static void keep_live(const uint8_t *data, size_t size)
{
	static const char timer[] = "\x05timer", end[] = "\0\x06\0\0\0\x1f{\"page_size\":4096,\"devices\":[]}";
	const uint8_t *first = memmem(data, size, timer, sizeof timer - 1);

	if (!first || !(t.file = malloc(size + sizeof end)))
		die("seeds", "no mapped one");
	t.size = (size_t)(first - data) - 5;
	memcpy(t.file, data, t.size);
	memcpy(t.file + t.size, end, sizeof end - 1);
	t.size += sizeof end - 1;
}

static void keep(void *opaque, const char *name, const uint8_t *data, size_t size)
{
	(void)opaque;
	if (t.folder && (!strncmp(name, "mapped", 6) || !strncmp(name, "child", 5)))
		write_seed(name, data);
	if (!strcmp(name, "mapped-0"))
		keep_live(data, size);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	t.folder = *argc == 3 && !strcmp((*argv)[1], "-w") ? (*argv)[2] : NULL;
	input_begin();
	seeds_give(keep, NULL);
	if (t.folder)
		exit(EXIT_SUCCESS);
	atexit(tell);
	return 0;
}

static void fix(uint8_t *head, size_t table, uint8_t how)
{
	uint32_t (*sums)[256] = crc32_new();

	if (how & FIX_SIZE)
		put_be(head + 16, LOAD_RAM_AT + LOAD_RAM + t.size - input_stream_at(FORM_MAPPED), 8);
	if (how & FIX_SUM && sums) {
		put_be(head + 12, 0, 4);
		put_be(head + 12, crc32_add(sums, 0, head, LOAD_HEAD + table), 4);
	}
	free(sums);
}

static uint64_t groups_of(const uint8_t *head)
{
	return (uint64_t)head[48] << 24 | (uint64_t)head[49] << 16 | (uint64_t)head[50] << 8 | head[51];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *file, *head;
	char path[INPUT_PATH];
	struct inspect in;
	struct error err = { .msg = "" };
	size_t n;

	t.inputs++;
	if (size < 2 || !t.file)
		return 0;
	file = malloc(t.size);
	if (!file)
		die("an input", "out of memory");
	memcpy(file, t.file, t.size);
	head = file + 1;
	n = size - 1 < NUMBERS ? size - 1 : NUMBERS;
	memcpy(head, data + 1, n);
	if (size - 1 > NUMBERS)
		memcpy(head + LOAD_HEAD, data + 1 + NUMBERS, size - 1 - NUMBERS < LOAD_TABLE ? size - 1 - NUMBERS : LOAD_TABLE);
	fix(head, groups_of(head) * 8 <= LOAD_TABLE ? (size_t)groups_of(head) * 8 : 0, data[0]);
	if (head[72] == '/')
		head[72] = 0;		/* in our own folder only */
	close(input_open(file, t.size));
	free(file);
	if (!inspect_open(&in, input_path(path, "input"), &err)) {
		if (!err.msg[0])
			die("refused", "without a word");
		return 0;
	}
	t.good++;
	inspect_memory_whole(&in, &err);
	for (uint64_t at = in.blocks ? inspect_next_page(&in, 0) : 0, i = 0; in.blocks && at < in.block[0].size && i < 2000; i++) {
		const uint8_t *page = inspect_page(&in, at);

		if (page && page[0] == 1 && page[INSPECT_PAGE - 1] == 2)
			i++;
		at = inspect_next_page(&in, at + INSPECT_PAGE);
	}
	inspect_close(&in);
	return 0;
}

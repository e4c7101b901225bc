/* Descriptions: the JSON text at a snapshot's end, which has no checksum. An input is one, behind a state of a few small
 * sections that cede has saved. What can be followed is, each section and each value. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "savevm/inspect.h"
#include "savevm/text.h"
#include "tests/fuzz/load/load.h"

#define SMALL 700			/* bytes of a section that is kept */

static struct {
	struct text state, json;	/* up to the tag that ends it, and what is to be said of it */
	unsigned long inputs, good;
} t;

static void tell(void)
{
	printf("%lu inputs: %lu good\n", t.inputs, t.good);
}

/* Head and small sections, and of the description what is about them. */
static void keep_small(const struct inspect *in)
{
	static const char end[] = "]}";
	bool first = true;

	text_bytes(&t.state, (const char *)in->data, 13 + strlen(in->machine));
	text_bytes(&t.json, "{\"page_size\":4096,\"devices\":[", 29);
	for (unsigned i = 0; i < in->sections; i++) {
		const struct inspect_section *s = &in->section[i];

		if (s->live || s->size > SMALL)
			continue;
		text_bytes(&t.state, (const char *)in->data + s->start, s->end + 5 - s->start);
		if (!first)
			text_bytes(&t.json, ",", 1);
		text_bytes(&t.json, in->json.text + in->json.node[s->json].at, in->json.node[s->json].len);
		first = false;
	}
	text_bytes(&t.state, "\0", 1);
	text_bytes(&t.json, end, 2);
}

static void keep(void *opaque, const char *name, const uint8_t *data, size_t size)
{
	char path[INPUT_PATH];
	struct inspect in;
	struct error err;

	(void)opaque;
	if (strcmp(name, "full-1"))
		return;
	close(input_open(data, size));
	if (!inspect_open(&in, input_path(path, "input"), &err))
		die("a seed", err.msg);
	keep_small(&in);
	inspect_close(&in);
}

static void write_seed(const char *folder)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/small", folder);
	f = fopen(path, "we");
	if (!f || fwrite(t.json.p, 1, t.json.len, f) != t.json.len || fclose(f))
		die(path, "cannot be written");
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	input_begin();
	seeds_give(keep, NULL);
	if (*argc == 3 && !strcmp((*argv)[1], "-w")) {
		write_seed((*argv)[2]);
		exit(EXIT_SUCCESS);
	}
	atexit(tell);
	return 0;
}

static bool see(void *opaque, const struct inspect_value *v)
{
	(void)v;
	++*(uint64_t *)opaque;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text file = { .p = NULL };
	char path[INPUT_PATH], len[5] = { 6 };
	uint64_t values = 0, number;
	struct inspect in;
	struct error err = { .msg = "" };
	int fd;

	t.inputs++;
	for (unsigned i = 0; i < 4; i++)
		len[1 + i] = (char)(size >> 8 * (3 - i));
	text_bytes(&file, t.state.p, t.state.len);
	text_bytes(&file, len, sizeof len);
	text_bytes(&file, (const char *)data, size);
	if (file.failed)
		die("an input", "out of memory");
	fd = open(input_path(path, "input"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, file.p, file.len) != (ssize_t)file.len)
		die("an input", "cannot be written");
	close(fd);
	free(file.p);
	if (!inspect_open(&in, path, &err)) {
		if (!err.msg[0])
			die("refused", "without a word");
		return 0;
	}
	t.good++;
	for (unsigned i = 0; i < in.sections; i++)
		if (!in.section[i].live)
			inspect_walk(&in, &in.section[i], see, &values, &err);
	inspect_number(&in, "cede/clock", 0, "clock.now", &number, NULL);
	inspect_close(&in);
	return 0;
}

/* Gives cede-dtl a log and options. Its main() is called dtl_main() here.
 *
 * An input is a line of words, and the bytes of a log or of a guest's memory. A word is a long option; "@N" makes two
 * logs of the bytes, for --diff; "pipe" lets them come through standard input. Records are mutated as records,
 * and their cycles made to rise again, or hardly a second one would ever be looked at. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "machine/vp/dtl_format.h"
#include "tests/fuzz/rng.h"
#include "tests/fuzz/tool.h"

#define MAX_WORDS 24u

int dtl_main(int argc, char **argv);

/* A pipe takes it as a whole. */
static FILE *pipe_of(const uint8_t *data, size_t size)
{
	int ends[2];

	if (pipe2(ends, 0) || fcntl(ends[1], F_SETPIPE_SZ, MAX_INPUT) < 0 || write(ends[1], data, size) != (ssize_t)size)
		die("pipe", "cannot be filled");
	close(ends[1]);
	return fdopen(ends[0], "r");
}

struct call {
	char line[MAX_LINE], name[2][32], memory[48];
	char *argv[MAX_WORDS + 4];
	int argc;
	unsigned long split;		/* where the second log begins; 0: it is the first */
	bool diff, image, pipe;
};

/* No word is a file of the host's. */
static void take_word(struct call *c, char *word)
{
	if (*word == '@')
		c->split = strtoul(word + 1, NULL, 10);
	else if (!strcmp(word, "pipe"))
		c->pipe = true;
	else if (!strncmp(word, "--m", 3))
		c->image = true;
	else if (!strncmp(word, "--", 2) && word[2])
		c->argv[c->argc++] = word;
	c->diff |= !strcmp(word, "--diff");
}

static void take_line(struct call *c, const uint8_t *data, size_t len)
{
	char *save = NULL;

	memcpy(c->line, data, len);
	c->argv[c->argc++] = "cede-dtl";
	for (char *w = strtok_r(c->line, " ", &save); w && c->argc < (int)MAX_WORDS; w = strtok_r(NULL, " ", &save))
		take_word(c, w);
}

static void take_files(struct call *c, const int fd[2])
{
	for (unsigned i = 0; i < 2; i++)
		snprintf(c->name[i], sizeof c->name[i], c->pipe && i == 0 ? "-" : "/proc/self/fd/%d", fd[i]);
	if (c->image) {
		snprintf(c->memory, sizeof c->memory, "--memory=/proc/self/fd/%d", fd[0]);
		c->argv[c->argc++] = c->memory;
		return;
	}
	c->argv[c->argc++] = c->name[0];
	if (c->diff)
		c->argv[c->argc++] = c->name[1];
}

/* A refusal is a line, and what is not refused has none, but for a log that was cut off. */
static void check_said(const char *text, int status, bool diff)
{
	size_t lines = lines_of(text);

	if (status < 0 || status > 2)
		die("status", text);
	if (status == 2 || (status == 1 && !diff) ? lines != 1 || strncmp(text, "cede-dtl: ", 10) : lines > 2)
		die("said", text);
}

static void run(struct call *c)
{
	char *said;
	int status = call_tool(dtl_main, c->argc, c->argv, &said);

	check_said(said, status, c->diff);
	free(said);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t head = head_of(data, size);
	struct call c = { 0 };
	FILE *terminal = stdin;
	int fd[2];

	inputs++;
	if (!head || size > MAX_INPUT)
		return 0;
	take_line(&c, data, head - 1);
	data += head;
	size -= head;
	if (c.split > size)
		c.split = size;
	fd[0] = file_of(data, c.split ? c.split : size);
	fd[1] = file_of(data + c.split, size - c.split);
	take_files(&c, fd);
	if (c.pipe)
		stdin = pipe_of(data, c.split ? c.split : size);
	run(&c);
	if (c.pipe)
		fclose(stdin);
	stdin = terminal;
	close(fd[0]);
	close(fd[1]);
	return 0;
}

/* ---- Mutation ---- */

static uint64_t number(struct rng *r)
{
	static const uint64_t odd[] = { 0, 1, 2, 7, 63, 64, 255, 256, 511, 512, 0xffff, UINT32_MAX, UINT64_C(1) << 40, UINT64_C(1) << 48,
					INT64_MAX, UINT64_MAX };

	return rng_one_in(r, 3) ? rng_below(r, 10) : rng_one_in(r, 2) ? odd[rng_below(r, COUNT(odd))] : rng_u64(r) >> rng_below(r, 64);
}

/* What is written with a number, or without. */
static const char *const words[] = {
	"--transitions", "--summary", "--histogram", "--json", "--svg", "--csv", "--diff", "--diff", "--memory", "pipe", "@%llu", "--title=<&\"'\\%llu",
	"--cpu=%llu", "--cpu=0-%llu", "--cpu=0,%llu", "--load", "--load=only", "--reason=cede", "--reason=slice,prod", "--reason=none",
	"--from=%llu", "--from=%lluus", "--from=%llutb", "--to=%llums", "--to=%lluc", "--to=%lluns", "--longer-than=%lluus", "--to=0.%llu",
	"--addr=%llu", "--size=%llu", "--index=%llu", "--threads=%llu", "--version", "--help",
};

#pragma clang diagnostic ignored "-Wformat-nonliteral"
static size_t make_line(char *line, struct rng *r)
{
	size_t len = 0;

	for (uint32_t n = rng_below(r, 4); n; n--) {
		len += (size_t)snprintf(line + len, MAX_LINE - len, words[rng_below(r, COUNT(words))], (unsigned long long)number(r));
		line[len++] = ' ';
	}
	line[len++] = '\n';
	return len;
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = bytes; i--; value >>= 8)
		at[i] = (uint8_t)value;
}

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static const struct { uint8_t at, bytes; } header[] = {
	{ 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 24, 4 }, { 28, 4 }, { 32, 4 }, { 36, 4 }, { 40, 8 }, { 48, 8 }, { 56, 8 }, { 64, 8 },
	{ 72, 4 }, { 76, 4 }, { 80, 1 }, { 81, 1 }, { 82, 1 }, { 83, 1 }, { 84, 8 }, { 92, 1 },
}, record[] = { { 0, 8 }, { 8, 2 }, { 10, 1 }, { 11, 1 }, { 12, 1 }, { 13, 1 }, { 14, 2 }, { 16, 8 }, { 24, 8 } };

static size_t change_records(uint8_t *log, size_t size, size_t max, struct rng *r)
{
	size_t n = (size - DTL_FILE_HEADER) / DTL_FILE_RECORD, i = rng_below(r, (uint32_t)n), j = rng_below(r, (uint32_t)n), f;
	uint8_t *a = log + DTL_FILE_HEADER + i * DTL_FILE_RECORD, *b = log + DTL_FILE_HEADER + j * DTL_FILE_RECORD, kept[DTL_FILE_RECORD];

	switch (rng_below(r, 5)) {
	case 0:		/* exchanged */
		memcpy(kept, a, sizeof kept);
		memmove(a, b, sizeof kept);
		memcpy(b, kept, sizeof kept);
		return size;
	case 1:		/* left out */
		memmove(a, a + DTL_FILE_RECORD, size - DTL_FILE_HEADER - (i + 1) * DTL_FILE_RECORD);
		return size - DTL_FILE_RECORD;
	case 2:		/* twice */
		if (size + DTL_FILE_RECORD > max)
			return size;
		memmove(a + DTL_FILE_RECORD, a, size - DTL_FILE_HEADER - i * DTL_FILE_RECORD);
		return size + DTL_FILE_RECORD;
	default:
		f = rng_below(r, COUNT(record));
		put(a + record[f].at, f || rng_one_in(r, 4) ? number(r) : get(a, 8) + rng_below(r, 1000000), record[f].bytes);
		return size;
	}
}

static void make_cycles_rise(uint8_t *log, size_t size)
{
	uint64_t last = get(log + 84, 8);

	for (size_t at = DTL_FILE_HEADER; at + DTL_FILE_RECORD <= size; at += DTL_FILE_RECORD) {
		if (get(log + at, 8) < last)
			put(log + at, last, 8);
		last = get(log + at, 8);
	}
}

static size_t mutate_log(uint8_t *log, size_t size, size_t max, struct rng *r)
{
	size_t f = rng_below(r, COUNT(header));

	if (size < DTL_FILE_HEADER + DTL_FILE_RECORD || rng_one_in(r, 16))
		return LLVMFuzzerMutate(log, size, max);
	if (rng_one_in(r, 4))
		put(log + header[f].at, number(r), header[f].bytes);
	else
		size = change_records(log, size, max, r);
	if (!rng_one_in(r, 8))
		make_cycles_rise(log, size);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng r = { seed };
	size_t head = head_of(data, size), len;
	char line[2 * MAX_LINE];

	if (!head || rng_one_in(&r, 32))
		return LLVMFuzzerMutate(data, size, max);
	if (rng_one_in(&r, 2))
		return head + mutate_log(data + head, size - head, max - head, &r);
	len = make_line(line, &r);
	if (size - head + len > max)
		return size;
	memmove(data + len, data + head, size - head);
	memcpy(data, line, len);
	return size - head + len;
}

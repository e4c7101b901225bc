/* Gives cede-prof a profile, symbols and options. Its main() is called prof_main() here.
 *
 * An input is a line of words, and the bytes of a profile. A word is a long option; behind the first N bytes "@N" lets a
 * second profile begin, for --compare, or with the words "symbols" and "moved" a file with symbols; "pipe" lets the
 * profile come through standard input. After most mutations its sums are made to fit again, or hardly anything but the
 * check of sums would ever be looked at. */
#define _GNU_SOURCE
#include "cpu/spent/prof_format.h"
#include "savevm/be.h"
#include "tests/fuzz/rng.h"
#include "tests/fuzz/tool.h"

#define MAX_WORDS 16u

int prof_main(int argc, char **argv);

struct call {
	char line[MAX_LINE], name[2][32], extra[64];
	char *argv[MAX_WORDS + 4];
	int argc;
	unsigned long split;
	bool compare, symbols, moved, pipe;
};

/* No word is a file of the host's, and none is written to. */
static void take_word(struct call *c, char *word)
{
	if (*word == '@')
		c->split = strtoul(word + 1, NULL, 10);
	else if (!strcmp(word, "pipe"))
		c->pipe = true;
	else if (!strcmp(word, "symbols") || !strcmp(word, "moved"))
		c->symbols = true, c->moved = *word == 'm';
	else if (!strncmp(word, "--co", 4))
		c->compare = true;
	else if (!strncmp(word, "--a", 3) || !strncmp(word, "--t", 3) || !strncmp(word, "--so", 4) || !strncmp(word, "--j", 3) ||
		 !strncmp(word, "--p", 3) || !strncmp(word, "--w", 3) || !strncmp(word, "--r", 3) ||
		 !strcmp(word, "--svg=-") || !strcmp(word, "--folded=-") || !strcmp(word, "--callgrind=-"))
		c->argv[c->argc++] = word;
}

static void take_line(struct call *c, const uint8_t *data, size_t len)
{
	char *save = NULL;

	memcpy(c->line, data, len);
	c->argv[c->argc++] = "cede-prof";
	for (char *w = strtok_r(c->line, " ", &save); w && c->argc < (int)MAX_WORDS; w = strtok_r(NULL, " ", &save))
		take_word(c, w);
}

static void take_files(struct call *c, const int fd[2])
{
	for (unsigned i = 0; i < 2; i++)
		snprintf(c->name[i], sizeof c->name[i], "/proc/self/fd/%d", fd[i]);
	if (c->symbols)
		snprintf(c->extra, sizeof c->extra, "--symbols=%s%s", c->name[1], c->moved ? "@0x10000000" : "");
	else if (c->compare)
		snprintf(c->extra, sizeof c->extra, "--compare=%s", c->split ? c->name[1] : c->name[0]);
	if (*c->extra)
		c->argv[c->argc++] = c->extra;
	c->argv[c->argc++] = c->pipe ? "-" : c->name[0];
}

/* A refusal is a line, and what is not refused has none. */
static void check_said(const char *text, int status)
{
	size_t lines = lines_of(text);

	if (status < 0 || status > 2 || lines != (status != 0) || (status && strncmp(text, "cede-prof: ", 11)))
		die("said", text);
}

static void run(struct call *c)
{
	char *said;
	int status = call_tool(prof_main, c->argc, c->argv, &said);

	/* getopt's own words for an option that it does not know */
	if (status != 2 || strncmp(said, "cede-prof: option", 17))
		check_said(said, status);
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
		stdin = fdopen(dup(fd[0]), "r");
	run(&c);
	if (c.pipe)
		fclose(stdin);
	stdin = terminal;
	close(fd[0]);
	close(fd[1]);
	return 0;
}

/* ---- Mutation ---- */

/* Visits and instructions of blocks from their counts; the first processor's and the root's numbers from what is left. */
static void make_sums_fit(uint8_t *p, size_t size)
{
	uint64_t ncpus, reasons, events, nblocks, ncalls, at, cpu, units, insns;

	if (size < PROF_HEADER)
		return;
	ncpus = be_get(p + 16, 4), reasons = be_get(p + 20, 4), events = be_get(p + 128, 4), nblocks = be_get(p + 64, 4), ncalls = be_get(p + 68, 4);
	units = be_get(p + 80, 8), insns = be_get(p + 88, 8);
	cpu = PROF_HEADER + (reasons + events) * PROF_NAME;
	at = cpu + PROF_CPU + 8 * events;
	if (ncpus != 1 || reasons > PROF_MAX_REASONS || events > PROF_MAX_EVENTS || at > size)
		return;
	for (uint64_t i = 0; i < nblocks && at + PROF_BLOCK <= size; i++) {
		uint64_t n = be_get(p + at + 48, 2), visits = 0, done = 0, ends = at + PROF_BLOCK + 8 * reasons + 4 * n;

		if (n > PROF_MAX_INSNS || ends + 8 * (n + 1) > size)
			return;
		for (uint64_t k = 0; k <= n; k++) {
			visits += be_get(p + ends + 8 * k, 8);
			done += k * be_get(p + ends + 8 * k, 8);
		}
		be_put(p + at + 24, visits, 8);
		be_put(p + at + 40, done, 8);
		units += be_get(p + at + 32, 8);
		insns += done;
		at = ends + 8 * (n + 1);
	}
	be_put(p + cpu, units, 8);
	be_put(p + cpu + 8, insns, 8);
	if (ncalls < 1 || ncalls > size || at + ncalls * PROF_CALL > size)
		return;
	for (uint64_t i = 1; i < ncalls; i++) {
		units -= be_get(p + at + i * PROF_CALL + 40, 8);
		insns -= be_get(p + at + i * PROF_CALL + 48, 8);
	}
	be_put(p + at + 40, units, 8);
	be_put(p + at + 48, insns, 8);
}

static const char *const words[] = {
	"--top=0", "--top=3", "--sort=all", "--sort=name", "--sort=calls", "--sort=instructions", "--annotate=first", "--annotate=alpha", "--callgrind=-",
	"--folded=-", "--svg=-", "--json", "--totals", "--pipeline=first", "--pipeline=first+4", "--pipeline=10000100", "--words=7c642a14,4bfffffc", "--rounds=3", "--timing=power10",
	"--compare", "pipe", "--title=<&\"'", "symbols", "moved", "@%u", "--top=x",
};

#pragma clang diagnostic ignored "-Wformat-nonliteral"
static size_t make_line(char *line, uint32_t size, struct rng *r)
{
	size_t len = 0;

	for (uint32_t n = rng_below(r, 4); n; n--) {
		len += (size_t)snprintf(line + len, MAX_LINE - len, words[rng_below(r, COUNT(words))], rng_below(r, size + 1));
		line[len++] = ' ';
	}
	line[len++] = '\n';
	return len;
}

static uint64_t number(struct rng *r)
{
	static const uint64_t odd[] = { 0, 1, 2, 3, 7, 64, 65, 255, 1 << 20, UINT32_MAX, INT64_MAX, UINT64_MAX };

	return rng_one_in(r, 3) ? rng_below(r, 10) : rng_one_in(r, 2) ? odd[rng_below(r, COUNT(odd))] : rng_u64(r) >> rng_below(r, 64);
}

static size_t mutate_profile(uint8_t *p, size_t size, size_t max, struct rng *r)
{
	static const struct { uint8_t at, bytes; } header[] = {
		{ 8, 4 }, { 12, 4 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 8 }, { 40, 8 }, { 48, 1 }, { 64, 4 }, { 68, 4 }, { 72, 4 }, { 76, 4 }, { 80, 8 },
		{ 88, 8 }, { 96, 8 }, { 104, 8 }, { 112, 8 }, { 120, 4 }, { 124, 4 }, { 128, 4 }, { 132, 4 },
	};
	size_t f = rng_below(r, COUNT(header));

	if (size < PROF_HEADER + 8 || rng_one_in(r, 16))
		return LLVMFuzzerMutate(p, size, max);
	if (rng_one_in(r, 5))
		be_put(p + header[f].at, number(r), header[f].bytes);
	else
		be_put(p + PROF_HEADER + rng_below(r, (uint32_t)(size - PROF_HEADER - 7)), number(r), 1 + rng_below(r, 8));
	if (!rng_one_in(r, 8))
		make_sums_fit(p, size);
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
		return head + mutate_profile(data + head, size - head, max - head, &r);
	len = make_line(line, (uint32_t)size, &r);
	if (size - head + len > max)
		return size;
	memmove(data + len, data + head, size - head);
	memcpy(data, line, len);
	return size - head + len;
}

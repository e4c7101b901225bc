/* Gives the parser of the command line its words: an input has one a line.
 *
 * What is refused has a line that says why and a status, what is accepted keeps what machine/run/options.h promises, and nobody
 * writes to the words. Names and examples for mutation are those of options.def. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/core/machine.h"
#include "machine/run/options.h"
#include "tests/fuzz/rng.h"

#define MAX_WORDS 600u			/* more than CONFIG_MAX_SAVES of -save */
#define MAX_INPUT 16384u
#define COUNT(a)  (sizeof (a) / sizeof *(a))

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

static unsigned long inputs, good;
static int results;

static void check(bool right, const char *what, const char *text)
{
	if (right)
		return;
	dprintf(results, "%s: '%s'\n", what, text);
	abort();
}

static void tell(void)
{
	dprintf(results, "%lu inputs: %lu good\n", inputs, good);
}

/* Standard output is what -help and its like print. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	results = dup(STDOUT_FILENO);
	stdout = fopen("/dev/null", "w");
	check(stdout, "/dev/null", "cannot be written");
	atexit(tell);
	return 0;
}

/* ---- An input ---- */

static void check_refusal(const struct error *err, int status)
{
	check(err->msg[0] && !strchr(err->msg, '\n'), "refused without a line", err->msg);
	check(status == 1 || status == 2, "refused without a status", err->msg);
}

static void check_pool(const struct config *o)
{
	const struct pool_config *p = &o->pool;

	check(p->procs <= POOL_MAX_PROCS && p->chips <= POOL_MAX_PROCS && p->weight < 256 && p->load_weight < 256, "pool", "numbers");
	check(p->entitlement <= POOL_MAX_PROCS * POOL_UNIT && p->load <= POOL_MAX_PROCS * POOL_UNIT, "pool", "hundredths");
	check(p->window_ns >= 1000000 && p->window_ns <= 1000000000, "pool", "window");
	check(!p->procs || (p->chips <= p->procs && p->entitlement + p->load_entitlement <= p->procs * POOL_UNIT), "pool", "more than there is");
}

static void check_options(const struct config *o)
{
	check(o->machine && o->timing[0] && (o->kernel || o->bios || o->loadvm || o->incoming || o->drives), "options", "nothing to run");
	check(o->cpus && o->cpus <= o->max_cpus && o->max_cpus <= MACHINE_MAX_CPUS && o->cpus % o->threads == 0, "options", "-smp");
	check(o->threads <= 8 && !(o->threads & (o->threads - 1)) && o->vsmt == o->threads, "options", "threads");
	check(o->ram_size >= CONFIG_MIN_RAM && o->ram_size <= CONFIG_MAX_RAM && o->ram_size % CONFIG_RAM_STEP == 0, "options", "-m");
	check(o->serials <= CONFIG_MAX_SERIAL && o->saves <= CONFIG_MAX_SAVES, "options", "too many");
	check(o->chardevs <= CONFIG_MAX_CHARDEVS && o->monitors <= CONFIG_MAX_MONITORS, "options", "too many streams");
	for (unsigned i = 0; i < o->monitors; i++)
		check(o->monitor[i].chardev, "options", "a monitor on nothing");
	check(o->rtc_base != RTC_DATE || (o->rtc_date >= 0 && o->rtc_date < INT64_C(9000000000)), "options", "-rtc");
	for (unsigned i = 0; i < o->saves; i++)
		check(o->save[i].path && *o->save[i].path, "options", "-save");
	check_pool(o);
}

static void run(int argc, char **argv)
{
	static struct config o;	/* 30 KiB */
	struct error err = { .msg = "" };
	int status = -1;

	switch (options_parse(&o, argc, argv, &err, &status)) {
	case OPTIONS_BAD: check_refusal(&err, status); break;
	case OPTIONS_RUN: check_options(&o); good++; break;
	case OPTIONS_DONE: break;
	}
	options_free(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[MAX_WORDS + 2] = { "cede" }, *words = malloc(2 * size + 2), *copy = words + size + 1;
	int argc = 1;

	inputs++;
	if (size > MAX_INPUT) {
		free(words);
		return 0;
	}
	memcpy(words, data, size);
	words[size] = 0;
	for (char *w = words; w < words + size && argc <= (int)MAX_WORDS; w += strlen(w) + 1) {
		w[strcspn(w, "\n")] = 0;
		argv[argc++] = w;
	}
	memcpy(copy, words, size + 1);
	run(argc, argv);
	check(!memcmp(copy, words, size + 1), "words", "were written to");
	free(words);
	return 0;
}

/* ---- Mutation ---- */

static const char *const rows[][2] = {
#define OPT(name, group, argument, parser, help) { name, argument },
#define OPT_LATER(name, group, argument, help) { name, argument },
#define OPT_NEVER(name, why) { name, "" },
#include "machine/run/options.def"
#undef OPT
#undef OPT_LATER
#undef OPT_NEVER
};

static const char *const values[] = {
	"help", "0", "1", "64", "65", "8", "power9", "wall", "warp", "none", "null", "stdio", "mon:stdio", "unix:P,server=on,wait=off", "file:F", "pty",
	"tcp::1,server,nowait", "mon:telnet:[::1]:1", "udp:h:1@:2", "pipe:P", "chardev:c",
	"socket,id=c,port=1,to=9,server=on",
	"ringbuf,id=c,size=4K", "null,id=c,mux=on,logfile=L,logappend=on", "c,mode=control,pretty=on", "timestamp=on,guest-name=on",
	"2,threads=2", "cpus=4,cores=2,sockets=2", "4,maxcpus=8", "1G", "size=512M", "18446744073709551615", "99999999999999999999", "-1", "0x10",
	"pseries,cap-cfpc=fixed", "pseries-7.2,vsmt=8", "pseries,max-cpu-compat=power9", "base=utc", "base=2026-02-30", "base=2255-01-01T00:00:00",
	"base=localtime,clock=vm", "procs=2", "procs=2,entitlement=0.5,mode=capped,weight=255", "procs=64,chips=64,load=bursty:1.5:7", "procs=1,window=1s,confer=off",
	"procs=4,load=3.99,load-entitlement=1.25,load-weight=0", "hcall=H_CEDE,!H_PROD", "hcall-summary=!hcall-*,H_RTAS", "dispatch,hcall=*?*?*", "int,hcall,unimp",
	"F@10,layout=mapped,quit=on", "F@guest,compress=zstd,parent=P", "F,target=qemu,background=on", "exec:cat f", "tcp::1", "tcp:[::1]:4444",
	"if=pflash,file=F,format=raw", "01234567-89ab-cdef-0123-456789abcdef", "guest=NAME,process=P", "accel=tcg", "tcg",
};

/* By option: what its value is put together from, a number for each %u. */
static const struct { const char *option, *first, *parts[10]; } made_of[] = {
	{ "pool", "procs=%u", { "procs=%u", "entitlement=%u", "mode=capped", "weight=%u", "window=%ums", "load=%u", "load=bursty:%u:1", "load-entitlement=%u",
				"chips=%u", "entitlement=0.%u" } },
	{ "smp", "%u", { "cpus=%u", "threads=%u", "cores=%u", "sockets=%u", "maxcpus=%u" } },
	{ "M", "pseries", { "vsmt=%u", "cap-large-decr=on", "cap-ibs=fixed", "max-cpu-compat=power9", "x-vof=on" } },
	{ "save", "F@%u", { "layout=mapped", "compress=zstd", "parent=P", "background=on", "target=qemu", "quit=on", "layout=stream" } },
	{ "rtc", "base=20%u-01-31", { "clock=vm", "base=1970-01-%u", "base=2%u-12-31T23:59:59" } },
	{ "drive", "file=F%u", { "format=raw", "if=none", "if=virtio", "index=%u", "bus=%u", "unit=%u", "id=d%u", "media=cdrom", "if=pflash", "readonly=on" } },
	{ "blockdev", "driver=raw,node-name=n%u", { "file=n%u", "file.filename=F,,%u", "filename=F", "driver=nbd", "server.path=P%u", "driver=file",
						    "cache.direct=on", "locking=off", "discard=unmap", "detect-zeroes=on" } },
	{ "blockdev", "{\"driver\": \"raw\", \"node-name\": \"n%u\"", { "\"file\": {\"filename\": \"F\"}", "\"read-only\": true", "\"file\": \"n%u\"", "\"x\": [%u]}", "}" } },
	{ "m", "%uG", { "size=%u", "size=%uM" } },
};

#pragma clang diagnostic ignored "-Wformat-nonliteral"
static size_t make_value(char *to, size_t room, struct rng *r)
{
	uint32_t i = rng_below(r, COUNT(made_of)), parts = 0;
	size_t len = (size_t)snprintf(to, room, "-%s\n", made_of[i].option);

	while (parts < COUNT(made_of[i].parts) && made_of[i].parts[parts])
		parts++;
	len += (size_t)snprintf(to + len, room - len, made_of[i].first, rng_below(r, 70));
	for (uint32_t n = rng_below(r, 5); n; n--) {
		to[len++] = ',';
		len += (size_t)snprintf(to + len, room - len, made_of[i].parts[rng_below(r, parts)], rng_below(r, rng_one_in(r, 4) ? 300 : 5));
	}
	to[len++] = '\n';
	return len;
}

static size_t copy_of(char *to, const char *text)
{
	size_t len = strlen(text);

	memcpy(to, text, len);
	to[len] = '\n';
	return len + 1;
}

/* An option of the table, with one of the values or a piece of its own help. */
static size_t make_option(char *to, struct rng *r)
{
	uint32_t row = rng_below(r, COUNT(rows));
	size_t len = 1;

	*to = '-';
	len += copy_of(to + 1, rows[row][0]);
	if (*rows[row][1] && !rng_one_in(r, 16))
		len += copy_of(to + len, rng_one_in(r, 3) ? rows[row][1] : values[rng_below(r, COUNT(values))]);
	return len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng r = { seed };
	char made[1024];
	size_t len, at = 0;

	if (rng_one_in(&r, 2))
		return LLVMFuzzerMutate(data, size, max);
	len = rng_one_in(&r, 2) ? make_option(made, &r) : make_value(made, sizeof made, &r);
	if (size + len > max)
		return size;
	/* In front of a word that begins with -, if there is one where chance leads. */
	for (size_t i = rng_below(&r, (uint32_t)size + 1); i < size && !at; i++)
		at = i && data[i] == '-' && data[i - 1] == '\n' ? i : 0;
	memmove(data + at + len, data + at, size - at);
	memcpy(data + at, made, len);
	return size + len;
}

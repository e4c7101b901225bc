/* The same target without libFuzzer: writes the seeds, tries inputs, or makes as many mutants as one wants, each of a seed.
 *
 * usage: load_many -w FOLDER | load_many [-n MUTANTS] [-k FILE] [SEED] | load_many -f MUTANTS [-k FILE] [SEED] | load_many -i INPUT...
 *   -f changes one field in each, as evenly as the number allows: fields.c
 *   -k writes each mutant to FILE before it is tried: the one that ends it is there then. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "machine/run/options.h"
#include "tests/fuzz/load/load.h"
#include "tests/fuzz/rng.h"

#define MAX_SEEDS 64
#define LIMIT     20			/* seconds of the processor for an input: a signal ends what hangs */

struct seed {
	uint8_t *data;
	size_t size;
};

static struct {
	struct seed seed[MAX_SEEDS];
	unsigned seeds;
	const char *to, *keep;		/* -w, -k */
	struct rng rng;
} t;

/* What libFuzzer has a better one of. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)max;
	if (size)
		data[rng_below(&t.rng, (uint32_t)size)] = (uint8_t)rng_u64(&t.rng);
	return size;
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd))
		die(path, "cannot be written");
}

static void keep(void *opaque, const char *name, const uint8_t *data, size_t size)
{
	struct seed *seed = &t.seed[t.seeds];
	char path[512];

	(void)opaque;
	snprintf(path, sizeof path, "%s/%s", t.to ? t.to : ".", name);
	if (t.to)
		write_file(path, data, size);
	if (t.seeds == MAX_SEEDS || !(seed->data = malloc(size)))
		die("seeds", "too many");
	memcpy(seed->data, data, size);
	seed->size = size;
	t.seeds++;
}

static void try_file(const char *path)
{
	uint8_t *data = malloc(LOAD_MAX + 1);
	int fd = open(path, O_RDONLY);
	ssize_t n = data && fd >= 0 ? read(fd, data, LOAD_MAX + 1) : -1;

	if (n < 0)
		die(path, "cannot be read");
	LLVMFuzzerTestOneInput(data, (size_t)n);
	close(fd);
	free(data);
}

/* Each of a size of its own, so that a sanitizer sees its end. */
static void try_mutant(const struct seed *seed)
{
	uint8_t *room = malloc(LOAD_MAX), *data;
	size_t size = seed->size;

	memcpy(room, seed->data, size);
	size = mutate(room, size, LOAD_MAX, &t.rng);
	data = malloc(size);
	memcpy(data, room, size);
	free(room);
	if (t.keep)
		write_file(t.keep, data, size);
	setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = LIMIT }, NULL);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

/* ---- One field in each ---- */

static bool has_fields(const struct seed *seed)
{
	const uint8_t *at = memmem(seed->data, seed->size, "\"page_size\"", 11);

	return LOAD_FORM(seed->data[0]) == FORM_STREAM && at;
}

static void try_field(const struct seed *seed, struct fields *f, size_t which)
{
	uint8_t *room = malloc(LOAD_MAX), *data;
	size_t size = seed->size;

	memcpy(room, seed->data, size);
	fields_change(f, which, room, size);
	mutate_fix(room, &size, LOAD_MAX);
	data = malloc(size);
	memcpy(data, room, size);
	free(room);
	if (t.keep)
		write_file(t.keep, data, size);
	setitimer(ITIMER_PROF, &(struct itimerval){ .it_value.tv_sec = LIMIT }, NULL);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

/* Every so many-th of all changes, from one on that the seed of the random numbers gives. */
static void try_fields(unsigned long mutants)
{
	struct fields *f[MAX_SEEDS] = { NULL };
	size_t all = 0, step, next;

	for (unsigned i = 0; i < t.seeds; i++) {
		struct config o;

		if (!has_fields(&t.seed[i]))
			continue;
		machine_options(&o, LOAD_CONFIG(t.seed[i].data[0]), NULL);
		f[i] = fields_find(t.seed[i].data, t.seed[i].size, &o);
		options_free(&o);
		all += fields_changes(f[i]);
	}
	step = mutants && mutants < all ? all / mutants : 1;
	next = rng_below(&t.rng, (uint32_t)step);
	for (unsigned i = 0; i < t.seeds; i++) {
		size_t n = f[i] ? fields_changes(f[i]) : 0;

		for (; next < n; next += step)
			try_field(&t.seed[i], f[i], next);
		next -= n;
		fields_free(f[i]);
	}
	printf("ok %zu changes of fields, every %zu\n", all, step);
}

int main(int argc, char **argv)
{
	unsigned long mutants = 1000;
	bool fields = false;
	bool inputs = false;
	int opt;

	while ((opt = getopt(argc, argv, "n:f:w:k:i")) != -1) {
		switch (opt) {
		case 'n': mutants = strtoul(optarg, NULL, 0); break;
		case 'f': mutants = strtoul(optarg, NULL, 0), fields = true; break;
		case 'w': t.to = optarg; break;
		case 'k': t.keep = optarg; break;
		case 'i': inputs = true; break;
		default:
			fprintf(stderr, "usage: load_many -w FOLDER | load_many [-n MUTANTS] [-k FILE] [SEED] | load_many -i INPUT...\n");
			return 2;
		}
	}
	if (!inputs)
		seeds_give(keep, NULL);
	if (t.to)
		return 0;
	if (!getenv("LOUD"))
		stderr = fopen("/dev/null", "w");	/* what guests and refusals say; sanitizers do not use it */
	if (!stderr)
		return 1;
	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = optind; inputs && i < argc; i++)
		try_file(argv[i]);
	t.rng.state = !inputs && optind < argc ? strtoull(argv[optind], NULL, 0) : 1;
	for (unsigned i = 0; i < t.seeds; i++)
		LLVMFuzzerTestOneInput(t.seed[i].data, t.seed[i].size);
	if (!inputs && load_counts.saved != t.seeds)
		die("seeds", "one is refused, or does not run");
	if (fields)
		try_fields(mutants);
	for (unsigned long n = 0; !inputs && !fields && n < mutants; n++)
		try_mutant(&t.seed[rng_below(&t.rng, t.seeds)]);
	if (!inputs && mutants > 100 && (load_counts.loaded < load_counts.inputs / 20 || load_counts.loaded > load_counts.inputs / 20 * 19))
		die("mutants", "too few are refused, or too few loaded");
	printf("ok %lu inputs\n", load_counts.inputs);
	return 0;
}

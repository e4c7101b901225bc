/* The guest is hostile: random guests against the whole machine, under its own run loop.
 *
 * Each seed makes one guest (attack.c) and runs it several times for the same number of
 * cycles: as it is; again, one seed in two with all that -d can show; cut into random slices;
 * and, where nothing is translated, with the block cache emptied now and then. All must end at
 * that cycle with the same state hash. Guest memory lies between inaccessible pages; a child
 * process runs each seed, so that a crash, a sanitizer's report or a hang is that seed's
 * failure and no more.
 *
 * usage: guest_fuzz [-n SEEDS] [-t SECONDS] [-c CYCLES] [-k KIND] [-l FILE] [-p] [FIRST_SEED]
 *   -l logs the interrupts of the last runs to FILE.plain, FILE.sliced, ...
 *   -p prints a hash for each seed, to be compared with another build's. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <elf.h>

#include "cpu/engine/block.h"
#include "cpu/model/models.h"
#include "firmware/firmware.h"
#include "machine/board/pseries.h"
#include "machine/core/memory.h"
#include "machine/host/term.h"
#include "machine/run/run.h"
#include "machine/core/config.h"
#include "machine/host/chardev.h"
#include "machine/snapshot/statehash.h"
#include "savevm/hash.h"
#include "tests/fuzz/attack.h"

#define RAM_SIZE   (UINT64_C(256) << 20)
#define GUARD      (UINT64_C(64) << 20)	/* bytes, inaccessible, on both sides of what is mapped */
#define START      1000			/* cycle at which the guest becomes hostile */
#define SEED_LIMIT 60			/* seconds */
#define MAX_CPUS   4
#define LOG_EVERYTHING (LOG_UNIMP | LOG_GUEST_ERROR | LOG_INT | LOG_HCALL | LOG_EXEC | LOG_IN_ASM)

/* How one run differs from the others. */
enum variant { PLAIN, AGAIN, SLICED, FLUSHED, POOR, VARIANTS };
static const char *const variant_name[VARIANTS] = { "plain", "again", "sliced", "flushed", "poor" };

struct run {
	uint64_t seed, end;
	enum attack_kind kind;
	enum variant variant;
	struct machine *m;
	struct rng slices;
	bool prepared;
	struct cpu after[MAX_CPUS];		/* as the processors were at the end */
};

/* What the wrapped functions below need to know; one run at a time. */
static struct run *running;

/* ---- Between the machine and its parts: see Makefile, --wrap ---- */

void __real_cpu_run(struct cpu *cpu, uint64_t until);
void __wrap_cpu_run(struct cpu *cpu, uint64_t until);
bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err);

static uint64_t slice(struct rng *rng)
{
	static const uint16_t limits[] = { 1, 2, 4, 16, 64, 256, 2048 };

	return 1 + rng_below(rng, limits[rng_below(rng, ARRAY_SIZE(limits))]);
}

void __wrap_cpu_run(struct cpu *cpu, uint64_t until)
{
	if (running->variant != SLICED && running->variant != FLUSHED && running->variant != POOR) {
		__real_cpu_run(cpu, until);
		return;
	}
	while (cpu->cycles < until && cpu->run_state == CPU_RUNNING && !cpu->halt) {
		uint64_t n = slice(&running->slices);

		if (running->variant == FLUSHED && rng_one_in(&running->slices, 8))
			engine_flush(cpu->engine);
		/* Without credit nothing more is decoded: all else runs an instruction at a time. */
		if (running->variant == POOR)
			cpu->engine->credit = rng_one_in(&running->slices, 3) ? CREDIT_MOST : INT64_MIN / 2;
		__real_cpu_run(cpu, n < until - cpu->cycles ? cpu->cycles + n : until);
	}
}

static void *map_guarded(uint64_t size)
{
	char *p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + GUARD, size, PROT_READ | PROT_WRITE))
		return NULL;
	return p + GUARD;
}

bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err)
{
	*ram = (struct ram){ .size = size, .base = map_guarded(size), .page = map_guarded(size >> RAM_PAGE_SHIFT) };
	if (!ram->base || !ram->page)
		error_set(err, "no memory");
	return ram->base && ram->page;
}

/* ---- One run ---- */

static void on_start(void *opaque)
{
	struct run *run = opaque;
	struct rng rng = { run->seed };

	attack_prepare(run->m, run->kind, &rng);
	run->prepared = true;
}

static void on_end(void *opaque)
{
	machine_request(((struct run *)opaque)->m, REQ_QUIT, 0);
}

static void fail(const struct run *run, const char *what)
{
	printf("FAIL seed %llu (%s), %s: %s\n", (unsigned long long)run->seed, attack_name[run->kind],
	       variant_name[run->variant], what);
	fflush(stdout);
	_exit(1);
}

/* A machine that the request did not end must have reached the last cycle, no more. */
static void check_time(const struct run *run)
{
	const struct machine *m = run->m;

	if (!run->prepared && m->clock.now >= START)
		fail(run, "it never began");
	if (m->clock.now > run->end)
		fail(run, "the clock has passed the last event");
	if (m->request != REQ_QUIT)
		return;
	if (m->clock.now != run->end)
		fail(run, "the last event came at another cycle");
	/* One that another has just woken may still stand where it fell asleep. */
	for (unsigned i = 0; i < m->ncpus; i++) {
		const struct cpu *cpu = &m->cpu[i]->cpu;

		if (cpu->cycles > run->end || (m->ncpus == 1 && cpu->run_state == CPU_RUNNING && cpu->cycles != run->end))
			fail(run, "a processor stands at another cycle");
	}
}

static uint64_t run_once(struct run *run, const struct config *options)
{
	struct event start = { .when = UINT64_MAX, .fire = on_start, .opaque = run };
	struct event end = { .when = UINT64_MAX, .fire = on_end, .opaque = run };
	struct config logging = *options;
	char log[256];
	struct error err = { .msg = "" };
	struct term *term = term_new(&err);
	struct machine *m;
	uint64_t hash;

	if (options->log_file) {
		snprintf(log, sizeof log, "%s.%s", options->log_file, variant_name[run->variant]);
		logging.log_file = log;
	} else if (run->variant == AGAIN && run->seed & 4) {
		logging.log_file = "/dev/null";
		logging.log_mask = LOG_EVERYTHING;
	}
	m = term ? machine_make(&logging, term, &err) : NULL;
	run->m = m;
	run->prepared = false;
	run->slices = (struct rng){ run->seed ^ UINT64_C(0x5eed) };
	running = run;
	if (!m)
		fail(run, err.msg);
	if (run->seed & 8)	/* all instructions of the table, whatever the processor calls itself */
		m->engine->level = P10;
	event_schedule(m, &start, START);
	event_schedule(m, &end, run->end);
	machine_run(m);
	check_time(run);
	hash = machine_statehash(m);
	hash = hash_u64(hash, m->request);
	for (unsigned i = 0; i < m->ncpus; i++)
		run->after[i] = m->cpu[i]->cpu;
	machine_free(m);
	term_free(term);
	return hash;
}

/* ---- Where two runs part ---- */

static uint64_t run_until(struct run *run, const struct config *options, enum variant variant, uint64_t end)
{
	run->variant = variant;
	run->end = end;
	return run_once(run, options);
}

static void show_cpus(const struct cpu *a, const struct cpu *b)
{
	const uint64_t *x = (const uint64_t *)a, *y = (const uint64_t *)b;

	printf("  cpu%u at %llx and %llx, msr %llx and %llx, srr0 %llx and %llx, %llu and %llu interrupts\n", (unsigned)a->index,
	       (unsigned long long)a->nip, (unsigned long long)b->nip, (unsigned long long)a->msr, (unsigned long long)b->msr,
	       (unsigned long long)a->srr0, (unsigned long long)b->srr0, (unsigned long long)a->interrupts,
	       (unsigned long long)b->interrupts);
	for (size_t i = 0; i < SLOT_VSR0 + 128; i++)
		if (x[i] != y[i] && (i < SLOT_TAR + 4 || i >= SLOT_VSR0))
			printf("  slot %zu: %016llx and %016llx\n", i, (unsigned long long)x[i], (unsigned long long)y[i]);
}

/* Prints the first cycle at which `variant` and the plain run differ, and in what. */
static void show_parting(struct run *run, const struct config *options, enum variant variant)
{
	struct run plain = *run;
	uint64_t lo = START, hi = run->end, mid;

	while (lo + 1 < hi) {
		mid = lo + (hi - lo) / 2;
		if (run_until(&plain, options, PLAIN, mid) == run_until(run, options, variant, mid))
			lo = mid;
		else
			hi = mid;
	}
	run_until(&plain, options, PLAIN, lo);
	printf("  the same at cycle %llu:", (unsigned long long)lo);
	for (unsigned i = 0; i < options->cpus; i++)
		printf(" %llx (msr %llx)", (unsigned long long)plain.after[i].nip, (unsigned long long)plain.after[i].msr);
	printf("; not at the next:\n");
	run_until(&plain, options, PLAIN, hi);
	run_until(run, options, variant, hi);
	for (unsigned i = 0; i < options->cpus; i++)
		show_cpus(&plain.after[i], &run->after[i]);
}

/* The child: all variants of one seed. */
static uint64_t run_seed(uint64_t seed, uint64_t cycles, int kind, const char *kernel, const char *log)
{
	struct rng rng = { seed ^ UINT64_C(0xf022) };
	struct run run = { .seed = seed, .end = START + cycles / 2 + rng_below(&rng, (uint32_t)cycles / 2 + 1),
			   .kind = kind >= 0 ? (enum attack_kind)kind : (enum attack_kind)(seed % ATTACK_KINDS) };
	unsigned cpus = rng_one_in(&rng, 2) ? 1 : 1u << rng_below(&rng, 3), threads = cpus > 1 && rng_one_in(&rng, 2) ? 2 : 1;
	struct config options = {
		.machine = "pseries", .vsmt = threads, .dfp = true, .large_decr = true, .cpus = cpus, .threads = threads,
		.cores = cpus / threads, .sockets = 1, .max_cpus = cpus, .ram_size = RAM_SIZE, .kernel = kernel,
		.serial = { &(struct chardev){ .id = "serial0", .kind = CHARDEV_NULL } }, .serials = 1, .rtc_base = RTC_DATE, .rtc_date = 1000000000, .cpu_model = cpu_models[0], .timing = "flat", .warp = true,
		.ic_mode = (enum ic_mode)(seed / ATTACK_KINDS % 3), .no_reboot = !rng_one_in(&rng, 2), .seed = seed, .cfpc = MITIGATION_FIXED, .hpt_page_shift = 24,
		.rpt_invalidate = seed / 2 % 2,
		.log_file = log, .log_mask = log ? LOG_INT | LOG_HCALL : 0,
	};
	uint64_t hash[VARIANTS];

	for (run.variant = 0; run.variant < VARIANTS; run.variant++) {
		/* A stale translation may go when the block that it led to is forgotten. */
		if (run.variant == FLUSHED && (run.kind == ATTACK_RADIX || run.kind == ATTACK_HCALLS))
			break;
		hash[run.variant] = run_once(&run, &options);
		if (hash[run.variant] != hash[PLAIN]) {
			show_parting(&run, &options, run.variant);
			fail(&run, "another state");
		}
	}
	return hash[PLAIN];
}

/* ---- Seed after seed ---- */

/* A kernel that waits: at the machine's start something must be there. */
static bool make_kernel(char path[64])
{
	struct {
		Elf64_Ehdr eh;
		Elf64_Phdr ph;
		uint32_t code[4];
	} k = { .eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT }, .e_type = ET_EXEC,
			.e_machine = EM_PPC64, .e_version = EV_CURRENT, .e_phoff = sizeof k.eh, .e_flags = 2,
			.e_ehsize = sizeof k.eh, .e_phentsize = sizeof k.ph, .e_phnum = 1 },
		.ph = { .p_type = PT_LOAD, .p_offset = sizeof k.eh + sizeof k.ph, .p_filesz = sizeof k.code,
			.p_memsz = sizeof k.code },
		.code = { 0x00000048 } };	/* b . in big-endian order */
	int fd = memfd_create("kernel", 0);

	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd >= 0 && write(fd, &k, sizeof k) == sizeof k;
}

static void show_log(int fd)
{
	char buf[4096];
	ssize_t n;

	lseek(fd, 0, SEEK_SET);
	n = read(fd, buf, sizeof buf);
	if (n > 0)
		printf("%.*s\n", (int)n, buf);
}

struct result {
	uint64_t hash;
};

/* True if the seed passed. What the child says on stderr is shown only if it did not. */
static bool try_seed(uint64_t seed, uint64_t cycles, int kind, const char *kernel, const char *log_file,
		     bool print)
{
	struct result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int log = memfd_create("log", 0), status;
	uint64_t hash;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(log, STDERR_FILENO);
		alarm(SEED_LIMIT);
		shared->hash = run_seed(seed, cycles, kind, kernel, log_file);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		status = -1;
	hash = shared->hash;
	munmap(shared, sizeof *shared);
	if (status) {
		printf("FAIL seed %llu: %s %d\n", (unsigned long long)seed,
		       WIFSIGNALED(status) ? (WTERMSIG(status) == SIGALRM ? "hangs, signal" : "signal") : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		show_log(log);
	} else if (print) {
		printf("seed %llu %016llx\n", (unsigned long long)seed, (unsigned long long)hash);
	}
	close(log);
	return status == 0;
}

int main(int argc, char **argv)
{
	unsigned long seeds = 100, seconds = 0, cycles = 60000, failed = 0, tried = 0;
	bool print = false;
	int opt, kind = -1;
	uint64_t first;
	time_t begin = time(NULL);
	char kernel[64];
	const char *log_file = NULL;

	while ((opt = getopt(argc, argv, "n:t:c:k:l:p")) != -1) {
		switch (opt) {
		case 'n': seeds = strtoul(optarg, NULL, 0); break;
		case 't': seconds = strtoul(optarg, NULL, 0); break;
		case 'c': cycles = strtoul(optarg, NULL, 0); break;
		case 'l': log_file = optarg; break;
		case 'p': print = true; break;
		case 'k':
			for (kind = 0; kind < ATTACK_KINDS && strcmp(attack_name[kind], optarg); kind++)
				;
			if (kind < ATTACK_KINDS)
				break;
			/* fall through */
		default:
			fprintf(stderr, "usage: guest_fuzz [-n SEEDS] [-t SECONDS] [-c CYCLES] [-k KIND] [-l FILE] [-p] [FIRST_SEED]\n");
			return 2;
		}
	}
	first = optind < argc ? strtoull(argv[optind], NULL, 0) : 1;
	if (!make_kernel(kernel))
		return 1;
	for (; tried < seeds && (!seconds || time(NULL) - begin < (time_t)seconds); tried++)
		failed += !try_seed(first + tried, cycles, kind, kernel, log_file, print);
	printf("%s %lu seeds from %llu, %lu failed\n", failed ? "FAIL" : "ok", tried, (unsigned long long)first, failed);
	return failed != 0;
}

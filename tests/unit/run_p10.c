/* Runs p10.c's program on a bare processor of the last generation: no MMU, no machine, write and exit answered here.
 *
 *   run_p10 PROGRAM [ROUNDS]
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/core/spr.h"
#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"

enum { STACK = 0x8000000, TEXT_MOST = 1 << 24 };

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static bool load(struct ram *ram, const char *path, uint64_t *entry)
{
	static uint8_t image[TEXT_MOST];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(image, 1, sizeof image, f) : 0;
	Elf64_Ehdr head;
	Elf64_Phdr part;

	if (f)
		fclose(f);
	if (n < sizeof head)
		return false;
	memcpy(&head, image, sizeof head);
	*entry = head.e_entry;
	for (unsigned i = 0; i < head.e_phnum; i++) {
		if (head.e_phoff + (i + 1) * sizeof part > n)
			return false;
		memcpy(&part, image + head.e_phoff + i * sizeof part, sizeof part);
		if (part.p_type == PT_LOAD && (part.p_offset + part.p_filesz > n || !ram_write(ram, part.p_vaddr, image + part.p_offset, part.p_filesz)))
			return false;
	}
	return true;
}

/* As Linux does it: argc, argv, at r1. */
static void put_arguments(struct cpu *cpu, struct ram *ram, const char *rounds)
{
	uint64_t words[] = { rounds ? 2 : 1, STACK + 64, STACK + 64, 0, 0 };

	ram_write(ram, STACK, words, sizeof words);
	if (rounds)
		ram_write(ram, STACK + 64, rounds, strlen(rounds) + 1);
	cpu->r[1] = STACK;
}

int main(int argc, char **argv)
{
	static struct cpu_clock clock;
	struct ram ram = { .size = UINT64_C(1) << 30 };
	struct cpu_env env = { .hypercall = no_hypercall, .ram = &ram, .clock = &clock };
	uint64_t entry;
	struct cpu *cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);

	ram.base = mmap(NULL, ram.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ram.page = calloc(ram.size >> RAM_PAGE_SHIFT, 1);
	if (!cpu || ram.base == MAP_FAILED || !ram.page || argc < 2)
		return 2;
	memset(cpu, 0, sizeof *cpu);
	cpu->env = &env;
	if (!engine_add_cpu(engine_new(&ram, "flat", P10, 1), cpu) || !load(&ram, argv[1], &entry))
		return 2;
	cpu_reset(cpu);
	cpu->nip = entry;
	cpu->run_state = CPU_RUNNING;
	cpu_set_msr(cpu, MSR_SF | MSR_LE | MSR_FP | MSR_VEC | MSR_VSX | MSR_ME);
	cpu->lpcr |= LPCR_ILE;
	put_arguments(cpu, &ram, argc > 2 ? argv[2] : NULL);
	ram_write(&ram, VEC_SYSTEM_CALL, &(uint32_t){ 0x48000000 }, 4);		/* b . */
	for (;;) {
		cpu_run(cpu, cpu->cycles + 100000);
		if (cpu->nip < 0x1000 && cpu->nip != VEC_SYSTEM_CALL) {
			fprintf(stderr, "interrupt 0x%llx at 0x%llx\n", (unsigned long long)cpu->nip, (unsigned long long)cpu->srr0);
			return 1;
		}
		if (cpu->nip != VEC_SYSTEM_CALL)
			continue;
		if (cpu->r[0] == 1)
			return fflush(stdout) != 0;
		if (cpu->r[0] != 4 || !ram_ok(&ram, cpu->r[4], cpu->r[5]))
			return 1;
		fwrite(ram.base + cpu->r[4], 1, cpu->r[5], stdout);
		cpu->r[3] = cpu->r[5];
		cpu_set_msr(cpu, cpu->srr1);
		cpu->nip = cpu->srr0;
	}
}

/* A process that protects a page by a storage key, without asking the kernel each time: what it forbids in its AMR kills a child
 * that tries. No C library; a line for each fact. */
#include "process.h"

enum { MMAP = 90, WAIT4 = 114, CLONE = 120, PKEY_ALLOC = 384, PKEY_FREE = 385, PKEY_MPROTECT = 386 };
enum { SIGCHLD = 17, READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22, DISABLE_WRITE = 2 };
#define SIZE 0x10000
#define NO_STORE(key) (1ul << (63 - 2 * (key)))
#define NO_LOAD(key)  (1ul << (62 - 2 * (key)))

static uint64_t get_amr(void) { uint64_t v; __asm__ volatile("mfspr %0,13" : "=r"(v)); return v; }
static void set_amr(uint64_t v) { __asm__ volatile("isync\n\tmtspr 13,%0\n\tisync" : : "r"(v) : "memory"); }

/* mmap has six arguments. */
static uint64_t *new_page(void)
{
	register long r0 __asm__("r0") = MMAP, r3 __asm__("r3") = 0, r4 __asm__("r4") = SIZE, r5 __asm__("r5") = READ_WRITE;
	register long r6 __asm__("r6") = PRIVATE_ANONYMOUS, r7 __asm__("r7") = -1, r8 __asm__("r8") = 0;

	__asm__ volatile("sc" : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)
			 : : "memory", "cr0", "r9", "r10", "r11", "r12", "ctr", "xer", "lr");
	return (uint64_t *)r3;
}

/* The signal that ends a child which loads from the page, or stores to it; 0: none does. */
static int killed(volatile uint64_t *page, int store)
{
	int status = 0;
	long pid = call(CLONE, SIGCHLD, 0, 0, 0);

	if (!pid) {
		if (store)
			page[0] = 9;
		else
			(void)page[0];
		call(EXIT, 0, 0, 0, 0);
	}
	call(WAIT4, pid, (long)&status, 0, 0);
	return status & 0x7f;
}

__attribute__((used)) static void run(void)
{
	volatile uint64_t *page = new_page();
	long key = call(PKEY_ALLOC, 0, 0, 0, 0), other = call(PKEY_ALLOC, 0, DISABLE_WRITE, 0, 0);
	uint64_t amr = get_amr();

	say("keys ", key > 0 && other > 0 && key != other);
	page[0] = 5;
	say("protected ", (uint64_t)call(PKEY_MPROTECT, (long)page, SIZE, READ_WRITE, key));
	say("load ", page[0]);
	say("open ", (uint64_t)killed(page, 1));
	set_amr(amr | NO_STORE(key));
	say("no-store ", (uint64_t)killed(page, 1));
	say("no-store-loads ", (uint64_t)killed(page, 0));
	set_amr(amr | NO_STORE(key) | NO_LOAD(key));
	say("no-load ", (uint64_t)killed(page, 0));
	set_amr(amr);
	say("open-again ", (uint64_t)killed(page, 1));
	say("other ", (uint64_t)call(PKEY_MPROTECT, (long)page, SIZE, READ_WRITE, other));
	say("other-no-store ", (uint64_t)killed(page, 1));
	say("other-load ", page[0]);
	say("freed ", (uint64_t)call(PKEY_FREE, key, 0, 0, 0));
	call(EXIT, 0, 0, 0, 0);
	for (;;)
		;
}

/* r12 is here: the table of constants is found from it. */
__asm__(".text\n.globl _start\n_start:\n\taddis 2,12,.TOC.-_start@ha\n\taddi 2,2,.TOC.-_start@l\n"
	"\tstdu 1,-64(1)\n\tbl run\n\tnop\n");

/* A process that protects a page by a storage key, without asking the kernel each time: what it forbids in its AMR kills a child
 * that tries. To fetch from the page is forbidden by IAMR, which is the kernel's: a key has it from where it was allocated.
 * No C library; a line for each fact. */
#include "process.h"

enum { MMAP = 90, WAIT4 = 114, CLONE = 120, RT_SIGACTION = 173, PKEY_ALLOC = 384, PKEY_FREE = 385, PKEY_MPROTECT = 386 };
enum { SIGSEGV = 11, SIGCHLD = 17, SA_SIGINFO = 4 };
enum { READ_WRITE = 3, READ_WRITE_EXEC = 7, PRIVATE_ANONYMOUS = 0x22, DISABLE_WRITE = 2, DISABLE_EXECUTE = 4 };
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

struct signal_info {
	int number, error, code;
	uint64_t address, unused;
	uint32_t key;
};

struct signal_action {
	void (*handler)(int, struct signal_info *, void *);
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* The child ends here: nothing is returned to. */
static void say_why(int number, struct signal_info *info, void *context)
{
	(void)number;
	(void)context;
	say("fetch-code ", (uint64_t)info->code);
	say("fetch-key ", info->key);
	call(EXIT, (long)(info->address & (SIZE - 1)), 0, 0, 0);
}

/* What wait4() says of a child that jumps into the page: 0, it came back; what say_why() exits with; or a signal. */
static int fetch_ends(uint64_t *page)
{
	struct signal_action action = { say_why, SA_SIGINFO, 0, 0 };
	int status = 0;
	long pid = call(CLONE, SIGCHLD, 0, 0, 0);

	if (!pid) {
		call(RT_SIGACTION, SIGSEGV, (long)&action, 0, sizeof action.mask);
		((void (*)(void))(page + 1))();
		call(EXIT, 0, 0, 0, 0);
	}
	call(WAIT4, pid, (long)&status, 0, 0);
	return status;
}

/* The page's second doubleword is a function that returns. What it was fetched with before must not hold any more. */
static void forbid_fetches(uint64_t *page)
{
	long key;

	say("unprotected ", (uint64_t)call(PKEY_MPROTECT, (long)page, SIZE, READ_WRITE_EXEC, 0));
	*(volatile uint32_t *)(page + 1) = 0x4e800020;	/* blr */
	__asm__ volatile("dcbst 0,%0\n\tsync\n\ticbi 0,%0\n\tsync\n\tisync" : : "r"(page + 1) : "memory");
	((void (*)(void))(page + 1))();
	say("fetch-open ", (uint64_t)fetch_ends(page));
	key = call(PKEY_ALLOC, 0, DISABLE_EXECUTE, 0, 0);
	say("no-fetch-key ", (uint64_t)key);
	say("no-fetch-protected ", (uint64_t)call(PKEY_MPROTECT, (long)page, SIZE, READ_WRITE_EXEC, key));
	say("no-fetch ", (uint64_t)fetch_ends(page));
	say("no-fetch-loads ", (uint64_t)killed(page, 0));
	say("no-fetch-stores ", (uint64_t)killed(page, 1));
	/* The same key allows it once it is allocated anew, with the page as it is. */
	call(PKEY_FREE, key, 0, 0, 0);
	say("again-the-key ", (uint64_t)(call(PKEY_ALLOC, 0, 0, 0, 0) - key));
	say("fetch-again ", (uint64_t)fetch_ends(page));
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
	forbid_fetches((uint64_t *)page);
	call(EXIT, 0, 0, 0, 0);
	for (;;)
		;
}

/* r12 is here: the table of constants is found from it. */
__asm__(".text\n.globl _start\n_start:\n\taddis 2,12,.TOC.-_start@ha\n\taddi 2,2,.TOC.-_start@l\n"
	"\tstdu 1,-64(1)\n\tbl run\n\tnop\n");

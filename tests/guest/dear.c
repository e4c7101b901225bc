/* What costs a host the most for each cycle of the guest, in the way that a letter from the console says: first it is
 * made ready, then it runs for about a million cycles. dear.py looks at the host's clock. */
#include "lib.h"

#define AREA     0x2000000ull
#define AREA_END 0x6000000ull
#define TABLE    0x1000000ull

static u32 page[1024] __attribute__((aligned(4096)));
static u64 began;

static char letter(void)
{
	u64 out[9];

	do
		hcall_out(out, H_GET_TERM_CHAR, VTY);
	while (!out[0]);
	return (char)(out[1] >> 56);
}

static void begin(void)
{
	print("go\n");
	began = mftb();
}

static void end(void) { print("end %u cycles\n", (unsigned)(2 * (mftb() - began))); }

static void put_words(u32 *to, const char *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put_insn(to + i, ((const u32 *)from)[i]);
}

/* Runs what is at `at` with r4, r5 and CTR; it comes back by blr. */
static void run(const void *at, u64 r4, u64 r5, u64 count)
{
	__asm__ volatile("mtlr %0\n\tmtctr %3\n\tmr 4,%1\n\tmr 5,%2\n\tcmpd 1,4,4\n\tblrl"
			 : : "r"(at), "r"(r4), "r"(r5), "r"(count) : "memory", "4", "5", "6", "7", "lr", "ctr", "cr0", "cr1");
}

static u64 mode_bits(unsigned mode)
{
	return OUR_MSR | (mode & 1 ? MSR_FP : 0) | (mode & 2 ? MSR_VEC : 0) | (mode & 4 ? MSR_VSX : 0);
}

/* A page of blocks from each word, in eight modes; in it a loop that stores into itself. */
extern char store_loop[];
__asm__(".text\nstore_loop: stw 5,0(4)\n\tb 1f\n1:\tnop\n\tbdnz store_loop\n\tblr\n");

static void stores(void)
{
	for (unsigned i = 0; i < 1024; i++)
		put_insn(page + i, 0x60000000);
	put_words(page + 1019, store_loop, 5);
	for (unsigned mode = 0; mode < 8; mode++) {
		mtmsrd(mode_bits(mode));
		for (unsigned i = 0; i < 1018; i++)
			run(page + i, (u64)(page + 1021), page[1021], 1);
	}
	mtmsrd(OUR_MSR);
	begin();
	run(page + 1019, (u64)(page + 1021), page[1021], 250000);
	end();
}

/* Blocks as long as can be, of which the first instruction alone is executed, and too many to be kept. */
extern char long_block[], long_end[];
__asm__(".text\nlong_block: beq 1,1f\n\t.rept 62\n\taddi 6,6,1\n\t.endr\n\tblr\n1:\n"
	"long_end: addi 5,5,-1\n\tcmpdi 5,0\n\tbeqlr\n\tmtctr 4\n\tbctr\n");

static void decoding(void)
{
	u32 *at;

	for (at = (u32 *)AREA; at < (u32 *)AREA_END; at += 64)
		put_words(at, long_block, 64);
	put_words(at, long_end, 5);
	begin();
	run((void *)AREA, AREA, 4, AREA);
	end();
}

static void tables(void)
{
	memset((void *)TABLE, 0, 4096);
	hcall(H_REGISTER_PROC_TBL, 0x1d, TABLE, 0, 0);
}

extern char tlbie_loop[];
__asm__(".text\n.machine power9\ntlbie_loop: tlbie 4,5,0,1,1\n\tbdnz tlbie_loop\n\tblr\n");

/* Pages of code are invalidated one by one, and the jump caches of sixteen modes are full of others. */
static void jumps(void)
{
	tables();
	for (u32 *at = (u32 *)AREA; at < (u32 *)AREA + 8192; at++)
		put_insn(at, 0x4e800020);
	put_insn((u32 *)(AREA_END - 4), 0x4e800020);
	for (unsigned mode = 0; mode < 8; mode++) {
		mtmsrd(mode_bits(mode));
		for (u32 *at = (u32 *)AREA; at < (u32 *)AREA + 8192; at++)
			run(at, 0, 0, 1);
		run((u32 *)(AREA_END - 4), 0, 0, 1);
	}
	mtmsrd(OUR_MSR);
	begin();
	run(tlbie_loop, AREA_END - 4096, 0, 500000);
	end();
}

/* All processors invalidate a page from which each has fetched in eight modes. They start in big-endian mode. */
extern char invalidator[], invalidator_end[];
__asm__(".text\ninvalidator: mfmsr 6\n"
	"\t.irp bits,0,0x80,0x200,0x280\n\toris 7,6,\\bits\n\tmtmsrd 7\n\tnop\n\tori 7,7,0x2000\n\tmtmsrd 7\n\tnop\n\t.endr\n"
	"1:\ttlbie 3,4,0,1,1\n\tb 1b\ninvalidator_end:\n");

static void broadcasts(void)
{
	tables();
	for (unsigned i = 0; i < (unsigned)(invalidator_end - invalidator) / 4; i++)
		((u32 *)AREA)[i] = be32(((u32 *)invalidator)[i]);
	sync();
	for (u32 n = 1;; n++) {
		u32 in[3] = { n, (u32)AREA, (u32)AREA };

		if (rtas(RTAS_START_CPU, 3, 1, in, NULL))
			break;
	}
	begin();
	run(tlbie_loop, AREA, 0, 30000);
	end();
}

/* A decrementer due within each block, which is then run in part. */
extern char part_loop[];
__asm__(".text\npart_loop: mtdec 5\n\tb 1f\n1:\n\t.rept 8\n\tbeq 1,1f\n\t.rept 61\n\taddi 6,6,1\n\t.endr\n1:\n\t.endr\n"
	"\tbdnz part_loop\n\tblr\n");

static void parts(void)
{
	begin();
	run(part_loop, 0, 28, 100000);
	mtspr(22, 0x7fffffff);
	end();
}

/* Stores of 32 registers beside code, each into a page that is watched. */
#if !LITTLE
extern char words_loop[];
__asm__(".text\nwords_loop: stmw 0,1024(4)\n\tbdnz words_loop\n\tblr\n");

static void words(void)
{
	put_words(page, words_loop, 3);
	begin();
	run(page, (u64)page, 0, 500000);
	end();
}
#endif

void test(void)
{
	print("ready\n");
	switch (letter()) {
	case 's':
		stores();
		break;
	case 'd':
		decoding();
		break;
	case 'j':
		jumps();
		break;
	case 'b':
		broadcasts();
		break;
#if !LITTLE
	case 'w':
		words();
		break;
#endif
	case 'p':
		parts();
		break;
	}
	done();
}

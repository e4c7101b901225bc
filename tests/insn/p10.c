/* A program that gcc has compiled for POWER10: addresses relative to the instruction, prefixed loads and stores,
 * outer products. It runs without an operating system but for write and exit, on qemu-user and on bare cede, and
 * writes the same numbers on both.
 *
 *   p10 [ROUNDS]	so many times all of it, 1 unless said otherwise
 */
#include <stdint.h>

enum { N = 64, WRITE = 4, EXIT = 1 };

static float a32[N * N] __attribute__((aligned(32))), b32[N * N] __attribute__((aligned(32))), c32[N * N] __attribute__((aligned(32)));
static double a64[N * N] __attribute__((aligned(32))), b64[N * N] __attribute__((aligned(32))), c64[N * N] __attribute__((aligned(32)));
static uint8_t bytes[2][N * N + 64] __attribute__((aligned(32)));
static int32_t c8[N * N] __attribute__((aligned(32)));
static uint64_t state = 1;
static const uint64_t constant = UINT64_C(0x123456789abcdef1);

static long system_call(long number, long a, long b, long c)
{
	register long r0 __asm__("r0") = number, r3 __asm__("r3") = a, r4 __asm__("r4") = b, r5 __asm__("r5") = c;

	__asm__ volatile("sc" : "+r"(r3), "+r"(r0), "+r"(r4), "+r"(r5) : : "memory", "cr0", "ctr", "xer", "r6", "r7", "r8", "r9", "r10", "r11", "r12");
	return r3;
}

static uint64_t draw(void)
{
	state = state * 6364136223846793005u + constant;
	return state >> 33;
}

/* An accumulator's tile of the result: N products of a row of `a`, which is transposed, and one of `b`. By hand, because
 * what the compiler makes of accumulators needs loads and stores of pairs, which have no prefix. */
#define TILE(name, product, row, type) \
	static void name(const void *a, const void *b, type *c) \
	{ \
		long n = N; \
		\
		__asm__ volatile("xxsetaccz 0\n\tmtctr %2\n" \
				 "1:\tlxv 32,0(%0)\n\tlxv 33,16(%0)\n\tlxv 34,0(%1)\n\t" product "\n\t" \
				 "addi %0,%0," row "\n\taddi %1,%1," row "\n\tbdnz 1b\n\txxmfacc 0" \
				 : "+b"(a), "+b"(b) : "r"(n) : "ctr", "vs0", "vs1", "vs2", "vs3", "v0", "v1", "v2", "memory"); \
		__asm__ volatile("stxv 0,0(%0)\n\tstxv 1,%1(%0)\n\tstxv 2,%2(%0)\n\tstxv 3,%3(%0)" \
				 : : "b"(c), "i"(N * sizeof(type)), "i"(2 * N * sizeof(type)), "i"(3 * N * sizeof(type)) : "memory"); \
	}
TILE(tile32, "xvf32gerpp 0,32,34", "256", float)
TILE(tile64, "xvf64gerpp 0,32,34", "512", double)
TILE(tile8, "pmxvi8ger4spp 0,32,34,13,15,11", "64", int32_t)

static void multiply(void)
{
	for (int i = 0; i < N - 4; i += 4)
		for (int j = 0; j < N - 4; j += 4) {
			tile32(&a32[i], &b32[j], &c32[i * N + j]);
			tile64(&a64[i], &b64[j & ~1], &c64[i * N + (j & ~1)]);
			tile8(&bytes[0][i], &bytes[1][j], &c8[i * N + j]);
		}
}

static uint64_t sum(const void *p, unsigned n)
{
	const uint8_t *b = p;
	uint64_t h = constant;

	for (unsigned i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3;
	return h;
}

static void say(const char *name, uint64_t v)
{
	char line[32];
	int n = 0;

	while (*name)
		line[n++] = *name++;
	line[n++] = ' ';
	for (int i = 60; i >= 0; i -= 4)
		line[n++] = "0123456789abcdef"[v >> i & 15];
	line[n++] = '\n';
	system_call(WRITE, 1, (long)line, n);
}

__attribute__((used, noreturn)) static void begin(long *stack)
{
	const char *p = stack[0] > 1 ? (const char *)stack[2] : "1";
	long rounds = 0;

	while (*p)
		rounds = rounds * 10 + *p++ - '0';
	for (int i = 0; i < N * N; i++) {
		a32[i] = (float)(int32_t)draw() / 3e6f;
		b32[i] = (float)(int32_t)draw() / 7e8f - 1;
		a64[i] = (double)(int64_t)draw() / 3e6;
		b64[i] = (double)(int64_t)draw() / 7e8 - 1;
		bytes[0][i] = (uint8_t)draw();
		bytes[1][i] = (uint8_t)draw();
	}
	for (long i = 0; i < rounds; i++)
		multiply();
	say("f32", sum(c32, sizeof c32));
	say("f64", sum(c64, sizeof c64));
	say("i8", sum(c8, sizeof c8));
	say("state", state);
	system_call(EXIT, 0, 0, 0);
	for (;;)
		;
}

__asm__(".globl _start\n_start:\n\tmr 3,1\n\tli 0,0\n\tstdu 0,-128(1)\n\tb begin\n");

/* The names of a Linux kernel in a guest's memory, as tables of our own have them: in both byte orders, in the orders of kernels
 * before and since 6.4; and tables that a hostile guest has changed. */
#include "machine/profile/kallsyms.h"

#include <time.h>

#include "cpu/core/cpu.h"
#include "machine/core/memory.h"
#include "tests/fuzz/rng.h"
#include "tests/unit/check.h"

#define SIZE   (UINT64_C(2) << 20)
#define AT     UINT64_C(0x12340)
#define N      2000u
#define BASE   UINT64_C(0xc000000000000000)

struct image {
	uint8_t *at;			/* of memory */
	uint64_t pos;
	bool big;
	uint64_t begin, end;		/* of the tables */
};

static void put(struct image *m, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		m->at[m->pos++] = (uint8_t)(v >> 8 * (m->big ? bytes - 1 - i : i));
}

static void align(struct image *m)
{
	while (m->pos % 8)
		m->at[m->pos++] = 0;
}

/* Token 0x80 is "t", 0x81 is "function_", 0x82 is "D"; the printable ones stand for themselves. */
static const char *token(unsigned i, char text[2])
{
	text[0] = (char)i;
	text[1] = 0;
	return i == 0x80 ? "t" : i == 0x81 ? "function_" : i == 0x82 ? "D" : i > ' ' && i < 0x7f ? text : "";
}

static void put_offsets(struct image *m)
{
	for (unsigned i = 0; i < N; i++)
		put(m, 0x1000 + 16 * i, 4);
	align(m);
	put(m, BASE, 8);
}

static unsigned name_of(unsigned i, uint8_t tokens[300])
{
	unsigned n = 2 + (unsigned)sprintf((char *)tokens + 2, "%u", i);

	tokens[0] = i % 4 == 3 ? 0x82 : 0x80;	/* a fourth of them is no function */
	tokens[1] = 0x81;
	while (i == 77 && n < 200)		/* longer than a byte's length can say */
		tokens[n++] = 'x';
	return n;
}

static void put_names(struct image *m)
{
	uint32_t markers[N / 256 + 1];
	uint64_t first;
	uint8_t tokens[300];

	put(m, N, 4);
	align(m);
	first = m->pos;
	for (unsigned i = 0; i < N; i++) {
		unsigned n = name_of(i, tokens);

		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(m->pos - first);
		if (n < 0x80) {
			put(m, n, 1);
		} else {
			put(m, (n & 0x7f) | 0x80, 1);
			put(m, n >> 7, 1);
		}
		memcpy(m->at + m->pos, tokens, n);
		m->pos += n;
	}
	align(m);
	for (unsigned i = 0; i <= (N - 1) / 256; i++)
		put(m, markers[i], 4);
	align(m);
}

static void put_tokens(struct image *m)
{
	uint64_t first = m->pos;
	uint16_t index[256];
	char text[2];

	for (unsigned i = 0; i < 256; i++) {
		const char *s = token(i, text);

		index[i] = (uint16_t)(m->pos - first);
		memcpy(m->at + m->pos, s, strlen(s) + 1);
		m->pos += strlen(s) + 1;
	}
	align(m);
	for (unsigned i = 0; i < 256; i++)
		put(m, index[i], 2);
	align(m);
}

static struct image make(uint8_t *memory, bool big, bool sequence, bool late)
{
	struct image m = { .at = memory, .pos = AT, .big = big, .begin = AT };

	memset(memory, 0, SIZE);
	if (!late)
		put_offsets(&m);
	put_names(&m);
	for (unsigned i = 0; sequence && i < N; i++)
		put(&m, i, 3);
	align(&m);
	put_tokens(&m);
	if (late)
		put_offsets(&m);
	m.end = m.pos;
	return m;
}

static void check_found(const struct kernel_symbols *s, const char *fact)
{
	const char *name;

	check_eq(s->n, N / 4 * 3, "%s: functions", fact);
	if (s->n != N / 4 * 3)
		return;
	name = s->names + s->at[5].name;
	check(!strcmp(name, "function_6") && s->at[5].addr == BASE + 0x1000 + 16 * 6, "%s: name and address", fact);
	name = s->names + s->at[58].name;
	check(!strncmp(name, "function_77xxx", 14) && strlen(name) == 200 - 2 + 9, "%s: a long name", fact);
}

/* Whatever the tables say: what is found has names that end and can be printed. */
static bool is_sane(const struct kernel_symbols *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const char *name = s->names + s->at[i].name;

		if (!*name || strlen(name) > 255 || s->at[i].addr < BASE)
			return false;
		for (; *name; name++)
			if (*name <= ' ' || *name > '~')
				return false;
	}
	return true;
}

static void check_hostile(struct ram *ram, struct rng *r)
{
	struct image m = make(ram->base, rng_one_in(r, 2), rng_one_in(r, 2), rng_one_in(r, 2));
	struct kernel_symbols found;

	for (uint32_t n = 1 + rng_below(r, 8); n; n--) {
		uint64_t at = m.begin + rng_below(r, (uint32_t)(m.end - m.begin));

		if (rng_one_in(r, 3))	/* the counts and the index are few bytes of many */
			at = m.end - 1 - rng_below(r, 3000);
		m.at[at] = (uint8_t)(rng_one_in(r, 2) ? rng_below(r, 256) : rng_one_in(r, 2) ? 0xff : 0);
	}
	if (rng_one_in(r, 8))		/* the end of memory comes first */
		memmove(ram->base + SIZE - (m.end - m.begin) / 2, ram->base + m.begin, (m.end - m.begin) / 2);
	kallsyms_find(ram, &found);
	if (!is_sane(&found))
		check(false, "hostile tables");
	kallsyms_free(&found);
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* A thousand good tables of tokens, behind as much memory as names may take, all of which each of them asks for a number. */
static void check_bounded(void)
{
	struct ram ram = { 0 };
	struct kernel_symbols found;
	struct error err;
	struct image m;
	double began;

	if (!memory_map(&ram, UINT64_C(40) << 20, &err)) {
		check(false, "memory for many tables");
		return;
	}
	memset(ram.base, 1, UINT64_C(34) << 20);
	m = (struct image){ .at = ram.base, .pos = UINT64_C(34) << 20 };
	for (unsigned i = 0; i < 1000; i++)
		put_tokens(&m);
	began = seconds();
	kallsyms_find(&ram, &found);
	check_eq(found.n, 0, "many tables of tokens, no names");
	check(seconds() - began < 2, "many tables of tokens: %.1f s", seconds() - began);
	kallsyms_free(&found);
	memory_unmap(&ram);
}

int main(void)
{
	struct ram ram = { 0 };
	struct error err;
	struct rng r = { 5 };
	struct kernel_symbols found;
	char fact[80];

	if (!memory_map(&ram, SIZE, &err))
		return 1;
	for (unsigned i = 0; i < 8; i++) {
		make(ram.base, i & 1, i & 2, i & 4);
		snprintf(fact, sizeof fact, "%s-endian%s%s", i & 1 ? "big" : "little", i & 2 ? ", with an order" : "", i & 4 ? ", offsets last" : "");
		kallsyms_find(&ram, &found);
		check_found(&found, fact);
		kallsyms_free(&found);
	}
	memset(ram.base, 0, SIZE);
	kallsyms_find(&ram, &found);
	check_eq(found.n, 0, "empty memory");
	kallsyms_free(&found);
	/* Each page seems to hold the table: that is looked at so often, and no more. */
	for (uint64_t at = 0; at + 20 < SIZE; at += 20)
		memcpy(ram.base + at, "0\0" "1\0" "2\0" "3\0" "4\0" "5\0" "6\0" "7\0" "8\0" "9", 20);
	kallsyms_find(&ram, &found);
	check_eq(found.n, 0, "digits all over");
	kallsyms_free(&found);
	for (unsigned i = 0; i < 2000; i++)
		check_hostile(&ram, &r);
	check(true, "hostile tables are survived");
	check_bounded();
	memory_unmap(&ram);
	return check_failures != 0;
}

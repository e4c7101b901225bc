/* The names of a Linux kernel's functions, from the tables that it keeps of them (CONFIG_KALLSYMS, with relative
 * addresses). They lie in memory in this order:
 *
 *   offsets      4 bytes a symbol: its address less the base, rising
 *   base         8 bytes; since 6.4 these two come last
 *   number       4 bytes
 *   names        of each symbol: length (0x80 and more: of two bytes, seven bits first), then so many tokens
 *   markers      4 bytes: where in the names every 256th symbol is
 *   order        3 bytes a symbol, in kernels since 6.2 and in stable ones: not looked at
 *   token table  256 strings; the first character of a name's text is the symbol's type
 *   token index  2 bytes: where in the table each is
 *
 * Each begins at a multiple of 8. A character that occurs in names and stands for itself is a token of its own number, so
 * the digits are ten strings in a row, and the index behind them tells whether they are what they seem. From there the
 * way goes back to a number with which everything fits. The tables are the guest's: nothing of them is believed
 * that other parts of them do not confirm.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "cpu/spent/prof_format.h"
#include "machine/core/memory.h"
#include "machine/profile/kallsyms.h"

#define TOKENS      256
#define DIGIT       0x30
#define MAX_TOKEN   64			/* bytes */
#define MAX_TEXT    1024
#define MAX_NAME    255
#define MOST_NAMES  (UINT64_C(32) << 20)	/* bytes, with what lies between them and the tokens */
#define LEAST       1000		/* symbols of a kernel */
#define KERNEL_BASE UINT64_C(0xc000000000000000)
#define MAX_CHANCES 1000		/* places that seem to be the table */
#define MOST_STEPS  (UINT64_C(32) << 20)	/* of all of them together: places, and names of tables that seem to be there */

struct tables {
	const uint8_t *base;		/* of memory */
	uint64_t size;
	bool big;			/* byte order */
	uint64_t offsets, names, tokens, index;	/* places in it */
	uint64_t relative_base;
	uint32_t n;
	uint64_t *steps;		/* that a guest may still cost us */
};

static bool within(const struct tables *t, uint64_t at, uint64_t len)
{
	return at <= t->size && len <= t->size - at;
}

static uint64_t aligned(uint64_t at) { return (at + 7) & ~UINT64_C(7); }

static uint64_t number(const struct tables *t, uint64_t at, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)t->base[at + i] << 8 * (t->big ? bytes - 1 - i : i);
	return v;
}

static bool step(const struct tables *t) { return *t->steps && (*t->steps)--; }

/* The strings from place `at` on, `n` of them, end there; 0: they are none. */
static uint64_t skip_strings(const struct tables *t, uint64_t at, unsigned n)
{
	for (; n; n--) {
		const uint8_t *end;

		if (!within(t, at, MAX_TOKEN))
			return 0;
		end = memchr(t->base + at, 0, MAX_TOKEN);
		if (!end)
			return 0;
		at = (uint64_t)(end - t->base) + 1;
	}
	return at;
}

static bool index_fits(const struct tables *t)
{
	uint64_t at = t->tokens;

	for (unsigned i = 0; i < TOKENS; i++) {
		if (!at || number(t, t->index + 2 * i, 2) != at - t->tokens)
			return false;
		at = skip_strings(t, at, 1);
	}
	return at;
}

/* "0" is at that place. */
static bool find_tokens(struct tables *t, uint64_t digits)
{
	uint64_t end = skip_strings(t, digits, TOKENS - DIGIT), start;

	t->index = aligned(end);
	if (!end || !within(t, t->index, 2 * TOKENS))
		return false;
	for (unsigned big = 0; big < 2; big++) {
		t->big = big;
		start = number(t, t->index + 2 * DIGIT, 2);
		t->tokens = digits - start;
		if (start <= digits && index_fits(t))
			return true;
	}
	return false;
}

/* The name that begins at *at: its tokens, and how many. False: it leaves the names. */
static bool next_name(const struct tables *t, uint64_t *at, uint64_t *tokens, uint64_t *len)
{
	if (*at + 2 > t->tokens)
		return false;
	*len = t->base[*at];
	*tokens = *at + 1;
	if (*len & 0x80) {
		*len = (*len & 0x7f) | (uint64_t)t->base[*at + 1] << 7;
		(*tokens)++;
	}
	*at = *tokens + *len;
	return *len && *at <= t->tokens;
}

/* From the names to the tokens nothing is left over. */
static bool names_fit(const struct tables *t)
{
	uint64_t at = t->names, tokens, len, markers, end;

	for (uint32_t i = 0; i < t->n; i++)
		if (!step(t) || !next_name(t, &at, &tokens, &len))
			return false;
	markers = aligned(at);
	end = aligned(markers + ((uint64_t)t->n + 255) / 256 * 4);
	if (end != t->tokens && aligned(end + 3 * (uint64_t)t->n) != t->tokens)
		return false;
	at = t->names;
	for (uint32_t i = 0; i < t->n; i++) {
		if (i % 256 == 0 && number(t, markers + 4 * (i / 256), 4) != at - t->names)
			return false;
		next_name(t, &at, &tokens, &len);
	}
	return true;
}

static bool base_fits(struct tables *t, uint64_t at)
{
	if (!within(t, at, 8))
		return false;
	t->relative_base = number(t, at, 8);
	return t->relative_base >= KERNEL_BASE && t->relative_base <= UINT64_MAX - UINT32_MAX;
}

/* Before the number, or behind the index. */
static bool find_base(struct tables *t, uint64_t count_at)
{
	uint64_t bytes = aligned(4 * (uint64_t)t->n), behind = aligned(t->index + 2 * TOKENS);

	if (count_at >= 8 + bytes && base_fits(t, count_at - 8)) {
		t->offsets = count_at - 8 - bytes;
		return true;
	}
	t->offsets = behind;
	return within(t, behind, bytes) && base_fits(t, behind + bytes);
}

static bool offsets_rise(const struct tables *t)
{
	uint64_t last = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		uint64_t v = number(t, t->offsets + 4 * (uint64_t)i, 4);

		if (v < last || !step(t))
			return false;
		last = v;
	}
	return true;
}

static bool find_names(struct tables *t)
{
	uint64_t at = t->tokens & ~UINT64_C(7), least = at > MOST_NAMES ? at - MOST_NAMES : 8;

	for (; at > least && step(t); at -= 8) {
		t->n = (uint32_t)number(t, at - 8, 4);
		t->names = at;
		if (t->n < LEAST || t->n > PROF_MAX_SYMBOLS || !find_base(t, at - 8))
			continue;
		if (offsets_rise(t) && names_fit(t))
			return true;
	}
	return false;
}

/* ---- From the tables to the symbols ---- */

/* Its type and name. False: too long, or not printable. */
static bool expand(const struct tables *t, uint64_t tokens, uint64_t len, char text[MAX_TEXT])
{
	size_t n = 0;

	for (uint64_t i = 0; i < len; i++) {
		const char *token = (const char *)t->base + t->tokens + number(t, t->index + 2 * (uint64_t)t->base[tokens + i], 2);

		while (*token && n < MAX_NAME + 1) {
			if (*token <= ' ' || *token > '~')
				return false;
			text[n++] = *token++;
		}
		if (*token)
			return false;
	}
	text[n] = 0;
	return n > 1;
}

static bool is_function(char type) { return type && strchr("tTwW", type); }

static void take_symbols(const struct tables *t, struct kernel_symbols *found)
{
	uint64_t at = t->names, tokens, len, used = 0, room = 64 * (uint64_t)t->n;
	char text[MAX_TEXT];

	found->at = calloc(t->n, sizeof *found->at);
	found->names = malloc(room);
	if (!found->at || !found->names)
		return;
	for (uint32_t i = 0; i < t->n && next_name(t, &at, &tokens, &len); i++) {
		size_t size;

		if (!expand(t, tokens, len, text) || !is_function(text[0]))
			continue;
		size = strlen(text + 1) + 1;
		if (used + size > room)
			return;
		found->at[found->n++] = (struct kernel_symbol){ t->relative_base + number(t, t->offsets + 4 * (uint64_t)i, 4), (uint32_t)used };
		memcpy(found->names + used, text + 1, size);
		used += size;
	}
}

/* ---- Where they are ---- */

static bool try_at(const struct ram *ram, uint64_t digits, uint64_t *steps, struct kernel_symbols *found)
{
	struct tables t = { .base = ram->base, .size = ram->size, .steps = steps };

	if (!find_tokens(&t, digits) || !find_names(&t))
		return false;
	take_symbols(&t, found);
	return true;
}

void kallsyms_find(const struct ram *ram, struct kernel_symbols *found)
{
	static const char digits[20] = "0\0" "1\0" "2\0" "3\0" "4\0" "5\0" "6\0" "7\0" "8\0" "9";
	struct memory_used used;
	unsigned chances = 0;
	uint64_t steps = MOST_STEPS;

	*found = (struct kernel_symbols){ .n = 0 };
	memory_used_open(&used, ram);
	for (uint64_t at = 0; chances < MAX_CHANCES && steps && (at = memory_used_next(&used, at)) < ram->size;) {
		uint64_t end = (at | (RAM_PAGE_SIZE - 1)) + 1, stop = end + sizeof digits < ram->size ? end + sizeof digits : ram->size;
		const uint8_t *hit = memmem(ram->base + at, stop - at, digits, sizeof digits);

		if (!hit) {
			at = end;
			continue;
		}
		at = (uint64_t)(hit - ram->base);
		chances++;
		if (try_at(ram, at, &steps, found))
			break;
		at++;
	}
	memory_used_close(&used);
}

#define FUNCTION_MOST (UINT64_C(1) << 20)	/* bytes of a function; what lies further behind its beginning is not of it */

const char *kallsyms_name(const struct kernel_symbols *found, uint64_t addr, uint64_t *offset)
{
	uint32_t low = 0, high = found->n;

	while (low < high) {		/* the first one behind it */
		uint32_t middle = low + (high - low) / 2;

		if (found->at[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || addr - found->at[low - 1].addr >= FUNCTION_MOST)
		return NULL;
	*offset = addr - found->at[low - 1].addr;
	return found->names + found->at[low - 1].name;
}

void kallsyms_free(struct kernel_symbols *found)
{
	free(found->at);
	free(found->names);
}

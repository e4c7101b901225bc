/* See prof_symbols.h; here: System.map, order, search. */
#include "tools/prof/prof_symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_BYTES   (UINT64_C(1) << 30)
#define MOST_SYMBOLS (4u << 20)
#define MOST_NAMES   (UINT64_C(256) << 20)	/* bytes: an ELF file may give one name to many */
#define MOST_GAP     (UINT64_C(1) << 20)	/* bytes: what has no end does not reach farther */

bool prof_symbols_add(struct prof_symbols *s, uint64_t addr, uint64_t size, const char *name, size_t len)
{
	uint64_t end;
	char *copy;

	if (len > PROF_LONGEST_NAME)
		len = PROF_LONGEST_NAME;
	if (s->n == MOST_SYMBOLS || len > MOST_NAMES - s->bytes)
		return false;
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 1024;
		struct prof_symbol *more = realloc(s->at, room * sizeof *more);

		if (!more)
			return false;
		s->at = more;
		s->room = room;
	}
	copy = strndup(name, len);
	if (!copy)
		return false;
	text_plain(copy);
	if (__builtin_add_overflow(addr, size, &end))
		end = 0;
	s->at[s->n] = (struct prof_symbol){ .addr = addr, .end = size ? end : 0, .name = copy, .order = (uint32_t)s->n, .function = UINT32_MAX };
	s->n++;
	s->bytes += len;
	return true;
}

void prof_symbols_free(struct prof_symbols *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->at[i].name);
	free(s->at);
}

bool prof_symbols_take(struct prof_symbols *s, const struct prof *p, struct error *err)
{
	for (uint32_t i = 0; i < p->nsymbols; i++) {
		if (prof_symbols_add(s, p->symbols[i].addr, 0, p->symbols[i].name, p->symbols[i].len))
			continue;
		error_set(err, "out of memory");
		return false;
	}
	return true;
}

/* ---- System.map: "ADDRESS TYPE NAME" in each line ---- */

static const char function_types[] = "tTwWiV";

/* *addr stays 0 in a line about something that is no function. False: it is no such line. */
static bool take_line(const char *line, size_t len, uint64_t *addr, const char **name, size_t *name_len, char *type)
{
	size_t digits = 0;

	*addr = 0;
	while (digits < len && digits < 17 && strchr("0123456789abcdefABCDEF", line[digits]) && line[digits])
		digits++;
	if (!digits || digits > 16 || len < digits + 4 || line[digits] != ' ' || line[digits + 2] != ' ')
		return false;
	for (size_t i = 0; i < digits; i++)
		*addr = *addr << 4 | (uint64_t)(line[i] <= '9' ? line[i] - '0' : (line[i] | 0x20) - 'a' + 10);
	*type = line[digits + 1];
	*name = line + digits + 3;
	*name_len = len - digits - 3;
	return !memchr(*name, 0, *name_len);
}

static bool read_map(struct prof_symbols *s, const char *bytes, size_t size, uint64_t place, struct error *why)
{
	const char *end = bytes + size, *next;
	unsigned number = 0;

	for (const char *line = bytes; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line)), *name;
		size_t len = (size_t)((stop ? stop : end) - line), name_len;
		uint64_t addr;
		char type;

		next = line + len + 1;
		number++;
		if (!len)
			continue;
		if (!take_line(line, len, &addr, &name, &name_len, &type)) {
			error_set(why, number == 1 ? "is neither an ELF file nor a System.map" : "line %u is not of a System.map", number);
			return false;
		}
		if (type && strchr(function_types, type) && !prof_symbols_add(s, addr + place, 0, name, name_len)) {
			error_set(why, "has too many symbols");
			return false;
		}
	}
	return true;
}

/* ---- Either ---- */

/* What follows the last @, if it is a number. */
static bool split_place(char *path, uint64_t *place)
{
	char *at = strrchr(path, '@'), *end;

	if (!at || at == path || !at[1] || at[1] == '-' || at[1] == '+' || at[1] == ' ')
		return false;
	errno = 0;
	*place = strtoull(at + 1, &end, 0);
	if (errno || *end)
		return false;
	*at = 0;
	return true;
}

bool prof_symbols_load(struct prof_symbols *s, const char *text, struct error *err)
{
	char *path = strdup(text);
	uint64_t place = 0;
	bool placed, ok = false;
	struct error why = { .msg = "" };
	uint8_t *bytes;
	size_t size;

	if (!path) {
		error_set(err, "out of memory");
		return false;
	}
	placed = split_place(path, &place);
	bytes = prof_load(path, MOST_BYTES, &size, err);
	if (bytes) {
		ok = prof_is_elf(bytes, size) ? prof_elf_read(s, bytes, size, placed, place, &why)
					      : read_map(s, (const char *)bytes, size, place, &why);
		if (!ok)
			error_set(err, "%.100s: %.120s", path, why.msg);
	}
	free(bytes);
	free(path);
	return ok;
}

/* ---- Search ---- */

static int by_address(const void *a, const void *b)
{
	const struct prof_symbol *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void prof_symbols_sort(struct prof_symbols *s)
{
	size_t kept = 0;

	if (s->n)
		qsort(s->at, s->n, sizeof *s->at, by_address);
	for (size_t i = 0; i < s->n; i++) {
		if (kept && s->at[i].addr == s->at[kept - 1].addr)
			free(s->at[i].name);
		else
			s->at[kept++] = s->at[i];
	}
	s->n = kept;
}

struct prof_symbol *prof_symbols_find(const struct prof_symbols *s, uint64_t addr)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->at[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	low--;
	return (s->at[low].end ? addr < s->at[low].end : addr - s->at[low].addr < MOST_GAP) ? &s->at[low] : NULL;
}

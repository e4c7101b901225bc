/* JSON as QEMU prints it for people: a member or element a line, four blanks deeper for each level. */
#include "machine/monitor/monitor.h"

#include <string.h>

static void new_line(FILE *out, unsigned depth)
{
	fprintf(out, "\n%*s", (int)(4 * depth), "");
}

/* Behind the string that begins at `s`. */
static const char *string_end(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		s += *s == '\\' && s + 1 < end;
	return s < end ? s + 1 : s;
}

static bool opens(char c) { return c == '{' || c == '['; }
static bool closes(char c) { return c == '}' || c == ']'; }

/* One value, which is our own and well formed. */
static void print_line(FILE *out, const char *s, const char *end)
{
	unsigned depth = 0;

	while (s < end) {
		const char *behind = *s == '"' ? string_end(s, end) : s + 1;

		if (closes(*s))
			new_line(out, --depth);
		if (*s != ' ')
			fwrite(s, 1, (size_t)(behind - s), out);
		depth += opens(*s);
		/* What is empty has no line of its own. */
		if (*s == ',' || (opens(*s) && behind < end && !closes(*behind)))
			new_line(out, depth);
		else if (*s == ':')
			fputc(' ', out);
		s = behind;
	}
}

void json_pretty(FILE *out, const char *text, size_t len)
{
	for (const char *end = text + len; text < end;) {
		const char *nl = memchr(text, '\n', (size_t)(end - text));

		print_line(out, text, nl ? nl : end);
		if (nl)
			fputc('\n', out);
		text = nl ? nl + 1 : end;
	}
}

/* Scanning text: by loops over bytes, and by the C library's functions, on the same text. */
#include "bench.h"

#define SIZE	16384

/* As the C library has them, a byte at a time; the compiler must not put a call in their place. */
#define PLAIN	static __attribute__((noinline, optimize("no-tree-loop-distribute-patterns", \
						         "no-tree-loop-optimize")))

PLAIN size_t plain_strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return end - s;
}

PLAIN const char *plain_strchr(const char *s, char c)
{
	for (; *s; s++)
		if (*s == c)
			return s;
	return NULL;
}

PLAIN const char *plain_strstr(const char *s, const char *wanted)
{
	for (; *s; s++) {
		size_t i = 0;
		while (wanted[i] && s[i] == wanted[i])
			i++;
		if (!wanted[i])
			return s;
	}
	return NULL;
}

/* Lower-case words between spaces, a line end after every seventh. */
static void write_text(char *text)
{
	uint64_t seed = 9;
	uint32_t words = 0;

	for (uint32_t i = 0; i < SIZE - 1;) {
		for (uint32_t n = 1 + bench_random(&seed) % 9; n && i < SIZE - 2; n--)
			text[i++] = 'a' + bench_random(&seed) % 26;
		text[i++] = ++words % 7 ? ' ' : '\n';
	}
	text[SIZE - 9] = 'Q';
	text[SIZE - 1] = 0;
}

static uint64_t plain_work(const char *text, uint64_t sum)
{
	const char *line = text, *end;

	for (; (end = plain_strchr(line, '\n')); line = end + 1)
		sum += (end - line) * (sum & 7);
	sum = bench_add(sum, plain_strlen(text));
	return bench_add(sum, plain_strstr(text, "Q") - text);
}

static uint64_t library_work(const char *text, uint64_t sum)
{
	const char *line = text, *end;

	for (; (end = memchr(line, '\n', text + SIZE - line)); line = end + 1)
		sum += (end - line) * (sum & 7);
	for (line = text; (end = strchr(line, ' ')); line = end + 1)
		sum += strncmp(line, "fix", 3) < 0;
	sum = bench_add(sum, strlen(text));
	sum = bench_add(sum, strstr(text, "qzQzq") == NULL);
	return bench_add(sum, strcspn(text, "0123Q"));
}

int main(int argc, char **argv)
{
	static char text[SIZE], copy[SIZE];
	uint64_t sum = 0;

	write_text(text);
	for (uint64_t work = bench_work(argc, argv, 1900); work; work--) {
		sum = plain_work(text, sum);
		sum = library_work(text, sum);
		strcpy(copy, text);
		bench_touch(copy);
		sum = bench_add(sum, strcmp(copy, text));
	}
	return bench_done("text", sum);
}

/* Telnet's commands among a client's bytes: what is left of those, what they are answered. */
#include "machine/host/telnet.h"

#include <string.h>

#include "check.h"

#define B(text) (const uint8_t *)(text), sizeof(text) - 1

/* The same bytes at once and one at a time: what is left of them, what they are answered. */
static void telnet_says(const char *name, struct telnet *t, const uint8_t *in, size_t n, const uint8_t *left, size_t left_n, const uint8_t *answer, size_t answer_n)
{
	struct telnet whole = *t, piecewise = *t;
	uint8_t buf[64], answers[64 + TELNET_ANSWER], got[64], got_answers[128];
	size_t answered, kept, m = 0, k = 0;

	memcpy(buf, in, n);
	kept = telnet_take(&whole, buf, n, answers, &answered);
	check(kept == left_n && !memcmp(buf, left, left_n), "%s: the stream's bytes (%zu)", name, kept);
	check(answered == answer_n && !memcmp(answers, answer, answer_n), "%s: answers (%zu bytes)", name, answered);
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = in[i], one[1 + TELNET_ANSWER];

		if (telnet_take(&piecewise, &byte, 1, one, &answered))
			got[m++] = byte;
		memcpy(got_answers + k, one, answered);
		k += answered;
	}
	check(m == kept && !memcmp(got, buf, m) && k == answer_n && !memcmp(got_answers, answers, k), "%s: a byte at a time", name);
	*t = whole;
}

static void test_telnet(void)
{
	struct telnet t;
	size_t n;
	const uint8_t *greeting = telnet_begin(&t, &n);

	check(n >= 12 && !memcmp(greeting, "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00", 12), "greeting");
	telnet_says("text", &t, B("abc"), B("abc"), B(""));
	telnet_says("enter", &t, B("a\r\0b\r\nc\rd"), B("a\rb\rc\rd"), B(""));
	telnet_says("agreement", &t, B("\xff\xfd\x01\xff\xfd\x03\xff\xfd\x00\xff\xfb\x00"), B(""), B(""));
	telnet_says("bytes-as-they-are", &t, B("a\r\0b\r\nc\xff\xff\x80"), B("a\r\0b\r\nc\xff\x80"), B(""));
	telnet_says("no-longer", &t, B("\xff\xfc\x00\r\n"), B("\r"), B(""));
	telnet_says("offers", &t, B("\xff\xfb\x18\xff\xfb\x03\xff\xfb\x03\xff\xfd\x05x"), B("x"), B("\xff\xfe\x18\xff\xfd\x03\xff\xfc\x05"));
	telnet_says("refusals-want-no-answer", &t, B("\xff\xfc\x18\xff\xfe\x01\xff\xfe\x63"), B(""), B(""));
	telnet_says("commands", &t, B("a\xff\xf1\xff\xf3\xff\xf4\xff\xf6" "b"), B("ab"), B(""));
	check(!t.sized, "no-size-yet");
	telnet_says("size", &t, B("\xff\xfa\x1f\x00\x84\x00\x2b\xff\xf0!"), B("!"), B(""));
	check(t.sized && t.cols == 132 && t.rows == 43, "is %u by %u", t.cols, t.rows);
	telnet_says("size-of-255", &t, B("\xff\xfa\x1f\x00\xff\xff\x00\xff\xff\xff\xf0"), B(""), B(""));
	check(t.cols == 255 && t.rows == 255, "is %u by %u", t.cols, t.rows);
	telnet_says("size-too-short-and-long", &t, B("\xff\xfa\x1f\x00\x01\x00\xff\xf0\xff\xfa\x1f\x00\x01\x00\x02\x03\xff\xf0"), B(""), B(""));
	check(t.cols == 255, "is-none");
	telnet_says("suboption-cut-short", &t, B("\xff\xfa\x18" "abc\xff\xfd\x2a" "d"), B("d"), B("\xff\xfc\x2a"));
	telnet_says("suboption-without-end", &t, B("\xff\xfa\x18" "abcdefghijklmnopqrstuvwxyz"), B(""), B(""));
	telnet_says("its-end", &t, B("\xff\xf0z"), B("z"), B(""));
}

int main(void)
{
	test_telnet();
	return check_done();
}

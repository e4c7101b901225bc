/*
 * What an embedded processor's benchmark does, in turns: a list that is searched, sorted and reversed;
 * matrices of 16 bits; a state machine that reads numbers; and a CRC over all the results.
 */
#include "bench.h"

#define ITEMS	64
#define N	12

struct item {
	struct item *next;
	int16_t      value, place;
};

static uint16_t crc16(uint16_t crc, uint32_t value)
{
	for (int i = 0; i < 32; i++, value >>= 1)
		crc = crc >> 1 ^ ((crc ^ value) & 1 ? 0xa001 : 0);
	return crc;
}

/* ---- List ---- */
static struct item *reverse(struct item *list)
{
	struct item *done = NULL;

	while (list) {
		struct item *rest = list->next;
		list->next = done;
		done = list;
		list = rest;
	}
	return done;
}

static struct item *merge(struct item *a, struct item *b)
{
	struct item *head, **tail = &head;

	for (; a && b; tail = &(*tail)->next) {
		struct item **least = b->value < a->value ? &b : &a;
		*tail = *least;
		*least = (*least)->next;
	}
	*tail = a ? a : b;
	return head;
}

static struct item *sort(struct item *list, uint32_t length)
{
	struct item *half = list, *end;

	if (length < 2)
		return list;
	for (uint32_t i = 1; i < length / 2; i++)
		half = half->next;
	end = half;
	half = half->next;
	end->next = NULL;
	list = sort(list, length / 2);
	return merge(list, sort(half, length - length / 2));
}

static uint16_t list_work(uint16_t crc, uint64_t *seed)
{
	static struct item items[ITEMS];
	struct item *list = NULL;

	for (uint32_t i = 0; i < ITEMS; i++) {
		items[i] = (struct item){ list, bench_random(seed) & 0x7fff, i };
		list = &items[i];
	}
	list = reverse(list);
	for (int16_t wanted = 0; wanted < ITEMS; wanted += 5) {
		struct item *at = list;
		while (at->place != wanted)
			at = at->next;
		at->value ^= wanted;
	}
	list = sort(list, ITEMS);
	for (; list; list = list->next)
		if (list->place % 4 == 0)
			crc = crc16(crc, list->value);
	return crc;
}

/* ---- Matrices ---- */
static uint16_t matrix_work(uint16_t crc, uint64_t *seed)
{
	static int16_t a[N][N], b[N][N];
	int32_t trace = 0;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = bench_random(seed) & 0xff;
			b[i][j] = a[i][j] * (i + 1) - j;
		}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			int32_t cell = 0;
			for (int k = 0; k < N; k++)
				cell += a[i][k] * b[k][j];
			trace += (cell >> 2 & 15) * (cell >> 5 & 127);
		}
	return crc16(crc, trace);
}

/* ---- State machine: which of the words are numbers, and of what kind ---- */
enum state { START, SIGN, INTEGER, POINT, FRACTION, EXPONENT, SCALE, WRONG, STATES };

static enum state step(enum state state, char c)
{
	const int digit = c >= '0' && c <= '9';

	switch (state) {
	case START:
		if (c == '+' || c == '-')
			return SIGN;
		/* fall through */
	case SIGN:
		return digit ? INTEGER : c == '.' ? POINT : WRONG;
	case INTEGER:
		return digit ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : WRONG;
	case POINT:
		return digit ? FRACTION : WRONG;
	case FRACTION:
		return digit ? FRACTION : c == 'e' ? EXPONENT : WRONG;
	case EXPONENT:
		return digit || c == '-' ? SCALE : WRONG;
	case SCALE:
		return digit ? SCALE : WRONG;
	default:
		return WRONG;
	}
}

static uint16_t state_work(uint16_t crc, uint64_t *seed)
{
	static const char *const words[] = {
		"5012", "-874", "+122", "35.54400", ".1234500", "-110.700", "5.500e3", "-.123e-2",
		"-87e832", "+0.6e-12", "T0.3e-1F", "-T.T++Tq", "1T3.4e4z", "34.0e-T^",
	};
	uint32_t ends[STATES] = { 0 };

	for (uint32_t i = 0; i < 32; i++) {
		const char *word = words[bench_random(seed) % ARRAY_SIZE(words)];
		enum state state = START;
		while (*word && state != WRONG)
			state = step(state, *word++);
		ends[state]++;
	}
	for (uint32_t i = 0; i < STATES; i++)
		crc = crc16(crc, ends[i]);
	return crc;
}

int main(int argc, char **argv)
{
	uint64_t seed = 5;
	uint16_t crc = 0;

	for (uint64_t work = bench_work(argc, argv, 24000); work; work--) {
		crc = list_work(crc, &seed);
		crc = matrix_work(crc, &seed);
		crc = state_work(crc, &seed);
	}
	return bench_done("coremix", bench_add(seed, crc));
}

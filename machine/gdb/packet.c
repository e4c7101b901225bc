#include "machine/gdb/packet.h"

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void keep(struct gdb_reader *r, uint8_t byte)
{
	if (r->len < GDB_PACKET)
		r->data[r->len++] = byte;
	else
		r->too_long = true;
}

static void begin(struct gdb_reader *r)
{
	r->state = READ_DATA;
	r->len = 0;
	r->sum = 0;
	r->too_long = false;
}

static enum gdb_coming end(struct gdb_reader *r, bool right)
{
	r->state = READ_IDLE;
	r->data[r->len] = 0;
	return right && !r->too_long ? GDB_WHOLE : GDB_DAMAGED;
}

enum gdb_coming gdb_take_byte(struct gdb_reader *r, uint8_t byte)
{
	int digit = digit_of((char)byte);

	if (byte == '$') {		/* never within one */
		begin(r);
		return GDB_NOTHING;
	}
	switch (r->state) {
	case READ_IDLE:
		return byte == 3 ? GDB_INTERRUPT : GDB_NOTHING;
	case READ_DATA:
		if (byte == '#') {
			r->state = READ_SUM_HIGH;
			return GDB_NOTHING;
		}
		r->sum += byte;
		if (byte == '}')
			r->state = READ_ESCAPED;
		else
			keep(r, byte);
		return GDB_NOTHING;
	case READ_ESCAPED:
		r->sum += byte;
		keep(r, byte ^ 0x20);
		r->state = READ_DATA;
		return GDB_NOTHING;
	case READ_SUM_HIGH:
		r->wanted = (uint8_t)(digit << 4);
		r->state = READ_SUM_LOW;
		return digit < 0 ? end(r, false) : GDB_NOTHING;
	default:
		return end(r, digit >= 0 && (uint8_t)(r->wanted | digit) == r->sum);
	}
}

size_t gdb_frame(const void *text, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = text;
	size_t n = 0;
	uint8_t sum = 0;

	out[n++] = '$';
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = from[i];

		if (byte == '$' || byte == '#' || byte == '}' || byte == '*') {
			out[n++] = '}';
			sum += '}';
			byte ^= 0x20;
		}
		out[n++] = (char)byte;
		sum += byte;
	}
	out[n++] = '#';
	out[n++] = digits[sum >> 4];
	out[n++] = digits[sum & 15];
	return n;
}

bool gdb_number(const char **text, uint64_t *value)
{
	const char *at = *text;
	unsigned digits = 0;

	*value = 0;
	for (; digit_of(*at) >= 0; at++) {
		if (*value >> 60)
			return false;
		*value = *value << 4 | (unsigned)digit_of(*at);
		digits++;
	}
	*text = at;
	return digits;
}

bool gdb_bytes(const char **text, uint8_t *out, size_t n)
{
	for (; n; n--, *text += 2) {
		int high = digit_of((*text)[0]), low = high < 0 ? -1 : digit_of((*text)[1]);

		if (low < 0)
			return false;
		*out++ = (uint8_t)(high << 4 | low);
	}
	return true;
}

void gdb_put_bytes(char *out, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (; n; n--, bytes++) {
		*out++ = digits[*bytes >> 4];
		*out++ = digits[*bytes & 15];
	}
	*out = 0;
}

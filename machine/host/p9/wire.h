/* Numbers and strings of 9P messages, little-endian. What reads behind a message's end gets zeros and is `bad`; what does not
 * fit into an answer is `full`. */
#ifndef MACHINE_HOST_P9_WIRE_H
#define MACHINE_HOST_P9_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct wire_in {
	const uint8_t *at;
	uint32_t left;
	bool bad;
};

struct wire_out {
	uint8_t *buf;
	uint32_t at, room;
	bool full;
};

/* The next n bytes; NULL: there are fewer. */
static inline const uint8_t *get_bytes(struct wire_in *in, uint32_t n)
{
	const uint8_t *at = in->at;

	if (in->bad || n > in->left) {
		in->bad = true;
		return NULL;
	}
	in->at += n;
	in->left -= n;
	return at;
}

static inline uint64_t get_number(struct wire_in *in, uint32_t bytes)
{
	const uint8_t *at = get_bytes(in, bytes);
	uint64_t value = 0;

	for (uint32_t i = 0; at && i < bytes; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

static inline uint8_t get8(struct wire_in *in) { return (uint8_t)get_number(in, 1); }
static inline uint16_t get16(struct wire_in *in) { return (uint16_t)get_number(in, 2); }
static inline uint32_t get32(struct wire_in *in) { return (uint32_t)get_number(in, 4); }
static inline uint64_t get64(struct wire_in *in) { return get_number(in, 8); }

/* Into buf, with a NUL. False: it is too long for it, or has a NUL within; or the message is bad. */
static inline bool get_text(struct wire_in *in, char *buf, uint32_t size)
{
	uint16_t n = get16(in);
	const uint8_t *at = get_bytes(in, n);

	buf[0] = 0;
	if (!at || n >= size || memchr(at, 0, n))
		return false;
	memcpy(buf, at, n);
	buf[n] = 0;
	return true;
}

/* Room for n bytes; NULL: there is none. */
static inline uint8_t *put_room(struct wire_out *out, uint32_t n)
{
	uint8_t *at = out->buf + out->at;

	if (out->full || n > out->room - out->at) {
		out->full = true;
		return NULL;
	}
	out->at += n;
	return at;
}

static inline void put_number(struct wire_out *out, uint64_t value, uint32_t bytes)
{
	uint8_t *at = put_room(out, bytes);

	for (uint32_t i = 0; at && i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static inline void put8(struct wire_out *out, uint8_t value) { put_number(out, value, 1); }
static inline void put16(struct wire_out *out, uint16_t value) { put_number(out, value, 2); }
static inline void put32(struct wire_out *out, uint32_t value) { put_number(out, value, 4); }
static inline void put64(struct wire_out *out, uint64_t value) { put_number(out, value, 8); }

static inline void put_text(struct wire_out *out, const char *text, uint16_t n)
{
	uint8_t *at;

	put16(out, n);
	at = put_room(out, n);
	if (at && n)
		memcpy(at, text, n);
}

#endif

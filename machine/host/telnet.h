/* Telnet, a server's side: commands among what a client sends, and what they are answered. RFC 854, 855, 1143;
 * options: binary (RFC 856), echo (857), suppress go ahead (858), window size (1073). */
#ifndef MACHINE_HOST_TELNET_H
#define MACHINE_HOST_TELNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TELNET_IAC 255			/* begins a command; as a byte of the stream it is sent twice */
#define TELNET_ANSWER 3			/* bytes of one answer */

struct telnet {
	uint8_t state;			/* enum telnet_state */
	uint8_t verb;			/* WILL, WONT, DO, DONT: its option follows */
	uint8_t option;			/* of the subnegotiation that is under way */
	uint8_t bytes;			/* of it that are in `size` */
	uint8_t size[4];
	bool binary;			/* the client sends bytes as they are, and no CR NUL or CR LF for Enter */
	bool after_cr;
	bool welcomed;			/* "suppress go ahead" has been agreed to */
	bool sized;			/* it has said how large its window is: */
	uint16_t cols, rows;
};

/* A client has come. What it is to be sent first: *len bytes. */
const uint8_t *telnet_begin(struct telnet *t, size_t *len);
/* Leaves in `buf` the bytes that are the stream's, and returns how many. `answers` has room for `len` + TELNET_ANSWER bytes, as
 * no answer is longer than the command that it is for; *answered: how many are in it. */
size_t telnet_take(struct telnet *t, uint8_t *buf, size_t len, uint8_t *answers, size_t *answered);

#endif

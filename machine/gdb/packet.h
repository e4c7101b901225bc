/* Packets of gdb's remote serial protocol: "$DATA#SUM" with '}' before bytes that mean something else. What comes is cut into packets, a byte
 * at a time; nothing of a packet is trusted but that it has a sum.
 * Source: Debugging with GDB, appendix E, "GDB Remote Serial Protocol". */
#ifndef MACHINE_GDB_PACKET_H
#define MACHINE_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET 16384u		/* bytes of one, unescaped, at most */

enum gdb_coming { GDB_NOTHING, GDB_WHOLE, GDB_DAMAGED, GDB_INTERRUPT };

struct gdb_reader {
	enum { READ_IDLE, READ_DATA, READ_ESCAPED, READ_SUM_HIGH, READ_SUM_LOW } state;
	uint8_t sum, wanted;
	bool too_long;
	size_t len;
	uint8_t data[GDB_PACKET + 1];	/* of the last whole one; a 0 behind it */
};

/* GDB_WHOLE: data is a packet. GDB_DAMAGED: one whose sum is wrong, or that is too long. GDB_INTERRUPT: Ctrl-C. */
enum gdb_coming gdb_take_byte(struct gdb_reader *r, uint8_t byte);
/* `text` as a packet; `out` has room for GDB_FRAMED(len). How long it is. */
#define GDB_FRAMED(len) (2 * (len) + 4)
size_t gdb_frame(const void *text, size_t len, char *out);

/* Numbers in hexadecimal, and bytes in pairs of digits. *text moves behind them; false: there is none, or it is too large. */
bool gdb_number(const char **text, uint64_t *value);
bool gdb_bytes(const char **text, uint8_t *out, size_t n);
void gdb_put_bytes(char *out, const uint8_t *bytes, size_t n);	/* 2 n digits and a 0 */

#endif

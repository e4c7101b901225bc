/* What a guest does to its terminal, by the first letter from it: see tests/fault/files.py and tests/guest/terminal.py.
 *
 *   h  says hello, and switches off
 *   r  takes all that comes, sleeping until the terminal's interrupt in between, up to a '$'
 *   s  the same, but slowly
 *   e  says each byte again, up to a '$'
 *   n  never reads
 *   p  writes many lines as fast as it can, and switches off
 */
#include "lib.h"

#define LINES 20000u
#define DEC_FAR 0x7fffffff

static struct {
	char bytes[16];
	u64 n, at;
} packet;
static u64 taken, sum;

static bool more(void)
{
	u64 out[9];

	hcall_out(out, H_GET_TERM_CHAR, VTY);
	packet.n = out[0];
	packet.at = 0;
	for (u64 i = 0; i < packet.n; i++)
		packet.bytes[i] = (char)(out[1 + i / 8] >> (56 - i % 8 * 8));
	return packet.n;
}

static void back(struct cpu *c)
{
	u64 out[9];

	if (c->vector != 0x500) {
		mtspr(22, DEC_FAR);
		return;
	}
	hcall_out(out, H_XIRR, 0xff);
	hcall(H_EOI, out[0]);
}

static void wait_for_input(void)
{
	u32 in[3] = { 0x1100, 0, 5 };

	on_interrupt = back;
	mtspr(22, DEC_FAR);
	check_eq((u64)rtas(0x200a, 3, 1, in, NULL), 0, "set-xive");
	check_eq((u64)hcall(0x104, VTY, 1), 0, "vio-signal");
	hcall(H_CPPR, 0xff);
}

static char byte(void)
{
	while (packet.at == packet.n && !more())
		hcall(H_CEDE);
	return packet.bytes[packet.at++];
}

/* When it came is part of the sum. */
static void take(u64 delay)
{
	char c;

	while ((c = byte()) != '$') {
		u64 until = mftb() + delay;

		taken++;
		sum = sum * 31 + (u8)c + mftb();
		while (delay && mftb() < until)
			;
	}
	print("taken %u\n", (unsigned)taken);
}

static void echo(void)
{
	char c;

	while ((c = byte()) != '$')
		hcall(H_PUT_TERM_CHAR, VTY, 1, (u64)(u8)c << 56);
	print("bye\n");
}

void test(void)
{
	print("ready\n");
	wait_for_input();
	switch (byte()) {
	case 'h':
		print("hello\n");
		break;
	case 'r':
		take(0);
		break;
	case 's':
		take(500);		/* a microsecond each */
		break;
	case 'e':
		echo();
		break;
	case 'n':
		print("deaf\n");
		for (;;)
			hcall(H_CEDE);
	case 'p':
		for (u64 i = 0; i < LINES; i++)
			print("line %u of many\n", (unsigned)i);
		break;
	}
}

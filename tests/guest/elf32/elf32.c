/* A 32-bit big-endian program, as zImage.pseries is one: it lies where it is linked (64 MiB) and is entered in 32-bit mode, with
 * r5 leading to Open Firmware. It asks for its memory, for RTAS, and switches off.
 * Source: PowerPC Processor binding to IEEE 1275, "Client Program Requirements"; PAPR, "RTAS Call Mechanism". */
typedef unsigned u32;
typedef unsigned char u8;

#define LINKED     0x04000000u
#define OF_ERROR   0xffffffffu
#define POWER_OFF  0x2003u

_Static_assert(sizeof(void *) == 4, "a 32-bit program");

extern char _end[];
static u32 (*firmware)(u32 *cells);
static u32 out, failures, facts;
static u32 zeros[64];			/* not in the file */
static u32 numbers[4] = { 1, 2, 3, 4 };

__asm__(".section .text.first,\"ax\"\n.globl _start\n_start:\n\tb start\n.text\n");

/* Up to four arguments; the first result. */
static u32 call(const char *service, u32 n, u32 a, u32 b, u32 c, u32 d)
{
	u32 cells[3 + 4 + 2] = { (u32)service, n, 2, a, b, c, d };

	if (n < 4)
		cells[3 + n] = 0;
	for (cells[2] = 1; cells[2] < 3; cells[2]++)
		if (!firmware(cells))
			return cells[3 + n];
	return OF_ERROR;
}

static u32 length(const char *s)
{
	u32 n = 0;

	while (s[n])
		n++;
	return n;
}

static void print(const char *s)
{
	call("write", 3, out, (u32)s, length(s), 0);
}

static void check(int fact, const char *name)
{
	print(fact ? "ok " : "FAIL ");
	print(name);
	print("\r\n");
	failures += !fact;
	facts++;
}

static u32 property(const char *path, const char *name)
{
	u32 value = OF_ERROR;

	call("getprop", 4, call("finddevice", 1, (u32)path, 0, 0, 0), (u32)name, (u32)&value, sizeof value);
	return value;
}

/* The upper half of MSR is what a rotation by 32 brings down. */
static u32 msr_high(void)
{
	u32 v;

	__asm__("mfmsr %0\n\t.machine push\n\t.machine power9\n\trldicl %0,%0,32,32\n\t.machine pop" : "=r"(v));
	return v;
}

static u32 here(void)
{
	u32 v;

	__asm__("bcl 20,31,1f\n1:\tmflr %0" : "=r"(v) : : "lr");
	return v;
}

/* Fewer than ten facts. */
static void switch_off(void)
{
	u32 rtas = call("open", 1, (u32)"/rtas", 0, 0, 0), base = call("claim", 3, 0, 0x10000, 0x10000, 0);
	u32 cells[3 + 3 + 2] = { (u32)"call-method", 3, 2, (u32)"instantiate-rtas", rtas, base }, args[6] = { POWER_OFF, 2, 1, OF_ERROR, OF_ERROR };
	u32 (*entry)(u32 *args, u32 base);

	check(!firmware(cells) && !cells[6] && cells[7], "RTAS");
	entry = (u32 (*)(u32 *, u32))cells[7];
	print("done ");
	print((char[]){ (char)('0' + facts % 10), '\r', '\n', 0 });
	if (!failures)
		entry(args, base);
	call("exit", 0, 0, 0, 0, 0);
}

void start(u32 initrd, u32 size, u32 entry)
{
	u32 root, own;

	firmware = (u32 (*)(u32 *))entry;
	out = property("/chosen", "stdout");
	root = call("peer", 1, 0, 0, 0, 0);
	check(root != OF_ERROR && root, "Open Firmware answers");
	check(!(msr_high() >> 31), "32-bit mode");
	own = here();
	check(own >= LINKED && own < (u32)_end, "it lies where it is linked");
	check(!initrd == !size && (!size || initrd >= (u32)_end), "an initrd lies behind it");
	check(!zeros[0] && !zeros[63] && numbers[3] == 4, "data");
	check(property("/chosen", "linux,initrd-start") == (size ? initrd : OF_ERROR), "the tree has the initrd");
	check(call("claim", 3, LINKED, 0x1000, 0, 0) == OF_ERROR, "its memory is claimed");
	check(call("claim", 3, 0x400000, 0x1000, 0, 0) == 0x400000, "where 64-bit kernels lie is free");
	switch_off();
	for (;;)
		;
}

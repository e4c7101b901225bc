/* A process that debugs its child as gdb does: a hardware watchpoint by ptrace, then single steps. No C library; a line for
 * each fact. */
#include "process.h"

enum { GETPID = 20, PTRACE = 26, KILL = 37, WAIT4 = 114, CLONE = 120 };
enum { TRACEME = 0, PEEKDATA = 2, PEEKUSER = 3, CONT = 7, SINGLESTEP = 9, GETHWDBGINFO = 0x89, SETHWDEBUG = 0x88, DELHWDEBUG = 0x87, GETSIGINFO = 0x4202 };
enum { SIGSTOP = 19, SIGCHLD = 17, NIP = 32 * 8, TRIGGER_READ = 2, TRIGGER_WRITE = 4 };

/* r3: what is watched, its neighbour behind it. */
void touch(uint64_t *watched);
extern char touch_load[], touch_store[];
__asm__(".text\n.balign 4\n.globl touch\ntouch:\n\tli 4,7\n\tstd 4,8(3)\ntouch_load:\n\tld 5,0(3)\n\tnop\n"
	"touch_store:\n\tstd 4,0(3)\n\tnop\n\tnop\n\tblr\n");

static uint64_t cells[2] __attribute__((aligned(16)));

static uint64_t peek(long pid, long request, const void *at)
{
	uint64_t value = 0;

	call(PTRACE, request, pid, (long)at, (long)&value);
	return value;
}

static int stopped(long pid)
{
	int status = 0;

	call(WAIT4, pid, (long)&status, 0, 0);
	return (status & 0xff) == 0x7f ? status >> 8 & 0xff : 0;
}

/* Where the child stands: at the load 1, at the store 2, elsewhere 0. */
static unsigned place(long pid)
{
	uint64_t nip = peek(pid, PEEKUSER, (void *)NIP);

	return nip == (uint64_t)touch_load ? 1 : nip == (uint64_t)touch_store ? 2 : 0;
}

static long watch(long pid, unsigned trigger)
{
	struct { uint32_t version, trigger, address_mode, condition_mode; uint64_t address, address2, condition; } what = {
		1, trigger, 0, 0, (uint64_t)&cells[0], 0, 0 };

	return call(PTRACE, SETHWDEBUG, pid, 0, (long)&what);
}

static void debug(long pid)
{
	struct { uint32_t version, ibps, dbps, conditions, alignment, size; uint64_t features; } info = { 0 };
	struct { int number, error, code, pad; uint64_t address; uint64_t rest[14]; } why;
	uint64_t from;
	long handle;

	say("stopped ", stopped(pid));
	call(PTRACE, GETHWDBGINFO, pid, 0, (long)&info);
	say("watchpoints ", info.dbps);
	handle = watch(pid, TRIGGER_WRITE);
	say("set ", handle > 0);
	call(PTRACE, CONT, pid, 0, 0);
	say("signal ", stopped(pid));
	call(PTRACE, GETSIGINFO, pid, 0, (long)&why);
	say("code ", why.code);
	say("address ", why.address == (uint64_t)&cells[0]);
	say("place ", place(pid));
	say("not-yet ", peek(pid, PEEKDATA, &cells[0]));
	say("neighbour ", peek(pid, PEEKDATA, &cells[1]));
	from = peek(pid, PEEKUSER, (void *)NIP);
	for (unsigned i = 1; i <= 2; i++) {
		call(PTRACE, SINGLESTEP, pid, 0, 0);
		say("step ", stopped(pid));
		say("bytes ", peek(pid, PEEKUSER, (void *)NIP) - from);
	}
	say("stored ", peek(pid, PEEKDATA, &cells[0]));
	call(PTRACE, DELHWDEBUG, pid, 0, handle);	/* a processor may have but one */
	say("again ", watch(pid, TRIGGER_READ) > 0);
	call(PTRACE, CONT, pid, 0, 0);
	say("signal-2 ", stopped(pid));
	say("place-2 ", place(pid));
	call(PTRACE, CONT, pid, 0, 0);
	say("ended ", stopped(pid) == 0);
}

__attribute__((used)) static void run(void)
{
	long pid = call(CLONE, SIGCHLD, 0, 0, 0);

	if (pid) {
		debug(pid);
	} else {
		call(PTRACE, TRACEME, 0, 0, 0);
		call(KILL, call(GETPID, 0, 0, 0, 0), SIGSTOP, 0, 0);
		touch(cells);
		touch(cells);
	}
	call(EXIT, 0, 0, 0, 0);
	for (;;)
		;
}

/* r12 is here: the table of constants is found from it. */
__asm__(".text\n.globl _start\n_start:\n\taddis 2,12,.TOC.-_start@ha\n\taddi 2,2,.TOC.-_start@l\n"
	"\tstdu 1,-64(1)\n\tbl run\n\tnop\n");

/* The process's terminal and signals. */
#define _GNU_SOURCE
#include "machine/host/term.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "cpu/core/bits.h"
#include "machine/host/daemon.h"
#include "machine/host/message.h"

/* What a crash handler needs, at the start of the alternate signal stack: it finds the
 * place through sigaltstack(), so that no file-scope variable is needed. */
struct crash_note {
	volatile sig_atomic_t raw;
	struct termios saved;
	/* Memory that is a file's: if that is cut, or its disk fails, the host cannot give it any more. */
	const char *from, *to;
	char line[512];			/* what is said then */
};

#define TICK_SIGNAL  SIGVTALRM	/* SIGALRM is libFuzzer's; debuggers let both pass */
#define WAIT_TICKS   (1000 / TERM_TICK_MS)	/* until a line says what we wait for */
#define END_TICKS    (TERM_PATIENCE_MS / TERM_TICK_MS)
#define PATIENT_TICKS 6		/* until a line says why a signal has not ended us */

#define LINE_MOST   4096	/* bytes of a line of ours: more than a guest has for its last words */
#define CRASH_STACK 65536
#define CRASH_NOTE  4096	/* bytes before the stack that hold the note */

_Static_assert(sizeof(struct crash_note) <= CRASH_NOTE, "crash note");

struct term {
	int signal_fd;
	sigset_t caught;	/* what it reads */
	volatile sig_atomic_t signal;	/* first one that wants an end */
	volatile sig_atomic_t ends;	/* how many of those there were */
	bool quit, lost, raw, stdio_taken;
	bool wants_raw, keys_signal;	/* term_raw() */
	volatile sig_atomic_t save_asked;	/* SIGUSR1 has come */
	bool one_place;		/* standard output and error are the same file */
	bool mid_line;		/* the guest's last character was no newline */
	struct termios saved, current;
	struct crash_note *note;
	/* What the tick has, and those whom it interrupts. */
	timer_t timer;
	sigset_t still;		/* what is blocked, and it */
	bool timed;		/* there is one */
	volatile uint32_t *volatile halt;
	volatile sig_atomic_t ticked, patient, waiting, leaves;
	volatile sig_atomic_t cut_wait;		/* it was a wait that the signal has ended */
	volatile sig_atomic_t waited, unheeded;	/* ticks */
	struct message message;
	struct daemon *daemon;	/* NULL: it is none */
	char what[160];		/* the wait that began last */
	char end[224];		/* term_end() */
};

/* Crashes, and all other signals whose default is to end the process. */
static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGTRAP, SIGSYS, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF,
				     SIGIO, SIGPWR, SIGXCPU };

static const struct crash_note *find_note(void)
{
	stack_t stack;

	return !sigaltstack(NULL, &stack) && stack.ss_sp ? (const void *)((char *)stack.ss_sp - CRASH_NOTE) : NULL;
}

static void on_crash(int signal)
{
	const struct crash_note *note = find_note();

	if (note && note->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &note->saved);
	raise(signal);		/* SA_RESETHAND: this time for good */
}

static void on_bus(int signal, siginfo_t *info, void *context)
{
	const struct crash_note *note = find_note();
	const char *at = info->si_addr;

	(void)context;
	if (!note || !note->from || at < note->from || at >= note->to) {
		on_crash(signal);
		return;
	}
	if (note->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &note->saved);
	if (write(STDERR_FILENO, note->line, strlen(note->line)) < 0)
		raise(SIGKILL);
	_exit(EXIT_FAILURE);
}

/* Leaves handlers alone that somebody (a sanitizer) has installed before. */
static void catch_crashes(struct term *term)
{
	struct sigaction action = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER }, old;
	stack_t stack = { .ss_size = CRASH_STACK };
	char *area = term->note ? MAP_FAILED : mmap(NULL, CRASH_NOTE + CRASH_STACK, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (area == MAP_FAILED)
		return;		/* they are caught already, or cannot be */
	stack.ss_sp = area + CRASH_NOTE;
	if (sigaltstack(&stack, NULL)) {
		munmap(area, CRASH_NOTE + CRASH_STACK);
		return;
	}
	term->note = (void *)area;
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		if (!sigaction(crash_signals[i], NULL, &old) && !(old.sa_flags & SA_SIGINFO) &&
		    old.sa_handler == SIG_DFL)
			sigaction(crash_signals[i], &action, NULL);
}

/* A signal that our parent had ignored (nohup, a background job) stays ignored. */
static void add_unless_ignored(sigset_t *set, int signal)
{
	struct sigaction old;

	if (sigaction(signal, NULL, &old) || (old.sa_flags & SA_SIGINFO) || old.sa_handler != SIG_IGN)
		sigaddset(set, signal);
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return !fstat(a, &sa) && !fstat(b, &sb) && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* What our parent has closed must not become a file of ours that the guest then writes to. */
static void take_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* ---- The tick ----
 *
 * What follows, up to term_new(), runs in the handler: it calls nothing but what POSIX allows there. */

static size_t append_text(char *line, size_t at, size_t size, const char *text)
{
	while (*text && at < size - 1)
		line[at++] = *text++;
	line[at] = 0;
	return at;
}

static size_t append_number(char *line, size_t at, size_t size, unsigned n)
{
	char digits[12];
	size_t i = sizeof digits;

	digits[--i] = 0;
	do
		digits[--i] = (char)('0' + n % 10);
	while (n /= 10);
	return append_text(line, at, size, digits + i);
}

/* Nothing is written if standard error takes no bytes now: it may be what the process waits for. */
static void put_out(struct term *term, const char *a, const char *b, const char *c)
{
	struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };
	char line[384 + MESSAGE_PREFIX], prefix[MESSAGE_PREFIX];
	size_t at = append_text(line, 0, sizeof line, term->mid_line && term->one_place ? "\n" : "");

	term->mid_line = false;
	at = append_text(line, at, sizeof line, message_prefix(&term->message, prefix));
	at = append_text(line, append_text(line, append_text(line, at, sizeof line, a), sizeof line, b), sizeof line, c);
	at = append_text(line, at, sizeof line, "\n");
	if (poll(&fd, 1, 0) == 1 && fd.revents & POLLOUT && write(STDERR_FILENO, line, at) < 0)
		return;
}

static void describe_end(struct term *term)
{
	size_t at = append_text(term->end, 0, sizeof term->end, "ended by signal ");

	at = append_number(term->end, at, sizeof term->end, (unsigned)term->signal);
	if (term->cut_wait)
		append_text(term->end, append_text(term->end, at, sizeof term->end, " while waiting for "), sizeof term->end, term->what);
}

/* The run loop does not look at its signals, for whatever reason, so the process ends here. A file that is being written
 * is whole, or the old one is still there. */
static void end_here(struct term *term)
{
	if (term->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &term->saved);
	describe_end(term);
	put_out(term, "cede: ", term->end, "");
	_exit(EXIT_FAILURE);
}

static bool end_pending(void)
{
	sigset_t set;

	return !sigpending(&set) && (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGHUP) == 1);
}

static void on_tick(int number, siginfo_t *info, void *context);

/* SA_RESTART: after it system calls go on. */
static void handle_tick(int flags)
{
	struct sigaction action = { .sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | flags };

	sigemptyset(&action.sa_mask);
	sigaction(TICK_SIGNAL, &action, NULL);
}

/* A signal wants an end. */
static void hurry(struct term *term)
{
	if (term->patient) {
		term_signal(term);
		if (term->ends < 2) {
			if (++term->unheeded == PATIENT_TICKS)
				put_out(term, "cede: ending after ", term->what, "; another signal ends at once");
			return;
		}
		term->patient = 0;
		term->unheeded = 0;
		term->cut_wait = 1;
	}
	if (!term->unheeded++) {
		term->cut_wait |= term->waiting;
		handle_tick(0);
	}
	if (!term->leaves && term->unheeded >= END_TICKS) {
		term_signal(term);
		end_here(term);
	}
}

/* Whoever sends it: the timer alone says whose it is. */
static void on_tick(int number, siginfo_t *info, void *context)
{
	struct term *term = info->si_code == SI_TIMER ? info->si_value.sival_ptr : NULL;
	int error = errno;

	(void)number;
	(void)context;
	if (!term)
		return;
	term->ticked = 1;
	if (term->halt)
		*term->halt |= TERM_TICKED;
	if (term->waiting && ++term->waited == WAIT_TICKS)
		put_out(term, "cede: waiting for ", term->what, "");
	if (term->unheeded || term->signal || end_pending())
		hurry(term);
	errno = error;
}

static bool start_ticking(struct term *term)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = TICK_SIGNAL, .sigev_value.sival_ptr = term };
	const struct timespec period = { .tv_nsec = TERM_TICK_MS * 1000000L };
	const struct itimerspec every = { .it_interval = period, .it_value = period };
	sigset_t set;

	handle_tick(SA_RESTART);
	sigemptyset(&set);
	sigaddset(&set, TICK_SIGNAL);
	sigprocmask(SIG_UNBLOCK, &set, &term->still);
	sigaddset(&term->still, TICK_SIGNAL);
	term->timed = !timer_create(CLOCK_MONOTONIC, &event, &term->timer);
	return term->timed && !timer_settime(term->timer, 0, &every, NULL);
}

void term_halts(struct term *term, volatile uint32_t *halt)
{
	term->halt = halt;
}

bool term_ticked(struct term *term)
{
	bool ticked = term->ticked;

	if (ticked)
		term->ticked = 0;
	return ticked;
}

const sigset_t *term_still(const struct term *term)
{
	return &term->still;
}

int term_poll(const struct term *term, struct pollfd *fds, nfds_t n, int ms)
{
	const struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	return ppoll(fds, n, ms < 0 ? NULL : &ts, &term->still);
}

void term_waits_for(struct term *term, const char *fmt, ...)
{
	va_list ap;

	if (term->cut_wait)
		return;
	term->waiting = 0;
	va_start(ap, fmt);
	vsnprintf(term->what, sizeof term->what, fmt, ap);
	va_end(ap);
	term->waited = 0;
	term->waiting = 1;
}

void term_proceeds(struct term *term)
{
	term->waiting = 0;
}

void term_patient(struct term *term, const char *what)
{
	term->patient = 0;
	if (what && !term->cut_wait)
		snprintf(term->what, sizeof term->what, "%s", what);
	term->unheeded = 0;
	term->patient = what != NULL;
}

bool term_insists(const struct term *term)
{
	return term->ends > 1;
}

void term_leaves(struct term *term)
{
	term->leaves = 1;
}

const char *term_end(struct term *term)
{
	if (!term_signal(term))
		return "";
	describe_end(term);
	return term->end;
}

struct term *term_new(struct error *err)
{
	struct term *term = calloc(1, sizeof *term);
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	sigset_t set;

	if (!term) {
		error_set(err, "out of memory");
		return NULL;
	}
	take_standard_files();
	term->one_place = same_file(STDOUT_FILENO, STDERR_FILENO);
	sigemptyset(&set);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCONT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&ignore.sa_mask);
	/* A write() that fails with EPIPE or EFBIG is enough. */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	/* Our parent may have ignored SIGCHLD; then waitpid() would find no child. */
	signal(SIGCHLD, SIG_DFL);
	term->caught = set;
	term->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (term->signal_fd < 0) {
		error_set(err, "cannot catch signals: %s", strerror(errno));
		free(term);
		return NULL;
	}
	if (!start_ticking(term)) {
		error_set(err, "cannot make a timer: %s", strerror(errno));
		term_free(term);
		return NULL;
	}
	return term;
}

void term_free(struct term *term)
{
	if (!term)
		return;
	if (term->timed)
		timer_delete(term->timer);
	if (term->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &term->saved);
	if (term->note)
		term->note->raw = 0;
	close(term->signal_fd);
	free(term);
}

void term_raw(struct term *term, bool keys_signal)
{
	term->wants_raw = true;
	term->keys_signal = keys_signal;
}

void term_begin(struct term *term)
{
	struct termios *t = &term->current;

	if (!term->wants_raw || term->raw || tcgetattr(STDIN_FILENO, &term->saved))
		return;		/* not a terminal */
	*t = term->saved;
	/* Output processing stays: it costs nothing and our own lines need it. */
	t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (term->keys_signal ? 0 : ISIG));
	t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
	t->c_cflag |= CS8;
	t->c_cc[VMIN] = 1;
	t->c_cc[VTIME] = 0;
	catch_crashes(term);
	if (term->note) {
		term->note->saved = term->saved;
		term->note->raw = 1;
	}
	term->raw = !tcsetattr(STDIN_FILENO, TCSANOW, t);
}

void term_mapped(struct term *term, const void *base, size_t size, const char *path)
{
	struct sigaction action = { .sa_sigaction = on_bus, .sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER | SA_SIGINFO }, old;

	catch_crashes(term);
	if (!term->note)
		return;
	term->note->from = term->note->to = NULL;
	snprintf(term->note->line, sizeof term->note->line, "cede: snapshot '%.200s', which the guest's memory is mapped from, has been cut or cannot be read\n", path);
	term->note->from = base;
	term->note->to = term->note->from + size;
	sigemptyset(&action.sa_mask);
	if (!sigaction(SIGBUS, NULL, &old) && !(old.sa_flags & SA_SIGINFO))
		sigaction(SIGBUS, &action, NULL);
}

bool term_claim_stdio(struct term *term)
{
	bool free_before = !term->stdio_taken;

	term->stdio_taken = true;
	return free_before;
}

int term_fd(const struct term *term)
{
	return term->signal_fd;
}

/* On a terminal this moves the cursor to the left edge too: output processing is on. */
void term_fresh_line(struct term *term)
{
	if (term && term->mid_line && term->one_place)
		fputc('\n', stderr);
	if (term)
		term->mid_line = false;
}

void term_say(struct term *term, const char *fmt, ...)
{
	static const struct message none;
	char prefix[MESSAGE_PREFIX], text[LINE_MOST];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	term_fresh_line(term);
	fprintf(stderr, "%scede: %s\n", message_prefix(term ? &term->message : &none, prefix), text);	/* one write() */
}

void term_messages(struct term *term, const struct message *message)
{
	term->message = *message;
}

void term_serve(struct term *term, struct daemon *daemon)
{
	term->daemon = daemon;
}

void term_set_up(struct term *term, int log)
{
	if (term->daemon)
		daemon_ready(term->daemon, log);
}

void term_wrote(struct term *term, const void *buf, size_t len)
{
	if (len)
		term->mid_line = ((const char *)buf)[len - 1] != '\n';
}

void term_quit(struct term *term)
{
	term->quit = true;
}

void term_lost(struct term *term)
{
	term->quit = term->lost = true;
}

bool term_is_lost(const struct term *term)
{
	return term->lost;
}

bool term_ending(const struct term *term)
{
	return term->quit || term->signal;
}

int term_signal(struct term *term)
{
	struct signalfd_siginfo info;

	while (read(term->signal_fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGUSR1) {
			term->save_asked = true;
		} else if (info.ssi_signo != SIGCONT) {
			if (!term->signal) {
				term->signal = (int)info.ssi_signo;
				term->cut_wait |= term->waiting;
			}
			term->ends++;
		} else if (term->raw) {
			/* The shell has set the terminal as it likes it while we were stopped. */
			tcsetattr(STDIN_FILENO, TCSANOW, &term->current);
		}
	}
	return term->signal;
}

void term_catch_save(struct term *term)
{
	sigaddset(&term->caught, SIGUSR1);
	sigprocmask(SIG_BLOCK, &term->caught, NULL);
	sigaddset(&term->still, SIGUSR1);
	signalfd(term->signal_fd, &term->caught, 0);
}

bool term_save_asked(struct term *term)
{
	bool asked = term->save_asked;

	term->save_asked = false;
	return asked;
}

/* The process's terminal and signals. */
#define _GNU_SOURCE
#include "machine/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cpu/bits.h"

/* What a crash handler needs, at the start of the alternate signal stack: it finds the
 * place through sigaltstack(), so that no file-scope variable is needed. */
struct crash_note {
	volatile sig_atomic_t raw;
	struct termios saved;
	/* Memory that is a file's: if that is cut, or its disk fails, the host cannot give it any more. */
	const char *from, *to;
	char line[512];			/* what is said then */
};

#define CRASH_STACK 65536
#define CRASH_NOTE  4096	/* bytes before the stack that hold the note */

_Static_assert(sizeof(struct crash_note) <= CRASH_NOTE, "crash note");

struct term {
	int signal_fd;
	sigset_t caught;	/* what it reads */
	int signal;		/* first one that wants an end */
	bool quit, lost, raw, stdio_taken;
	bool save_asked;	/* SIGUSR1 has come */
	bool one_place;		/* standard output and error are the same file */
	bool mid_line;		/* the guest's last character was no newline */
	struct termios saved, current;
	struct crash_note *note;
};

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT };

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
	/* What takes no more says so when it is written to. */
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
	/* Who has started us may not have wanted to hear of its children: we want. */
	signal(SIGCHLD, SIG_DFL);
	term->caught = set;
	term->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (term->signal_fd < 0) {
		error_set(err, "cannot catch signals: %s", strerror(errno));
		free(term);
		return NULL;
	}
	return term;
}

void term_free(struct term *term)
{
	if (!term)
		return;
	if (term->raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &term->saved);
	if (term->note)
		term->note->raw = 0;
	close(term->signal_fd);
	free(term);
}

void term_raw(struct term *term, bool keys_signal)
{
	struct termios *t = &term->current;

	if (term->raw || tcgetattr(STDIN_FILENO, &term->saved))
		return;		/* not a terminal */
	*t = term->saved;
	/* Output processing stays: it costs nothing and our own lines need it. */
	t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | (keys_signal ? 0 : ISIG));
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
			if (!term->signal)
				term->signal = (int)info.ssi_signo;
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
	signalfd(term->signal_fd, &term->caught, 0);
}

bool term_save_asked(struct term *term)
{
	bool asked = term->save_asked;

	term->save_asked = false;
	return asked;
}

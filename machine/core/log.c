/* What -d shows, and where -D puts it. */
#include "machine/core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio_ext.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "savevm/place.h"

/* A guest in a loop must not fill a disk with its errors. Traces are as long as what they trace. */
#define COMPLAINTS_PER_SECOND 200

static const struct log_item {
	const char *name;
	unsigned channel;
	const char *help;
} log_items[] = {
	{ "guest_errors", LOG_GUEST_ERROR, "what the guest does wrong" },
	{ "unimp", LOG_UNIMP, "what the guest asks for and does not get" },
	{ "int", LOG_INT, "each interrupt" },
	{ "hcall", LOG_HCALL, "each hypercall" },
	{ "exec", LOG_EXEC, "each block that runs" },
	{ "in_asm", LOG_IN_ASM, "each block that is decoded" },
	{ "dispatch", LOG_DISPATCH, "each change of a virtual processor's state" },
	{ "statehash", LOG_STATEHASH, "a hash over the machine's state at the end, on stderr" },
};

bool log_parse(const char *items, unsigned *mask, struct error *err)
{
	for (;; items++) {
		size_t len = strcspn(items, ","), i;

		for (i = 0; i < ARRAY_SIZE(log_items); i++)
			if (strlen(log_items[i].name) == len && !memcmp(items, log_items[i].name, len))
				break;
		if (i == ARRAY_SIZE(log_items)) {
			error_set(err, "-d does not know '%.*s' (-d help lists what it knows)",
				  len > 100 ? 100 : (int)len, items);
			return false;
		}
		*mask |= log_items[i].channel;
		items += len;
		if (!*items)
			return true;
	}
}

void log_help(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(log_items); i++)
		fprintf(out, "%-14s %s\n", log_items[i].name, log_items[i].help);
}

bool log_open(struct machine *m, const char *file, struct error *err)
{
	struct error why = { .msg = "out of memory" };
	int fd = file ? output_open(file, &why) : -1;
	struct stat st;

	m->log_file = !file ? stderr : fd < 0 ? NULL : fdopen(fd, "w");
	if (!m->log_file)
		error_set(err, "cannot write log file '%.100s': %.120s", file, why.msg);
	if (!m->log_file && fd >= 0)
		close(fd);
	/* A reader may be slow: see may_be_written(). */
	if (m->log_file && file && !fstat(fd, &st) && !S_ISREG(st.st_mode))
		setvbuf(m->log_file, NULL, _IOLBF, 0);
	return m->log_file;
}

/* A log file that takes no more is reported once, and the guest goes on without a log. If standard error fails, there is
 * no place to report it. */
static void give_up(struct machine *m, int error)
{
	if (m->log_file != stderr) {
		term_say(m->term, "log file '%.100s' takes no more: %s", m->config->log_file, strerror(error));
		fclose(m->log_file);
	}
	m->log_file = NULL;
}

void log_close(struct machine *m)
{
	if (m->log_file && m->log_file != stderr) {
		if (fflush(m->log_file))
			give_up(m, errno);
		else
			fclose(m->log_file);
	}
	m->log_file = NULL;
}

/* Counted by the virtual clock, so that the same run logs the same lines. */
static bool too_many(struct machine *m)
{
	uint64_t second = m->clock.now / CPU_HZ;

	if (second != m->log_second) {
		m->log_second = second;
		m->log_lines = 0;
	}
	return ++m->log_lines > COMPLAINTS_PER_SECOND;
}

/* Waits for room in a pipe or a terminal, which are written line by line. */
static bool may_be_written(struct machine *m)
{
	return (m->log_file != stderr && !__flbf(m->log_file)) || machine_waits_to_write(m, fileno(m->log_file));
}

void log_plain(struct machine *m, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!m->log_file || !may_be_written(m))
		return;
	if (m->log_file == stderr)
		term_fresh_line(m->term);
	va_start(ap, fmt);
	n = vfprintf(m->log_file, fmt, ap);
	va_end(ap);
	if (n < 0)
		give_up(m, errno);
}

/* Names that a guest chose must not upset a terminal. */
static void make_printable(char *line)
{
	size_t len = strlen(line);

	while (len && line[len - 1] == '\n')
		line[--len] = 0;
	for (size_t i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '.';
}

void log_at(struct machine *m, uint64_t cycle, unsigned cpu, char *line)
{
	make_printable(line);
	log_plain(m, "%llu cpu%u %s\n", (unsigned long long)cycle, cpu, line);
}

/* "CYCLE cpuN TEXT" on a line of its own: lines of several channels can be sorted and joined.
 * Between two turns of processors it is "CYCLE machine TEXT". */
static void put_line(struct machine *m, const char *text)
{
	char who[16] = "machine";

	if (m->running)
		snprintf(who, sizeof who, "cpu%u", m->running->index);
	log_plain(m, "%llu %s %s\n", (unsigned long long)machine_now(m), who, text);
}

static void log_line(struct machine *m, unsigned channel, const char *fmt, va_list ap)
{
	char line[512];

	if (!(m->log_mask & channel) || !m->log_file)
		return;
	if (channel & (LOG_GUEST_ERROR | LOG_UNIMP) && too_many(m)) {
		if (m->log_lines == COMPLAINTS_PER_SECOND + 1)
			put_line(m, "further guest_errors and unimp in this second are not shown");
		return;
	}
	vsnprintf(line, sizeof line, fmt, ap);
	make_printable(line);
	put_line(m, line);
}

void log_append(char *line, size_t size, const char *fmt, ...)
{
	size_t used = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + used, size - used, fmt, ap);
	va_end(ap);
}

void machine_log(struct machine *m, unsigned channel, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(m, channel, fmt, ap);
	va_end(ap);
}

void log_from_cpu(void *machine, unsigned channel, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(machine, channel, fmt, ap);
	va_end(ap);
}

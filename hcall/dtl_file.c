/* -dtl FILE: writes the dispatcher's transitions; the format is in machine/vp/dtl_format.h. */
#include "hcall/dtl_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hcall/dispatcher.h"
#include "hcall/transitions.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "savevm/error.h"
#include "savevm/place.h"

struct dtl_file {
	struct transition_reader reader;
	struct machine *m;
	FILE *out;			/* NULL: writing has failed */
	const char *path;
	bool begun;			/* the header is written */
	bool piped;			/* a reader may be slow; the buffer of such a file is PIPE_BUF at most */
	uint64_t begins;		/* cycle */
};

struct number {
	uint64_t value;
	unsigned bytes;
};

static void put_numbers(uint8_t *at, const struct number *numbers, unsigned n)
{
	for (unsigned i = 0; i < n; at += numbers[i].bytes, i++)
		for (unsigned k = 0; k < numbers[i].bytes; k++)
			at[k] = (uint8_t)(numbers[i].value >> 8 * (numbers[i].bytes - 1 - k));
}

/* Says so once; the guest goes on without its log. */
static void give_up_log(struct dtl_file *f)
{
	int error = errno;

	term_say(f->m->term, "dispatch log '%.100s' takes no more: %s", f->path, strerror(error));
	if (f->out)
		fclose(f->out);
	f->out = NULL;
}

static void write_bytes(struct dtl_file *f, const uint8_t *bytes, size_t len)
{
	if (f->out && f->piped && !machine_waits_to_write(f->m, fileno(f->out)))
		return;
	if (f->out && fwrite(bytes, 1, len, f->out) != len)
		give_up_log(f);
}

static void write_header(struct dtl_file *f)
{
	const struct machine *m = f->m;
	const struct dispatcher *d = m->dispatcher;
	const struct partition *guest = &d->partition[PARTITION_GUEST], *load = &d->partition[PARTITION_LOAD];
	uint8_t header[DTL_FILE_HEADER] = DTL_FILE_MAGIC;
	const struct number numbers[] = {
		{ DTL_FILE_VERSION, 4 }, { DTL_FILE_HEADER, 4 }, { DTL_FILE_RECORD, 4 }, { m->ncpus, 4 },
		{ d->threads, 4 }, { d->procs, 4 }, { d->chips, 4 }, { load->n, 4 },
		{ CPU_HZ, 8 }, { TIMEBASE_HZ, 8 }, { m->clock.tb.tb_offset, 8 }, { d->window, 8 },
		{ guest->entitlement, 4 }, { load->entitlement, 4 },
		{ guest->weight, 1 }, { guest->capped, 1 }, { load->weight, 1 }, { d->shared, 1 },
		{ f->begins, 8 },
	};

	put_numbers(header + 8, numbers, ARRAY_SIZE(numbers));
	write_bytes(f, header, sizeof header);
	f->begun = true;
}

static void restart(struct transition_reader *reader, uint64_t cycle)
{
	struct dtl_file *f = (struct dtl_file *)reader;

	f->begins = cycle;
	if (!f->begun || !f->out)
		return;
	if (fflush(f->out) || fseeko(f->out, 0, SEEK_SET) || ftruncate(fileno(f->out), 0))
		give_up_log(f);
	f->begun = false;
}

static void take(struct transition_reader *reader, const struct dtl_record *r)
{
	struct dtl_file *f = (struct dtl_file *)reader;
	uint8_t bytes[DTL_FILE_RECORD];
	const struct number numbers[] = {
		{ r->cycle, 8 }, { r->vp, 2 }, { r->partition, 1 }, { r->state, 1 }, { r->reason, 1 }, { r->code, 1 },
		{ r->physical, 2 }, { r->srr0, 8 }, { r->srr1, 8 },
	};

	if (!f->begun)
		write_header(f);
	put_numbers(bytes, numbers, ARRAY_SIZE(numbers));
	write_bytes(f, bytes, sizeof bytes);
}

static void synced(struct transition_reader *reader, uint64_t cycle)
{
	struct dtl_file *f = (struct dtl_file *)reader;

	(void)cycle;
	if (!f->begun)
		write_header(f);
}

static void lost(struct transition_reader *reader)
{
	struct dtl_file *f = (struct dtl_file *)reader;

	if (f->out)
		give_up_log(f);
}

bool dtl_file_open(struct machine *m, const char *path, struct error *err)
{
	struct dtl_file *f = calloc(1, sizeof *f);
	struct error why = { .msg = "out of memory" };
	struct stat st;
	int fd;

	if (!f) {
		error_set(err, "out of memory");
		return false;
	}
	*f = (struct dtl_file){ .reader = { .restart = restart, .take = take, .synced = synced, .lost = lost }, .m = m, .path = path };
	fd = output_open(path, &why);
	f->out = fd < 0 ? NULL : fdopen(fd, "w");
	f->piped = fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode));
	if (f->out && transitions_join(m, &f->reader)) {
		m->dispatcher->file = f;
		return true;
	}
	error_set(err, "cannot write dispatch log '%.100s': %.120s", path, why.msg);
	if (f->out)
		fclose(f->out);
	else if (fd >= 0)
		close(fd);
	free(f);
	return false;
}

void dtl_file_close(struct machine *m)
{
	struct dtl_file *f = m->dispatcher->file;
	bool unread;
	struct dtl_record end = { .cycle = m->clock.now, .state = DTL_FILE_END, .physical = PHYSICAL_NONE };

	if (!f)
		return;
	transitions_sync(m);
	take(&f->reader, &end);
	/* The user wants cede to end while the log's reader does not read: what is left is not waited for. */
	unread = f->out && f->piped && !machine_waits_to_write(m, fileno(f->out));
	if (unread)
		fcntl(fileno(f->out), F_SETFL, O_NONBLOCK);
	if (f->out && fclose(f->out) && !unread) {
		f->out = NULL;
		give_up_log(f);
	}
	transitions_leave(m, &f->reader);
	free(f);
	m->dispatcher->file = NULL;
}

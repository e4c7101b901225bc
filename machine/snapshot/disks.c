/* Disks and snapshots: states of disks under a name that a file of cede's knows, or the user; see disks.h. */
#define _GNU_SOURCE
#include "machine/snapshot/disks.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/disk/drive.h"
#include "machine/host/term.h"
#include "machine/snapshot/media.h"
#include "machine/snapshot/snapshot.h"

#define PATIENCE 250			/* times 20 ms, until an image that was sent is free */
#define MOST_LISTED 1024u		/* each is looked for on all disks, and an image may say that it has 65536 */
#define PIECE (UINT64_C(1) << 20)	/* bytes that go from file to image at once */

/* ---- Which disks ---- */

static struct drive *next_writable(struct drive *d)
{
	while (d && (!d->block || block_is_readonly(d->block)))
		d = d->next;
	return d;
}

#define for_each_writable(m, d) \
	for (struct drive *d = next_writable((m)->drives); d; d = next_writable(d->next))

bool disks_any(const struct machine *m)
{
	return next_writable(m->drives) != NULL;
}


static bool flush_all(struct machine *m, struct error *err)
{
	int first = 0;

	for_each_writable(m, d) {
		int error = block_options(d->block)->snapshot ? 0 : block_flush(d->block);

		if (error && !first)
			error_set(err, "drive '%.40s' (%.100s) cannot be flushed, what was written last may be lost: %s", d->id, media_file(d), strerror(error));
		first = first ? first : error;
	}
	return !first;
}

bool disks_settle(struct machine *m, struct error *err)
{
	devices_settle(m);
	for (struct drive *d = m->drives; d; d = d->next)
		if (d->block)
			block_drain(d->block);
	return flush_all(m, err) && media_look(m, err);
}

bool disks_end(struct machine *m, struct error *err)
{
	return flush_all(m, err);
}

static bool can_keep(struct machine *m, struct error *err)
{
	for_each_writable(m, d) {
		const struct block_options *image = &d->config->image;

		if (image->snapshot)
			error_set(err, "Device '%.40s' is writable but does not support snapshots: what it writes ends with cede (snapshot=on)",
				  d->id);
		else if (!block_keeps_states(d->block))
			error_set(err, "Device '%.40s' is writable but does not support snapshots (qemu-img convert -O qcow2 %.60s NEW.qcow2, "
				  "or snapshot=on)", d->id, media_file(d));
		else
			continue;
		return false;
	}
	return true;
}

/* How a state is called on each disk. A user's name is the same on all, as QEMU has it. A file's names the place of the
 * disk's device, too: with another disk in that place the state is not found. */
enum naming { AS_GIVEN, BY_PLACE };

static const char *name_on(const struct drive *d, const char *name, enum naming naming,
			   char own[static sizeof ((struct block_state *)0)->name])
{
	if (naming == AS_GIVEN)
		return name;
	snprintf(own, sizeof ((struct block_state *)0)->name, "%s.%u", name, media_place(d));
	return own;
}

static bool find_state(struct block *b, const char *name, struct block_state *state)
{
	for (unsigned i = 0; block_state_get(b, i, state); i++)
		if (!strcmp(state->name, name))
			return true;
	return false;
}

static bool is_of_same_moment(const struct block_state *a, const struct block_state *b)
{
	return a->clock_ns == b->clock_ns && a->date_s == b->date_s && a->date_ns == b->date_ns;
}

/* On all disks, and of one moment. */
static bool have_state(const struct machine *m, const char *name, enum naming naming, struct error *err)
{
	struct block_state state, first;
	const struct drive *one = NULL;
	char own[sizeof state.name];

	for_each_writable(m, d) {
		const char *wanted = name_on(d, name, naming, own);

		if (!find_state(d->block, wanted, &state)) {
			error_set(err, "drive '%.40s' (%.80s) has no state '%.60s'", d->id, media_file(d), wanted);
			return false;
		}
		if (one && !is_of_same_moment(&state, &first)) {
			error_set(err, "drive '%.30s' (%.60s) has a state '%.30s' of another moment than drive '%.30s'", d->id, media_file(d), wanted,
				  one->id);
			return false;
		}
		if (!one)
			first = state;
		one = one ? one : d;
	}
	return true;
}

static void forget_state(struct machine *m, const char *name, enum naming naming)
{
	struct block_state state;
	char own[sizeof state.name];
	struct error err;

	for_each_writable(m, d)
		if (find_state(d->block, name_on(d, name, naming, own), &state))
			block_state_delete(d->block, state.name, &err);
}

void disks_forget(struct machine *m, const char *name)
{
	if (*name)
		forget_state(m, name, BY_PLACE);
}

/* `machine` bytes of the machine's are in the first one. What some have kept is forgotten if another cannot. A drive with
 * snapshot=on has nothing to keep. */
static bool keep_state(struct machine *m, const char *name, enum naming naming, uint64_t machine, struct error *err)
{
	struct block_state state = { .machine_bytes = machine, .clock_ns = cycles_to_ns(m->clock.now) };
	char own[sizeof state.name];
	struct timespec now;
	struct error why;

	clock_gettime(CLOCK_REALTIME, &now);
	state.date_s = (uint64_t)now.tv_sec;
	state.date_ns = (uint32_t)now.tv_nsec;
	for_each_writable(m, d) {
		if (d->config->image.snapshot)
			continue;
		snprintf(state.name, sizeof state.name, "%s", name_on(d, name, naming, own));
		if (!block_state_keep(d->block, &state, &why)) {
			error_set(err, "drive '%.40s' cannot keep its state: %.150s", d->id, why.msg);
			forget_state(m, name, naming);
			return false;
		}
		state.machine_bytes = 0;
	}
	return true;
}

static bool return_to(struct machine *m, const char *name, enum naming naming, struct error *err)
{
	char own[sizeof ((struct block_state *)0)->name];
	struct error why;

	for_each_writable(m, d) {
		if (block_state_return(d->block, name_on(d, name, naming, own), &why))
			continue;
		error_set(err, "drive '%.40s' cannot return to state '%.60s': %.120s", d->id, name, why.msg);
		return false;
	}
	return true;
}

/* ---- The way back, while a load is tried: all as it was if that fails, for what the disks hold then is nowhere else ---- */

#define BACK "cede-back"

/* What is written over a snapshot=on drive's image is gone in any case. */
static bool keep_back(struct machine *m, struct error *err)
{
	forget_state(m, BACK, AS_GIVEN);
	return keep_state(m, BACK, AS_GIVEN, 0, err);
}

/* All are back before the first one forgets that there was a way: disks_recover(). */
static void return_back(struct machine *m)
{
	struct error why;
	bool ok = true;

	for_each_writable(m, d) {
		if (!block_keeps_states(d->block) || block_state_return(d->block, BACK, &why))
			continue;
		term_say(m->term, "drive '%.40s' keeps what it had as state '" BACK "': %.150s", d->id, why.msg);
		ok = false;
	}
	if (ok)
		forget_state(m, BACK, AS_GIVEN);
}

/* The try has ended: so well, or as if it had not been. */
static bool end_try(struct machine *m, bool ok)
{
	if (ok)
		forget_state(m, BACK, AS_GIVEN);
	else
		return_back(m);
	return ok;
}

/* ---- Files of cede's ---- */

bool disks_save(struct machine *m, struct error *err)
{
	char name[sizeof m->disk_state];
	struct timespec now;

	if (!disks_settle(m, err))
		return false;
	if (!disks_any(m))
		return true;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(name, sizeof name, "cede-%llx.%lx-%x", (unsigned long long)now.tv_sec, now.tv_nsec, (unsigned)getpid());
	if (!can_keep(m, err) || !keep_state(m, name, BY_PLACE, 0, err))
		return false;
	memcpy(m->disk_state, name, sizeof name);
	return true;
}

/* The other side gives its images away when it knows that all was sent. */
static bool take_over(struct machine *m, struct error *err)
{
	bool ok = drives_resume(m, err);

	for (unsigned i = 0; !ok && m->config->incoming && i < PATIENCE && !term_ending(m->term); i++) {
		poll(NULL, 0, 20);
		ok = drives_resume(m, err);
	}
	return ok;
}

bool disks_have_loaded(struct machine *m, struct error *err)
{
	struct error why;

	if (!take_over(m, err) || !media_look(m, err) || !media_agree(m, err))
		return false;
	if (!m->disk_state[0] || have_state(m, (const char *)m->disk_state, BY_PLACE, &why))
		return true;
	error_set(err, "%.180s, which it had when the machine was saved", why.msg);
	return false;
}

bool disks_return_loaded(struct machine *m, struct error *err)
{
	char name[sizeof m->disk_state];

	memcpy(name, m->disk_state, sizeof name);
	memset(m->disk_state, 0, sizeof m->disk_state);
	return !name[0] || (keep_back(m, err) && end_try(m, return_to(m, name, BY_PLACE, err)));
}

static bool is_named(const void *s)
{
	return ((const struct machine *)s)->disk_state[0];
}

static bool name_check(const void *s, struct vms_walk *w)
{
	const struct machine *m = s;
	size_t len = strnlen((const char *)m->disk_state, sizeof m->disk_state);

	for (size_t i = 0; i < len; i++)
		if (m->disk_state[i] <= ' ' || m->disk_state[i] >= 0x7f)
			len = 0;
	return (len && len < sizeof m->disk_state) || vms_wrong(w, "disk_state", m->disk_state[0], "a name");
}

const struct vmstate cede_disks_state = {
	.name = "cede/disks", .version = 1, .min_version = 1, VMS_OF(struct machine), .needed = is_named, .check = name_check,
	.fields = VMS_FIELDS(VMS_BUFFER(struct machine, disk_state, VMS_UNHASHED("the host's name for what the guest sees by itself"))),
};

/* ---- Named by the user: the machine's state lies in the first disk ---- */

static FILE *temporary(struct error *err)
{
	FILE *f = tmpfile();

	if (!f)
		error_set(err, "cannot make a temporary file: %s", strerror(errno));
	return f;
}

static bool host_failed(struct error *err, const char *what, int error)
{
	error_set(err, "cannot %s the machine's state: %s", what, strerror(error));
	return false;
}

static bool file_to_image(FILE *f, struct block *b, uint64_t *bytes, struct error *err)
{
	uint8_t *piece = malloc(PIECE);
	int error = piece ? 0 : ENOMEM;
	ssize_t n = 1;

	*bytes = 0;
	while (!error && (n = pread(fileno(f), piece, PIECE, (off_t)*bytes)) > 0) {
		error = block_machine_write(b, *bytes, piece, (uint64_t)n);
		*bytes += (uint64_t)n;
	}
	error = !error && n < 0 ? errno : error;
	free(piece);
	return !error || host_failed(err, "write", error);
}

static bool image_to_file(struct block *b, uint64_t bytes, FILE *f, struct error *err)
{
	uint8_t *piece = malloc(PIECE);
	int error = piece ? 0 : ENOMEM;

	for (uint64_t at = 0, n; at < bytes && !error; at += n) {
		n = bytes - at < PIECE ? bytes - at : PIECE;
		error = block_machine_read(b, at, piece, n);
		if (!error && pwrite(fileno(f), piece, n, (off_t)at) != (ssize_t)n)
			error = errno ? errno : EIO;
	}
	free(piece);
	return !error || host_failed(err, "read", error);
}

static bool name_is_free(const char *name, struct error *err)
{
	if (*name && strlen(name) < sizeof ((struct block_state *)0)->name && strcmp(name, BACK) && !strpbrk(name, " \t\""))
		return true;
	error_set(err, "'%.60s' is no name for a snapshot", name);
	return false;
}

/* A state of that name goes first, for an image may hold several of a name, and a load takes one of them; but not before
 * there was room for the new one. */
bool disks_savevm(struct machine *m, const char *name, struct error *err)
{
	struct drive *first = next_writable(m->drives);
	uint64_t bytes;
	FILE *f;
	bool ok;

	if (!name_is_free(name, err) || !can_keep(m, err) || !disks_settle(m, err) || !(f = temporary(err)))
		return false;
	ok = snapshot_save_both(m, fileno(f), err) && file_to_image(f, first->block, &bytes, err);
	if (ok)
		forget_state(m, name, AS_GIVEN);
	ok = ok && keep_state(m, name, AS_GIVEN, bytes, err);
	fclose(f);
	return ok;
}

bool disks_know_part(const struct machine *m, const char *name)
{
	struct block_state state;

	for_each_writable(m, d)
		if (find_state(d->block, name, &state))
			return true;
	return false;
}

void disks_no_place(const struct machine *m, struct error *err)
{
	const struct drive *d = m->drives;

	while (d && !d->block)
		d = d->next;
	if (d)
		error_set(err, "No block device can accept snapshots: drive '%.40s' (%.80s) is read-only. -snapdir DIR is a place, too",
			  d->id, media_file(d));
	else
		error_set(err, "no place for snapshots: start with -snapdir DIR");
}

bool disks_know(const struct machine *m, const char *name)
{
	const struct drive *first = next_writable(m->drives);
	struct block_state state;
	struct error err;

	return first && find_state(first->block, name, &state) && state.machine_bytes && have_state(m, name, AS_GIVEN, &err);
}

/* The machine's state as a file of ours; the disks must be there. NULL: err->msg says why. */
static FILE *extract_machine(struct machine *m, const char *name, struct error *err)
{
	struct drive *first = next_writable(m->drives);
	struct block_state state;
	FILE *f;

	if (!find_state(first->block, name, &state) || !(f = temporary(err)))
		return NULL;
	if (image_to_file(first->block, state.machine_bytes, f, err))
		return f;
	fclose(f);
	return NULL;
}

/* Bytes that a machine's state has at most: two streams, one with memory, of which each page may have a head. An image that
 * says more would fill the host's disk before anybody looks at it. */
static uint64_t most_bytes(const struct machine *m)
{
	uint64_t most = 2 * m->ram.size + (UINT64_C(1) << 30);

	for (const struct device *dev = m->devices; dev; dev = dev->next)
		most += dev->class->state_bytes;
	return most;
}

/* With the words of QEMU's that scripts look for. */
static bool may_load(struct machine *m, const char *name, struct error *err)
{
	struct drive *first = next_writable(m->drives);
	struct block_state state;
	struct error why;

	if (!first || !strcmp(name, BACK))
		error_set(err, "Snapshot '%.60s' does not exist in one or more devices", name);
	else if (!have_state(m, name, AS_GIVEN, &why))
		error_set(err, "Snapshot '%.30s' does not exist in one or more devices: %.160s", name, why.msg);
	else if (!find_state(first->block, name, &state) || !state.machine_bytes)
		error_set(err, "This is a disk-only snapshot. Revert to it offline using qemu-img (there is no machine in drive '%.40s', '%.80s')",
			  first->id, media_file(first));
	else if (state.machine_bytes > most_bytes(m))
		error_set(err, "Snapshot '%.60s' is larger than this machine can be", name);
	else
		return true;
	return false;
}

/* Nobody has heard of the file that a load speaks of. */
static void say_name(const char *path, const char *name, struct error *err)
{
	char begin[64];
	int n = snprintf(begin, sizeof begin, "snapshot '%s'", path);
	struct error why = *err;

	if (!strncmp(why.msg, begin, (size_t)n))
		error_set(err, "snapshot '%.60s'%.180s", name, why.msg + n);
}

/* Disks there, then the machine by `load`. */
static bool go_there(struct machine *m, const char *name, bool (*load)(struct machine *m, const char *path, struct error *err),
		     struct error *err)
{
	FILE *f = return_to(m, name, AS_GIVEN, err) ? extract_machine(m, name, err) : NULL;
	char path[48];
	bool ok;

	if (!f)
		return false;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(f));
	ok = load(m, path, err);
	if (!ok)
		say_name(path, name, err);
	fclose(f);
	return ok;
}

/* Some disks may be elsewhere, and nobody knows which others took part, nor what has been written to them since: the user
 * says which way. Also where nothing can be written, for the guest would see them so. */
bool disks_recover(struct machine *m, struct error *err)
{
	struct block_state state;

	for (const struct drive *d = m->drives; d; d = d->next) {
		if (!d->block || !find_state(d->block, BACK, &state))
			continue;
		error_set(err, "drive '%.30s' ('%.70s') was left within a loadvm. If all disks of that machine have state " BACK
			  ", 'qemu-img snapshot -a " BACK "' takes each back; then, or else, -d", d->id, media_file(d));
		return false;
	}
	return true;
}

static bool try_there(struct machine *m, const char *name, bool (*load)(struct machine *m, const char *path, struct error *err),
		      struct error *err)
{
	return disks_settle(m, err) && keep_back(m, err) && end_try(m, go_there(m, name, load, err));
}

bool disks_loadvm(struct machine *m, const char *name, struct error *err)
{
	return may_load(m, name, err) && can_keep(m, err) && try_there(m, name, snapshot_reload, err);
}

bool disks_begin(struct machine *m, const char *name, struct error *err)
{
	return may_load(m, name, err) && try_there(m, name, snapshot_load, err);
}

bool disks_delvm(struct machine *m, const char *name, struct error *err)
{
	struct block_state state;
	struct error why;
	bool any = false;

	devices_settle(m);
	for_each_writable(m, d) {
		if (!find_state(d->block, name, &state))
			continue;
		any = true;
		if (!block_state_delete(d->block, name, &why)) {
			error_set(err, "drive '%.40s' cannot delete state '%.60s': %.120s", d->id, name, why.msg);
			return false;
		}
	}
	if (!any)
		error_set(err, "there is no snapshot '%.60s'", name);
	return any;
}

/* The name is the image's author's, and may not steer a terminal. */
static void list_state(const struct block_state *state, FILE *out)
{
	char name[sizeof state->name];
	time_t date = (time_t)state->date_s;
	uint64_t ms = state->clock_ns / 1000000;
	char text[32] = "?";
	struct tm tm;

	memcpy(name, state->name, sizeof name);
	text_plain(name);
	if (localtime_r(&date, &tm))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%-9s %-16s %6.1f MiB %19s %02llu:%02llu:%02llu.%03llu\n", "--", name,
		(double)state->machine_bytes / (1 << 20), text, (unsigned long long)ms / 3600000,
		(unsigned long long)ms / 60000 % 60, (unsigned long long)ms / 1000 % 60, (unsigned long long)ms % 1000);
}

void disks_list(struct machine *m, FILE *out)
{
	struct drive *first = next_writable(m->drives);
	struct block_state state;
	bool any = false;

	for (unsigned i = 0; first && block_state_get(first->block, i, &state); i++) {
		if (i == MOST_LISTED) {
			fprintf(out, "(those behind the first %u in drive '%s' are not listed)\n", MOST_LISTED, first->id);
			return;
		}
		if (!disks_know(m, state.name))
			continue;
		if (!any)
			fprintf(out, "List of snapshots present on all disks:\n%-9s %-16s %10s %19s %12s\n", "ID", "TAG", "VM SIZE", "DATE",
				"VM CLOCK");
		any = true;
		list_state(&state, out);
	}
	if (!any)
		fputs("There is no snapshot available.\n", out);
}

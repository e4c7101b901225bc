/* Tread, Twrite, Treaddir, Tfsync. */
#define _GNU_SOURCE
#include "machine/host/p9/message.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_OF_DATA 4u			/* the count before an answer's data */

/* At most what a message has room for. */
static uint32_t data_room(const struct wire_out *out, uint32_t count)
{
	uint32_t room = out->room - out->at;

	room = room > HEAD_OF_DATA ? room - HEAD_OF_DATA : 0;
	return count < room ? count : room;
}

/* The answer's data are at the count's end: it is written afterwards. */
static void put_count(struct wire_out *out, uint32_t count)
{
	put32(out, count);
	put_room(out, count);
}

static int read_value(const struct p9_fid *f, void *buf, uint32_t count, uint64_t offset)
{
	uint32_t left = offset < f->value_bytes ? f->value_bytes - (uint32_t)offset : 0;

	count = count < left ? count : left;
	if (count)
		memcpy(buf, (char *)f->value + offset, count);
	return (int)count;
}

static int read_file(struct p9 *p, struct p9_fid *f, void *buf, uint32_t count, uint64_t offset)
{
	int fd = fid_descriptor(p, f);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (f->kind != FID_FILE || offset > INT64_MAX)
		return f->kind != FID_FILE ? -EISDIR : -EINVAL;
	n = pread(fd, buf, count, (off_t)offset);
	return n < 0 ? -errno : (int)n;
}

int p9_read(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = data_room(out, get32(in));
	void *buf = out->buf + out->at + HEAD_OF_DATA;
	int n;

	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	n = f->kind == FID_XATTR_READ ? read_value(f, buf, count, offset) : read_file(p, f, buf, count, offset);
	if (n < 0)
		return n;
	put_count(out, (uint32_t)n);
	return 0;
}

/* In order, as Linux does it. */
static int write_value(struct p9_fid *f, const void *data, uint32_t n, uint64_t offset)
{
	if (offset != f->value_done || n > f->value_bytes - f->value_done)
		return -ENOSPC;
	if (n)
		memcpy((char *)f->value + offset, data, n);
	f->value_done += n;
	return (int)n;
}

static int write_file(struct p9 *p, struct p9_fid *f, const void *data, uint32_t n, uint64_t offset)
{
	int fd = fid_descriptor(p, f);

	if (fd < 0)
		return fd;
	return f->kind == FID_FILE ? share_write(&p->share, fd, data, n, offset) : -EISDIR;
}

int p9_write(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = get32(in);
	const uint8_t *data = get_bytes(in, count);
	int n;

	if (!data || !f)
		return f ? -EINVAL : -EBADF;
	n = f->kind == FID_XATTR_WRITE ? write_value(f, data, count, offset) : write_file(p, f, data, count, offset);
	if (n < 0)
		return n;
	put32(out, (uint32_t)n);
	return 0;
}

/* "..": what is above the shared folder, a client is not told. */
static int put_entry(struct p9 *p, const struct p9_fid *f, const struct stat *st, uint64_t number, const struct share_entry *e,
		     struct wire_out *out)
{
	uint16_t n = (uint16_t)strlen(e->name);
	struct qid qid = { .type = e->type == 4 ? QID_FOLDER : e->type == 10 ? QID_LINK : 0 };
	bool above = !*fid_path(f) && !strcmp(e->name, "..");
	int error = qid_path(p, st->st_dev, above ? st->st_ino : e->inode, &qid.path);

	if (error)
		return error;
	qid_put(out, &qid);
	put64(out, number + 1);
	put8(out, e->type);
	put_text(out, e->name, n);
	return 0;
}

/* The entries behind the one of that number. */
static int put_entries(struct p9 *p, struct p9_fid *f, const struct stat *st, uint64_t number, struct wire_out *out)
{
	const struct share_listing *l = f->listing;
	int64_t i = number <= FID_PLACE_MAX ? (int64_t)number - f->shift : l->entries;
	const struct share_entry *last = NULL;
	int e = 0;

	for (i = i < 0 ? 0 : i; i < l->entries && !e; i++) {
		uint32_t before = out->at;

		e = put_entry(p, f, st, (uint64_t)(i + f->shift), l->entry[i], out);
		if (out->full || e)
			out->at = before;
		if (out->full)
			break;
		last = l->entry[i];
	}
	if (!e && last && !fid_set_place(f, (uint64_t)(i + f->shift), last->name))
		e = -ENOMEM;
	return e;
}

int p9_readdir(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = data_room(out, get32(in));
	struct wire_out data = { .buf = out->buf + out->at + HEAD_OF_DATA, .room = count };
	struct stat st;
	int e;

	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	e = fid_listing(p, f, !offset);
	if (!e && fstat(f->fd, &st) < 0)
		e = -errno;
	if (!e)
		e = put_entries(p, f, &st, offset, &data);
	if (e || (data.full && !data.at))
		return e ? e : -EINVAL;
	put_count(out, data.at);
	return 0;
}

int p9_fsync(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	bool data = get32(in);
	int fd = f ? fid_descriptor(p, f) : -EBADF;

	(void)out;
	if (fd < 0 || in->bad)
		return fd < 0 ? fd : -EINVAL;
	return (data ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

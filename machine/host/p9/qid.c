/* Qids: what a client knows of a file. Its number there is the host's, and those of several devices may be the same. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* The number of a pair of device and upper bits of a file's number. P9_DEVICES: there are too many. */
static uint32_t device_number(struct p9 *p, uint64_t device, uint64_t high)
{
	uint32_t i = 0;

	while (i < p->devices_seen && (p->seen[i].device != device || p->seen[i].high != high))
		i++;
	if (i == p->devices_seen && i < P9_DEVICES)
		p->seen[p->devices_seen++] = (struct p9_device){ device, high };
	return i;
}

static int other_device(struct p9 *p)
{
	if (p->devices == SHARE_FORBID)
		return -ENODEV;
	if (!p->warned)
		fprintf(stderr, "cede: warning: a shared folder has files of several devices, whose numbers may collide: "
				"multidevs=remap avoids it\n");
	p->warned = true;
	return 0;
}

/* Numbers of 56 bits are the file's own on the first device. */
int qid_path(struct p9 *p, dev_t device, uint64_t inode, uint64_t *path)
{
	uint32_t i;

	*path = inode;
	if (p->devices != SHARE_REMAP)
		return device == p->share.device ? 0 : other_device(p);
	i = device_number(p, device, inode >> 56);
	*path = (uint64_t)i << 56 | (inode & (UINT64_MAX >> 8));
	return i < P9_DEVICES ? 0 : -ENFILE;
}

int qid_of(struct p9 *p, const struct stat *st, struct qid *qid)
{
	qid->version = (uint32_t)((uint64_t)st->st_mtime ^ (uint64_t)st->st_size << 8);
	qid->type = S_ISDIR(st->st_mode) ? QID_FOLDER : S_ISLNK(st->st_mode) ? QID_LINK : 0;
	return qid_path(p, st->st_dev, st->st_ino, &qid->path);
}

int qid_look(struct p9 *p, const char *path, struct qid *qid)
{
	struct stat st;
	int e = share_stat(&p->share, path, &st);

	return e ? e : qid_of(p, &st, qid);
}

void qid_put(struct wire_out *out, const struct qid *qid)
{
	put8(out, qid->type);
	put32(out, qid->version);
	put64(out, qid->path);
}

void qids_init(struct p9 *p)
{
	device_number(p, p->share.device, 0);
}

/* How fids and the server they belong to are saved: what a client relies on, and nothing of the host's. See p9.h. */
#include <string.h>

#include "machine/host/p9/fid.h"

static bool component_ok(const char *at, size_t n)
{
	return n && n < SHARE_NAME_MAX && !(n == 1 && at[0] == '.') && !(n == 2 && at[0] == '.' && at[1] == '.');
}

static bool text_ok(const char *text, uint32_t bytes)
{
	return text && bytes && memchr(text, 0, bytes) == text + bytes - 1;
}

static bool path_ok(const char *path, uint32_t bytes)
{
	if (!text_ok(path, bytes))
		return false;
	for (const char *at = path; *at;) {
		size_t n = strcspn(at, "/");

		if (!component_ok(at, n) || (at[n] && !at[n + 1]))
			return false;
		at += n + (at[n] == '/');
	}
	return true;
}

static bool fid_check(const void *s, struct vms_walk *w)
{
	const struct p9_fid *f = s;
	bool sets = f->kind == FID_XATTR_WRITE;

	if (!path_ok(f->path, f->path_bytes))
		return vms_wrong(w, "path", f->path_bytes, "a path within the folder");
	if (f->number == P9_NOFID)
		return vms_wrong(w, "number", f->number, "a fid");
	if (sets ? !text_ok(f->name, f->name_bytes) : f->name_bytes != 0)
		return vms_wrong(w, "name", f->name_bytes, "an attribute's name, where one is to be set");
	if (f->value_bytes && !sets && f->kind != FID_XATTR_READ)
		return vms_wrong(w, "value_bytes", f->value_bytes, "0: it is no attribute");
	return f->value_done <= f->value_bytes || vms_wrong(w, "value_done", f->value_done, "at most %u", (unsigned)f->value_bytes);
}

static bool place_needed(const void *s) { return ((const struct p9_fid *)s)->place; }

static bool place_check(const void *s, struct vms_walk *w)
{
	const struct p9_fid *f = s;

	return (f->place && f->place <= FID_PLACE_MAX && text_ok(f->place_name, f->place_bytes)) ||
	       vms_wrong(w, "place", f->place, "a number, and a name");
}

static const struct vmstate place_state = {
	.name = "cede/p9/fid/place", .version = 1, .min_version = 1, VMS_OF(struct p9_fid), .needed = place_needed,
	.check = place_check,
	.fields = VMS_FIELDS(
		VMS_U64(struct p9_fid, place),
		VMS_U32_TO(struct p9_fid, place_bytes, SHARE_NAME_MAX),
		VMS_ALLOCATED_BUFFER("place_name", struct p9_fid, place_name, place_bytes, SHARE_NAME_MAX)),
};

static const struct vmstate fid_state = {
	.name = "cede/p9/fid", .version = 1, .min_version = 1, VMS_OF(struct p9_fid), .check = fid_check,
	.subs = VMS_SUBS(&place_state),
	.fields = VMS_FIELDS(
		VMS_U32(struct p9_fid, number),
		VMS_U32(struct p9_fid, uid),
		VMS_U32_TO(struct p9_fid, kind, FID_XATTR_WRITE),
		VMS_U32(struct p9_fid, flags),
		VMS_U32_TO(struct p9_fid, path_bytes, SHARE_PATH_MAX),
		VMS_ALLOCATED_BUFFER("path", struct p9_fid, path, path_bytes, SHARE_PATH_MAX),
		VMS_U32_TO(struct p9_fid, name_bytes, SHARE_NAME_MAX),
		VMS_ALLOCATED_BUFFER("name", struct p9_fid, name, name_bytes, SHARE_NAME_MAX),
		VMS_U32_TO(struct p9_fid, value_bytes, SHARE_XATTR_MAX),
		VMS_U32(struct p9_fid, value_done),
		VMS_ALLOCATED_BUFFER("value", struct p9_fid, value, value_bytes, SHARE_XATTR_MAX),
		VMS_BOOL(struct p9_fid, pinned),
		VMS_SKIP(struct p9_fid, fd, "opened again when it is used"),
		VMS_SKIP(struct p9_fid, has_fd, "opened again when it is used"),
		VMS_SKIP(struct p9_fid, listing, "made again when it is used"),
		VMS_SKIP(struct p9_fid, shift, "the listing's"),
		VMS_SKIP(struct p9_fid, used, "the host's: which of its files to close"),
		VMS_SKIP(struct p9_fid, next, "its place in the list"),
		VMS_SKIP(struct p9_fid, before, "its place in the list"),
		VMS_SKIP(struct p9_fid, chain, "by its number")),
};

/* Twice the same number: no server has given it. */
static bool server_check(const void *s, struct vms_walk *w)
{
	const struct p9 *p = s;
	uint64_t bytes = 0, paths = 0;

	for (const struct p9_fid *f = p->first; f; f = f->next) {
		bytes += f->value_bytes;
		paths += f->path_bytes;
	}
	if (paths > P9_PATHS_MAX)
		return vms_wrong(w, "fids", paths, "at most %llu bytes of paths", (unsigned long long)P9_PATHS_MAX);
	if (bytes > FID_VALUES_MAX)
		return vms_wrong(w, "fids", bytes, "at most %llu bytes of attributes", (unsigned long long)FID_VALUES_MAX);
	return !p->msize || p->msize >= P9_MSIZE_MIN || vms_wrong(w, "msize", p->msize, "0, or at least %u", P9_MSIZE_MIN);
}

static bool server_loaded(void *s, uint32_t version, struct vms_walk *w)
{
	struct p9 *p = s;
	struct p9_fid *before = NULL;

	(void)version;
	p->seen[0] = (struct p9_device){ .device = p->share.device };	/* the host may number its devices anew */
	p->devices_seen += !p->devices_seen;
	p->fids = p->open_files = 0;
	p->path_bytes = p->xattr_bytes = p->listing_bytes = 0;
	memset(p->bucket, 0, sizeof p->bucket);
	for (struct p9_fid *f = p->first; f; before = f, f = f->next) {
		f->before = before;
		p->path_bytes += f->path_bytes;
		p->xattr_bytes += f->value_bytes;
		if (fid_find(p, f->number))
			return vms_wrong(w, "number", f->number, "each fid once");
		fid_index(p, f);
	}
	return true;
}

static const struct vmstate device_state = {
	.name = "cede/p9/device", .version = 1, .min_version = 1, VMS_OF(struct p9_device),
	.fields = VMS_FIELDS(VMS_U64(struct p9_device, device), VMS_U64(struct p9_device, high)),
};

const struct vmstate p9_state = {
	.name = "cede/p9", .version = 1, .min_version = 1, VMS_OF(struct p9), .check = server_check, .post_load = server_loaded,
	.fields = VMS_FIELDS(
		VMS_U32_TO(struct p9, msize, P9_MSIZE_MAX),
		VMS_LIST("fids", struct p9, first, struct p9_fid, next, P9_FIDS_MAX, fid_state),
		VMS_U32(struct p9, devices_seen, VMS_MOST(P9_DEVICES), VMS_UNHASHED("the host's devices")),
		VMS_STRUCT_ARRAY("devices", struct p9, seen, struct p9_device, device_state, VMS_COUNTED(struct p9, devices_seen),
				 VMS_UNHASHED("the host's numbers")),
		VMS_SKIP(struct p9, share, "the host's"),
		VMS_SKIP(struct p9, readonly, "an option"),
		VMS_SKIP(struct p9, devices, "an option"),
		VMS_SKIP(struct p9, bucket, "the list, by numbers"),
		VMS_SKIP(struct p9, bucket_key, "the host's: nothing of the guest's depends on it"),
		VMS_SKIP(struct p9, fids, "counted in the list"),
		VMS_SKIP(struct p9, open_files, "the host's"),
		VMS_SKIP(struct p9, path_bytes, "counted in the list"),
		VMS_SKIP(struct p9, xattr_bytes, "counted in the list"),
		VMS_SKIP(struct p9, listing_bytes, "the host's"),
		VMS_SKIP(struct p9, uses, "the host's"),
		VMS_SKIP(struct p9, warned, "said once by each process")),
};

/* The server of shared folders: each message in each model, as an ordinary user; what a hostile guest and a hostile folder
 * try; bounds; fids that outlive a snapshot. */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "machine/host/p9/fid.h"
#include "machine/host/p9/p9.h"
#include "savevm/stream.h"

#define ROOM   (UINT32_C(1) << 20)
#define NOBODY 65534u
#define NOFID  UINT32_MAX
#define MSIZE  65536u

enum { TSTATFS = 8, TLOPEN = 12, TLCREATE = 14, TSYMLINK = 16, TMKNOD = 18, TRENAME = 20, TREADLINK = 22, TGETATTR = 24, TSETATTR = 26,
       TXATTRWALK = 30, TXATTRCREATE = 32, TREADDIR = 40, TFSYNC = 50, TLOCK = 52, TGETLOCK = 54, TLINK = 70, TMKDIR = 72,
       TRENAMEAT = 74, TUNLINKAT = 76, TVERSION = 100, TAUTH = 102, TATTACH = 104, TFLUSH = 108, TWALK = 110, TREAD = 116,
       TWRITE = 118, TCLUNK = 120, TREMOVE = 122 };

static const char *const model_names[] = { "passthrough", "none", "mapped-xattr", "mapped-file" };

static char base[] = "/tmp/cede-p9-XXXXXX";
static struct p9 server;
static uint32_t group;			/* what is made belongs to it: one's own where no other may be given */

/* ---- A client ---- */

static struct {
	uint8_t in[ROOM], out[ROOM];
	uint32_t n, at;			/* of the answer: its bytes, how far it has been read */
} wire;

static void put(uint32_t *n, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		wire.in[(*n)++] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)wire.out[wire.at++] << 8 * i;
	return v;
}

/* The message in wire.in, whose length is known by now: the errno it is answered with. */
static int serve(uint32_t n, uint32_t room)
{
	uint8_t type = wire.in[4];

	memcpy(wire.in, &n, 4);
	wire.n = p9_serve(&server, wire.in, n, wire.out, room);
	wire.at = 0;
	if (get(4) != wire.n || wire.n < P9_HEADER || wire.n > room)
		return -1;
	if (get(1) == 7)
		return get(2) == 0x1234 ? (int)get(4) : -1;
	return wire.out[4] == type + 1 && get(2) == 0x1234 ? 0 : -1;
}

/* b w d q: numbers of 1, 2, 4, 8 bytes; s: a string. */
static uint32_t build(uint8_t type, const char *format, va_list ap)
{
	uint32_t n = 4;

	put(&n, type, 1);
	put(&n, 0x1234, 2);
	for (; *format; format++) {
		const char *text = *format == 's' ? va_arg(ap, const char *) : NULL;

		if (text) {
			put(&n, strlen(text), 2);
			memcpy(wire.in + n, text, strlen(text));
			n += (uint32_t)strlen(text);
		} else {
			put(&n, *format == 'q' ? va_arg(ap, uint64_t) : va_arg(ap, uint32_t),
			    *format == 'b' ? 1 : *format == 'w' ? 2 : *format == 'd' ? 4 : 8);
		}
	}
	return n;
}

static int call(uint8_t type, const char *format, ...)
{
	va_list ap;
	uint32_t n;

	va_start(ap, format);
	n = build(type, format, ap);
	va_end(ap);
	return serve(n, MSIZE);
}

static int version(uint32_t msize) { return call(TVERSION, "ds", msize, "9P2000.L"); }
static int attach(uint32_t fid, uint32_t uid) { return call(TATTACH, "ddssd", fid, NOFID, "me", "", uid); }
static int clunk(uint32_t fid) { return call(TCLUNK, "d", fid); }

/* "a/b": each a name; fid 0 is the root. */
static int walk(uint32_t fid, const char *path)
{
	uint32_t n = 4, names = 0, count_at;
	uint8_t got;

	put(&n, TWALK, 1);
	put(&n, 0x1234, 2);
	put(&n, 0, 4);
	put(&n, fid, 4);
	count_at = n;
	put(&n, 0, 2);
	for (const char *at = path; *at; names++) {
		size_t bytes = strcspn(at, "/");

		put(&n, bytes, 2);
		memcpy(wire.in + n, at, bytes);
		n += (uint32_t)bytes;
		at += bytes + (at[bytes] == '/');
	}
	put(&count_at, names, 2);
	if (serve(n, MSIZE))
		return (int)(wire.at = 7, get(4));
	got = (uint8_t)get(2);
	return got == names ? 0 : 1000 + got;
}

static int open_at(uint32_t fid, const char *path, uint32_t flags)
{
	int e = walk(fid, path);

	if (!e && (e = call(TLOPEN, "dd", fid, flags)))
		clunk(fid);
	return e;
}

static int create_at(uint32_t fid, const char *folder, const char *name, uint32_t mode)
{
	int e = walk(fid, folder);

	return e ? e : call(TLCREATE, "dsddd", fid, name, 2, mode, group);
}

static int write_at(uint32_t fid, uint64_t offset, const char *text)
{
	uint32_t n = 4;

	put(&n, TWRITE, 1);
	put(&n, 0x1234, 2);
	put(&n, fid, 4);
	put(&n, offset, 8);
	put(&n, strlen(text), 4);
	memcpy(wire.in + n, text, strlen(text));
	return serve(n + (uint32_t)strlen(text), MSIZE);
}

/* What is there, as text; "!": an error. */
static const char *read_at(uint32_t fid, uint64_t offset, uint32_t count)
{
	static char text[256];
	uint32_t n;

	if (call(TREAD, "dqd", fid, offset, count))
		return "!";
	n = (uint32_t)get(4);
	snprintf(text, sizeof text, "%.*s", (int)n, (char *)wire.out + wire.at);
	return text;
}

/* Names of the folder that fid 1 is open on, from an offset on, as text; where the next ones are. */
static const char *list_from(uint64_t *offset, uint32_t count)
{
	static char names[512];
	uint32_t n, end;

	names[0] = 0;
	if (call(TREADDIR, "dqd", 1, *offset, count))
		return "!";
	n = (uint32_t)get(4);
	for (end = wire.at + n; wire.at < end;) {
		get(8), get(5);
		*offset = get(8);
		get(1);
		n = (uint32_t)get(2);
		snprintf(names + strlen(names), sizeof names - strlen(names), "%.*s ", (int)n, (char *)wire.out + wire.at);
		wire.at += n;
	}
	return names;
}

/* mode, uid, gid, size of a path; all ones: an error. */
struct attr { uint32_t mode, uid, gid; uint64_t rdev, size; };

static struct attr attr_of(uint32_t fid)
{
	struct attr a = { UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, UINT64_MAX };

	if (call(TGETATTR, "dq", fid, UINT64_C(0x7ff)))
		return a;
	get(8 + 0);
	get(8);
	get(5);
	a.mode = (uint32_t)get(4);
	a.uid = (uint32_t)get(4);
	a.gid = (uint32_t)get(4);
	get(8);
	a.rdev = get(8);
	a.size = get(8);
	return a;
}

static struct attr attr_at(const char *path)
{
	struct attr a;

	if (walk(99, path))
		return (struct attr){ UINT32_MAX, UINT32_MAX, UINT32_MAX, 0, UINT64_MAX };
	a = attr_of(99);
	clunk(99);
	return a;
}

static int setattr(uint32_t fid, uint32_t valid, uint32_t mode, uint32_t uid, uint32_t gid, uint64_t size)
{
	return call(TSETATTR, "dddddqqqqq", fid, valid, mode, uid, gid, size, UINT64_C(11), UINT64_C(0), UINT64_C(22), UINT64_C(0));
}

/* ---- Folders on the host ---- */

static const char *at(const char *name)
{
	static char path[4][512];
	static unsigned i;

	i = (i + 1) % 4;
	snprintf(path[i], sizeof path[i], "%s/%s", base, name);
	return path[i];
}

static void make(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd)) {
		printf("FAIL %s: %s\n", name, strerror(errno));
		exit(EXIT_FAILURE);
	}
}

static bool start(const char *folder, enum share_model model, bool readonly)
{
	const char *path = at(folder);
	struct share_options o = { .path = path, .model = model, .readonly = readonly, .file_mode = 0600, .folder_mode = 0700 };
	struct error err = { .msg = "" };

	if (!check(p9_open(&server, &o, &err), "%s opens", folder))
		return false;
	return check(!version(MSIZE) && !attach(0, geteuid()), "%s: attached", folder);
}

static void stop(void)
{
	p9_close(&server);
}

/* ---- Beginnings ---- */

static void test_begin(void)
{
	struct error err = { .msg = "" };
	struct share_options o = { .path = "/nonexistent" };
	const char *path = at("begin");

	check(!p9_open(&server, &o, &err) && strstr(err.msg, "/nonexistent"), "a folder that is not there");
	mkdir(at("begin"), 0755);
	o.path = path;
	check(p9_open(&server, &o, &err), "begin: opens");
	check_eq(attach(0, 0), EOPNOTSUPP, "begin: nothing before Tversion");
	check_eq(call(TVERSION, "ds", 4095, "9P2000.L"), EMSGSIZE, "begin: too small messages");
	check(!call(TVERSION, "ds", 8192, "9P2000") && get(4) == 8192 && get(2) == 7 && !memcmp(wire.out + wire.at, "unknown", 7),
	      "begin: another version is unknown");
	check_eq(attach(0, 0), EOPNOTSUPP, "begin: and nothing goes then");
	check(!version(UINT32_MAX) && get(4) == P9_MSIZE_MAX, "begin: msize is bounded");
	check(!version(8192) && get(4) == 8192, "begin: msize");
	check(!p9_mounted(&server), "begin: not mounted");
	check(!attach(0, 0) && get(1) == 0x80, "begin: the root is a folder");
	check(p9_mounted(&server), "begin: mounted");
	check_eq(attach(0, 0), EINVAL, "begin: a fid once");
	check_eq(attach(NOFID, 0), EINVAL, "begin: no such fid");
	check_eq(call(TAUTH, "dssd", 1, "me", "", 0), EOPNOTSUPP, "begin: nobody has to say who he is");
	check_eq(call(TFLUSH, "w", 3), 0, "begin: flush");
	check_eq(call(200, ""), EOPNOTSUPP, "begin: a type that is none");
	check_eq(call(255, ""), EOPNOTSUPP, "begin: the last type");
	check_eq(clunk(7), EBADF, "begin: a fid that is none");
	check(!call(TSTATFS, "d", 0) && get(4) == 0x01021997, "begin: statfs");
	check_eq(clunk(0), 0, "begin: clunk");
	check(!p9_mounted(&server), "begin: and not mounted any more");
	check(!attach(0, 0) && !version(8192) && !p9_mounted(&server), "begin: Tversion drops all fids");
	p9_close(&server);
}

/* ---- Each message, in each model ---- */

static void test_files(void)
{
	check_eq(create_at(1, "", "file", 0640), 0, "create");
	check_eq(write_at(1, 0, "some text"), 0, "write");
	check(!strcmp(read_at(1, 5, 100), "text"), "read");
	check(!strcmp(read_at(1, 100, 100), ""), "read behind the end");
	check_eq(call(TFSYNC, "dd", 1, 0), 0, "fsync");
	check(!call(TLOCK, "dbdqqds", 1, 1, 0, UINT64_C(0), UINT64_C(0), 1, "me") && get(1) == 0, "lock");
	check(!call(TGETLOCK, "dbqqds", 1, 1, UINT64_C(0), UINT64_C(0), 1, "me") && get(1) == 2, "getlock");
	check_eq(attr_of(1).size, 9, "getattr: size");
	check_eq(attr_of(1).mode, S_IFREG | 0640, "getattr: mode");
	check_eq(create_at(2, "", "file", 0600), 0, "create: what is there is opened");
	check_eq(clunk(2), 0, "clunk");
	walk(2, "");
	check_eq(call(TLCREATE, "dsddd", 2, "file", 0302, 0600, 0), EEXIST, "create: only if it is not there");
	clunk(2);
	check_eq(setattr(1, 8, 0, 0, 0, 4), 0, "truncate");
	check(!strcmp(read_at(1, 0, 100), "some"), "it is short now");
	check_eq(setattr(1, 8, 0, 0, 0, UINT64_MAX), EFBIG, "truncate: too long");
	check_eq(write_at(1, UINT64_MAX - 2, "x"), EFBIG, "write: too far");
	check(!strcmp(read_at(1, UINT64_MAX - 2, 10), "!"), "read: too far");
	check_eq(setattr(1, 1, 0755, 0, 0, 0), 0, "chmod");
	check_eq(attr_of(1).mode, S_IFREG | 0755, "chmod: it is so");
	check_eq(setattr(1, 16 | 32 | 128 | 256, 0, 0, 0, 0), 0, "utimens");
	check_eq(walk(1, "file"), EINVAL, "walk: an open fid does not go");
	check_eq(call(TLOPEN, "dd", 1, 0), EBADF, "open: not twice");
	clunk(1);
	check_eq(open_at(1, "file", 01002), 0, "open and truncate");
	check_eq(attr_of(1).size, 0, "it is empty");
	clunk(1);
	check_eq(open_at(1, "file", 3), EINVAL, "open: a mode that is none");
	check_eq(open_at(1, "none", 0), ENOENT, "open: what is not there");
}

/* A fid whose file has no name any more is not the next file of that name. */
static void test_nameless(void)
{
	uint32_t mode;

	create_at(1, "", "name", 0640);
	check_eq(call(TUNLINKAT, "dsd", 0, "name", 0), 0, "nameless: it has none any more");
	create_at(2, "", "name", 0644);
	write_at(2, 0, "new");
	mode = attr_at("name").mode;
	check_eq(setattr(1, 1, 0777, 0, 0, 0), ESTALE, "nameless: chmod");
	check_eq(setattr(1, 2, 0, 5, 0, 0), ESTALE, "nameless: chown");
	check_eq(setattr(1, 32 | 256, 0, 0, 0, 0), 0, "nameless: utimens, of the open file");
	check_eq(setattr(1, 8 | 32 | 64, 0, 0, 0, 1), 0, "nameless: truncate, too");
	check_eq(setattr(1, 64, 0, 0, 0, 0), 0, "nameless: ctime alone");
	check_eq(attr_of(1).size, 1, "nameless: it is as long");
	check_eq(call(TRENAME, "dds", 1, 0, "taken"), ESTALE, "nameless: rename");
	check_eq(call(TLINK, "dds", 0, 1, "taken"), ESTALE, "nameless: link");
	check_eq(call(TXATTRWALK, "dds", 1, 9, ""), ESTALE, "nameless: attributes");
	check_eq(call(TREMOVE, "d", 1), ESTALE, "nameless: remove");
	check(attr_at("name").mode == mode && attr_at("name").size == 3, "nameless: the new one is as it was");
	clunk(2);
	walk(1, "name");
	call(TUNLINKAT, "dsd", 0, "name", 0);
	check_eq(call(TWALK, "ddws", 1, 1, 1, ".."), 0, "nameless: a fid that is not open goes elsewhere");
	check(!fid_find(&server, 1)->pinned, "nameless: and has a name there");
	clunk(1);
}

/* An error leaves a fid where it was. */
static void test_stays(void)
{
	check_eq(call(TMKDIR, "dsdd", 0, "there", 0755, group), 0, "stays: a folder");
	walk(1, "");
	check_eq(call(TLCREATE, "dsddd", 1, "there", 0, 0644, group), EISDIR, "stays: it is not created as a file");
	check_eq(call(TUNLINKAT, "dsd", 1, "there", 0x200), 0, "stays: the fid is the folder it was");
	clunk(1);
}

static void test_folders(void)
{
	char names[512] = "";
	const char *some;
	uint64_t offset = 0;

	check_eq(call(TMKDIR, "dsdd", 0, "folder", 0750, group), 0, "mkdir");
	check_eq(attr_at("folder").mode, S_IFDIR | 0750, "mkdir: mode");
	check_eq(call(TMKDIR, "dsdd", 0, "folder", 0750, group), EEXIST, "mkdir: once");
	check_eq(create_at(1, "folder", "b", 0644), 0, "create in it");
	clunk(1);
	create_at(1, "folder", "a", 0644);
	clunk(1);
	create_at(1, "folder", "c", 0644);
	clunk(1);
	check_eq(walk(1, "folder/a"), 0, "walk");
	check_eq(walk(2, "folder/none"), 1001, "walk: as far as it goes");
	check_eq(clunk(2), EBADF, "walk: and no fid then");
	check_eq(walk(2, "folder/a/x"), 1002, "walk: a file is no folder");
	clunk(1);
	check_eq(open_at(1, "folder", 0), 0, "open a folder");
	while (*(some = list_from(&offset, 40)) && strcmp(some, "!"))
		strncat(names, some, sizeof names - strlen(names) - 1);
	check(!strcmp(names, ". .. a b c "), "readdir: all, in order: %s", names);
	check_eq(call(TREADDIR, "dqd", 1, UINT64_C(0), 10), EINVAL, "readdir: no room for one");
	check(!call(TREADDIR, "dqd", 1, UINT64_MAX, 100) && get(4) == 0, "readdir: behind the end");
	check(!strcmp(read_at(1, 0, 10), "!"), "read: not a folder");
	clunk(1);
	check_eq(call(TUNLINKAT, "dsd", 0, "folder", 0x200), ENOTEMPTY, "unlink: not if it is not empty");
	check_eq(open_at(1, "folder/b", 2), 0, "open b");
	check_eq(write_at(1, 0, "bee"), 0, "write to b");
	walk(2, "folder");
	check_eq(call(TRENAMEAT, "dsds", 2, "b", 0, "moved"), 0, "renameat");
	check(!strcmp(read_at(1, 0, 10), "bee"), "an open file goes along");
	check_eq(attr_of(1).mode, S_IFREG | 0644, "with its mode");
	check_eq(call(TRENAME, "dds", 2, 0, "other"), 0, "rename a folder");
	check_eq(attr_at("other/a").mode, S_IFREG | 0644, "what is in it goes along");
	check_eq(call(TUNLINKAT, "dsd", 2, "a", 0), 0, "a fid finds its folder");
	check_eq(call(TUNLINKAT, "dsd", 0, "moved", 0), 0, "unlink");
	check(!strcmp(read_at(1, 0, 10), "bee"), "an open file outlives its name");
	check_eq(attr_of(1).size, 3, "and says what it is");
	clunk(1);
	clunk(2);
	walk(2, "other/c");
	check_eq(call(TREMOVE, "d", 2), 0, "remove");
	check_eq(clunk(2), EBADF, "remove: and the fid");
	check_eq(call(TUNLINKAT, "dsd", 0, "other", 0x200), 0, "rmdir");
	check_eq(call(TUNLINKAT, "dsd", 0, "file", 1), EINVAL, "unlink: flags that are none");
}

static void test_links(enum share_model model)
{
	bool root = geteuid() == 0, mapped = model == SHARE_XATTR || model == SHARE_FILE;
	char target[64];

	check_eq(call(TSYMLINK, "dssd", 0, "link", "../../etc/passwd", 0), root || mapped || model == SHARE_NONE ? 0 : EPERM, "symlink");
	if (!walk(1, "link")) {
		check(!call(TREADLINK, "d", 1) && get(2) == 16 && !memcmp(wire.out + wire.at, "../../etc/passwd", 16), "readlink");
		check_eq(attr_of(1).mode & S_IFMT, S_IFLNK, "a link is a link");
		check(!call(TLOPEN, "dd", 1, 0) == mapped, "a link of the host's is not opened");
		clunk(1);
		check(walk(1, "link/x") != 0, "and leads nowhere");
		check(mapped || readlink(at("any/link"), target, sizeof target) == 16, "on the host it is one in two models");
	}
	make("any/one", "1");
	walk(1, "one");
	check_eq(call(TLINK, "dds", 0, 1, "two"), 0, "link");
	clunk(1);
	check_eq(attr_at("two").size, 1, "link: the same file");
	check_eq(walk(1, ""), 0, "walk to the root");
	check_eq(call(TLINK, "dds", 0, 1, "three"), EPERM, "link: not the root");
	check_eq(call(TREMOVE, "d", 1), EBUSY, "remove: not the root");
}

static void test_owners(enum share_model model)
{
	bool root = geteuid() == 0, mapped = model == SHARE_XATTR || model == SHARE_FILE;
	struct attr a;

	check_eq(call(TMKNOD, "dsdddd", 0, "fifo", S_IFIFO | 0600, 0, 0, getegid()), 0, "mknod: a FIFO");
	check_eq(attr_at("fifo").mode, S_IFIFO | 0600, "mknod: it is one");
	check_eq(open_at(1, "fifo", 0), mapped ? 0 : ENXIO, "a FIFO of the host's is not opened");
	clunk(1);
	check_eq(call(TMKNOD, "dsdddd", 0, "disk", S_IFBLK | 0600, 8, 1, 5), root || mapped ? 0 : EPERM, "mknod: a device");
	if (root || mapped) {
		a = attr_at("disk");
		check(a.mode == (S_IFBLK | 0600) && a.rdev == 0x801 && a.gid == 5, "mknod: it is one");
		check_eq(open_at(1, "disk", 0), mapped ? 0 : ENXIO, "a device of the host's is not opened");
		clunk(1);
	}
	check_eq(call(TMKNOD, "dsdddd", 0, "d", S_IFDIR | 0600, 0, 0, 0), EINVAL, "mknod: no folders");
	walk(1, "one");
	check_eq(setattr(1, 2 | 4, 0, 77, 78, 0), root || mapped ? 0 : EPERM, "chown");
	a = attr_of(1);
	check(a.uid == (root || mapped ? 77 : geteuid()) && (a.gid == 78) == (root || mapped), "chown: it is so");
	clunk(1);
	if (mapped) {
		walk(1, "");
		check_eq(setattr(1, 1 | 2, 01777, 5, 0, 0), 0, "the root has an owner, too");
		check(attr_of(1).mode == (S_IFDIR | 01777) && attr_of(1).uid == 5, "and a mode");
		clunk(1);
	}
}

static void test_xattrs(enum share_model model)
{
	int e;

	walk(1, "one");
	e = call(TXATTRCREATE, "dsqd", 1, "user.colour", UINT64_C(4), 0);
	check_eq(e, 0, "xattrcreate");
	check_eq(write_at(1, 1, "x"), ENOSPC, "xattr: in order");
	check_eq(write_at(1, 0, "blues"), ENOSPC, "xattr: no more than it said");
	check_eq(write_at(1, 0, "blue"), 0, "xattr: write");
	e = clunk(1);
	if (e == EOPNOTSUPP)
		return;
	check_eq(e, 0, "xattr: set");
	walk(1, "one");
	check(!call(TXATTRWALK, "dds", 1, 2, "user.colour") && get(8) == 4, "xattrwalk");
	check(!strcmp(read_at(2, 0, 10), "blue") && !strcmp(read_at(2, UINT64_MAX, 1), ""), "xattr: read");
	clunk(2);
	check(!call(TXATTRWALK, "dds", 1, 2, "") && get(8) == 12, "xattrwalk: names, none of the model's");
	check(!strcmp(read_at(2, 0, 100), "user.colour"), "xattrwalk: it");
	clunk(2);
	check_eq(call(TXATTRWALK, "dds", 1, 2, "user.virtfs.uid"), ENODATA, "xattr: the model's are not the guest's");
	check_eq(call(TXATTRWALK, "dds", 1, 2, "trusted.x"), EOPNOTSUPP, "xattr: nor are other ones");
	check_eq(call(TXATTRCREATE, "dsqd", 1, "user.big", UINT64_C(65537), 0), E2BIG, "xattr: too big");
	check_eq(call(TXATTRCREATE, "dsqd", 1, "user.colour", UINT64_C(0), 0), 0, "xattr: to be removed");
	check_eq(clunk(1), 0, "xattr: is removed");
	walk(1, "one");
	check_eq(call(TXATTRWALK, "dds", 1, 2, "user.colour"), ENODATA, "xattr: it is gone");
	if (model == SHARE_XATTR) {
		call(TXATTRCREATE, "dsqd", 1, "user.virtfs.uid", UINT64_C(4), 0);
		write_at(1, 0, "blue");
		check_eq(clunk(1), EACCES, "xattr: nobody sets the model's");
	} else {
		clunk(1);
	}
}

static bool has_xattrs(void)
{
	make("probe", "");
	return setxattr(at("probe"), "user.probe", "1", 1, 0) == 0;
}

static void test_model(enum share_model model)
{
	char rm[600];

	printf("ok -- %s as user %u\n", model_names[model], geteuid());
	snprintf(rm, sizeof rm, "rm -rf %s", at("any"));
	if (system(rm) || mkdir(at("any"), 0755) || !start("any", model, false))
		exit(EXIT_FAILURE);
	group = geteuid() && (model == SHARE_PASSTHROUGH || model == SHARE_NONE) ? getegid() : 1000;
	server.share.no_openat2 = model == SHARE_NONE;	/* the other way to a file */
	test_files();
	test_nameless();
	test_stays();
	test_folders();
	test_links(model);
	test_owners(model);
	test_xattrs(model);
	stop();
}

/* What QEMU would read, and has written. */
static void test_formats(void)
{
	uint32_t raw;
	char text[128] = "";
	int fd;

	group = 1000;
	mkdir(at("x"), 0755);
	if (has_xattrs() && start("x", SHARE_XATTR, false)) {
		create_at(1, "", "f", 0641);
		check(getxattr(at("x/f"), "user.virtfs.mode", &raw, 4) == 4 && raw == (S_IFREG | 0641), "mapped-xattr: mode");
		raw = 1234;
		setxattr(at("x/f"), "user.virtfs.uid", &raw, 4, 0);
		check_eq(attr_at("f").uid, 1234, "mapped-xattr: uid");
		stop();
	}
	mkdir(at("y"), 0755);
	if (!start("y", SHARE_FILE, false))
		return;
	create_at(1, "", "f", 0641);
	fd = open(at("y/.virtfs_metadata/f"), O_RDONLY);
	check(fd >= 0 && read(fd, text, sizeof text - 1) > 0 && strstr(text, "virtfs.mode=33185\n") && strstr(text, "virtfs.gid=1000\n"),
	      "mapped-file: lines");
	close(fd);
	make("y/.virtfs_metadata/f", "virtfs.uid=-2\nvirtfs.gid=7\nvirtfs.mode=33152\n");
	check(attr_at("f").uid == UINT32_MAX - 1 && attr_at("f").gid == 7 && attr_at("f").mode == (S_IFREG | 0600), "mapped-file: read");
	check_eq(walk(2, ".virtfs_metadata"), ENOENT, "mapped-file: hidden");
	check_eq(walk(2, ".virtfs_metadata/f"), ENOENT, "mapped-file: and what is in it");
	check_eq(call(TMKDIR, "dsdd", 0, ".virtfs_metadata_root", 0700, 0), EINVAL, "mapped-file: not to be made");
	walk(2, "");
	call(TLOPEN, "dd", 2, 0);
	call(TREADDIR, "dqd", 2, UINT64_C(0), 4000);
	check(!memmem(wire.out, wire.n, "virtfs", 6), "mapped-file: not listed");
	unlink(at("y/.virtfs_metadata/f"));
	symlink("/etc/passwd", at("y/.virtfs_metadata/f"));
	check_eq(setattr(1, 1, 0600, 0, 0, 0), ELOOP, "mapped-file: a link is not written through");
	unlink(at("y/.virtfs_metadata/f"));
	mkfifo(at("y/.virtfs_metadata/f"), 0600);
	check_eq(attr_of(1).mode & S_IFMT, S_IFREG, "mapped-file: a FIFO says nothing, and blocks nobody");
	stop();
}

/* What is kept of names takes part when they change, and is not in the way. */
static void test_notes(void)
{
	mkdir(at("n"), 0755);
	if (!start("n", SHARE_FILE, false))
		return;
	check(!call(TMKDIR, "dsdd", 0, "a", 0755, 1) && !call(TMKDIR, "dsdd", 0, "b", 0755, 2), "notes: two folders");
	create_at(1, "b", "f", 0600);
	walk(2, "b");
	check_eq(call(TUNLINKAT, "dsd", 2, "f", 0), 0, "notes: one has had a file");
	clunk(1);
	clunk(2);
	check_eq(call(TRENAMEAT, "dsds", 0, "a", 0, "b"), 0, "notes: a folder takes the place of an empty one");
	check_eq(attr_at("b").gid, 1, "notes: and is what it was");
	create_at(1, "", "one", 0641);
	check_eq(call(TLINK, "dds", 0, 1, "two"), 0, "notes: a file of two names");
	check_eq(call(TRENAMEAT, "dsds", 0, "one", 0, "two"), 0, "notes: one renamed to the other changes nothing");
	check(attr_at("one").mode == (S_IFREG | 0641) && attr_at("two").mode == (S_IFREG | 0641), "notes: of neither");
	check_eq(call(TUNLINKAT, "dsd", 0, "two", 0), 0, "notes: two goes");
	check(!strcmp(fid_path(fid_find(&server, 1)), "one") && !fid_find(&server, 1)->pinned, "notes: the fid is one's still");
	stop();
}

static void test_readonly(void)
{
	make("x/text", "text");
	if (!start("x", SHARE_NONE, true))
		return;
	check_eq(open_at(1, "text", 2), EROFS, "readonly: open to write");
	check_eq(open_at(1, "text", 01000), EROFS, "readonly: truncate");
	check_eq(call(TMKDIR, "dsdd", 0, "new", 0700, 0), EROFS, "readonly: mkdir");
	check_eq(open_at(1, "text", 0), 0, "readonly: open to read");
	check(!strcmp(read_at(1, 0, 10), "text"), "readonly: read");
	check_eq(write_at(1, 0, "x"), EROFS, "readonly: write");
	check_eq(call(TREMOVE, "d", 1), EROFS, "readonly: remove");
	stop();
}

/* ---- Ways out ---- */

static void test_names(void)
{
	static const char *const wrong[] = { "", "a/b", "/", "/etc", "../x", "a/" };
	uint32_t n = 4;

	for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		check_eq(call(TMKDIR, "dsdd", 0, wrong[i], 0700, 0), ENOENT, "names: mkdir '%s'", wrong[i]);
		check_eq(call(TWALK, "ddws", 0, 9, 1, wrong[i]), ENOENT, "names: walk '%s'", wrong[i]);
		check(call(TRENAMEAT, "dsds", 0, "text", 0, wrong[i]) == ENOENT, "names: rename to '%s'", wrong[i]);
	}
	check_eq(call(TMKDIR, "dsdd", 0, "..", 0700, 0), EEXIST, "names: mkdir ..");
	check_eq(call(TUNLINKAT, "dsd", 0, "..", 0x200), EINVAL, "names: unlink ..");
	check_eq(call(TRENAMEAT, "dsds", 0, "..", 0, "x"), EISDIR, "names: rename ..");
	check_eq(create_at(1, "", "..", 0600), EEXIST, "names: create ..");
	clunk(1);
	put(&n, TWALK, 1);
	put(&n, 0x1234, 2);
	put(&n, 0, 4);
	put(&n, 9, 4);
	put(&n, 1, 2);
	put(&n, 3, 2);
	put(&n, 'a' | 0 << 8 | 'b' << 16, 3);
	check_eq(serve(n, MSIZE), ENOENT, "names: with a NUL");
	check_eq(walk(1, "../../.."), 0, "names: above the root");
	check_eq(attr_of(1).mode & S_IFMT, S_IFDIR, "names: is the root");
	check(!call(TLOPEN, "dd", 1, 0) && !call(TREADDIR, "dqd", 1, UINT64_C(0), 4000) && memmem(wire.out, wire.n, "inner", 5),
	      "names: as it shows");
	clunk(1);
}

/* What either way to a file says of a link on it. */
static bool no_folder(int e) { return e == ENOTDIR || e == ELOOP; }

static void test_host_links(void)
{
	check_eq(walk(1, "to-file"), 0, "links: to a file");
	check_eq(attr_of(1).mode & S_IFMT, S_IFLNK, "links: is a link");
	check_eq(call(TLOPEN, "dd", 1, 0), ELOOP, "links: and not opened");
	check_eq(setattr(1, 8, 0, 0, 0, 0), ELOOP, "links: nor truncated");
	check(setattr(1, 1, 0777, 0, 0, 0) != 0, "links: nor its mode changed");
	clunk(1);
	check(walk(1, "to-folder/secret") > 1000, "links: to a folder");
	check_eq(walk(1, "to-folder"), 0, "links: the folder's");
	check(no_folder(call(TMKDIR, "dsdd", 1, "new", 0700, 0)), "links: nothing is made there");
	check(no_folder(call(TUNLINKAT, "dsd", 1, "secret", 0)), "links: nothing removed");
	check(no_folder(call(TLCREATE, "dsddd", 1, "new", 2, 0600, 0)), "links: nothing created");
	clunk(1);
	check_eq(walk(1, ""), 0, "links: create over one");
	check_eq(call(TLCREATE, "dsddd", 1, "to-nothing", 0102, 0600, 0), ELOOP, "links: does not follow it");
	clunk(1);
	check(access(at("outside/made"), F_OK) != 0, "links: nothing was made outside");
}

struct swap {
	const char *a, *b;
	bool end;
};

static void *swap_names(void *opaque)
{
	struct swap *s = opaque;

	while (!__atomic_load_n(&s->end, __ATOMIC_RELAXED))
		renameat2(AT_FDCWD, s->a, AT_FDCWD, s->b, RENAME_EXCHANGE);
	return NULL;
}

/* Two names change places while the guest opens what they have. Outside says "secret", FIFOs would block. */
static void race(const char *name, const char *a, const char *b, const char *path)
{
	struct swap s = { strdup(at(a)), strdup(at(b)), false };
	unsigned good = 0, bad = 0;
	struct stat before, after;
	pthread_t thread;

	lstat(s.a, &before);
	pthread_create(&thread, NULL, swap_names, &s);
	for (unsigned i = 0; i < 20000 && !bad; i++) {
		if (open_at(1, path, 0))
			continue;
		if (strcmp(read_at(1, 0, 20), "inner"))
			bad++;
		good++;
		clunk(1);
	}
	__atomic_store_n(&s.end, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	if (!lstat(s.a, &after) && after.st_ino != before.st_ino)
		renameat2(AT_FDCWD, s.a, AT_FDCWD, s.b, RENAME_EXCHANGE);
	check(!bad && good, "race %s: only what is inside", name);
	free((void *)(uintptr_t)s.a);
	free((void *)(uintptr_t)s.b);
}

static void test_escapes(bool no_openat2)
{
	if (!start("room", SHARE_NONE, false))
		return;
	server.share.no_openat2 = no_openat2;
	test_names();
	test_host_links();
	race("of a folder", "room/sub", "room/sub-link", "sub/secret");
	race("of a file", "room/plain", "room/to-file", "plain");
	race("with a FIFO", "room/plain", "room/fifo", "plain");
	stop();
}

static void make_escapes(void)
{
	mkdir(at("outside"), 0755);
	mkdir(at("room"), 0755);
	mkdir(at("room/sub"), 0755);
	make("outside/secret", "secret");
	make("room/sub/secret", "inner");
	make("room/plain", "inner");
	make("room/inner", "inner");
	symlink(at("outside/secret"), at("room/to-file"));
	symlink(at("outside"), at("room/to-folder"));
	symlink(at("outside/made"), at("room/to-nothing"));
	symlink(at("outside"), at("room/sub-link"));
	mkfifo(at("room/fifo"), 0666);
}

/* ---- Malformed messages, bounds ---- */

static void test_malformed(void)
{
	static const uint8_t types[] = { 8, 12, 14, 16, 18, 20, 22, 24, 26, 30, 32, 40, 50, 52, 54, 70, 72, 74, 76, 100, 104, 108, 110, 116,
					 118, 120, 122 };
	uint32_t size = 100;

	if (!start("x", SHARE_NONE, false))
		return;
	for (unsigned i = 0; i < sizeof types; i++) {
		bool refused = true;

		if (types[i] == TVERSION)
			continue;
		memset(wire.in, 0, 64);
		wire.in[4] = types[i], wire.in[5] = 0x34, wire.in[6] = 0x12;
		for (uint32_t n = 7; n < 9; n++)
			refused &= serve(n, MSIZE) > 0;
		check(refused, "cut short: type %u", types[i]);
	}
	memset(wire.in, 0, 64);
	memcpy(wire.in, &size, 4);
	check(p9_serve(&server, wire.in, 20, wire.out, MSIZE) == P9_REPLY_MIN && wire.out[4] == 7, "longer than it is");
	check_eq(call(TWRITE, "dqd", 0, UINT64_C(0), UINT32_MAX), EINVAL, "more data than there are");
	check_eq(call(TWALK, "ddw", 0, 9, 17), EINVAL, "more names than may be");
	check_eq(call(TWALK, "ddw", 0, 9, 3), EINVAL, "more names than there are");
	call(TGETATTR, "dq", 0, UINT64_C(0));
	check(p9_serve(&server, wire.in, 19, wire.out, 20) == P9_REPLY_MIN && wire.out[4] == 7, "no room for the answer");
	open_at(1, "text", 0);
	check(!call(TREAD, "dqd", 1, UINT64_C(0), UINT32_MAX) && get(4) == 4, "a read of more than a message has room for");
	stop();
}

static void test_bounds(void)
{
	uint32_t fid = 1;
	unsigned good = 0;

	if (!start("x", SHARE_NONE, false))
		return;
	while (!call(TWALK, "ddw", 0, fid, 0))
		fid++;
	check_eq(fid, P9_FIDS_MAX, "fids: so many");
	check_eq(call(TWALK, "ddw", 0, fid, 0), ENFILE, "fids: and no more");
	check(!version(MSIZE) && !attach(0, 0), "fids: all go");
	for (fid = 1; fid <= 2000; fid++)
		good += !open_at(fid, "text", 0);
	check_eq(good, 2000, "open files: more than a process may have");
	good = 0;
	for (fid = 1; fid <= 2000; fid++)
		good += !strcmp(read_at(fid, 0, 10), "text");
	check_eq(good, 2000, "open files: each can be read");
	check(server.open_files < 500, "open files: few at a time");
	version(MSIZE);
	attach(0, 0);
	for (fid = 1, good = 0; fid <= 600; fid++) {
		good += !create_at(fid, "", "brief", 0600);
		call(TUNLINKAT, "dsd", 0, "brief", 0);
	}
	check(good == 400 && server.open_files == 400, "open files: no more without a name than may be open");
	check_eq(open_at(fid, "text", 0), ENFILE, "open files: nor with one then");
	clunk(1);
	check_eq(open_at(fid, "text", 0), 0, "open files: but if one is closed");
	version(MSIZE);
	attach(0, 0);
	for (fid = 1, good = 0; fid <= 1000; fid++) {
		walk(fid, "text");
		good += !call(TXATTRCREATE, "dsqd", fid, "user.a", UINT64_C(65536), 0);
	}
	check(good == 128, "attributes: 8 MiB together");
	stop();
}

/* Numbers that a client would choose to have all of its fids in one chain. */
static void test_chains(void)
{
	unsigned longest = 0;

	if (!start("x", SHARE_NONE, false))
		return;
	for (uint32_t i = 1; i < 20000; i++)
		call(TWALK, "ddw", 0, i << 16, 0);
	for (unsigned i = 0; i < P9_BUCKETS; i++) {
		unsigned n = 0;

		for (const struct p9_fid *f = server.bucket[i]; f; f = f->chain)
			n++;
		longest = n > longest ? n : longest;
	}
	check(server.fids == 20000 && longest < 100, "chains: the longest of them has %u fids", longest);
	stop();
}


/* A path of 4000 bytes, and how many fids it may be of. */
static void test_long_paths(void)
{
	char name[251] = "";
	uint32_t fid, most = (uint32_t)(P9_PATHS_MAX / 4000);

	memset(name, 'n', sizeof name - 1);
	if (!start("x", SHARE_NONE, false))
		return;
	walk(1, "");
	for (unsigned i = 0; i < 15; i++) {
		call(TMKDIR, "dsdd", 1, name, 0755, group);
		call(TWALK, "ddws", 1, 1, 1, name);
	}
	check_eq(call(TMKDIR, "dsdd", 1, "0", 0755, group), 0, "long paths: made");
	for (fid = 2; !call(TWALK, "ddws", 1, fid, 1, "0"); fid++)
		;
	check(fid > most && fid < 2 * most, "long paths: so many: %u", fid);
	check_eq(call(TUNLINKAT, "dsd", 1, "0", 0x200), 0, "long paths: removed");
	version(MSIZE);
	attach(0, 0);
	call(TMKDIR, "dsdd", 0, "s", 0755, group);
	for (fid = 1; fid < 20000; fid++)
		walk(fid, "s");
	walk(fid, name);
	check_eq(call(TRENAMEAT, "dsds", 0, "s", fid, "s"), 0, "long paths: renamed");
	check(server.path_bytes <= P9_PATHS_MAX, "long paths: no more bytes afterwards");
	stop();
}

/* ---- Snapshots ---- */

static bool save(int fd)
{
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "test" };
	bool ok = stream_open(&s, fd, true, &err) && vms_save(&w, &p9_state, &server) && stream_finish(&s);

	stream_close(&s);
	return ok;
}

static bool load(int fd, char *why, size_t size)
{
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "test" };
	bool ok = lseek(fd, 0, SEEK_SET) == 0 && stream_open(&s, fd, false, &err) && vms_load(&w, &p9_state, &server, 1);

	snprintf(why, size, "%s", ok ? "" : s.error.msg);
	stream_close(&s);
	return ok;
}

static void replace(int fd, const char *from, const char *to)
{
	char *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *found = memmem(map, 65536, from, strlen(from));

	check(found != NULL, "mutant %s", to);
	if (found)
		memcpy(found, to, strlen(to));
	munmap(map, 65536);
}

static void test_saved(void)
{
	int fd = memfd_create("saved", 0);
	char why[256];

	make("x/stays", "stays");
	make("x/goes", "goes");
	if (!start("x", SHARE_NONE, false))
		return;
	open_at(1, "stays", 01002);
	write_at(1, 0, "written");
	open_at(2, "goes", 0);
	open_at(3, "", 0);
	walk(4, "stays");
	call(TXATTRCREATE, "dsqd", 4, "user.a", UINT64_C(4), 0);
	write_at(4, 0, "ab");
	check(save(fd), "saved");
	stop();
	unlink(at("x/goes"));
	if (!start("x", SHARE_NONE, false))
		return;
	p9_reset(&server);
	check(load(fd, why, sizeof why), "loaded: %s", why);
	check(!strcmp(read_at(1, 0, 20), "written"), "an open file is open, and not truncated again");
	check_eq(write_at(1, 0, "W"), 0, "to write, too");
	check_eq(call(TREAD, "dqd", 2, UINT64_C(0), 10), ESTALE, "one that is gone is stale");
	check_eq(clunk(2), 0, "and can be given up");
	check(!call(TREADDIR, "dqd", 3, UINT64_C(2), 4000) && memmem(wire.out, wire.n, "stays", 5), "a folder is read on");
	check(!write_at(4, 2, "cd"), "an attribute goes on");
	stop();
	ftruncate(fd, 65536);
	replace(fd, "stays", "../ys");
	start("x", SHARE_NONE, false);
	p9_reset(&server);
	check(!load(fd, why, sizeof why) && strstr(why, "path"), "refused: %s", why);
	stop();
	replace(fd, "../ys", "a//ys");
	start("x", SHARE_NONE, false);
	p9_reset(&server);
	check(!load(fd, why, sizeof why) && strstr(why, "path"), "refused: %s", why);
	stop();
	close(fd);
}

/* Half of a folder has been read and removed, and something that has not been read, too; `saved`: and the server is another
 * one then. The rest is the same. */
static void test_listing(bool saved)
{
	int fd = memfd_create("listing", 0);
	uint64_t offset = 0;
	char why[256];

	if (!start("x", SHARE_NONE, false))
		return;
	call(TMKDIR, "dsdd", 0, "list", 0755, group);
	for (char name[2] = "a"; name[0] <= 'h'; name[0]++) {
		create_at(1, "list", name, 0644);
		clunk(1);
	}
	open_at(1, "list", 0);
	check(!strcmp(list_from(&offset, 160), ". .. a b c d "), "listing: the first half");
	walk(2, "list");
	for (char name[2] = "a"; name[0] <= 'd'; name[0]++)
		call(TUNLINKAT, "dsd", 2, name, 0);
	call(TUNLINKAT, "dsd", 2, "g", 0);
	create_at(3, "list", "z", 0644);
	if (saved) {
		check(save(fd), "listing: saved");
		stop();
		start("x", SHARE_NONE, false);
		p9_reset(&server);
		check(load(fd, why, sizeof why), "listing: loaded: %s", why);
	}
	check(!strcmp(list_from(&offset, 75), "e f h "), "listing: goes on by name, as the folder is now");
	check(!strcmp(list_from(&offset, 160), "z "), "listing: and on");
	check(!*list_from(&offset, 160), "listing: to its end");
	offset = 0;
	check(!strcmp(list_from(&offset, 160), ". .. e f h z "), "listing: from the beginning");
	for (const char *at = "efhz"; *at; at++)
		call(TUNLINKAT, "dsd", 2, (char[]){ *at, 0 }, 0);
	check_eq(call(TUNLINKAT, "dsd", 0, "list", 0x200), 0, "listing: gone");
	stop();
	close(fd);
}

/* A value that nobody would ever give back. */
static void test_saved_value(void)
{
	int fd = memfd_create("value", 0);
	char why[256], *map, *path;

	if (!start("x", SHARE_NONE, false))
		return;
	walk(1, "stays");
	fid_make_value(&server, fid_find(&server, 1), 4);
	fid_find(&server, 1)->kind = FID_XATTR_READ;
	check(save(fd) && !ftruncate(fd, 4096), "value: saved");
	p9_reset(&server);
	check(load(fd, why, sizeof why), "value: loaded: %s", why);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	path = memmem(map, 4096, "stays", 5);
	check(path && path[-9] == FID_XATTR_READ, "value: the fid's kind is where it is looked for");
	if (path)
		path[-9] = FID_PATH;
	munmap(map, 4096);
	p9_reset(&server);
	check(!load(fd, why, sizeof why) && strstr(why, "value"), "value: refused: %s", why);
	stop();
	close(fd);
}

/* ---- As an ordinary user ---- */

static int models_as(uid_t user)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		check_failures = 0;
		umask(077);
		if (user != geteuid() && (setgid(user) || setuid(user)))
			_exit(EXIT_FAILURE);
		test_model(SHARE_PASSTHROUGH);
		test_model(SHARE_NONE);
		if (has_xattrs())
			test_model(SHARE_XATTR);
		test_model(SHARE_FILE);
		fflush(stdout);
		_exit(check_failures ? EXIT_FAILURE : EXIT_SUCCESS);
	}
	waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	char rm[64];

	alarm(100);		/* what blocks, fails */
	if (!mkdtemp(base))
		return EXIT_FAILURE;
	chmod(base, 0777);
	test_begin();
	check_eq(models_as(geteuid()), 0, "all models");
	if (geteuid() == 0) {
		snprintf(rm, sizeof rm, "rm -rf %s/any %s/probe", base, base);
		check_eq(system(rm), 0, "cleared");
		check_eq(models_as(NOBODY), 0, "all models as nobody");
	}
	unlink(at("probe"));
	test_formats();
	test_notes();
	test_readonly();
	make_escapes();
	test_escapes(false);
	test_escapes(true);
	test_malformed();
	test_bounds();
	test_chains();
	test_long_paths();
	test_saved();
	test_saved_value();
	test_listing(false);
	test_listing(true);
	snprintf(rm, sizeof rm, "rm -rf %s", base);
	check_eq(system(rm), 0, "cleaned up");
	return check_done();
}

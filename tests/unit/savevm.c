/* The walker on a struct of its own; checksums; and files that are whole or the old ones: each write, flush
 * and rename is made to fail (--wrap), and the process is killed at any moment.
 *
 * usage: savevm [KILLS] */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"
#include "machine/core/memory.h"
#include "machine/monitor/control.h"
#include "machine/snapshot/outgoing.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "savevm/file.h"
#include "savevm/json.h"
#include "savevm/savevm.h"
#include "savevm/vmdesc.h"
#include "savevm/zip.h"

/* ---- Faults: see tests.mk, --wrap ---- */

enum fault { NONE, FAIL_ENOSPC, FAIL_EIO, SHORT };

static struct {
	enum fault fault;
	unsigned countdown, calls;
	char order[8];			/* s: flushed, r: renamed */
} faults;

ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __real_ftruncate(int fd, off_t length);
int __wrap_ftruncate(int fd, off_t length);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_renameat(int old, const char *from, int new, const char *to);
int __wrap_renameat(int old, const char *from, int new, const char *to);

static bool strikes(void)
{
	if (faults.fault == NONE)
		return false;
	faults.calls++;
	if (faults.countdown-- != 0)
		return false;
	errno = faults.fault == FAIL_EIO ? EIO : ENOSPC;
	return true;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fd <= 2 || !strikes())
		return __real_write(fd, buf, len);
	/* A disk that fills up takes a part first. */
	return faults.fault == SHORT && len > 1 ? (faults.countdown = 0, __real_write(fd, buf, len / 2)) : -1;
}

int __wrap_ftruncate(int fd, off_t length)
{
	return strikes() ? -1 : __real_ftruncate(fd, length);
}

static void note(char what)
{
	size_t len = strlen(faults.order);

	if (len + 1 < sizeof faults.order)
		faults.order[len] = what;
}

int __wrap_fsync(int fd)
{
	note('s');
	return strikes() ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int old, const char *from, int new, const char *to)
{
	note('r');
	return strikes() ? -1 : __real_renameat(old, from, new, to);
}

/* ---- The walker ---- */

struct item {
	uint32_t value;
	struct item *next;
};

struct toy {
	uint64_t a;
	uint32_t n, limited, fixed;
	bool flag;
	uint8_t some[16], bytes[5];
	uint16_t pair[2];
	struct item *list;
	uint8_t *room;
	uint32_t room_len;
	uint64_t extra;
};

static const struct vmstate item_state = {
	.name = "item", .version = 1, .min_version = 1, VMS_OF(struct item),
	.fields = VMS_FIELDS(VMS_U32(struct item, value), VMS_SKIP(struct item, next, "the list's")),
};

static bool extra_needed(const void *s) { return ((const struct toy *)s)->extra != 0; }
static bool toy_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	return ((struct toy *)s)->a != 13 || vms_wrong(w, "a", 13, "a number that brings luck");
}

static const struct vmstate extra_state = {
	.name = "toy/extra", .version = 2, .min_version = 1, .same_until = 3, VMS_OF(struct toy), .needed = extra_needed,
	.fields = VMS_FIELDS(VMS_U64(struct toy, extra)),
};

static const struct vmstate toy_state = {
	.name = "toy", .version = 3, .min_version = 2, VMS_OF(struct toy), .post_load = toy_post_load,
	.fields = VMS_FIELDS(
		VMS_U64(struct toy, a), VMS_U32(struct toy, n), VMS_U32_TO(struct toy, limited, 100), VMS_U32_EQUAL(struct toy, fixed),
		VMS_BOOL(struct toy, flag), VMS_COUNTED_BUFFER("some", struct toy, some, n), VMS_BUFFER(struct toy, bytes),
		VMS_MANY("pair", struct toy, pair, uint16_t, vms_u16,), VMS_UNUSED("unused", 3),
		VMS_LIST("list", struct toy, list, struct item, next, 4, item_state),
		VMS_U32(struct toy, room_len), VMS_ALLOCATED_BUFFER("room", struct toy, room, room_len, 64)),
	.subs = VMS_SUBS(&extra_state),
};

static size_t save_toy(struct toy *toy, uint8_t *data, size_t room, struct text *json)
{
	struct stream s;
	int fd = memfd_create("toy", 0);
	struct vms_walk w = { .stream = &s, .json = json, .section = "toy" };
	ssize_t n;

	if (!stream_open(&s, fd, true, NULL))
		exit(EXIT_FAILURE);
	vms_save(&w, &toy_state, toy);
	stream_flush(&s);
	stream_close(&s);
	n = pread(fd, data, room, 0);
	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static bool load_toy(struct toy *toy, const uint8_t *data, size_t len, uint32_t version, struct error *err)
{
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "toy", .instance = 7 };
	bool ok;

	if (!stream_open_memory(&s, data, len, NULL))
		exit(EXIT_FAILURE);
	ok = vms_load(&w, &toy_state, toy, version) && stream_position(&s) == len;
	*err = s.error;
	stream_close(&s);
	return ok;
}

static void free_toy(struct toy *toy)
{
	for (struct item *next, *i = toy->list; i; i = next) {
		next = i->next;
		free(i);
	}
	free(toy->room);
	*toy = (struct toy){ .fixed = 77 };
}

static void refuse_toy(uint8_t *data, size_t len, size_t at, uint8_t value, const char *word, const char *name)
{
	struct toy toy = { .fixed = 77 };
	uint8_t old = data[at];
	struct error err = { .msg = "" };

	data[at] = value;
	check(!load_toy(&toy, data, len, 3, &err) && strstr(err.msg, word), "%s (%s)", name, err.msg);
	data[at] = old;
	free_toy(&toy);
}

static void test_walker(void)
{
	struct item two = { .value = 22 }, one = { .value = 11, .next = &two };
	uint8_t room[] = { 9, 8, 7 }, data[512];
	struct toy toy = { .a = 0x0102030405060708, .n = 2, .limited = 100, .fixed = 77, .flag = true, .some = { 1, 2 }, .bytes = "abcd",
			   .pair = { 0x1122, 0x3344 }, .list = &one, .room = room, .room_len = 3, .extra = 5 }, back = { .fixed = 77 };
	static const uint8_t begins[] = { 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 2, 0, 0, 0, 100, 0, 0, 0, 77, 1, 1, 2, 'a', 'b', 'c', 'd', 0,
					  0x11, 0x22, 0x33, 0x44, 0, 0, 0, 1, 0, 0, 0, 11, 1, 0, 0, 0, 22, 0, 0, 0, 0, 3, 9, 8, 7,
					  5, 9, 't', 'o', 'y', '/', 'e', 'x', 't', 'r', 'a', 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5 };
	struct text json = { .p = NULL };
	struct error err;
	struct json tree;
	size_t len;

	text_add(&json, "{\"fields\":[");
	len = save_toy(&toy, data, sizeof data, &json);
	text_add(&json, "}");
	check(len == sizeof begins && !memcmp(data, begins, len), "bytes-in-the-stream");
	check(json_parse(&tree, json.p, json.len) && json_member(&tree, 0, "subsections") != JSON_NONE, "description-is-json");
	json_free(&tree);
	free(json.p);
	check(load_toy(&back, data, len, 3, &err), "loads");
	check(back.a == toy.a && back.n == 2 && back.flag && !memcmp(back.some, toy.some, 2) && !memcmp(back.bytes, "abcd", 5) &&
	      back.pair[1] == 0x3344 && back.list && back.list->value == 11 && back.list->next && back.list->next->value == 22 &&
	      !back.list->next->next && back.room_len == 3 && !memcmp(back.room, room, 3) && back.extra == 5, "comes-back");
	free_toy(&back);
	check(!load_toy(&back, data, len, 4, &err) && strstr(err.msg, "version: expected 2 to 3, found 4"), "newer-refused");
	free_toy(&back);
	check(!load_toy(&back, data, len, 1, &err), "older-refused");
	free_toy(&back);
	refuse_toy(data, len, 11, 17, "section toy 7, toy: field some: expected at most 16 elements, found 0x11", "count");
	refuse_toy(data, len, 15, 101, "field limited: expected at most 0x64, found 0x65", "limit");
	refuse_toy(data, len, 19, 78, "field fixed: expected 0x4d, found 0x4e", "equal");
	refuse_toy(data, len, 49, 65, "field room: expected at most 64 elements", "room");
	refuse_toy(data, len, 63, 'b', "subsection toy/extrb is not known", "unknown-subsection");
	refuse_toy(data, len, 67, 4, "toy/extra: version: expected 1 to 3, found 4", "subsection-version");
	check(data[67] == 2, "saved-as-the-version-that-all-read");
	data[67] = 3;
	check(load_toy(&back, data, len, 3, &err) && back.extra == 5, "a-later-version-with-the-same-fields");
	free_toy(&back);
	data[67] = 2;
	memset(data, 0, 8);
	refuse_toy(data, len, 7, 13, "expected a number that brings luck", "post-load");
	for (size_t cut = 0, bad = 0; cut <= len; cut++) {
		bad += cut < len && cut != 53 && load_toy(&back, data, cut, 3, &err);	/* 53: just without the subsection */
		free_toy(&back);
		if (cut == len)
			check(!bad, "cut-anywhere");
	}
}

/* Bit by bit. */
static uint32_t crc32_one(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len--; p++)
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc ^ *p >> bit) & 1 ? 0xedb88320 : 0);
	return crc;
}

static void test_sums(void)
{
	uint32_t (*table)[256] = crc32_new();
	uint8_t data[400];

	check_eq(crc32_add(table, 0, "123456789", 9), 0xcbf43926, "crc32");	/* the check value of every table of CRCs */
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i <= sizeof data; i++)
		if (crc32_add(table, crc32_add(table, 0, data, i), data + i, sizeof data - i) != crc32_add(table, 0, data, sizeof data))
			check(false, "crc32-in-parts-%u", i);
	check_eq(crc32_is_fast() ? crc32_fold(0, data, sizeof data) : crc32_one(0, data, sizeof data),
		 crc32_one(0, data, sizeof data), "crc32-folded");
	free(table);
}

static void test_json(void)
{
	static const char *const bad[] = { "", "{", "[1,]", "{\"a\"}", "{\"a\":1,}", "\"abc", "[1 2]", "{\"a\":[}", "]", "[[[[", "\"\\" };
	const char *good = " {\"a\": [1, 23], \"b\":\"x\"} ";
	char deep[300];
	struct json j;
	bool ok = true;

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		ok &= !json_parse(&j, bad[i], strlen(bad[i]));
	memset(deep, '[', sizeof deep);
	ok &= !json_parse(&j, deep, sizeof deep);
	check(ok, "json-refused");
	check(json_parse(&j, good, strlen(good)) && json_is(&j, json_member(&j, 0, "b"), "x") &&
	      json_number(&j, j.node[j.node[json_member(&j, 0, "a")].child].next, 0) == 23, "json-read");
	json_free(&j);
}

/* ---- Files ---- */

static bool file_is(const char *path, const char *text)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof buf - 1);

	close(fd);
	return n == (ssize_t)strlen(text) && !strcmp(buf, text);
}

static void put_old(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);

	if (__real_write(fd, "old", 3) != 3)
		exit(EXIT_FAILURE);
	close(fd);
}

/* ---- The ways to save ---- */

typedef bool save_fn(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err);

/* What a copy of this process writes, it says itself why not. */
static bool said_nothing(struct machine *m, void (*save)(struct machine *m), struct error *err)
{
	FILE *out = stderr, *memory = tmpfile();
	char said[sizeof err->msg] = "";

	if (!memory)
		return false;
	setvbuf(memory, NULL, _IONBF, 0);
	stderr = memory;
	save(m);
	stderr = out;
	rewind(memory);
	if (!fgets(said, sizeof said, memory))
		said[0] = 0;
	fclose(memory);
	error_set(err, "%s", said);
	return !said[0];
}

/* The monitor's savevm: PATH is "FOLDER/NAME.SUFFIX". Nobody waits there for the answer. */
static bool save_named(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err)
{
	const char *slash = strrchr(path, '/') + 1;
	char name[64];

	(void)o;
	snprintf(name, sizeof name, "%.*s", (int)(strrchr(slash, '.') - slash), slash);
	return control_savevm(m, name, err) && said_nothing(m, outgoing_end, err);
}

static void take(struct machine *m)
{
	snapshots_take(m);
	snapshots_wait(m);
}

/* -save with background=on */
static bool save_behind(struct machine *m, const char *path, const struct snapshot_options *o, struct error *err)
{
	struct config *options = (struct config *)(uintptr_t)m->config;
	bool ok;

	options->save[0] = (struct save_request){ .path = (char *)(uintptr_t)path, .when = SAVE_AT_CYCLE, .cycle = m->clock.now, .mapped = o->mapped,
						  .compress = o->compress, .parent = (char *)(uintptr_t)o->parent, .background = true };
	options->saves = 1;
	snapshots_free(m->snapshots);
	m->snapshots = snapshots_new(m, err);
	ok = said_nothing(m, take, err);
	options->saves = 0;
	return ok;
}

static void test_faults(struct machine *m, const char *path, save_fn *save, const struct snapshot_options *o, const char *layout)
{
	static const char *const names[] = { [FAIL_ENOSPC] = "ENOSPC", [FAIL_EIO] = "EIO", [SHORT] = "a-full-disk" };
	uint64_t before = machine_statehash(m);
	char part[256];

	snprintf(part, sizeof part, "%s.part", path);
	for (enum fault fault = FAIL_ENOSPC; fault <= SHORT; fault++) {
		unsigned tried = 0, kept = 0, said = 0;
		bool saved = false;

		while (!saved && tried < 1000) {
			struct error err = { .msg = "" };

			put_old(path);
			faults.fault = fault;
			faults.countdown = tried;
			saved = save(m, path, o, &err);
			faults.fault = NONE;
			tried += !saved;
			kept += !saved && (file_is(path, "old") || strstr(err.msg, "folder")) && access(part, F_OK);
			said += !saved && strstr(err.msg, path) && strstr(err.msg, strerror(fault == FAIL_EIO ? EIO : ENOSPC));
		}
		check(saved && !file_is(path, "old") && tried > 4 && kept == tried, "%s-%s-at-each-of-%u-calls-keeps-the-old-file", layout,
		      names[fault], tried);
		check_eq(said, tried, "%s-%s-is-said", layout, names[fault]);
	}
	check_eq(machine_statehash(m), before, "%s-saving-and-failing-changes-nothing", layout);
	unlink(path);
}

/* To the disk before it has its name, and the name to the disk before it is called done. */
static void test_order(struct machine *m, const char *path)
{
	const struct snapshot_options o = { .for_qemu = false };
	struct error err;

	memset(faults.order, 0, sizeof faults.order);
	check(snapshot_save(m, path, &o, &err) && !strcmp(faults.order, "srs"), "flush-rename-flush (%s)", faults.order);
}

/* What of a state is in the processor and in memory. */
static void mark(struct machine *m, uint8_t value)
{
	m->cpu[0]->cpu.r[7] = value;
	m->ram.base[0x500000] = value;
}

static void save_for_ever(struct machine *m, const char *path, save_fn *save, const struct snapshot_options *o)
{
	struct error err;

	for (uint8_t i = 1;; i ^= 3) {
		mark(m, i);
		if (!save(m, path, o, &err) && !strstr(err.msg, "another process"))	/* of the last kill, and not yet gone */
			_exit(1);
	}
}

/* The state that is in the file; 0: it cannot be loaded, or is a mixture. */
static unsigned state_of(struct machine *spare, const char *path)
{
	struct error err;
	uint64_t value;

	machine_clear(spare);
	if (!snapshot_load(spare, path, &err))
		return 0;
	value = spare->cpu[0]->cpu.r[7];
	return value == spare->ram.base[0x500000] && value < 3 ? (unsigned)value : 0;
}

/* The process and the copy that writes, which is in a group of its own for a monitor. */
static void kill_all(pid_t pid)
{
	char path[64];
	FILE *children;
	int copy;

	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	kill(pid, SIGSTOP);		/* or it ends by itself, as its copy has gone */
	children = fopen(path, "re");
	while (children && fscanf(children, "%d", &copy) == 1)
		kill(copy, SIGKILL);
	if (children)
		fclose(children);
	kill(pid, SIGKILL);
}

/* Two states in turn: whenever the process ends, one of the two is there, whole, and loads. */
static void test_kill(struct machine *m, struct machine *spare, const char *path, save_fn *save, const struct snapshot_options *o,
		      unsigned kills, const char *layout)
{
	uint64_t seed = 1;
	unsigned bad = 0, ended = 0, seen[3] = { 0 };
	struct error err = { .msg = "" };
	char part[256];

	snprintf(part, sizeof part, "%s.part", path);
	mark(m, 1);
	if (!check(save(m, path, o, &err) && state_of(spare, path) == 1, "%s-saved (%s)", layout, err.msg))
		return;
	for (unsigned i = 0; i < kills; i++) {
		pid_t pid = fork();
		unsigned found;
		int status;

		if (!pid)
			save_for_ever(m, path, save, o);
		usleep((useconds_t)(check_random(&seed) % 50000));
		kill_all(pid);
		waitpid(pid, &status, 0);
		found = state_of(spare, path);
		seen[found]++;
		bad += !found;
		ended += !WIFSIGNALED(status);
	}
	check(!bad, "%s-killed-%u-times (%u and %u)", layout, kills, seen[1], seen[2]);
	check(!ended, "%s-and-never-ended-otherwise (%u)", layout, ended);
	mark(m, 2);
	for (unsigned i = 0; i < 100 && !save(m, path, o, &err); i++)
		usleep(10000);		/* a copy that has been killed may still hold its lock for a moment */
	check(state_of(spare, path) == 2 && access(part, F_OK), "%s-and-saves-again (%s)", layout, err.msg);
	unlink(path);
}

static void test_places(struct machine *m, const char *path)
{
	const struct snapshot_options o = { .for_qemu = false };
	struct save_file f;
	struct error err;
	char link[256], none[300];

	check(!snapshot_save(m, "/dev/null", &o, &err) && strstr(err.msg, "regular"), "no-device");
	snprintf(none, sizeof none, "%s/none", path);
	check(!snapshot_save(m, none, &o, &err), "no-folder");
	check(save_file_open(&f, path, &err) && !snapshot_save(m, path, &o, &err) && strstr(err.msg, "another process"), "one-at-a-time");
	save_file_drop(&f);
	snprintf(link, sizeof link, "%s.link", path);
	check(!symlink(path, link) && snapshot_save(m, link, &o, &err), "through-a-link");
	check(readlink(link, none, sizeof none) > 0, "which-stays-one");
	unlink(link);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		save_fn *save;
		struct snapshot_options o;
	} ways[] = {
		{ "stream", snapshot_save, { .quiet = false } }, { "mapped", snapshot_save, { .mapped = true } },
		{ "child", snapshot_save, { .parent = "" } }, { "zstd", snapshot_save, { .compress = true } },
		{ "packed-child", snapshot_save, { .compress = true, .parent = "" } },
		{ "behind", save_behind, { .quiet = true } }, { "mapped-behind", save_behind, { .mapped = true } },
		{ "named", save_named, { .quiet = false } },
	};
	char folder[] = "/tmp/cede-savevm-XXXXXX", path[64], parent[80], named[80];
	unsigned kills = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	struct error err = { .msg = "" };
	struct config to_load;
	struct machine *spare;
	struct rig rig;

	test_walker();
	test_sums();
	test_json();
	rig_new(&rig, "1");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(path, sizeof path, "%s/snapshot", folder);
	snprintf(parent, sizeof parent, "%s.parent", path);
	snprintf(named, sizeof named, "%s/named.cede", folder);
	rig.options.snapdir = folder;
	to_load = rig.options;
	to_load.kernel = NULL;
	to_load.loadvm = "by hand";
	spare = machine_make(&to_load, rig.term, &err);
	if (!check(spare != NULL, "a-second-machine"))
		return check_done();
	memset(rig.m->ram.base + 0x400000, 1, 0x3000);
	check(snapshot_save(rig.m, parent, &(struct snapshot_options){ .mapped = true }, NULL), "a-parent");
	memset(rig.m->ram.base + 0x401000, 2, 0x1000);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct snapshot_options o = ways[i].o;
		const char *to = ways[i].save == save_named ? named : path;

		if (o.compress && !zip_known())
			continue;
		if (o.parent)
			o.parent = parent;
		test_faults(rig.m, to, ways[i].save, &o, ways[i].name);
		test_kill(rig.m, spare, to, ways[i].save, &o, kills, ways[i].name);
	}
	unlink(parent);
	test_order(rig.m, path);
	test_places(rig.m, path);
	machine_free(spare);
	rig_free(&rig);
	unlink(path);
	rmdir(folder);
	return check_done();
}

/* Images on the host: order of requests, what is unaligned or out of range, a host that cuts transfers short or fails,
 * zeros and holes, the guess of a format, locks. The host's calls are made to fail by --wrap. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "machine/host/block/block.h"

#define MIB (UINT64_C(1) << 20)

/* ---- The host, as bad as a test wants it ---- */

static struct {
	size_t most;			/* bytes that a transfer moves at a time; 0: all */
	unsigned interrupts;		/* transfers that are interrupted first */
	int read, write, sync, allocate;	/* errno of that call; 0: it goes through */
	unsigned syncs, writes;		/* calls that there were */
} host;

ssize_t __real_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __real_pwrite(int fd, const void *buf, size_t n, off_t at);
int __real_fdatasync(int fd);
int __real_fallocate(int fd, int mode, off_t at, off_t n);
ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at);
ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t at);
int __wrap_fdatasync(int fd);
int __wrap_fallocate(int fd, int mode, off_t at, off_t n);

static bool fails(int error)
{
	if (host.interrupts) {
		host.interrupts--;
		error = EINTR;
	}
	errno = error;
	return error;
}

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t at)
{
	return fails(host.read) ? -1 : __real_pread(fd, buf, host.most && n > host.most ? host.most : n, at);
}

ssize_t __wrap_pwrite(int fd, const void *buf, size_t n, off_t at)
{
	host.writes++;
	return fails(host.write) ? -1 : __real_pwrite(fd, buf, host.most && n > host.most ? host.most : n, at);
}

int __wrap_fdatasync(int fd)
{
	host.syncs++;
	return fails(host.sync) ? -1 : __real_fdatasync(fd);
}

int __wrap_fallocate(int fd, int mode, off_t at, off_t n)
{
	return fails(host.allocate) ? -1 : __real_fallocate(fd, mode, at, n);
}

/* ---- Files ---- */

static char folder[64], file[96];

static void new_file(uint64_t size, bool filled)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint8_t bytes[4096];

	memset(bytes, 0xa5, sizeof bytes);
	if (fd < 0 || ftruncate(fd, (off_t)size))
		abort();
	for (uint64_t at = 0; filled && at < size; at += sizeof bytes)
		if (__real_pwrite(fd, bytes, size - at < sizeof bytes ? size - at : sizeof bytes, (off_t)at) < 0)
			abort();
	close(fd);
}

static uint8_t byte_of_file(off_t at)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	uint8_t byte = 0xee;

	if (fd < 0 || __real_pread(fd, &byte, 1, at) != 1)
		abort();
	close(fd);
	return byte;
}

static uint64_t allocated(void)
{
	struct stat st;

	return stat(file, &st) ? 0 : (uint64_t)st.st_blocks * 512;
}

static struct block_options raw(void)
{
	return (struct block_options){ .file = file, .format = "raw" };
}

/* Ends the test if it cannot. */
static struct block *open_image(struct block_options o)
{
	struct error err = { .msg = "" };
	struct block *b = block_open(&o, &err);

	if (!check(b, "opened"))
		printf("  %s\n", err.msg), exit(1);
	return b;
}

static bool refused(struct block_options o, const char *text)
{
	struct error err = { .msg = "" };
	struct block *b = block_open(&o, &err);

	if (b || !strstr(err.msg, text))
		printf("  opened: %d, '%s'\n", b != NULL, err.msg);
	block_close(b);
	return !b && strstr(err.msg, text);
}

/* ---- Facts ---- */

static void test_order(void)
{
	static uint8_t from[64][4096], to[64][4096];
	struct block_request write[64] = { 0 }, read[64] = { 0 };
	struct block *b;
	bool same = true;

	new_file(MIB, false);
	b = open_image(raw());
	for (unsigned i = 0; i < 64; i++) {
		memset(from[i], (int)i + 1, sizeof from[i]);
		write[i] = (struct block_request){ .op = BLOCK_WRITE, .offset = 512, .bytes = 4096, .data = from[i] };
		read[i] = (struct block_request){ .op = BLOCK_READ, .offset = 512, .bytes = 4096, .data = to[i] };
		block_submit(b, &write[i]);
		block_submit(b, &read[i]);
	}
	block_drain(b);
	for (unsigned i = 0; i < 64; i++)
		same &= read[i].done && write[i].done && !read[i].error && !write[i].error && !memcmp(from[i], to[i], sizeof to[i]);
	check(same, "each read sees the write before it, and none after it");
	check_eq(block_wait(b, &read[5]), 0, "waiting for what is done");
	block_close(b);
}

static void test_range(void)
{
	uint8_t buf[1024];
	struct block *b;

	new_file(MIB, true);
	b = open_image(raw());
	check_eq(block_size(b), MIB, "size");
	check_eq(block_read(b, MIB - 1024, buf, 1024), 0, "the last bytes");
	check_eq(block_read(b, MIB - 512, buf, 1024), EIO, "a read that crosses the end");
	check_eq(block_read(b, UINT64_MAX - 511, buf, 1024), EIO, "a read whose end overflows");
	check_eq(block_write(b, MIB, buf, 512), EIO, "a write at the end");
	check_eq(block_write(b, 512, buf, UINT64_MAX - 100), EIO, "a write of more than there is");
	check_eq(block_read(b, MIB, buf, 0), 0, "nothing at the end");
	check_eq(truncate(file, 4096), 0, "somebody cuts the file");
	check_eq(block_read(b, 4096, buf, 512), EIO, "what is gone cannot be read");
	check_eq(block_read(b, 3584, buf, 512), 0, "what is there can");
	block_close(b);
}

/* All that a seed chooses, compared with memory. */
static void compare_random(struct block *b, uint64_t size, uint64_t seed, const char *what)
{
	uint8_t *model = calloc(1, size), *memory = malloc(size + 64);
	bool same = model && memory && !block_read(b, 0, model, size);

	for (unsigned i = 0; same && i < 400; i++) {
		uint64_t step = check_random(&seed) % 3 ? 512 : 4096;
		uint64_t at = check_random(&seed) % (size / step) * step, n = check_random(&seed) % 40 * step;
		uint8_t *data = memory + check_random(&seed) % 64;

		n = n < size - at ? n : size - at;
		memset(data, (int)i, n);
		if (check_random(&seed) % 2) {
			same = !block_write(b, at, data, n);
			memcpy(model + at, data, n);
		} else {
			same = !block_read(b, at, data, n) && !memcmp(data, model + at, n);
		}
	}
	check(same, "%s: 400 requests read what was written", what);
	free(model);
	free(memory);
}

static void test_direct(void)
{
	struct block_options o = raw();
	struct error err;
	struct block *b;

	o.cache = BLOCK_NONE;
	for (uint64_t size = MIB; size > MIB - 1024; size -= 512) {
		new_file(size, true);
		b = block_open(&o, &err);
		if (!b) {
			printf("ok no O_DIRECT here: %s\n", err.msg);
			return;
		}
		compare_random(b, size, size, size == MIB ? "cache=none" : "cache=none, an odd end");
		block_close(b);
		check_eq(allocated() >= size && byte_of_file((off_t)size - 1) != 0xee, 1, "all of it is there");
	}
	host.most = 512 * 3;	/* the rest is unaligned for the kernel, which may say so, but never forgets it */
	b = open_image(raw());
	compare_random(b, MIB / 2, 7, "transfers cut short");
	block_close(b);
	host.most = 0;
}

static void test_odd_size(void)
{
	uint8_t buf[512], zero[512] = { 0 };
	struct block *b;

	new_file(1000, true);
	b = open_image(raw());
	check_eq(block_size(b), 1024, "a size is rounded up to a sector");
	check_eq(block_read(b, 512, buf, 512), 0, "its last sector");
	check(buf[487] == 0xa5 && !memcmp(buf + 488, zero, 24), "ends with zeros");
	check_eq(block_write(b, 512, zero, 512), 0, "can be written");
	check_eq(byte_of_file(1023), 0, "and the file is longer then");
	block_close(b);
}

static void test_failures(void)
{
	static uint8_t buf[8192];
	struct block *b;

	new_file(MIB, true);
	b = open_image(raw());
	host.interrupts = 3;
	check_eq(block_read(b, 0, buf, 8192), 0, "interrupted reads go on");
	host.interrupts = 3;
	check_eq(block_write(b, 0, buf, 8192), 0, "interrupted writes go on");
	host.read = EIO;
	check_eq(block_read(b, 0, buf, 8192), EIO, "the host's error of a read");
	host.read = 0;
	host.write = ENOSPC;
	check_eq(block_write(b, 0, buf, 8192), ENOSPC, "the host's error of a write");
	host.write = 0;
	check_eq(block_write(b, 0, buf, 8192), 0, "is not for ever");
	host.sync = EIO;
	check_eq(block_flush(b), EIO, "the host's error of a flush");
	host.sync = 0;
	check_eq(block_flush(b), EIO, "is for ever: what was to be written may be lost");
	block_close(b);
}

static void test_caches(void)
{
	static const struct { enum block_cache cache; unsigned after_write, after_flush; const char *name; } rows[] = {
		{ BLOCK_WRITEBACK, 0, 1, "writeback" }, { BLOCK_WRITETHROUGH, 1, 2, "writethrough" }, { BLOCK_UNSAFE, 0, 0, "unsafe" },
	};
	uint8_t buf[512] = { 1 };

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct block_options o = raw();
		struct block *b;

		new_file(MIB, true);
		o.cache = rows[i].cache;
		b = open_image(o);
		host.syncs = 0;
		check_eq(block_write(b, 0, buf, 512), 0, "%s: a write", rows[i].name);
		check_eq(host.syncs, rows[i].after_write, "%s: flushes after it", rows[i].name);
		check_eq(block_flush(b), 0, "%s: a flush", rows[i].name);
		check_eq(host.syncs, rows[i].after_flush, "%s: flushes after that", rows[i].name);
		block_close(b);
	}
}

static int ranged(struct block *b, enum block_op op, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct block_request r = { .op = op, .offset = offset, .bytes = bytes, .unmap = unmap };

	block_submit(b, &r);
	return block_wait(b, &r);
}

static void test_zeros(void)
{
	static uint8_t zero[65536];
	struct block_options o = raw();
	uint64_t before;
	struct block *b;

	new_file(MIB, true);
	before = allocated();
	b = open_image(o);
	check_eq(ranged(b, BLOCK_DISCARD, 0, MIB / 2, false), 0, "discard=ignore: a discard");
	check_eq(byte_of_file(0), 0xa5, "does nothing");
	check_eq(ranged(b, BLOCK_ZERO, 512, 1024, true), 0, "zeros");
	check(byte_of_file(511) == 0xa5 && byte_of_file(512) == 0 && byte_of_file(1535) == 0 && byte_of_file(1536) == 0xa5, "exactly there");
	check_eq(ranged(b, BLOCK_ZERO, MIB / 2, MIB / 4, true), 0, "discard=ignore: zeros that may be holes");
	check_eq(allocated(), before, "are none: the room stays");
	host.allocate = EOPNOTSUPP;
	check_eq(ranged(b, BLOCK_ZERO, 4096, 2 * 65536, true), 0, "zeros on a host that must write them");
	check(byte_of_file(4095) == 0xa5 && byte_of_file(4096) == 0 && byte_of_file(4095 + 2 * 65536) == 0 && byte_of_file(4096 + 2 * 65536) == 0xa5,
	      "are there as well");
	host.allocate = 0;
	check_eq(ranged(b, BLOCK_ZERO, MIB - 512, 1024, false), EIO, "zeros across the end");
	check_eq(ranged(b, BLOCK_DISCARD, 512, UINT64_MAX - 511, false), EIO, "a discard whose end overflows");
	block_close(b);

	o.discard = true;
	o.zeroes = BLOCK_ZEROES_UNMAP;
	new_file(MIB, true);
	b = open_image(o);
	check_eq(ranged(b, BLOCK_DISCARD, 0, MIB / 2, false), 0, "discard=unmap: a discard");
	check(byte_of_file(0) == 0 && allocated() <= before / 2 + 65536, "gives room back");
	host.writes = 0;
	check_eq(block_write(b, MIB / 2, zero, sizeof zero), 0, "detect-zeroes=unmap: zeros");
	check(!host.writes && byte_of_file((off_t)MIB / 2) == 0, "are not written");
	zero[sizeof zero - 1] = 1;
	check_eq(block_write(b, MIB / 2, zero, sizeof zero), 0, "what is not all zero");
	check(host.writes && byte_of_file((off_t)MIB / 2 + (off_t)sizeof zero - 1) == 1, "is");
	zero[sizeof zero - 1] = 0;
	block_close(b);
}

static void test_readonly(void)
{
	struct block_options o = raw();
	uint8_t buf[512] = { 1 };
	struct block *b;

	new_file(MIB, true);
	o.readonly = true;
	b = open_image(o);
	check(block_is_readonly(b), "read-only");
	check_eq(block_write(b, 0, buf, 512), EROFS, "a write to it");
	check_eq(ranged(b, BLOCK_ZERO, 0, 512, true), EROFS, "zeros to it");
	check_eq(ranged(b, BLOCK_DISCARD, 0, 512, true), EROFS, "a discard");
	check_eq(block_flush(b), 0, "a flush");
	check_eq(byte_of_file(0), 0xa5, "and it is as it was");
	block_close(b);
}

static void test_guess(void)
{
	struct block_options o = { .file = file };
	uint8_t buf[1024] = "QFI\xfb";
	struct error err = { .msg = "" };
	struct block *b;

	new_file(MIB, true);
	b = open_image(o);
	check_eq(strcmp(block_format(b), "raw"), 0, "guessed raw");
	check_eq(block_write(b, 0, buf, 1024), EPERM, "guessed raw: another format's head");
	check_eq(block_write(b, 0, "QF", 2), 0, "half of it");
	check_eq(block_write(b, 2, "I\xfb", 2), EPERM, "and the other half");
	check_eq(block_write(b, 512, buf, 512), 0, "the same elsewhere");
	check_eq(block_write(b, 0, "KDMV", 4), EPERM, "that of one that cede does not read");
	check_eq(byte_of_file(2), 0xa5, "nothing of it is there");
	block_close(b);
	/* One that another process has had until now. */
	o.yielded = true;
	b = open_image(o);
	o.yielded = false;
	check(block_is_readonly(b) && block_resume(b, &err) && !block_is_readonly(b), "given back %s", err.msg);
	check_eq(block_write(b, 0, buf, 1024), EPERM, "given back: another format's head");
	host.read = EIO;
	check_eq(block_write(b, 0, buf, 256), EPERM, "nor where nobody knows what the rest is");
	host.read = 0;
	check_eq(block_write(b, 0, "QF", 2), 0, "given back: half of it");
	block_close(b);

	b = open_image(raw());
	check_eq(block_write(b, 0, "KDMV", 4), 0, "format=raw lifts that");
	block_close(b);
	check(refused(o, "vmdk"), "a format that is not there");
	o.format = "vmdk";
	check(refused(o, "no image format 'vmdk'"), "nor by name");
}

static void test_locks(void)
{
	struct block_options o = raw(), readonly = raw(), shared = raw();
	struct block *b, *other;

	readonly.readonly = shared.shared = true;
	new_file(MIB, true);
	b = open_image(o);
	check(refused(o, "Failed to get \"write\" lock"), "in use: not for writing");
	check(refused(readonly, "Failed to get shared \"write\" lock"), "in use: nor for reading");
	other = open_image(shared);
	block_close(other);
	block_close(b);
	b = open_image(readonly);
	check(refused(o, "Failed to get \"write\" lock"), "read by somebody: not for writing");
	other = open_image(readonly);
	block_close(other);
	block_close(b);
	b = open_image(o);
	block_close(b);
}

/* What a copy of the process finds and may do. */
static void test_copy(void)
{
	uint8_t buf[512] = { 0 };
	struct block *b;
	int status = -1;
	pid_t pid;

	new_file(MIB, true);
	b = open_image(raw());
	block_drain(b);
	fflush(stdout);
	pid = fork();
	if (!pid) {
		alarm(5);
		status = !block_is_copy(b) || block_read(b, 512, buf, 512) || buf[0] != 0xa5;
		status |= block_write(b, 512, buf, 512) != EROFS || block_flush(b);
		block_drain(b);
		block_close(b);
		_exit(status);
	}
	waitpid(pid, &status, 0);
	check(!block_is_copy(b) && WIFEXITED(status) && !WEXITSTATUS(status), "a copy of the process reads, and changes nothing");
	check_eq(block_write(b, 512, buf, 512), 0, "the original goes on");
	block_close(b);
}

/* As QEMU exports one. */
static void test_nbd(void)
{
	char socket[PATH_MAX], name[PATH_MAX + 16], *at = realpath(folder, NULL);
	struct block_options o = { .file = name, .format = "raw", .discard = true };
	struct error err = { .msg = "" };
	struct block *b = NULL;
	int status;
	pid_t pid;

	new_file(MIB, false);
	snprintf(socket, sizeof socket, "%s/socket", at ? at : folder);
	free(at);
	snprintf(name, sizeof name, "nbd:unix:%s", socket);
	pid = fork();
	if (!pid) {
		execlp("qemu-nbd", "qemu-nbd", "-f", "raw", "--discard=unmap", "-k", socket, file, (char *)NULL);
		_exit(127);
	}
	for (unsigned i = 0; !b && i < 400 && !waitpid(pid, &status, WNOHANG); i++) {
		usleep(10000);
		b = access(socket, F_OK) ? NULL : block_open(&o, &err);
	}
	if (!b) {
		printf("ok no server of images here: %s\n", err.msg);
		kill(pid, SIGTERM);
		return;
	}
	compare_random(b, block_size(b), 3, "nbd");
	check_eq(ranged(b, BLOCK_ZERO, 0, MIB, false), 0, "nbd: zeros");
	check_eq(ranged(b, BLOCK_DISCARD, 0, MIB, false), 0, "nbd: a discard");
	check_eq(block_flush(b), 0, "nbd: a flush");
	check(allocated() <= 65536, "nbd: gives room back");
	check(!block_resize(b, 2 * MIB, &err), "nbd: has the size that it has");
	kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	check(block_read(b, 0, name, 16), "nbd: a server that is gone is an error");
	block_close(b);
	unlink(socket);
}

/* An image on top takes what is written, and finds below what is not. */
static void test_overlays(void)
{
	struct block_options o = raw();
	uint8_t buf[512], one[512];
	char top[128];
	struct error err = { .msg = "" };
	struct block *b, *other;

	memset(one, 1, sizeof one);
	new_file(MIB, true);
	o.snapshot = true;
	b = open_image(o);
	check(!block_is_readonly(b) && block_size(b) == MIB, "snapshot=on: can be written");
	check_eq(block_write(b, 512, one, 512), 0, "snapshot=on: a write");
	check(!block_read(b, 512, buf, 512) && !memcmp(buf, one, 512), "is there");
	check(!block_read(b, 1024, buf, 512) && buf[0] == 0xa5, "as is what was not written");
	check(refused(raw(), "lock"), "and nobody else writes the image meanwhile");
	check(!block_snapshot(b, "x", false, &err) && strstr(err.msg, "snapshot=on"), "nothing can be put on top for longer");
	block_close(b);
	check_eq(byte_of_file(512), 0xa5, "and afterwards it is gone");

	snprintf(top, sizeof top, "%s/top", folder);
	b = open_image(raw());
	check_eq(block_write(b, 0, one, 512), 0, "a write before");
	check(block_snapshot(b, top, false, &err) && !strcmp(block_format(b), "qcow2") && block_size(b) == MIB, "put on top");
	check_eq(block_write(b, 512, one, 512), 0, "a write after");
	check(!block_read(b, 0, buf, 512) && buf[0] == 1 && !block_read(b, 512, buf, 512) && buf[0] == 1 &&
	      !block_read(b, 1024, buf, 512) && buf[0] == 0xa5, "all is there");
	check(byte_of_file(0) == 1 && byte_of_file(512) == 0xa5, "the image below has the first one alone");
	check(refused(raw(), "\"write\" lock"), "which nobody writes");
	o = raw();
	o.readonly = true;
	other = open_image(o);
	block_close(other);
	check(!block_snapshot(b, "/nonesuch/top", false, &err), "nothing is put on top where nothing can be");
	check(!block_snapshot(b, file, true, &err), "nor what is no qcow2 image");
	check(!block_snapshot(b, top, false, &err) && strstr(err.msg, "itself"), "nor a new image in place of the present one");
	check(!block_snapshot(b, file, false, &err) && byte_of_file(0) == 1, "nor of the one below");
	o.file = top;
	check(refused(o, "shared \"write\" lock"), "and the image is ours as before");
	check(!block_write(b, 1024, one, 512) && !block_read(b, 0, buf, 512) && buf[0] == 1, "and goes on");
	block_close(b);
	o = (struct block_options){ .file = top };
	b = open_image(o);
	check(!block_read(b, 1024, buf, 512) && buf[0] == 1 && !block_read(b, 2048, buf, 512) && buf[0] == 0xa5, "found again");
	block_close(b);
	unlink(top);
}

/* What a guest has made of its raw disk is nobody's qcow2 image: that would name any file of the host as its backing file. */
static void test_disguise(void)
{
	struct block_options o = { .file = file, .format = "qcow2" };
	struct block_state state = { .name = "s" };
	struct error err = { .msg = "" };
	struct block_sample sample;
	struct block *b;
	char head[4];

	check(block_create_qcow2(file, MIB, NULL, NULL, &err), "a qcow2 image %s", err.msg);
	b = open_image(o);
	check(block_state_keep(b, &state, &err), "keeps a state");
	check(block_resize(b, 2 * MIB, &err), "and is larger afterwards %s", err.msg);
	block_close(b);
	o.snapshot = true;
	b = open_image(o);
	check(block_state_return(b, "s", &err), "snapshot=on: the state is shown %s", err.msg);
	check_eq(block_size(b), MIB, "snapshot=on: of its size");
	check(!block_sample(b, &sample) && !sample.size, "based on nothing");
	block_close(b);
	o = raw();
	o.snapshot = true;
	b = open_image(o);
	check(!block_state_return(b, "s", &err), "format=raw: there is none");
	check(!block_read(b, 0, head, sizeof head) && !memcmp(head, "QFI\xfb", 4), "but a disk whose bytes look so");
	block_close(b);
}

static void test_others(void)
{
	struct block_state state = { .name = "s" };
	struct block_info info;
	struct block_options o = raw();
	struct error err = { .msg = "" };
	uint8_t byte;
	struct block *b;

	new_file(MIB, false);
	b = open_image(o);
	check(block_resize(b, 2 * MIB, &err) && block_size(b) == 2 * MIB, "longer");
	check_eq(block_read(b, 2 * MIB - 1, &byte, 1), 0, "up to its new end");
	check(!block_resize(b, 1000, &err), "not to any size");
	check(!block_resize(b, UINT64_C(1) << 63, &err) && block_size(b) == 2 * MIB, "not to what no file has");
	block_info(b, &info);
	check(!strcmp(info.file, file) && !strcmp(info.format, "raw") && info.size == 2 * MIB && info.allocated < MIB && !info.backing, "info");
	check(!block_keeps_states(b) && !block_state_get(b, 0, &state), "raw keeps no states");
	check(!block_state_keep(b, &state, &err) && strstr(err.msg, "keeps no snapshots"), "nor takes any");
	check(!block_state_return(b, "s", &err) && !block_state_delete(b, "s", &err), "nor has any");
	check_eq(block_machine_write(b, 0, &byte, 1), ENOTSUP, "nor a machine's");
	check_eq(block_machine_read(b, 0, &byte, 1), ENOTSUP, "to write or to read");
	block_close(b);
	block_close(NULL);
	o.file = folder;
	o.readonly = true;
	check(refused(o, "neither a file nor a block device"), "a folder");
	o.file = "/nonesuch/x";
	check(refused(o, "No such file"), "no file");
}

int main(void)
{
	const char *at = getenv("B");

	/* Where the build is, not in a file system in memory, which may lack O_DIRECT. */
	snprintf(folder, sizeof folder, "%.40s/image-XXXXXX", at ? at : "build");
	if (!mkdtemp(folder))
		return EXIT_FAILURE;
	snprintf(file, sizeof file, "%s/disk", folder);
	test_order();
	test_range();
	test_direct();
	test_odd_size();
	test_failures();
	test_caches();
	test_zeros();
	test_readonly();
	test_guess();
	test_locks();
	test_copy();
	test_nbd();
	test_overlays();
	test_disguise();
	test_others();
	unlink(file);
	rmdir(folder);
	return check_done();
}

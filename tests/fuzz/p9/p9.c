/* Gives a server of shared folders messages: an input is a byte that selects the model, then messages, each behind two bytes
 * of its length. Each is answered within its room; afterwards nothing outside the folder has changed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/host/p9/p9.h"

#define ROOM  (UINT32_C(256) << 10)
#define MOST  40u			/* messages of an input */
#define MODELS 4u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	char base[64];
	struct p9 server[MODELS];
	uint8_t *out;
	unsigned long inputs, good;
	bool last_good;			/* the last message was not answered with an error */
	int results;
} fuzz;

static void check(bool right, const char *what)
{
	if (right)
		return;
	dprintf(fuzz.results, "%s\n", what);
	abort();
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void tell(void)
{
	dprintf(fuzz.results, "%lu inputs: %lu good\n", fuzz.inputs, fuzz.good);
	remove_tree(fuzz.base);
}

static const char *path_of(const char *name)
{
	static char path[2][128];
	static unsigned i;

	i ^= 1;
	snprintf(path[i], sizeof path[i], "%s/%s", fuzz.base, name);
	return path[i];
}

static void make(const char *name)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	check(fd >= 0 && write(fd, "secret", 6) == 6, "no file");
	close(fd);
}

/* What each input begins with: it may have removed or filled anything. */
static void make_room(struct p9 *p)
{
	static const char *const names[] = { "room", "room/a", "room/a/b" };
	struct stat st;

	p9_reset(p);
	if (!p->readonly && stat(path_of("room/a/b/c"), &st) < 0) {
		for (unsigned i = 1; i < 3; i++)
			mkdir(path_of(names[i]), 0700);
		make("room/a/b/c");
		make("room/f");
		if (symlink("../outside", path_of("room/l")) < 0 || mkfifo(path_of("room/p"), 0600) < 0)
			check(errno == EEXIST, "no link");
	}
}

static bool is_secret(void)
{
	char text[8];
	int fd = open(path_of("outside/f"), O_RDONLY);
	ssize_t n = read(fd, text, sizeof text);

	close(fd);
	return n == 6 && !memcmp(text, "secret", 6);
}

static void check_answer(const uint8_t *out, uint32_t n)
{
	uint32_t size;

	check(n >= P9_HEADER && n <= ROOM, "an answer that does not fit");
	memcpy(&size, out, 4);
	check(size == n, "an answer that says another size");
	fuzz.last_good = out[4] != 7;
}

static void give(struct p9 *p, const uint8_t *data, uint32_t n)
{
	uint8_t *copy = malloc(n);	/* so that what is read behind it is seen */
	uint32_t size = n;

	memcpy(copy, data, n);
	if (copy[6] < 0xf0)
		memcpy(copy, &size, 4);
	check_answer(fuzz.out, p9_serve(p, copy, n, fuzz.out, ROOM));
	free(copy);
}

/* Between some inputs all begins anew, and what is outside is looked at. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct p9 *p;

	if (size < 8)
		return 0;
	p = &fuzz.server[data[0] % MODELS];
	make_room(p);
	fuzz.inputs++;
	fuzz.last_good = false;
	for (size_t at = 1, i = 0; at + 2 <= size && i < MOST; i++) {
		uint32_t n = data[at] | (uint32_t)data[at + 1] << 8;

		at += 2;
		n = n < size - at ? n : (uint32_t)(size - at);
		if (n >= P9_HEADER)
			give(p, data + at, n);
		at += n;
	}
	fuzz.good += fuzz.last_good;
	if (fuzz.inputs % 256 == 0) {
		check(is_secret(), "what is outside has changed");
		check(access(path_of("new"), F_OK) && access(path_of("outside/new"), F_OK), "something was made outside");
		remove_tree(path_of("room"));
		mkdir(path_of("room"), 0700);
		for (unsigned m = 0; m < MODELS; m++) {
			p9_close(&fuzz.server[m]);
			fuzz.server[m].share.root = -1;
		}
		LLVMFuzzerInitialize(NULL, NULL);
	}
	p9_reset(p);
	return 0;
}

static void open_servers(void)
{
	struct error err = { .msg = "" };

	for (unsigned i = 0; i < MODELS; i++) {
		const char *path = path_of("room");
		struct share_options o = { .path = path, .model = (enum share_model)i, .file_mode = 0600, .folder_mode = 0700 };

		check(p9_open(&fuzz.server[i], &o, &err), err.msg);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!fuzz.out) {
		fuzz.results = dup(1);
		strcpy(fuzz.base, "/tmp/cede-fuzz-p9-XXXXXX");
		fuzz.out = malloc(ROOM);
		check(fuzz.out && mkdtemp(fuzz.base), "no folder");
		mkdir(path_of("room"), 0700);
		mkdir(path_of("outside"), 0700);
		make("outside/f");
		alarm(3600);
		atexit(tell);
	}
	open_servers();
	return 0;
}

/* -chardev: each backend is a row, which knows its keys and says the same as a -serial option would. */
#include "machine/host/chardev.h"

#include <string.h>

#include "machine/host/console.h"

/* What has been said. */
struct words {
	char path[2048];
	bool has_path, server, wait, mux;
};

enum key { KEY_PATH = 1, KEY_SERVER = 2, KEY_WAIT = 4, KEY_MUX = 8 };

struct backend {
	const char *name, *usage;
	unsigned keys;			/* that it takes: enum key */
	bool (*compose)(const struct words *w, char *spec, size_t size, struct error *err);
};

/* ---- Backends ---- */

static bool compose_null(const struct words *w, char *spec, size_t size, struct error *err)
{
	(void)w;
	(void)err;
	snprintf(spec, size, "null");
	return true;
}

static bool compose_stdio(const struct words *w, char *spec, size_t size, struct error *err)
{
	(void)err;
	snprintf(spec, size, "%sstdio", w->mux ? "mon:" : "");
	return true;
}

static bool compose_pty(const struct words *w, char *spec, size_t size, struct error *err)
{
	(void)w;
	(void)err;
	snprintf(spec, size, "pty");
	return true;
}

static bool compose_file(const struct words *w, char *spec, size_t size, struct error *err)
{
	(void)err;
	snprintf(spec, size, "file:%s", w->path);
	return true;
}

/* A -serial option ends a path at a comma. */
static bool compose_socket(const struct words *w, char *spec, size_t size, struct error *err)
{
	if (strchr(w->path, ',')) {
		error_set(err, "-chardev socket: a path with a comma is not possible: '%.100s'", w->path);
		return false;
	}
	snprintf(spec, size, "unix:%s,server=%s,wait=%s", w->path, w->server ? "on" : "off", w->wait ? "on" : "off");
	return true;
}

static const struct backend backends[] = {
	{ "null", "a stream that nobody looks at", 0, compose_null },
	{ "stdio", "standard input and output; mux=on: with the escape key Ctrl-A", KEY_MUX, compose_stdio },
	{ "pty", "a new pseudo terminal, named on standard error", 0, compose_pty },
	{ "file", "path=FILE: output to a file", KEY_PATH, compose_file },
	{ "socket", "path=FILE[,server=on][,wait=off]: a Unix socket, of a program that listens or our own",
	  KEY_PATH | KEY_SERVER | KEY_WAIT, compose_socket },
};

#define BACKENDS (sizeof backends / sizeof backends[0])

void chardev_help(FILE *out)
{
	for (size_t i = 0; i < BACKENDS; i++)
		fprintf(out, "%-8s %s\n", backends[i].name, backends[i].usage);
}

/* ---- Keys ---- */

static bool set_switch(const char *key, const char *value, bool *member, struct error *err)
{
	*member = !strcmp(value, "on");
	if (*member || !strcmp(value, "off"))
		return true;
	error_set(err, "-chardev: %.60s=%.60s: not on or off", key, value);
	return false;
}

static bool set_text(const char *key, const char *value, char *buf, size_t size, struct error *err)
{
	if (*value && strlen(value) < size) {
		strcpy(buf, value);
		return true;
	}
	error_set(err, "-chardev: %.60s= wants 1 to %zu bytes", key, size - 1);
	return false;
}

static bool set_key(const struct backend *b, struct words *w, struct chardev *chardev, const char *key, const char *value,
		    struct error *err)
{
	if (!strcmp(key, "id"))
		return set_text(key, value, chardev->id, sizeof chardev->id, err);
	if (b->keys & KEY_PATH && !strcmp(key, "path"))
		return w->has_path = set_text(key, value, w->path, sizeof w->path, err);
	if (b->keys & KEY_SERVER && !strcmp(key, "server"))
		return set_switch(key, value, &w->server, err);
	if (b->keys & KEY_WAIT && !strcmp(key, "wait"))
		return set_switch(key, value, &w->wait, err);
	if (b->keys & KEY_MUX && !strcmp(key, "mux"))
		return set_switch(key, value, &w->mux, err);
	error_set(err, "-chardev %s does not know '%.60s' (-chardev help)", b->name, key);
	return false;
}

/* One item: "key=value", or a switch's name alone. */
static bool set_item(const struct backend *b, struct words *w, struct chardev *chardev, char *item, struct error *err)
{
	char *equals = strchr(item, '=');

	if (equals)
		*equals = 0;
	else if (!strcmp(item, "nowait"))
		return set_key(b, w, chardev, "wait", "off", err);
	return set_key(b, w, chardev, item, equals ? equals + 1 : "on", err);
}

/* Cuts the next item off, a doubled comma being one of the text. */
static char *next_item(char **next)
{
	char *item = *next, *from = item, *to = item;

	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*next = *from ? from + 1 : from;
	*to = 0;
	return item;
}

static const struct backend *find_backend(const char *name)
{
	for (size_t i = 0; i < BACKENDS; i++)
		if (!strcmp(backends[i].name, name))
			return &backends[i];
	return NULL;
}

bool chardev_parse(const char *text, struct chardev *chardev, struct error *err)
{
	struct words w = { .wait = true };
	const struct backend *b;
	char copy[4096], *next = copy, *name;

	memset(chardev, 0, sizeof *chardev);
	if (strlen(text) >= sizeof copy) {
		error_set(err, "-chardev: more than %zu bytes", sizeof copy - 1);
		return false;
	}
	strcpy(copy, text);
	name = next_item(&next);
	b = find_backend(name);
	if (!b) {
		error_set(err, "-chardev: there is no backend '%.60s' (-chardev help)", name);
		return false;
	}
	while (*next)
		if (!set_item(b, &w, chardev, next_item(&next), err))
			return false;
	if (!*chardev->id || (b->keys & KEY_PATH && !w.has_path)) {
		error_set(err, "-chardev %s wants %s", b->name, *chardev->id ? "path=FILE" : "id=ID");
		return false;
	}
	return b->compose(&w, chardev->spec, sizeof chardev->spec, err) && console_spec_ok(chardev->spec, err);
}

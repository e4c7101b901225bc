/* Devices, drives and networks that come and go; see plug.h. */
#include "machine/monitor/plug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/board/cores.h"
#include "machine/board/hotplug.h"
#include "machine/disk/drive.h"
#include "machine/monitor/monitor.h"
#include "machine/net/net.h"

/* ---- By hand ---- */

bool plug_run_add(struct machine *m, const char *argument, struct error *err) { return hotplug_add(m, argument, err); }

bool plug_run_remove(struct machine *m, const char *argument, struct error *err)
{
	bool found;

	return hotplug_remove(m, argument, &found, err);
}

/* "PLACE OPTIONS": a pSeries has no such places. */
bool plug_run_drive_add(struct machine *m, const char *argument, struct error *err)
{
	size_t len = strcspn(argument, " \t");
	const char *options = argument + len + strspn(argument + len, " \t");

	if (!*options) {
		error_set(err, "drive_add 0 if=none,id=ID,file=FILE,..");
		return false;
	}
	return drive_add(m, options, false, err);
}

bool plug_run_drive_delete(struct machine *m, const char *argument, struct error *err)
{
	struct drive *d = drive_find(m, argument);

	if (!d)
		error_set(err, "Device '%.60s' not found", argument);
	return d && drive_delete(m, d, err);
}

bool plug_run_net_add(struct machine *m, const char *argument, struct error *err) { return net_add(m, argument, err); }
bool plug_run_net_delete(struct machine *m, const char *argument, struct error *err) { return net_delete(m, argument, err); }

/* ---- Cores: those that there are, and those that could be. The last one comes first, as with QEMU ---- */

/* Where QEMU has it. "": it is absent. */
static void core_path(struct machine *m, unsigned first, char *buf, size_t size)
{
	const struct device *dev = cores_device(m, first);

	*buf = 0;
	if (m->cpu[first]->absent)
		return;
	if (dev && dev->id)
		snprintf(buf, size, "/machine/peripheral/%s", dev->id);
	else if (dev)
		snprintf(buf, size, "/machine/peripheral-anon/device[%u]", dev->number);
	else
		snprintf(buf, size, "/machine/unattached/device[%u]", first / m->threads);
}

void plug_print_cpus(struct machine *m, const char *argument, FILE *out)
{
	char path[256];

	(void)argument;
	fputs("Hotpluggable CPUs:\n", out);
	for (unsigned first = m->ncpus; first; first -= m->threads) {
		unsigned core = first - m->threads;

		core_path(m, core, path, sizeof path);
		fprintf(out, "  type: \"%s\"\n  vcpus_count: \"%u\"\n", cores_type(m), m->threads);
		if (*path)
			fprintf(out, "  qom_path: \"%s\"\n", path);
		fprintf(out, "  CPUInstance Properties:\n    core-id: \"%u\"\n", core);
	}
}

void plug_query_cpus(struct machine *m, FILE *out)
{
	char path[256];

	fputc('[', out);
	for (unsigned first = m->ncpus; first; first -= m->threads) {
		unsigned core = first - m->threads;

		core_path(m, core, path, sizeof path);
		fprintf(out, "{\"props\": {\"core-id\": %u}, \"vcpus-count\": %u, ", core, m->threads);
		if (*path) {
			fputs("\"qom-path\": ", out);
			qmp_string(out, path);
			fputs(", ", out);
		}
		fprintf(out, "\"type\": \"%s\"}%s", cores_type(m), core ? ", " : "");
	}
	fputc(']', out);
}

/* ---- By program: members become "NAME=VALUE,.." ---- */

struct words {
	char text[MONITOR_LINE];
	size_t len;
};

static bool put_word(struct words *w, const char *word, size_t len)
{
	if (len >= sizeof w->text - w->len)
		return false;
	memcpy(w->text + w->len, word, len);
	w->len += len;
	w->text[w->len] = 0;
	return true;
}

/* A value as an option has it: a plain one, without what would end it. */
static bool put_value(struct words *w, const struct json *j, const struct json_node *n, struct error *err)
{
	const char *text = j->text + n->at;
	bool word = n->kind == JSON_WORD, plain = n->kind != JSON_OBJECT && n->kind != JSON_ARRAY && !memchr(text, '\\', n->len) &&
		    !memchr(text, ',', n->len);

	if (!plain) {
		error_set(err, "Parameter '%.*s' has no plain value", (int)(n->key_len < 40 ? n->key_len : 40), j->text + n->key_at);
		return false;
	}
	if (word)
		return *text == 't' ? put_word(w, "on", 2) : put_word(w, "off", 3);
	return put_word(w, text, n->len);
}

/* The member `first` stands in front, without its name. */
static bool put_members(struct words *w, const struct json *j, uint32_t object, const char *first, struct error *err)
{
	uint32_t head = object == JSON_NONE ? JSON_NONE : json_member(j, object, first);

	if (head == JSON_NONE || j->node[head].kind != JSON_STRING) {
		error_set(err, "Parameter '%s' is missing", first);
		return false;
	}
	if (!put_value(w, j, &j->node[head], err))
		return false;
	for (uint32_t i = j->node[object].child; i != JSON_NONE; i = j->node[i].next) {
		const struct json_node *n = &j->node[i];

		if (i == head)
			continue;
		error_set(err, "the arguments are too long");
		if (!put_word(w, ",", 1) || !put_word(w, j->text + n->key_at, n->key_len) || !put_word(w, "=", 1) || !put_value(w, j, n, err))
			return false;
	}
	return true;
}

bool plug_device(struct machine *m, const struct json *j, uint32_t arguments, struct error *err)
{
	struct words w = { .len = 0 };

	return put_members(&w, j, arguments, "driver", err) && hotplug_add(m, w.text, err);
}

bool plug_net(struct machine *m, const struct json *j, uint32_t arguments, struct error *err)
{
	struct words w = { .len = 0 };

	return put_members(&w, j, arguments, "type", err) && net_add(m, w.text, err);
}

/* An object is what -blockdev takes as it is. */
bool plug_blockdev(struct machine *m, const struct json *j, uint32_t arguments, struct error *err)
{
	char *text = arguments == JSON_NONE ? NULL : strndup(j->text + j->node[arguments].at, j->node[arguments].len);
	bool ok = text && drive_add(m, text, true, err);

	if (!text)
		error_set(err, "Parameter 'driver' is missing");
	free(text);
	return ok;
}

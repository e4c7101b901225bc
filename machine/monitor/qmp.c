/* The machine protocol: JSON commands, QEMU's names. What comes in is hostile. */
#define _GNU_SOURCE
#include "machine/monitor/monitor.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/core/bits.h"
#include "machine/board/hotplug.h"
#include "machine/core/config.h"
#include "machine/disk/drive.h"
#include "machine/display/display.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/monitor/block.h"
#include "machine/monitor/control.h"
#include "machine/monitor/net.h"
#include "machine/monitor/plug.h"
#include "machine/net/net.h"
#include "machine/monitor/shown.h"
#include "machine/monitor/streams.h"
#include "machine/monitor/typed.h"
#include "machine/snapshot/outgoing.h"
#include "machine/virtio/balloon.h"
#include "savevm/json.h"

#define VERSION_JSON "{\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"cede " CEDE_VERSION "\"}"

struct call {
	struct machine *m;
	const struct json *j;
	uint32_t arguments;		/* node; JSON_NONE */
	FILE *out;			/* for the value that is returned */
	struct error err;
	const char *class;		/* of the error; NULL: "GenericError" */
};

/* ---- Strings ---- */

static int hex4(const char *s, size_t left)
{
	char digits[5] = { 0 };

	if (left < 4)
		return -1;
	memcpy(digits, s, 4);
	return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int)strtol(digits, NULL, 16) : -1;
}

/* The character at *at, which moves behind it; -1: what stands there is no UTF-8. */
static int utf8_get(const char **at, const char *end)
{
	static const int least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *s = (const unsigned char *)*at;
	unsigned more = *s < 0x80 ? 0 : *s < 0xc0 ? 4 : *s < 0xe0 ? 1 : *s < 0xf0 ? 2 : *s < 0xf8 ? 3 : 4;
	int c;

	if (more > 3 || (size_t)(end - *at) <= more)
		return -1;
	c = more ? *s & (0x3f >> more) : *s;
	for (unsigned i = 1; i <= more; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (s[i] & 0x3f);
	}
	*at += more + 1;
	return c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ? -1 : c;
}

static size_t utf8_put(char *to, int c)
{
	static const unsigned char first[] = { 0, 0xc0, 0xe0, 0xf0 };
	unsigned more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

	to[0] = (char)(first[more] | c >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (c >> 6 * (more - i) & 0x3f));
	return more + 1;
}

/* The same inside a JSON string, with its escapes. */
static int json_char(const char **at, const char *end)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *e;
	int c, low;

	if (**at != '\\')
		return (unsigned char)**at < ' ' ? -1 : utf8_get(at, end);
	if (end - *at < 2)
		return -1;
	e = memchr(from, (*at)[1], sizeof from - 1);
	c = e ? to[e - from] : (*at)[1] == 'u' ? hex4(*at + 2, (size_t)(end - *at) - 2) : -1;
	*at += e || c < 0 ? 2 : 6;
	if (c < 0xd800 || c >= 0xe000)
		return c;
	/* The first half of a surrogate pair: the second must follow. */
	low = c < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u' ? hex4(*at + 2, 4) : -1;
	*at += 6;
	return low < 0xdc00 || low >= 0xe000 ? -1 : 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
}

/* `newline`: what stands for one. */
static void put_text(FILE *out, const char *s, size_t len, const char *newline)
{
	const char *end = s + len;

	fputc('"', out);
	while (s < end) {
		const char *from = s;
		int c = utf8_get(&s, end);

		if (c < 0) {
			s = from + 1;
			c = 0xfffd;
		}
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs(newline, out);
		else if (c >= 0x10000)
			fprintf(out, "\\u%04x\\u%04x", 0xd7c0 + (c >> 10), 0xdc00 | (c & 0x3ff));
		else if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* Text of a person's, whose newlines are QEMU's. */
static void put_string(FILE *out, const char *s, size_t len)
{
	put_text(out, s, len, "\\r\\n");
}

/* In UTF-8 without escapes; false: it is no string, or not one that a command can take. */
static bool text_of(const struct json *j, uint32_t node, char *buf, size_t size)
{
	const char *s, *end;
	size_t n = 0;
	int c;

	if (node == JSON_NONE || j->node[node].kind != JSON_STRING)
		return false;
	s = j->text + j->node[node].at;
	end = s + j->node[node].len;
	while (s < end) {
		c = json_char(&s, end);
		if (c <= 0 || n + 4 >= size)
			return false;
		n += utf8_put(buf + n, c);
	}
	buf[n] = 0;
	return true;
}

static bool string_ok(const struct json *j, uint32_t at, uint32_t len)
{
	const char *s = j->text + at, *end = s + len;

	while (s < end)
		if (json_char(&s, end) < 0)
			return false;
	return true;
}

static const char *digits(const char *s)
{
	return *s >= '0' && *s <= '9' ? s + strspn(s, "0123456789") : "x";
}

static bool number_ok(const char *text, uint32_t len)
{
	char copy[64];
	const char *s = copy;

	if (len >= sizeof copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = 0;
	s += *s == '-';
	s = *s == '0' ? s + 1 : digits(s);
	if (*s == '.')
		s = digits(s + 1);
	if (*s == 'e' || *s == 'E')
		s = digits(s + 1 + (s[1] == '+' || s[1] == '-'));
	return s == copy + len;
}

static bool word_ok(const char *text, uint32_t len)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		if (len == strlen(words[w]) && !memcmp(text, words[w], len))
			return true;
	return false;
}

/* The reader takes any word, any digits and any bytes in quotes; the protocol does not. */
static bool strict(const struct json *j)
{
	for (uint32_t i = 0; i < j->nodes; i++) {
		const struct json_node *n = &j->node[i];

		if (!string_ok(j, n->key_at, n->key_len) || (n->kind == JSON_STRING && !string_ok(j, n->at, n->len)) ||
		    (n->kind == JSON_WORD && !word_ok(j->text + n->at, n->len)) ||
		    (n->kind == JSON_NUMBER && !number_ok(j->text + n->at, n->len)))
			return false;
	}
	return true;
}

static bool string_argument(struct call *c, const char *name, char *buf, size_t size)
{
	uint32_t node = json_member(c->j, c->arguments, name);

	if (node == JSON_NONE)
		error_set(&c->err, "Parameter '%s' is missing", name);
	else if (text_of(c->j, node, buf, size))
		return true;
	else
		error_set(&c->err, "Invalid parameter type for '%s', expected: string", name);
	return false;
}

/* ---- Commands ---- */

static bool put_empty(struct call *c)
{
	fputs("{}", c->out);
	return true;
}

static bool query_status(struct call *c)
{
	const char *status = control_status(c->m);

	fprintf(c->out, "{\"status\": \"%s\", \"singlestep\": false, \"running\": %s}", status,
		strcmp(status, "running") ? "false" : "true");
	return true;
}

static bool query_version(struct call *c)
{
	fputs(VERSION_JSON, c->out);
	return true;
}

static bool query_name(struct call *c)
{
	fputc('{', c->out);
	if (c->m->config->name) {
		fputs("\"name\": ", c->out);
		put_string(c->out, c->m->config->name, strlen(c->m->config->name));
	}
	fputc('}', c->out);
	return true;
}

static bool query_cpus_fast(struct call *c)
{
	for (unsigned i = 0; i < c->m->ncpus; i++)
		if (!c->m->cpu[i]->absent)
			fprintf(c->out, "%s{\"cpu-index\": %u, \"target\": \"ppc64\", \"props\": {\"core-id\": %u}}", i ? ", " : "[", i,
			i / c->m->threads * c->m->threads);
	fputc(']', c->out);
	return true;
}

/* QEMU's MigrationInfo. */
static void put_migration(FILE *out, struct outgoing_progress p)
{
	unsigned long long ms = p.took_ns / 1000000, normal = p.done / OUTGOING_PAGE - p.zero_pages;

	if (p.status == OUT_NONE) {
		fputs("{}", out);
		return;
	}
	fprintf(out, "{\"status\": \"%s\"", p.status_name);
	if (p.status == OUT_FAILED) {
		fputs(", \"error-desc\": ", out);
		qmp_string(out, p.why);
	}
	fprintf(out, ", \"total-time\": %llu, \"setup-time\": 0", ms);
	if (p.status == OUT_COMPLETED || p.status == OUT_ACTIVE)
		fprintf(out, ", \"%s\": %llu", p.status == OUT_ACTIVE ? "expected-downtime" : "downtime", ms);
	fprintf(out, ", \"ram\": {\"transferred\": %llu, \"remaining\": %llu, \"total\": %llu, ", (unsigned long long)p.sent,
		(unsigned long long)(p.total - p.done), (unsigned long long)p.total);
	fprintf(out, "\"duplicate\": %llu, \"skipped\": 0, \"normal\": %llu, \"normal-bytes\": %llu, \"mbps\": %.2f, ",
		(unsigned long long)p.zero_pages, normal, normal * OUTGOING_PAGE, p.mbps);
	fprintf(out, "\"dirty-pages-rate\": 0, \"dirty-sync-count\": 1, \"postcopy-requests\": 0, \"page-size\": %d, "
		"\"multifd-bytes\": 0, \"pages-per-second\": 0}}", OUTGOING_PAGE);
}

static bool query_migrate(struct call *c)
{
	put_migration(c->out, outgoing_progress(c->m));
	return true;
}

/* The one capability that can be switched. */
static bool query_capabilities(struct call *c)
{
	fprintf(c->out, "[{\"state\": %s, \"capability\": \"events\"}]", c->m->monitors->migration_events ? "true" : "false");
	return true;
}

static bool set_capabilities(struct call *c)
{
	uint32_t list = json_member(c->j, c->arguments, "capabilities");
	bool events = c->m->monitors->migration_events;

	if (list == JSON_NONE || c->j->node[list].kind != JSON_ARRAY) {
		error_set(&c->err, "Parameter 'capabilities' is missing");
		return false;
	}
	for (uint32_t i = c->j->node[list].child; i != JSON_NONE; i = c->j->node[i].next) {
		uint32_t name = json_member(c->j, i, "capability"), state = json_member(c->j, i, "state");
		bool on = state != JSON_NONE && c->j->text[c->j->node[state].at] == 't';

		if (name == JSON_NONE || state == JSON_NONE || c->j->node[state].kind != JSON_WORD) {
			error_set(&c->err, "Parameter 'capability' or 'state' is missing");
			return false;
		}
		if (json_is(c->j, name, "events")) {
			events = on;
		} else if (on) {
			error_set(&c->err, "Of migration capabilities only 'events' is supported");
			return false;
		}
	}
	c->m->monitors->migration_events = events;
	return put_empty(c);
}

/* "value": a number of bytes. What is none is none that a balloon can have. */
static bool do_balloon(struct call *c)
{
	uint32_t value = json_member(c->j, c->arguments, "value");

	if (value == JSON_NONE) {
		error_set(&c->err, "Parameter 'value' is missing");
		return false;
	}
	return control_balloon(c->m, json_number(c->j, value, 0), &c->err) && put_empty(c);
}

static bool do_set_link(struct call *c)
{
	uint32_t up = json_member(c->j, c->arguments, "up");
	char name[256];

	if (up == JSON_NONE || c->j->node[up].kind != JSON_WORD || !text_of(c->j, json_member(c->j, c->arguments, "name"), name, sizeof name)) {
		error_set(&c->err, "Parameter 'name' or 'up' is missing");
		return false;
	}
	c->class = "DeviceNotFound";
	return net_set_link(c->m, name, c->j->text[c->j->node[up].at] == 't', &c->err) && put_empty(c);
}

static bool do_announce(struct call *c)
{
	nets_announce(c->m);
	return put_empty(c);
}

static bool query_balloon(struct call *c)
{
	const struct device *dev = balloon_find(c->m);

	if (!dev) {
		c->class = "DeviceNotActive";
		error_set(&c->err, CONTROL_NO_BALLOON);
		return false;
	}
	fprintf(c->out, "{\"actual\": %llu}", (unsigned long long)balloon_actual(dev));
	return true;
}

static bool do_stop(struct call *c) { control_stop(c->m); return put_empty(c); }
static bool do_cont(struct call *c) { return control_cont(c->m, &c->err) && put_empty(c); }
static bool do_cancel(struct call *c) { outgoing_cancel(c->m); return put_empty(c); }
static bool do_quit(struct call *c) { machine_request(c->m, REQ_QUIT, 0); return put_empty(c); }
static bool do_reset(struct call *c) { return control_reset(c->m, &c->err) && put_empty(c); }

static bool do_migrate(struct call *c)
{
	char uri[MONITOR_LINE];

	return string_argument(c, "uri", uri, sizeof uri) && outgoing_migrate(c->m, uri, &c->err) && put_empty(c);
}

/* ---- Drives ---- */

static bool query_block(struct call *c) { block_query(c->m, c->out); return true; }
static bool query_blockstats(struct call *c) { block_query_stats(c->m, c->out); return true; }

static bool is_true(struct call *c, const char *name)
{
	uint32_t node = json_member(c->j, c->arguments, name);

	return node != JSON_NONE && c->j->node[node].kind == JSON_WORD && c->j->text[c->j->node[node].at] == 't';
}

/* By "device", or what it may be called otherwise. NULL: the answer is an error. */
static struct drive *drive_argument(struct call *c, const char *other)
{
	const char *name = json_member(c->j, c->arguments, other) != JSON_NONE ? other : "device";
	char id[256];
	struct drive *d;

	if (!string_argument(c, name, id, sizeof id))
		return NULL;
	d = block_find(c->m, id);
	if (!d) {
		c->class = "DeviceNotFound";
		error_set(&c->err, "Device '%.60s' not found", id);
	}
	return d;
}

/* A string that may be missing: `otherwise` then. */
static bool text_argument(struct call *c, const char *name, const char *otherwise, char *buf, size_t size)
{
	if (json_member(c->j, c->arguments, name) != JSON_NONE)
		return string_argument(c, name, buf, size);
	snprintf(buf, size, "%s", otherwise);
	return true;
}

static bool do_eject(struct call *c)
{
	struct drive *d = drive_argument(c, "id");

	return d && drive_eject(d, is_true(c, "force"), &c->err) && put_empty(c);
}

static bool do_change(struct call *c)
{
	struct drive *d = drive_argument(c, "id");
	char file[MONITOR_LINE], format[32], mode[32];

	if (!d || !string_argument(c, "filename", file, sizeof file) || !text_argument(c, "format", "", format, sizeof format) ||
	    !text_argument(c, "read-only-mode", "retain", mode, sizeof mode))
		return false;
	return block_change(d, file, format, mode, is_true(c, "force"), &c->err) && put_empty(c);
}

static bool do_resize(struct call *c)
{
	struct drive *d = drive_argument(c, "node-name");
	uint64_t size = json_number(c->j, json_member(c->j, c->arguments, "size"), UINT64_MAX);

	if (d && size == UINT64_MAX)
		error_set(&c->err, "Parameter 'size' expects a size in bytes");
	return d && size != UINT64_MAX && drive_resize(d, size, &c->err) && put_empty(c);
}

static bool do_blockdev_snapshot(struct call *c)
{
	struct drive *d = drive_argument(c, "node-name");
	char file[MONITOR_LINE], format[32], mode[32];

	if (!d || !string_argument(c, "snapshot-file", file, sizeof file) || !text_argument(c, "format", "qcow2", format, sizeof format) ||
	    !text_argument(c, "mode", "absolute-paths", mode, sizeof mode))
		return false;
	if (strcmp(format, "qcow2")) {
		error_set(&c->err, "Invalid parameter 'format': a snapshot is qcow2");
		return false;
	}
	return drive_snapshot(d, file, !strcmp(mode, "existing"), &c->err) && put_empty(c);
}

/* ---- What comes and goes ---- */

static bool do_device_add(struct call *c) { return plug_device(c->m, c->j, c->arguments, &c->err) && put_empty(c); }
static bool do_blockdev_add(struct call *c) { return plug_blockdev(c->m, c->j, c->arguments, &c->err) && put_empty(c); }
static bool do_netdev_add(struct call *c) { return plug_net(c->m, c->j, c->arguments, &c->err) && put_empty(c); }

static bool query_cores(struct call *c) { plug_query_cpus(c->m, c->out); return true; }

static bool do_device_del(struct call *c)
{
	char id[256];
	bool found = true, ok = string_argument(c, "id", id, sizeof id) && hotplug_remove(c->m, id, &found, &c->err);

	c->class = found ? NULL : "DeviceNotFound";
	return ok && put_empty(c);
}

static bool do_blockdev_del(struct call *c)
{
	struct drive *d = drive_argument(c, "node-name");

	return d && drive_delete(c->m, d, &c->err) && put_empty(c);
}

static bool do_netdev_del(struct call *c)
{
	char id[256];

	return string_argument(c, "id", id, sizeof id) && net_delete(c->m, id, &c->err) && put_empty(c);
}

static bool do_screendump(struct call *c)
{
	char file[MONITOR_LINE], format[32], device[80];

	return string_argument(c, "filename", file, sizeof file) && text_argument(c, "format", "ppm", format, sizeof format) &&
	       text_argument(c, "device", "", device, sizeof device) && shown_dump(c->m, file, format, device, &c->err) && put_empty(c);
}

/* For VNC's viewers. */
static bool do_change_password(struct call *c)
{
	char password[256];

	return string_argument(c, "password", password, sizeof password) && display_set_password(c->m, password, &c->err) && put_empty(c);
}

static bool do_set_password(struct call *c)
{
	char protocol[16];

	if (!string_argument(c, "protocol", protocol, sizeof protocol))
		return false;
	if (!strcmp(protocol, "vnc"))
		return do_change_password(c);
	error_set(&c->err, "Invalid parameter 'protocol': vnc");
	return false;
}

static bool query_vnc(struct call *c)
{
	const struct config *o = c->m->config;

	fprintf(c->out, "{\"enabled\": %s", o->vnc_host ? "true" : "false");
	if (o->vnc_host) {
		fputs(", \"host\": ", c->out);
		qmp_string(c->out, o->vnc_host);
		fprintf(c->out, ", \"service\": \"%d\", \"family\": \"ipv4\", \"auth\": \"%s\"", o->vnc_port,
			o->vnc_password ? "vnc" : "none");
	}
	fputc('}', c->out);
	return true;
}

static bool do_send_key(struct call *c)
{
	return typed_keys(c->m, c->j, json_member(c->j, c->arguments, "keys"), &c->err) && put_empty(c);
}

static bool do_send_event(struct call *c)
{
	return typed_events(c->m, c->j, json_member(c->j, c->arguments, "events"), &c->err) && put_empty(c);
}

/* ---- Character devices ---- */

static bool query_chardev(struct call *c) { streams_query(c->m, c->out); return true; }
static bool query_backends(struct call *c) { streams_query_backends(c->out); return true; }

/* "format": base64 or not. */
static bool wants_base64(struct call *c, bool *base64)
{
	char format[32];

	if (!text_argument(c, "format", "utf8", format, sizeof format))
		return false;
	*base64 = !strcmp(format, "base64");
	if (!*base64 && strcmp(format, "utf8")) {
		error_set(&c->err, "Parameter 'format' does not accept value '%.30s'", format);
		return false;
	}
	return true;
}

static struct console *ring_argument(struct call *c)
{
	char id[256];

	return string_argument(c, "device", id, sizeof id) ? streams_ring(c->m, id, &c->err) : NULL;
}

static bool put_base64(struct call *c, const uint8_t *data, size_t len)
{
	char *text = streams_encode(data, len);

	if (text)
		fprintf(c->out, "\"%s\"", text);
	else
		error_set(&c->err, "out of memory");
	free(text);
	return text;
}

static bool do_ring_read(struct call *c)
{
	struct console *ring = ring_argument(c);
	uint8_t *data;
	size_t len;
	bool base64, ok = true;

	if (!ring || !wants_base64(c, &base64))
		return false;
	data = streams_ring_read(ring, json_number(c->j, json_member(c->j, c->arguments, "size"), 0), &len, &c->err);
	if (!data)
		return false;
	if (base64)
		ok = put_base64(c, data, len);
	else
		put_text(c->out, (const char *)data, len, "\\n");
	free(data);
	return ok;
}

static bool do_ring_write(struct call *c)
{
	struct console *ring = ring_argument(c);
	char data[MONITOR_LINE];
	bool base64;
	size_t len;

	if (!ring || !string_argument(c, "data", data, sizeof data) || !wants_base64(c, &base64))
		return false;
	len = strlen(data);
	if (base64 && !streams_decode(data, &len, &c->err))
		return false;
	console_write(ring, data, len);
	return put_empty(c);
}

static bool run_human_command(struct call *c)
{
	char line[MONITOR_LINE], *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!string_argument(c, "command-line", line, sizeof line))
		return false;
	out = open_memstream(&text, &len);
	if (!out) {
		error_set(&c->err, "out of memory");
		return false;
	}
	hmp_run(c->m, line, out);
	fclose(out);
	put_string(c->out, text ? text : "", text ? len : 0);
	free(text);
	return true;
}

static bool query_commands(struct call *c);

static const struct command {
	const char *name;
	bool (*run)(struct call *c);	/* false: c->err says why */
	bool waits;			/* as in hmp.c */
} commands[] = {
	{ "qmp_capabilities", put_empty, false }, { "query-status", query_status, false },
	{ "query-version", query_version, false }, { "query-commands", query_commands, false },
	{ "query-name", query_name, false }, { "query-cpus-fast", query_cpus_fast, false },
	{ "query-migrate", query_migrate, false }, { "stop", do_stop, true }, { "cont", do_cont, true },
	{ "quit", do_quit, false }, { "system_reset", do_reset, false }, { "migrate", do_migrate, true },
	{ "migrate_cancel", do_cancel, false }, { "migrate-set-capabilities", set_capabilities, false },
	{ "query-migrate-capabilities", query_capabilities, false }, { "human-monitor-command", run_human_command, false },
	{ "query-block", query_block, false }, { "query-blockstats", query_blockstats, false }, { "eject", do_eject, true },
	{ "blockdev-change-medium", do_change, true }, { "block_resize", do_resize, true },
	{ "blockdev-snapshot-sync", do_blockdev_snapshot, true },
	{ "set_link", do_set_link, true }, { "announce-self", do_announce, true },
	{ "query-hotpluggable-cpus", query_cores, false },
	{ "device_add", do_device_add, true }, { "device_del", do_device_del, true },
	{ "blockdev-add", do_blockdev_add, true }, { "blockdev-del", do_blockdev_del, true },
	{ "netdev_add", do_netdev_add, true }, { "netdev_del", do_netdev_del, true },
	{ "query-chardev", query_chardev, false }, { "query-chardev-backends", query_backends, false },
	{ "ringbuf-read", do_ring_read, false }, { "ringbuf-write", do_ring_write, false },
	{ "screendump", do_screendump, true }, { "send-key", do_send_key, true }, { "input-send-event", do_send_event, true },
	{ "query-vnc", query_vnc, false }, { "set_password", do_set_password, false }, { "change-vnc-password", do_change_password, false },
	{ "balloon", do_balloon, true }, { "query-balloon", query_balloon, false },
};

static bool query_commands(struct call *c)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(c->out, "%s{\"name\": \"%s\"}", i ? ", " : "[", commands[i].name);
	fputc(']', c->out);
	return true;
}

/* ---- The protocol ---- */

void qmp_greet(FILE *out)
{
	fputs("{\"QMP\": {\"version\": " VERSION_JSON ", \"capabilities\": []}}\n", out);
}

static const struct event_row {
	const char *name;
	const char *word;		/* what the event's word is; NULL: it has no data */
	bool says_who;			/* whether it was the guest */
} event_rows[] = {
	[RUN_STOP]      = { "STOP", NULL, false },
	[RUN_RESUME]    = { "RESUME", NULL, false },
	[RUN_RESET]     = { "RESET", "reason", true },
	[RUN_SHUTDOWN]  = { "SHUTDOWN", "reason", true },
	[RUN_PANICKED]  = { "GUEST_PANICKED", "action", false },
	[RUN_MIGRATION] = { "MIGRATION", "status", false },
	[RUN_DEVICE_DELETED] = { "DEVICE_DELETED", NULL, false },
};

/* `id` NULL: the device has none. */
static void put_deleted(FILE *out, const char *id)
{
	char path[300];

	snprintf(path, sizeof path, "/machine/%s/%s", id ? "peripheral" : "peripheral-anon", id ? id : "device");
	fputs(", \"data\": {", out);
	if (id) {
		fputs("\"device\": ", out);
		qmp_string(out, id);
		fputs(", ", out);
	}
	fputs("\"path\": ", out);
	qmp_string(out, path);
	fputc('}', out);
}

void qmp_event(FILE *out, const struct run_event *event)
{
	const struct event_row *row = &event_rows[event->kind];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(out, "{\"timestamp\": {\"seconds\": %lld, \"microseconds\": %ld}, \"event\": \"%s\"", (long long)now.tv_sec,
		now.tv_nsec / 1000, row->name);
	if (row->word) {
		fputs(", \"data\": {", out);
		if (row->says_who)
			fprintf(out, "\"guest\": %s, ", event->by_guest ? "true" : "false");
		fprintf(out, "\"%s\": \"%s\"}", row->word, event->word);
	}
	if (event->kind == RUN_DEVICE_DELETED)
		put_deleted(out, event->word);
	fputs("}\n", out);
}

void qmp_error(FILE *out, const char *class, const char *id, size_t id_len, const char *text)
{
	fprintf(out, "{");
	if (id)
		fprintf(out, "\"id\": %.*s, ", (int)id_len, id);
	fprintf(out, "\"error\": {\"class\": \"%s\", \"desc\": ", class);
	put_string(out, text, strlen(text));
	fputs("}}\n", out);
}

void qmp_string(FILE *out, const char *text)
{
	put_string(out, text, strlen(text));
}

void qmp_return_text(FILE *out, const char *id, const char *text)
{
	fputs("{\"return\": ", out);
	qmp_string(out, text);
	fprintf(out, id ? ", \"id\": %s}\n" : "}\n", id);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* Its id as it was written, quotes and all. */
static const char *id_of(const struct json *j, size_t *len)
{
	uint32_t id = json_member(j, 0, "id"), quote;

	if (id == JSON_NONE)
		return NULL;
	quote = j->node[id].kind == JSON_STRING;
	*len = j->node[id].len + 2 * quote;
	return j->text + j->node[id].at - quote;
}

static void unknown_command(FILE *out, const char *id, size_t id_len, const char *name)
{
	char text[128];

	snprintf(text, sizeof text, "The command %s has not been found", name);
	qmp_error(out, "CommandNotFound", id, id_len, text);
}

static void answer_command(struct monitor *mon, const struct json *j, const char *id, size_t id_len, FILE *out)
{
	struct call c = { .m = mon->m, .j = j, .arguments = json_member(j, 0, "arguments") };
	char name[64] = "", *value = NULL;
	size_t len = 0;
	const struct command *command = text_of(j, json_member(j, 0, "execute"), name, sizeof name) ? find_command(name) : NULL;
	bool asks = !strcmp(name, "qmp_capabilities");

	if (!*name)
		qmp_error(out, "GenericError", id, id_len, "QMP input lacks member 'execute'");
	else if (!mon->ready && !asks)
		qmp_error(out, "CommandNotFound", id, id_len, "Expecting capabilities negotiation with 'qmp_capabilities'");
	else if (mon->ready && asks)
		qmp_error(out, "CommandNotFound", id, id_len, "Capabilities negotiation is already complete, command ignored");
	else if (!command)
		unknown_command(out, id, id_len, name);
	else if (c.arguments != JSON_NONE && j->node[c.arguments].kind != JSON_OBJECT)
		qmp_error(out, "GenericError", id, id_len, "QMP input member 'arguments' must be an object");
	else if ((c.out = open_memstream(&value, &len))) {
		bool ok = command->run(&c);

		fclose(c.out);
		mon->ready |= asks;
		if (mon->waits)
			mon->id = id ? strndup(id, id_len) : NULL;
		else if (ok)
			fprintf(out, "{\"return\": %s%s%.*s}\n", value, id ? ", \"id\": " : "", (int)id_len, id ? id : "");
		else
			qmp_error(out, c.class ? c.class : "GenericError", id, id_len, c.err.msg);
	}
	free(value);
}

/* Whether a command needs a whole machine; human-monitor-command does if its line does. */
static bool command_waits(const struct json *j)
{
	char name[64] = "", line[MONITOR_LINE] = "";
	const struct command *command = text_of(j, json_member(j, 0, "execute"), name, sizeof name) ? find_command(name) : NULL;
	uint32_t arguments = json_member(j, 0, "arguments");

	if (command && command->run == run_human_command && arguments != JSON_NONE && j->node[arguments].kind == JSON_OBJECT &&
	    text_of(j, json_member(j, arguments, "command-line"), line, sizeof line))
		return hmp_waits(line);
	return command && command->waits;
}

bool qmp_waits(const struct monitor *mon)
{
	struct json j;
	bool it_does;

	if (!json_parse(&j, mon->line, mon->len))
		return false;
	it_does = strict(&j) && j.node[0].kind == JSON_OBJECT && command_waits(&j);
	json_free(&j);
	return it_does;
}

void qmp_run(struct monitor *mon, FILE *out)
{
	struct json j;
	const char *id;
	size_t id_len = 0;

	/* An id is echoed as it was written, and an answer is one line: newlines become blanks. */
	for (size_t i = 0; i < mon->len; i++)
		if (mon->line[i] == '\n' || mon->line[i] == '\r')
			mon->line[i] = mon->in_string ? '\n' : ' ';
	if (!json_parse(&j, mon->line, mon->len)) {
		qmp_error(out, "GenericError", NULL, 0, "Invalid JSON syntax");
		return;
	}
	if (!strict(&j)) {
		qmp_error(out, "GenericError", NULL, 0, "Invalid JSON syntax");
	} else if (j.node[0].kind != JSON_OBJECT) {
		qmp_error(out, "GenericError", NULL, 0, "QMP input must be a JSON object");
	} else {
		id = id_of(&j, &id_len);
		answer_command(mon, &j, id, id_len, out);
	}
	json_free(&j);
}

/* The machine protocol: JSON commands, QEMU's names. What comes in is hostile. */
#define _GNU_SOURCE
#include "machine/monitor.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/bits.h"
#include "machine/control.h"
#include "machine/options.h"
#include "savevm/json.h"

#define VERSION_JSON "{\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"cede " CEDE_VERSION "\"}"

struct call {
	struct machine *m;
	const struct json *j;
	uint32_t arguments;		/* node; JSON_NONE */
	FILE *out;			/* for the value that is returned */
	struct error err;
};

static void put_string(FILE *out, const char *s, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\r\\n", out);	/* as QEMU's human-monitor-command has it */
		else if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* ---- Strings that come in ---- */

static int hex4(const char *s, size_t left)
{
	char digits[5] = { 0 };

	if (left < 4)
		return -1;
	memcpy(digits, s, 4);
	return strspn(digits, "0123456789abcdefABCDEF") == 4 ? (int)strtol(digits, NULL, 16) : -1;
}

/* Escapes undone, in bytes; false: it is no string, or not one that a command can take. */
static bool text_of(const struct json *j, uint32_t node, char *buf, size_t size)
{
	static const char from[] = "\"\\/nrt", to[] = "\"\\/\n\r\t";
	const char *s, *end, *e;
	size_t n = 0;

	if (node == JSON_NONE || j->node[node].kind != JSON_STRING)
		return false;
	s = j->text + j->node[node].at;
	end = s + j->node[node].len;
	for (; s < end && n + 1 < size; s++) {
		int c = (unsigned char)*s;

		if (c == '\\' && ++s < end) {
			e = memchr(from, *s, sizeof from - 1);
			c = e ? to[e - from] : *s == 'u' ? hex4(s + 1, (size_t)(end - s - 1)) : -1;
			s += !e && c > 0 ? 4 : 0;
		}
		if (c < ' ' || (c > 0x7f && !((unsigned char)*s == c)))
			return false;
		buf[n++] = (char)c;
	}
	buf[n] = 0;
	return s == end;
}

/* The reader takes any word, and any digits; the protocol does not. */
static bool strict(const struct json *j)
{
	static const char *const words[] = { "true", "false", "null" };

	for (uint32_t i = 0; i < j->nodes; i++) {
		const struct json_node *n = &j->node[i];
		bool ok = n->kind != JSON_WORD;

		for (unsigned w = 0; w < 3 && !ok; w++)
			ok = n->len == strlen(words[w]) && !memcmp(j->text + n->at, words[w], n->len);
		for (uint32_t k = 0; k < n->len && ok && n->kind == JSON_NUMBER; k++)
			ok = strchr("+-.eE0123456789", j->text[n->at + k]) && j->text[n->at + k];
		for (uint32_t k = 0; k < n->len && ok && n->kind == JSON_STRING; k++)
			ok = (unsigned char)j->text[n->at + k] >= ' ';
		if (!ok)
			return false;
	}
	return true;
}

static bool argument(struct call *c, const char *name, char *buf, size_t size)
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

static bool nothing(struct call *c)
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
	if (c->m->options->name) {
		fputs("\"name\": ", c->out);
		put_string(c->out, c->m->options->name, strlen(c->m->options->name));
	}
	fputc('}', c->out);
	return true;
}

static bool query_cpus_fast(struct call *c)
{
	for (unsigned i = 0; i < c->m->ncpus; i++)
		fprintf(c->out, "%s{\"cpu-index\": %u, \"target\": \"ppc64\", \"props\": {\"core-id\": %u}}", i ? ", " : "[", i,
			i / c->m->threads * c->m->threads);
	fputc(']', c->out);
	return true;
}

static bool query_migrate(struct call *c)
{
	const char *status = c->m->monitors->migration;

	fprintf(c->out, status ? "{\"status\": \"%s\"}" : "{}", status);
	return true;
}

static bool do_stop(struct call *c) { control_stop(c->m); return nothing(c); }
static bool do_cont(struct call *c) { control_cont(c->m); return nothing(c); }
static bool do_quit(struct call *c) { machine_request(c->m, REQ_QUIT, 0); return nothing(c); }
static bool do_reset(struct call *c) { machine_request(c->m, REQ_RESET, 0); return nothing(c); }

static bool do_migrate(struct call *c)
{
	char uri[MONITOR_LINE];

	return argument(c, "uri", uri, sizeof uri) && control_migrate(c->m, uri, &c->err) && nothing(c);
}

static bool human(struct call *c)
{
	char line[MONITOR_LINE], *text = NULL;
	size_t len = 0;
	FILE *out;

	if (!argument(c, "command-line", line, sizeof line))
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
} commands[] = {
	{ "qmp_capabilities", nothing },
	{ "query-status", query_status }, { "query-version", query_version }, { "query-commands", query_commands },
	{ "query-name", query_name }, { "query-cpus-fast", query_cpus_fast }, { "query-migrate", query_migrate },
	{ "stop", do_stop }, { "cont", do_cont }, { "quit", do_quit }, { "system_reset", do_reset },
	{ "migrate", do_migrate }, { "human-monitor-command", human },
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

void qmp_error(FILE *out, const char *class, const char *id, size_t id_len, const char *text)
{
	fprintf(out, "{");
	if (id)
		fprintf(out, "\"id\": %.*s, ", (int)id_len, id);
	fprintf(out, "\"error\": {\"class\": \"%s\", \"desc\": ", class);
	put_string(out, text, strlen(text));
	fputs("}}\n", out);
}

static const struct command *find(const char *name)
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

static void answer(struct monitor *mon, const struct json *j, const char *id, size_t id_len, FILE *out)
{
	struct call c = { .m = mon->m, .j = j, .arguments = json_member(j, 0, "arguments") };
	char name[64] = "", *value = NULL;
	size_t len = 0;
	const struct command *command = text_of(j, json_member(j, 0, "execute"), name, sizeof name) ? find(name) : NULL;
	bool asks = !strcmp(name, "qmp_capabilities");

	if (!*name)
		qmp_error(out, "GenericError", id, id_len, "QMP input lacks member 'execute'");
	else if (!mon->ready && !asks)
		qmp_error(out, "CommandNotFound", id, id_len, "Expecting capabilities negotiation with 'qmp_capabilities'");
	else if (mon->ready && asks)
		qmp_error(out, "CommandNotFound", id, id_len, "Capabilities negotiation is already complete, command ignored");
	else if (!command)
		qmp_error(out, "CommandNotFound", id, id_len, "The command has not been found");
	else if (c.arguments != JSON_NONE && j->node[c.arguments].kind != JSON_OBJECT)
		qmp_error(out, "GenericError", id, id_len, "QMP input member 'arguments' must be an object");
	else if ((c.out = open_memstream(&value, &len))) {
		bool ok = command->run(&c);

		fclose(c.out);
		mon->ready |= asks;
		if (ok)
			fprintf(out, "{\"return\": %s%s%.*s}\n", value, id ? ", \"id\": " : "", (int)id_len, id ? id : "");
		else
			qmp_error(out, "GenericError", id, id_len, c.err.msg);
	}
	free(value);
}

void qmp_run(struct monitor *mon, FILE *out)
{
	struct json j;
	const char *id;
	size_t id_len = 0;

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
		answer(mon, &j, id, id_len, out);
	}
	json_free(&j);
}

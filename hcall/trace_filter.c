/* -trace: what is asked for, and which calls of it. */
#include "hcall/trace.h"

#include <fnmatch.h>
#include <string.h>

#include "cpu/core/bits.h"

#define MAX_PATTERN 64			/* characters, with the NUL */

struct call {
	const char *name, *set;		/* NULL: there is none */
};

static const struct call calls[TRACE_IDS] = {
#define HCALL(name, number, in, out, set, section) [TRACE_##name] = { #name, set },
#define HCALL_PRIVATE(name, number, in, out) [TRACE_##name] = { #name, "" },
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
	[TRACE_CLIENT] = { "OF", "H_VOF_CLIENT" },
	[TRACE_UNKNOWN] = { "unknown", "" },
};

static struct call call_of(unsigned id)
{
	if (id >= TRACE_RTAS && id < TRACE_CLIENT)
		return (struct call){ trace_rtas_name(id - TRACE_RTAS), "H_RTAS" };
	return calls[id];
}

const char *trace_name(unsigned id) { return call_of(id).name; }

/* A call is meant by its name, or by that of its function set; RTAS calls are the set
 * H_RTAS, the client interface is H_VOF_CLIENT. */
static bool call_matches(const char *pattern, unsigned id)
{
	struct call call = call_of(id);

	return call.name && (!fnmatch(pattern, call.name, 0) || (*call.set && !fnmatch(pattern, call.set, 0)));
}

static bool apply_pattern(struct trace_config *o, const char *pattern, bool skip)
{
	bool any = false;

	for (unsigned id = 0; id < TRACE_IDS; id++)
		if (call_matches(pattern, id)) {
			o->skip[id] = skip;
			any = true;
		}
	return any;
}

/* If the first name begins with '!', all calls are traced but those that are named; else only those. */
static bool parse_names(struct trace_config *o, const char *text, struct error *err)
{
	memset(o->skip, *text != '!', sizeof o->skip);
	for (;; text++) {
		size_t len = strcspn(text, ",");
		char pattern[MAX_PATTERN] = "";
		bool skip = *text == '!';

		if (len && len < sizeof pattern)
			memcpy(pattern, text + skip, len - skip);
		if (!*pattern || !apply_pattern(o, pattern, skip)) {
			error_set(err, "-trace: no such hypercall '%.*s' (-trace help lists them)",
				  len > 100 ? 100 : (int)len, text);
			return false;
		}
		text += len;
		if (!*text)
			return true;
	}
}

static const struct item {
	const char *name;
	size_t flag;			/* offset of a bool in struct trace_config */
	bool names;			/* takes "=NAME.." */
	const char *help;
} items[] = {
	{ "hcall", offsetof(struct trace_config, hcall), true, "each hypercall, RTAS and client interface call, and a table at the end" },
	{ "hcall-summary", offsetof(struct trace_config, summary), true, "the table alone" },
	{ "dispatch", offsetof(struct trace_config, dispatch), false, "each change of a virtual processor's state (as -d dispatch)" },
};

static const struct item *item_find(const char *text, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++)
		if (strlen(items[i].name) == len && !memcmp(items[i].name, text, len))
			return &items[i];
	return NULL;
}

/* "=NAME.." takes the rest of the text: names are separated by commas as items are. */
bool trace_parse(struct trace_config *o, const char *text, struct error *err)
{
	for (;; text++) {
		size_t len = strcspn(text, ",=");
		const struct item *item = item_find(text, len);

		if (!item || (text[len] == '=' && !item->names)) {
			error_set(err, "-trace does not know '%.*s' (-trace help lists what it knows)",
				  strlen(text) > 100 ? 100 : (int)strlen(text), text);
			return false;
		}
		*(bool *)((char *)o + item->flag) = true;
		text += len;
		if (*text == '=')
			return parse_names(o, text + 1, err);
		if (!*text)
			return true;
	}
}

void trace_help(FILE *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++)
		fprintf(out, "%-16s %s\n", items[i].name, items[i].help);
	fprintf(out, "\nhcall=NAME,.. and hcall-summary=NAME,.. are about these only, =!NAME,.. about all but these.\n"
		"A NAME may have * and ?, or be a set of calls:\n");
	for (unsigned id = 0; id < TRACE_IDS; id++)
		if (trace_name(id))
			fprintf(out, "  %-32s %s\n", trace_name(id), call_of(id).set);
}

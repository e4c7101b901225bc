/* Options for looking inside, and for what follows when a guest ends: -d, -trace, -umask, -action. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/trace.h"
#include "machine/core/log.h"
#include "machine/core/machine.h"

static bool profile_item(struct parse *p, const char *key, const char *value)
{
	struct profile_config *o = &p->opts->profile;
	uint64_t cpu;

	if (key && !strcmp(key, "from"))
		return parse_u64(value, &o->from) || option_fail(p, "-profile from=%.60s: not a cycle", value);
	if (key && !strcmp(key, "to"))
		return parse_u64(value, &o->to) || option_fail(p, "-profile to=%.60s: not a cycle", value);
	if (!key || strcmp(key, "cpu"))
		return option_fail(p, "-profile does not know '%.60s'", key ? key : value);
	if (!parse_u64(value, &cpu) || cpu >= MACHINE_MAX_CPUS)
		return option_fail(p, "-profile cpu=%.60s: no number of a processor", value);
	o->cpu = (int)cpu;
	return true;
}

bool opt_d(struct parse *p, const char *text)
{
	if (asks_help(text)) {
		log_help(stdout);
		return p->done = true;
	}
	return log_parse(text, &p->opts->log_mask, p->err);
}

bool opt_trace(struct parse *p, const char *text)
{
	if (asks_help(text)) {
		trace_help(stdout);
		return p->done = true;
	}
	if (!trace_parse(&p->opts->trace, text, p->err))
		return false;
	if (p->opts->trace.dispatch)
		p->opts->log_mask |= LOG_DISPATCH;
	return true;
}

/* The file comes first; commas of its name are doubled. */
bool opt_profile(struct parse *p, const char *text)
{
	struct profile_config *o = &p->opts->profile;
	struct pairs pairs;
	char *key, *value;
	bool ok;

	if (!pairs_open(p, &pairs, text))
		return false;
	free(o->path);
	*o = (struct profile_config){ .to = UINT64_MAX, .cpu = -1 };
	ok = (pairs_next(&pairs, &key, &value) && !key && *value) || option_fail(p, "-profile begins with the name of a file");
	if (ok)
		ok = (o->path = strdup(value)) || option_fail(p, "out of memory");
	while (ok && pairs_next(&pairs, &key, &value))
		ok = profile_item(p, key, value);
	free(pairs.copy);
	return ok && (o->from < o->to || option_fail(p, "-profile: from= is not before to="));
}

static bool set_msg(struct parse *p, const char *key, const char *value)
{
	bool *member = !strcmp(key, "timestamp") ? &p->opts->msg_timestamp : !strcmp(key, "guest-name") ? &p->opts->msg_name : NULL;

	if (!member)
		return option_fail(p, "-msg does not know '%.60s'", key);
	*member = !strcmp(value, "on");
	return *member || !strcmp(value, "off") || option_fail(p, "-msg %s=%.60s: not on or off", key, value);
}

/* "timestamp" alone is on, as QEMU has it. */
bool opt_msg(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	while (ok && pairs_next(&pairs, &key, &value))
		ok = set_msg(p, key ? key : value, key ? value : "on");
	free(pairs.copy);
	return ok;
}

bool opt_umask(struct parse *p, const char *text)
{
	size_t digits = strspn(text, "01234567");

	p->opts->has_umask = true;
	p->opts->umask = (unsigned)strtoul(text, NULL, 8);
	return (digits && digits <= 4 && !text[digits] && p->opts->umask <= 0777) ||
	       option_fail(p, "-umask: '%.60s' is not 0 to 777 in octal", text);
}

/* The events of -action, and the words that QEMU knows for each. cede has no watchdog: what is set for one never
 * happens. */
static const struct action {
	const char *event, *words;
} actions[] = {
	{ "panic",    "none|pause|shutdown|exit-failure" },	/* enum panic_action */
	{ "reboot",   "reset|shutdown" },
	{ "shutdown", "poweroff|pause" },
	{ "watchdog", "reset|shutdown|poweroff|inject-nmi|pause|debug|none" },
};
enum { ACTION_PANIC, ACTION_REBOOT, ACTION_SHUTDOWN };

static bool set_action(struct parse *p, const char *event, const char *word)
{
	struct config *o = p->opts;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		int index;

		if (strcmp(actions[i].event, event))
			continue;
		index = word_index(actions[i].words, word);
		if (index < 0)
			return option_fail(p, "-action %s=%.60s: not one of %s", event, word, actions[i].words);
		if (i == ACTION_PANIC)
			o->panic = (enum panic_action)index;
		else if (i == ACTION_REBOOT)
			o->no_reboot = index;
		else if (i == ACTION_SHUTDOWN)
			o->no_shutdown = index;
		return true;
	}
	return option_fail(p, "-action does not know '%.60s'", event);
}

bool opt_action(struct parse *p, const char *text)
{
	return each_pair(p, "action", text, "EVENT=ACTION", set_action);
}

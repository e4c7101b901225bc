/* Options for looking inside, and for what follows when a guest ends: -d, -trace, -umask, -action. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/trace.h"
#include "machine/core/log.h"
#include "machine/core/machine.h"

bool opt_d(struct parse *p, const char *text)
{
	if (!strcmp(text, "help")) {
		log_help(stdout);
		return p->done = true;
	}
	return log_parse(text, &p->opts->log_mask, p->err);
}

bool opt_trace(struct parse *p, const char *text)
{
	if (!strcmp(text, "help")) {
		trace_help(stdout);
		return p->done = true;
	}
	if (!trace_parse(&p->opts->trace, text, p->err))
		return false;
	if (p->opts->trace.dispatch)
		p->opts->log_mask |= LOG_DISPATCH;
	return true;
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

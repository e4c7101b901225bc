/* The command line: the table of options, and what is checked when all are there. Nothing is opened here. */
#define _GNU_SOURCE
#include "machine/run/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/model/models.h"
#include "machine/core/runstate.h"
#include "machine/run/options_parse.h"
#include "machine/run/options_pool.h"

enum option_group { MACHINE, BOOT, DEVICES, TIME, DEBUG, SNAPSHOT, HELP, OPTION_GROUPS };

static const char *const group_names[OPTION_GROUPS] = {
	[MACHINE] = "Machine", [BOOT] = "What runs", [DEVICES] = "Devices", [TIME] = "Time",
	[DEBUG] = "Looking inside", [SNAPSHOT] = "Snapshots", [HELP] = "Help",
};

struct option_row {
	const char *name;
	enum option_group group;
	const char *argument;		/* "": none */
	const char *help;
	bool (*parse)(struct parse *p, const char *value);	/* NULL: not there yet */
	size_t member;			/* of struct config, for those that only fill one in */
	const char *never;		/* why it is refused; all but the name is empty then */
};

const char *option_name(const struct parse *p)
{
	return p->row->name;
}

bool opt_pool(struct parse *p, const char *text)
{
	return pool_parse(&p->opts->pool, text, p->err);
}

bool opt_version(struct parse *p, const char *text)
{
	(void)text;
	puts("Options of QEMU emulator version " QEMU_VERSION ", and more\ncede " CEDE_VERSION);
	return p->done = true;
}

/* ---- Options that only fill in one member: their rows name it ---- */

static void *member_of(struct parse *p)
{
	return (char *)p->opts + p->row->member;
}

bool store_text(struct parse *p, const char *text)
{
	*(const char **)member_of(p) = text;
	return true;
}

bool store_flag(struct parse *p, const char *text)
{
	(void)text;
	return *(bool *)member_of(p) = true;
}

bool opt_nodefaults(struct parse *p, const char *text)
{
	(void)text;
	return p->no_defaults = true;
}

bool opt_snapshot(struct parse *p, const char *text)
{
	(void)text;
	return p->snapshot = true;
}

bool opt_enable_kvm(struct parse *p, const char *text)
{
	(void)text;
	return p->no_accel = true;
}

/* What is so anyway: a terminal beside a display, and no file of the user's. */
bool opt_nothing(struct parse *p, const char *text)
{
	(void)p, (void)text;
	return true;
}

/* The member, if it is of that type; else the build fails. */
#define MEMBER(name, type) (offsetof(struct config, name) + 0 * sizeof(_Generic(((struct config *)0)->name, type: 0)))
#define opt_TEXT(name)    store_text, MEMBER(name, const char *)
#define opt_FLAG(name)    store_flag, MEMBER(name, bool)

/* ---- The table ---- */

static const struct option_row option_rows[] = {
#define OPT(name, group, argument, parser, help) { name, group, argument, help, .parse = opt_##parser },
#define OPT_LATER(name, group, argument, help) { name, group, argument, help, NULL, 0, NULL },
#define OPT_NEVER(option, why) { .name = option, .never = why },
#include "machine/run/options.def"
#undef OPT
#undef OPT_LATER
#undef OPT_NEVER
};

/* After the heading, if there still is one to say; returns what is left of it. */
static const char *show_option(const struct option_row *row, const char *heading)
{
	if (heading)
		printf("\n%s\n", heading);
	printf("  -%s%s%s\n        %s\n", row->name, *row->argument ? " " : "", row->argument, row->help);
	return NULL;
}

bool opt_help(struct parse *p, const char *text)
{
	(void)text;
	puts("cede: a POWER pSeries machine\nusage: cede [options]; -opt and --opt are the same");
	for (enum option_group group = 0; group < OPTION_GROUPS; group++) {
		const char *heading = group_names[group];

		for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
			if (option_rows[i].parse && option_rows[i].group == group)
				heading = show_option(&option_rows[i], heading);
	}
	puts("\nNot there yet");
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (!option_rows[i].parse && !option_rows[i].never)
			show_option(&option_rows[i], NULL);
	return p->done = true;
}

static const struct option_row *find_option(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (!strcmp(option_rows[i].name, name))
			return &option_rows[i];
	return NULL;
}

/* One option and its argument; *i moves past both. */
bool option_begin(struct parse *p, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (!strcmp(option_rows[i].name, name))
			p->row = &option_rows[i];
	return p->row;
}

static bool parse_option(struct parse *p, int argc, char **argv, int *i)
{
	const char *arg = argv[(*i)++], *name = arg;
	const struct option_row *row;
	const char *value = NULL;
	char why[sizeof p->err->msg];

	p->status = EXIT_USAGE;
	if (*name != '-')
		return option_fail(p, "unexpected argument '%.100s' (options begin with -; a disk is -hda FILE or -drive)", arg);
	name += name[1] == '-' ? 2 : 1;
	row = find_option(name);
	if (!row)
		return option_fail(p, "no such option: %.100s (cede -h lists them)", arg);
	p->row = row;
	if (row->never)
		return option_fail(p, "-%s: %s", row->name, row->never);
	if (!row->parse)
		return option_fail(p, "-%s (%s) is not there yet", row->name, row->help);
	if (*row->argument) {
		if (*i >= argc)
			return option_fail(p, "-%s needs an argument: %s", row->name, row->argument);
		value = argv[(*i)++];
	}
	if (row->parse(p, value))
		return true;
	/* Parsers shared by several options do not know which one it was. */
	if (strncmp(p->err->msg, "-", 1) && strcmp(p->err->msg, "out of memory")) {
		snprintf(why, sizeof why, "%s", p->err->msg);
		option_fail(p, "-%s: %.200s", row->name, why);
	}
	return false;
}

static bool finish_options(struct parse *p)
{
	struct config *o = p->opts;

	p->status = EXIT_USAGE;
	finish_display(p);
	if (!finish_timing(p) || !finish_accel(p) || !finish_smp(p) || !finish_numa(p) || !finish_compat(p) || !finish_drives(p) || !finish_chardevs(p) || !finish_nets(p) ||
	    !pool_finish(&o->pool, o->cpus / o->threads, p->err))
		return false;
	if (o->initrd && !o->kernel)
		return option_fail(p, "-initrd needs -kernel");
	if (o->append && !o->kernel && !o->drives && !o->netdevs)
		return option_fail(p, "-append needs -kernel");
	if (o->profile.path && o->profile.cpu >= (int)o->cpus)
		return option_fail(p, "-profile cpu=%d: there are %u processors", o->profile.cpu, o->cpus);
	if (o->loadvm && o->incoming)
		return option_fail(p, "-loadvm and -incoming: from one of them only");
	if (!o->kernel && !o->bios && !o->loadvm && !o->incoming && !o->drives && !o->netdevs)
		return option_fail(p, "nothing to run: give -kernel, -bios or a disk (-drive, -hda, -cdrom); cede -h lists all options");
	return true;
}

enum options_result options_parse(struct config *opts, int argc, char **argv, struct error *err, int *status)
{
	struct parse p = { .opts = opts, .err = err };
	bool ok = true;
	int i = 1;

	*opts = (struct config){
		.machine = "pseries", .timing = "flat", .cpu_model = cpu_models[0], .cpus = 1, .ram_size = UINT64_C(512) << 20,
		.dfp = true, .ic_mode = IC_DUAL, .large_decr = true, .dawr1 = true, .boot_wait_ms = 3000, .window_close = true, .show_cursor = true, .ccf_assist = true, .cfpc = MITIGATION_WORKAROUND,
		.sbbc = MITIGATION_WORKAROUND, .ibs = MITIGATION_WORKAROUND, .hpt_page_shift = 16,
	};
	opts->late = &late_options;
	pool_defaults(&opts->pool);
	while (i < argc && !p.done && ok)
		ok = parse_option(&p, argc, argv, &i);
	if (ok && !p.done)
		ok = finish_options(&p);
	names_forget(&p);
	if (!ok)
		*status = p.status;
	return !ok ? OPTIONS_BAD : p.done ? OPTIONS_DONE : OPTIONS_RUN;
}

void options_free(struct config *opts)
{
	free(opts->profile.path);
	free(opts->nvram_file);
	free(opts->boot_order);
	free(opts->boot_once);
	free(opts->name);
	free(opts->vnc_host);
	drives_forget(opts);
	fsdevs_forget(opts);
	chardevs_forget(opts);
	netdevs_forget(opts);
	numa_forget(opts);
	for (unsigned i = 0; i < opts->saves; i++)
		free(opts->save[i].path), free(opts->save[i].parent);
}

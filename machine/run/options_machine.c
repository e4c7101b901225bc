/* Options that say what machine it is: -M, -cpu, -smp, -m, -accel, -name, -uuid. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/model/models.h"
#include "machine/core/machine.h"

/* ---- -M ---- */

/* PROP_IGNORED: the value that there is changes nothing. PROP_SWITCH: off or on, a bool of struct config. PROP_CHOICE: one of an
 * enum of it, in the order of the row. */
enum prop { PROP_IGNORED, PROP_SWITCH, PROP_CHOICE, PROP_ACCEL, PROP_VSMT, PROP_COMPAT, PROP_HPT_PAGE };

#define SWITCH(field)         PROP_SWITCH, "off|on", "", offsetof(struct config, field)
#define CHOICE(field, values) PROP_CHOICE, values, "", offsetof(struct config, field)
_Static_assert(sizeof(enum ic_mode) == sizeof(unsigned) && sizeof(enum resize_hpt) == sizeof(unsigned) &&
	       sizeof(enum mitigation) == sizeof(unsigned), "PROP_CHOICE");

static const struct machine_prop {
	const char *name;
	enum prop prop;
	const char *have;		/* values that cede does, "" for what set_prop() looks at itself */
	const char *later;		/* values that QEMU knows and cede does not */
	size_t at;			/* in struct config */
} machine_props[] = {
	{ "accel", PROP_ACCEL, "", "", 0 },
	{ "usb", SWITCH(usb) },
	{ "graphics", PROP_IGNORED, "off", "on", 0 },
	{ "x-vof", PROP_IGNORED, "off|on", "", 0 },
	{ "kernel-irqchip", PROP_IGNORED, "off", "on|split", 0 }, { "kernel_irqchip", PROP_IGNORED, "off", "on|split", 0 },
	{ "dump-guest-core", PROP_IGNORED, "off|on", "", 0 },	/* the host's affair, as the next one */
	{ "mem-merge", PROP_IGNORED, "off|on", "", 0 },
	{ "nvdimm", PROP_IGNORED, "off", "on", 0 },
	{ "suppress-vmdesc", PROP_IGNORED, "off", "on", 0 },
	{ "host-model", PROP_IGNORED, "none", "passthrough", 0 }, { "host-serial", PROP_IGNORED, "none", "passthrough", 0 },
	{ "vsmt", PROP_VSMT, "", "", 0 },
	{ "ic-mode", CHOICE(ic_mode, "xics|xive|dual") },
	{ "resize-hpt", CHOICE(resize_hpt, "default|enabled|disabled|required") },
	{ "max-cpu-compat", PROP_COMPAT, "", "", 0 },
	{ "cap-htm", SWITCH(htm) },
	{ "cap-vsx", PROP_IGNORED, "on", "off", 0 },
	{ "cap-dfp", SWITCH(dfp) },
	{ "cap-hpt-max-page-size", PROP_HPT_PAGE, "4k|64k|16m|16g|4K|64K|16M|16G|4096|65536|16777216|17179869184", "", 0 },
	{ "cap-nested-hv", PROP_IGNORED, "off", "on", 0 },
	{ "cap-nested-papr", PROP_IGNORED, "off", "on", 0 },
	{ "cap-ail-mode-3", PROP_IGNORED, "on", "off", 0 },
	{ "cap-dawr1", SWITCH(dawr1) },
	{ "cap-large-decr", SWITCH(large_decr) },
	{ "cap-ccf-assist", SWITCH(ccf_assist) },
	{ "cap-fwnmi", PROP_IGNORED, "on", "off", 0 },
	{ "cap-rpt-invalidate", SWITCH(rpt_invalidate) },
	{ "cap-cfpc", CHOICE(cfpc, "broken|workaround|fixed") },
	{ "cap-sbbc", CHOICE(sbbc, "broken|workaround|fixed") },
	{ "cap-ibs", CHOICE(ibs, "broken|workaround|fixed|fixed-ibs|fixed-ccd|fixed-na") },
};

static bool has_htm(const struct config *o) { return o->cpu_model->since < P10; }
static bool has_dawr1(const struct config *o) { return o->cpu_model->dawrs > 1; }
static bool has_large_decr(const struct config *o) { return config_dec_bits(o); }
static bool has_radix(const struct config *o) { return config_level_most(o)->radix; }

/* What not every processor has. By default some are on, where they are: whoever says "on" wants it. */
static const struct {
	const char *name;
	bool (*there)(const struct config *o);
	const char *what;
} scarce[] = {
	{ "cap-htm", has_htm, "transactional memory" },
	{ "cap-dawr1", has_dawr1, "second watchpoint" },
	{ "cap-large-decr", has_large_decr, "large decrementer" },
	{ "cap-rpt-invalidate", has_radix, "radix MMU" },
};

static void note_switch(struct parse *p, const char *name, bool on)
{
	for (unsigned i = 0; i < ARRAY_SIZE(scarce); i++)
		if (!strcmp(scarce[i].name, name))
			p->asked = (p->asked & ~(1u << i)) | (unsigned)on << i;
}

/* Of the words for cap-hpt-max-page-size, in turns. */
static const uint8_t hpt_page_shifts[] = { 12, 16, 24, 34 };

/* One of "kvm:tcg", in the order of preference: there is the interpreter, which stands in for tcg. */
static bool take_accels(struct parse *p, const char *names)
{
	static const char others[] = "kvm|xen|hvf|hax|whpx|nvmm|qtest|mshv";
	char name[24];
	size_t len;

	for (;; names += len + 1) {
		len = strcspn(names, ":");
		snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1), names);
		if (!strcmp(name, "tcg"))
			return p->tcg = true;
		if (word_index(others, name) < 0)
			return option_fail(p, "no such accelerator: '%.60s' (there is one engine, an interpreter, for tcg)", names);
		p->no_accel = true;
		if (!names[len])
			return true;
	}
}

/* ---- Processors: -cpu, and max-cpu-compat= of -M ---- */

/* All models, with a separator between them. */
static const char *model_names(char *buf, size_t size, const char *separator)
{
	size_t len = 0;

	for (unsigned i = 0; cpu_models[i] && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? separator : "", cpu_models[i]->name);
	return buf;
}

static const char *level_names(char *buf, size_t size, const char *separator)
{
	size_t len = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(cpu_levels) && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s", i ? separator : "", cpu_levels[i].name);
	return buf;
}

static bool take_compat(struct parse *p, const char *value)
{
	char names[80];

	for (unsigned i = 0; i < ARRAY_SIZE(cpu_levels); i++) {
		if (strcmp(value, cpu_levels[i].name))
			continue;
		p->opts->compat_pvr = cpu_levels[i].logical_pvr;
		return true;
	}
	return option_fail(p, "-M max-cpu-compat=%.60s: not one of %s", value, level_names(names, sizeof names, ", "));
}

/* Before ISA 3.0 there is XICS alone: so a machine with both controllers has that one. */
static bool finish_controller(struct parse *p, const struct cpu_level *level)
{
	struct config *o = p->opts;

	if (level->since >= P9 || o->ic_mode == IC_XICS)
		return true;
	if (o->ic_mode == IC_XIVE)
		return option_fail(p, "-M ic-mode=xive: a processor like %s has XICS alone", level->name);
	o->ic_mode = IC_XICS;
	return true;
}

static const char *level_name(uint32_t logical_pvr)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cpu_levels); i++)
		if (cpu_levels[i].logical_pvr == logical_pvr)
			return cpu_levels[i].name;
	return "";
}

static bool finish_switches(struct parse *p)
{
	const struct config *o = p->opts;

	for (unsigned i = 0; i < ARRAY_SIZE(scarce); i++)
		if (p->asked >> i & 1 && !scarce[i].there(o))
			return option_fail(p, "-M %s=on: %s%s%s has no %s", scarce[i].name, o->cpu_model->name,
					   o->compat_pvr ? " as " : "", level_name(o->compat_pvr), scarce[i].what);
	return true;
}

bool finish_compat(struct parse *p)
{
	const struct config *o = p->opts;
	const struct cpu_level *level = config_level_most(o);

	if (!level)
		return option_fail(p, "-M max-cpu-compat=%s: %s cannot appear as a later processor", level_name(o->compat_pvr), o->cpu_model->name);
	return finish_switches(p) && finish_controller(p, level);
}

static bool cpu_help(struct parse *p)
{
	for (unsigned i = 0; cpu_models[i]; i++) {
		printf("%-14s %s%s\n", cpu_models[i]->name, cpu_models[i]->title, i ? "" : ", the default");
		if (strcmp(cpu_models[i]->alias, cpu_models[i]->name))
			printf("%-14s the same\n", cpu_models[i]->alias);
	}
	return p->done = true;
}

static bool cpu_item(struct parse *p, const char *key, const char *value)
{
	if (strcmp(key, "freq"))
		return option_fail(p, "-cpu: no property '%.60s'", key);
	if (!*value)
		return option_fail(p, "-cpu: freq= needs a number of MHz");
	snprintf(p->opts->cpu_freq, sizeof p->opts->cpu_freq, "%s", value);
	return true;
}

bool opt_cpu(struct parse *p, const char *text)
{
	size_t len = strcspn(text, ",");
	const struct cpu_model *model;
	char names[80], name[32];

	if (asks_help(text))
		return cpu_help(p);
	snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, text);
	model = cpu_model_find(name);
	if (!strcmp(name, "host"))
		return option_fail(p, "-cpu host needs KVM, and there is no KVM (there is %s)", model_names(names, sizeof names, ", "));
	if (!model)
		return option_fail(p, "-cpu: no such processor '%.*s' (there is %s)", (int)(len > 60 ? 60 : len), text, model_names(names, sizeof names, ", "));
	p->opts->cpu_model = model;
	p->opts->cpu_freq[0] = 0;
	return !text[len] || each_pair(p, "cpu", text + len + 1, "freq=MHZ", cpu_item);
}

static bool set_prop(struct parse *p, const struct machine_prop *row, const char *value, int index)
{
	struct config *o = p->opts;
	uint64_t number;

	switch (row->prop) {
	case PROP_IGNORED:
		break;
	case PROP_SWITCH:
		*(bool *)((char *)o + row->at) = index;
		note_switch(p, row->name, index);
		break;
	case PROP_CHOICE:
		*(unsigned *)((char *)o + row->at) = (unsigned)index;
		break;
	case PROP_ACCEL:
		return take_accels(p, value);
	case PROP_COMPAT:
		return take_compat(p, value);
	case PROP_HPT_PAGE:
		o->hpt_page_shift = hpt_page_shifts[index % (int)ARRAY_SIZE(hpt_page_shifts)];
		break;
	case PROP_VSMT:
		if (!parse_u64(value, &number) || !number || number > 8 || (number & (number - 1)))
			return option_fail(p, "-M vsmt=%.40s is not 1, 2, 4 or 8", value);
		o->vsmt = (unsigned)number;
		break;
	}
	return true;
}

/* QEMU's other words for on and off, where those are the words. */
static const char *plain_word(const struct machine_prop *row, const char *value)
{
	bool off = word_index(row->have, "off") >= 0 || word_index(row->later, "off") >= 0;

	if (!off)
		return value;
	return word_index("yes|true|y", value) >= 0 ? "on" : word_index("no|false|n", value) >= 0 ? "off" : value;
}

static bool machine_prop(struct parse *p, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(machine_props); i++) {
		const struct machine_prop *row = &machine_props[i];
		int index;

		if (strcmp(row->name, key))
			continue;
		value = plain_word(row, value);
		index = *row->have ? word_index(row->have, value) : 0;
		if (index >= 0)
			return set_prop(p, row, value, index);
		if (*row->later && word_index(row->later, value) >= 0)
			return option_fail(p, "-M %s=%s is not there yet", key, value);
		return option_fail(p, "-M %s=%.60s: not one of %s", key, value, row->have);
	}
	return option_fail(p, "-M pseries has no property '%.60s'", key);
}

/* The values of a property, as the help prints them. */
static const char *prop_values(const struct machine_prop *row, char *buf, size_t size)
{
	switch (row->prop) {
	case PROP_ACCEL:
		return "tcg";
	case PROP_COMPAT:
		return level_names(buf, size, "|");
	default:
		return *row->have ? row->have : "NUMBER";
	}
}

static bool machine_help(struct parse *p)
{
	char names[80];

	puts("pseries        POWER pSeries (PAPR), the default\npseries-7.2    the same\n\nProperties of both:");
	for (size_t i = 0; i < ARRAY_SIZE(machine_props); i++)
		printf("  %s=%s\n", machine_props[i].name, prop_values(&machine_props[i], names, sizeof names));
	return p->done = true;
}

bool opt_machine(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (asks_help(text) || !strcmp(text, "pseries,help") || !strcmp(text, "pseries-7.2,help"))
		return machine_help(p);
	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if (first && (!key || !strcmp(key, "type"))) {
			ok = !strcmp(value, "pseries") || !strcmp(value, "pseries-7.2");
			if (ok)
				p->opts->machine = strcmp(value, "pseries") ? "pseries-7.2" : "pseries";
			else
				option_fail(p, "-M: no such machine '%.60s' (there are pseries, pseries-7.2)", value);
		} else {
			ok = key ? machine_prop(p, key, value) : option_fail(p, "-M: '%.60s' is not PROP=VALUE", value);
		}
	}
	free(pairs.copy);
	return ok;
}

/* ---- -smp, -m ---- */

static bool smp_count(struct parse *p, const char *key, const char *value, unsigned *out)
{
	uint64_t n;

	if (!parse_u64(value, &n) || !n)
		return option_fail(p, "-smp %s: '%.40s' is not a number above 0", key, value);
	if (n > MACHINE_MAX_CPUS)
		return option_fail(p, "-smp %s=%.40s: %d is the most", key, value, MACHINE_MAX_CPUS);
	*out = (unsigned)n;
	return true;
}

bool opt_smp(struct parse *p, const char *text)
{
	struct config *o = p->opts;
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	o->cpus = o->threads = o->cores = o->sockets = o->max_cpus = 0;
	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if ((first && !key) || (key && !strcmp(key, "cpus")))
			ok = smp_count(p, "cpus", value, &o->cpus);
		else if (key && !strcmp(key, "threads"))
			ok = smp_count(p, key, value, &o->threads);
		else if (key && !strcmp(key, "cores"))
			ok = smp_count(p, key, value, &o->cores);
		else if (key && !strcmp(key, "sockets"))
			ok = smp_count(p, key, value, &o->sockets);
		else if (key && !strcmp(key, "maxcpus"))
			ok = smp_count(p, key, value, &o->max_cpus);
		else
			ok = option_fail(p, "-smp does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	return ok;
}

/* Counts that were not given follow from those that were, sockets first, as QEMU does it. */
bool finish_smp(struct parse *p)
{
	struct config *o = p->opts;
	unsigned all = o->max_cpus ? o->max_cpus : o->cpus;

	if (!o->threads)
		o->threads = 1;
	if (!all)
		all = (o->sockets ? o->sockets : 1) * (o->cores ? o->cores : 1) * o->threads;
	if (o->cpus > all)
		return option_fail(p, "-smp maxcpus=%u is less than the %u processors", all, o->cpus);
	if (o->threads > 8 || (o->threads & (o->threads - 1)))
		return option_fail(p, "-smp threads=%u: a core has 1, 2, 4 or 8", o->threads);
	if (!o->cores)
		o->cores = all / ((o->sockets ? o->sockets : 1) * o->threads);
	if (!o->sockets)
		o->sockets = o->cores ? all / (o->cores * o->threads) : 0;
	if (o->sockets * o->cores * o->threads != all)
		return option_fail(p, "-smp: sockets (%u) * cores (%u) * threads (%u) is not the number of processors (%u)",
			    o->sockets, o->cores, o->threads, all);
	o->max_cpus = all;
	if (!o->cpus)
		o->cpus = all;
	if (all > MACHINE_MAX_CPUS)
		return option_fail(p, "-smp: %d processors are the most", MACHINE_MAX_CPUS);
	if (o->cpus > all || o->cpus % o->threads)
		return option_fail(p, "-smp: %u processors are not whole cores of %u threads up to maxcpus=%u",
			    o->cpus, o->threads, all);
	if (!o->vsmt)
		o->vsmt = o->threads;
	if (o->vsmt != o->threads)
		return option_fail(p, "-M vsmt=%u is not there yet with %u threads in a core (there is vsmt=%u)",
			    o->vsmt, o->threads, o->threads);
	return true;
}

bool opt_memory(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	uint64_t size = 0;
	bool ok = true, first = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if ((first && !key) || (key && !strcmp(key, "size")))
			ok = parse_size(value, UINT64_C(1) << 20, &size) || option_fail(p, "-m: '%.40s' is not a size", value);
		else if (key && (!strcmp(key, "slots") || !strcmp(key, "maxmem")))
			ok = option_fail(p, "-m %s= is not there yet", key);
		else
			ok = option_fail(p, "-m does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	if (!ok)
		return false;
	if (size < CONFIG_MIN_RAM || size > CONFIG_MAX_RAM)
		return option_fail(p, "-m %.40s: RAM is 256M to 64G", text);
	if (size % CONFIG_RAM_STEP)
		return option_fail(p, "-m %.40s is not a multiple of 256M", text);
	p->opts->ram_size = size;
	return true;
}

/* ---- -name, -accel, -uuid ---- */

bool opt_name(struct parse *p, const char *text)
{
	/* -name guest=NAME,process=.. as well: what follows is for the host to show. */
	const char *name = !strncmp(text, "guest=", 6) ? text + 6 : text;

	free(p->opts->name);
	p->opts->name = strndup(name, strcspn(name, ","));
	return p->opts->name || option_fail(p, "out of memory");
}

/* What makes QEMU's translator faster: nothing that a guest sees, and nothing here. */
static bool tcg_property(struct parse *p, const char *key, const char *value)
{
	static const char keys[] = "thread|tb-size|split-wx|one-insn-per-tb";

	return (key && word_index(keys, key) >= 0) || option_fail(p, "-accel tcg: no property '%.60s'", key ? key : value);
}

bool opt_accel(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (asks_help(text)) {
		puts("tcg            one engine, an interpreter, whatever it is called");
		return p->done = true;
	}
	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if (first)
			ok = key && strcmp(key, "accel") ? option_fail(p, "-accel: '%.60s' is not a name", text) : take_accels(p, value);
		else if (p->tcg)
			ok = tcg_property(p, key, value);
	}
	free(pairs.copy);
	return ok;
}

/* -accel kvm -accel tcg: one of them. */
bool finish_accel(struct parse *p)
{
	if (p->no_accel && !p->tcg)
		return option_fail(p, "-accel, -enable-kvm: there is no KVM and no other accelerator, only the interpreter (-accel tcg)");
	p->opts->note = p->tcg ? "-accel tcg: there is no translator; the interpreter is all there is, and is used" : NULL;
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool opt_uuid(struct parse *p, const char *text)
{
	const char *s = text;

	for (unsigned i = 0; i < sizeof p->opts->uuid; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			s += *s == '-';
		high = hex_digit(*s);
		low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0)
			return option_fail(p, "-uuid: '%.60s' is not a UUID", text);
		p->opts->uuid[i] = (uint8_t)(high << 4 | low);
		s += 2;
	}
	if (*s)
		return option_fail(p, "-uuid: '%.60s' is not a UUID", text);
	p->opts->has_uuid = true;
	return true;
}

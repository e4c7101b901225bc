/* The command line: option table, parsers, checks. Nothing is opened here. */
#define _GNU_SOURCE
#include "machine/run/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cpu/core/bits.h"
#include "cpu/model/models.h"
#include "hcall/trace.h"
#include "machine/board/devices.h"
#include "machine/core/log.h"
#include "machine/core/machine.h"
#include "machine/host/console.h"
#include "machine/run/options_pool.h"
#include "machine/snapshot/incoming.h"
#include "savevm/zip.h"

struct parse {
	struct config *opts;
	struct error *err;
	int status;			/* if a parser fails */
	bool done;			/* -h, -version, -d help */
	bool vof_given;
	bool tcg, no_accel;		/* that was asked for; so was an accelerator that is not there */
};

enum option_group { MACHINE, BOOT, DEVICES, TIME, DEBUG, SNAPSHOT, HELP, OPTION_GROUPS };

static const char *const group_names[OPTION_GROUPS] = {
	[MACHINE] = "Machine", [BOOT] = "What runs", [DEVICES] = "Devices", [TIME] = "Time",
	[DEBUG] = "Looking inside", [SNAPSHOT] = "Snapshots", [HELP] = "Help",
};

struct option_row {
	const char *name;
	enum option_group group;
	const char *argument;		/* "": none */
	bool (*parse)(struct parse *p, const char *value);	/* NULL: not there yet */
	const char *help;
};

/* ---- Pieces of text ---- */

__attribute__((format(printf, 2, 3))) static bool fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err->msg, sizeof p->err->msg, fmt, ap);
	va_end(ap);
	return false;
}

static bool parse_u64(const char *text, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && !*end;
}

/* "512", "512M", "4G"; a bare number counts `unit` bytes. */
static bool parse_size(const char *text, uint64_t unit, uint64_t *out)
{
	static const char letters[] = "bkmgt";
	const char *letter;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		letter = strchr(letters, *end | 0x20);
		if (!letter || end[1])
			return false;
		unit = UINT64_C(1) << (10 * (letter - letters));
	}
	return !__builtin_mul_overflow(*out, unit, out);
}

/* Is `value` one of the words in "a|b|c"? Its index, or -1. */
static int word_index(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (int i = 0;; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && !memcmp(words, value, n))
			return i;
		if (!words[n])
			return -1;
		words += n + 1;
	}
}

/* Walks "key=value,key=value" in place. The first item may lack a key: key = NULL then. */
struct pairs {
	char *copy, *next;
};

static bool pairs_open(struct parse *p, struct pairs *pairs, const char *text)
{
	pairs->copy = pairs->next = strdup(text);
	return pairs->copy ? true : fail(p, "out of memory");
}

static bool pairs_next(struct pairs *pairs, char **key, char **value)
{
	char *item = strsep(&pairs->next, ","), *equals;

	if (!item)
		return false;
	equals = strchr(item, '=');
	if (equals)
		*equals = 0;
	*key = equals ? item : NULL;
	*value = equals ? equals + 1 : item;
	return true;
}

/* ---- -M ---- */

/* PROP_IGNORED: the value that there is changes nothing. */
enum prop { PROP_IGNORED, PROP_ACCEL, PROP_VOF, PROP_LARGE_DECR, PROP_CFPC, PROP_SBBC, PROP_IBS, PROP_CCF, PROP_VSMT, PROP_COMPAT };

static const struct machine_prop {
	const char *name;
	enum prop prop;
	const char *have;		/* values that cede does, "" for what set_prop() looks at itself */
	const char *later;		/* values that QEMU knows and cede does not */
} machine_props[] = {
	{ "accel", PROP_ACCEL, "", "" },
	{ "usb", PROP_IGNORED, "off", "on" },
	{ "graphics", PROP_IGNORED, "off", "on" },
	{ "x-vof", PROP_VOF, "off|on", "" },
	{ "vsmt", PROP_VSMT, "", "" },
	/* A dual controller starts as XICS, and stays it with a guest that asks for no more. */
	{ "ic-mode", PROP_IGNORED, "xics|dual", "xive" },
	{ "resize-hpt", PROP_IGNORED, "default|disabled", "enabled|required" },
	{ "max-cpu-compat", PROP_COMPAT, "", "" },
	{ "cap-htm", PROP_IGNORED, "off", "on" },
	{ "cap-vsx", PROP_IGNORED, "on", "off" },
	{ "cap-dfp", PROP_IGNORED, "off", "on" },
	{ "cap-hpt-max-page-size", PROP_IGNORED, "64k|65536|64K", "4k|16m|4K|16M" },
	{ "cap-nested-hv", PROP_IGNORED, "off", "on" },
	{ "cap-nested-papr", PROP_IGNORED, "off", "on" },
	{ "cap-ail-mode-3", PROP_IGNORED, "on", "off" },
	{ "cap-dawr1", PROP_IGNORED, "off", "on" },
	{ "cap-large-decr", PROP_LARGE_DECR, "off|on", "" },
	{ "cap-ccf-assist", PROP_CCF, "off|on", "" },
	{ "cap-fwnmi", PROP_IGNORED, "on", "off" },
	{ "cap-rpt-invalidate", PROP_IGNORED, "off", "on" },
	{ "cap-cfpc", PROP_CFPC, "broken|workaround|fixed", "" },
	{ "cap-sbbc", PROP_SBBC, "broken|workaround|fixed", "" },
	{ "cap-ibs", PROP_IBS, "broken|workaround|fixed|fixed-ibs|fixed-ccd|fixed-na", "" },
};

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
			return fail(p, "no such accelerator: '%.60s' (there is one engine, an interpreter, for tcg)", names);
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

/* Of a generation that QEMU has as well. */
static bool later_model(const char *name)
{
	return !strncasecmp(name, "power8", 6) || !strncasecmp(name, "power10", 7);
}

static bool take_compat(struct parse *p, const char *value)
{
	const struct cpu_model *model = cpu_model_find(value);
	char names[80];

	if (model && !strcmp(value, model->name))
		p->opts->compat_pvr = cpu_model_level(model)->logical_pvr;
	else if (later_model(value))
		return fail(p, "-M max-cpu-compat=%.60s is not there yet", value);
	else
		return fail(p, "-M max-cpu-compat=%.60s: not one of %s", value, model_names(names, sizeof names, ", "));
	return true;
}

static bool cpu_help(struct parse *p)
{
	for (unsigned i = 0; cpu_models[i]; i++)
		printf("%-14s %s%s\n%-14s the same\n", cpu_models[i]->name, cpu_models[i]->title, i ? "" : ", the default",
		       cpu_models[i]->alias);
	return p->done = true;
}

static bool opt_cpu(struct parse *p, const char *text)
{
	size_t len = strcspn(text, ",");
	const struct cpu_model *model;
	char names[80];

	if (!strcmp(text, "help"))
		return cpu_help(p);
	if (text[len])
		return fail(p, "-cpu: no property '%.60s'", text + len + 1);
	model = cpu_model_find(text);
	if (!model && later_model(text))
		return fail(p, "-cpu %.60s is not there yet (there is %s)", text, model_names(names, sizeof names, ", "));
	if (!model)
		return fail(p, "-cpu: no such processor '%.60s' (there is %s)", text, model_names(names, sizeof names, ", "));
	p->opts->cpu_model = model;
	return true;
}

static bool set_prop(struct parse *p, enum prop prop, const char *value, int index)
{
	struct config *o = p->opts;
	uint64_t number;

	switch (prop) {
	case PROP_IGNORED:
		break;
	case PROP_ACCEL:
		return take_accels(p, value);
	case PROP_VOF:
		o->vof = index;
		break;
	case PROP_LARGE_DECR:
		o->large_decr = index;
		break;
	case PROP_CFPC:
		o->cfpc = (enum mitigation)index;
		break;
	case PROP_SBBC:
		o->sbbc = (enum mitigation)index;
		break;
	case PROP_IBS:
		o->ibs = (enum mitigation)index;
		break;
	case PROP_CCF:
		o->ccf_assist = index;
		break;
	case PROP_COMPAT:
		return take_compat(p, value);
	case PROP_VSMT:
		if (!parse_u64(value, &number) || !number || number > 8 || (number & (number - 1)))
			return fail(p, "-M vsmt=%.40s is not 1, 2, 4 or 8", value);
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
			return set_prop(p, row->prop, value, index);
		if (*row->later && word_index(row->later, value) >= 0)
			return fail(p, "-M %s=%s is not there yet", key, value);
		return fail(p, "-M %s=%.60s: not one of %s", key, value, row->have);
	}
	return fail(p, "-M pseries has no property '%.60s'", key);
}

/* What a property can be, for people. */
static const char *prop_values(const struct machine_prop *row, char *buf, size_t size)
{
	switch (row->prop) {
	case PROP_ACCEL:
		return "tcg";
	case PROP_COMPAT:
		return model_names(buf, size, "|");
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

static bool opt_machine(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (!strcmp(text, "help") || !strcmp(text, "pseries,help") || !strcmp(text, "pseries-7.2,help"))
		return machine_help(p);
	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if (first && (!key || !strcmp(key, "type"))) {
			ok = !strcmp(value, "pseries") || !strcmp(value, "pseries-7.2");
			if (ok)
				p->opts->machine = strcmp(value, "pseries") ? "pseries-7.2" : "pseries";
			else
				fail(p, "-M: no such machine '%.60s' (there are pseries, pseries-7.2)", value);
		} else {
			ok = key ? machine_prop(p, key, value) : fail(p, "-M: '%.60s' is not PROP=VALUE", value);
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
		return fail(p, "-smp %s: '%.40s' is not a number above 0", key, value);
	if (n > MACHINE_MAX_CPUS)
		return fail(p, "-smp %s=%.40s: %d is the most", key, value, MACHINE_MAX_CPUS);
	*out = (unsigned)n;
	return true;
}

static bool opt_smp(struct parse *p, const char *text)
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
			ok = fail(p, "-smp does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	return ok;
}

/* What was left open follows from the rest, sockets first, as QEMU does it. */
static bool finish_smp(struct parse *p)
{
	struct config *o = p->opts;
	unsigned all = o->max_cpus ? o->max_cpus : o->cpus;

	if (!o->threads)
		o->threads = 1;
	if (!all)
		all = (o->sockets ? o->sockets : 1) * (o->cores ? o->cores : 1) * o->threads;
	if (o->cpus > all)
		return fail(p, "-smp maxcpus=%u is less than the %u processors", all, o->cpus);
	if (o->threads > 8 || (o->threads & (o->threads - 1)))
		return fail(p, "-smp threads=%u: a core has 1, 2, 4 or 8", o->threads);
	if (!o->cores)
		o->cores = all / ((o->sockets ? o->sockets : 1) * o->threads);
	if (!o->sockets)
		o->sockets = o->cores ? all / (o->cores * o->threads) : 0;
	if (o->sockets * o->cores * o->threads != all)
		return fail(p, "-smp: sockets (%u) * cores (%u) * threads (%u) is not the number of processors (%u)",
			    o->sockets, o->cores, o->threads, all);
	o->max_cpus = all;
	if (!o->cpus)
		o->cpus = all;
	if (all > MACHINE_MAX_CPUS)
		return fail(p, "-smp: %d processors are the most", MACHINE_MAX_CPUS);
	if (o->cpus > all || o->cpus % o->threads)
		return fail(p, "-smp: %u processors are not whole cores of %u threads up to maxcpus=%u",
			    o->cpus, o->threads, all);
	if (!o->vsmt)
		o->vsmt = o->threads;
	if (o->vsmt != o->threads)
		return fail(p, "-M vsmt=%u is not there yet with %u threads in a core (there is vsmt=%u)",
			    o->vsmt, o->threads, o->threads);
	return true;
}

static bool opt_memory(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	uint64_t size = 0;
	bool ok = true, first = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if ((first && !key) || (key && !strcmp(key, "size")))
			ok = parse_size(value, UINT64_C(1) << 20, &size) || fail(p, "-m: '%.40s' is not a size", value);
		else if (key && (!strcmp(key, "slots") || !strcmp(key, "maxmem")))
			ok = fail(p, "-m %s= is not there yet", key);
		else
			ok = fail(p, "-m does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	if (!ok)
		return false;
	if (size < CONFIG_MIN_RAM || size > CONFIG_MAX_RAM)
		return fail(p, "-m %.40s: RAM is 256M to 64G", text);
	if (size % CONFIG_RAM_STEP)
		return fail(p, "-m %.40s is not a multiple of 256M", text);
	p->opts->ram_size = size;
	return true;
}

/* ---- Plain ones ---- */

static bool opt_name(struct parse *p, const char *text)
{
	/* -name guest=NAME,process=.. as well: what follows is for the host to show. */
	const char *name = !strncmp(text, "guest=", 6) ? text + 6 : text;

	free(p->opts->name);
	p->opts->name = strndup(name, strcspn(name, ","));
	return p->opts->name || fail(p, "out of memory");
}

/* What makes QEMU's translator faster: nothing that a guest sees, and nothing here. */
static bool tcg_property(struct parse *p, const char *key, const char *value)
{
	static const char keys[] = "thread|tb-size|split-wx|one-insn-per-tb";

	return (key && word_index(keys, key) >= 0) || fail(p, "-accel tcg: no property '%.60s'", key ? key : value);
}

static bool opt_accel(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (!strcmp(text, "help")) {
		puts("tcg            one engine, an interpreter, whatever it is called");
		return p->done = true;
	}
	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if (first)
			ok = key && strcmp(key, "accel") ? fail(p, "-accel: '%.60s' is not a name", text) : take_accels(p, value);
		else if (p->tcg)
			ok = tcg_property(p, key, value);
	}
	free(pairs.copy);
	return ok;
}

static bool opt_enable_kvm(struct parse *p, const char *text)
{
	(void)text;
	return p->no_accel = true;
}

/* -accel kvm -accel tcg: one of them. */
static bool finish_accel(struct parse *p)
{
	if (p->no_accel && !p->tcg)
		return fail(p, "-accel, -enable-kvm: there is no KVM and no other accelerator, only the interpreter (-accel tcg)");
	p->opts->note = p->tcg ? "-accel tcg: there is no translator; the interpreter is all there is, and is used" : NULL;
	return true;
}

static bool opt_no_user_config(struct parse *p, const char *text)
{
	(void)p, (void)text;
	return true;			/* there is no file of the kind */
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool opt_uuid(struct parse *p, const char *text)
{
	const char *s = text;

	for (unsigned i = 0; i < sizeof p->opts->uuid; i++) {
		int high, low;

		if (i == 4 || i == 6 || i == 8 || i == 10)
			s += *s == '-';
		high = hex_digit(*s);
		low = high < 0 ? -1 : hex_digit(s[1]);
		if (low < 0)
			return fail(p, "-uuid: '%.60s' is not a UUID", text);
		p->opts->uuid[i] = (uint8_t)(high << 4 | low);
		s += 2;
	}
	if (*s)
		return fail(p, "-uuid: '%.60s' is not a UUID", text);
	p->opts->has_uuid = true;
	return true;
}

static bool opt_nodefaults(struct parse *p, const char *text)
{
	(void)text;
	return p->opts->nodefaults = true;
}

static bool opt_kernel(struct parse *p, const char *text)
{
	p->opts->kernel = text;
	return true;
}

static bool opt_initrd(struct parse *p, const char *text)
{
	p->opts->initrd = text;
	return true;
}

static bool opt_append(struct parse *p, const char *text)
{
	p->opts->append = text;
	return true;
}

/* The order of boot devices, of which there are none: -kernel or -bios runs. */
static bool opt_boot(struct parse *p, const char *text)
{
	static const char letters[] = "abcdefghijklmnop";
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if ((first && !key) || (key && (!strcmp(key, "order") || !strcmp(key, "once"))))
			ok = !value[strspn(value, letters)] || fail(p, "-boot: '%.60s' is not an order of devices a to p", value);
		else if (key && (!strcmp(key, "strict") || !strcmp(key, "menu")))
			ok = !strcmp(value, "off") || (!strcmp(value, "on") && *key == 's') ||
			     fail(p, "-boot %s=%.60s is not there yet", key, value);
		else
			ok = fail(p, "-boot does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	return ok;
}

static bool opt_bios(struct parse *p, const char *text)
{
	p->opts->bios = text;
	return true;
}

/* ---- Devices ---- */

static bool opt_serial(struct parse *p, const char *text)
{
	struct config *o = p->opts;

	if (o->serials == CONFIG_MAX_SERIAL)
		return fail(p, "-serial: %d are the most", CONFIG_MAX_SERIAL);
	if (!strcmp(text, "help")) {
		console_help(stdout);
		return p->done = true;
	}
	if (!console_spec_ok(text, p->err))
		return false;
	o->serial[o->serials++] = text;
	return true;
}

static bool opt_device(struct parse *p, const char *text)
{
	struct config *o = p->opts;

	if (board_device_help(text, stdout))
		return p->done = true;
	if (o->devices == CONFIG_MAX_DEVICES)
		return fail(p, "-device: more than %d of them", CONFIG_MAX_DEVICES);
	o->device[o->devices++] = text;
	return board_device_ok(text, p->err);
}

static bool opt_nographic(struct parse *p, const char *text)
{
	(void)text;
	return p->opts->nographic = true;
}

static bool opt_none(struct parse *p, const char *text)
{
	return !strcmp(text, "none") || fail(p, "'%.60s' is not there yet (there is none)", text);
}

/* Only the NVRAM has a drive so far. */
static bool opt_drive(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value, *file = NULL;
	bool ok = true, pflash = false;

	if (!pairs_open(p, &pairs, text))
		return false;
	while (ok && pairs_next(&pairs, &key, &value)) {
		if (key && !strcmp(key, "if"))
			ok = (pflash = !strcmp(value, "pflash")) ||
			     fail(p, "-drive if=%.60s is not there yet (there is if=pflash, the NVRAM)", value);
		else if (key && !strcmp(key, "file"))
			file = value;
		else if (key && !strcmp(key, "format"))
			ok = !strcmp(value, "raw") || fail(p, "-drive format=%.60s is not there yet", value);
		else
			ok = fail(p, "-drive does not know '%.60s'", key ? key : value);
	}
	if (ok && (!pflash || !file || !*file))
		ok = fail(p, "-drive %.100s is not there yet (there is if=pflash,file=FILE, the NVRAM)", text);
	if (ok) {
		free(p->opts->nvram_file);
		p->opts->nvram_file = strdup(file);
		ok = p->opts->nvram_file || fail(p, "out of memory");
	}
	free(pairs.copy);
	return ok;
}

/* ---- Time ---- */

static bool parse_date(const char *text, int64_t *seconds)
{
	struct tm tm = { 0 }, given;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;

	if (!end) {
		memset(&tm, 0, sizeof tm);
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	if (!end || *end)
		return false;
	given = tm;
	t = timegm(&tm);		/* makes 2 March of 30 February */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday || tm.tm_hour != given.tm_hour ||
	    tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return false;
	/* The guest's clock counts nanoseconds since 1970 in 64 bits. */
	if (t < 0 || t >= INT64_C(9000000000))
		return false;
	*seconds = t;
	return true;
}

static bool rtc_item(struct parse *p, const char *key, const char *value)
{
	struct config *o = p->opts;

	if (!strcmp(key, "clock"))
		return !strcmp(value, "vm") || fail(p, "-rtc clock=%.40s is not there: the guest's clock is the virtual one", value);
	if (strcmp(key, "base"))
		return fail(p, "-rtc does not know '%.60s'", key);
	if (!strcmp(value, "utc"))
		o->rtc_base = RTC_UTC;
	else if (!strcmp(value, "localtime"))
		o->rtc_base = RTC_LOCALTIME;
	else if (parse_date(value, &o->rtc_date))
		o->rtc_base = RTC_DATE;
	else
		return fail(p, "-rtc base=%.60s: not utc, localtime or a date from 1970 on as 2026-01-31T12:00:00", value);
	return true;
}

/* Each KEY=VALUE of the argument of -`name`, which may have nothing else; `wanted`: as what it is described. */
static bool each_pair(struct parse *p, const char *name, const char *text, const char *wanted,
		      bool (*set)(struct parse *p, const char *key, const char *value))
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	while (ok && pairs_next(&pairs, &key, &value))
		ok = key ? set(p, key, value) : fail(p, "-%s: '%.60s' is not %s", name, value, wanted);
	free(pairs.copy);
	return ok;
}

static bool opt_rtc(struct parse *p, const char *text)
{
	return each_pair(p, "rtc", text, "base=utc, base=localtime or base=DATE", rtc_item);
}

static bool opt_pool(struct parse *p, const char *text)
{
	return pool_parse(&p->opts->pool, text, p->err);
}

static bool opt_timing(struct parse *p, const char *text)
{
	p->opts->timing = text;
	if (!strcmp(text, "flat"))
		return true;
	if (!strcmp(text, "power8") || !strcmp(text, "power9") || !strcmp(text, "power10"))
		return fail(p, "-timing %s is not there yet (there is flat)", text);
	return fail(p, "-timing: no such model '%.60s' (there is flat)", text);
}

static bool opt_clock(struct parse *p, const char *text)
{
	p->opts->warp = !strcmp(text, "warp");
	return p->opts->warp || !strcmp(text, "wall") || fail(p, "-clock: '%.60s' is not wall or warp", text);
}

static bool opt_seed(struct parse *p, const char *text)
{
	p->opts->has_seed = true;
	return parse_u64(text, &p->opts->seed) || fail(p, "-seed: '%.60s' is not a number", text);
}

/* ---- Snapshots ---- */

/* FILE@CYCLE, FILE@guest: what follows the last @ counts, if it is one of them. */
static void split_moment(struct save_request *r)
{
	char *at = strrchr(r->path, '@');

	if (!at || at == r->path)
		return;
	if (!strcmp(at + 1, "guest"))
		r->when = SAVE_FOR_GUEST;
	else if (parse_u64(at + 1, &r->cycle))
		r->when = SAVE_AT_CYCLE;
	else
		return;
	*at = 0;
}

/* What is one of two words: the second sets it. */
static const struct save_switch {
	const char *key, *words;
	size_t offset;
} save_switches[] = {
	{ "target",     "cede|qemu",     offsetof(struct save_request, for_qemu) },
	{ "quit",       "off|on",        offsetof(struct save_request, quit) },
	{ "layout",     "stream|mapped", offsetof(struct save_request, mapped) },
	{ "compress",   "none|zstd",     offsetof(struct save_request, compress) },
	{ "background", "off|on",        offsetof(struct save_request, background) },
};

static bool save_item(struct parse *p, struct save_request *r, const char *key, const char *value)
{
	if (!key)
		return fail(p, "-save: '%.60s' is not an option like target=qemu or quit=on", value);
	if (!strcmp(key, "parent")) {
		free(r->parent);
		r->parent = strdup(value);
		return r->parent || fail(p, "out of memory");
	}
	for (size_t i = 0; i < ARRAY_SIZE(save_switches); i++) {
		int index = strcmp(key, save_switches[i].key) ? -2 : word_index(save_switches[i].words, value);

		if (index == -1)
			return fail(p, "-save %s=%.60s is not there", key, value);
		if (index >= 0) {
			*(bool *)((char *)r + save_switches[i].offset) = index == 1;
			return true;
		}
	}
	return fail(p, "-save does not know '%.60s'", key);
}

static bool save_fits(struct parse *p, const struct save_request *r)
{
	const struct { bool wrong; const char *why; } rules[] = {
		{ r->compress && !zip_known(), "compress=zstd: cede was built without libzstd" },
		{ r->mapped && r->compress, "layout=mapped is not compressed" },
		{ r->mapped && r->parent, "layout=mapped has no parent" },
		{ r->for_qemu && (r->mapped || r->parent), "target=qemu is a stream without parent" },
		{ r->for_qemu && r->when == SAVE_FOR_GUEST, "target=qemu needs processors that run, and @guest is when they do not" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].wrong)
			return fail(p, "-save %.100s: %s", r->path, rules[i].why);
	return true;
}

static bool opt_save(struct parse *p, const char *text)
{
	struct config *o = p->opts;
	struct save_request *r = &o->save[o->saves];
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (o->saves == CONFIG_MAX_SAVES)
		return fail(p, "-save: %d are the most", CONFIG_MAX_SAVES);
	if (!pairs_open(p, &pairs, text))
		return false;
	if (!pairs_next(&pairs, &key, &value) || key || !*value)
		ok = fail(p, "-save: '%.100s' does not begin with a file name", text);
	else if (!(r->path = strdup(value)))
		ok = fail(p, "out of memory");
	o->saves += r->path != NULL;
	if (ok)
		split_moment(r);
	while (ok && pairs_next(&pairs, &key, &value))
		ok = save_item(p, r, key, value);
	free(pairs.copy);
	return ok && save_fits(p, r);
}

static bool opt_loadvm(struct parse *p, const char *text)
{
	p->opts->loadvm = text;
	return true;
}

static bool opt_snapdir(struct parse *p, const char *text)
{
	p->opts->snapdir = text;
	return true;
}

static bool opt_monitor(struct parse *p, const char *text)
{
	p->opts->monitor = text;
	return console_spec_ok(text, p->err);
}

static bool opt_qmp(struct parse *p, const char *text)
{
	p->opts->qmp = text;
	return console_spec_ok(text, p->err);
}

static bool opt_S(struct parse *p, const char *text)
{
	(void)text;
	return p->opts->stopped = true;
}

static bool opt_incoming(struct parse *p, const char *text)
{
	p->opts->incoming = text;
	return incoming_ok(text, p->err);
}

/* ---- Looking inside ---- */

static bool opt_d(struct parse *p, const char *text)
{
	if (!strcmp(text, "help")) {
		log_help(stdout);
		return p->done = true;
	}
	return log_parse(text, &p->opts->log_mask, p->err);
}

static bool opt_D(struct parse *p, const char *text)
{
	p->opts->log_file = text;
	return true;
}

static bool opt_trace(struct parse *p, const char *text)
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

static bool opt_umask(struct parse *p, const char *text)
{
	size_t digits = strspn(text, "01234567");

	p->opts->has_umask = true;
	p->opts->umask = (unsigned)strtoul(text, NULL, 8);
	return (digits && digits <= 4 && !text[digits] && p->opts->umask <= 0777) ||
	       fail(p, "-umask: '%.60s' is not 0 to 777 in octal", text);
}

static bool opt_dtl(struct parse *p, const char *text)
{
	p->opts->dtl_file = text;
	return true;
}

static bool opt_no_reboot(struct parse *p, const char *text)
{
	(void)text;
	return p->opts->no_reboot = true;
}

static bool opt_no_shutdown(struct parse *p, const char *text)
{
	(void)text;
	return p->opts->no_shutdown = true;
}

/* What of QEMU's actions there is. A watchdog is not, so that nothing can follow from one. */
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
			return fail(p, "-action %s=%.60s: not one of %s", event, word, actions[i].words);
		if (i == ACTION_PANIC)
			o->panic = (enum panic_action)index;
		else if (i == ACTION_REBOOT)
			o->no_reboot = index;
		else if (i == ACTION_SHUTDOWN)
			o->no_shutdown = index;
		return true;
	}
	return fail(p, "-action does not know '%.60s'", event);
}

static bool opt_action(struct parse *p, const char *text)
{
	return each_pair(p, "action", text, "EVENT=ACTION", set_action);
}

static bool opt_help(struct parse *p, const char *text);

static bool opt_version(struct parse *p, const char *text)
{
	(void)text;
	puts("cede " CEDE_VERSION);
	return p->done = true;
}

/* ---- The table ---- */

static const struct option_row option_rows[] = {
#define OPT(name, group, argument, parser, help) { name, group, argument, opt_##parser, help },
#define OPT_LATER(name, group, argument, help) { name, group, argument, NULL, help },
#include "machine/run/options.def"
#undef OPT
#undef OPT_LATER
};

/* After the heading, if there still is one to say; returns what is left of it. */
static const char *show_option(const struct option_row *row, const char *heading)
{
	if (heading)
		printf("\n%s\n", heading);
	printf("  -%s%s%s\n        %s\n", row->name, *row->argument ? " " : "", row->argument, row->help);
	return NULL;
}

static bool opt_help(struct parse *p, const char *text)
{
	(void)text;
	puts("cede: a POWER pSeries machine\nusage: cede [options]; -opt and --opt are the same");
	for (enum option_group group = 0; group < OPTION_GROUPS; group++) {
		const char *heading = group_names[group];

		for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
			if (option_rows[i].group == group && option_rows[i].parse)
				heading = show_option(&option_rows[i], heading);
	}
	puts("\nNot there yet");
	for (size_t i = 0; i < ARRAY_SIZE(option_rows); i++)
		if (!option_rows[i].parse)
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
static bool parse_option(struct parse *p, int argc, char **argv, int *i)
{
	const char *arg = argv[(*i)++], *name = arg;
	const struct option_row *row;
	const char *value = NULL;
	char why[sizeof p->err->msg];

	p->status = EXIT_USAGE;
	if (*name != '-')
		return fail(p, "unexpected argument '%.100s' (options begin with -; a disk is not there yet)", arg);
	name += name[1] == '-' ? 2 : 1;
	row = find_option(name);
	if (!row)
		return fail(p, "no such option: %.100s (cede -h lists them)", arg);
	if (!row->parse)
		return fail(p, "-%s (%s) is not there yet", row->name, row->help);
	if (*row->argument) {
		if (*i >= argc)
			return fail(p, "-%s needs an argument: %s", row->name, row->argument);
		value = argv[(*i)++];
	}
	if (row->parse(p, value))
		return true;
	/* Parsers shared by several options do not know which one it was. */
	if (strncmp(p->err->msg, "-", 1) && strcmp(p->err->msg, "out of memory")) {
		snprintf(why, sizeof why, "%s", p->err->msg);
		fail(p, "-%s: %.200s", row->name, why);
	}
	return false;
}

static bool on_stdio(const char *spec)
{
	return spec && (!strcmp(spec, "stdio") || !strcmp(spec, "mon:stdio"));
}

static bool finish(struct parse *p)
{
	struct config *o = p->opts;

	p->status = EXIT_USAGE;
	if (!finish_accel(p) || !finish_smp(p) || !pool_finish(&o->pool, o->cpus / o->threads, p->err))
		return false;
	if (o->initrd && !o->kernel)
		return fail(p, "-initrd needs -kernel");
	if (o->append && !o->kernel)
		return fail(p, "-append needs -kernel");
	if (o->loadvm && o->incoming)
		return fail(p, "-loadvm and -incoming: from one of them only");
	if (!o->kernel && !o->bios && !o->loadvm && !o->incoming)
		return fail(p, "nothing to run: give -kernel or -bios (cede -h lists all options)");
	/* There is no display that a terminal could hide behind. */
	if (!o->serials && !o->nodefaults)
		o->serial[o->serials++] = on_stdio(o->monitor) || on_stdio(o->qmp) ? "null" : "mon:stdio";
	return true;
}

enum options_result options_parse(struct config *opts, int argc, char **argv, struct error *err, int *status)
{
	struct parse p = { .opts = opts, .err = err };
	int i = 1;

	*opts = (struct config){
		.machine = "pseries", .timing = "flat", .cpu_model = cpu_models[0], .cpus = 1, .ram_size = UINT64_C(512) << 20,
		.large_decr = true, .ccf_assist = true, .cfpc = MITIGATION_WORKAROUND,
		.sbbc = MITIGATION_WORKAROUND, .ibs = MITIGATION_WORKAROUND,
	};
	pool_defaults(&opts->pool);
	while (i < argc && !p.done)
		if (!parse_option(&p, argc, argv, &i))
			goto out_bad;
	if (p.done)
		return OPTIONS_DONE;
	if (!finish(&p))
		goto out_bad;
	return OPTIONS_RUN;
out_bad:
	*status = p.status;
	return OPTIONS_BAD;
}

void options_free(struct config *opts)
{
	free(opts->nvram_file);
	free(opts->name);
	for (unsigned i = 0; i < opts->saves; i++)
		free(opts->save[i].path), free(opts->save[i].parent);
}

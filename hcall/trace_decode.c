/* Arguments and results of hypercalls as text. The type of each stands in hcall.def; here is what a
 * type means. Source: PAPR, at each hypercall; Power ISA for MSR's kin.
 */
#include <inttypes.h>
#include <string.h>

#include "hcall/hcall.h"
#include "hcall/trace.h"
#include "machine/core/log.h"

/* ---- Names of values: under `mask`, `value` is called that ---- */
struct name {
	uint64_t mask, value;
	const char *name;
};

#define VALUE(v, text) { UINT64_MAX, (v), text }
#define BIT(b, text)   { (b), (b), text }

#define VPA_FUNCTION PPC_MASK(16, 18)
#define VPA(n, text) { VPA_FUNCTION, UINT64_C(n) << 45, text }

static const struct name vpa_names[] = {
	VPA(1, "REGISTER_VPA"), VPA(2, "REGISTER_DTL"), VPA(3, "REGISTER_SLB_SHADOW"),
	VPA(5, "DEREGISTER_VPA"), VPA(6, "DEREGISTER_DTL"), VPA(7, "DEREGISTER_SLB_SHADOW"), { 0 },
};
static const struct name page_names[] = {
	BIT(PPC_BIT(40), "ICACHE_INVALIDATE"), BIT(PPC_BIT(41), "ICACHE_SYNCHRONIZE"), BIT(PPC_BIT(48), "ZERO"),
	BIT(PPC_BIT(49), "COPY"), { 0 },
};
static const struct name proc_tbl_names[] = {
	BIT(0x10, "MODIFY"), BIT(0x08, "REGISTER"), BIT(0x04, "RADIX"), BIT(0x02, "SEGMENT_TABLES"), BIT(0x01, "GTSE"), { 0 },
};
static const struct name resource_names[] = {
	VALUE(1, "CIABR"), VALUE(2, "DAWR0"), VALUE(3, "ADDR_TRANS_MODE"), VALUE(4, "LE"), { 0 },
};
static const struct name vphn_names[] = { VALUE(1, "VIRTUAL"), VALUE(2, "PHYSICAL"), { 0 } };
/* The other bits of eflags are hints, and the kind of resource. */
static const struct name eflags_names[] = {
	BIT(PPC_BIT(52), "BUFFER"), BIT(PPC_BIT(53), "REFRESH"), BIT(PPC_BIT(54), "ORDERED"), BIT(PPC_BIT(55), "ACTIVATE"), { 0 },
};
static const struct name signal_names[] = { VALUE(0, "DISABLE"), VALUE(1, "ENABLE"), { 0 } };
static const struct name vasi_names[] = {
	VALUE(0, "INVALID"), VALUE(1, "ENABLED"), VALUE(2, "ABORTED"), VALUE(3, "SUSPENDING"), VALUE(4, "SUSPENDED"),
	VALUE(5, "RESUMED"), VALUE(6, "COMPLETED"), { 0 },
};
static const struct name memop_names[] = { VALUE(0, "COPY"), VALUE(1, "INVERT"), { 0 } };
/* A processor, or many: 32-bit guests say -1 in 32 bits. */
static const struct name proc_names[] = { VALUE(UINT64_MAX, "ALL"), VALUE(UINT32_MAX, "ALL"), { 0 } };
static const struct name target_names[] = { VALUE(UINT64_MAX, "ALL"), VALUE(UINT64_MAX - 1, "ALL_OTHERS"), { 0 } };
static const struct name character_names[] = {
	BIT(PPC_BIT(0), "SPEC_BAR_ORI31"), BIT(PPC_BIT(1), "BCCTRL_SERIALISED"), BIT(PPC_BIT(2), "L1D_FLUSH_ORI30"),
	BIT(PPC_BIT(3), "L1D_FLUSH_TRIG2"), BIT(PPC_BIT(4), "L1D_THREAD_PRIV"), BIT(PPC_BIT(5), "BRANCH_HINTS_HONOURED"),
	BIT(PPC_BIT(6), "THREAD_RECONFIG_CTRL"), BIT(PPC_BIT(7), "COUNT_CACHE_DISABLED"),
	BIT(PPC_BIT(9), "BCCTR_FLUSH_ASSIST"), { 0 },
};
static const struct name behaviour_names[] = {
	BIT(PPC_BIT(0), "FAVOUR_SECURITY"), BIT(PPC_BIT(1), "L1D_FLUSH_PR"), BIT(PPC_BIT(2), "BNDS_CHK_SPEC_BAR"),
	BIT(PPC_BIT(5), "FLUSH_COUNT_CACHE"), BIT(PPC_BIT(6), "FLUSH_LINK_STACK"), BIT(PPC_BIT(7), "NO_L1D_FLUSH_ENTRY"),
	BIT(PPC_BIT(8), "NO_L1D_FLUSH_UACCESS"), BIT(PPC_BIT(9), "NO_STF_BARRIER"), { 0 },
};

static const char *name_of_value(const struct name *n, uint64_t value)
{
	for (; n->name; n++)
		if ((value & n->mask) == n->value)
			return n->name;
	return NULL;
}

/* ---- One way to write each kind ---- */
typedef void show_fn(char *line, size_t size, const struct name *names, uint64_t value);

static void show_hex(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64, value);
}

static void show_decimal(char *line, size_t size, const struct name *names, uint64_t value)
{
	const char *name = names ? name_of_value(names, value) : NULL;

	if (name)
		log_append(line, size, "%s", name);
	else
		log_append(line, size, "%" PRIu64, value);
}

static void show_signed(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "%" PRId64, (int64_t)value);
}

/* The name of the part under the mask, and the other bits as a number. */
static void show_one(char *line, size_t size, const struct name *names, uint64_t value)
{
	const char *name = name_of_value(names, value);
	uint64_t rest = value & ~names->mask;

	if (!name)
		log_append(line, size, "0x%" PRIx64, value);
	else if (rest)
		log_append(line, size, "%s|0x%" PRIx64, name, rest);
	else
		log_append(line, size, "%s", name);
}

static void show_bits(char *line, size_t size, const struct name *names, uint64_t value)
{
	const char *bar = "";

	for (; names->name; names++) {
		if (!(value & names->mask))
			continue;
		log_append(line, size, "%s%s", bar, names->name);
		value &= ~names->mask;
		bar = "|";
	}
	if (value || !*bar)
		log_append(line, size, "%s0x%" PRIx64, bar, value);
}

/* CPPR and the source. PAPR, "Interrupt Support". */
static void show_xirr(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64 " (cppr 0x%" PRIx64 ", source 0x%" PRIx64 ")", value, value >> 24 & 0xff,
		   value & 0xffffff);
}

/* H_GET_PPP: r6, r7 and r8. */
static void show_group(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64 " (group %" PRIu64 ", pool %" PRIu64 ")", value, value >> 16 & 0xffff,
		   value & 0xffff);
}

static void show_weights(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64 " (%s, weight %" PRIu64 ", pool of %" PRIu64 ")", value,
		   value & PPC_BIT(15) ? "capped" : "uncapped", value >> 40 & 0xff, value >> 16 & 0xffff);
}

static void show_pool(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64 " (%" PRIu64 " processors, capacity %" PRIu64 ", entitled %" PRIu64 ")", value,
		   value >> 48, value >> 24 & 0xffffff, value & 0xffffff);
}

/* H_BEST_ENERGY: a priority and a DRC index, or nothing. */
static void show_hint(char *line, size_t size, const struct name *names, uint64_t value)
{
	(void)names;
	log_append(line, size, "0x%" PRIx64, value & UINT32_MAX);
	if (value)
		log_append(line, size, " (priority %" PRIu64 ")", value >> 32 & 0xff);
}

static const struct type {
	const char *name;
	show_fn *show;
	const struct name *names;
} types[] = {
	{ "x", show_hex, NULL },		/* address, mask, anything */
	{ "d", show_decimal, NULL },		/* number, size, time */
	{ "i", show_signed, NULL },
	{ "len", show_decimal, NULL },		/* of the text behind it, in bytes */
	{ "text", show_hex, NULL },		/* 8 characters; see show_text() */
	{ "cpu", show_decimal, NULL },		/* interrupt server number */
	{ "proc", show_decimal, proc_names },	/* or all of them */
	{ "target", show_decimal, target_names },
	{ "vpa", show_one, vpa_names },
	{ "page", show_bits, page_names },
	{ "proctbl", show_bits, proc_tbl_names },
	{ "resource", show_one, resource_names },
	{ "vphn", show_one, vphn_names },
	{ "signal", show_one, signal_names },
	{ "memop", show_one, memop_names },
	{ "vasi", show_one, vasi_names },
	{ "xirr", show_xirr, NULL },
	{ "group", show_group, NULL },
	{ "weights", show_weights, NULL },
	{ "pool", show_pool, NULL },
	{ "eflags", show_bits, eflags_names },
	{ "hint", show_hint, NULL },
	{ "character", show_bits, character_names },
	{ "behaviour", show_bits, behaviour_names },
};

static const struct type *type_find(const char *name, size_t len)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == len && !memcmp(types[i].name, name, len))
			return &types[i];
	return NULL;
}

bool trace_type_known(const char *type, size_t len) { return type_find(type, len) != NULL; }

/* ---- A row's list of them ---- */

/* "name:type" at *names; moves it on to the next. */
struct arg {
	const char *name;
	int len;
	const struct type *type;
};

static struct arg next_arg(const char **names)
{
	const char *s = *names;
	size_t all = strcspn(s, ","), len = strcspn(s, ",:");
	struct arg arg = { s, (int)len, &types[0] };

	if (len < all)
		arg.type = type_find(s + len + 1, all - len - 1);
	if (!arg.type)
		arg.type = &types[0];
	*names = s + all + (s[all] == ',');
	return arg;
}

static void show_char(char *line, size_t size, unsigned c)
{
	static const char plain[] = "\n\r\t\"\\", escaped[] = "nrt\"\\";
	const char *at = c ? strchr(plain, (int)c) : NULL;

	if (at)
		log_append(line, size, "\\%c", escaped[at - plain]);
	else if (c >= ' ' && c <= '~')
		log_append(line, size, "%c", (int)c);
	else
		log_append(line, size, "\\x%02x", c);
}

/* `len` characters from `words` registers of 8 characters each, the first in the high byte. */
static void show_text(char *line, size_t size, const uint64_t *values, unsigned words, uint64_t len)
{
	log_append(line, size, "\"");
	for (unsigned i = 0; i < 8 * words && i < len; i++)
		show_char(line, size, values[i / 8] >> (56 - 8 * (i % 8)) & 0xff);
	log_append(line, size, len > 8 * words ? "\".." : "\"");
}

static bool arg_is(const struct arg *arg, const char *type) { return !strcmp(arg->type->name, type); }

/* Registers of text become one argument, called "text". */
void trace_values(char *line, size_t size, const char *names, const uint64_t *values, const char *separator)
{
	const char *before = "";
	uint64_t len = 0;

	while (*names) {
		struct arg arg = next_arg(&names);
		unsigned words = 1;

		if (arg_is(&arg, "text")) {
			for (const char *s = names; *s && (arg = next_arg(&s), arg_is(&arg, "text")); names = s)
				words++;
			log_append(line, size, "%stext=", before);
			show_text(line, size, values, words, len);
		} else {
			log_append(line, size, "%s%.*s=", before, arg.len, arg.name);
			arg.type->show(line, size, arg.type->names, *values);
			if (arg_is(&arg, "len"))
				len = *values;
		}
		values += words;
		before = separator;
	}
}

/* ---- Return codes ---- */
static const struct { const char *name; int64_t code; } codes[] = {
#define CODE(name, number) { #name, number },
#include "hcall/hcall_codes.def"
#undef CODE
};

void trace_code(char *line, size_t size, int64_t rc)
{
	if (rc < H_UNSUPPORTED_FLAG && rc >= H_UNSUPPORTED_FLAG - 255) {
		log_append(line, size, "H_UNSUPPORTED_FLAG (bit %" PRId64 ")", H_UNSUPPORTED_FLAG - rc);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++)
		if (codes[i].code == rc) {
			log_append(line, size, "%s", codes[i].name);
			return;
		}
	log_append(line, size, "%" PRId64, rc);
}

#define _GNU_SOURCE
#include "machine/gdb/target.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define VSCR_BITS 0x10001u		/* NJ, SAT */

/* ---- Values that are more than a member ---- */

static uint64_t cr_get(struct cpu *cpu) { return cpu_get_cr(cpu); }
static void cr_put(struct cpu *cpu, uint64_t v) { cpu_set_cr(cpu, (uint32_t)v); }
static uint64_t xer_get(struct cpu *cpu) { return cpu_get_xer(cpu); }
static void xer_put(struct cpu *cpu, uint64_t v) { cpu_set_xer(cpu, v); }
static uint64_t nip_get(struct cpu *cpu) { return cpu->nip; }
static void nip_put(struct cpu *cpu, uint64_t v) { cpu->nip = v & ~UINT64_C(3); }
static uint64_t msr_get(struct cpu *cpu) { return cpu->msr; }
static void msr_put(struct cpu *cpu, uint64_t v) { cpu_set_msr(cpu, v & cpu_msr_bits(cpu)); }
static uint64_t vscr_get(struct cpu *cpu) { return cpu->vscr; }
static void vscr_put(struct cpu *cpu, uint64_t v) { cpu->vscr = (uint32_t)v & VSCR_BITS; }
static uint64_t lpcr_get(struct cpu *cpu) { return cpu->lpcr; }
static void put_nothing(struct cpu *cpu, uint64_t v) { (void)cpu, (void)v; }	/* it is the hypervisor's */

/* ---- Rows: a group of registers of one kind ---- */

enum part { PART_ALL, PART_HIGH, PART_LOW };	/* of a vector register */

struct row {
	const char *feature;		/* of which this is the first row; NULL: as the row before */
	const char *name;		/* "r%u": with a number behind it */
	const char *type, *group;
	unsigned count, bits;
	size_t at, stride;		/* in struct cpu */
	uint64_t (*get)(struct cpu *cpu);
	void (*put)(struct cpu *cpu, uint64_t value);	/* both NULL: the member */
	enum part part;
};

#define MEMBER(name_, member, bits_) { .name = name_, .count = 1, .bits = bits_, .at = offsetof(struct cpu, member) }
#define VSRS(name_, type_, group_, first, bits_, part_) \
	.name = name_, .type = type_, .group = group_, .count = 32, .bits = bits_, .at = offsetof(struct cpu, vsr) + (first) * sizeof(union vreg), \
	.stride = sizeof(union vreg), .part = part_

static const struct row rows[] = {
	{ .feature = "org.gnu.gdb.power.core", .name = "r%u", .count = 32, .bits = 64, .at = offsetof(struct cpu, r), .stride = 8 },
	{ .name = "pc", .type = "code_ptr", .count = 1, .bits = 64, .get = nip_get, .put = nip_put },
	{ .name = "msr", .count = 1, .bits = 64, .get = msr_get, .put = msr_put },
	{ .name = "cr", .count = 1, .bits = 32, .get = cr_get, .put = cr_put },
	MEMBER("lr", lr, 64), MEMBER("ctr", ctr, 64),
	{ .name = "xer", .count = 1, .bits = 32, .get = xer_get, .put = xer_put },
	{ .feature = "org.gnu.gdb.power.fpu", VSRS("f%u", "ieee_double", NULL, 0, 64, PART_HIGH) },
	{ .name = "fpscr", .group = "float", .count = 1, .bits = 64, .get = fpscr_get, .put = fpscr_set },
	{ .feature = "org.gnu.gdb.power.altivec", VSRS("vr%u", "vec128", NULL, 32, 128, PART_ALL) },
	{ .name = "vscr", .group = "vector", .count = 1, .bits = 32, .get = vscr_get, .put = vscr_put },
	{ .name = "vrsave", .group = "vector", .count = 1, .bits = 32, .at = offsetof(struct cpu, vrsave) },
	{ .feature = "org.gnu.gdb.power.vsx", VSRS("vs%uh", "uint64", "vsx", 0, 64, PART_LOW) },
	{ .feature = "org.cede.power.spr", .name = "srr0", .count = 1, .bits = 64, .at = offsetof(struct cpu, srr0) },
	MEMBER("srr1", srr1, 64), MEMBER("dar", dar, 64), MEMBER("dsisr", dsisr, 32),
	{ .name = "sprg%u", .count = 4, .bits = 64, .at = offsetof(struct cpu, sprg), .stride = 8 },
	MEMBER("cfar", cfar, 64), MEMBER("tar", tar, 64), MEMBER("dscr", dscr, 64),
	MEMBER("amr", amr, 64), MEMBER("iamr", iamr, 64), MEMBER("pid", pidr, 64),
	{ .name = "lpcr", .count = 1, .bits = 64, .get = lpcr_get, .put = put_nothing },
};

static const struct row *find_row(unsigned *number)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); *number -= rows[i++].count)
		if (*number < rows[i].count)
			return &rows[i];
	return NULL;
}

unsigned gdb_registers(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		n += rows[i].count;
	return n;
}

static void *member_of(struct cpu *cpu, const struct row *row, unsigned i) { return (uint8_t *)cpu + row->at + row->stride * i; }

static u128 value_of(struct cpu *cpu, const struct row *row, unsigned i)
{
	const void *at = member_of(cpu, row, i);
	const union vreg *v = at;

	if (row->get)
		return row->get(cpu);
	if (row->bits == 128)
		return v->q;
	if (row->part != PART_ALL)
		return (uint64_t)(v->q >> (row->part == PART_HIGH ? 64 : 0));
	return row->bits == 32 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

unsigned gdb_register_get(struct cpu *cpu, unsigned number, bool little, uint8_t bytes[GDB_REGISTER])
{
	const struct row *row = find_row(&number);
	unsigned n = row ? row->bits / 8 : 0;
	u128 value = row ? value_of(cpu, row, number) : 0;

	for (unsigned i = 0; i < n; i++)
		bytes[little ? i : n - 1 - i] = (uint8_t)(value >> 8 * i);
	return n;
}

bool gdb_register_put(struct cpu *cpu, unsigned number, bool little, const uint8_t bytes[GDB_REGISTER])
{
	const struct row *row = find_row(&number);
	unsigned n = row ? row->bits / 8 : 0;
	u128 value = 0;
	void *at;

	for (unsigned i = 0; i < n; i++)
		value |= (u128)bytes[little ? i : n - 1 - i] << 8 * i;
	if (!row)
		return false;
	at = member_of(cpu, row, number);
	if (row->put)
		row->put(cpu, (uint64_t)value);
	else if (row->bits == 128)
		((union vreg *)at)->q = value;
	else if (row->part == PART_HIGH)
		((union vreg *)at)->q = (u128)(uint64_t)value << 64 | (uint64_t)((union vreg *)at)->q;
	else if (row->part == PART_LOW)
		((union vreg *)at)->q = ((union vreg *)at)->q >> 64 << 64 | (uint64_t)value;
	else if (row->bits == 32)
		*(uint32_t *)at = (uint32_t)value;
	else
		*(uint64_t *)at = (uint64_t)value;
	return true;
}

/* ---- The description ---- */

static const char vector_types[] =
	"<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
	"<vector id=\"v8i16\" type=\"int16\" count=\"8\"/><vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
	"<union id=\"vec128\"><field name=\"uint128\" type=\"uint128\"/><field name=\"v4_float\" type=\"v4f\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
	"<field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v16_int8\" type=\"v16i8\"/></union>";

static void put_row(FILE *out, const struct row *row)
{
	char name[16];

	for (unsigned i = 0; i < row->count; i++) {
		snprintf(name, sizeof name, row->name, i);
		fprintf(out, "<reg name=\"%s\" bitsize=\"%u\" type=\"%s\"", name, row->bits, row->type ? row->type : row->bits == 32 ? "uint32" : "uint64");
		fprintf(out, row->group ? " group=\"%s\"/>" : "/>", row->group);
	}
}

char *gdb_description(void)
{
	size_t size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\"><architecture>powerpc:common64</architecture>", out);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].feature)
			fprintf(out, "%s<feature name=\"%s\">%s", i ? "</feature>" : "", rows[i].feature, rows[i].part == PART_ALL && rows[i].bits == 128 ? vector_types : "");
		put_row(out, &rows[i]);
	}
	fputs("</feature></target>", out);
	return fclose(out) ? NULL : text;
}

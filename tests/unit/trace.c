/* -trace hcall: how values, codes and durations look, which calls a filter means, and that hcall.def
 * has nothing that the trace does not know. */
#include <stdarg.h>

#include "check.h"
#include "cpu/core/timebase.h"
#include "hcall/hcall.h"
#include "hcall/trace.h"
#include "rig.h"

#define MAX_LINE 1024

static const struct { const char *name, *in, *out; unsigned id; uint64_t number; } rows[] = {
#define HCALL(name, number, in, out, set, section) { #name, in, out, TRACE_##name, number },
#define HCALL_PRIVATE(name, number, in, out) { #name, in, out, TRACE_##name, number },
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
};
#define NROWS (sizeof rows / sizeof rows[0])

enum rtas_trace_id {
#define RTAS(id, name, token, ...) TRACE_RTAS_##id = (int)TRACE_RTAS + (token),
#include "machine/rtas/rtas.def"
#undef RTAS
};

/* ---- Every row ---- */

static bool names_ok(const char *names)
{
	if (!*names)
		return true;
	for (;; names++) {
		size_t all = strcspn(names, ","), len = strcspn(names, ",:");

		if (!len || (len < all && !trace_type_known(names + len + 1, all - len - 1)))
			return false;
		names += all;
		if (!*names)
			return true;
	}
}

/* Separators between what is shown, and texts: two registers each. */
static unsigned shown(const char *names)
{
	static const uint64_t zero[HCALL_MAX_IN];
	char line[MAX_LINE] = "";
	unsigned n = 0;

	trace_values(line, sizeof line, names, zero, "\n");
	for (const char *s = line; *s; s++)
		n += *s == '\n';
	return *line ? n + 1 + (strstr(line, "text=") != NULL) : 0;
}

static unsigned count(const char *names)
{
	unsigned n = *names != '\0';

	for (; *names; names++)
		n += *names == ',';
	return n;
}

static void test_rows(void)
{
	for (unsigned i = 0; i < NROWS; i++) {
		check(names_ok(rows[i].in) && names_ok(rows[i].out), "types-%s", rows[i].name);
		check(shown(rows[i].in) == count(rows[i].in) && shown(rows[i].out) == count(rows[i].out),
		      "values-%s", rows[i].name);
		check(rows[i].id < TRACE_HCALLS && !strcmp(trace_name(rows[i].id), rows[i].name), "name-%s", rows[i].name);
	}
}

static void test_rtas_rows(void)
{
#define RTAS(id, name, ...) check(trace_name(TRACE_RTAS_##id) && !strcmp(trace_name(TRACE_RTAS_##id), name), "rtas-name-%s", name);
#include "machine/rtas/rtas.def"
#undef RTAS
	check(!trace_name(TRACE_RTAS + TRACE_MAX_RTAS - 1) && !strcmp(trace_name(TRACE_CLIENT), "OF"), "rtas-ends");
}

/* ---- Values ---- */

static void test_values(void)
{
	static const struct { const char *names; uint64_t v[3]; const char *line; } cases[] = {
		{ "", { 0 }, "" },
		{ "addr", { 0x3fffec00 }, "addr=0x3fffec00" },
		{ "a,b:d,c:i", { 16, 17, UINT64_MAX }, "a=0x10, b=17, c=-1" },
		{ "flags:vpa,proc:cpu,addr", { UINT64_C(1) << 45, 1, 0x80 }, "flags=REGISTER_VPA, proc=1, addr=0x80" },
		{ "flags:vpa", { UINT64_C(7) << 45 }, "flags=DEREGISTER_SLB_SHADOW" },
		{ "flags:vpa", { UINT64_C(2) << 45 | 5 }, "flags=REGISTER_DTL|0x5" },
		{ "flags:vpa", { UINT64_C(4) << 45 }, "flags=0x800000000000" },
		{ "flags:vpa", { 0 }, "flags=0x0" },
		{ "p:proc,c:d", { UINT64_MAX, 3 }, "p=ALL, c=3" },
		{ "p:proc", { UINT32_MAX }, "p=ALL" },
		{ "p:proc", { 2 }, "p=2" },
		{ "t:target", { UINT64_MAX - 1 }, "t=ALL_OTHERS" },
		{ "f:page", { PPC_BIT(48) | PPC_BIT(40) | 1 }, "f=ICACHE_INVALIDATE|ZERO|0x1" },
		{ "f:page", { 0 }, "f=0x0" },
		{ "f:proctbl", { 0x1d }, "f=MODIFY|REGISTER|RADIX|GTSE" },
		{ "r:resource", { 4 }, "r=LE" },
		{ "r:resource", { 9 }, "r=0x9" },
		{ "x:xirr", { 0xff000002 }, "x=0xff000002 (cppr 0xff, source 0x2)" },
		{ "w:weights", { PPC_BIT(15) | UINT64_C(4) << 16 }, "w=0x1000000040000 (capped, weight 0, pool of 4)" },
		{ "g:group", { 0x5ffff }, "g=0x5ffff (group 5, pool 65535)" },
		{ "p:pool", { 0x300012c000096 }, "p=0x300012c000096 (3 processors, capacity 300, entitled 150)" },
		{ "e:eflags", { UINT64_C(0x004e200000080e01) }, "e=BUFFER|REFRESH|ORDERED|0x4e200000080001" },
		{ "h:hint,i:hint", { UINT64_C(98) << 32 | 0x10000003, 0 }, "h=0x10000003 (priority 98), i=0x0" },
		{ "n:len,a:text,b:text", { 10, 0x68656c6c6f2c2050, 0x0a00ffffffffffff }, "n=10, text=\"hello, P\\n\\x00\"" },
		{ "n:len,a:text,b:text", { 0, 0x68, 0 }, "n=0, text=\"\"" },
		{ "n:len,a:text,b:text", { 17, 0x2222222222222222, 0x5c5c5c5c5c5c5c5c },
		  "n=17, text=\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\"\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\".." },
		{ "n:len,a:text,b:d", { 1, 0x4100000000000000, 9 }, "n=1, text=\"A\", b=9" },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[MAX_LINE] = "";

		trace_values(line, sizeof line, cases[i].names, cases[i].v, ", ");
		if (!check(!strcmp(line, cases[i].line), "decoded-%u", i))
			printf("is     '%s'\nshould '%s'\n", line, cases[i].line);
	}
}

static void test_short_buffer(void)
{
	static const uint64_t v[3] = { 16, UINT64_MAX, UINT64_MAX };
	char line[16] = "";

	trace_values(line, 12, "n:len,a:text,b:text", v, ", ");
	check(strlen(line) == 11 && !line[12], "cut-to-what-there-is");
}

static bool code_is(int64_t rc, const char *name)
{
	char line[64] = "";

	trace_code(line, sizeof line, rc);
	return !strcmp(line, name);
}

static void test_codes(void)
{
	static const int64_t numbers[] = {
#define CODE(name, number) number,
#include "hcall/hcall_codes.def"
#undef CODE
	};
	bool unique = true, named = true;

#define CODE(name, number) named &= code_is(name, #name);
#include "hcall/hcall_codes.def"
#undef CODE
	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		for (unsigned j = 0; j < i; j++)
			unique &= numbers[i] != numbers[j];
	check(named, "codes-named");
	check(unique, "codes-unique");
	check(code_is(-4, "H_PARAMETER") && code_is(9900, "H_LONG_BUSY_ORDER_1_MSEC"), "codes-numbers");
	check(code_is(-256, "H_UNSUPPORTED_FLAG") && code_is(-257, "H_UNSUPPORTED_FLAG (bit 1)") &&
	      code_is(-511, "H_UNSUPPORTED_FLAG (bit 255)") && code_is(-512, "-512"), "codes-flag");
	check(code_is(12345, "12345") && code_is(INT64_MAX, "9223372036854775807"), "codes-unnamed");
}

/* ---- Filters ---- */

static const struct trace_config *parsed(const char *text)
{
	static struct trace_config o;
	struct error err = { .msg = "" };

	o = (struct trace_config){ .hcall = false };
	return trace_parse(&o, text, &err) && !*err.msg ? &o : NULL;
}

static unsigned kept(const char *text)
{
	const struct trace_config *o = parsed(text);
	unsigned n = 0;

	for (unsigned id = 0; o && id < TRACE_IDS; id++)
		n += !o->skip[id];
	return n;
}

static void test_filter(void)
{
	static const char *const bad[] = { "", "hcall=", "hcall=!", "hcall=H_FOO", "hcall=H_CEDE,", "hcall=,H_CEDE", "hcalls",
					   "dispatch=H_CEDE", "hcall,", "hcall=H_CEDE,!H_FOO", "hcall=h_cede",
					   "hcall=H_CEDE_AND_WHAT_ELSE_THERE_IS_THAT_IS_LONGER_THAN_ANY_NAME_CAN_BE" };
	const struct trace_config *o = parsed("hcall");

	check(o && o->hcall && !o->summary && !o->dispatch && kept("hcall") == TRACE_IDS, "all");
	o = parsed("dispatch,hcall-summary=H_CEDE,H_PROD");
	check(o && !o->hcall && o->summary && o->dispatch && !o->skip[TRACE_H_CEDE] && !o->skip[TRACE_H_PROD] &&
	      o->skip[TRACE_H_CONFER] && kept("hcall=H_CEDE,H_PROD") == 2, "named");
	o = parsed("hcall=!H_CEDE,!H_PROD");
	check(o && o->skip[TRACE_H_CEDE] && kept("hcall=!H_CEDE,!H_PROD") == TRACE_IDS - 2, "all-but");
	o = parsed("hcall=hcall-splpar,!H_CEDE");
	check(o && o->skip[TRACE_H_CEDE] && !o->skip[TRACE_H_CONFER] && o->skip[TRACE_H_XIRR], "set");
	o = parsed("hcall=H_LOGICAL_C*");
	check(o && !o->skip[TRACE_H_LOGICAL_CI_LOAD] && o->skip[TRACE_H_LOGICAL_ICBI] && kept("hcall=H_LOGICAL_C*") == 4,
	      "pattern");
	o = parsed("hcall=H_RTAS,!start-cpu");
	check(o && !o->skip[TRACE_RTAS_stop_self] && o->skip[TRACE_RTAS_start_cpu] && !o->skip[TRACE_H_RTAS], "rtas");
	check(parsed("hcall=H_VOF_CLIENT") && !parsed("hcall=H_VOF_CLIENT")->skip[TRACE_CLIENT], "client-interface");
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check(!parsed(bad[i]), "refused-'%s'", bad[i]);
}

/* ---- Lines of a machine ---- */

static char *lines_of(struct rig *rig)
{
	static char text[8192];
	size_t n;

	fflush(rig->m->log_file);
	rewind(rig->m->log_file);
	n = fread(text, 1, sizeof text - 1, rig->m->log_file);
	text[n] = '\0';
	rewind(rig->m->log_file);
	if (ftruncate(fileno(rig->m->log_file), 0))
		abort();
	return text;
}

static void make_call(struct machine *m, unsigned c, uint64_t cycle, uint64_t number, uint64_t a, uint64_t b)
{
	struct cpu *cpu = &m->cpu[c]->cpu;

	cpu->r[3] = number;
	cpu->r[4] = a;
	cpu->r[5] = b;
	cpu->cycles = cycle;
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
}

static void come_back(struct machine *m, unsigned c, uint64_t cycle)
{
	struct cpu *cpu = &m->cpu[c]->cpu;

	cpu->cycles = cycle;
	cpu->run_state = CPU_RUNNING;
	hcall_trace_back(cpu);
}

static void test_lines(void)
{
	struct trace_config o = { .hcall = true };
	struct rig rig;
	struct machine *m;
	char *text;

	rig_new(&rig, "2");
	m = rig.m;
	m->log_file = tmpfile();
	if (!m->log_file || !trace_new(m, &o))
		abort();
	for (unsigned i = 0; i < 2; i++) {
		m->cpu[i]->cpu.run_state = CPU_RUNNING;
		m->cpu[i]->cpu.prodded = false;
		cpu_set_dec(&m->cpu[i]->cpu, 0, INT32_MAX);
		m->cpu[i]->cpu.irq = 0;
	}
	make_call(m, 0, 1000, 0x0e0, 0, 0);
	check(!*lines_of(&rig), "silent-while-it-waits");
	make_call(m, 1, 1500, 0x0e8, 7, 0);
	text = lines_of(&rig);
	check(!strcmp(text, "1500 cpu1 H_PROD(proc=7) = H_PARAMETER <0 cycles>\n"), "at-once");
	come_back(m, 1, 2000);
	check(!*lines_of(&rig), "nothing-comes-back");
	come_back(m, 0, 3048);
	text = lines_of(&rig);
	check(!strcmp(text, "1000 cpu0 H_CEDE() = H_SUCCESS <2048 cycles, 2.000 us>\n"), "back");
	come_back(m, 0, 4000);
	make_call(m, 1, 4100, 0x5, 9, 0);
	text = lines_of(&rig);
	check(!strcmp(text, "4100 cpu1 0x5(0x9, ..) = H_FUNCTION <0 cycles>\n"), "unknown");
	o.skip[TRACE_H_PROD] = true;
	make_call(m, 1, 4200, 0x0e8, 7, 0);
	check(!*lines_of(&rig), "filtered");
	hcall_trace_text(&m->cpu[1]->cpu, TRACE_RTAS_event_scan, "RTAS event-scan() = 1", 1);
	text = lines_of(&rig);
	check(!strcmp(text, "4200 cpu1 RTAS event-scan() = 1 <0 cycles>\n"), "text");
	make_call(m, 0, 5000, 0x0e0, 0, 0);
	hcall_trace_summary(m);
	text = lines_of(&rig);
	check(strstr(text, "5000 cpu0 H_CEDE() = ? <unfinished ...>\n") == text, "unfinished");
	check(strstr(text, "#         2  40.00         0          2.000        1.000 100.00  H_CEDE\n") != NULL, "row");
	check(strstr(text, "#         1  20.00         1          0.000        0.000   0.00  H_PROD\n"
			   "#         1                                                        H_PARAMETER\n") != NULL, "row-with-code");
	check(strstr(text, "#         1  20.00         0          0.000        0.000   0.00  RTAS event-scan\n"
			   "#         1                                                        status 1\n") != NULL, "no-error");
	check(strstr(text, "#         5 100.00         2          2.000        0.400 100.00  total\n") != NULL, "total");
	trace_free(m);
	m->log_mask = 0;
	make_call(m, 1, 6000, 0x0e8, 7, 0);
	check(!*lines_of(&rig), "off");
	rig_free(&rig);
}

int main(void)
{
	test_rows();
	test_rtas_rows();
	test_values();
	test_short_buffer();
	test_codes();
	test_filter();
	test_lines();
	return check_done();
}

/* NUMA nodes: what QEMU 7.2's tree says of the same options, word for word; what a call says of a processor; and options
 * that make no sense. */
#define _GNU_SOURCE
#include <stdarg.h>

#include <libfdt.h>

#include "check.h"
#include "hcall/hcall.h"
#include "rig.h"

#define WORDS 64

/* A command line for the rig's kernel; its words are cut in place. NULL: refused. */
static struct machine *make(struct rig *rig, char *text, struct error *err)
{
	char *argv[WORDS] = { "cede", "-nodefaults", "-serial", "null", "-clock", "warp", "-kernel", rig->kernel };
	uint8_t image[sizeof power_off];
	int argc = 8, status, fd;

	for (unsigned i = 0; i < sizeof image; i++)
		image[i] = (uint8_t)(power_off[i / 4] >> (24 - 8 * (i % 4)));
	strcpy(rig->kernel, "/tmp/cede-unit-XXXXXX");
	fd = mkstemp(rig->kernel);
	for (char *word = strtok(text, " "); word && argc < WORDS - 1; word = strtok(NULL, " "))
		argv[argc++] = word;
	rig->m = NULL;
	rig->term = NULL;
	if (fd < 0 || write(fd, image, sizeof image) != sizeof image || close(fd) ||
	    options_parse(&rig->options, argc, argv, err, &status) != OPTIONS_RUN || !(rig->term = term_new(err)) ||
	    !(rig->m = machine_make(&rig->options, rig->term, err)) || machine_run(rig->m))
		rig->m = NULL;
	unlink(rig->kernel);
	return rig->m;
}

static void cells_are(const void *fdt, const char *path, const char *name, unsigned n, const uint32_t *want)
{
	int len;
	const fdt32_t *cells = fdt_getprop(fdt, fdt_path_offset(fdt, path), name, &len);
	bool same = cells && len == (int)(4 * n);

	for (unsigned i = 0; same && i < n; i++)
		same = fdt32_to_cpu(cells[i]) == want[i];
	check(same, "%s-%s", path, name);
}

#define CELLS(path, name, ...) \
	cells_are(m->fdt, path, name, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, (const uint32_t[]){ __VA_ARGS__ })

static void test_tree(void)
{
	char text[] = "-m 2G -smp 4,maxcpus=6 -object memory-backend-ram,id=m0,size=512M -object memory-backend-ram,id=m1,size=1280M "
		      "-object memory-backend-ram,id=m2,size=256M -numa node,nodeid=0,cpus=0,memdev=m0 -numa node,nodeid=1,cpus=1-2,memdev=m1 "
		      "-numa node,nodeid=2,memdev=m2 -numa cpu,node-id=2,core-id=3 -numa dist,src=0,dst=1,val=40 "
		      "-numa dist,src=0,dst=2,val=80 -numa dist,src=1,dst=2,val=20";
	struct error err = { .msg = "" };
	struct rig rig;
	struct machine *m = make(&rig, text, &err);
	uint64_t in[2] = { 1, 3 };

	if (!check(m != NULL, "made: %s", err.msg))
		exit(EXIT_FAILURE);
	CELLS("/rtas", "ibm,associativity-reference-points", 4, 3, 2, 1);
	CELLS("/rtas", "ibm,max-associativity-domains", 4, 3, 3, 3, 3);
	CELLS("/cpus/PowerPC,POWER9@0", "ibm,associativity", 5, 0, 0, 0, 0, 0);
	CELLS("/cpus/PowerPC,POWER9@1", "ibm,associativity", 5, 0, 0, 1, 1, 1);
	CELLS("/cpus/PowerPC,POWER9@2", "ibm,associativity", 5, 0, 0, 1, 1, 2);
	CELLS("/cpus/PowerPC,POWER9@3", "ibm,associativity", 5, 0, 0, 1, 2, 3);
	CELLS("/memory@0", "ibm,associativity", 4, 0, 0, 0, 0);
	CELLS("/memory@0", "reg", 0, 0, 0, 0x20000000);
	CELLS("/memory@20000000", "ibm,associativity", 4, 0, 0, 1, 1);
	CELLS("/memory@20000000", "reg", 0, 0x20000000, 0, 0x20000000);
	CELLS("/memory@40000000", "reg", 0, 0x40000000, 0, 0x20000000);
	CELLS("/memory@60000000", "reg", 0, 0x60000000, 0, 0x10000000);
	CELLS("/memory@60000000", "ibm,associativity", 4, 0, 0, 1, 1);
	CELLS("/memory@70000000", "ibm,associativity", 4, 0, 0, 1, 2);
	CELLS("/memory@70000000", "reg", 0, 0x70000000, 0, 0x10000000);
	memcpy(&m->cpu[0]->cpu.r[3], (const uint64_t[]){ 0x2ec, in[0], in[1] }, 24);
	hcall_dispatch(&m->cpu[0]->cpu);
	check_eq(m->cpu[0]->cpu.r[3], H_SUCCESS, "home-node");
	check_eq(m->config->numa.cpu_node[3], 2, "by-core");
	check_eq(m->config->numa.cpu_node[5], 0, "unsaid");
	rig_free(&rig);
}

/* Nobody says where processors are: sockets take turns. */
static void test_turns(void)
{
	char text[] = "-m 1G -smp 8,sockets=4,cores=1,threads=2 -object memory-backend-ram,id=a,size=512M -object memory-backend-ram,id=b,size=512M "
		      "-numa node,memdev=a -numa node,memdev=b";
	static const uint8_t want[] = { 0, 0, 1, 1, 0, 0, 1, 1 };
	struct error err = { .msg = "" };
	struct rig rig;
	struct machine *m = make(&rig, text, &err);

	if (!check(m != NULL, "made: %s", err.msg))
		exit(EXIT_FAILURE);
	check(!memcmp(m->config->numa.cpu_node, want, sizeof want), "turns");
	CELLS("/memory@20000000", "ibm,associativity", 4, 0, 0, 0, 1);
	rig_free(&rig);
}

static void test_refused(void)
{
#define TWO "-m 1G -object memory-backend-ram,id=a,size=512M -object memory-backend-ram,id=b,size=512M -numa node,memdev=a "
	static const struct { const char *text, *why; } rows[] = {
		{ "-numa frob", "there are node, dist and cpu" }, { "-numa node,mem=512M", "use memdev=" },
		{ "-numa node,frob=1", "does not know 'frob'" }, { "-numa node,nodeid=16", "nodeid=16" },
		{ "-numa node,nodeid=1", "Node ID missing: 0" }, { TWO "-numa node,nodeid=0,memdev=b", "two nodes 0" },
		{ "-numa node,memdev=a", "memdev=a: there is no such memory" }, { TWO "-numa node,memdev=a", "another node has it" },
		{ TWO, "id=b: no node has it" }, { "-m 1G -object memory-backend-ram,id=a,size=512M -numa node,memdev=a", "should equal RAM size" },
		{ "-object memory-backend-ram,id=a,size=100M -numa node,memdev=a", "not aligned to 256 MiB" },
		{ "-object memory-backend-ram,id=a", "needs id= and size=" }, { "-object memory-backend-ram,size=256M", "needs id= and size=" },
		{ "-object memory-backend-ram,id=a,size=x", "size=x is not a size" }, { "-object memory-backend-file,id=a", "there are filter-dump" },
		{ TWO "-numa node,memdev=b,cpus=0-9", "processor 1: there are 1" }, { TWO "-numa node,memdev=b,cpus=1-0", "cpus=1-0" },
		{ TWO "-numa node,memdev=b,cpus=256", "cpus=256" }, { TWO "-smp 2 -numa node,memdev=b,cpus=0,cpus=0", "in node 1 already" },
		{ TWO "-numa node,memdev=b -numa dist,src=0,dst=2,val=20", "no node 2" }, { TWO "-numa node,memdev=b -numa dist,src=0,dst=1", "needs src=" },
		{ TWO "-numa node,memdev=b -numa dist,src=0,dst=1,val=10", "needs src=" }, { TWO "-numa node,memdev=b -numa dist,src=0,dst=1,val=256", "val=256" },
		{ TWO "-numa node,memdev=b -numa dist,src=0,dst=1,val=20 -numa dist,src=1,dst=0,val=30", "asymmetrical" },
		{ TWO "-numa node,memdev=b -numa node -numa dist,src=0,dst=1,val=20", "is missing" },
		{ TWO "-numa node,memdev=b -numa cpu,node-id=3,core-id=0", "needs node-id=" },
		{ TWO "-numa node,memdev=b -pool procs=1", "-pool" }, { "-object memory-backend-ram,id=a,size=512M -numa node -numa node,memdev=a", "node 0 needs memory" },
	};
	char text[600];

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct error err = { .msg = "" };
		struct rig rig;

		snprintf(text, sizeof text, "%s", rows[i].text);
		check(!make(&rig, text, &err) && strstr(err.msg, rows[i].why), "%s: %s", rows[i].text, err.msg);
		term_free(rig.term);
		options_free(&rig.options);
	}
}

int main(void)
{
	test_tree();
	test_turns();
	test_refused();
	return check_done();
}

/* Methods of the tree's nodes that a client of Open Firmware calls by name, and the words of Forth that it may say.
 * "call-method" and "interpret" return a catch result first: 0 means that it ran. */
#include <string.h>

#include <libfdt.h>

#include "firmware/client.h"
#include "firmware/disk.h"
#include "machine/core/runstate.h"
#include "machine/rtas/rtas.h"

/* ---- Methods ---- */

static uint32_t method_cas(struct call *c)
{
	c->out[1] = (uint32_t)cas_negotiate(c->cpu, c->in[2]);
	return 0;
}

static uint32_t method_instantiate_rtas(struct call *c)
{
	if (!rtas_install(c->m, c->in[2]))
		return OF_ERROR;
	c->out[1] = c->in[2];
	return 0;
}

/* NULL: the instance is no disk. */
static struct boot_disk *called_disk(struct call *c)
{
	struct client_disk *open = instance_disk(c->fw, c->in[1]);

	return open ? &c->fw->boot.disk[open->disk] : NULL;
}

static uint32_t method_block_size(struct call *c)
{
	struct boot_disk *disk = called_disk(c);

	if (!disk)
		return OF_ERROR;
	c->out[1] = disk_block_size(disk);
	return 0;
}

static uint32_t method_blocks(struct call *c)
{
	struct client_disk *open = instance_disk(c->fw, c->in[1]);
	struct boot_disk *disk = called_disk(c);
	uint64_t blocks = disk ? open->size / disk_block_size(disk) : 0;

	if (!disk)
		return OF_ERROR;
	c->out[1] = blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
	return 0;
}

/* The LUNs of a virtual SCSI adapter: a table of one entry of 8 bytes, whose second cell points to a list of 64-bit
 * addresses that a 0 ends. It lies in memory that no claim gives away. */
static uint32_t method_report_luns(struct call *c)
{
	struct boot *boot = &c->fw->boot;
	struct ram *ram = &c->m->ram;
	uint64_t list = FW_TABLE + 8;
	char path[MAX_PATH];
	size_t len;
	int at = offset_find(c, instance_find(c, c->in[1]));

	if (!c->fw->booted || at < 0 || fdt_get_path(c->m->fdt, at, path, sizeof path) < 0)
		return OF_ERROR;
	len = strlen(path);
	for (unsigned i = 0; i < boot->disks; i++) {
		const struct boot_disk *disk = &boot->disk[i];

		if (!disk->lun || strncmp(disk->path, path, len) || disk->path[len] != '/')
			continue;
		st_be64(ram, list, disk->unit);
		list += 8;
	}
	st_be64(ram, list, 0);
	st_be32(ram, FW_TABLE, 0);
	st_be32(ram, FW_TABLE + 4, FW_TABLE + 8);
	c->out[1] = 1;
	c->out[2] = FW_TABLE;
	return 0;
}

#define ANY_NODE NULL			/* the method finds out whether it is one of its own */

static const struct method {
	const char *node;
	const char *name;
	uint32_t nargs;		/* with name and ihandle */
	uint32_t (*fn)(struct call *c);
} methods[] = {
	{ "/", "ibm,client-architecture-support", 3, method_cas },
	{ "/rtas", "instantiate-rtas", 3, method_instantiate_rtas },
	{ ANY_NODE, "block-size", 2, method_block_size },
	{ ANY_NODE, "#blocks", 2, method_blocks },
	{ ANY_NODE, "vscsi-report-luns", 2, method_report_luns },
};

static bool method_is_of(struct call *c, const struct method *method, int at)
{
	return at >= 0 && (method->node == ANY_NODE || fdt_path_offset(c->m->fdt, method->node) == at);
}

static const struct method *method_find(struct call *c, uint32_t phandle, const char *name)
{
	int at = offset_find(c, phandle);

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name) && method_is_of(c, &methods[i], at))
			return &methods[i];
	return NULL;
}

uint32_t svc_call_method(struct call *c)
{
	const struct method *method;
	char name[MAX_NAME];

	if (c->nargs < 2 || !get_string(c, c->in[0], name, sizeof name))
		return OF_ERROR;
	method = method_find(c, instance_find(c, c->in[1]), name);
	return method && c->nargs == method->nargs ? method->fn(c) : OF_ERROR;
}

/* 0: there is such a method. */
uint32_t svc_test_method(struct call *c)
{
	char name[MAX_NAME];

	return get_string(c, c->in[1], name, sizeof name) && method_find(c, c->in[0], name) ? 0 : OF_ERROR;
}

/* ---- Words. There is no Forth interpreter: what boot programs say is known as a whole ---- */

static void word_nothing(struct machine *m)
{
	(void)m;
}

static void word_power_off(struct machine *m)
{
	machine_request(m, REQ_POWER_OFF, 0);
}

static void word_reset(struct machine *m)
{
	machine_request(m, REQ_RESET, 0);
}

static const struct word {
	const char *text;
	void (*fn)(struct machine *m);
} words[] = {
	{ "output-device output", word_nothing },
	{ "cursor-on", word_nothing },
	{ "cursor-off", word_nothing },
	{ "power-off", word_power_off },
	{ "shut-down", word_power_off },
	{ "poweroff", word_power_off },
	{ "reset-all", word_reset },
};

uint32_t svc_interpret(struct call *c)
{
	char text[MAX_NAME];

	if (!c->nargs || !get_string(c, c->in[0], text, sizeof text))
		return OF_ERROR;
	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(words[i].text, text)) {
			words[i].fn(c->m);
			return 0;
		}
	}
	return OF_ERROR;
}

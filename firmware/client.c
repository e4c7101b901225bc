/* The Open Firmware client interface: what a guest calls before it takes over.
 *
 * The guest calls the entry that it was started with; a few instructions there (entry.c) pass the
 * argument array on by a hypercall. Everything in that array, and what it points to, is the guest's
 * to choose. Source: IEEE 1275-1994, 6.3; PAPR, "CPU and Open Firmware" for the two methods. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/boot.h"
#include "firmware/client.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "hcall/hcall.h"
#include "hcall/trace.h"
#include "machine/core/log.h"
#include "machine/rtas/rtas.h"
#include "machine/vio/vio_vty.h"
#include "savevm/error.h"

/* ---- The tree, as nodes that know their relatives ---- */
void firmware_tree_changed(struct machine *m)
{
	if (m->firmware)
		m->firmware->tree_changed = true;
}

static bool node_add(struct firmware *fw, const struct tree_node *node)
{
	if (fw->nodes == fw->node_room) {
		int room = fw->node_room ? 2 * fw->node_room : 128;
		struct tree_node *p = realloc(fw->node, (size_t)room * sizeof *p);

		if (!p)
			return false;
		fw->node = p;
		fw->node_room = room;
	}
	fw->node[fw->nodes++] = *node;
	return true;
}

/* Takes a node's phandle from "phandle", or from "linux,phandle" in a node that has no other. */
static void node_note(struct tree_node *node, const struct tree_token *t)
{
	uint32_t value;

	if (t->len != sizeof value)
		return;
	memcpy(&value, t->value, sizeof value);
	if (!strcmp(t->name, "phandle") || (!node->phandle && !strcmp(t->name, "linux,phandle")))
		node->phandle = __builtin_bswap32(value);
}

/* Links the node behind its newest sibling, or as its parent's first child. */
static void node_link(struct firmware *fw, int self, int sibling)
{
	int parent = fw->node[self].parent;

	if (sibling >= 0)
		fw->node[sibling].peer = self;
	else if (parent >= 0)
		fw->node[parent].child = self;
}

/* The blob has no links between nodes, so that each question of the client would walk all of it, and a kernel that
 * copies the tree asks some thousand times. One walk here makes the links. The tree has been checked: it is well-formed. */
static void tree_index(struct call *c)
{
	struct firmware *fw = c->fw;
	int newest[TREE_MAX_DEPTH + 1], depth = 0;	/* node of each level; properties are of the one below `depth` */
	struct tree_token t = { 0 };

	fw->nodes = 0;
	newest[0] = -1;
	for (uint32_t at = 0; t.tag != TREE_LAST; at = t.next) {
		t = tree_token_at(c->m->fdt, at);
		if (t.tag == TREE_PROP) {
			node_note(&fw->node[newest[depth - 1]], &t);
		} else if (t.tag == TREE_END) {
			depth--;
		} else if (t.tag == TREE_BEGIN) {
			int self = fw->nodes, parent = depth ? newest[depth - 1] : -1;

			if (!node_add(fw, &(struct tree_node){ .offset = (int)at, .parent = parent, .child = -1, .peer = -1 }))
				break;
			node_link(fw, self, newest[depth]);
			newest[depth++] = self;
			newest[depth] = -1;
		}
	}
	fw->tree_changed = false;
}

static const struct tree_node *node_find(struct call *c, uint32_t phandle)
{
	if (c->fw->tree_changed)
		tree_index(c);
	for (int i = 0; i < c->fw->nodes; i++)
		if (c->fw->node[i].phandle == phandle && phandle)
			return &c->fw->node[i];
	return NULL;
}

int offset_find(struct call *c, uint32_t phandle)
{
	const struct tree_node *node = node_find(c, phandle);

	return node ? node->offset : -1;
}

static uint32_t phandle_of(const struct call *c, int index)
{
	return index >= 0 ? c->fw->node[index].phandle : 0;
}

/* ---- Guest memory ---- */

bool get_string(const struct call *c, uint32_t addr, char *buf, size_t size)
{
	const struct ram *ram = &c->m->ram;
	uint64_t room = ram_ok(ram, addr, 0) ? ram->size - addr : 0;
	size_t n = room < size ? room : size;
	const char *s = (const char *)ram->base + addr;

	if (!n || !memchr(s, 0, n))
		return false;
	memcpy(buf, s, strlen(s) + 1);
	return true;
}

bool put_bytes(const struct call *c, uint32_t addr, const void *value, size_t len, uint32_t room)
{
	return ram_write(&c->m->ram, addr, value, len < room ? len : room);
}

/* ---- Device tree services ---- */

/* What a path that starts with an alias stands for. The tree may be of the guest's making: an alias
 * that names itself, or has no end, names nothing. NULL: no such alias. */
static const char *alias_find(const void *fdt, const char *name, size_t name_len)
{
	int len, node = fdt_path_offset(fdt, "/aliases");
	const char *path = node >= 0 ? fdt_getprop_namelen(fdt, node, name, (int)name_len, &len) : NULL;

	return path && len >= 2 && len <= MAX_PATH && *path == '/' && !path[len - 1] ? path : NULL;
}

int path_find(const struct call *c, char *path)
{
	char *args = strchr(path, ':'), *unit = path, full[2 * MAX_PATH];
	size_t first = strcspn(path, "/:");
	const char *alias;

	if (args)
		*args = 0;
	/* Unit addresses are lower case in the tree; a client may write either. */
	while ((unit = strchr(unit, '@')) != NULL)
		for (; *unit && *unit != '/'; unit++)
			*unit = (char)tolower((unsigned char)*unit);
	if (!first)
		return *path ? fdt_path_offset(c->m->fdt, path) : -FDT_ERR_BADPATH;
	alias = alias_find(c->m->fdt, path, first);
	if (!alias)
		return -FDT_ERR_BADPATH;
	snprintf(full, sizeof full, "%s%s", alias, path + first);
	return fdt_path_offset(c->m->fdt, full);
}

uint32_t svc_finddevice(struct call *c)
{
	char path[MAX_PATH];
	uint32_t phandle;
	int at;

	if (!get_string(c, c->in[0], path, sizeof path))
		return OF_ERROR;
	at = path_find(c, path);
	phandle = at >= 0 ? fdt_get_phandle(c->m->fdt, at) : 0;
	return phandle ? phandle : OF_ERROR;
}

static uint32_t svc_peer(struct call *c)
{
	const struct tree_node *node = node_find(c, c->in[0]);

	if (!c->in[0])
		return phandle_of(c, c->fw->nodes ? 0 : -1);
	return node ? phandle_of(c, node->peer) : 0;
}

static uint32_t svc_child(struct call *c)
{
	const struct tree_node *node = node_find(c, c->in[0]);

	return node ? phandle_of(c, node->child) : 0;
}

static uint32_t svc_parent(struct call *c)
{
	const struct tree_node *node = node_find(c, c->in[0]);

	return node ? phandle_of(c, node->parent) : 0;
}

/* A property's value. "name", which a blob keeps as the node's own name, goes to `name`.
 * NULL: no such node or property. */
static const void *prop_find(struct call *c, char name[MAX_PATH], int *len)
{
	char prop[MAX_NAME];
	int at = offset_find(c, c->in[0]), n;
	const void *value;
	const char *full;

	if (at < 0 || !get_string(c, c->in[1], prop, sizeof prop))
		return NULL;
	value = fdt_getprop(c->m->fdt, at, prop, len);
	if (value || strcmp(prop, "name"))
		return value;
	full = fdt_get_name(c->m->fdt, at, &n);
	if (!full || n >= MAX_PATH)
		return NULL;
	memcpy(name, full, (size_t)n + 1);
	name[strcspn(name, "@")] = 0;
	*len = (int)strlen(name) + 1;
	return name;
}

static uint32_t svc_getproplen(struct call *c)
{
	char name[MAX_PATH];
	int len;

	return prop_find(c, name, &len) ? (uint32_t)len : OF_ERROR;
}

static uint32_t svc_getprop(struct call *c)
{
	char name[MAX_PATH];
	int len;
	const void *value = prop_find(c, name, &len);

	if (!value || !put_bytes(c, c->in[2], value, (size_t)len, c->in[3]))
		return OF_ERROR;
	return (uint32_t)len;
}

/* Name of the property after `prev`; the first one for "". Into the guest's buffer of 32 bytes
 * (a PAPR name may need more). 1: done, 0: no more, -1: no property `prev`. */
static uint32_t svc_nextprop(struct call *c)
{
	const void *fdt = c->m->fdt;
	char prev[MAX_NAME];
	const char *name;
	int at = offset_find(c, c->in[0]), prop;
	bool found;

	if (at < 0 || !get_string(c, c->in[1], prev, sizeof prev))
		return OF_ERROR;
	found = !*prev;
	fdt_for_each_property_offset(prop, fdt, at) {
		if (!fdt_getprop_by_offset(fdt, prop, &name, NULL))
			return OF_ERROR;
		if (found)
			return put_bytes(c, c->in[2], name, strlen(name) + 1, MAX_NAME) ? 1 : OF_ERROR;
		found = !strcmp(name, prev);
	}
	return found ? 0 : OF_ERROR;
}

static uint32_t svc_setprop(struct call *c)
{
	char prop[MAX_NAME];
	uint8_t value[MAX_VALUE];
	uint32_t len = c->in[3];
	int at = offset_find(c, c->in[0]);

	if (at < 0 || len > sizeof value || !get_string(c, c->in[1], prop, sizeof prop) || !tree_name_ok(prop, strlen(prop)) ||
	    (len && !ram_read(&c->m->ram, c->in[2], value, len)))
		return OF_ERROR;
	if (fdt_setprop(c->m->fdt, at, prop, value, (int)len) < 0)
		return OF_ERROR;		/* no room: the nodes lie where they lay */
	c->fw->tree_changed = true;
	return len;
}

uint32_t put_path(struct call *c, uint32_t phandle)
{
	char path[MAX_PATH];
	int at = offset_find(c, phandle);

	if (at < 0 || fdt_get_path(c->m->fdt, at, path, sizeof path) < 0 ||
	    !put_bytes(c, c->in[1], path, strlen(path) + 1, c->in[2]))
		return OF_ERROR;
	return (uint32_t)strlen(path);
}

static uint32_t svc_package_to_path(struct call *c)
{
	return put_path(c, c->in[0]);
}

/* ---- Control ---- */
static uint32_t svc_milliseconds(struct call *c)
{
	return (uint32_t)(machine_timebase(c->m) / (TIMEBASE_HZ / 1000));
}

/* The client is done with the tree: it is packed as the client has left it. */
static uint32_t svc_quiesce(struct call *c)
{
	if (!fdt_pack(c->m->fdt))
		c->m->fdt_size = fdt_totalsize(c->m->fdt);
	c->fw->tree_changed = true;
	return 0;
}

/* A kernel calls this when it cannot go on: an early panic ends here. A boot program from a disk leaves the machine to
 * the next one. */
static uint32_t svc_exit(struct call *c)
{
	if (boot_gives_up(c->m)) {
		machine_request(c->m, REQ_RESET, 0);
		return 0;
	}
	if (!c->m->panic_message)
		c->m->panic_message = strdup("it called Open Firmware's exit");
	machine_request(c->m, REQ_PANIC, 0);
	return 0;
}

static uint32_t svc_boot(struct call *c)
{
	machine_request(c->m, REQ_RESET, 0);
	return 0;
}

static uint32_t svc_test(struct call *c);

#define ANY UINT32_MAX

static const struct service {
	const char *name;
	uint32_t nargs, nrets;		/* ANY: checked by the service */
	uint32_t (*fn)(struct call *c);
	uint32_t text;			/* argument that is a name, from 1 on; for the trace */
} services[] = {
	{ "getprop", 4, 1, svc_getprop, 2 },
	{ "nextprop", 3, 1, svc_nextprop, 2 },
	{ "getproplen", 2, 1, svc_getproplen, 2 },
	{ "peer", 1, 1, svc_peer, 0 },
	{ "child", 1, 1, svc_child, 0 },
	{ "parent", 1, 1, svc_parent, 0 },
	{ "package-to-path", 3, 1, svc_package_to_path, 0 },
	{ "write", 3, 1, svc_write, 0 },
	{ "finddevice", 1, 1, svc_finddevice, 1 },
	{ "setprop", 4, 1, svc_setprop, 2 },
	{ "claim", 3, 1, svc_claim, 0 },
	{ "release", 2, ANY, svc_release, 0 },
	{ "open", 1, 1, svc_open, 1 },
	{ "close", 1, ANY, svc_close, 0 },
	{ "read", 3, 1, svc_read, 0 },
	{ "seek", 3, 1, svc_seek, 0 },
	{ "instance-to-path", 3, 1, svc_instance_to_path, 0 },
	{ "instance-to-package", 1, 1, svc_instance_to_package, 0 },
	{ "call-method", ANY, ANY, svc_call_method, 1 },
	{ "test-method", 2, 1, svc_test_method, 2 },
	{ "interpret", ANY, ANY, svc_interpret, 1 },
	{ "test", 1, 1, svc_test, 1 },
	{ "milliseconds", 0, 1, svc_milliseconds, 0 },
	{ "quiesce", 0, ANY, svc_quiesce, 0 },
	{ "exit", 0, ANY, svc_exit, 0 },
	{ "enter", 0, ANY, svc_exit, 0 },
	{ "boot", 1, ANY, svc_boot, 1 },
};

static const struct service *service_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(services); i++)
		if (!strcmp(services[i].name, name))
			return &services[i];
	return NULL;
}

/* 0: there is such a service. */
static uint32_t svc_test(struct call *c)
{
	char name[MAX_NAME];

	return get_string(c, c->in[0], name, sizeof name) && service_find(name) ? 0 : OF_ERROR;
}

/* H_VOF_CLIENT "getprop"(0x1, "compatible", ...) = 0x8. `text` was read before the call, which may have overwritten
 * it in guest memory. */
static void trace_service(const struct call *c, const struct service *service, const char *text)
{
	char line[MAX_CELLS * 12 + MAX_PATH + 8] = "", shown[sizeof line + MAX_NAME];

	for (uint32_t i = 0; i < c->nargs; i++)
		if (i + 1 == service->text && text)
			log_append(line, sizeof line, "%s\"%s\"", i ? ", " : "", text);
		else
			log_append(line, sizeof line, "%s0x%" PRIx32, i ? ", " : "", c->in[i]);
	log_append(line, sizeof line, ")%s", c->nrets ? " =" : "");
	for (uint32_t i = 0; i < c->nrets; i++)
		log_append(line, sizeof line, " 0x%" PRIx32, c->out[i]);
	machine_log(c->m, LOG_HCALL, "H_VOF_CLIENT \"%s\"(%s", service->name, line);
	snprintf(shown, sizeof shown, "OF %s(%s", service->name, line);
	hcall_trace_text(c->cpu, TRACE_CLIENT, shown, c->nrets && c->out[0] == OF_ERROR ? -1 : 0);
}

static const char *service_text(const struct call *c, const struct service *service, char *buf, size_t size)
{
	uint32_t i = service->text - 1;

	return service->text && i < c->nargs && get_string(c, c->in[i], buf, size) ? buf : NULL;
}

int64_t firmware_client(struct cpu *cpu, uint64_t args)
{
	struct machine *m = cpu_machine(cpu);
	struct call c = { .m = m, .fw = m->firmware, .cpu = cpu };
	const struct service *service;
	char name[MAX_NAME], buf[MAX_PATH];
	const char *text = NULL;

	args &= cpu->msr & MSR_SF ? ~UINT64_C(0) >> 4 : UINT32_MAX;
	if (!c.fw || !m->fdt || !ram_ok(&m->ram, args, 12))
		return H_PARAMETER;
	c.nargs = ld_be32(&m->ram, args + 4);
	c.nrets = ld_be32(&m->ram, args + 8);
	if (c.nargs > MAX_CELLS || c.nrets > MAX_CELLS - c.nargs || !ram_ok(&m->ram, args, 12 + 4 * (c.nargs + c.nrets)) ||
	    !get_string(&c, ld_be32(&m->ram, args), name, sizeof name))
		return H_PARAMETER;
	service = service_find(name);
	if (!service) {
		machine_log(m, LOG_UNIMP, "Open Firmware client service '%s' is not there", name);
		return H_FUNCTION;
	}
	if ((service->nargs != ANY && service->nargs != c.nargs) || (service->nrets != ANY && service->nrets != c.nrets))
		return H_PARAMETER;
	for (uint32_t i = 0; i < c.nargs; i++)
		c.in[i] = ld_be32(&m->ram, args + 12 + 4 * i);
	if (unlikely(m->log_mask & (LOG_HCALL | LOG_TRACE_HCALL)))
		text = service_text(&c, service, buf, sizeof buf);
	c.out[0] = service->fn(&c);
	if (unlikely(m->log_mask & (LOG_HCALL | LOG_TRACE_HCALL)))
		trace_service(&c, service, text);
	for (uint32_t i = 0; i < c.nrets; i++)
		st_be32(&m->ram, args + 12 + 4 * (c.nargs + i), c.out[i]);
	return H_SUCCESS;
}

/* Without a terminal the root node stands in as the console, because a kernel that finds no stdout gives up. */
static uint32_t stdout_phandle(const void *fdt)
{
	const char *path = fdt_getprop(fdt, fdt_path_offset(fdt, "/chosen"), "stdout-path", NULL);

	return fdt_get_phandle(fdt, path ? fdt_path_offset(fdt, path) : 0);
}

/* What lies in memory already. A boot program takes what is left from 0 on, but for what serves interrupts and calls. */
static bool claim_first(struct machine *m)
{
	struct firmware *fw = m->firmware;

	if (fw->booted ? !claim_add(m, 0, FW_STACK + FW_STACK_SIZE) : !claim_add(m, 0, FW_SIZE) || !claim_add(m, FW_STACK, FW_STACK_SIZE))
		return false;
	return claim_add(m, fw->kernel_addr, fw->kernel_size) && (!fw->initrd.size || claim_add(m, fw->initrd_addr, fw->initrd.size));
}

/* /chosen/stdout and, for a boot program, stdin: the first terminal. */
static bool open_console(struct machine *m)
{
	struct client *client = &m->firmware->client;
	uint32_t phandle = stdout_phandle(m->fdt);

	if (fdt_setprop_u32(m->fdt, fdt_path_offset(m->fdt, "/chosen"), "stdout", instance_open(client, phandle)) < 0)
		return false;
	return !m->firmware->booted ||
	       fdt_setprop_u32(m->fdt, fdt_path_offset(m->fdt, "/chosen"), "stdin", instance_open(client, phandle)) >= 0;
}

bool client_start(struct machine *m, struct error *err)
{
	struct firmware *fw = m->firmware;

	memset(&fw->client, 0, sizeof fw->client);
	memset(fw->disk, 0, sizeof fw->disk);
	fw->tree_changed = true;
	if (!claim_first(m)) {
		error_set(err, "%s '%s' lies where the firmware needs memory", fw->kernel.what, fw->kernel.path);
		return false;
	}
	if (tree_set_available(m) < 0 || !open_console(m)) {
		error_set(err, "cannot complete the device tree");
		return false;
	}
	return true;
}

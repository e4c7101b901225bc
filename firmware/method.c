/* Methods of the tree's nodes that a client of Open Firmware calls by name, and the words of Forth that it may say. */
#include <string.h>

#include <libfdt.h>

#include "firmware/client.h"
#include "machine/rtas/rtas.h"

/* "call-method" returns a catch result first: 0 means that the method ran. */
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

static const struct method {
	const char *node;
	const char *name;
	uint32_t nargs;		/* with name and ihandle */
	uint32_t (*fn)(struct call *c);
} methods[] = {
	{ "/", "ibm,client-architecture-support", 3, method_cas },
	{ "/rtas", "instantiate-rtas", 3, method_instantiate_rtas },
};

static const struct method *method_find(struct call *c, uint32_t phandle, const char *name)
{
	int at = offset_find(c, phandle);

	for (unsigned i = 0; i < ARRAY_SIZE(methods); i++)
		if (!strcmp(methods[i].name, name) && at >= 0 && fdt_path_offset(c->m->fdt, methods[i].node) == at)
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

/* There is no Forth interpreter. */
uint32_t svc_interpret(struct call *c)
{
	(void)c;
	return OF_ERROR;
}

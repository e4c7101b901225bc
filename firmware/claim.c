/* Memory that a client of Open Firmware has claimed, and what is left: IEEE 1275-1994, 6.3.2.4. */
#include <string.h>

#include <libfdt.h>

#include "firmware/client.h"
#include "firmware/fdt.h"

#define ADDR_LIMIT  (UINT64_C(1) << 32)	/* a cell names no more */
#define CLAIM_FLOOR UINT64_C(0x10000)	/* "claim" with alignment keeps clear of vectors, entry and stack */

static uint64_t claim_limit(const struct machine *m)
{
	uint64_t rma = tree_rma_size(m);

	return rma < ADDR_LIMIT ? rma : ADDR_LIMIT;
}

bool claim_add(struct machine *m, uint64_t start, uint64_t size)
{
	struct client *client = &m->firmware->client;
	uint32_t i;

	if (!size || start > claim_limit(m) || size > claim_limit(m) - start || client->claims == CLIENT_MAX_CLAIMS)
		return false;
	for (i = 0; i < client->claims && client->claim[i].start < start; i++)
		;
	if ((i && client->claim[i - 1].start + client->claim[i - 1].size > start) ||
	    (i < client->claims && start + size > client->claim[i].start))
		return false;
	memmove(&client->claim[i + 1], &client->claim[i], (client->claims - i) * sizeof client->claim[0]);
	client->claim[i] = (struct claim){ start, size };
	client->claims++;
	return true;
}

/* Lowest free place with that alignment; UINT64_MAX: none. */
static uint64_t claim_place(const struct machine *m, uint64_t size, uint64_t align)
{
	const struct client *client = &m->firmware->client;
	uint64_t start = (CLAIM_FLOOR + align - 1) / align * align;

	for (uint32_t i = 0; i < client->claims; i++) {
		const struct claim *claim = &client->claim[i];

		if (claim->start + claim->size <= start)
			continue;
		if (start + size <= claim->start)
			break;
		start = (claim->start + claim->size + align - 1) / align * align;
	}
	return start + size <= claim_limit(m) ? start : UINT64_MAX;
}

int tree_set_available(struct machine *m)
{
	const struct client *client = &m->firmware->client;
	fdt64_t reg[2 * (CLIENT_MAX_CLAIMS + 1)];
	uint64_t free_from = 0;
	unsigned n = 0;

	for (uint32_t i = 0; i <= client->claims; i++) {
		uint64_t to = i < client->claims ? client->claim[i].start : tree_rma_size(m);

		if (to > free_from) {
			reg[n++] = cpu_to_fdt64(free_from);
			reg[n++] = cpu_to_fdt64(to - free_from);
		}
		if (i < client->claims)
			free_from = to + client->claim[i].size;
	}
	m->firmware->tree_changed = true;
	return fdt_setprop(m->fdt, fdt_path_offset(m->fdt, "/memory@0"), "available", reg, (int)(n * sizeof reg[0]));
}

uint32_t svc_claim(struct call *c)
{
	uint64_t start = c->in[0], size = c->in[1], align = c->in[2];

	if (align)
		start = claim_place(c->m, size, align);
	if (!claim_add(c->m, start, size))
		return OF_ERROR;
	tree_set_available(c->m);
	return (uint32_t)start;
}

uint32_t svc_release(struct call *c)
{
	struct client *client = &c->fw->client;

	for (uint32_t i = 0; i < client->claims; i++) {
		if (client->claim[i].start != c->in[0] || client->claim[i].size != c->in[1])
			continue;
		client->claims--;
		memmove(&client->claim[i], &client->claim[i + 1], (client->claims - i) * sizeof client->claim[0]);
		tree_set_available(c->m);
		return 0;
	}
	return OF_ERROR;
}

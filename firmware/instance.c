/* What a client of Open Firmware has open: terminals, and nodes whose methods it calls. IEEE 1275-1994, 6.3.2.3. */
#include <string.h>

#include <libfdt.h>

#include "firmware/client.h"
#include "machine/vio/vio_vty.h"

uint32_t instance_open(struct client *client, uint32_t phandle)
{
	for (uint32_t i = 0; i < CLIENT_MAX_INSTANCES; i++) {
		if (!client->instance[i]) {
			client->instance[i] = phandle;
			return i + 1;
		}
	}
	return 0;
}

uint32_t instance_find(const struct call *c, uint32_t ihandle)
{
	uint32_t i = ihandle - 1;

	return i < CLIENT_MAX_INSTANCES ? c->fw->client.instance[i] : 0;
}

uint32_t svc_open(struct call *c)
{
	uint32_t phandle = svc_finddevice(c);

	return phandle == OF_ERROR ? 0 : instance_open(&c->fw->client, phandle);
}

uint32_t svc_close(struct call *c)
{
	if (instance_find(c, c->in[0]))
		c->fw->client.instance[c->in[0] - 1] = 0;
	return 0;
}

uint32_t svc_instance_to_package(struct call *c)
{
	uint32_t phandle = instance_find(c, c->in[0]);

	return phandle ? phandle : OF_ERROR;
}

uint32_t svc_instance_to_path(struct call *c)
{
	return put_path(c, instance_find(c, c->in[0]));
}

/* Terminal behind an ihandle; NULL: something else, or nothing. */
static struct vty *instance_vty(struct call *c, uint32_t ihandle)
{
	int at = offset_find(c, instance_find(c, ihandle)), len;
	const fdt32_t *reg = at >= 0 ? fdt_getprop(c->m->fdt, at, "reg", &len) : NULL;

	return reg && len == sizeof *reg && *reg ? vty_find(c->m, fdt32_to_cpu(*reg)) : NULL;
}

uint32_t svc_write(struct call *c)
{
	struct vty *vty = instance_vty(c, c->in[0]);
	uint32_t len = c->in[2] < MAX_IO ? c->in[2] : MAX_IO;

	if (!instance_find(c, c->in[0]) || !ram_ok(&c->m->ram, c->in[1], len))
		return OF_ERROR;
	if (vty)
		vty_put(vty, c->m->ram.base + c->in[1], len);
	return len;
}

uint32_t svc_read(struct call *c)
{
	struct vty *vty = instance_vty(c, c->in[0]);
	uint32_t len = c->in[2] < MAX_IO ? c->in[2] : MAX_IO, done = 0;
	uint8_t buf[VTY_PACKET];

	if (!vty || !ram_ok(&c->m->ram, c->in[1], len))
		return OF_ERROR;
	/* A terminal gives up to a packet at a time, and would lose what is not taken. */
	while (len - done >= VTY_PACKET) {
		unsigned n = vty_get(vty, buf);

		if (!n)
			break;
		ram_write(&c->m->ram, c->in[1] + done, buf, n);
		done += n;
	}
	return done ? done : OF_NO_DATA;
}

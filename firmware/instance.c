/* What a client of Open Firmware has open: terminals, disks or parts of them, and nodes whose methods it calls.
 * IEEE 1275-1994, 6.3.2.3. */
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/client.h"
#include "firmware/disk.h"
#include "machine/vio/vio_vty.h"

#define DISK_MAX_IO   (UINT32_C(16) << 20)	/* bytes in one call; more is a short read */
#define NO_KEY_CYCLES (CPU_HZ / 1000)		/* what a look at a silent keyboard takes: clients look again and again */

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

/* ---- Disks ---- */

struct client_disk *instance_disk(struct firmware *fw, uint32_t ihandle)
{
	for (unsigned i = 0; ihandle && i < CLIENT_MAX_DISKS; i++)
		if (fw->disk[i].ihandle == ihandle && fw->disk[i].disk < fw->boot.disks)
			return &fw->disk[i];
	return NULL;
}

/* The disk behind a node; NULL: it is none. */
static struct boot_disk *node_disk(struct call *c, uint32_t phandle)
{
	char path[BOOT_PATH_MAX];
	int at = offset_find(c, phandle);

	if (at < 0 || fdt_get_path(c->m->fdt, at, path, sizeof path) < 0)
		return NULL;
	return disk_named(&c->fw->boot, path, strlen(path));
}

/* What the arguments behind a disk's name mean: "", "0": all of it; "N": a partition; "N,\path", "\path", ",\path": a
 * file of its ISO 9660 file system. */
static bool part_find(const struct volume *v, const char *args, struct extent *part)
{
	char *end;
	unsigned long number = strtoul(args, &end, 10);

	*part = (struct extent){ 0, v->size };
	if (*args < '0' || *args > '9')
		number = 0;
	else
		args = end;
	args += *args == ',';
	if (number > UINT16_MAX || (number && !partition_find(v, (unsigned)number, part)))
		return false;
	if (!*args)
		return true;
	return !number && iso9660_find(v, args, part);
}

static bool disk_open(struct call *c, struct boot_disk *disk, const char *args, uint32_t ihandle)
{
	struct extent part;

	if (!disk_refresh(c->m, disk) || !part_find(&disk->volume, args, &part))
		return false;
	for (unsigned i = 0; i < CLIENT_MAX_DISKS; i++) {
		if (c->fw->disk[i].ihandle)
			continue;
		c->fw->disk[i] = (struct client_disk){ ihandle, (uint32_t)(disk - c->fw->boot.disk), part.start, part.size, 0 };
		return true;
	}
	return false;
}

/* How many of `len` bytes a request at the position may have: what is open ends, and so may the medium. */
static uint32_t disk_room(const struct client_disk *open, const struct boot_disk *disk, uint32_t len)
{
	uint64_t room = open->at < open->size ? open->size - open->at : 0;

	if (!volume_has(&disk->volume, open->start, open->size))
		return 0;
	if (room > DISK_MAX_IO)
		room = DISK_MAX_IO;
	return len < room ? len : (uint32_t)room;
}

/* "read" and "write" of a disk: bytes that have been moved. */
static uint32_t disk_transfer(struct call *c, struct client_disk *open, bool to_disk)
{
	struct boot_disk *disk = &c->fw->boot.disk[open->disk];
	struct ram *ram = &c->m->ram;
	uint32_t addr = c->in[1], len;
	uint64_t from;
	bool ok;

	if (!disk_refresh(c->m, disk) || !ram_ok(ram, addr, c->in[2]))
		return OF_ERROR;
	len = disk_room(open, disk, c->in[2]);
	from = open->start + open->at;
	if (!to_disk)
		ram_written(ram, addr, len);
	ok = to_disk ? disk_write(c->m, disk, from, ram->base + addr, len) : volume_read(&disk->volume, from, ram->base + addr, len);
	call_waits(c->cpu, disk_cycles(len));
	if (!ok)
		return OF_ERROR;
	open->at += len;
	return len;
}

/* A position behind the end is no error until something is read there. */
uint32_t svc_seek(struct call *c)
{
	struct client_disk *open = instance_disk(c->fw, c->in[0]);

	if (!open)
		return OF_ERROR;
	open->at = (uint64_t)c->in[1] << 32 | c->in[2];
	return 0;
}

/* ---- All ---- */

/* The arguments of a path: what stands behind its ':'. */
static void get_args(const struct call *c, uint32_t addr, char args[MAX_PATH])
{
	char path[MAX_PATH], *colon = get_string(c, addr, path, sizeof path) ? strchr(path, ':') : NULL;

	strcpy(args, colon ? colon + 1 : "");
}

uint32_t svc_open(struct call *c)
{
	uint32_t phandle = svc_finddevice(c), ihandle = phandle == OF_ERROR ? 0 : instance_open(&c->fw->client, phandle);
	struct boot_disk *disk = ihandle && c->fw->booted ? node_disk(c, phandle) : NULL;
	char args[MAX_PATH];

	if (!disk)
		return ihandle;
	get_args(c, c->in[0], args);
	if (disk_open(c, disk, args, ihandle))
		return ihandle;
	c->fw->client.instance[ihandle - 1] = 0;
	return 0;
}

uint32_t svc_close(struct call *c)
{
	struct client_disk *open = instance_disk(c->fw, c->in[0]);

	if (open)
		open->ihandle = 0;
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
	struct client_disk *open = instance_disk(c->fw, c->in[0]);
	struct vty *vty = open ? NULL : instance_vty(c, c->in[0]);
	uint32_t len = c->in[2] < MAX_IO ? c->in[2] : MAX_IO;

	if (open)
		return disk_transfer(c, open, true);
	if (!instance_find(c, c->in[0]) || !ram_ok(&c->m->ram, c->in[1], len))
		return OF_ERROR;
	if (vty)
		vty_put(vty, c->m->ram.base + c->in[1], len);
	return len;
}

/* A client that waits for a key looks again at once, as fast as it can: a look that finds nothing takes its time, in
 * which the host has nothing to do. */
uint32_t svc_read(struct call *c)
{
	struct client_disk *open = instance_disk(c->fw, c->in[0]);
	struct vty *vty = open ? NULL : instance_vty(c, c->in[0]);
	uint32_t len = c->in[2] < MAX_IO ? c->in[2] : MAX_IO, done = 0;
	uint8_t buf[VTY_PACKET];

	if (open)
		return disk_transfer(c, open, false);
	if (!vty || !ram_ok(&c->m->ram, c->in[1], len))
		return OF_ERROR;
	while (done < len) {
		unsigned n = vty_take(vty, buf, len - done < VTY_PACKET ? len - done : VTY_PACKET);

		if (!n)
			break;
		ram_write(&c->m->ram, c->in[1] + done, buf, n);
		done += n;
	}
	if (!done && c->fw->booted)
		call_waits(c->cpu, NO_KEY_CYCLES);
	return done ? done : OF_NO_DATA;
}

/* The boot menu (-boot menu=on): what can be booted, by number, on the first terminal. It is there before anything runs: the
 * boot processor stands, and an event looks for keys. */
#include "firmware/boot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "firmware/firmware.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/disk/drive.h"
#include "machine/net/net.h"
#include "machine/vio/vio_vty.h"

#define CYCLES_PER_MS  (CPU_HZ / 1000)
#define LOOK_CYCLES    (20 * CYCLES_PER_MS)	/* from one look at the keyboard to the next */

static const char keys[] = "123456789abcdefghijklmnopqrstuvwxyz";
_Static_assert(sizeof keys - 1 == BOOT_MENU_MAX, "a key for each line");

static void say(struct machine *m, const char *text)
{
	struct vty *vty = vty_find(m, 0);

	if (vty)
		vty_put(vty, (const uint8_t *)text, (unsigned)strlen(text));
}

/* Sizes as people say them. */
static void size_text(uint64_t bytes, char *buf, size_t size)
{
	if (bytes >> 30)
		snprintf(buf, size, "%" PRIu64 " GiB", bytes >> 30);
	else
		snprintf(buf, size, "%" PRIu64 " MiB", bytes >> 20);
}

static void say_line(struct machine *m, unsigned i)
{
	const struct boot *boot = &m->firmware->boot;
	struct place place = place_of(m, m->firmware->menu.place[i]);
	struct boot_disk *disk = place.disk;
	char size[32], line[768], path[BOOT_PATH_MAX];

	if (place.net && place_path(&place, path)) {
		snprintf(line, sizeof line, "  %c  network (%.60s, %s)\r\n", keys[i], place.net->config->id, path);
		say(m, line);
	}
	if (!disk || boot_check(m, disk))
		return;
	size_text(disk->volume.size, size, sizeof size);
	snprintf(line, sizeof line, "  %c  %s, %s of %s (%.60s, %s)\r\n", keys[i], boot->name, disk->cdrom ? "CD" : "disk", size,
		 disk->drive->id, disk->path);
	say(m, line);
}

static void say_menu(struct machine *m)
{
	const struct menu *menu = &m->firmware->menu;
	char line[120];

	say(m, "\r\ncede can boot:\r\n\r\n");
	for (unsigned i = 0; i < menu->lines; i++)
		say_line(m, i);
	snprintf(line, sizeof line, "\r\nA key of these, Enter for the first one, or %u.%u s of patience: ",
		 (unsigned)m->config->boot_wait_ms / 1000, (unsigned)m->config->boot_wait_ms / 100 % 10);
	say(m, line);
}

/* It is as if the machine began with this place first. A medium that has gone meanwhile leaves the menu to its user. */
static void menu_take(struct machine *m, unsigned i)
{
	struct firmware *fw = m->firmware;
	struct cpu *cpu = &m->cpu[0]->cpu;
	struct error err = { .msg = "" };

	say(m, (const char[]){ keys[i], '\r', '\n', 0 });
	fw->menu.first = fw->menu.place[i] + 1u;
	fw->menu.look_at = 0;
	fw->boot_again = true;
	if (firmware_start(m, &err)) {
		cpu->run_state = CPU_CEDED;
		cpu->halt = 1;
		cpu->prodded = true;
		machine_kick(m);
		return;
	}
	say(m, err.msg);
	say(m, "\r\n");
	fw->boot_again = false;
	fw->menu.until = UINT64_MAX;
	fw->menu.look_at = machine_now(m) + LOOK_CYCLES;
	event_schedule(m, &fw->menu.look, fw->menu.look_at);
}

/* A line's number. -1: the key means nothing, but that somebody is there: the time no longer runs. */
static int line_of(struct menu *menu, uint8_t key)
{
	const char *at = key ? strchr(keys, key) : NULL;

	if (key == '\r' || key == '\n')
		return 0;
	if (at && at - keys < (int)menu->lines)
		return (int)(at - keys);
	menu->until = UINT64_MAX;
	return -1;
}

static bool is_there(const struct machine *m, unsigned number)
{
	struct place place = place_of(m, number);

	return place.disk || place.net;
}

static void menu_look(void *opaque)
{
	struct machine *m = opaque;
	struct menu *menu = &m->firmware->menu;
	struct vty *vty = vty_find(m, 0);
	uint8_t key;
	int line = -1;

	if (vty && vty_take(vty, &key, 1))
		line = line_of(menu, key);
	if (line < 0 && machine_now(m) >= menu->until)
		line = 0;
	/* A snapshot may name places that are not there. */
	if (line >= 0 && is_there(m, menu->place[line])) {
		menu_take(m, (unsigned)line);
		return;
	}
	menu->look_at = machine_now(m) + LOOK_CYCLES;
	event_schedule(m, &menu->look, menu->look_at);
}

bool menu_start(struct machine *m)
{
	struct menu *menu = &m->firmware->menu;

	if (!m->config->boot_menu || !vty_find(m, 0))
		return false;
	menu->lines = boot_list(m, menu->place);
	if (!menu->lines)
		return false;
	say_menu(m);
	menu->until = machine_now(m) + m->config->boot_wait_ms * CYCLES_PER_MS;
	menu->look_at = machine_now(m) + (m->config->boot_wait_ms ? LOOK_CYCLES : 1);
	event_schedule(m, &menu->look, menu->look_at);
	return true;
}

void menu_clear(struct machine *m)
{
	event_cancel(m, &m->firmware->menu.look);
	m->firmware->menu.look_at = 0;
}

void menu_init(struct machine *m)
{
	m->firmware->menu.look = (struct event){ .when = UINT64_MAX, .fire = menu_look, .opaque = m };
}

/* ---- Snapshots ---- */

static bool menu_needed(const void *s)
{
	const struct firmware *fw = s;

	return fw->menu.look_at || fw->menu.first;
}

static const struct vmstate menu_fields_state = {
	.name = "cede/firmware/menu/fields", .version = 1, .min_version = 1, VMS_OF(struct menu),
	.fields = VMS_FIELDS(
		VMS_U32_TO(struct menu, lines, BOOT_MENU_MAX), VMS_BUFFER_AS("disk", struct menu, place),
		VMS_U32_TO(struct menu, first, BOOT_MAX_PLACES),
		VMS_U64(struct menu, look_at), VMS_U64(struct menu, until), VMS_SKIP(struct menu, look, "look_at")),
};

const struct vmstate menu_state = {
	.name = "cede/firmware/menu", .version = 1, .min_version = 1, VMS_OF(struct firmware), .needed = menu_needed,
	.fields = VMS_FIELDS(VMS_STRUCT("menu", struct firmware, menu, struct menu, menu_fields_state)),
};

void menu_loaded(struct machine *m)
{
	struct menu *menu = &m->firmware->menu;

	event_cancel(m, &menu->look);
	if (menu->look_at)
		event_restore(m, &menu->look, menu->look_at);
}

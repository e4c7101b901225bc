/* Keyboards and pointers: what they say of themselves, what a driver gets, what a hostile one does not; names of keys. */
#include "check.h"
#include "machine/core/input.h"
#include "machine/host/keys.h"
#include "machine/monitor/typed.h"
#include "virtio_driver.h"

#define RING   UINT64_C(0x1000000)
#define BUFFER UINT64_C(0x2000000)
#define V1     (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define CONFIG 0x2000

extern const struct device_class virtio_keyboard_class, virtio_mouse_class, virtio_tablet_class;

static struct ring begin(struct virtio_device *v)
{
	struct ring r;

	modern_begin(v, V1);
	r = ring_new(v, 0, RING);
	modern_ready(v);
	return r;
}

/* What the device answers; its size. */
static unsigned ask(struct virtio_device *v, unsigned select, unsigned sub, uint8_t answer[128])
{
	bar_store(v, 4, CONFIG, 1, select);
	bar_store(v, 4, CONFIG + 1, 1, sub);
	for (unsigned i = 0; i < 128; i++)
		answer[i] = (uint8_t)bar_load(v, 4, CONFIG + 8 + i, 1);
	return (unsigned)bar_load(v, 4, CONFIG + 2, 1);
}

static bool has_bit(const uint8_t *bits, unsigned n) { return bits[n / 8] >> n % 8 & 1; }

static void test_answers(struct virtio_device *keyboard, struct virtio_device *mouse, struct virtio_device *tablet)
{
	uint8_t a[128];

	check(ask(keyboard, 1, 0, a) == 20 && !memcmp(a, "QEMU Virtio Keyboard", 20) && !a[20], "its name");
	check(ask(keyboard, 3, 0, a) == 8 && a[0] == 6 && a[2] == 0x27 && a[3] == 6 && a[4] == 1, "its ids");
	check(ask(keyboard, 0x11, 1, a) == 16 && has_bit(a, 1) && has_bit(a, 30) && has_bit(a, 127) && !has_bit(a, 0) && !has_bit(a, 84), "its keys");
	check(ask(keyboard, 0x11, 0x14, a) == 1, "it repeats");
	check(!ask(keyboard, 0x11, 3, a) && !ask(keyboard, 0x12, 0, a) && !ask(keyboard, 0xff, 0xff, a) && !a[0], "and no more");
	check(ask(mouse, 0x11, 1, a) == 35 && has_bit(a, 0x110) && has_bit(a, 0x114), "a mouse's buttons");
	check(ask(mouse, 0x11, 2, a) == 2 && a[0] == 3 && a[1] == 1 && !ask(mouse, 0x11, 3, a), "it moves");
	check(ask(tablet, 0x11, 3, a) == 1 && a[0] == 3 && ask(tablet, 0x11, 2, a) == 2 && a[0] == 0 && a[1] == 1, "a tablet points");
	check(ask(tablet, 0x12, 1, a) == 20 && a[4] == 0xff && a[5] == 0x7f && !ask(tablet, 0x12, 2, a), "its axes");
	check_eq(pci_config_load(&keyboard->pci, 0, 4), 0x10521af4, "pci ids");
}

static uint64_t event_at(const struct ring *r, unsigned i)
{
	uint64_t raw = ld_be64(&r->v->pci.dev.machine->ram, BUFFER + 8 * i);

	return __builtin_bswap64(raw);
}

#define EVENT(type, code, value) ((uint64_t)(type) | (uint64_t)(code) << 16 | (uint64_t)(uint32_t)(value) << 32)

static void offer_events(struct ring *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		put_desc(r, i, BUFFER + 8 * i, 8, D_WRITE, 0);
		offer(r, i);
	}
}

static void test_events(struct machine *m, struct virtio_device *keyboard, struct virtio_device *tablet)
{
	const struct act key = { ACT_KEY, 30, 1 }, three[] = { { ACT_PLACE, 0, 7 }, { ACT_KEY, 42, 1 }, { ACT_BUTTON, BUTTON_RIGHT, 1 } };
	const struct act wheel = { ACT_MOVE, 2, -1 };
	struct ring k = begin(keyboard), t;

	machine_input(m, &key, 1);
	check_eq(used_index(&k), 0, "no room: nothing");
	offer_events(&k, 1);
	machine_input(m, &key, 1);
	check_eq(used_index(&k), 0, "room for one, and it takes two: nothing");
	k = begin(keyboard);
	offer_events(&k, 3);
	check(machine_input(m, &key, 1) && used_index(&k) == 2 && used_bytes(&k, 0) == 8, "room for three: two");
	check(event_at(&k, 0) == EVENT(1, 30, 1) && event_at(&k, 0) && event_at(&k, 1) == 0, "a key, and the end of it");
	k = begin(keyboard);
	offer_events(&k, 8);
	machine_input(m, three, 3);
	check(used_index(&k) == 2 && event_at(&k, 0) == EVENT(1, 42, 1), "each device its own: the keyboard");
	set_status(keyboard, 0);
	t = begin(tablet);
	offer_events(&t, 8);
	machine_input(m, three, 3);
	check(used_index(&t) == 3 && event_at(&t, 0) == EVENT(3, 0, 7) && event_at(&t, 1) == EVENT(1, 0x111, 1) && !event_at(&t, 2),
	      "the tablet");
	set_status(tablet, 0);
	check(machine_input(m, &wheel, 1) && machine_input(m, three, 3), "a device that has no driver: lost");
}

/* Whatever the driver offers: too little room, none of it to write, the wrong queue. */
static void test_hostile(struct machine *m, struct virtio_device *keyboard)
{
	const struct act key = { ACT_KEY, 30, 1 };
	struct ring k = begin(keyboard);

	ram_fill(&m->ram, BUFFER, 0xee, 64);
	put_desc(&k, 0, BUFFER, 3, D_WRITE, 0);
	put_desc(&k, 1, BUFFER + 8, 8, 0, 0);
	offer(&k, 0);
	offer(&k, 1);
	machine_input(m, &key, 1);
	check(used_index(&k) == 2 && used_bytes(&k, 0) == 3 && used_bytes(&k, 1) == 0, "as much as there is room for");
	check(ld_u8(&m->ram, BUFFER + 3) == 0xee && ld_u8(&m->ram, BUFFER + 8) == 0xee, "and nothing beside it");
	put_desc(&k, 0, UINT64_C(1) << 50, 8, D_WRITE, 0);
	offer(&k, 0);
	offer(&k, 0);
	machine_input(m, &key, 1);
	check(keyboard->broken, "outside memory: broken");
	k = begin(keyboard);
	offer_events(&k, 2);
	ring_put(&k, k.avail + 2, 999, 2);
	machine_input(m, &key, 1);
	check(keyboard->broken, "an index beyond the ring: broken");
}

/* What is let go while the machine stands goes up when it goes on; what is pressed then never was. */
static void test_stands(struct machine *m, struct virtio_device *keyboard)
{
	const struct act down = { ACT_KEY, 30, 1 }, other = { ACT_KEY, 31, 1 }, up = { ACT_KEY, 30, 0 };
	struct ring k = begin(keyboard);

	offer_events(&k, 12);
	machine_input(m, &down, 1);
	m->run.gone = true;
	check(machine_input(m, &other, 1) && machine_input(m, &up, 1), "it stands: somebody would take them");
	machine_input_resumes(m);
	check_eq(used_index(&k), 2, "nothing comes");
	m->run.gone = false;
	machine_input_resumes(m);
	check(used_index(&k) == 4 && event_at(&k, 2) == EVENT(1, 30, 0), "it goes on: the key goes up");
	machine_input_resumes(m);
	machine_input(m, &down, 1);
	check_eq(used_index(&k), 6, "once");
	set_status(keyboard, 0);
}

static bool printed_by(int layout, uint32_t keysym, unsigned code, bool shift, bool altgr)
{
	struct key_press p = key_by_keysym(layout, keysym);

	return p.code == code && p.shift == shift && p.altgr == altgr;
}

static void test_layouts(void)
{
	int de = key_layout("de"), fr = key_layout("fr"), gb = key_layout("en-gb");

	check(key_layout("en-us") == 0 && key_layout("us") == 0 && key_layout("xx") < 0 && key_layout("") < 0 && de > 0 && fr > 0 && gb > 0, "layouts");
	check(printed_by(de, 'z', 21, false, false) && printed_by(de, 'Y', 44, true, false) && printed_by(de, '@', 16, false, true) &&
	      printed_by(de, 0xe4, 40, false, false) && printed_by(de, '-', 53, false, false) && printed_by(de, '|', 86, false, true) &&
	      printed_by(de, 'x', 45, false, false) && printed_by(de, '^', 0, false, false), "German");
	check(printed_by(fr, 'a', 16, false, false) && printed_by(fr, '1', 2, true, false) && printed_by(fr, '.', 51, true, false) &&
	      printed_by(fr, 'M', 39, true, false) && printed_by(fr, 'q', 30, false, false), "French");
	check(printed_by(gb, '"', 3, true, false) && printed_by(gb, '@', 40, true, false) && printed_by(gb, '\\', 86, false, false) &&
	      printed_by(gb, 0x20ac, 5, false, true), "British");
	/* All of ASCII can be typed on each, but for what is there by dead keys alone. */
	for (int layout = 0; layout <= key_layout("it"); layout++)
		for (uint32_t c = ' '; c < 0x7f; c++)
			if (!key_by_keysym(layout, c).code && !strchr("^`~{}", (int)c))
				check(false, "layout %d has no '%c'", layout, (int)c);
}

static void test_keys(struct machine *m)
{
	struct error err = { .msg = "" };

	check(key_by_name("a", 1) == 30 && key_by_name("ret-x", 3) == 28 && !key_by_name("", 0) && !key_by_name("re", 2), "by name");
	check(key_by_usage(0x28) == 28 && !key_by_usage(0) && !key_by_usage(0xff), "by usage");
	check(printed_by(0, 'A', 30, true, false) && printed_by(0, 'a', 30, false, false) && printed_by(0, 0xff0d, 28, false, false) &&
	      printed_by(0, '~', 41, true, false) && printed_by(0, 0xff95, 71, false, false) && printed_by(0, 0xfe03, 100, false, false) &&
	      printed_by(0, 0, 0, false, false) && printed_by(0, 0xe4, 0, false, false), "by keysym");
	test_layouts();
	for (unsigned code = 1; code < ACT_KEYS; code++)
		if (key_name(code) && key_by_name(key_name(code), strlen(key_name(code))) != code)
			check(false, "a name stands twice: %s", key_name(code));
	check(typed_run_keys(m, "ctrl-alt-delete 100", &err), "sendkey: %s", err.msg);
	check(!typed_run_keys(m, "", &err) && !typed_run_keys(m, "a--b", &err) && !typed_run_keys(m, "-", &err) &&
	      !typed_run_keys(m, "a-b-c-d-e-f-g-h-i", &err) && strstr(err.msg, "too many"), "sendkey: refused");
}

int main(void)
{
	struct virtio_device *keyboard, *mouse, *tablet;
	struct error err = { .msg = "" };
	struct rig rig;

	rig_new(&rig, "1");
	rig.m->run.gone = false;	/* as while it ran: one that stands gets nothing */
	check(!typed_run_keys(rig.m, "a", &err) && strstr(err.msg, "no device"), "nobody takes it: %s", err.msg);
	keyboard = virtio_new(rig.m, &virtio_keyboard_class, "");
	tablet = virtio_new(rig.m, &virtio_tablet_class, "");
	mouse = virtio_new(rig.m, &virtio_mouse_class, "");
	test_answers(keyboard, mouse, tablet);
	test_events(rig.m, keyboard, tablet);
	test_stands(rig.m, keyboard);
	test_hostile(rig.m, keyboard);
	test_keys(rig.m);
	rig_free(&rig);
	return check_done();
}

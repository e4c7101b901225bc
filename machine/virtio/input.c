/* virtio-keyboard-pci, virtio-mouse-pci, virtio-tablet-pci: what a user does, as Linux's input events.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Input Device"; Linux's input event codes; names and numbers are QEMU's. */
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/input.h"
#include "machine/host/keys.h"
#include "machine/virtio/virtio.h"

#define EVENTS     0
#define STATUS     1			/* lights: there are none */
#define QUEUE_SIZE 64

/* The configuration: what is asked for, and the answer to it. */
#define SELECT    0
#define SUBSELECT 1
#define SIZE      2
#define ANSWER    8
#define ANSWER_BYTES 128u

enum { ID_NAME = 0x01, ID_SERIAL = 0x02, ID_DEVICE = 0x03, PROPERTIES = 0x10, EVENT_CODES = 0x11, AXIS = 0x12 };
enum { EV_SYN = 0, EV_KEY = 1, EV_REL = 2, EV_ABS = 3, EV_LED = 0x11, EV_REP = 0x14 };
enum { REL_X = 0, REL_Y = 1, REL_WHEEL = 8 };
static const uint16_t buttons[BUTTONS] = { [BUTTON_LEFT] = 0x110, [BUTTON_MIDDLE] = 0x112, [BUTTON_RIGHT] = 0x111,
						 [BUTTON_SIDE] = 0x113, [BUTTON_EXTRA] = 0x114 };

enum kind { KEYBOARD, MOUSE, TABLET };

struct input {
	struct virtio_device v;
	enum kind kind;			/* follows from the class */
};

struct packed_event { uint16_t type, code; uint32_t value; };
_Static_assert(sizeof(struct packed_event) == 8, "as the driver has it");

static const struct { const char *name; uint16_t product; } names[] = {
	[KEYBOARD] = { "QEMU Virtio Keyboard", 1 }, [MOUSE] = { "QEMU Virtio Mouse", 2 }, [TABLET] = { "QEMU Virtio Tablet", 3 },
};

/* ---- What it says of itself. Numbers are little-endian: there is no legacy interface ---- */

static void set_bit(uint8_t *bits, unsigned n, unsigned *bytes)
{
	bits[n / 8] |= (uint8_t)(1u << n % 8);
	*bytes = *bytes > n / 8 + 1 ? *bytes : n / 8 + 1;
}

static unsigned answer_codes(enum kind kind, unsigned type, uint8_t *bits)
{
	unsigned n = 0;

	if (type == EV_KEY && kind == KEYBOARD) {
		for (unsigned code = 1; code < ACT_KEYS; code++)
			if (key_name(code))
				set_bit(bits, code, &n);
	} else if (type == EV_KEY) {
		for (unsigned i = 0; i < BUTTONS; i++)
			set_bit(bits, buttons[i], &n);
	} else if (type == EV_REL && kind != KEYBOARD) {
		if (kind == MOUSE) {
			set_bit(bits, REL_X, &n);
			set_bit(bits, REL_Y, &n);
		}
		set_bit(bits, REL_WHEEL, &n);
	} else if (type == EV_ABS && kind == TABLET) {
		set_bit(bits, 0, &n);
		set_bit(bits, 1, &n);
	} else if (type == EV_REP && kind == KEYBOARD) {
		n = 1;			/* the driver repeats keys */
	}
	return n;
}

static unsigned answer_axis(const struct input *input, unsigned axis, uint8_t *at)
{
	if (input->kind != TABLET || axis > 1)
		return 0;
	at[4] = ACT_PLACE_MOST & 0xff;	/* between 0 and that */
	at[5] = ACT_PLACE_MOST >> 8;
	return 20;
}

static unsigned answer_ids(const struct input *input, uint8_t *at)
{
	const uint16_t ids[] = { 6 /* virtual */, 0x0627, names[input->kind].product, 1 };

	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(ids[i / 2] >> 8 * (i & 1));
	return 8;
}

static unsigned answer(const struct input *input, unsigned select, unsigned sub, uint8_t *at)
{
	size_t len = strlen(names[input->kind].name);

	switch (select) {
	case ID_NAME:
		memcpy(at, names[input->kind].name, len);
		return (unsigned)len;
	case ID_DEVICE: return answer_ids(input, at);
	case EVENT_CODES: return answer_codes(input->kind, sub, at);
	case AXIS: return answer_axis(input, sub, at);
	default: return 0;
	}
}

static void input_config(struct virtio_device *v)
{
	uint8_t *c = v->config;

	memset(c + SIZE, 0, v->config_bytes - SIZE);
	c[SIZE] = (uint8_t)answer((struct input *)v, c[SELECT], c[SUBSELECT], c + ANSWER);
}

/* ---- What happens ---- */

static struct packed_event pack(const struct virtio_device *v, unsigned type, unsigned code, int32_t value)
{
	return (struct packed_event){ virtio_u16(v, (uint16_t)type), virtio_u16(v, (uint16_t)code), virtio_u32(v, (uint32_t)value) };
}

static struct packed_event translate(const struct virtio_device *v, const struct act *e)
{
	static const uint8_t moves[] = { REL_X, REL_Y, REL_WHEEL };

	switch (e->kind) {
	case ACT_BUTTON: return pack(v, EV_KEY, buttons[e->code < BUTTONS ? e->code : 0], e->value);
	case ACT_PLACE: return pack(v, EV_ABS, e->code & 1, e->value);
	case ACT_MOVE: return pack(v, EV_REL, moves[e->code < 3 ? e->code : 0], e->value);
	default: return pack(v, EV_KEY, e->code, e->value);
	}
}

/* What happens at one time is told as a whole, and ends with a mark. If the driver has not left so much room it is lost. */
static void input_take(struct device *dev, const struct act *acts, unsigned n)
{
	struct input *input = (struct input *)dev;
	struct virtio_device *v = &input->v;
	struct virtio_element *e[ACTS + 1];
	unsigned got = 0;

	while (got <= n && virtio_ready(v) && (e[got] = virtio_pop_now(v, EVENTS)))
		got++;
	for (unsigned i = got; got <= n && i--;)
		virtio_unpop(v, e[i]);
	for (unsigned i = 0; got > n && i < got; i++) {
		struct packed_event p = i < n ? translate(v, &acts[i]) : pack(v, EV_SYN, 0, 0);

		virtio_push(v, e[i], (uint32_t)virtio_give(v, e[i], 0, &p, sizeof p));
	}
	if (got > n)
		virtio_notify(v, EVENTS);
	while (got)
		virtio_element_free(e[--got]);
}

static void input_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_element *e;
	bool any = false;

	while (queue == STATUS && virtio_ready(v) && (e = virtio_pop(v, STATUS))) {
		virtio_push(v, e, 0);
		virtio_element_free(e);
		any = true;
	}
	if (any)
		virtio_notify(v, STATUS);
}

/* ---- Its life ---- */

static const struct virtio_class classes[] = {
#define INPUT_CLASS(pci_) { .type = 18, .pci_class = pci_, .config_bytes = ANSWER + ANSWER_BYTES, .get_config = input_config, \
			    .set_config = input_config, .kicked = input_kicked }
	[KEYBOARD] = INPUT_CLASS(0x090000), [MOUSE] = INPUT_CLASS(0x090200), [TABLET] = INPUT_CLASS(0x098000),
};

extern const struct device_class virtio_keyboard_class, virtio_mouse_class, virtio_tablet_class;

static bool input_init(struct device *dev, struct error *err)
{
	struct input *input = (struct input *)dev;

	input->kind = dev->class == &virtio_keyboard_class ? KEYBOARD : dev->class == &virtio_mouse_class ? MOUSE : TABLET;
	input->v.disable_legacy = true;
	return virtio_add_queue(&input->v, QUEUE_SIZE) && virtio_add_queue(&input->v, QUEUE_SIZE) &&
	       virtio_init(&input->v, &classes[input->kind], 0, err);
}

static const struct device_property input_properties[] = {
	VIRTIO_PROPERTIES(struct input, v),
	{ .name = NULL },
};

static const struct vmstate input_payload_state = {
	.name = "virtio-input/payload", .version = 1, .min_version = 1, VMS_OF(struct input),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct input, v), VIRTIO_TAIL),
};

static const struct vmstate input_state = {
	.name = "virtio-input", .version = 1, .min_version = 1, VMS_OF(struct input),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(input_payload_state)),
};

static const struct vmstate input_own_state = {
	.name = "cede/virtio-input", .version = 1, .min_version = 1, VMS_OF(struct input),
	.fields = VMS_FIELDS(VIRTIO_OWN, VMS_SKIP(struct input, kind, "follows from the class")),
};

static unsigned on_board(const struct config *config) { return config->keyboard; }

#define DEVICE_CLASS(id, name_, alias_, help_, on_board_, kinds) \
	const struct device_class id = { \
		.name = name_, .alias = alias_, .help = help_, .size = sizeof(struct input), .on = &pci_bus, .on_board = on_board_, .pluggable = true, \
		.properties = input_properties, .init = input_init, .free = virtio_device_free, .reset = virtio_device_reset, \
		.act_kinds = kinds, .act = input_take, .state = &input_state, .own_state = &input_own_state, \
		.loaded = virtio_device_loaded, .qemu_ready = virtio_device_qemu_ready, \
	}
#define POINTER (1u << ACT_BUTTON | 1u << ACT_MOVE)
DEVICE_CLASS(virtio_keyboard_class, "virtio-keyboard-pci", "virtio-keyboard", "keyboard", on_board, 1u << ACT_KEY);
DEVICE_CLASS(virtio_mouse_class, "virtio-mouse-pci", "virtio-mouse", "mouse", NULL, POINTER);
DEVICE_CLASS(virtio_tablet_class, "virtio-tablet-pci", "virtio-tablet", "pointer that is where it points", on_board, POINTER | 1u << ACT_PLACE);

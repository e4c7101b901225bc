/* Virtio over PCI: what a driver finds in configuration space and behind the BARs.
 *
 *   BAR 0   I/O, the legacy interface: a header of 20 bytes (24 while MSI-X is enabled), then the configuration
 *   BAR 1   MSI-X
 *   BAR 4   memory, the modern one: common configuration, ISR, the device's configuration, notifications
 *
 * Identities, the order of capabilities, sizes and what an access of an unusual size finds are QEMU's: a snapshot from
 * there holds this configuration space.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Virtio Over PCI Bus". */
#include <stddef.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/virtio/transport.h"

#define VENDOR           0x1af4
#define MODERN_DEVICE    0x1040		/* and the type */
#define MODERN_SUBSYSTEM 0x1100

#define BAR_LEGACY 0
#define BAR_MSIX   1
#define BAR_MODERN 4

/* Of the modern BAR; the chain of capabilities begins with the last of them. */
#define REGION_BYTES  0x1000u
#define MODERN_BYTES  0x4000u
#define NOTIFY_STRIDE 4u
enum region { REGION_COMMON, REGION_ISR, REGION_DEVICE, REGION_NOTIFY };

#define COMMAND_AT     4
#define COMMAND_MASTER 4u
#define CAPABILITY_VENDOR 9
#define CAP_COMMON 0x40
#define CAP_ISR    0x50
#define CAP_DEVICE 0x60
#define CAP_NOTIFY 0x70
#define CAP_WINDOW 0x84
#define CAP_MSIX   0x98

/* ---- Interrupts ---- */

static bool is_vector(const struct virtio_device *v, uint32_t vector) { return vector < v->pci.msix.vectors; }

/* What a driver's choice reads back as. */
static uint16_t vector_of(const struct virtio_device *v, uint64_t value)
{
	return is_vector(v, (uint16_t)value) ? (uint16_t)value : VIRTIO_NO_VECTOR;
}

void virtio_interrupt(struct virtio_device *v, uint16_t vector)
{
	if (!msix_enabled(&v->pci))
		pci_set_pin(&v->pci, v->isr & VIRTIO_ISR_QUEUE);
	else if (is_vector(v, vector))
		msix_notify(&v->pci, vector);
}

static uint64_t take_isr(struct virtio_device *v)
{
	uint8_t isr = v->isr;

	v->isr = 0;
	pci_set_pin(&v->pci, false);
	return isr;
}

/* ---- Common configuration of the modern interface ---- */

/* A register, by its offset: what it is not is 0, and not written. */
struct common {
	uint64_t (*load)(struct virtio_device *v, unsigned word);
	void (*store)(struct virtio_device *v, unsigned word, uint32_t value);
	/* Of one that is what has been written: its byte in struct virtio_device, or in the selected struct virtqueue. */
	unsigned word;
};

static struct virtqueue *selected(struct virtio_device *v) { return &v->queue[v->queue_select]; }
static uint32_t *word_in(void *s, unsigned at) { return (uint32_t *)((char *)s + at); }

static uint64_t load_word(struct virtio_device *v, unsigned word) { return *word_in(v, word); }
static void store_word(struct virtio_device *v, unsigned word, uint32_t value) { *word_in(v, word) = value; }
static uint64_t load_queue_word(struct virtio_device *v, unsigned word) { return *word_in(selected(v), word); }
static void store_queue_word(struct virtio_device *v, unsigned word, uint32_t value) { *word_in(selected(v), word) = value; }

static uint64_t load_features(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->feature_select < 2 ? virtio_offered(v, true) >> 32 * v->feature_select : 0;
}

static uint64_t load_driver_features(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->driver_feature_select < 2 ? v->driver_features[v->driver_feature_select] : 0;
}

static void store_driver_features(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	if (v->driver_feature_select >= 2)
		return;
	v->driver_features[v->driver_feature_select] = value;
	virtio_agree(v, (uint64_t)v->driver_features[1] << 32 | v->driver_features[0]);
}

static uint64_t load_config_vector(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->config_vector;
}

static void store_config_vector(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	v->config_vector = vector_of(v, value);
}

static uint64_t load_queues(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->queues;
}

static uint64_t load_status(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->status;
}

static void store_status(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	virtio_set_status(v, (uint8_t)value);
}

static uint64_t load_generation(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->config_generation;
}

static uint64_t load_queue_select(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->queue_select;
}

static void store_queue_select(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	if ((uint16_t)value < VIRTIO_QUEUES)
		v->queue_select = (uint16_t)value;
}

static uint64_t load_queue_size(struct virtio_device *v, unsigned word)
{
	(void)word;
	return selected(v)->size;
}

static void store_queue_size(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	if (selected(v)->desc)
		return;
	selected(v)->set_size = (uint16_t)value;
	ring_resize(selected(v), (uint16_t)value);
}

static uint64_t load_queue_vector(struct virtio_device *v, unsigned word)
{
	(void)word;
	return selected(v)->vector;
}

static void store_queue_vector(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	selected(v)->vector = vector_of(v, value);
}

static uint64_t load_queue_enable(struct virtio_device *v, unsigned word)
{
	(void)word;
	return selected(v)->enabled;
}

static uint64_t both_words(const uint32_t *w) { return (uint64_t)w[1] << 32 | w[0]; }

static void store_queue_enable(struct virtio_device *v, unsigned word, uint32_t value)
{
	struct virtqueue *q = selected(v);

	(void)word;
	if ((uint16_t)value != 1) {
		virtio_break(v, "a queue is enabled by another value than 1");
		return;
	}
	if (!q->size || q->enabled)
		return;
	q->desc = both_words(q->set_desc);
	q->avail = both_words(q->set_avail);
	q->used = both_words(q->set_used);
	q->enabled = true;
}

/* Its notifications lie at its number. */
static uint64_t load_notify_offset(struct virtio_device *v, unsigned word)
{
	(void)word;
	return v->queue_select;
}

/* Reads 0: it is done at once. */
static void store_queue_reset(struct virtio_device *v, unsigned word, uint32_t value)
{
	(void)word;
	if ((uint16_t)value != 1 || !virtio_has(v, VIRTIO_F_RING_RESET))
		return;
	if (v->class->queue_reset && v->queue_select < v->queues)
		v->class->queue_reset(v, v->queue_select);
	ring_clear(selected(v));
}

#define QUEUE_WORD(member) { load_queue_word, store_queue_word, offsetof(struct virtqueue, member) }

static const struct common common[] = {
	[0x00] = { load_word, store_word, offsetof(struct virtio_device, feature_select) },
	[0x04] = { load_features, NULL, 0 },
	[0x08] = { load_word, store_word, offsetof(struct virtio_device, driver_feature_select) },
	[0x0c] = { load_driver_features, store_driver_features, 0 },
	[0x10] = { load_config_vector, store_config_vector, 0 },
	[0x12] = { load_queues, NULL, 0 },
	[0x14] = { load_status, store_status, 0 },
	[0x15] = { load_generation, NULL, 0 },
	[0x16] = { load_queue_select, store_queue_select, 0 },
	[0x18] = { load_queue_size, store_queue_size, 0 },
	[0x1a] = { load_queue_vector, store_queue_vector, 0 },
	[0x1c] = { load_queue_enable, store_queue_enable, 0 },
	[0x1e] = { load_notify_offset, NULL, 0 },
	[0x20] = QUEUE_WORD(set_desc[0]),
	[0x24] = QUEUE_WORD(set_desc[1]),
	[0x28] = QUEUE_WORD(set_avail[0]),
	[0x2c] = QUEUE_WORD(set_avail[1]),
	[0x30] = QUEUE_WORD(set_used[0]),
	[0x34] = QUEUE_WORD(set_used[1]),
	[0x3a] = { NULL, store_queue_reset, 0 },
};

static uint64_t load_common(struct virtio_device *v, unsigned at)
{
	return at < sizeof common / sizeof common[0] && common[at].load ? common[at].load(v, common[at].word) : 0;
}

static void store_common(struct virtio_device *v, unsigned at, uint32_t value)
{
	if (at < sizeof common / sizeof common[0] && common[at].store)
		common[at].store(v, common[at].word, value);
}

/* ---- The modern BAR ---- */

static uint64_t load_modern_part(struct virtio_device *v, unsigned at, unsigned size)
{
	switch (at / REGION_BYTES) {
	case REGION_COMMON:
		return load_common(v, at);
	case REGION_ISR:
		return take_isr(v);
	case REGION_DEVICE:
		return virtio_config_load(v, at % REGION_BYTES, size);
	default:
		return 0;
	}
}

static void store_modern_part(struct virtio_device *v, unsigned at, unsigned size, uint32_t value)
{
	switch (at / REGION_BYTES) {
	case REGION_COMMON:
		store_common(v, at, value);
		break;
	case REGION_DEVICE:
		virtio_config_store(v, at % REGION_BYTES, size, value);
		break;
	case REGION_NOTIFY:
		virtio_kick(v, at % REGION_BYTES / NOTIFY_STRIDE);
		break;
	default:
		break;
	}
}

/* Registers have four bytes at most: more are two accesses. */
static uint64_t load_modern(struct pci_device *pci, uint64_t at, unsigned size)
{
	struct virtio_device *v = (struct virtio_device *)pci;
	uint64_t low = load_modern_part(v, (unsigned)at, size > 4 ? 4 : size);

	if (size > 4)
		return (low & UINT32_MAX) | load_modern_part(v, (unsigned)at + 4, 4) << 32;
	return low & (UINT64_MAX >> (64 - 8 * size));
}

static void store_modern(struct pci_device *pci, uint64_t at, unsigned size, uint64_t value)
{
	struct virtio_device *v = (struct virtio_device *)pci;

	store_modern_part(v, (unsigned)at, size > 4 ? 4 : size, (uint32_t)value);
	if (size > 4)
		store_modern_part(v, (unsigned)at + 4, 4, (uint32_t)(value >> 32));
}

/* ---- The legacy BAR ---- */

#define LEGACY_HEAD      20u
#define LEGACY_HEAD_MSIX 24u
#define LEGACY_PAGE_SHIFT 12

enum legacy {
	LEGACY_FEATURES = 0, LEGACY_DRIVER_FEATURES = 4, LEGACY_PAGE = 8, LEGACY_SIZE = 12, LEGACY_SELECT = 14,
	LEGACY_NOTIFY = 16, LEGACY_STATUS = 18, LEGACY_ISR = 19, LEGACY_CONFIG_VECTOR = 20, LEGACY_QUEUE_VECTOR = 22,
};

static unsigned legacy_head(const struct virtio_device *v)
{
	return msix_enabled(&v->pci) ? LEGACY_HEAD_MSIX : LEGACY_HEAD;
}

static uint64_t load_legacy_head(struct virtio_device *v, unsigned at)
{
	switch ((enum legacy)at) {
	case LEGACY_FEATURES:
		return virtio_offered(v, false);
	case LEGACY_DRIVER_FEATURES:
		return v->features;
	case LEGACY_PAGE:
		return selected(v)->desc >> LEGACY_PAGE_SHIFT;
	case LEGACY_SIZE:
		return selected(v)->size;
	case LEGACY_SELECT:
		return v->queue_select;
	case LEGACY_STATUS:
		return v->status;
	case LEGACY_ISR:
		return take_isr(v);
	case LEGACY_CONFIG_VECTOR:
		return v->config_vector;
	case LEGACY_QUEUE_VECTOR:
		return selected(v)->vector;
	case LEGACY_NOTIFY:
		break;
	}
	return UINT64_MAX;
}

/* A page number of 0 resets the device. */
static void store_legacy_page(struct virtio_device *v, uint32_t page)
{
	if (!page)
		virtio_set_status(v, 0);
	else if (selected(v)->size)
		ring_place_legacy(selected(v), (uint64_t)page << LEGACY_PAGE_SHIFT);
}

/* Old drivers take it for granted that the device may use memory. */
static void store_legacy_status(struct virtio_device *v, uint8_t status)
{
	virtio_set_status(v, status);
	if (status == (VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER)) {
		uint32_t command = pci_config_load(&v->pci, COMMAND_AT, 2);

		pci_config_store(&v->pci, COMMAND_AT, 2, command | COMMAND_MASTER);
	}
}

static void store_legacy_head(struct virtio_device *v, unsigned at, uint32_t value)
{
	switch ((enum legacy)at) {
	case LEGACY_DRIVER_FEATURES:
		virtio_agree(v, value);
		break;
	case LEGACY_PAGE:
		store_legacy_page(v, value);
		break;
	case LEGACY_SELECT:
		store_queue_select(v, 0, value);
		break;
	case LEGACY_NOTIFY:
		virtio_kick(v, (uint16_t)value);
		break;
	case LEGACY_STATUS:
		store_legacy_status(v, (uint8_t)value);
		break;
	case LEGACY_CONFIG_VECTOR:
		store_config_vector(v, 0, value);
		break;
	case LEGACY_QUEUE_VECTOR:
		store_queue_vector(v, 0, value);
		break;
	case LEGACY_FEATURES:
	case LEGACY_SIZE:
	case LEGACY_ISR:
		break;
	}
}

static uint64_t load_legacy(struct pci_device *pci, uint64_t at, unsigned size)
{
	struct virtio_device *v = (struct virtio_device *)pci;
	unsigned head = legacy_head(v);
	uint64_t value = at < head ? load_legacy_head(v, (unsigned)at) : virtio_config_load(v, at - head, size);

	return value & (UINT64_MAX >> (64 - 8 * size));
}

static void store_legacy(struct pci_device *pci, uint64_t at, unsigned size, uint64_t value)
{
	struct virtio_device *v = (struct virtio_device *)pci;
	unsigned head = legacy_head(v);

	if (at < head)
		store_legacy_head(v, (unsigned)at, (uint32_t)value);
	else
		virtio_config_store(v, at - head, size, value);
}

/* ---- Configuration space: a window to the modern BAR, for who cannot map it ---- */

#define WINDOW_BAR    (CAP_WINDOW + 4u)
#define WINDOW_OFFSET (CAP_WINDOW + 8u)
#define WINDOW_LENGTH (CAP_WINDOW + 12u)
#define WINDOW_DATA   (CAP_WINDOW + 16u)

/* What the driver has chosen, if it is an access that there is. */
static bool window_chosen(const struct pci_device *pci, uint32_t *at, uint32_t *size)
{
	*at = get_le32(pci->config + WINDOW_OFFSET);
	*size = get_le32(pci->config + WINDOW_LENGTH);
	return (*size == 1 || *size == 2 || *size == 4) && pci->config[WINDOW_BAR] == BAR_MODERN && *at % *size == 0 &&
	       *at < MODERN_BYTES;
}

static void window_store(struct pci_device *pci, unsigned at, unsigned size)
{
	uint32_t where, bytes;

	if (pci_overlap(at, size, WINDOW_DATA, 4) && window_chosen(pci, &where, &bytes))
		store_modern(pci, where, bytes, get_le32(pci->config + WINDOW_DATA) & (UINT32_MAX >> (32 - 8 * bytes)));
}

/* What is found becomes the data register's, and of that the driver reads what it has asked for. */
static bool window_load(struct pci_device *pci, unsigned at, unsigned size, uint32_t *value)
{
	uint32_t where, bytes;

	if (!pci_overlap(at, size, WINDOW_DATA, 4) || !window_chosen(pci, &where, &bytes))
		return false;
	put_le32(pci->config + WINDOW_DATA, (uint32_t)load_modern(pci, where, bytes));
	*value = 0;
	memcpy(value, pci->config + at, size > 4 ? 4 : size);
	return true;
}

static void command_written(struct virtio_device *v)
{
	virtio_set_disabled(v, !pci_is_master(&v->pci));
}

static void config_written(struct pci_device *pci, unsigned at, unsigned size)
{
	struct virtio_device *v = (struct virtio_device *)pci;

	if (pci_overlap(at, size, COMMAND_AT, 1))
		command_written(v);
	if (!v->disable_modern)
		window_store(pci, at, size);
}

/* ---- Making ---- */

static const struct pci_bar_ops legacy_ops = { load_legacy, store_legacy };
static const struct pci_bar_ops modern_ops = { load_modern, store_modern };

static void add_region(struct pci_device *pci, uint8_t at, uint8_t type, enum region region, uint8_t bytes)
{
	uint8_t *cap = pci->config + at;

	pci_add_capability(pci, CAPABILITY_VENDOR, at, bytes);
	cap[2] = bytes;
	cap[3] = type;
	cap[4] = BAR_MODERN;
	put_le32(cap + 8, region * REGION_BYTES);
	put_le32(cap + 12, REGION_BYTES);
}

static void add_window(struct pci_device *pci)
{
	pci_add_capability(pci, CAPABILITY_VENDOR, CAP_WINDOW, 20);
	pci->config[CAP_WINDOW + 2] = 20;
	pci->config[CAP_WINDOW + 3] = 5;
	pci->writable[WINDOW_BAR] = 0xff;
	memset(pci->writable + WINDOW_OFFSET, 0xff, 12);	/* offset, length, data */
	pci->config_load = window_load;
}

static void add_modern(struct pci_device *pci)
{
	add_region(pci, CAP_COMMON, 1, REGION_COMMON, 16);
	add_region(pci, CAP_ISR, 3, REGION_ISR, 16);
	add_region(pci, CAP_DEVICE, 4, REGION_DEVICE, 16);
	add_region(pci, CAP_NOTIFY, 2, REGION_NOTIFY, 20);
	put_le32(pci->config + CAP_NOTIFY + 16, NOTIFY_STRIDE);
	add_window(pci);
	pci_add_bar(pci, BAR_MODERN, PCI_BAR_MEM64, MODERN_BYTES, &modern_ops);
}

static void identify(struct virtio_device *v, uint16_t legacy_id)
{
	struct pci_id id = { .vendor = VENDOR, .device = legacy_id, .subsystem_vendor = VENDOR, .subsystem = v->class->type,
			     .class = v->class->pci_class, .pin = true };

	if (v->disable_legacy) {
		id.device = MODERN_DEVICE + v->class->type;
		id.subsystem = MODERN_SUBSYSTEM;
		id.revision = 1;
	}
	pci_identify(&v->pci, &id);
}

static uint32_t vectors_of(const struct virtio_device *v)
{
	uint32_t wanted = v->vectors == UINT32_MAX ? v->queues + 1 : v->vectors;

	if (v->class->no_msix)
		return 0;
	return wanted < PCI_MAX_VECTORS ? wanted : PCI_MAX_VECTORS;
}

bool virtio_pci_init(struct virtio_device *v, uint16_t legacy_id, struct error *err)
{
	struct pci_device *pci = &v->pci;
	uint32_t vectors = vectors_of(v);

	identify(v, legacy_id);
	pci->config_written = config_written;
	if (!v->disable_modern)
		add_modern(pci);
	if (vectors && !msix_init(pci, vectors, BAR_MSIX, v->disable_modern ? 0x40 : CAP_MSIX, err))
		return false;
	v->has_vector = vectors != 0;
	for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
		v->queue[i].has_vector = v->has_vector;
	if (!v->disable_legacy)
		pci_add_bar(pci, BAR_LEGACY, PCI_BAR_IO,
			    power_of_two((vectors ? LEGACY_HEAD_MSIX : LEGACY_HEAD) + v->class->config_bytes), &legacy_ops);
	return true;
}

/* virtio-9p-pci: what a driver sees, when a message is answered, what a hostile driver does not get. */
#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/fsdev.h"
#include "machine/core/memory.h"
#include "virtio_driver.h"

#define RING   UINT64_C(0x1000000)
#define BUFFER UINT64_C(0x2000000)
#define V1     (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define US     (CPU_HZ / 1000000)

extern const struct device_class virtio_9p_class;

static struct fsdev_config fsdev = {
	.id = "f", .options = { .path = "/proc/self", .model = SHARE_NONE, .readonly = true },
};

static void pass(struct machine *m, uint64_t cycles)
{
	uint64_t end = m->clock.now + cycles;

	while (clock_next_event(m) <= end) {
		m->clock.now = clock_next_event(m);
		clock_fire_due(m);
	}
	m->clock.now = end;
}

static struct ring begin(struct virtio_device *v)
{
	struct ring r;

	modern_begin(v, V1);
	r = ring_new(v, 0, RING);
	modern_ready(v);
	return r;
}

/* `out` bytes of the message in BUFFER, room for `in` bytes of the answer. */
static void send(struct ring *r, const void *message, uint32_t out, uint32_t in)
{
	ram_write(&r->v->pci.dev.machine->ram, BUFFER, message, out);
	put_desc(r, 0, BUFFER, out, D_NEXT, 1);
	put_desc(r, 1, BUFFER + 4096, in, D_WRITE, 0);
	offer(r, 0);
	kick(r);
}

static const uint8_t tversion[] = { 21, 0, 0, 0, 100, 255, 255, 0, 32, 0, 0, 8, 0, '9', 'P', '2', '0', '0', '0', '.', 'L' };
static const uint8_t tattach[] = { 23, 0, 0, 0, 104, 1, 0, 7, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0 };

static void test_answers(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_9p_class, "fsdev=f,mount_tag=laptop,latency=10,bandwidth=0");
	struct error err = { .msg = "" };
	struct ring r = begin(v);

	check(r.size == 128 && v->pci.msix.vectors == 2, "queue and vectors are QEMU's");
	check(bar_load(v, 4, 0x2000, 2) == 6 && bar_load(v, 4, 0x2002, 1) == 'l', "the tag, and how long it is");
	send(&r, tversion, sizeof tversion, 64);
	pass(m, 10 * US - 1);
	check_eq(used_index(&r), 0, "no answer before it is due");
	pass(m, 1);
	check_eq(used_index(&r), 1, "at its cycle it is there");
	check(used_bytes(&r, 0) == 21 && ld_u8(&m->ram, BUFFER + 4096 + 4) == 101, "Rversion");
	check(virtio_9p_class.qemu_can(&v->pci.dev, &err), "nothing is mounted: QEMU has all of it");
	send(&r, tattach, sizeof tattach, 64);
	check(!virtio_9p_class.qemu_ready(&v->pci.dev), "a message in flight has to end first");
	pass(m, 10 * US);
	check(used_bytes(&r, 1) == 20 && ld_u8(&m->ram, BUFFER + 4096 + 4) == 105, "Rattach");
	check(!virtio_9p_class.qemu_can(&v->pci.dev, &err) && strstr(err.msg, "'laptop'"), "mounted: %s", err.msg);
	send(&r, tversion, sizeof tversion, 64);
	set_status(v, 0);
	pass(m, 100 * US);
	check(used_index(&r) == 2 && virtio_9p_class.qemu_can(&v->pci.dev, &err), "a reset drops messages and fids");
}

static void test_bandwidth(struct machine *m)
{
	static const uint8_t tread[] = { 23, 0, 0, 0, 116, 1, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 232, 3, 0, 0 };
	struct virtio_device *v = virtio_new(m, &virtio_9p_class, "fsdev=f,mount_tag=t,latency=0,bandwidth=1");
	struct ring r = begin(v);

	send(&r, tread, sizeof tread, 2048);
	pass(m, 1022 * US);
	check_eq(used_index(&r), 0, "a read takes as long as its bytes");
	pass(m, 1 * US);
	check_eq(used_index(&r), 1, "and no longer");
	check(used_bytes(&r, 0) == 11, "Rlerror before Tversion");
}

static void test_hostile(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_9p_class, "fsdev=f,mount_tag=t");
	struct ring r = begin(v);

	send(&r, tversion, 6, 64);
	pass(m, 1000 * US);
	check(v->broken, "no room for a header: the device wants a reset");
	r = begin(v);
	check(!v->broken, "and has had it");
	send(&r, tversion, sizeof tversion, 10);
	pass(m, 1000 * US);
	check(v->broken, "no room for an answer: the same");
	r = begin(v);
	put_desc(&r, 0, BUFFER, UINT32_C(0x4000000), D_NEXT, 1);
	put_desc(&r, 1, BUFFER, UINT32_C(0x4000000), D_WRITE, 0);
	offer(&r, 0);
	kick(&r);
	pass(m, 10000000 * US);
	check(used_index(&r) == 1 && used_bytes(&r, 0) == 21, "64 MiB each way: what its size says, no more");
}

/* The driver takes its right to use memory away (bus master) and gives it back: a message is answered then. */
static void test_disabled(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_9p_class, "fsdev=f,mount_tag=t,latency=10");
	struct ring r = begin(v);

	pci_config_store(&v->pci, 4, 2, 6);
	modern_ready(v);
	send(&r, tversion, sizeof tversion, 64);
	pci_config_store(&v->pci, 4, 2, 2);
	pass(m, 100 * US);
	check_eq(used_index(&r), 0, "disabled: no answer");
	pci_config_store(&v->pci, 4, 2, 6);
	modern_ready(v);
	pass(m, 100 * US);
	check(used_index(&r) == 1 && used_bytes(&r, 0) == 21, "disabled: it comes afterwards");
}

/* QEMU had taken a message and not answered it. */
static void test_foreign(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_9p_class, "fsdev=f,mount_tag=t,latency=10");
	struct ring r = begin(v);

	ram_write(&m->ram, BUFFER, tversion, sizeof tversion);
	put_desc(&r, 0, BUFFER, sizeof tversion, D_NEXT, 1);
	put_desc(&r, 1, BUFFER + 4096, 64, D_WRITE, 0);
	offer(&r, 0);
	v->queue[0].last_avail = 1;
	virtio_9p_class.loaded(&v->pci.dev, true);
	pass(m, 100 * US);
	check(used_index(&r) == 1 && used_bytes(&r, 0) == 21 && !v->queue[0].in_flight, "foreign: it is answered here");
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, "1");
	rig.options.fsdev[0] = &fsdev;
	rig.options.fsdevs = 1;
	test_answers(rig.m);
	test_bandwidth(rig.m);
	test_hostile(rig.m);
	test_disabled(rig.m);
	test_foreign(rig.m);
	rig.options.fsdevs = 0;
	rig_free(&rig);
	return check_done();
}

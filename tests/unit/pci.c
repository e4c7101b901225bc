/* The PCI bridge and what is on its bus, with a device of our own: slots, configuration space, BARs, messages, pins, DMA
 * through entries that a guest has set, the device tree, snapshots; and all that a hostile guest may say. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>

#include <libfdt.h>

#include "check.h"
#include "hcall/hcall.h"
#include "machine/core/mmio.h"
#include "machine/core/node.h"
#include "machine/core/tce.h"
#include "machine/irq/msi.h"
#include "machine/irq/xics.h"
#include "machine/pci/pci.h"
#include "machine/pci/phb.h"
#include "machine/rtas/rtas.h"
#include "machine/snapshot/snapshot.h"
#include "rig.h"

#define BUID_HIGH 0x8000000u
#define BUID_LOW  0x20000000u
#define CELLS     0x100000u		/* guest memory for calls, lists, data */
#define LIST      0x101000u
#define DATA      0x200000u
#define LIOBN     0x80000000u
#define IO_AT     UINT64_C(0x200000000000)
#define MEM32_AT  UINT64_C(0x200080000000)
#define MEM64_AT  UINT64_C(0x210000000000)

/* ---- The device: what is stored in its BARs can be seen here ---- */

struct toy {
	struct pci_device pci;
	uint64_t offset, value;		/* of the last store */
	unsigned size, stores;
	unsigned written_at;		/* config_written() */
	bool no_pin;			/* property */
};

static uint64_t toy_load(struct pci_device *pci, uint64_t offset, unsigned size)
{
	(void)pci;
	return 0x1000 * size + offset;
}

static void toy_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct toy *toy = (struct toy *)pci;

	toy->offset = offset;
	toy->size = size;
	toy->value = value;
	toy->stores++;
}

static void toy_written(struct pci_device *pci, unsigned at, unsigned size)
{
	((struct toy *)pci)->written_at = at + size;
}

static bool toy_config_load(struct pci_device *pci, unsigned at, unsigned size, uint32_t *value)
{
	(void)pci;
	*value = size;
	return at == 0x84;
}

static bool toy_init(struct device *dev, struct error *err)
{
	static const struct pci_bar_ops ops = { .load = toy_load, .store = toy_store };
	struct toy *toy = (struct toy *)dev;
	const struct pci_id id = { .vendor = 0x1af4, .device = 0x1111, .subsystem = 0x22, .revision = 3, .class = 0x0c0330, .pin = !toy->no_pin };

	pci_identify(&toy->pci, &id);
	pci_add_bar(&toy->pci, 0, PCI_BAR_IO, 0x20, &ops);
	pci_add_bar(&toy->pci, 2, PCI_BAR_MEM32, 0x1000, &ops);
	pci_add_bar(&toy->pci, 4, PCI_BAR_MEM64, 0x4000, &ops);
	pci_add_capability(&toy->pci, 9, 0x40, 16);
	toy->pci.config_written = toy_written;
	toy->pci.config_load = toy_config_load;
	return msix_init(&toy->pci, 4, 1, 0x98, err);
}

static void toy_free(struct device *dev) { pci_device_free((struct pci_device *)dev); }

static const struct device_property toy_properties[] = {
	{ .name = "no-pin", .help = "messages only", .type = PROPERTY_BOOL, .settable = true, .offset = offsetof(struct toy, no_pin) },
	{ .name = NULL },
};

static const struct vmstate toy_state = {
	.name = "toy-pci", .version = 1, .min_version = 1, VMS_OF(struct toy),
	.fields = VMS_FIELDS(VMS_STRUCT("pci", struct toy, pci, struct pci_device, pci_device_state),
			     VMS_STRUCT("msix", struct toy, pci.msix, struct msix, msix_state)),
};

static const struct device_class toy_class = {
	.name = "toy-pci", .help = "a toy", .size = sizeof(struct toy), .on = &pci_bus, .pluggable = true, .properties = toy_properties,
	.init = toy_init, .free = toy_free, .state = &toy_state,
};

static struct toy *new_toy(struct machine *m, const char *values)
{
	struct error err = { .msg = "" };
	struct toy *toy = (struct toy *)device_new(m, &toy_class, values, &err);

	if (!toy) {
		printf("FAIL -device toy-pci,%s: %s\n", values, err.msg);
		exit(EXIT_FAILURE);
	}
	pci_device_reset(&toy->pci);
	return toy;
}

/* ---- Calls ---- */

static int64_t hcall(struct machine *m, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t *result)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	const uint64_t in[] = { number, a, b, c, d };

	memcpy(&cpu->r[3], in, sizeof in);
	hcall_dispatch(cpu);
	if (result)
		*result = cpu->r[4];
	return (int64_t)cpu->r[3];
}

/* Results after the status go to `out`, those that there are. */
static int32_t rtas(struct machine *m, uint32_t call, uint32_t nargs, const uint32_t *args, uint32_t nret, uint32_t *out)
{
	st_be32(&m->ram, CELLS, RTAS_TOKEN_BASE + call);
	st_be32(&m->ram, CELLS + 4, nargs);
	st_be32(&m->ram, CELLS + 8, nret);
	for (uint32_t i = 0; i < nargs; i++)
		st_be32(&m->ram, CELLS + 12 + 4 * i, args[i]);
	rtas_call(&m->cpu[0]->cpu, CELLS);
	for (uint32_t i = 0; out && i + 1 < nret; i++)
		out[i] = ld_be32(&m->ram, CELLS + 12 + 4 * (nargs + 1 + i));
	return (int32_t)ld_be32(&m->ram, CELLS + 12 + 4 * nargs);
}

static uint32_t address(const struct toy *toy, uint32_t at) { return (uint32_t)toy->pci.devfn << 8 | at; }

static int32_t config_read(struct machine *m, uint32_t address, uint32_t size, uint32_t *value)
{
	return rtas(m, 0x16, 4, (const uint32_t[]){ address, BUID_HIGH, BUID_LOW, size }, 2, value);
}

static int32_t config_write(struct machine *m, uint32_t address, uint32_t size, uint32_t value)
{
	return rtas(m, 0x17, 5, (const uint32_t[]){ address, BUID_HIGH, BUID_LOW, size, value }, 1, NULL);
}

static uint32_t read_word(struct machine *m, const struct toy *toy, uint32_t at)
{
	uint32_t value = 0;

	config_read(m, address(toy, at), 4, &value);
	return value;
}

static void set(struct machine *m, const struct toy *toy, uint32_t at, uint32_t value) { config_write(m, address(toy, at), 4, value); }

static int32_t change_msi(struct machine *m, const struct toy *toy, uint32_t function, uint32_t num, uint32_t *out)
{
	return rtas(m, 0x19, 6, (const uint32_t[]){ address(toy, 0), BUID_HIGH, BUID_LOW, function, num, 7 }, 4, out);
}

/* ---- Slots ---- */

static bool refused(struct machine *m, const char *values, const char *why)
{
	struct error err = { .msg = "" };
	bool ok = !device_new(m, &toy_class, values, &err) && strstr(err.msg, why);

	return check(ok, "%s: %s", values, err.msg);
}

static void test_slots(struct machine *m)
{
	char path[64];
	struct toy *a = new_toy(m, ""), *b = new_toy(m, "addr=2"), *c = new_toy(m, ""), *d = new_toy(m, "addr=1f.0,multifunction=on");

	check(a->pci.devfn == 0 && b->pci.devfn == 0x10 && c->pci.devfn == 8 && d->pci.devfn == 0xf8, "first-free-slot");
	check_eq(new_toy(m, "addr=1f.7")->pci.devfn, 0xff, "function");
	check_eq(new_toy(m, "addr=5.3")->pci.devfn, 0x2b, "function-before-its-first");
	refused(m, "addr=2", "taken by toy-pci");
	refused(m, "addr=2.1", "has one function");
	refused(m, "addr=5", "needs multifunction=on");
	refused(m, "addr=1f.7", "taken");
	refused(m, "addr=20", "not SLOT");
	refused(m, "addr=1.8", "not SLOT");
	refused(m, "addr=", "not SLOT");
	refused(m, "addr=-1", "not SLOT");
	refused(m, "addr=1.", "not SLOT");
	refused(m, "addr=10000000000000001", "not SLOT");
	check_eq(new_toy(m, "")->pci.devfn, 0x18, "next-free-slot");
	check(pci_find(m, PHB_BUID, 0, 0x2b) && !pci_find(m, PHB_BUID, 1, 0) && !pci_find(m, PHB_BUID + 1, 0, 0) &&
	      !pci_find(m, PHB_BUID, 0, 0x40), "find");
	pci_node_path(&d->pci, path, sizeof path);
	check(!strcmp(path, "/pci@800000020000000/usb-xhci@1f"), "path: %s", path);
	pci_bus.path(&b->pci.dev, path, sizeof path);
	check(!strcmp(path, "pci@800000020000000:02.0"), "section: %s", path);
}

static void test_full(struct machine *m)
{
	for (unsigned i = 0; i < 32; i++)
		new_toy(m, "");
	refused(m, "", "all slots");
}

/* ---- Configuration space ---- */

static void test_config(struct machine *m)
{
	struct toy *toy = new_toy(m, "addr=3");
	uint32_t v = 0x55;

	check_eq(read_word(m, toy, 0), 0x11111af4, "ids");
	check_eq(read_word(m, toy, 8), 0x0c033003, "class");
	check_eq(read_word(m, toy, 0x2c), 0x00220000, "subsystem");
	check(!config_read(m, address(toy, 0x3d), 1, &v) && v == 1, "pin");
	check(!config_read(m, address(toy, 0x34), 1, &v) && v == 0x98, "first-capability");
	check(!config_read(m, address(toy, 0x99), 1, &v) && v == 0x40, "next-capability");
	check(!config_read(m, address(toy, 0x06), 2, &v) && v == 0x10, "status");
	set(m, toy, 0, UINT32_MAX);
	set(m, toy, 0x40, UINT32_MAX);
	check(read_word(m, toy, 0) == 0x11111af4 && read_word(m, toy, 0x40) == 9, "fixed-bits");
	config_write(m, address(toy, 4), 2, UINT16_MAX);
	check(!config_read(m, address(toy, 4), 2, &v) && v == 0x507, "command");
	toy->pci.config[7] = 0xf9;
	config_write(m, address(toy, 6), 2, 0x8010);
	check(!config_read(m, address(toy, 6), 2, &v) && v == 0x7910, "cleared-by-a-one: 0x%x", v);
	check_eq(toy->written_at, 8, "the-device-hears-of-it");
	check(read_word(m, toy, 0x84) == 4, "the-device-answers");
	pci_device_reset(&toy->pci);
	check(read_word(m, toy, 4) == 0x00100000 && read_word(m, toy, 0) == 0x11111af4, "reset");
}

static void test_config_refused(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);
	uint32_t v = 0x55;

	check(config_read(m, address(toy, 0), 3, &v) == -1 && config_read(m, address(toy, 0), 0, &v) == -1, "size");
	check(config_read(m, address(toy, 2), 4, &v) == -1 && config_write(m, address(toy, 1), 2, 0) == -1, "unaligned");
	check(config_read(m, address(toy, 0) | 0x10000000, 4, &v) == -1, "beyond-its-end");
	check(config_read(m, 0x7f00, 4, &v) == -1 && config_read(m, address(toy, 0) | 0x10000, 4, &v) == -1, "nobody-there");
	check(rtas(m, 0x16, 4, (const uint32_t[]){ address(toy, 0), BUID_HIGH, 0, 4 }, 2, &v) == -1, "no-such-bridge");
	check(rtas(m, 0x14, 2, (const uint32_t[]){ address(toy, 0), 4 }, 2, &v) == -1, "no-bridge-named");
	check(rtas(m, 0x16, 3, (const uint32_t[]){ address(toy, 0), BUID_HIGH, BUID_LOW }, 2, &v) == -3, "too-few-arguments");
}

/* ---- BARs ---- */

static uint64_t load(struct machine *m, uint64_t gra, unsigned size)
{
	uint64_t v = UINT64_MAX;

	return mmio_load(m, gra, size, &v) ? v : UINT64_MAX - 1;
}

static void test_bars(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);

	set(m, toy, 0x10, UINT32_MAX);
	set(m, toy, 0x14, UINT32_MAX);
	set(m, toy, 0x20, UINT32_MAX);
	set(m, toy, 0x24, UINT32_MAX);
	check(read_word(m, toy, 0x10) == 0xffffffe1 && read_word(m, toy, 0x14) == 0xfffff000 && read_word(m, toy, 0x20) == 0xffffc00c &&
	      read_word(m, toy, 0x24) == UINT32_MAX, "sizes");
	set(m, toy, 0x10, 0x80);
	set(m, toy, 0x18, 0x80002000);
	set(m, toy, 0x20, 0x4000);
	set(m, toy, 0x24, 0x2100);
	check(load(m, IO_AT + 0x88, 4) == 0 && load(m, MEM32_AT + 0x2008, 4) == 0 && load(m, MEM64_AT + 0x4008, 8) == 0, "off-at-first");
	set(m, toy, 4, 1);
	check(load(m, IO_AT + 0x88, 4) == 0x4008 && load(m, MEM32_AT + 0x2008, 4) == 0, "io-alone");
	set(m, toy, 4, 3);
	check(load(m, MEM32_AT + 0x2ff8, 8) == 0x8ff8 && load(m, MEM64_AT + 0x7fff, 1) == 0x4fff, "memory");
	check(load(m, MEM32_AT + 0x3000, 4) == 0 && load(m, MEM64_AT + 0x3ff8, 8) == 0 && load(m, IO_AT + 0xa0, 1) == 0, "beside-them");
	check(mmio_store(m, MEM64_AT + 0x4010, 2, 0xabcd) && toy->offset == 0x10 && toy->size == 2 && toy->value == 0xabcd, "store");
	check(mmio_store(m, MEM64_AT, 4, 1) && toy->stores == 1, "a-store-to-nothing-is-lost");
	check_eq(load(m, MEM32_AT + 0x2006, 4), UINT64_MAX - 1, "unaligned");
	check_eq(load(m, MEM32_AT + 0x2006, 3), UINT64_MAX - 1, "three-bytes");
	check(load(m, IO_AT + 0x10000, 4) == UINT64_MAX - 1 && load(m, IO_AT - 4, 4) == UINT64_MAX - 1 &&
	      load(m, MEM64_AT + (UINT64_C(1) << 40), 8) == UINT64_MAX - 1 && load(m, UINT64_MAX - 7, 8) == UINT64_MAX - 1, "outside-the-windows");
	set(m, toy, 0x20, 0xffffc000);
	set(m, toy, 0x24, UINT32_MAX);
	check_eq(toy->pci.bar[4].at, PCI_UNMAPPED, "at-the-end-of-the-world");
	set(m, toy, 0x20, 0x90000000);
	set(m, toy, 0x24, 0);
	check_eq(load(m, MEM32_AT + 0x10000008, 4), 0x4008, "a-wide-one-below");
}

static void test_logical(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);
	uint64_t v = 0;

	check(!hcall(m, 0x3c, 4, MEM32_AT + 0x2008, 0, 0, &v) && v == 0x08400000, "ci-load: 0x%" PRIx64, v);
	check(!hcall(m, 0x40, 2, MEM32_AT + 0x2010, 0x1234, 0, NULL) && toy->value == 0x3412 && toy->size == 2 && toy->offset == 0x10, "ci-store");
	check(hcall(m, 0x3c, 3, MEM32_AT + 0x2008, 0, 0, NULL) == H_PARAMETER && hcall(m, 0x3c, UINT64_MAX, MEM32_AT, 0, 0, NULL) == H_PARAMETER &&
	      hcall(m, 0x40, 4, MEM32_AT + 0x2001, 0, 0, NULL) == H_PARAMETER && hcall(m, 0x44, 4, MEM32_AT + 0x2008, 0, 0, NULL) == H_PARAMETER &&
	      hcall(m, 0x3c, 0, MEM32_AT, 0, 0, NULL) == H_PARAMETER, "ci-refused");
	check(!hcall(m, 0x40, 8, DATA, 0x1122334455667788, 0, NULL) && !hcall(m, 0x3c, 4, DATA + 4, 0, 0, &v) && v == 0x55667788, "ci-of-RAM");
}

/* ---- Messages ---- */

static uint8_t status_of(struct machine *m, uint32_t irq) { return xics_source(m, irq)->status; }

/* Sources are off, so that what comes in waits there: once seen, it is taken away. */
static bool came(struct machine *m, uint32_t irq)
{
	bool yes = status_of(m, irq) & XICS_MASKED_PENDING;

	m->xics->source[irq - XICS_IRQ_BASE].status = 0;
	return yes;
}

#define TABLE (MEM32_AT + 0x10000)

static void test_msix(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);
	uint32_t out[3], first;

	check(change_msi(m, toy, 3, 0, out) == -1, "release-of-nothing");
	check(change_msi(m, toy, 3, 1, out) == -3 && change_msi(m, toy, 0, 1, out) == -3 && change_msi(m, toy, 5, 1, out) == -3, "functions");
	check(change_msi(m, toy, 4, 5, out) == 0 && out[0] == 4 && out[1] == 8 && !m->msi_map[0], "more-than-there-are");
	check(change_msi(m, toy, 4, UINT32_MAX, out) == 0 && out[0] == 4, "many-more");
	check(change_msi(m, toy, 4, 3, out) == 0 && out[0] == 3 && out[2] == 2 && m->msi_map[0] == 7, "given");
	check(rtas(m, 0x18, 4, (const uint32_t[]){ address(toy, 0), BUID_HIGH, BUID_LOW, 2 }, 3, out) == 0 && out[0] == MSI_FIRST + 2 && out[1] == 1,
	      "source");
	check(rtas(m, 0x18, 4, (const uint32_t[]){ address(toy, 0), BUID_HIGH, BUID_LOW, 3 }, 3, out) == -1 &&
	      rtas(m, 0x18, 4, (const uint32_t[]){ 0x7f00, BUID_HIGH, BUID_LOW, 0 }, 3, out) == -3, "no-source");
	set(m, toy, 0x14, 0x80010000);
	set(m, toy, 4, 7);
	check(load(m, TABLE, 8) == PHB_MSI_ADDRESS && load(m, TABLE + 0x18, 4) == MSI_FIRST + 1 && load(m, TABLE + 0x3c, 4) == 1, "table");
	msix_notify(&toy->pci, 0);
	check(!came(m, MSI_FIRST) && load(m, TABLE + 0x800, 8) == 1, "off-is-pending");
	config_write(m, address(toy, 0x9a), 2, 0x8000);
	check(came(m, MSI_FIRST) && load(m, TABLE + 0x800, 8) == 0 && msix_enabled(&toy->pci), "comes-when-it-is-on");
	msix_notify(&toy->pci, 1);
	check(came(m, MSI_FIRST + 1) && !came(m, MSI_FIRST), "comes-at-once");
	mmio_store(m, TABLE + 0x2c, 4, 1);
	msix_notify(&toy->pci, 2);
	msix_notify(&toy->pci, 4);
	msix_notify(&toy->pci, UINT32_MAX);
	check(!came(m, MSI_FIRST + 2) && load(m, TABLE + 0x800, 1) == 4, "masked-is-pending");
	mmio_store(m, TABLE + 0x800, 8, 0);
	mmio_store(m, TABLE + 0x2c, 1, 0);
	check(load(m, TABLE + 0x800, 4) == 4 && load(m, TABLE + 0x2c, 4) == 1, "not-to-be-written");
	mmio_store(m, TABLE + 0x2c, 4, 0);
	check(came(m, MSI_FIRST + 2) && load(m, TABLE + 0x800, 4) == 0, "unmasked-comes");
	config_write(m, address(toy, 0x9a), 2, 0xc000);
	msix_notify(&toy->pci, 0);
	check(!came(m, MSI_FIRST), "all-masked");
	config_write(m, address(toy, 0x9a), 2, 0x8000);
	check(came(m, MSI_FIRST), "all-unmasked");
	check(load(m, TABLE + 0x840, 8) == 0 && load(m, TABLE + 0x7fc, 4) == 0, "beside-the-table");
	first = MSI_FIRST;
	check(change_msi(m, toy, 1, 1, out) == 0 && m->msi_map[0] == 0x10 && !xics_valid(m, first) && xics_valid(m, first + 4), "new-ones-before-old-ones");
	check(change_msi(m, toy, 1, 0, out) == 0 && !m->msi_map[0] && !xics_valid(m, first + 4), "released");
	/* MSI alone is what no device has: it is not given, but by that function guests release, too. */
	check(change_msi(m, toy, 4, 2, out) == 0 && change_msi(m, toy, 3, 2, out) == -3 && m->msi_map[0] == 3, "no-MSI-and-what-was-given-stays");
	check(change_msi(m, toy, 3, 0, out) == 0 && !m->msi_map[0], "released-as-MSI");
	st_be32(&m->ram, CELLS + 12 + 4 * 9, 99);
	check(rtas(m, 0x19, 6, (const uint32_t[]){ address(toy, 0), BUID_HIGH, BUID_LOW, 4, 1, 7 }, 3, out) == 0 && out[0] == 1 && out[1] == 8 &&
	      ld_be32(&m->ram, CELLS + 12 + 4 * 9) == 99 && change_msi(m, toy, 4, 0, out) == 0, "three-results-are-enough");
}

/* What a guest may write into the table. */
static void test_msix_hostile(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);

	mmio_store(m, TABLE + 0x8, 8, 0xffffffff);
	msix_notify(&toy->pci, 0);
	mmio_store(m, TABLE + 0x8, 8, 0x1201);
	msix_notify(&toy->pci, 0);
	check(!(status_of(m, 0x1201) & XICS_ASSERTED), "a-line-is-pulsed");
	mmio_store(m, TABLE, 8, UINT64_MAX - 1);
	msix_notify(&toy->pci, 0);
	mmio_store(m, TABLE, 8, 0x10000);
	msix_notify(&toy->pci, 0);
	check_eq(ld_be32(&m->ram, 0x10000), 0, "no-message-to-memory-that-is-not-mapped");
	config_write(m, address(toy, 0x9a), 2, 0);
}

static void test_msi_map(struct machine *m)
{
	uint32_t a = msi_alloc(m, 3, false), b = msi_alloc(m, 2, true), c = msi_alloc(m, 1, false), d;

	check(a == MSI_FIRST && b == a + 4 && c == a + 3, "first-fit");
	d = msi_alloc(m, MSI_COUNT - 6, true);
	check(d == a + 6 && !msi_alloc(m, 1, false) && !msi_alloc(m, 0, false) && !msi_alloc(m, UINT32_MAX, true), "all-given");
	msi_free(m, a, 3);
	check(msi_alloc(m, 2, true) == a && msi_alloc(m, 1, false) == a + 2, "again");
	msi_free(m, 0, UINT32_MAX);
	msi_free(m, UINT32_MAX, 9);
	check_eq(m->msi_map[51], UINT64_MAX, "what-is-none-is-left-alone");
	msi_reset(m);
	check(!m->msi_map[0] && !m->msi_map[51] && !xics_valid(m, a), "none");
}

/* ---- Pins ---- */

static bool high(struct machine *m, uint32_t irq) { return status_of(m, irq) & XICS_ASSERTED; }

static void test_pins(struct machine *m)
{
	struct toy *a = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18), *b = new_toy(m, "addr=7"), *none = new_toy(m, "addr=b,no-pin=on");
	uint32_t v;

	pci_set_pin(&a->pci, true);
	check(high(m, 0x1203) && !high(m, 0x1200), "asserted");
	check(!config_read(m, address(a, 6), 2, &v) && v == 0x18, "in-the-status");
	pci_set_pin(&b->pci, true);
	pci_set_pin(&a->pci, false);
	check(high(m, 0x1203), "shared");
	pci_set_pin(&b->pci, false);
	check(!high(m, 0x1203), "lowered");
	pci_set_pin(&b->pci, true);
	config_write(m, address(b, 4), 2, 0x400);
	check(!high(m, 0x1203), "not-allowed");
	config_write(m, address(b, 4), 2, 0);
	check(high(m, 0x1203), "allowed");
	config_write(m, address(b, 0x9a), 2, 0x8000);
	check(!high(m, 0x1203), "messages-instead");
	pci_set_pin(&none->pci, true);
	check(!high(m, 0x1203), "no-pin");
	pci_set_pin(&a->pci, true);
	pci_device_reset(&a->pci);
	check(!high(m, 0x1203), "reset-lowers-it");
}

/* ---- DMA ---- */

static void test_tce(struct machine *m)
{
	uint64_t v = 0;

	check(!hcall(m, 0x20, LIOBN, 0x3fffffff, 0x12345003, 0, NULL) && !hcall(m, 0x1c, LIOBN, 0x3ffff000, 0, 0, &v) && v == 0x12345003, "put-and-get");
	check(hcall(m, 0x20, LIOBN, 0x40000000, 1, 0, NULL) == H_PARAMETER && hcall(m, 0x1c, LIOBN, UINT64_MAX, 0, 0, NULL) == H_PARAMETER, "beyond");
	check(hcall(m, 0x20, LIOBN + 2, 0, 1, 0, NULL) == H_PARAMETER && hcall(m, 0x20, LIOBN | UINT64_C(1) << 32, 0, 1, 0, NULL) == H_PARAMETER &&
	      hcall(m, 0x20, LIOBN + 1, 0, 1, 0, NULL) == H_PARAMETER && hcall(m, 0x1c, LIOBN + 1, 0, 0, 0, NULL) == H_PARAMETER, "no-window");
	check(!hcall(m, 0x138, LIOBN, 0x3000, 0x5003, 2, NULL) && !hcall(m, 0x1c, LIOBN, 0x4000, 0, 0, &v) && v == 0x5003 &&
	      !hcall(m, 0x1c, LIOBN, 0x5000, 0, 0, &v) && v == 0, "stuff");
	check(hcall(m, 0x138, LIOBN, 0, 1, 0, NULL) == H_PARAMETER && hcall(m, 0x138, LIOBN, 0, 1, 0x40001, NULL) == H_PARAMETER &&
	      hcall(m, 0x138, LIOBN, 0, 1, UINT64_MAX, NULL) == H_PARAMETER && hcall(m, 0x138, LIOBN + 1, 0, 1, 1, NULL) == H_PARAMETER, "stuff-refused");
	check(hcall(m, 0x138, LIOBN, 0x3ffff000, 0x77, 2, NULL) == H_PARAMETER && !hcall(m, 0x1c, LIOBN, 0x3ffff000, 0, 0, &v) && v == 0x77, "stuff-until-the-end");
	for (unsigned i = 0; i < 512; i++)
		st_be64(&m->ram, LIST + 8 * i, DATA + 0x1000 * i + 3);
	check(!hcall(m, 0x13c, LIOBN, 0x100000, LIST, 512, NULL) && !hcall(m, 0x1c, LIOBN, 0x2ff000, 0, 0, &v) && v == DATA + 0x1ff003, "list");
	check(hcall(m, 0x13c, LIOBN, 0, LIST, 513, NULL) == H_PARAMETER && hcall(m, 0x13c, LIOBN, 0, LIST, 0, NULL) == H_PARAMETER &&
	      hcall(m, 0x13c, LIOBN, 0, LIST + 8, 1, NULL) == H_PARAMETER && hcall(m, 0x13c, LIOBN, 0, m->ram.size, 1, NULL) == H_PARAMETER &&
	      hcall(m, 0x13c, LIOBN, 0, ~UINT64_C(0xfff), 512, NULL) == H_PARAMETER && hcall(m, 0x13c, LIOBN + 1, 0, LIST, 1, NULL) == H_PARAMETER, "list-refused");
}

static void test_dma(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);
	uint8_t out[0x3000], in[sizeof out];
	uint64_t last = 0x40000000 - 0x1000;

	for (unsigned i = 0; i < sizeof out; i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	hcall(m, 0x20, LIOBN, 0x100000, DATA + 0x5003, 0, NULL);
	hcall(m, 0x20, LIOBN, 0x101000, DATA + 0x3003, 0, NULL);
	hcall(m, 0x20, LIOBN, 0x102000, DATA + 0x9003, 0, NULL);
	check(!pci_dma_write(&toy->pci, 0x100000, out, 8) && !pci_dma_read(&toy->pci, 0x100000, in, 8), "no-master");
	config_write(m, address(toy, 4), 2, 4);
	check(pci_is_master(&toy->pci) && pci_dma_write(&toy->pci, 0x100800, out, 0x1800), "write");
	check(!memcmp(m->ram.base + DATA + 0x5800, out, 0x800) && !memcmp(m->ram.base + DATA + 0x3000, out + 0x800, 0x1000), "over-pages");
	check(pci_dma_read(&toy->pci, 0x100800, in, 0x1800) && !memcmp(in, out, 0x1800), "read");
	hcall(m, 0x20, LIOBN, 0x102000, DATA + 0x9001, 0, NULL);
	check(pci_dma_read(&toy->pci, 0x101fff, in, 2) && !pci_dma_write(&toy->pci, 0x101ffe, out + 77, 3) && m->ram.base[DATA + 0x3ffe] == out[0x17fe],
	      "nothing-is-done-if-not-all-can-be");
	hcall(m, 0x20, LIOBN, 0x102000, DATA + 0x9002, 0, NULL);
	check(!pci_dma_read(&toy->pci, 0x102000, in, 1) && pci_dma_write(&toy->pci, 0x102000, out, 1), "write-only");
	hcall(m, 0x20, LIOBN, 0x102000, 0, 0, NULL);
	check(!pci_dma_read(&toy->pci, 0x102000, in, 1), "unmapped");
	hcall(m, 0x20, LIOBN, last, ~UINT64_C(0), 0, NULL);
	check(!pci_dma_read(&toy->pci, last, in, 1), "outside-RAM");
	hcall(m, 0x20, LIOBN, last, m->ram.size - 0x1000 + 3, 0, NULL);
	check(pci_dma_read(&toy->pci, last, in, 0x1000) && !pci_dma_read(&toy->pci, last + 0xfff, in, 2), "beyond-the-window");
	check(!pci_dma_read(&toy->pci, UINT64_MAX, in, 2) && !pci_dma_write(&toy->pci, UINT64_MAX - 1, in, 4) &&
	      !pci_dma_read(&toy->pci, 0x100000, in, UINT64_MAX) && !pci_dma_read(&toy->pci, 0x40000000, in, 1), "hostile-ranges");
	check(pci_dma_write(&toy->pci, PHB_MSI_ADDRESS, &(uint32_t){ 0x1000 }, 4) && came(m, 0x1000), "a-message-by-hand");
}

static int32_t create(struct machine *m, uint32_t page, uint32_t size, uint32_t *out)
{
	return rtas(m, 0x27, 5, (const uint32_t[]){ 0, BUID_HIGH, BUID_LOW, page, size }, 4, out);
}

static int32_t query(struct machine *m, uint32_t nret, uint32_t *out)
{
	return rtas(m, 0x26, 3, (const uint32_t[]){ 0, BUID_HIGH, BUID_LOW }, nret, out);
}

static int32_t close_window(struct machine *m, uint32_t liobn) { return rtas(m, 0x28, 1, (const uint32_t[]){ liobn }, 1, NULL); }

static void test_ddw(struct machine *m)
{
	struct toy *toy = (struct toy *)pci_find(m, PHB_BUID, 0, 0x18);
	uint32_t out[6];
	uint8_t in[64], two[64] = { 1, 2, 3 };
	uint64_t at = UINT64_C(0x0800000000000000);

	check(query(m, 5, out) == 0 && out[0] == 1 && out[1] == TCE_MAX_ENTRIES && out[2] == 0x107 && out[3] == 0, "query");
	check(query(m, 6, out) == 0 && out[0] == 1 && out[1] == 0 && out[2] == TCE_MAX_ENTRIES && out[3] == 0x107, "query-wide");
	check(query(m, 4, out) == -3 && query(m, 7, out) == -3, "query-refused");
	check(create(m, 13, 30, out) == -3 && create(m, 24, 23, out) == -3 && create(m, 64, 65, out) == -3 && create(m, 12 + 64, 80, out) == -3, "no-such-pages");
	check(create(m, 12, 35, out) == -1 && create(m, 12, 44, out) == -1 && create(m, 12, 76, out) == -1 && create(m, 12, UINT32_MAX, out) == -1, "too-many");
	check(create(m, 24, 28, out) == 0 && out[0] == LIOBN + 1 && out[1] == 0x8000000 && out[2] == 0, "created");
	check(create(m, 24, 28, out) == -1 && query(m, 5, out) == 0 && out[0] == 0, "no-more");
	check(!hcall(m, 0x20, LIOBN + 1, at, 3, 0, NULL) && hcall(m, 0x20, LIOBN + 1, at - 1, 3, 0, NULL) == H_PARAMETER &&
	      hcall(m, 0x20, LIOBN + 1, 0, 3, 0, NULL) == H_PARAMETER && hcall(m, 0x20, LIOBN + 1, at + (16u << 24), 3, 0, NULL) == H_PARAMETER, "its-entries");
	check(pci_dma_write(&toy->pci, at + DATA, two, 64) && ld_u8(&m->ram, DATA + 2) == 3, "large-pages");
	check(close_window(m, LIOBN) == 0 && close_window(m, LIOBN) == -3 && close_window(m, 7) == -3, "closed");
	check(!pci_dma_read(&toy->pci, 0x100000, in, 1) && pci_dma_read(&toy->pci, at + DATA, in, 64), "the-other-one-stays");
	check(create(m, 12, 30, out) == 0 && out[0] == LIOBN && out[1] == 0x8000000, "again");
	check(close_window(m, LIOBN) == 0 && close_window(m, LIOBN + 1) == 0 && query(m, 5, out) == 0 && out[0] == 1 &&
	      tce_find(m, LIOBN)->entries == 0x40000 && !tce_find(m, LIOBN)->bus_offset, "the-first-comes-back");
	check(create(m, 16, 30, out) == 0 && rtas(m, 0x29, 3, (const uint32_t[]){ 0, BUID_HIGH, BUID_LOW }, 1, NULL) == 0 &&
	      !tce_find(m, LIOBN + 1)->entries && tce_find(m, LIOBN)->entries == 0x40000, "reset");
	check(rtas(m, 0x27, 5, (const uint32_t[]){ 0, 0, 0, 12, 30 }, 4, out) == -3 && rtas(m, 0x29, 3, (const uint32_t[]){ 0, 1, BUID_LOW }, 1, NULL) == -3 &&
	      rtas(m, 0x26, 3, (const uint32_t[]){ 0, 0, 1 }, 5, out) == -3, "no-such-bridge");
}

static void test_bypass(struct machine *m)
{
	struct tce_window w = { .liobn = 0x71000007 };
	uint8_t b = 0;

	tce_register(m, &w);
	check(tce_find(m, 0x71000007) == &w && !tce_dma_read(m, &w, 0, &b, 1) && !tce_put(&w, 0, 1), "closed");
	w.bypass = true;
	st_u8(&m->ram, DATA, 0x5a);
	check(tce_dma_read(m, &w, DATA, &b, 1) && b == 0x5a && !tce_dma_read(m, &w, m->ram.size, &b, 1) && !tce_dma_read(m, &w, UINT64_MAX, &b, 1), "bypass");
	w.bypass = false;
	check(!tce_open(&w, 0, 11, 4) && !tce_open(&w, 0, 64, 4) && !tce_open(&w, 0, 12, 0) && !tce_open(&w, 0, 12, UINT64_MAX), "no-such-window");
	check(tce_open(&w, 0, 12, 4) && tce_put(&w, 0x3fff, 9) && !tce_put(&w, 0x4000, 9), "open");
	tce_clear(&w);
	check(tce_get(&w, 0x3000, &(uint64_t){ 0 }) && !w.tce[3], "cleared");
	tce_unregister(m, &w);
	check(!tce_find(m, 0x71000007) && !w.tce, "gone");
}

/* ---- The device tree ---- */

static void test_tree(struct machine *m)
{
	static uint64_t room[8192];
	struct tree t = { .fdt = room };
	const fdt32_t *cells;
	int at, len;

	fdt_create_empty_tree(room, sizeof room);
	devices_fdt(m, &t, false);
	at = fdt_path_offset(room, "/pci@800000020000000");
	check(!t.err && at > 0, "bridge: %d", t.err);
	cells = fdt_getprop(room, at, "interrupt-map", &len);
	check(len == 32 * 4 * 28 && fdt32_to_cpu(cells[7 * 7]) == 1 << 11 && fdt32_to_cpu(cells[7 * 7 + 5]) == 0x1200, "interrupt-map");
	at = fdt_path_offset(room, "/pci@800000020000000/usb-xhci@3");
	cells = fdt_getprop(room, at, "reg", &len);
	check(at > 0 && len == 100 && fdt32_to_cpu(cells[0]) == 0x1800 && fdt32_to_cpu(cells[5]) == 0x01001810 && fdt32_to_cpu(cells[9]) == 0x20 &&
	      fdt32_to_cpu(cells[15]) == 0x02001818 && fdt32_to_cpu(cells[20]) == 0x03001820, "reg");
	cells = fdt_getprop(room, at, "ibm,req#msi-x", &len);
	check(cells && fdt32_to_cpu(*cells) == 4 && fdt_getprop(room, at, "interrupts", NULL), "interrupts");
	check(!fdt_getprop(room, fdt_path_offset(room, "/pci@800000020000000/usb-xhci@b"), "interrupts", NULL), "no-pin-no-interrupt");
}

/* ---- Snapshots ---- */

static int save(struct machine *m)
{
	const struct snapshot_options o = { .quiet = true };
	struct error err = { .msg = "" };
	int fd = memfd_create("snapshot", 0);

	if (fd < 0 || !snapshot_save_fd(m, fd, &o, &err) || lseek(fd, 0, SEEK_SET))
		check(false, "cannot save: %s", err.msg);
	return fd;
}

static bool restore(struct machine *m, int fd, struct error *err)
{
	machine_clear(m);
	return lseek(fd, 0, SEEK_SET) == 0 && snapshot_load_fd(m, fd, err);
}

static void test_snapshot(void)
{
	struct rig a, b, plain, other;
	struct error err = { .msg = "" };
	struct toy *toy, *there;
	uint32_t out[5];
	int with, without;

	rig_new(&a, "1"), rig_new(&b, "1"), rig_new(&plain, "1"), rig_new(&other, "1");
	toy = new_toy(a.m, "");
	there = new_toy(b.m, "");
	new_toy(other.m, "addr=1");
	without = save(plain.m);
	change_msi(a.m, toy, 4, 3, out);
	create(a.m, 16, 30, out);
	hcall(a.m, 0x20, LIOBN + 1, UINT64_C(0x0800000000010000), 0x10003, 0, NULL);
	hcall(a.m, 0x20, LIOBN, 0x1000, 0x20003, 0, NULL);
	set(a.m, toy, 0x18, 0x80002000);
	set(a.m, toy, 4, 6);
	config_write(a.m, address(toy, 0x9a), 2, 0x8000);
	mmio_store(a.m, MEM32_AT + 0x2000, 4, 1);
	set(a.m, toy, 0x14, 0x80010000);
	mmio_store(a.m, TABLE + 0x1c, 4, 1);
	msix_notify(&toy->pci, 1);
	pci_set_pin(&toy->pci, true);
	with = save(a.m);
	check(restore(b.m, with, &err), "loads: %s", err.msg);
	check(!memcmp(there->pci.config, toy->pci.config, PCI_CONFIG_BYTES) && there->pci.bar[2].at == 0x80002000, "config");
	check(there->pci.pin_high && high(b.m, 0x1200), "pin");
	check(load(b.m, TABLE, 8) == PHB_MSI_ADDRESS && load(b.m, TABLE + 0x800, 4) == 2, "messages");
	check(b.m->msi_map[0] == 7 && change_msi(b.m, there, 4, 0, out) == 0 && !b.m->msi_map[0], "sources");
	check(tce_find(b.m, LIOBN + 1)->entries == 0x4000 && tce_find(b.m, LIOBN + 1)->tce[1] == 0x10003 && tce_find(b.m, LIOBN)->tce[1] == 0x20003, "windows");
	pci_set_pin(&there->pci, false);
	check(!high(b.m, 0x1200), "the-line-knows-who-asserts-it");
	check(!restore(other.m, with, &err) && strstr(err.msg, "00.0/toy-pci"), "another-slot: %s", err.msg);
	check(restore(plain.m, without, &err) && !tce_find(plain.m, LIOBN + 1)->entries && tce_find(plain.m, LIOBN)->entries == 0x40000 &&
	      xics_source(plain.m, 0x1203)->kind == XICS_LSI, "without-devices");
	machine_clear(b.m);
	check(!b.m->msi_map[0] && tce_find(b.m, LIOBN)->tce[1] == 0 && !tce_find(b.m, LIOBN + 1)->entries && there->pci.bar[2].at == PCI_UNMAPPED &&
	      load(b.m, TABLE, 8) == 0, "cleared");
	close(with), close(without);
	rig_free(&a), rig_free(&b), rig_free(&plain), rig_free(&other);
}

static void on_new_machine(void (*test)(struct machine *m))
{
	struct rig rig;

	rig_new(&rig, "1");
	test(rig.m);
	rig_free(&rig);
}

int main(void)
{
	struct rig rig;

	on_new_machine(test_slots);
	on_new_machine(test_full);
	rig_new(&rig, "1");
	test_config(rig.m);
	test_config_refused(rig.m);
	test_bars(rig.m);
	test_logical(rig.m);
	test_msix(rig.m);
	test_msix_hostile(rig.m);
	test_msi_map(rig.m);
	test_pins(rig.m);
	test_tce(rig.m);
	test_dma(rig.m);
	test_ddw(rig.m);
	test_bypass(rig.m);
	test_tree(rig.m);
	rig_free(&rig);
	test_snapshot();
	return check_done();
}

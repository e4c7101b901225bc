/* The areas of a virtual processor in guest memory: what H_REGISTER_VPA refuses, no load takes, and the other way
 * round. The streams are crafted: as one with good areas is, but for the address and the size of one. PAPR, H_REGISTER_VPA. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mman.h>

#include "check.h"
#include "hcall/hcall.h"
#include "hcall/vpa.h"
#include "machine/snapshot/snapshot.h"
#include "rig.h"
#include "savevm/savevm.h"

#define RAM_END UINT64_C(0x10000000)	/* of the rig */
#define VPA     UINT64_C(0x20000)
#define SHADOW  UINT64_C(0x21000)
#define LOG     UINT64_C(0x22000)
#define GOOD_SIZE 640

/* In H_REGISTER_VPA's flags, as sections of a snapshot, and where a refused load says the fault is. */
enum kind { KIND_VPA = 1, KIND_LOG = 2, KIND_SHADOW = 3 };
static const struct { const char *name, *section, *fields; } kinds[] = {
	[KIND_VPA] = { "vpa", "spapr_cpu/vpa", "field vpa_addr" },
	[KIND_LOG] = { "log", "spapr_cpu/vpa/dtl", "field dtl_" },
	[KIND_SHADOW] = { "shadow", "spapr_cpu/vpa/slb_shadow", "field slb_shadow_" },
};

static const struct {
	enum kind kind;
	uint64_t addr, size;
	bool right;
	const char *name;
} cases[] = {
	{ KIND_VPA, VPA, 640, true, "as-small-as-can-be" },
	{ KIND_VPA, VPA + 0xd80, 640, true, "up-to-the-page's-end" },
	{ KIND_VPA, VPA + 0xe00, 640, false, "crosses-a-page" },
	{ KIND_VPA, VPA + 0xf80, 640, false, "crosses-a-page-by-most" },
	{ KIND_VPA, VPA + 0x40, 640, false, "misaligned" },
	{ KIND_VPA, VPA + 1, 640, false, "odd" },
	{ KIND_VPA, 0, 640, false, "at-0" },
	{ KIND_VPA, RAM_END - 640, 640, true, "up-to-RAM's-end" },
	{ KIND_VPA, RAM_END - 512, 640, false, "leaves-RAM" },
	{ KIND_VPA, RAM_END, 640, false, "behind-RAM" },
	{ KIND_VPA, UINT64_C(1) << 63 | VPA, 640, false, "with-the-top-bit" },
	{ KIND_VPA, UINT64_MAX - 127, 640, false, "around-the-end" },
	{ KIND_SHADOW, SHADOW, 8, true, "as-small-as-can-be" },
	{ KIND_SHADOW, SHADOW, 7, false, "a-byte-less" },
	{ KIND_SHADOW, SHADOW, 1, false, "of-a-byte" },
	{ KIND_SHADOW, SHADOW, 0, false, "of-nothing" },
	{ KIND_SHADOW, SHADOW, 4096, true, "a-page" },
	{ KIND_SHADOW, SHADOW, 4097, false, "more-than-a-page" },
	{ KIND_SHADOW, SHADOW + 0x80, 4096, false, "a-page-from-its-second-line" },
	{ KIND_SHADOW, SHADOW + 0xf80, 128, true, "up-to-the-page's-end" },
	{ KIND_SHADOW, SHADOW + 0xf80, 129, false, "a-byte-beyond" },
	{ KIND_SHADOW, SHADOW + 0x10, 640, false, "misaligned" },
	{ KIND_SHADOW, 0, 640, false, "at-0" },
	{ KIND_SHADOW, RAM_END - 128, 128, true, "up-to-RAM's-end" },
	{ KIND_SHADOW, RAM_END, 128, false, "behind-RAM" },
	{ KIND_SHADOW, UINT64_MAX - 127, 128, false, "around-the-end" },
	{ KIND_SHADOW, SHADOW, UINT64_C(1) << 32 | 128, false, "of-more-than-32-bits" },
	{ KIND_LOG, LOG, 48, true, "of-an-entry" },
	{ KIND_LOG, LOG, 47, false, "a-byte-less" },
	{ KIND_LOG, LOG, 0, false, "of-nothing" },
	{ KIND_LOG, LOG, 4096, true, "a-page" },
	{ KIND_LOG, LOG, 4097, false, "more-than-a-page" },
	{ KIND_LOG, LOG + 0xf80, 256, true, "may-cross-a-page" },
	{ KIND_LOG, LOG + 8, 640, false, "misaligned" },
	{ KIND_LOG, 0, 640, false, "at-0" },
	{ KIND_LOG, RAM_END - 128, 128, true, "up-to-RAM's-end" },
	{ KIND_LOG, RAM_END - 128, 144, false, "leaves-RAM" },
	{ KIND_LOG, RAM_END, 128, false, "behind-RAM" },
	{ KIND_LOG, UINT64_MAX - 127, 128, false, "around-the-end" },
	{ KIND_LOG, LOG, UINT64_C(1) << 32 | 480, false, "of-more-than-32-bits" },
};
#define NCASES (sizeof cases / sizeof cases[0])

/* ---- By hypercall ---- */

static int64_t call_register(struct machine *m, uint64_t what, uint64_t addr)
{
	struct cpu *cpu = &m->cpu[0]->cpu;

	cpu->r[3] = 0xdc;
	cpu->r[4] = what << 45;
	cpu->r[5] = 0;
	cpu->r[6] = addr;
	m->running = cpu;
	hcall_dispatch(cpu);
	m->running = NULL;
	return (int64_t)cpu->r[3];
}

static void put_size(struct machine *m, enum kind kind, uint64_t addr, uint64_t size)
{
	if (!ram_ok(&m->ram, addr, 8))
		return;
	if (kind == KIND_VPA)
		st_be16(&m->ram, addr + VPA_SIZE, (uint16_t)size);
	else
		st_be32(&m->ram, addr + AREA_SIZE32, (uint32_t)size);
}

static bool same_areas(const struct spapr_cpu *a, const struct spapr_cpu *b)
{
	return a->vpa_addr == b->vpa_addr && a->dtl_addr == b->dtl_addr && a->dtl_size == b->dtl_size &&
	       a->slb_shadow_addr == b->slb_shadow_addr && a->slb_shadow_size == b->slb_shadow_size;
}

static void register_good(struct machine *m)
{
	static const uint64_t at[] = { [KIND_VPA] = VPA, [KIND_LOG] = LOG, [KIND_SHADOW] = SHADOW };

	for (unsigned kind = KIND_VPA; kind <= KIND_SHADOW; kind++) {
		put_size(m, (enum kind)kind, at[kind], GOOD_SIZE);
		check_eq(call_register(m, kind, at[kind]), H_SUCCESS, "%s-registered", kinds[kind].name);
	}
}

static void test_registered(struct machine *m)
{
	for (unsigned i = 0; i < NCASES; i++) {
		const char *kind = kinds[cases[i].kind].name;
		struct spapr_cpu before;

		register_good(m);
		before = *m->cpu[0];
		if (cases[i].size > UINT32_MAX)		/* cannot be said there */
			continue;
		put_size(m, cases[i].kind, cases[i].addr, cases[i].size);
		check_eq(call_register(m, cases[i].kind, cases[i].addr), cases[i].right ? H_SUCCESS : H_PARAMETER,
			 "call-%s-%s", kind, cases[i].name);
		check(cases[i].right || same_areas(&before, m->cpu[0]), "call-%s-%s-leaves-the-others", kind, cases[i].name);
	}
}

/* ---- By a load ---- */

/* A stream for another hypervisor: it has no checksums, which would be wrong as well. NULL: it cannot be written. */
static uint8_t *save_good(struct machine *m, size_t *len)
{
	uint8_t *data = NULL;
	struct error err = { .msg = "" };
	struct vms_set set;
	struct vms_ram ram;
	int fd = memfd_create("snapshot", 0);

	if (fd < 0 || !snapshot_sections(m, m->cpu, &set, &ram, &err))
		return NULL;
	if (savevm_write(&set, fd, true, &err) && (*len = (size_t)lseek(fd, 0, SEEK_END), data = malloc(*len)) &&
	    pread(fd, data, *len, 0) != (ssize_t)*len)
		*len = 0;
	snapshot_sections_free(&set, &ram);
	close(fd);
	return data;
}

static void put_be64(uint8_t *at, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		at[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* The fields follow the section's name and 4 bytes of version. */
static uint8_t *fields_of(uint8_t *data, size_t len, enum kind kind)
{
	const char *name = kinds[kind].section;
	uint8_t *at = memmem(data, len, name, strlen(name));

	return at ? at + strlen(name) + 4 : NULL;
}

static bool load(struct machine *m, const uint8_t *data, size_t len, struct error *err)
{
	int fd = memfd_create("snapshot", 0);
	bool ok = fd >= 0 && write(fd, data, len) == (ssize_t)len && !lseek(fd, 0, SEEK_SET);

	error_set(err, "%s", "");
	machine_clear(m);
	ok = ok && snapshot_load_fd(m, fd, err);
	close(fd);
	return ok;
}

static bool holds(const struct machine *m, unsigned i)
{
	const struct spapr_cpu *sc = m->cpu[0];

	switch (cases[i].kind) {
	case KIND_VPA:
		return sc->vpa_addr == cases[i].addr;
	case KIND_LOG:
		return sc->dtl_addr == cases[i].addr && sc->dtl_size == cases[i].size;
	default:
		return sc->slb_shadow_addr == cases[i].addr && sc->slb_shadow_size == cases[i].size;
	}
}

static void test_loaded(struct machine *m, const uint8_t *good, size_t len)
{
	uint8_t *data = malloc(len);

	for (unsigned i = 0; i < NCASES; i++) {
		const char *kind = kinds[cases[i].kind].name;
		struct error err;
		uint8_t *at;
		bool ok;

		memcpy(data, good, len);
		at = fields_of(data, len, cases[i].kind);
		put_be64(at, cases[i].addr);
		if (cases[i].kind != KIND_VPA)
			put_be64(at + 8, cases[i].size);
		ok = load(m, data, len, &err);
		if (cases[i].right)
			check(ok && holds(m, i), "load-%s-%s: '%s'", kind, cases[i].name, err.msg);
		else
			check(!ok && strstr(err.msg, kinds[cases[i].kind].fields) && !strchr(err.msg, '\n'), "load-%s-%s-refused: '%s'",
			      kind, cases[i].name, err.msg);
	}
	free(data);
}

int main(void)
{
	struct rig from, to;
	uint8_t *good;
	size_t len = 0;

	rig_new(&from, "2");
	test_registered(from.m);
	register_good(from.m);
	good = save_good(from.m, &len);
	if (check(good && len && fields_of(good, len, KIND_VPA) && fields_of(good, len, KIND_LOG) && fields_of(good, len, KIND_SHADOW),
		  "saved-with-all-areas")) {
		rig_new(&to, "2");
		test_loaded(to.m, good, len);
		rig_free(&to);
	}
	free(good);
	rig_free(&from);
	return check_done();
}

/* Virtual SCSI: queues by hypercall, and the adapter between them and a target of the test's own: what firmware and Linux
 * send, and what a guest would that wants to hurt. PAPR, "Virtual SCSI"; ANSI T10/1415-D (SRP). */
#include <libfdt.h>

#include "check.h"
#include "machine/irq/xics.h"
#include "machine/rtas/rtas.h"
#include "rig.h"
#include "tests/vscsi_guest.h"

#define TAG UINT64_C(0x1122334455667788)
#define LUN0 UINT64_C(0x8000000000000000)
#define RSP_STATUS(iu) (iu)[19]

static uint32_t be32(const uint8_t *p) { return (uint32_t)srp_get(p, 4); }

/* ---- What a guest writes ---- */

/* A command at GUEST_IU; its descriptors follow at byte 48. */
static uint8_t *put_command(struct guest *g, uint8_t opcode, uint64_t tag)
{
	uint8_t *iu = guest_at(g, GUEST_IU);

	memset(iu, 0, 256);
	iu[0] = SRP_CMD;
	srp_put(iu + 8, 8, tag);
	srp_put(iu + 20, 8, LUN0);
	iu[32] = opcode;
	return iu;
}

static void put_descriptor(uint8_t *at, uint64_t addr, uint32_t len)
{
	srp_put(at, 8, addr);
	srp_put(at + 8, 4, 0);
	srp_put(at + 12, 4, len);
}

/* Its answer: the CRQ entry and the response are as every answer's; -1: none has come. */
static int answer_of(struct guest *g, uint64_t tag, uint8_t opcode)
{
	const uint8_t *iu = guest_at(g, GUEST_IU);
	uint8_t e[CRQ_ENTRY];

	if (!guest_answer(g, e))
		return -1;
	if (e[0] != 0x80 || e[1] != 1 || e[3] != 0 || srp_get(e + 8, 8) != tag || srp_get(e + 6, 2) < 36)
		return -2;
	if (iu[0] != opcode || srp_get(iu + 8, 8) != tag)
		return -3;
	return iu[19];
}

static int run_command(struct guest *g, uint16_t size)
{
	if (guest_send(g, 0x80, 1, size, GUEST_IU) != H_SUCCESS)
		return -9;
	return answer_of(g, TAG, SRP_RSP);
}

/* A read of `len` bytes to GUEST_DATA, by one descriptor. */
static int run_read(struct guest *g, uint8_t opcode, uint32_t len)
{
	uint8_t *iu = put_command(g, opcode, TAG);

	iu[5] = SRP_DIRECT;
	put_descriptor(iu + 48, GUEST_DATA, len);
	return run_command(g, 64);
}

/* ---- Queues ---- */

static void test_registration(struct guest *g)
{
	static const struct { uint64_t addr, size; int64_t code; const char *name; } cases[] = {
		{ 0, 0xfff, H_PARAMETER, "less-than-a-page" }, { 0, 0, H_PARAMETER, "nothing" },
		{ 0, 0x10001000, H_PARAMETER, "too-much" }, { 0, 0x1008, H_PARAMETER, "half-an-entry" },
		{ 8, 0x1000, H_PARAMETER, "misaligned" }, { UINT64_MAX - 0xfff, 0x2000, H_PARAMETER, "around-the-end" },
		{ 0, UINT64_C(1) << 32 | 0x1000, H_PARAMETER, "of-33-bits" },
		{ 0, 0x1000, H_SUCCESS, "right" }, { 0, 0x1000, H_RESOURCE, "twice" },
	};
	uint64_t unit = g->vio->reg;

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
		check_eq(guest_call(g, hcall_H_REG_CRQ, unit, cases[i].addr, cases[i].size), cases[i].code, "register-%s", cases[i].name);
	check_eq(guest_call(g, hcall_H_REG_CRQ, unit + 1, 0, 4096), H_PARAMETER, "register-no-such-unit");
	check_eq(guest_call(g, hcall_H_REG_CRQ, unit | UINT64_C(1) << 32, 0, 4096), H_PARAMETER, "register-unit-of-33-bits");
	check_eq(guest_call(g, hcall_H_REG_CRQ, 0x71000001, 0, 4096), H_NOT_FOUND, "register-nvram-has-none");
	check_eq(guest_call(g, hcall_H_SEND_CRQ, 0x71000001, UINT64_MAX, 0), H_HARDWARE, "send-nvram-has-none");
	check_eq(guest_call(g, hcall_H_SEND_CRQ, unit, 0, 0), H_PARAMETER, "send-free");
	check_eq(guest_call(g, hcall_H_SEND_CRQ, unit, UINT64_C(0x7f) << 56, 0), H_PARAMETER, "send-without-its-top-bit");
	check_eq(guest_call(g, hcall_H_SEND_CRQ, unit, UINT64_C(0xff) << 56, 0), H_PARAMETER, "send-event");
	check_eq(guest_call(g, hcall_H_SEND_CRQ, unit + 1, 0, 0), H_PARAMETER, "send-no-such-unit");
	check_eq(guest_call(g, hcall_H_ENABLE_CRQ, unit, 0, 0), H_SUCCESS, "enable");
	check_eq(guest_call(g, hcall_H_ENABLE_CRQ, unit + 1, 0, 0), H_PARAMETER, "enable-no-such-unit");
	check_eq(guest_call(g, hcall_H_FREE_CRQ, unit + 1, 0, 0), H_PARAMETER, "free-no-such-unit");
	check_eq(guest_call(g, hcall_H_FREE_CRQ, unit, 0, 0), H_SUCCESS, "free");
	check_eq(guest_send(g, 0xc0, 1, 0, 0), H_CLOSED, "send-without-a-queue");
	check_eq(guest_call(g, hcall_H_FREE_CRQ, unit, 0, 0), H_SUCCESS, "free-twice");
}

static bool interrupt_pending(struct guest *g)
{
	return xics_source(g->m, g->vio->irq)->status & (XICS_SENT | XICS_MASKED_PENDING);
}

static void test_ring(struct guest *g)
{
	uint8_t e[CRQ_ENTRY];
	unsigned n = 0;

	guest_open(g);
	g->vio->signal_state = 0;
	guest_send(g, 0xc0, 1, 0, 0);
	check(guest_answer(g, e) && e[0] == 0xc0 && e[1] == 2, "initialization-is-answered");
	check(!interrupt_pending(g), "no-interrupt-while-off");
	g->vio->signal_state = 1;
	guest_send(g, 0xc0, 1, 0, 0);
	check(interrupt_pending(g), "interrupt-while-on");
	check(guest_answer(g, e), "the-next-entry");
	guest_send(g, 0xc0, 2, 0, 0);
	check(!guest_answer(g, e), "completion-is-not-answered");
	/* The ring has 256 entries; who frees none gets no more. */
	for (unsigned i = 0; i < 300; i++)
		check_failures += guest_send(g, 0xc0, 1, 0, 0) != H_SUCCESS;
	while (guest_answer(g, e))
		n++;
	check_eq(n, 256, "as-many-as-fit");
	guest_send(g, 0xc0, 1, 0, 0);
	check(guest_answer(g, e), "goes-on-where-it-stopped");
}

static void test_ring_elsewhere(struct guest *g)
{
	uint64_t unit = g->vio->reg;
	uint8_t before[CRQ_ENTRY], e[CRQ_ENTRY];

	guest_call(g, hcall_H_FREE_CRQ, unit, 0, 0);
	check_eq(guest_call(g, hcall_H_REG_CRQ, unit, GUEST_HOLE, 4096), H_SUCCESS, "queue-in-a-hole");
	check_eq(guest_send(g, 0xc0, 1, 0, 0), H_SUCCESS, "answer-in-a-hole-is-lost");
	guest_call(g, hcall_H_FREE_CRQ, unit, 0, 0);
	guest_call(g, hcall_H_REG_CRQ, unit, GUEST_ODD, 4096);
	memcpy(before, guest_at(g, GUEST_ODD), sizeof before);
	check_eq(guest_send(g, 0xc0, 1, 0, 0), H_SUCCESS, "answer-where-nothing-is-written-is-lost");
	check(!memcmp(before, guest_at(g, GUEST_ODD), sizeof before), "nothing-is-written-there");
	guest_call(g, hcall_H_FREE_CRQ, unit, 0, 0);
	/* Unmapped while it is in use. */
	guest_open(g);
	tce_put(&g->vio->window, GUEST_QUEUE, 0);
	check_eq(guest_send(g, 0xc0, 1, 0, 0), H_SUCCESS, "queue-goes");
	guest_map(g);
	check(!guest_answer(g, e), "nothing-was-written");
	guest_send(g, 0xc0, 1, 0, 0);
	check(guest_answer(g, e), "queue-comes-back");
}

/* ---- Firmware: no login, real addresses ---- */

static int32_t call_rtas(struct guest *g, rtas_fn *fn, uint32_t a, uint32_t b)
{
	uint32_t in[RTAS_MAX_CELLS] = { a, b }, out[RTAS_MAX_CELLS] = { 0 };

	return fn(&g->m->cpu[0]->cpu, in, out);
}

rtas_fn rtas_set_tce_bypass, rtas_quiesce;

static void test_firmware(struct guest *g)
{
	uint64_t queue = GUEST_RAM + 0x80000, iu = queue + 0x1000, data = queue + 0x2000;
	uint8_t *p = g->m->ram.base + iu;

	guest_call(g, hcall_H_FREE_CRQ, g->vio->reg, 0, 0);
	check_eq(call_rtas(g, rtas_set_tce_bypass, 0x71000001, 1), (uint64_t)RTAS_PARAM_ERROR, "bypass-nvram-has-no-window");
	check_eq(call_rtas(g, rtas_set_tce_bypass, 0x7100ffff, 1), (uint64_t)RTAS_PARAM_ERROR, "bypass-no-such-unit");
	check_eq(call_rtas(g, rtas_set_tce_bypass, g->vio->reg, 1), RTAS_SUCCESS, "bypass");
	memset(g->m->ram.base + queue, 0, 0x3000);
	check_eq(guest_call(g, hcall_H_REG_CRQ, g->vio->reg, queue, 4096), H_SUCCESS, "real-queue");
	p[0] = SRP_CMD;
	srp_put(p + 8, 8, 1);
	srp_put(p + 20, 8, LUN0);
	p[5] = SRP_DIRECT;
	p[32] = TARGET_READ;
	put_descriptor(p + 48, data, 36);
	check_eq(guest_send(g, 0x80, 1, 64, iu), H_SUCCESS, "command-without-login");
	check(g->m->ram.base[queue] == 0x80 && p[0] == SRP_RSP && p[19] == SCSI_GOOD, "is-answered");
	check_eq(g->m->ram.base[data + 35], (uint8_t)(35 * 7 + 1), "data-at-its-real-address");
	/* Real addresses end where memory does. */
	check_eq(guest_send(g, 0x80, 1, 64, g->m->ram.size - 32), H_SUCCESS, "request-over-the-end");
	check(g->m->ram.base[queue + 16] == 0x80 && g->m->ram.base[queue + 19] == 0x10, "adapter-failure");
	check_eq(call_rtas(g, rtas_quiesce, 0, 0), RTAS_SUCCESS, "quiesce");
	check_eq(guest_send(g, 0xc0, 1, 0, 0), H_CLOSED, "quiesced-queue-is-gone");
	check(!g->vio->window.bypass && !vio_dma_read(g->vio, GUEST_IU, (uint8_t[1]){ 0 }, 1), "quiesced-window-is-empty");
	guest_map(g);
}

/* ---- Linux: datagrams, login ---- */

static int run_mad(struct guest *g, uint32_t type, uint16_t len, uint64_t buffer, uint16_t size)
{
	uint8_t *iu = guest_at(g, GUEST_IU), e[CRQ_ENTRY];

	memset(iu, 0, 256);
	srp_put(iu, 4, type);
	srp_put(iu + 6, 2, len);
	srp_put(iu + 8, 8, TAG);
	srp_put(iu + 16, 8, buffer);
	if (guest_send(g, 0x80, 2, size, GUEST_IU) != H_SUCCESS || !guest_answer(g, e))
		return -1;
	if (e[0] != 0x80 || e[1] != 2 || e[3] || srp_get(e + 6, 2) != size || srp_get(e + 8, 8) != TAG)
		return -2;
	return (int)srp_get(iu + 4, 2);
}

static void test_datagrams(struct guest *g)
{
	uint8_t *data = guest_at(g, GUEST_DATA);

	guest_open(g);
	memset(data, 0xee, 1024);
	check_eq(run_mad(g, 3, 148, GUEST_DATA, 24), 0, "adapter-info");
	check(!strcmp((char *)data, "16.a") && be32(data + 108) == 1 && be32(data + 112) == 2 && be32(data + 116) == 0x200000, "info");
	check_eq(data[148], 0xee, "info-ends");
	memset(data, 0xee, 1024);
	check_eq(run_mad(g, 3, 65535, GUEST_DATA, 24), 0, "info-of-a-length-too-great");
	check_eq(data[148], 0xee, "info-is-no-longer");
	check_eq(run_mad(g, 3, 4, GUEST_DATA, 24), 0, "info-of-a-small-length");
	check_eq(run_mad(g, 3, 148, GUEST_HOLE - 4, 24), 0xf7, "info-over-the-end");
	check_eq(run_mad(g, 3, 148, UINT64_MAX - 3, 24), 0xf7, "info-around-the-end");
	check_eq(run_mad(g, 3, 148, GUEST_DATA, 16), 0xf1, "info-without-an-address");
	memset(data, 0xff, 92);
	check_eq(run_mad(g, 5, 92, GUEST_DATA, 24), 0, "capabilities");
	check(be32(data) == 0 && srp_get(data + 74, 2) == 0 && be32(data + 76) == 0 && srp_get(data + 86, 2) == 0 && be32(data + 88) == 0 &&
	      data[4] == 0xff, "neither-migration-nor-reservations");
	check_eq(run_mad(g, 5, 92, GUEST_ODD, 24), 0xf7, "capabilities-that-cannot-be-written");
	check_eq(run_mad(g, 8, 0, 0, 16), 0, "fast-fail");
	check_eq(run_mad(g, 1, 0, 0, 16), 0xf1, "empty");
	check_eq(run_mad(g, UINT32_MAX, 0, 0, 256), 0xf1, "no-such-datagram");
}

static void test_login(struct guest *g)
{
	uint8_t *iu = guest_at(g, GUEST_IU), e[CRQ_ENTRY];

	memset(iu, 0, 256);
	srp_put(iu + 8, 8, TAG);
	guest_send(g, 0x80, 1, 64, GUEST_IU);
	check(guest_answer(g, e) && srp_get(e + 8, 8) == TAG && srp_get(e + 6, 2) == 52, "login-is-answered");
	check(iu[0] == SRP_LOGIN_RSP && be32(iu + 4) == 22 && be32(iu + 16) == 256 && be32(iu + 20) == 256 && srp_get(iu + 24, 2) == 6,
	      "login-response");
}

/* ---- Commands ---- */

static bool pattern_at(struct guest *g, uint64_t ioba, uint32_t from, uint32_t n)
{
	const uint8_t *p = guest_at(g, ioba);

	for (uint32_t i = 0; i < n; i++)
		if (p[i] != (uint8_t)((from + i) * 7 + 1))
			return false;
	return true;
}

static void test_direct(struct guest *g)
{
	uint8_t *iu = guest_at(g, GUEST_IU), *data = guest_at(g, GUEST_DATA);

	memset(data, 0xee, 8192);
	check_eq(run_read(g, TARGET_READ, 5000), SCSI_GOOD, "read");
	check(pattern_at(g, GUEST_DATA, 0, 5000) && data[5000] == 0xee, "what-was-read");
	check(be32(iu + 4) == 1 && iu[18] == 0 && be32(iu + 28) == 0, "one-more-may-be-sent");
	check_eq(run_read(g, TARGET_LITTLE, 100), SCSI_GOOD, "little");
	check(iu[18] == SRP_DIOVER && be32(iu + 24) == 64 && be32(iu + 20) == 0, "what-is-left");
	check_eq(run_read(g, TARGET_FAIL, 0), SCSI_CHECK_CONDITION, "fails");
	check(iu[18] == SRP_SNSVALID && be32(iu + 28) == 18 && iu[36] == 0x5a && iu[53] == 0x5a, "with-sense");
	put_command(g, TARGET_WRITE, TAG);
	iu[5] = SRP_DIRECT << 4;
	put_descriptor(iu + 48, GUEST_DATA, 64);
	for (unsigned i = 0; i < 64; i++)
		data[i] = (uint8_t)(200 - i);
	check_eq(run_command(g, 64), SCSI_GOOD, "write");
	check(!memcmp(target.taken, data, 64), "what-was-written");
	put_command(g, TARGET_READ, TAG);
	check_eq(run_command(g, 48), SCSI_GOOD, "no-data");
	put_command(g, TARGET_READ, TAG);
	iu[31] = 4;
	iu[48] = 0x77;
	iu[5] = SRP_DIRECT;
	put_descriptor(iu + 52, GUEST_DATA, 8);
	check_eq(run_command(g, 68), SCSI_GOOD, "longer-command");
	check(target.last.cdb[16] == 0x77 && target.last.cdb[17] == 0 && target.last.in_bytes == 8, "its-bytes");
}

static uint8_t *put_indirect(struct guest *g, unsigned inside, uint64_t table, uint32_t size, uint32_t total)
{
	uint8_t *iu = put_command(g, TARGET_READ, TAG);

	iu[5] = SRP_INDIRECT;
	iu[7] = (uint8_t)inside;
	put_descriptor(iu + 48, table, size);
	srp_put(iu + 64, 4, total);
	return iu;
}

static void test_indirect(struct guest *g)
{
	uint8_t *iu = put_indirect(g, 3, 0, 48, 300), *table = guest_at(g, GUEST_TABLE);

	memset(guest_at(g, GUEST_DATA), 0, 0x4000);
	put_descriptor(iu + 68, GUEST_DATA, 100);
	put_descriptor(iu + 84, GUEST_DATA + 0x1000, 0);
	put_descriptor(iu + 100, GUEST_DATA + 0x2000, 200);
	check_eq(run_command(g, 116), SCSI_GOOD, "descriptors-inside");
	check(pattern_at(g, GUEST_DATA, 0, 100) && pattern_at(g, GUEST_DATA + 0x2000, 100, 200), "both-pieces");
	iu = put_indirect(g, 1, GUEST_TABLE, 16 * 20, 20 * 10);
	for (unsigned i = 0; i < 20; i++)
		put_descriptor(table + 16 * i, GUEST_DATA + 0x100 * i, 10);
	g->m->hcall_work = 0;
	check_eq(run_command(g, 84), SCSI_GOOD, "descriptors-in-a-table");
	check(g->m->hcall_work >= 200 + 20 * 16 * 20, "the-bytes-and-each-look-through-the-table-are-counted");
	check(pattern_at(g, GUEST_DATA, 0, 10) && pattern_at(g, GUEST_DATA + 0x1300, 190, 10), "first-and-last-piece");
	check_eq(target.last.in_bytes, 200, "in-all");
	put_indirect(g, 1, GUEST_TABLE, 16 * 20, 15);
	run_command(g, 84);
	check_eq(target.last.in_bytes, 15, "no-more-than-the-total");
}

/* Wrong descriptors: a bad end with sense data, and no target hears of it. */
static void test_wrong_descriptors(struct guest *g)
{
	static const struct { uint64_t table; uint32_t size, total; uint8_t format, inside, more; uint16_t iu; const char *name; } cases[] = {
		{ GUEST_TABLE, 16 * 1025, 1, SRP_INDIRECT, 0, 0, 68, "too-many" },
		{ GUEST_TABLE, UINT32_MAX, 1, SRP_INDIRECT, 255, 0, 256, "as-many-as-can-be" },
		{ GUEST_HOLE, 32, 1, SRP_INDIRECT, 0, 0, 68, "table-in-a-hole" },
		{ GUEST_HOLE - 16, 32, 1, SRP_INDIRECT, 0, 0, 68, "table-over-the-end" },
		{ UINT64_MAX - 15, 32, 1, SRP_INDIRECT, 0, 0, 68, "table-around-the-end" },
		{ 0, 32, 1, SRP_INDIRECT, 2, 0, 99, "inside-is-cut" },
		{ 0, 32, 1, SRP_INDIRECT, 2, 0, 48, "inside-is-not-there" },
		{ 0, 32, 1, SRP_INDIRECT, 2, 0xfc, 256, "a-command-as-long-as-all" },
		{ 0, 32, 1, SRP_DIRECT, 0, 0xfc, 256, "nothing-behind-the-command" },
		{ 0, 32, 1, SRP_DIRECT, 0, 0, 63, "direct-is-cut" },
		{ 0, 32, 1, 3, 0, 0, 256, "no-such-format" },
		{ 0, 32, 1, SRP_DIRECT << 4 | SRP_DIRECT, 0, 0, 256, "both-ways" },
		{ 0, SRP_MAX_BYTES + 1, 1, SRP_DIRECT, 0, 0, 64, "too-much" },
		{ UINT64_MAX - 4, 16, 1, SRP_DIRECT, 0, 0, 64, "data-around-the-end" },
		{ 0, 32, 1, SRP_NO_DATA, 0, 0, 47, "half-a-command" },
	};
	uint8_t *iu = guest_at(g, GUEST_IU);

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		unsigned before = target.executed;

		put_indirect(g, cases[i].inside, cases[i].table, cases[i].size, cases[i].total);
		iu[5] = cases[i].format;
		iu[31] = cases[i].more;
		check_eq(run_command(g, cases[i].iu), SCSI_CHECK_CONDITION, "descriptors-%s", cases[i].name);
		check(target.executed == before && iu[18] == SRP_SNSVALID && (iu[38] & 0xf) == 4, "refused-%s", cases[i].name);
	}
	/* Sums of 32 bits that come around. */
	put_indirect(g, 0, GUEST_TABLE, 16 * 3, UINT32_MAX);
	for (unsigned i = 0; i < 3; i++)
		put_descriptor(guest_at(g, GUEST_TABLE) + 16 * i, GUEST_DATA, UINT32_MAX / 3 + 2);
	check_eq(run_command(g, 68), SCSI_CHECK_CONDITION, "descriptors-whose-sum-comes-around");
}

/* Memory that is not there: the target hears that its data cannot be moved. */
static void test_wrong_memory(struct guest *g)
{
	uint8_t *iu = put_command(g, TARGET_READ, TAG);

	iu[5] = SRP_DIRECT;
	put_descriptor(iu + 48, GUEST_HOLE, 8);
	check_eq(run_command(g, 64), SCSI_CHECK_CONDITION, "data-in-a-hole");
	put_command(g, TARGET_READ, TAG);
	iu[5] = SRP_DIRECT;
	put_descriptor(iu + 48, GUEST_ODD, 8);
	check_eq(run_command(g, 64), SCSI_CHECK_CONDITION, "data-that-cannot-be-written");
	put_command(g, TARGET_WRITE, TAG);
	iu[5] = SRP_DIRECT << 4;
	put_descriptor(iu + 48, GUEST_ODD, 8);
	check_eq(run_command(g, 64), SCSI_GOOD, "data-that-need-not-be");
}

/* Requests that cannot be read, or not be answered. */
static void test_wrong_requests(struct guest *g)
{
	static const struct { uint64_t at; uint16_t size; const char *name; } cases[] = {
		{ GUEST_HOLE, 64, "in-a-hole" }, { GUEST_HOLE - 32, 64, "over-the-end" }, { UINT64_MAX - 31, 64, "around-the-end" },
		{ GUEST_IU, 257, "too-long" }, { GUEST_IU, 65535, "much-too-long" }, { GUEST_IU, 15, "too-short" }, { GUEST_IU, 0, "empty" },
	};
	uint8_t e[CRQ_ENTRY], *iu = put_command(g, TARGET_READ, TAG);

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_eq(guest_send(g, 0x80, 1, cases[i].size, cases[i].at), H_SUCCESS, "request-%s", cases[i].name);
		check(guest_answer(g, e) && e[0] == 0x80 && e[3] == 0x10 && srp_get(e + 8, 8) == cases[i].at, "fails-%s", cases[i].name);
	}
	for (unsigned format = 0; format < 256; format++)
		if (format != 1 && format != 2)
			guest_send(g, 0x80, (uint8_t)format, 64, GUEST_IU);
	for (unsigned opcode = 4; opcode < 256; opcode++) {
		iu[0] = (uint8_t)opcode;
		guest_send(g, 0x80, 1, 64, GUEST_IU);
	}
	check(!guest_answer(g, e), "what-is-not-known-has-no-answer");
	memcpy(guest_at(g, GUEST_ODD), put_command(g, TARGET_READ, TAG), 64);
	guest_send(g, 0x80, 1, 64, GUEST_ODD);
	check(guest_answer(g, e) && e[3] == 0x10 && srp_get(e + 8, 8) == TAG, "answer-that-cannot-be-written");
}

static void test_units(struct guest *g)
{
	static const struct { uint64_t lun; unsigned channel, target, lun_is; } cases[] = {
		{ UINT64_C(0x8000) << 48, 0, 0, 0 }, { UINT64_C(0x8301) << 48, 0, 3, 1 }, { UINT64_C(0xbfff) << 48, 7, 63, 31 },
		{ UINT64_C(0x0005) << 48, 0, 0, 5 }, { UINT64_C(0x4123) << 48, 0, 0, 0x123 },
		{ UINT64_C(0x02070009) << 32, 2, 7, 9 }, { UINT64_C(0xc101) << 48, 0, 0, 0 },
	};
	uint8_t *iu = guest_at(g, GUEST_IU);

	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct scsi_address *at = &target.last.address;
		bool there = !cases[i].channel && !cases[i].target && !cases[i].lun_is;

		put_command(g, TARGET_READ, TAG);
		srp_put(iu + 20, 8, cases[i].lun);
		check_eq(run_command(g, 48), there ? SCSI_GOOD : SCSI_CHECK_CONDITION, "unit-%" PRIx64, cases[i].lun >> 32);
		check(at->channel == cases[i].channel && at->target == cases[i].target && at->lun == cases[i].lun_is,
		      "address-%" PRIx64, cases[i].lun >> 32);
	}
	put_command(g, TARGET_READ, TAG);
	srp_put(iu + 20, 8, UINT64_MAX);
	check_eq(run_command(g, 48), SCSI_CHECK_CONDITION, "no-such-unit");
	check((iu[38] & 0xf) == 5 && iu[48] == 0x25, "sense-of-no-such-unit");
}

/* ---- In flight ---- */

static void hold(struct guest *g, uint64_t tag)
{
	uint8_t *iu = put_command(g, TARGET_HOLD, tag);

	iu[5] = SRP_DIRECT;
	put_descriptor(iu + 48, GUEST_DATA, 16);
	guest_send(g, 0x80, 1, 64, GUEST_IU);
}

static int manage(struct guest *g, uint8_t function, uint64_t tag, uint64_t lun)
{
	uint8_t *iu = guest_at(g, GUEST_IU);
	int status;

	memset(iu, 0, 256);
	iu[0] = SRP_TSK_MGMT;
	srp_put(iu + 8, 8, TAG);
	srp_put(iu + 20, 8, lun);
	iu[30] = function;
	srp_put(iu + 32, 8, tag);
	guest_send(g, 0x80, 1, 48, GUEST_IU);
	status = answer_of(g, TAG, SRP_RSP);
	return status || iu[18] != SRP_RSPVALID || be32(iu + 32) != 4 ? -4 : iu[39];
}

static void test_limit(struct guest *g)
{
	uint8_t e[CRQ_ENTRY];

	for (unsigned i = 0; i < 24; i++)
		hold(g, i);
	check(target.n == 24 && !guest_answer(g, e), "24-in-flight");
	check_eq(run_read(g, TARGET_READ, 8), SCSI_BUSY, "one-more-is-busy");
	target_go(&g->vio->dev, 3, false);
	check_eq(answer_of(g, 3, SRP_RSP), SCSI_GOOD, "one-ends");
	check_eq(run_read(g, TARGET_READ, 8), SCSI_GOOD, "one-more-again");
	check_eq(manage(g, 1, 7, LUN0), 0, "abort");
	check_eq(target.n, 22, "is-aborted");
	check(!guest_answer(g, e), "and-not-answered");
	check_eq(manage(g, 1, 7, LUN0), 0, "abort-what-is-not-there");
	check_eq(manage(g, 1, 8, UINT64_MAX), 2, "abort-at-no-unit");
	check_eq(manage(g, 1, 8, LUN0 + (UINT64_C(1) << 48)), 2, "abort-at-an-absent-unit");
	check_eq(manage(g, 0x40, 8, LUN0), 4, "clear-ACA");
	check_eq(manage(g, 0xff, 8, LUN0), 4, "no-such-function");
	check_eq(manage(g, 8, 0, LUN0), 0, "reset-of-the-unit");
	check(!target.n && target.resets == 1 && !guest_answer(g, e), "all-are-aborted");
}

/* Who closes the queue gets neither answers nor data for what is in flight. */
static void test_closed(struct guest *g)
{
	uint8_t e[CRQ_ENTRY], *data = guest_at(g, GUEST_DATA);

	hold(g, 1);
	hold(g, 1);
	memset(data, 0xee, 16);
	guest_call(g, hcall_H_FREE_CRQ, g->vio->reg, 0, 0);
	check_eq(target.n, 0, "closing-drops");
	guest_open(g);
	check(!guest_answer(g, e) && data[0] == 0xee, "what-is-dropped-is-not-answered");
	check_eq(run_read(g, TARGET_READ, 8), SCSI_GOOD, "and-all-goes-on");
	hold(g, 1);
	put_command(g, 0, TAG)[0] = SRP_I_LOGOUT;
	guest_send(g, 0x80, 1, 64, GUEST_IU);
	check(!target.n && !guest_answer(g, e), "logout-drops");
	for (unsigned i = 0; i < 3; i++)
		hold(g, i);
	call_rtas(g, rtas_quiesce, 0, 0);
	check_eq(target.n, 0, "quiesce-drops");
	guest_map(g);
	guest_open(g);
	g->vio->signal_state = 1;
	hold(g, 9);
	devices_reset(g->m);
	check(!target.n && !crq_is_open(g->vio) && !g->vio->signal_state, "reset-drops");
	guest_map(g);
	guest_open(g);
	hold(g, 9);		/* freed with the machine */
}

static void test_node(struct guest *g)
{
	char path[64];
	const uint8_t *window;
	int at, len;

	snprintf(path, sizeof path, "/vdevice/v-scsi@%x", (unsigned)g->vio->reg);
	at = fdt_path_offset(g->m->fdt, path);
	window = fdt_getprop(g->m->fdt, at, "ibm,my-dma-window", &len);
	check(window && len == 20 && be32(window) == g->vio->reg && be32(window + 16) == 0x10000000, "dma-window");
	check(!fdt_node_check_compatible(g->m->fdt, at, "IBM,v-scsi"), "compatible");
}

int main(void)
{
	struct error err = { .msg = "" };
	struct guest g;
	struct rig rig;

	rig_new(&rig, "1");
	if (!guest_new(&g, rig.m, &err)) {
		printf("FAIL device: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	test_registration(&g);
	test_ring(&g);
	test_ring_elsewhere(&g);
	test_firmware(&g);
	test_datagrams(&g);
	test_login(&g);
	test_direct(&g);
	test_indirect(&g);
	test_wrong_descriptors(&g);
	test_wrong_memory(&g);
	test_wrong_requests(&g);
	test_units(&g);
	test_limit(&g);
	test_closed(&g);
	(void)test_node;
	rig_free(&rig);
	return check_done();
}

/* Gives an input as what a guest does with virtual SCSI: a byte for each deed, and what it needs. The memory behind the
 * adapter's window, requests and tables, is made of the input, too. */
#include <stdio.h>
#include <string.h>

#include "machine/rtas/rtas.h"
#include "tests/fuzz/firmware/rig.h"
#include "tests/vscsi_guest.h"

#define MAX_SIZE  4096
#define MAX_DEEDS 200
#define BYPASS    1			/* bits of the first byte: addresses are real ones */
#define LOGGED    2

enum deed { DO_SRP, DO_MAD, DO_TABLE, DO_MESSAGE, DO_FINISH, DO_FREE, DO_REGISTER, DO_MAP, DO_QUIESCE, DO_READ_QUEUE, DEEDS };

rtas_fn rtas_quiesce;

static struct guest guest;

static struct {
	const uint8_t *at, *end;
} in;

static uint8_t byte(void)
{
	return in.at < in.end ? *in.at++ : 0;
}

static uint64_t number(unsigned bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | byte();
	return v;
}

/* Into guest memory: a length, then so many bytes of the input. */
static uint16_t put_bytes(uint64_t ioba)
{
	size_t len = byte(), have = (size_t)(in.end - in.at);

	len = len < have ? len : have;
	memcpy(guest_at(&guest, ioba), in.at, len);
	in.at += len;
	return (uint16_t)len;
}

static uint64_t real_address(uint64_t ioba)
{
	return guest.vio->window.bypass ? GUEST_RAM + ioba : ioba;
}

/* An IU as its bytes are, or at the end of what is mapped. */
static void send_iu(uint8_t format)
{
	uint8_t place = byte();
	uint64_t ioba = place & 0x80 ? GUEST_HOLE - place : GUEST_IU + place % 8 * UINT64_C(256);
	uint16_t size = put_bytes(ioba < GUEST_HOLE - 256 ? ioba : GUEST_HOLE - 256);

	guest_send(&guest, 0x80, format, size, real_address(ioba));
}

static void remap(void)
{
	uint64_t page = byte() % (GUEST_PAGES + 1), to = byte();

	tce_put(&guest.vio->window, page << 12, (GUEST_RAM + (to % GUEST_PAGES << 12)) | to >> 6);
}

static void do_deed(enum deed deed)
{
	uint64_t high, low;
	uint32_t cells[RTAS_MAX_CELLS] = { 0 };
	uint8_t entry[CRQ_ENTRY];

	switch (deed) {
	case DO_SRP:        send_iu(1); break;
	case DO_MAD:        send_iu(2); break;
	case DO_TABLE:      put_bytes(GUEST_TABLE); break;
	case DO_MESSAGE:
		high = number(8);
		low = number(8);
		guest_call(&guest, hcall_H_SEND_CRQ, guest.vio->reg, high, low);
		break;
	case DO_FINISH:
		if (target.n)
			target_go(&guest.vio->dev, byte() % target.n, false);
		break;
	case DO_FREE:       guest_call(&guest, hcall_H_FREE_CRQ, guest.vio->reg, 0, 0); break;
	case DO_REGISTER:
		high = number(3) << 8;
		low = number(3);
		guest_call(&guest, hcall_H_REG_CRQ, guest.vio->reg, real_address(high), low);
		break;
	case DO_MAP:        remap(); break;
	case DO_QUIESCE:    rtas_quiesce(&rig->cpu[0]->cpu, cells, cells); break;
	case DO_READ_QUEUE:
		while (guest_answer(&guest, entry))
			;
		break;
	case DEEDS:         break;
	}
}

/* ---- Seeds: what firmware and Linux send ---- */

static size_t put_command(uint8_t *p, uint8_t opcode, uint8_t format, uint8_t inside, uint32_t len)
{
	p[0] = DO_SRP;
	p[1] = 0;
	p[2] = 128;
	memset(p + 3, 0, 128);
	p[3] = SRP_CMD;
	p[3 + SRP_TAG + 7] = opcode;
	p[3 + SRP_LUN] = 0x80;
	p[3 + SRP_CMD_CDB] = opcode;
	p[3 + SRP_CMD_FORMATS] = format;
	p[3 + SRP_CMD_IN_COUNT] = p[3 + SRP_CMD_OUT_COUNT] = inside;
	p += 3 + SRP_CMD_SIZE;
	srp_put(p, 8, format & 0x22 ? GUEST_TABLE : GUEST_DATA);
	srp_put(p + 12, 4, len);
	srp_put(p + 16, 4, 4096);
	for (unsigned i = 0; i < 2; i++) {
		srp_put(p + 20 + 16 * i, 8, GUEST_DATA + 4096 * i);
		srp_put(p + 32 + 16 * i, 4, 100 * (i + 1));
	}
	return 3 + 128;
}

static size_t put_request(uint8_t *p, enum deed deed, uint8_t first, uint8_t type)
{
	p[0] = (uint8_t)deed;
	p[1] = 1;
	p[2] = 64;
	memset(p + 3, 0, 64);
	p[3] = first;
	p[3 + 3] = type;
	p[3 + 7] = 148;
	p[3 + 16 + 6] = 0x80;
	p[3 + SRP_LUN] = deed == DO_SRP ? 0x80 : 0;
	p[3 + SRP_TSK_FUNCTION] = 1;
	p[3 + SRP_TSK_TAG + 7] = TARGET_HOLD;
	return 3 + 64;
}

static void seeds(void)
{
	static const uint8_t opcodes[] = { TARGET_READ, TARGET_HOLD, TARGET_WRITE, TARGET_FAIL, TARGET_LITTLE };
	static const struct { uint8_t format, inside; uint32_t len; } shapes[] = {
		{ 0, 0, 0 }, { 1, 0, 4096 }, { 0x10, 0, 512 }, { 2, 2, 32 }, { 0x20, 2, 32 }, { 2, 1, 64 }, { 0x20, 1, 64 },
	};
	uint8_t data[1024];
	char name[64];

	for (unsigned k = 0; k < 2; k++) {
		for (unsigned i = 0; i < ARRAY_SIZE(shapes); i++) {
			size_t n = 1;

			data[0] = (uint8_t)k;
			for (unsigned c = 0; c < ARRAY_SIZE(opcodes); c++)
				n += put_command(data + n, opcodes[c], shapes[i].format, shapes[i].inside, shapes[i].len);
			n += put_request(data + n, DO_SRP, SRP_TSK_MGMT, 0);
			data[n++] = DO_FINISH;
			data[n++] = 0;
			data[n++] = DO_READ_QUEUE;
			snprintf(name, sizeof name, "commands-%u-%u", k, i);
			rig_seed(name, data, n);
		}
	}
	for (unsigned type = 1; type < 9; type++) {
		size_t n = 1;

		data[0] = 0;
		n += put_request(data + n, DO_MAD, 0, (uint8_t)type);
		n += put_request(data + n, DO_SRP, SRP_LOGIN_REQ, 0);
		data[n++] = type & 1 ? DO_FREE : DO_QUIESCE;
		memcpy(data + n, (const uint8_t[]){ DO_REGISTER, 0, 0, 0, 0, 0x10, 0 }, 7);
		snprintf(name, sizeof name, "datagram-%u", type);
		rig_seed(name, data, n + 7);
	}
}

/* ---- libFuzzer's ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = { .msg = "" };

	rig_begin(*argc, *argv, seeds);
	if (!guest_new(&guest, rig, &err))
		die("device", err.msg);
	return 0;
}

/* What an input has left is gone, and a queue is registered. */
static void begin(uint8_t flags)
{
	guest_call(&guest, hcall_H_FREE_CRQ, guest.vio->reg, 0, 0);
	if (target.n)
		die("a closed queue", "has commands in flight");
	memset(guest_at(&guest, 0), 0, GUEST_HOLE);
	guest_map(&guest);
	guest.vio->window.bypass = flags & BYPASS;
	guest.next = 0;
	target.executed = 0;
	rig->hcall_work = 0;
	rig->log_mask = flags & LOGGED ? LOG_GUEST_ERROR | LOG_UNIMP : 0;
	guest_call(&guest, hcall_H_REG_CRQ, guest.vio->reg, real_address(GUEST_QUEUE), 4096);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > MAX_SIZE)
		return 0;
	begin(data[0]);
	in.at = data + 1;
	in.end = data + size;
	for (unsigned n = 0; in.at < in.end && n < MAX_DEEDS; n++)
		do_deed((enum deed)(byte() % DEEDS));
	if (target.n > 24)
		die("more commands in flight", "than there may be");
	rig_count(target.executed > 0);
	return 0;
}

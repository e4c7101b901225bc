/* Virtual SCSI (spapr-vscsi): the server's side of a queue on which a guest sends SRP commands for disks and CDs, and
 * datagrams (MAD) by which the two learn of each other. Targets are machine/disk's; this is their adapter.
 *
 * Firmware sends commands without a login, so a login opens nothing: it only tells how many commands may be in flight.
 * The answer to a request replaces it in the guest's memory. PAPR, "Virtual SCSI"; ANSI T10/1415-D (SRP). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/log.h"
#include "machine/core/node.h"
#include "machine/disk/scsi.h"
#include "machine/vio/crq.h"
#include "machine/vio/srp.h"

#define VSCSI_REQUESTS 24u		/* commands in flight; one more is answered with BUSY */
#define VSCSI_LIMIT    22u		/* what a login is told: the rest is for task management */
#define VSCSI_MAX_TXU  UINT32_C(0x200000)	/* bytes of one command, as the guest is told */

/* Byte 1 of a message: what the IU is; byte 3 of an answer. */
enum vscsi_format { FORMAT_SRP = 1, FORMAT_MAD = 2 };
enum vscsi_status { STATUS_OK = 0, STATUS_ADAPTER_FAIL = 0x10 };

/* Response codes of task management. */
enum task_response { TASK_COMPLETE = 0, TASK_FIELDS_INVALID = 2, TASK_NOT_SUPPORTED = 4 };

struct vscsi {
	struct vio_device vio;
	struct scsi_bus_state bus;
};

/* A command, from H_SEND_CRQ to its response. */
struct vscsi_request {
	struct scsi_command scsi;
	struct srp_data data;
	uint64_t iu;			/* where its response goes, in the device's window */
	uint8_t solicited;		/* when the guest wants its notice solicited */
	bool out;			/* data goes to the target */
};

/* What a message points at. */
struct vscsi_iu {
	uint8_t bytes[SRP_MAX_IU];	/* zeros behind the end */
	uint32_t size;
	uint64_t addr;
};

static struct vscsi *to_vscsi(struct device *dev)
{
	return (struct vscsi *)dev;	/* first member */
}

static struct vscsi_request *to_request(struct scsi_command *c)
{
	return (struct vscsi_request *)c;
}

/* ---- Answers ---- */

/* A CRQ entry that says what became of the request with that tag. */
static void send_notice(struct vscsi *s, uint8_t format, uint8_t status, uint32_t size, const uint8_t tag[8])
{
	uint8_t entry[CRQ_ENTRY] = { CRQ_MESSAGE, format, 0, status };

	srp_put(entry + 6, 2, size);
	memcpy(entry + 8, tag, 8);
	crq_send(&s->vio, entry);
}

static void send_iu(struct vscsi *s, uint64_t addr, uint8_t format, const uint8_t *iu, uint32_t size)
{
	bool ok = vio_dma_write(&s->vio, addr, iu, size);

	send_notice(s, format, ok ? STATUS_OK : STATUS_ADAPTER_FAIL, size, iu + SRP_TAG);
}

/* What is left of the room for data. ibmvscsi looks at it only under the flags of too much data, which is why QEMU sets
 * those where SRP has others for too little. */
static void put_residual(uint8_t *rsp, const struct vscsi_request *r)
{
	uint32_t left = r->scsi.moved < r->data.bytes ? r->data.bytes - r->scsi.moved : 0;

	if (!left)
		return;
	rsp[SRP_RSP_FLAGS] |= r->out ? SRP_DOOVER : SRP_DIOVER;
	srp_put(rsp + (r->out ? SRP_RSP_OUT_LEFT : SRP_RSP_IN_LEFT), 4, left);
}

static void send_response(struct vscsi *s, const struct vscsi_request *r)
{
	const struct scsi_command *c = &r->scsi;
	uint32_t sense = c->sense_bytes < SCSI_SENSE_MAX ? c->sense_bytes : SCSI_SENSE_MAX;
	uint8_t rsp[SRP_RSP_SIZE + SCSI_SENSE_MAX] = { SRP_RSP };

	if (c->status == SCSI_GOOD)
		sense = 0;
	/* Bit 1: a good end is to be solicited, bit 2: a bad one. */
	rsp[SRP_RSP_SOLICITED] = r->solicited >> (c->status == SCSI_GOOD ? 1 : 2) & 1;
	srp_put(rsp + SRP_RSP_LIMIT, 4, 1);
	srp_put(rsp + SRP_TAG, 8, c->tag);
	put_residual(rsp, r);
	rsp[SRP_RSP_STATUS] = c->status;
	if (sense)
		rsp[SRP_RSP_FLAGS] |= SRP_SNSVALID;
	srp_put(rsp + SRP_RSP_SENSE_LEN, 4, sense);
	memcpy(rsp + SRP_RSP_SIZE, c->sense, sense);
	send_iu(s, r->iu, FORMAT_SRP, rsp, SRP_RSP_SIZE + sense);
}

/* ---- Commands ---- */

enum sense_key { KEY_HARDWARE = 4, KEY_ILLEGAL = 5 };
#define ASC_INVALID_FIELD 0x2400u	/* asc and ascq */
#define ASC_NO_LUN        0x2500u
#define ASC_TARGET_FAILURE 0x4400u

/* Ends with CHECK CONDITION and that sense data, in fixed format. SPC-4 4.5.3. */
static void fail_command(struct scsi_command *c, enum sense_key key, unsigned asc)
{
	memset(c->sense, 0, sizeof c->sense);
	c->sense[0] = 0x70;
	c->sense[2] = key;
	c->sense[7] = 10;
	c->sense[12] = (uint8_t)(asc >> 8);
	c->sense[13] = (uint8_t)asc;
	c->sense_bytes = 18;
	c->status = SCSI_CHECK_CONDITION;
}

static void free_request(struct vscsi_request *r)
{
	free(r->data.descriptor);
	free(r);
}

/* An aborted command has no response: that of the task management says it all. */
static void vscsi_done(struct device *dev, struct scsi_command *c)
{
	struct vscsi_request *r = to_request(c);

	if (c->absent)
		fail_command(c, KEY_ILLEGAL, ASC_NO_LUN);
	else if (c->overrun)
		fail_command(c, KEY_ILLEGAL, ASC_INVALID_FIELD);
	if (c->status != SCSI_TASK_ABORTED)
		send_response(to_vscsi(dev), r);
	free_request(r);
}

static void vscsi_drop(struct device *dev, struct scsi_command *c)
{
	(void)dev;
	free_request(to_request(c));
}

/* All bytes of the range, piece for piece; `put`: into the guest's memory. */
static bool move_data(struct vscsi *s, const struct vscsi_request *r, uint32_t at, uint8_t *buf, uint32_t n, bool put)
{
	s->vio.dev.machine->hcall_work += n;
	while (n) {
		uint32_t len;
		uint64_t addr = srp_data_piece(&r->data, at, n, &len);

		s->vio.dev.machine->hcall_work += r->data.size;		/* the piece is looked for from the first descriptor on */
		if (!len || !(put ? vio_dma_write(&s->vio, addr, buf, len) : vio_dma_read(&s->vio, addr, buf, len)))
			return false;
		at += len;
		buf += len;
		n -= len;
	}
	return true;
}

static bool vscsi_take(struct device *dev, struct scsi_command *c, uint32_t at, void *buf, uint32_t n)
{
	struct vscsi_request *r = to_request(c);

	if (!r->out)
		return false;
	return move_data(to_vscsi(dev), r, at, buf, n, false);
}

static bool vscsi_give(struct device *dev, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n)
{
	struct vscsi_request *r = to_request(c);

	return !r->out && move_data(to_vscsi(dev), r, at, (uint8_t *)(uintptr_t)buf, n, true);
}

/* Logical unit addressing (mask 80), flat addressing (40), peripheral device addressing (00), in its first two levels;
 * well-known units are the first target's. SAM-5 4.7. False: another method. */
static bool decode_lun(uint64_t lun, struct scsi_address *at)
{
	unsigned first = (unsigned)(lun >> 48), second = (unsigned)(lun >> 32) & 0xffff;

	*at = (struct scsi_address){ .channel = 0 };
	if (first >> 8 == 0xc1)
		return true;
	switch (first >> 14) {
	case 0:
		at->channel = (uint8_t)(first >> 8 & 0x3f);
		at->target = (uint8_t)(first >> 8 ? first & 0xff : 0);
		at->lun = (uint16_t)(first >> 8 ? second & 0xff : first & 0xff);
		return true;
	case 1:
		at->lun = (uint16_t)(first & 0x3fff);
		return true;
	case 2:
		at->channel = (uint8_t)(first >> 5 & 7);
		at->target = (uint8_t)(first >> 8 & 0x3f);
		at->lun = (uint16_t)(first & 0x1f);
		return true;
	}
	return false;
}

/* Our copy of the descriptors. */
static bool read_descriptors(struct vscsi *s, struct vscsi_request *r, const struct vscsi_iu *iu)
{
	struct srp_place place;

	if (!srp_data_place(iu->bytes, iu->size, &place))
		return false;
	r->out = place.out;
	if (!place.size)
		return true;
	r->data.descriptor = malloc(place.size);
	if (!r->data.descriptor)
		return false;
	r->data.size = place.size;
	if (!place.external)
		memcpy(r->data.descriptor, iu->bytes + place.at, place.size);
	else if (!vio_dma_read(&s->vio, place.table, r->data.descriptor, place.size))
		return false;
	return srp_data_count(&r->data, place.most);
}

static void fill_command(struct vscsi_request *r, const struct vscsi_iu *iu)
{
	uint32_t more = iu->bytes[SRP_CMD_MORE_CDB] & ~3u;
	uint32_t cdb = 16 + more < SCSI_CDB_MAX ? 16 + more : SCSI_CDB_MAX;

	r->iu = iu->addr;
	r->solicited = iu->bytes[SRP_CMD_SOLICITED];
	r->scsi.tag = srp_get(iu->bytes + SRP_TAG, 8);
	memcpy(r->scsi.cdb, iu->bytes + SRP_CMD_CDB, cdb);
}

/* Ends without having been a target's. */
static void refuse_command(struct vscsi *s, struct vscsi_request *r, enum sense_key key, unsigned asc)
{
	fail_command(&r->scsi, key, asc);
	send_response(s, r);
	free_request(r);
}

static void start_command(struct vscsi *s, struct vscsi_request *r, const struct vscsi_iu *iu)
{
	if (iu->size < SRP_CMD_SIZE || !read_descriptors(s, r, iu)) {
		machine_log(s->vio.dev.machine, LOG_GUEST_ERROR, "v-scsi@%x: a command with wrong data descriptors", (unsigned)s->vio.reg);
		r->data.bytes = 0;
		refuse_command(s, r, KEY_HARDWARE, ASC_TARGET_FAILURE);
		return;
	}
	if (!decode_lun(srp_get(iu->bytes + SRP_LUN, 8), &r->scsi.address)) {
		refuse_command(s, r, KEY_ILLEGAL, ASC_NO_LUN);
		return;
	}
	r->scsi.out_bytes = r->out ? r->data.bytes : 0;
	r->scsi.in_bytes = r->out ? 0 : r->data.bytes;
	scsi_execute(&s->vio.dev, &r->scsi);
}

static void send_busy(struct vscsi *s, const struct vscsi_iu *iu)
{
	struct vscsi_request r = { .iu = 0 };

	fill_command(&r, iu);
	r.scsi.status = SCSI_BUSY;
	send_response(s, &r);
}

static void srp_command(struct vscsi *s, struct vscsi_iu *iu)
{
	struct vscsi_request *r = s->bus.in_flight < VSCSI_REQUESTS ? calloc(1, sizeof *r) : NULL;

	if (!r) {
		send_busy(s, iu);
		return;
	}
	fill_command(r, iu);
	start_command(s, r, iu);
}

/* ---- Login, task management ---- */

static void srp_login(struct vscsi *s, struct vscsi_iu *iu)
{
	uint8_t rsp[SRP_LOGIN_SIZE] = { SRP_LOGIN_RSP };

	srp_put(rsp + SRP_LOGIN_LIMIT, 4, VSCSI_LIMIT);
	memcpy(rsp + SRP_TAG, iu->bytes + SRP_TAG, 8);
	srp_put(rsp + SRP_LOGIN_IT_LEN, 4, SRP_MAX_IU);
	srp_put(rsp + SRP_LOGIN_TI_LEN, 4, SRP_MAX_IU);
	srp_put(rsp + SRP_LOGIN_FORMATS, 2, 1 << SRP_DIRECT | 1 << SRP_INDIRECT);
	send_iu(s, iu->addr, FORMAT_SRP, rsp, sizeof rsp);
}

enum task_function { ABORT_TASK = 1, ABORT_TASK_SET = 2, CLEAR_TASK_SET = 4, LUN_RESET = 8 };

static enum task_response manage_tasks(struct vscsi *s, const struct vscsi_iu *iu)
{
	uint64_t tag = srp_get(iu->bytes + SRP_TSK_TAG, 8);
	struct scsi_address at;

	if (iu->size < SRP_TSK_TAG + 8 || !decode_lun(srp_get(iu->bytes + SRP_LUN, 8), &at) || !scsi_find(&s->vio.dev, at))
		return TASK_FIELDS_INVALID;
	switch (iu->bytes[SRP_TSK_FUNCTION]) {
	case ABORT_TASK:
		scsi_abort(&s->vio.dev, at, &tag);
		return TASK_COMPLETE;
	case ABORT_TASK_SET:
	case CLEAR_TASK_SET:
		scsi_abort(&s->vio.dev, at, NULL);
		return TASK_COMPLETE;
	case LUN_RESET:
		scsi_reset_target(&s->vio.dev, at);
		return TASK_COMPLETE;
	}
	return TASK_NOT_SUPPORTED;
}

static void srp_task(struct vscsi *s, struct vscsi_iu *iu)
{
	uint8_t rsp[SRP_RSP_SIZE + 4] = { SRP_RSP };
	enum task_response response = manage_tasks(s, iu);

	rsp[SRP_RSP_SOLICITED] = iu->bytes[SRP_CMD_SOLICITED] >> (response == TASK_COMPLETE ? 1 : 2) & 1;
	srp_put(rsp + SRP_RSP_LIMIT, 4, 1);
	memcpy(rsp + SRP_TAG, iu->bytes + SRP_TAG, 8);
	rsp[SRP_RSP_FLAGS] = SRP_RSPVALID;
	srp_put(rsp + SRP_RSP_DATA_LEN, 4, 4);
	rsp[SRP_RSP_SIZE + 3] = (uint8_t)response;
	send_iu(s, iu->addr, FORMAT_SRP, rsp, sizeof rsp);
}

static void srp_logout(struct vscsi *s, struct vscsi_iu *iu)
{
	(void)iu;
	scsi_bus_drop(&s->vio.dev);
}

/* ---- Management datagrams: type, status, length (of the buffer), tag; then the buffer's address ---- */

enum mad_offset { MAD_STATUS = 4, MAD_LENGTH = 6, MAD_BUFFER = 16, MAD_MIN_SIZE = 16, MAD_BUFFER_SIZE = 24 };
enum mad_status { MAD_SUCCESS = 0, MAD_NOT_SUPPORTED = 0xf1, MAD_FAILED = 0xf7 };

/* Who we are: the version of SRP, the partition's name and number, the version of MADs, operating system 2 (Linux: only
 * AIX is asked for its capabilities), and how much a command may move. */
enum info_offset { INFO_NAME = 8, INFO_NAME_SIZE = 96, INFO_MAD_VERSION = 108, INFO_OS = 112, INFO_MAX_TXU = 116, INFO_SIZE = 148 };

static enum mad_status mad_info(struct vscsi *s, uint64_t buffer, uint32_t length)
{
	uint8_t info[INFO_SIZE] = "16.a";

	snprintf((char *)info + INFO_NAME, INFO_NAME_SIZE, "%s", config_name(s->vio.dev.machine->config));
	srp_put(info + INFO_MAD_VERSION, 4, 1);
	srp_put(info + INFO_OS, 4, 2);
	srp_put(info + INFO_MAX_TXU, 4, VSCSI_MAX_TXU);
	return vio_dma_write(&s->vio, buffer, info, length < INFO_SIZE ? length : INFO_SIZE) ? MAD_SUCCESS : MAD_FAILED;
}

/* Two capabilities of the client's: migration, and reservations. We have neither, and say so where it asks. */
enum capability_offset { CAP_FLAGS = 0, CAP_MIGRATION = 68, CAP_RESERVE = 80, CAP_SUPPORT = 6, CAP_VALUE = 8, CAP_SIZE = 92 };

static enum mad_status mad_capabilities(struct vscsi *s, uint64_t buffer, uint32_t length)
{
	uint8_t cap[CAP_SIZE] = { 0 };

	length = length < CAP_SIZE ? length : CAP_SIZE;
	if (!vio_dma_read(&s->vio, buffer, cap, length))
		return MAD_FAILED;
	srp_put(cap + CAP_FLAGS, 4, 0);
	for (unsigned at = CAP_MIGRATION; at <= CAP_RESERVE; at += CAP_RESERVE - CAP_MIGRATION) {
		srp_put(cap + at + CAP_SUPPORT, 2, 0);
		srp_put(cap + at + CAP_VALUE, 4, 0);
	}
	return vio_dma_write(&s->vio, buffer, cap, length) ? MAD_SUCCESS : MAD_FAILED;
}

/* A command fails as fast as it can anyway. */
static enum mad_status mad_fast_fail(struct vscsi *s, uint64_t buffer, uint32_t length)
{
	(void)s;
	(void)buffer;
	(void)length;
	return MAD_SUCCESS;
}

static const struct mad {
	uint32_t type, size;		/* size: bytes of the datagram */
	enum mad_status (*handle)(struct vscsi *s, uint64_t buffer, uint32_t length);
} mads[] = {
	{ 3, MAD_BUFFER_SIZE, mad_info },
	{ 5, MAD_BUFFER_SIZE, mad_capabilities },
	{ 8, MAD_MIN_SIZE, mad_fast_fail },
};

static enum mad_status answer_mad(struct vscsi *s, const struct vscsi_iu *iu)
{
	uint64_t type = srp_get(iu->bytes, 4);

	for (unsigned i = 0; i < ARRAY_SIZE(mads); i++)
		if (mads[i].type == type && iu->size >= mads[i].size)
			return mads[i].handle(s, srp_get(iu->bytes + MAD_BUFFER, 8), (uint32_t)srp_get(iu->bytes + MAD_LENGTH, 2));
	return MAD_NOT_SUPPORTED;
}

static void handle_mad(struct vscsi *s, struct vscsi_iu *iu)
{
	srp_put(iu->bytes + MAD_STATUS, 2, answer_mad(s, iu));
	send_iu(s, iu->addr, FORMAT_MAD, iu->bytes, iu->size);
}

/* ---- Messages ---- */

static const struct srp_row {
	uint8_t opcode;
	void (*handle)(struct vscsi *s, struct vscsi_iu *iu);
} srp_rows[] = {
	{ SRP_CMD, srp_command }, { SRP_LOGIN_REQ, srp_login }, { SRP_TSK_MGMT, srp_task }, { SRP_I_LOGOUT, srp_logout },
};

static void handle_srp(struct vscsi *s, struct vscsi_iu *iu)
{
	for (unsigned i = 0; i < ARRAY_SIZE(srp_rows); i++)
		if (srp_rows[i].opcode == iu->bytes[0]) {
			srp_rows[i].handle(s, iu);
			return;
		}
	machine_log(s->vio.dev.machine, LOG_UNIMP, "v-scsi@%x: SRP request 0x%x", (unsigned)s->vio.reg, iu->bytes[0]);
}

/* Without its IU a request has no tag: the address stands for it. */
static void handle_message(struct vscsi *s, const uint8_t entry[CRQ_ENTRY])
{
	struct vscsi_iu iu = { .size = (uint32_t)srp_get(entry + 6, 2), .addr = srp_get(entry + 8, 8) };

	if (entry[1] != FORMAT_SRP && entry[1] != FORMAT_MAD) {
		machine_log(s->vio.dev.machine, LOG_UNIMP, "v-scsi@%x: message of format 0x%x", (unsigned)s->vio.reg, entry[1]);
		return;
	}
	if (iu.size < MAD_MIN_SIZE || iu.size > SRP_MAX_IU || !vio_dma_read(&s->vio, iu.addr, iu.bytes, iu.size)) {
		machine_log(s->vio.dev.machine, LOG_GUEST_ERROR, "v-scsi@%x: no request of %u bytes there", (unsigned)s->vio.reg,
			    (unsigned)iu.size);
		send_notice(s, entry[1], STATUS_ADAPTER_FAIL, 0, entry + 8);
		return;
	}
	if (entry[1] == FORMAT_SRP)
		handle_srp(s, &iu);
	else
		handle_mad(s, &iu);
}

static void vscsi_receive(struct vio_device *vio, const uint8_t entry[CRQ_ENTRY])
{
	static const uint8_t initialized[CRQ_ENTRY] = { CRQ_INIT, CRQ_INITIALIZED };

	if (entry[0] == CRQ_MESSAGE)
		handle_message((struct vscsi *)vio, entry);
	else if (entry[0] == CRQ_INIT && entry[1] == CRQ_INITIALIZE)
		crq_send(vio, initialized);
}

/* What is in flight moves nothing any more, and nobody hears of it. */
static void vscsi_closed(struct vio_device *vio)
{
	scsi_bus_drop(&vio->dev);
}

static const struct crq_user vscsi_queue = { .receive = vscsi_receive, .closed = vscsi_closed };

/* ---- The device ---- */

static const struct scsi_adapter vscsi_adapter = {
	.take = vscsi_take, .give = vscsi_give, .done = vscsi_done, .drop = vscsi_drop,
	.absent_lun0 = true, .max_channel = 7, .max_target = 63, .max_lun = 31,
};

static bool vscsi_init(struct device *dev, struct error *err)
{
	struct vscsi *s = to_vscsi(dev);

	s->vio.crq.user = &vscsi_queue;
	scsi_bus_init(dev, &s->bus, &vscsi_adapter);
	return vio_window_new(&s->vio, err);
}

static void vscsi_free(struct device *dev)
{
	struct vscsi *s = to_vscsi(dev);

	scsi_bus_drop(dev);
	vio_window_free(&s->vio);
}

static void vscsi_fdt(struct device *dev, struct tree *t, int at)
{
	(void)dev;
	node_cell(t, at, "#address-cells", 2);
	node_cell(t, at, "#size-cells", 0);
}

/* A command moves what its descriptors name and no more. */
static bool request_check(const void *p, struct vms_walk *w)
{
	const struct vscsi_request *r = p;
	struct srp_data data = r->data;

	if (r->data.size % SRP_DESCRIPTOR)
		return vms_wrong(w, "data.size", r->data.size, "whole descriptors");
	if (!srp_data_count(&data, r->data.bytes) || data.bytes != r->data.bytes)
		return vms_wrong(w, "data.bytes", r->data.bytes, "what the descriptors have");
	return (r->scsi.out_bytes == (r->out ? r->data.bytes : 0) && r->scsi.in_bytes == (r->out ? 0 : r->data.bytes)) ||
	       vms_wrong(w, "scsi.in_bytes", r->scsi.in_bytes, "0x%x one way", (unsigned)r->data.bytes);
}

static void request_drop(void *p)
{
	free(((struct vscsi_request *)p)->data.descriptor);
	((struct vscsi_request *)p)->data.descriptor = NULL;
}

static const struct vmstate request_state = {
	.name = "cede/vscsi-request", .version = 1, .min_version = 1, VMS_OF(struct vscsi_request),
	.check = request_check, .drop = request_drop,
	.fields = VMS_FIELDS(
		VMS_STRUCT("scsi", struct vscsi_request, scsi, struct scsi_command, scsi_command_state),
		VMS_U32_TO(struct vscsi_request, data.size, SRP_MAX_EXTERNAL * SRP_DESCRIPTOR),
		VMS_ALLOCATED_BUFFER("data.descriptor", struct vscsi_request, data.descriptor, data.size, SRP_MAX_EXTERNAL * SRP_DESCRIPTOR),
		VMS_U32_TO(struct vscsi_request, data.bytes, SRP_MAX_BYTES),
		VMS_U64(struct vscsi_request, iu),
		VMS_U8(struct vscsi_request, solicited),
		VMS_BOOL(struct vscsi_request, out)),
};

static const struct vmstate bus_state = SCSI_BUS_STATE("cede/vscsi/bus", struct vscsi_request, request_state);

static const struct vmstate vscsi_state = {
	.name = "spapr_vscsi", .version = 1, .min_version = 1, VMS_OF(struct vscsi),
	.fields = VMS_FIELDS(VMS_STRUCT("vdev", struct vscsi, vio, struct vio_device, vio_state)),
};

static const struct vmstate vscsi_own_state = {
	.name = "cede/vscsi", .version = 1, .min_version = 1, VMS_OF(struct vscsi),
	.fields = VMS_FIELDS(
		VMS_STRUCT("bus", struct vscsi, bus, struct scsi_bus_state, bus_state)),
};

static const struct device_section vscsi_sections[] = {
	VIO_WINDOW_SECTION,
	{ .state = NULL },
};

const struct device_class vscsi_class = {
	.name = "spapr-vscsi", .help = "virtual SCSI adapter", .size = sizeof(struct vscsi), .on = &vio_bus, .bus = &scsi_bus,
	.pluggable = true, .init = vscsi_init, .free = vscsi_free, .fdt = vscsi_fdt,
	.node = "v-scsi", .device_type = "vscsi", .compatible = "IBM,v-scsi",
	.state = &vscsi_state, .own_state = &vscsi_own_state, .sections = vscsi_sections,
};

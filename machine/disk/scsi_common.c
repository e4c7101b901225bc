/* SCSI commands of all units: who it is, what it is about, its mode pages. SPC-4. */
#include <string.h>

#include "machine/disk/scsi_device.h"

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- INQUIRY ---- */

static void put_text(uint8_t *buf, size_t room, const char *text)
{
	memset(buf, ' ', room);
	memcpy(buf, text, least(strlen(text), room));
}

void scsi_inquiry_data(uint8_t buf[36], uint8_t type, bool removable, const char *vendor, const char *product, const char *version)
{
	memset(buf, 0, 36);
	buf[0] = type;
	buf[1] = removable ? 0x80 : 0;
	buf[2] = 5;			/* SPC-3 */
	buf[3] = 0x12;			/* LUNs of any form; this format */
	buf[4] = 36 - 5;
	buf[7] = 0x12;			/* wide, commands are queued */
	put_text(buf + 8, 8, vendor);
	put_text(buf + 16, 16, product);
	put_text(buf + 32, 4, version);
}

static bool is_disk(const struct scsi_unit *u)
{
	return !u->kind->removable;
}

/* Vital product data: what stands behind the page's head of 4 bytes. How many; 0: there is no such page. */
#define VPD_MAX 256

static unsigned vpd_pages(const struct scsi_unit *u, uint8_t *p)
{
	unsigned n = 0;

	p[n++] = 0x00;
	if (u->serial)
		p[n++] = 0x80;
	p[n++] = 0x83;
	if (!is_disk(u))
		return n;
	p[n++] = 0xb0;
	p[n++] = 0xb1;
	p[n++] = 0xb2;
	return n;
}

static unsigned vpd_serial(const struct scsi_unit *u, uint8_t *p)
{
	size_t n = u->serial ? least(strlen(u->serial), 36) : 0;

	memcpy(p, u->serial ? u->serial : "", n);
	return (unsigned)n;
}

/* One designator: the serial number, or the drive's name, as the vendor likes it. */
static unsigned vpd_identity(const struct scsi_unit *u, uint8_t *p)
{
	const char *name = u->serial ? u->serial : u->drive_id ? u->drive_id : "";
	size_t n = least(strlen(name), 200);

	if (!n)
		return 4;
	p[0] = 2;			/* ASCII */
	p[3] = (uint8_t)n;
	memcpy(p + 4, name, n);
	return (unsigned)n + 4;
}

static unsigned vpd_limits(const struct scsi_unit *u, uint8_t *p)
{
	p[0] = 1;			/* WRITE SAME of 0 blocks is none to the end */
	be_put(p + 4, DISK_MAX_BYTES / u->block_bytes, 4);
	be_put(p + 16, SCSI_MAX_ZEROES / u->block_bytes, 4);
	be_put(p + 20, SCSI_MAX_UNMAPS, 4);
	be_put(p + 24, u->physical_bytes / u->block_bytes, 4);
	be_put(p + 32, SCSI_MAX_ZEROES / u->block_bytes, 8);
	return 60;
}

static unsigned vpd_character(const struct scsi_unit *u, uint8_t *p)
{
	(void)u;
	be_put(p, 1, 2);		/* nothing turns in it */
	return 60;
}

static unsigned vpd_provisioning(const struct scsi_unit *u, uint8_t *p)
{
	(void)u;
	p[1] = 0xe0;			/* UNMAP, WRITE SAME (16) and (10) give blocks up */
	p[2] = 2;			/* thin */
	return 4;
}

static const struct vpd_row {
	uint8_t page;
	bool disks;			/* of disks only */
	unsigned (*put)(const struct scsi_unit *u, uint8_t *p);
} vpd_rows[] = {
	{ 0x00, false, vpd_pages },	{ 0x80, false, vpd_serial },	{ 0x83, false, vpd_identity },
	{ 0xb0, true,  vpd_limits },	{ 0xb1, true,  vpd_character },	{ 0xb2, true,  vpd_provisioning },
};

static unsigned put_vpd(const struct scsi_unit *u, uint8_t page, uint8_t *p)
{
	for (size_t i = 0; i < sizeof vpd_rows / sizeof vpd_rows[0]; i++)
		if (vpd_rows[i].page == page && (!vpd_rows[i].disks || is_disk(u)))
			return vpd_rows[i].put(u, p);
	return 0;
}

static void inquiry(struct scsi_unit *u, struct scsi_command *c)
{
	uint32_t room = (uint32_t)be_get(c->cdb + 3, 2);
	uint8_t buf[4 + VPD_MAX] = { u->kind->type, c->cdb[2] };
	unsigned n;

	if (c->cdb[1] & 2 || (!(c->cdb[1] & 1) && c->cdb[2])) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	if (!(c->cdb[1] & 1)) {
		scsi_inquiry_data(buf, u->kind->type, u->kind->removable, u->vendor ? u->vendor : "QEMU",
				  u->product ? u->product : u->kind->product, u->version ? u->version : "2.5+");
		scsi_answer(u, c, buf, 36, room);
		return;
	}
	n = put_vpd(u, c->cdb[2], buf + 4);
	be_put(buf + 2, n, 2);
	if (n)
		scsi_answer(u, c, buf, n + 4, room);
	else
		scsi_fail(u, c, SENSE_FIELD);
}

/* ---- Small ones ---- */

/* What a command failed with has gone along with it: what is left to say is a unit attention. */
static void request_sense(struct scsi_unit *u, struct scsi_command *c)
{
	enum scsi_sense sense = (enum scsi_sense)u->attention;
	uint8_t buf[18] = { 0x70, [2] = (uint8_t)(sense >> 16), [7] = 10, [12] = (uint8_t)(sense >> 8), [13] = (uint8_t)sense };
	uint8_t brief[8] = { 0x72, (uint8_t)(sense >> 16), (uint8_t)(sense >> 8), (uint8_t)sense };

	u->attention = SENSE_NONE;
	if (c->cdb[1] & 1)
		scsi_answer(u, c, brief, sizeof brief, c->cdb[4]);
	else
		scsi_answer(u, c, buf, sizeof buf, c->cdb[4]);
}

/* A self-test goes well; there is no other diagnosis. */
static void send_diagnostic(struct scsi_unit *u, struct scsi_command *c)
{
	if (be_get(c->cdb + 3, 2))
		scsi_fail(u, c, SENSE_FIELD);
	else
		scsi_finish(u, c);
}

/* ---- Mode pages ---- */

#define MODE_MAX 256		/* bytes of all pages, and of a list of them */

enum { PAGES_ALL = 0x3f, CONTROL_CURRENT = 0, CONTROL_CHANGEABLE = 1, CONTROL_SAVED = 3 };

static bool is_long(const struct scsi_command *c)
{
	return c->cdb[0] >> 5;
}

/* n bytes before them stand there already. The new n; 0: no such page. */
static unsigned put_pages(const struct scsi_unit *u, uint8_t page, unsigned control, uint8_t *buf, unsigned n)
{
	unsigned from = n;

	for (const uint8_t *p = u->kind->pages; *p != 0xff; p++)
		if (page == PAGES_ALL || page == *p)
			n += u->kind->page(u, *p, control == CONTROL_CHANGEABLE, buf + n);
	return n == from ? 0 : n;
}

static unsigned put_block_descriptor(const struct scsi_unit *u, uint8_t *p)
{
	uint64_t blocks = scsi_blocks(u);

	be_put(p + 1, blocks > 0xffffff ? 0 : blocks, 3);
	be_put(p + 5, u->block_bytes, 3);
	return 8;
}

static void mode_sense(struct scsi_unit *u, struct scsi_command *c)
{
	bool wide = is_long(c);
	unsigned control = c->cdb[2] >> 6, head = wide ? 8 : 4, n = head;
	uint8_t buf[8 + 8 + MODE_MAX] = { 0 };
	uint8_t page = c->cdb[2] & 0x3f;

	if (control == CONTROL_SAVED) {
		scsi_fail(u, c, SENSE_NO_SAVING);
		return;
	}
	if (is_disk(u) && !(c->cdb[1] & 8))
		n += put_block_descriptor(u, buf + n);
	buf[wide ? 7 : 3] = (uint8_t)(n - head);
	if (is_disk(u))
		buf[wide ? 3 : 2] = 0x10 | (scsi_is_readonly(u) ? 0x80 : 0);
	n = c->cdb[3] && c->cdb[3] != 0xff ? 0 : put_pages(u, page, control, buf, n);
	if (!n) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	be_put(buf, wide ? n - 2 : n - 1, wide ? 2 : 1);
	scsi_answer(u, c, buf, n, wide ? (uint32_t)be_get(c->cdb + 7, 2) : c->cdb[4]);
}

/* Its length with the head, if only what may be changed is; 0: it is none of ours. */
static unsigned check_page(const struct scsi_unit *u, const uint8_t *p, unsigned room)
{
	uint8_t now[MODE_MAX] = { 0 }, mask[MODE_MAX] = { 0 };
	unsigned n = room < 2 || p[0] & 0x40 ? 0 : u->kind->page(u, p[0] & 0x3f, false, now);

	if (!n || n > room || p[1] != n - 2)
		return 0;
	u->kind->page(u, p[0] & 0x3f, true, mask);
	for (unsigned i = 2; i < n; i++)
		if ((now[i] ^ p[i]) & ~mask[i])
			return 0;
	return n;
}

/* Twice: nothing is changed if one of them cannot be. */
static bool select_pages(struct scsi_unit *u, const uint8_t *p, unsigned n, bool take)
{
	for (unsigned at = 0, len; at < n; at += len) {
		len = check_page(u, p + at, n - at);
		if (!len)
			return false;
		if (take && u->kind->select)
			u->kind->select(u, p + at);
	}
	return true;
}

static void mode_select(struct scsi_unit *u, struct scsi_command *c)
{
	bool wide = is_long(c);
	unsigned n = wide ? (unsigned)be_get(c->cdb + 7, 2) : c->cdb[4], head = wide ? 8 : 4, descriptor;
	uint8_t buf[8 + 8 + MODE_MAX] = { 0 };

	if ((c->cdb[1] & 0x11) != 0x10) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	if (!n) {
		scsi_finish(u, c);
		return;
	}
	if (n < head || n > sizeof buf) {
		scsi_fail(u, c, SENSE_LIST_LENGTH);
		return;
	}
	if (!scsi_take(u, c, buf, n))
		return;
	descriptor = wide ? (unsigned)be_get(buf + 6, 2) : buf[3];
	if (descriptor > n - head) {
		scsi_fail(u, c, SENSE_LIST_LENGTH);
		return;
	}
	head += descriptor;
	if ((descriptor && descriptor != 8) || !select_pages(u, buf + head, n - head, false)) {
		scsi_fail(u, c, SENSE_PARAMETER);
		return;
	}
	select_pages(u, buf + head, n - head, true);
	scsi_finish(u, c);
}

/* There is one initiator: what it reserves it has. */
const struct scsi_row scsi_common_rows[] = {
	{ 0x00, ROW_MEDIUM, scsi_finish },	/* TEST UNIT READY */
	{ 0x03, ROW_CALM, request_sense },
	{ 0x12, ROW_CALM, inquiry },
	{ 0x15, 0, mode_select },		{ 0x55, 0, mode_select },
	{ 0x1a, 0, mode_sense },		{ 0x5a, 0, mode_sense },
	{ 0x16, 0, scsi_finish },		{ 0x56, 0, scsi_finish },	/* RESERVE */
	{ 0x17, 0, scsi_finish },		{ 0x57, 0, scsi_finish },	/* RELEASE */
	{ 0x1d, 0, send_diagnostic },
	SCSI_ROWS_END,
};

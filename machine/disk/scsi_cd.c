/* A CD or DVD drive (scsi-cd): blocks of 2048 bytes that are read only, a tray, media that change. MMC-5. */
#include <string.h>

#include "machine/disk/scsi_device.h"

enum { CD_BLOCK = 2048, CD_MOST_BLOCKS = 450000 };	/* a disc with more, 100 minutes, is a DVD */
enum { PROFILE_NONE = 0x0000, PROFILE_CD = 0x0008, PROFILE_DVD = 0x0010 };

static unsigned profile_of(const struct scsi_unit *u)
{
	if (!scsi_has_medium(u))
		return PROFILE_NONE;
	return scsi_blocks(u) > CD_MOST_BLOCKS ? PROFILE_DVD : PROFILE_CD;
}

static void read_capacity(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t blocks = scsi_blocks(u), last = blocks ? blocks - 1 : 0;
	uint8_t buf[8];

	be_put(buf, last > UINT32_MAX ? UINT32_MAX : last, 4);
	be_put(buf + 4, CD_BLOCK, 4);
	scsi_answer(u, c, buf, sizeof buf, sizeof buf);
}

/* ---- What the drive is ---- */

enum feature { FEATURE_PROFILES = 0, FEATURE_CORE = 1, FEATURE_REMOVABLE = 3, FEATURE_RANDOM_READ = 0x10, FEATURE_CD_READ = 0x1e,
	       FEATURE_DVD_READ = 0x1f };

static const struct feature_row {
	uint8_t number, flags, bytes;	/* flags: version << 2 | persistent << 1 | current */
	uint8_t data[12];
} features[] = {
	{ FEATURE_PROFILES, 0x03, 8, { 0, PROFILE_DVD, 0, 0, 0, PROFILE_CD, 0, 0 } },
	{ FEATURE_CORE, 0x0b, 8, { 0, 0, 0, 1, 1, 0, 0, 0 } },		/* a SCSI interface */
	{ FEATURE_REMOVABLE, 0x03, 4, { 0x29, 0, 0, 0 } },		/* a tray that locks and ejects */
	{ FEATURE_RANDOM_READ, 0x00, 8, { 0, 0, CD_BLOCK >> 8, 0, 0, 1, 0, 0 } },
	{ FEATURE_CD_READ, 0x08, 4, { 0 } },
	{ FEATURE_DVD_READ, 0x00, 0, { 0 } },
};

static bool is_current(unsigned number, unsigned profile)
{
	switch (number) {
	case FEATURE_RANDOM_READ:
		return profile != PROFILE_NONE;
	case FEATURE_CD_READ:
		return profile == PROFILE_CD;
	case FEATURE_DVD_READ:
		return profile == PROFILE_DVD;
	default:
		return true;
	}
}

static unsigned put_feature(const struct feature_row *f, unsigned profile, uint8_t *p)
{
	be_put(p, f->number, 2);
	p[2] = f->flags | is_current(f->number, profile);
	p[3] = f->bytes;
	memcpy(p + 4, f->data, f->bytes);
	if (f->number == FEATURE_PROFILES) {
		p[6] = profile == PROFILE_DVD;
		p[10] = profile == PROFILE_CD;
	}
	return 4u + f->bytes;
}

/* Requested: 0 all, 1 those that are current, 2 that one. */
static void get_configuration(struct scsi_unit *u, struct scsi_command *c)
{
	unsigned wanted = c->cdb[1] & 3, from = (unsigned)be_get(c->cdb + 2, 2), profile = profile_of(u), n = 8;
	uint8_t buf[8 + 6 * 16] = { 0 };

	if (wanted == 3) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	for (size_t i = 0; i < sizeof features / sizeof features[0]; i++) {
		const struct feature_row *f = &features[i];

		if (f->number < from || (wanted == 2 && f->number != from) || (wanted == 1 && !is_current(f->number, profile)))
			continue;
		n += put_feature(f, profile, buf + n);
	}
	be_put(buf, n - 4, 4);
	be_put(buf + 6, profile, 2);
	scsi_answer(u, c, buf, n, (uint32_t)be_get(c->cdb + 7, 2));
}

/* ---- What the disc is: one session with one track of data ---- */

/* Minutes, seconds and frames, 75 a second, from 2 seconds before block 0 on. */
static void put_place(uint8_t *p, uint64_t block, bool msf)
{
	uint64_t frame = block + 150;

	if (!msf) {
		be_put(p, block > UINT32_MAX ? UINT32_MAX : block, 4);
		return;
	}
	p[0] = 0;
	p[1] = (uint8_t)(frame / 75 / 60);
	p[2] = (uint8_t)(frame / 75 % 60);
	p[3] = (uint8_t)(frame % 75);
}

static unsigned put_track(uint8_t *p, uint8_t number, uint64_t block, bool msf)
{
	p[1] = 0x14;			/* data */
	p[2] = number;
	put_place(p + 4, block, msf);
	return 8;
}

#define LEAD_OUT 0xaa

static unsigned put_tracks(const struct scsi_unit *u, uint8_t *buf, unsigned first, bool msf)
{
	unsigned n = 4;

	if (first <= 1)
		n += put_track(buf + n, 1, 0, msf);
	return n + put_track(buf + n, LEAD_OUT, scsi_blocks(u), msf);
}

static void read_toc(struct scsi_unit *u, struct scsi_command *c)
{
	unsigned format = c->cdb[2] & 15, first = c->cdb[6], n;
	bool msf = c->cdb[1] & 2;
	uint8_t buf[20] = { 0, 0, 1, 1 };

	if (!format)
		format = c->cdb[9] >> 6;	/* where older readers say it */
	if (format > 1 || (!format && first > 1 && first != LEAD_OUT)) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	n = format ? 4 + put_track(buf + 4, 1, 0, msf) : put_tracks(u, buf, first, msf);
	be_put(buf, n - 2, 2);
	scsi_answer(u, c, buf, n, (uint32_t)be_get(c->cdb + 7, 2));
}

static void read_disc_info(struct scsi_unit *u, struct scsi_command *c)
{
	/* Complete, nothing can be added; first track, sessions, first and last track of the last one; for any use. */
	const uint8_t buf[34] = { 0, 32, 0x0e, 1, 1, 1, 1, 0x20 };

	if (c->cdb[1] & 7)
		scsi_fail(u, c, SENSE_FIELD);
	else
		scsi_answer(u, c, buf, sizeof buf, (uint32_t)be_get(c->cdb + 7, 2));
}

static void read_track_info(struct scsi_unit *u, struct scsi_command *c)
{
	uint8_t buf[36] = { 0, 34, 1, 1, 0, 4, 1 };	/* track and session 1, data */
	unsigned by = c->cdb[1] & 3;
	uint64_t at = be_get(c->cdb + 2, 4);

	if (by == 3 || (by == 0 && at >= scsi_blocks(u)) || (by && at != 1)) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	be_put(buf + 24, scsi_blocks(u), 4);
	scsi_answer(u, c, buf, sizeof buf, (uint32_t)be_get(c->cdb + 7, 2));
}

/* ---- The tray ---- */

enum { EVENT_NONE = 0, EVENT_EJECT = 1, EVENT_NEW = 2, EVENT_GONE = 3, CLASS_MEDIA = 4 };

static unsigned take_event(struct scsi_unit *u)
{
	unsigned event = EVENT_NONE;

	if (u->eject_request)
		event = EVENT_EJECT;
	else if (u->media_event)
		event = scsi_has_medium(u) ? EVENT_NEW : EVENT_GONE;
	if (u->eject_request)
		u->eject_request = false;
	else
		u->media_event = false;
	return event;
}

/* Polled; the only class with events is that of media. The length is that of what follows the head, as QEMU gives it. */
static void get_event_status(struct scsi_unit *u, struct scsi_command *c)
{
	uint8_t buf[8] = { 0, 0, 0x80, 1 << CLASS_MEDIA };	/* head alone: no event of what was asked for */
	unsigned n = 4;

	if (!(c->cdb[1] & 1)) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	if (c->cdb[4] & 1 << CLASS_MEDIA) {
		n = 8;
		buf[1] = 4;
		buf[2] = CLASS_MEDIA;
		buf[4] = (uint8_t)take_event(u);
		buf[5] = (uint8_t)(u->tray_open | (scsi_has_medium(u) ? 2 : 0));
	}
	scsi_answer(u, c, buf, n, (uint32_t)be_get(c->cdb + 7, 2));
}

static void prevent_allow(struct scsi_unit *u, struct scsi_command *c)
{
	u->tray_locked = c->cdb[4] & 1;
	scsi_finish(u, c);
}

/* START STOP UNIT: only with LOEJ does the tray move. The medium stays in the drive for when it closes; as it is the same one,
 * there is nothing to attend to: Linux closes the tray and reads. */
static void start_stop(struct scsi_unit *u, struct scsi_command *c)
{
	bool start = c->cdb[4] & 1, moves = c->cdb[4] & 2 && !(c->cdb[4] & 0xf0);

	if (moves && !start && u->tray_locked) {
		scsi_fail(u, c, SENSE_LOCKED);
		return;
	}
	if (moves && u->tray_open == start) {
		u->tray_open = !start;
		u->media_event = true;
	}
	scsi_finish(u, c);
}

static void mechanism_status(struct scsi_unit *u, struct scsi_command *c)
{
	const uint8_t buf[8] = { 0, u->tray_open ? 0x10 : 0, 0, 0, 0, 1, 0, 0 };

	scsi_answer(u, c, buf, sizeof buf, (uint32_t)be_get(c->cdb + 8, 2));
}

/* ---- Mode pages ---- */

enum { PAGE_ERRORS = 0x01, PAGE_CAPABILITIES = 0x2a, SPEED_KB = 176 };	/* KB/s of single speed */

static unsigned capabilities_page(const struct scsi_unit *u, uint8_t *p)
{
	p[2] = 0x3b;			/* reads what is recorded once or often, and DVDs */
	p[4] = 0x70;			/* several sessions, both modes */
	p[6] = 0x29 | (u->tray_locked ? 2 : 0);
	be_put(p + 8, 50 * SPEED_KB, 2);
	be_put(p + 10, 2, 2);
	be_put(p + 12, 2048, 2);	/* KiB of buffer */
	be_put(p + 14, 16 * SPEED_KB, 2);
	return 22;
}

static unsigned cd_page(const struct scsi_unit *u, uint8_t page, bool changeable, uint8_t *buf)
{
	unsigned n = 0;

	if (page == PAGE_CAPABILITIES) {
		n = capabilities_page(u, buf);
	} else if (page == PAGE_ERRORS) {
		buf[2] = 0x80;
		buf[3] = 0x20;		/* tries */
		n = 12;
	}
	if (n && changeable)
		memset(buf, 0, n);
	if (n) {
		buf[0] = page;
		buf[1] = (uint8_t)(n - 2);
	}
	return n;
}

/* ---- The class ---- */

static const struct scsi_row cd_rows[] = {
	{ 0x08, ROW_MEDIUM, scsi_read },	{ 0x28, ROW_MEDIUM, scsi_read },
	{ 0xa8, ROW_MEDIUM, scsi_read },	{ 0x88, ROW_MEDIUM, scsi_read },
	{ 0x2f, ROW_MEDIUM, scsi_in_range },	{ 0x2b, ROW_MEDIUM, scsi_finish },	/* VERIFY, SEEK */
	{ 0x25, ROW_MEDIUM, read_capacity },
	{ 0x35, 0, scsi_finish },		/* SYNCHRONIZE CACHE: nothing is written */
	{ 0x43, ROW_MEDIUM, read_toc },
	{ 0x46, ROW_CALM, get_configuration },
	{ 0x4a, ROW_CALM, get_event_status },
	{ 0x51, ROW_MEDIUM, read_disc_info },
	{ 0x52, ROW_MEDIUM, read_track_info },
	{ 0x1b, 0, start_stop },
	{ 0x1e, 0, prevent_allow },
	{ 0xbd, 0, mechanism_status },
	{ 0xbb, 0, scsi_finish },		/* SET CD SPEED */
	SCSI_ROWS_END,
};

static const uint8_t cd_pages[] = { PAGE_ERRORS, PAGE_CAPABILITIES, 0xff };

static const struct scsi_kind cd_kind = {
	.type = 0x05, .removable = true, .product = "QEMU CD-ROM", .rows = cd_rows, .page = cd_page, .pages = cd_pages,
};

static bool cd_init(struct device *dev, struct error *err)
{
	struct scsi_unit *u = scsi_unit(dev);

	u->block_bytes = u->physical_bytes = CD_BLOCK;
	return scsi_unit_init(dev, &cd_kind, err);
}

/* The user has put another disc in and closed the tray, or has opened it, whatever the guest wants, and taken the disc out. */
static void cd_changed(struct device *dev)
{
	struct scsi_unit *u = scsi_unit(dev);

	u->media_event = u->media_changed = true;
	u->tray_open = !u->disk.drive->block;
	u->tray_locked &= !u->tray_open;
	scsi_unit_changed(dev, ATTENTION_MEDIUM);
}

static const struct device_property cd_properties[] = { SCSI_UNIT_PROPERTIES, { .name = NULL } };

const struct device_class scsi_cd_class = {
	.name = "scsi-cd", .help = "SCSI CD drive", .size = sizeof(struct scsi_unit), .on = &scsi_bus, .pluggable = true,
	.properties = cd_properties,
	.init = cd_init, .free = scsi_unit_free, .reset = scsi_unit_reset, .settle = scsi_unit_settle,
	.qemu_ready = scsi_unit_qemu_ready, .drive_changed = cd_changed,
	.state = &scsi_unit_state, .own_state = &scsi_unit_own_state, .state_bytes = DISK_STATE_BYTES,
};

/* A SCSI disk (scsi-hd): capacity, blocks that are given up or made zero, mode pages. SBC-3. */
#include <string.h>

#include "machine/disk/scsi_device.h"

/* ---- Capacity ---- */

static void read_capacity_10(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t blocks = scsi_blocks(u), last = blocks - 1;
	uint8_t buf[8];

	if (!(c->cdb[8] & 1) && be_get(c->cdb + 2, 4)) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	if (!blocks) {
		scsi_fail(u, c, SENSE_LBA);
		return;
	}
	be_put(buf, last > UINT32_MAX ? UINT32_MAX : last, 4);
	be_put(buf + 4, u->block_bytes, 4);
	scsi_answer(u, c, buf, sizeof buf, sizeof buf);
}

static uint8_t physical_exponent(const struct scsi_unit *u)
{
	return (uint8_t)__builtin_ctz(u->physical_bytes / u->block_bytes);
}

/* SERVICE ACTION IN (16). */
static void read_capacity_16(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t blocks = scsi_blocks(u);
	uint8_t buf[32] = { 0 };

	if ((c->cdb[1] & 31) != 0x10) {
		scsi_fail(u, c, SENSE_FIELD);
		return;
	}
	if (!blocks) {
		scsi_fail(u, c, SENSE_LBA);
		return;
	}
	be_put(buf, blocks - 1, 8);
	be_put(buf + 8, u->block_bytes, 4);
	buf[13] = physical_exponent(u);
	buf[14] = 0x80;			/* blocks can be given up */
	scsi_answer(u, c, buf, sizeof buf, (uint32_t)be_get(c->cdb + 10, 4));
}

/* ---- UNMAP ---- */

struct unmap_list {
	uint8_t buf[8 + 16 * SCSI_MAX_UNMAPS];
	unsigned n;			/* ranges */
};

static void get_range(const struct unmap_list *l, unsigned i, uint64_t *lba, uint64_t *count)
{
	*lba = be_get(l->buf + 8 + 16 * (size_t)i, 8);
	*count = be_get(l->buf + 8 + 16 * (size_t)i + 8, 4);
}

/* SENSE_NONE: all of it can be done. */
static enum scsi_sense check_list(const struct scsi_unit *u, struct unmap_list *l, unsigned bytes)
{
	uint64_t ranges = be_get(l->buf + 2, 2), lba, count;

	if (be_get(l->buf, 2) + 2 > bytes || ranges + 8 > bytes || ranges % 16)
		return SENSE_LIST_LENGTH;
	l->n = (unsigned)ranges / 16;
	for (unsigned i = 0; i < l->n; i++) {
		get_range(l, i, &lba, &count);
		if (!scsi_range_ok(u, lba, count))
			return SENSE_LBA;
		if (count > SCSI_MAX_ZEROES / u->block_bytes)
			return SENSE_PARAMETER;
	}
	return SENSE_NONE;
}

/* Blocks that are given up need not be: where there is no room for a request, they are kept. */
static void give_up(struct scsi_unit *u, struct scsi_command *c, const struct unmap_list *l)
{
	uint64_t lba, count;

	scsi_hold(u, c);
	for (unsigned i = 0; i < l->n; i++) {
		struct disk_request *r;

		get_range(l, i, &lba, &count);
		r = count ? disk_request_new(&u->disk, BLOCK_DISCARD, lba * u->block_bytes, count * u->block_bytes) : NULL;
		if (r)
			scsi_submit(u, c, r);
	}
	if (!c->pending)
		scsi_finish(u, c);
}

static void unmap(struct scsi_unit *u, struct scsi_command *c)
{
	unsigned bytes = (unsigned)be_get(c->cdb + 7, 2);
	struct unmap_list list = { .n = 0 };
	enum scsi_sense sense;

	if (c->cdb[1] & 1) {
		scsi_fail(u, c, SENSE_FIELD);
	} else if (scsi_is_readonly(u)) {
		scsi_fail(u, c, SENSE_WRITE_PROTECTED);
	} else if (!bytes) {
		scsi_finish(u, c);
	} else if (bytes < 8 || bytes > sizeof list.buf) {
		scsi_fail(u, c, SENSE_LIST_LENGTH);
	} else if (scsi_take(u, c, list.buf, bytes)) {
		sense = check_list(u, &list, bytes);
		if (sense)
			scsi_fail(u, c, sense);
		else
			give_up(u, c, &list);
	}
}

/* ---- WRITE SAME ---- */

#define SAME_UNMAP   0x08
#define SAME_REFUSED 0xf6	/* protection, anchors, blocks that count */

static bool is_zero(const uint8_t *p, uint32_t n)
{
	return !p[0] && !memcmp(p, p + 1, n - 1);
}

static struct disk_request *fill_request(struct scsi_unit *u, uint64_t offset, uint64_t bytes, const uint8_t *block)
{
	struct disk_request *r = disk_request_new(&u->disk, BLOCK_WRITE, offset, bytes);

	for (uint64_t at = 0; r && at < bytes; at += u->block_bytes)
		memcpy((uint8_t *)r->io.data + at, block, u->block_bytes);
	return r;
}

static struct disk_request *same_request(struct scsi_unit *u, const struct scsi_command *c, uint64_t lba, uint64_t count,
					 const uint8_t *block)
{
	uint64_t offset = lba * u->block_bytes, bytes = count * u->block_bytes;
	struct disk_request *r;

	if (!is_zero(block, u->block_bytes))
		return fill_request(u, offset, bytes, block);
	r = disk_request_new(&u->disk, BLOCK_ZERO, offset, bytes);
	if (r)
		r->io.unmap = c->cdb[1] & SAME_UNMAP;
	return r;
}

/* Zeros cost nothing; anything else as much as a write of all of it. */
static void write_same(struct scsi_unit *u, struct scsi_command *c)
{
	bool no_data = c->cdb[0] == 0x93 && c->cdb[1] & 1;
	uint8_t block[4096] = { 0 };
	struct disk_request *r, *flush;
	uint64_t lba, count;

	scsi_cdb_range(c->cdb, &lba, &count);
	if (scsi_is_readonly(u)) {
		scsi_fail(u, c, SENSE_WRITE_PROTECTED);
	} else if (!count || count > SCSI_MAX_ZEROES / u->block_bytes || c->cdb[1] & SAME_REFUSED) {
		scsi_fail(u, c, SENSE_FIELD);
	} else if (!scsi_range_ok(u, lba, count)) {
		scsi_fail(u, c, SENSE_LBA);
	} else if (!no_data && c->out_bytes < u->block_bytes) {
		scsi_overrun(u, c);
	} else if (no_data || scsi_take(u, c, block, u->block_bytes)) {
		if (!is_zero(block, u->block_bytes) && count > DISK_MAX_BYTES / u->block_bytes) {
			scsi_fail(u, c, SENSE_FIELD);
			return;
		}
		r = same_request(u, c, lba, count, block);
		flush = r && !u->write_cache ? scsi_flush_behind(u) : NULL;
		if (!r || (!u->write_cache && !flush)) {
			disk_request_free(r);
			scsi_full(u, c);
			return;
		}
		scsi_hold(u, c);
		scsi_submit(u, c, r);
		if (flush)
			scsi_submit(u, c, flush);
	}
}

/* ---- Mode pages ---- */

enum { PAGE_ERRORS = 1, PAGE_FORMAT = 3, PAGE_RIGID = 4, PAGE_FLEXIBLE = 5, PAGE_CACHE = 8 };
enum { CACHE_WRITE = 0x04, HEADS = 16, SECTORS = 63 };

static unsigned cylinders(const struct scsi_unit *u)
{
	uint64_t n = scsi_blocks(u) * u->block_bytes / BLOCK_SECTOR / (HEADS * SECTORS);

	return n > 16383 ? 16383 : n < 2 ? 2 : (unsigned)n;
}

static unsigned errors_page(const struct scsi_unit *u, uint8_t *p)
{
	(void)u;
	p[2] = 0x80;			/* bad blocks are replaced */
	return 12;
}

static unsigned format_page(const struct scsi_unit *u, uint8_t *p)
{
	be_put(p + 10, SECTORS, 2);
	be_put(p + 12, u->block_bytes, 2);
	return 24;
}

static unsigned rigid_page(const struct scsi_unit *u, uint8_t *p)
{
	be_put(p + 2, cylinders(u), 3);
	p[5] = HEADS;
	be_put(p + 6, cylinders(u), 3);	/* where write precompensation and reduced current begin: nowhere */
	be_put(p + 9, cylinders(u), 3);
	be_put(p + 20, 5400, 2);	/* turns a minute: old readers divide by it */
	return 24;
}

static unsigned flexible_page(const struct scsi_unit *u, uint8_t *p)
{
	be_put(p + 2, 5000, 2);		/* kbit/s */
	p[4] = HEADS;
	p[5] = SECTORS;
	be_put(p + 6, u->block_bytes, 2);
	be_put(p + 8, cylinders(u), 2);
	be_put(p + 10, cylinders(u), 2);
	be_put(p + 12, cylinders(u), 2);
	be_put(p + 28, 5400, 2);
	return 32;
}

static unsigned cache_page(const struct scsi_unit *u, uint8_t *p)
{
	p[2] = u->write_cache ? CACHE_WRITE : 0;
	return 20;
}

static unsigned disk_page(const struct scsi_unit *u, uint8_t page, bool changeable, uint8_t *buf)
{
	static const struct { uint8_t page; unsigned (*put)(const struct scsi_unit *u, uint8_t *p); } rows[] = {
		{ PAGE_ERRORS, errors_page }, { PAGE_FORMAT, format_page }, { PAGE_RIGID, rigid_page },
		{ PAGE_FLEXIBLE, flexible_page }, { PAGE_CACHE, cache_page },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		unsigned n;

		if (rows[i].page != page)
			continue;
		n = rows[i].put(u, buf);
		if (changeable)
			memset(buf, 0, n);
		if (changeable && page == PAGE_CACHE)
			buf[2] = CACHE_WRITE;
		buf[0] = page;
		buf[1] = (uint8_t)(n - 2);
		return n;
	}
	return 0;
}

static void disk_select(struct scsi_unit *u, const uint8_t *page)
{
	if ((page[0] & 0x3f) == PAGE_CACHE)
		u->write_cache = page[2] & CACHE_WRITE;
}

/* ---- The class ---- */

static const struct scsi_row disk_rows[] = {
	{ 0x08, ROW_MEDIUM, scsi_read },	{ 0x28, ROW_MEDIUM, scsi_read },
	{ 0xa8, ROW_MEDIUM, scsi_read },	{ 0x88, ROW_MEDIUM, scsi_read },
	{ 0x0a, ROW_MEDIUM, scsi_write },	{ 0x2a, ROW_MEDIUM, scsi_write },
	{ 0xaa, ROW_MEDIUM, scsi_write },	{ 0x8a, ROW_MEDIUM, scsi_write },
	{ 0x2e, ROW_MEDIUM, scsi_write },	{ 0xae, ROW_MEDIUM, scsi_write },	/* WRITE AND VERIFY */
	{ 0x8e, ROW_MEDIUM, scsi_write },
	{ 0x2f, ROW_MEDIUM, scsi_in_range },	{ 0xaf, ROW_MEDIUM, scsi_in_range },	/* VERIFY */
	{ 0x8f, ROW_MEDIUM, scsi_in_range },
	{ 0x34, ROW_MEDIUM, scsi_in_range },	{ 0x90, ROW_MEDIUM, scsi_in_range },	/* PRE-FETCH */
	{ 0x35, ROW_MEDIUM, scsi_flush },	{ 0x91, ROW_MEDIUM, scsi_flush },	/* SYNCHRONIZE CACHE */
	{ 0x25, ROW_MEDIUM, read_capacity_10 },	{ 0x9e, ROW_MEDIUM, read_capacity_16 },
	{ 0x42, ROW_MEDIUM, unmap },
	{ 0x41, ROW_MEDIUM, write_same },	{ 0x93, ROW_MEDIUM, write_same },
	{ 0x1b, 0, scsi_finish },		/* START STOP UNIT: it always runs */
	{ 0x1e, 0, scsi_finish },		/* PREVENT ALLOW MEDIUM REMOVAL: nobody can */
	SCSI_ROWS_END,
};

static const uint8_t disk_pages[] = { PAGE_ERRORS, PAGE_FORMAT, PAGE_RIGID, PAGE_FLEXIBLE, PAGE_CACHE, 0xff };

static const struct scsi_kind disk_kind = {
	.type = 0x00, .product = "QEMU HARDDISK", .rows = disk_rows, .page = disk_page, .pages = disk_pages, .select = disk_select,
};

static bool hd_init(struct device *dev, struct error *err)
{
	return scsi_unit_init(dev, &disk_kind, err);
}

static void hd_changed(struct device *dev)
{
	scsi_unit_changed(dev, ATTENTION_CAPACITY);
}

static const struct device_property hd_properties[] = {
	SCSI_UNIT_PROPERTIES,
	{ .name = "logical_block_size", .help = "bytes of a block: 512 or 4096", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct scsi_unit, block_bytes), .value = 512 },
	{ .name = "physical_block_size", .help = "bytes that are written best together", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct scsi_unit, physical_bytes), .value = 512 },
	{ .name = "write-cache", .help = "writes end before they are on the host's disk", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct scsi_unit, write_cache_default), .value = true },
	{ .name = NULL },
};

const struct device_class scsi_hd_class = {
	.name = "scsi-hd", .help = "SCSI disk", .size = sizeof(struct scsi_unit), .on = &scsi_bus, .pluggable = true,
	.properties = hd_properties,
	.init = hd_init, .free = scsi_unit_free, .reset = scsi_unit_reset, .settle = scsi_unit_settle,
	.qemu_ready = scsi_unit_qemu_ready, .drive_changed = hd_changed,
	.state = &scsi_unit_state, .own_state = &scsi_unit_own_state, .state_bytes = DISK_STATE_BYTES,
};

/* SCSI commands that move blocks, and those that only ask whether they are there. SBC-3, MMC-5. */
#include <string.h>

#include "machine/disk/scsi_device.h"

#define CDB_PROTECT 0xe0	/* protection information: no unit here has it */
#define CDB_FUA     0x08
#define CDB_COMPARE 0x06	/* BYTCHK of VERIFY */

/* An opcode's highest three bits say where its CDB has what. */
void scsi_cdb_range(const uint8_t *cdb, uint64_t *lba, uint64_t *count)
{
	static const struct { uint8_t lba_at, lba_bytes, count_at, count_bytes; } forms[8] = {
		{ 1, 3, 4, 1 }, { 2, 4, 7, 2 }, { 2, 4, 7, 2 }, { 0, 0, 0, 0 },
		{ 2, 8, 10, 4 }, { 2, 4, 6, 4 }, { 0, 0, 0, 0 }, { 0, 0, 0, 0 },
	};
	unsigned group = cdb[0] >> 5;

	*lba = be_get(cdb + forms[group].lba_at, forms[group].lba_bytes);
	*count = be_get(cdb + forms[group].count_at, forms[group].count_bytes);
	if (group)
		return;
	*lba &= 0x1fffff;
	*count = *count ? *count : 256;
}

bool scsi_range_ok(const struct scsi_unit *u, uint64_t lba, uint64_t count)
{
	uint64_t blocks = scsi_blocks(u);

	return lba <= blocks && count <= blocks - lba;
}

static bool has_protection(const uint8_t *cdb)
{
	return cdb[0] >> 5 && cdb[1] & CDB_PROTECT;
}

/* VERIFY, whatever its length, that is to compare what the guest sends: no unit here does. */
static bool has_comparison(const uint8_t *cdb)
{
	return (cdb[0] & 0x1f) == 0x0f && cdb[1] & CDB_COMPARE;
}

void scsi_in_range(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t lba, count;

	scsi_cdb_range(c->cdb, &lba, &count);
	if (has_comparison(c->cdb))
		scsi_fail(u, c, SENSE_FIELD);
	else if (!scsi_range_ok(u, lba, count))
		scsi_fail(u, c, SENSE_LBA);
	else
		scsi_finish(u, c);
}

/* False: the command has ended. */
static bool find_blocks(struct scsi_unit *u, struct scsi_command *c, uint32_t room, uint64_t *offset, uint64_t *bytes)
{
	uint64_t lba, count;

	scsi_cdb_range(c->cdb, &lba, &count);
	if (has_protection(c->cdb) || count > DISK_MAX_BYTES / u->block_bytes)
		scsi_fail(u, c, SENSE_FIELD);
	else if (!scsi_range_ok(u, lba, count))
		scsi_fail(u, c, SENSE_LBA);
	else if (!count)
		scsi_finish(u, c);
	else if (count * u->block_bytes > room)
		scsi_overrun(u, c);
	else {
		*offset = lba * u->block_bytes;
		*bytes = count * u->block_bytes;
		return true;
	}
	return false;
}

void scsi_read(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t offset, bytes;
	struct disk_request *r;

	if (!find_blocks(u, c, c->in_bytes, &offset, &bytes))
		return;
	r = disk_request_new(&u->disk, BLOCK_READ, offset, bytes);
	if (!r) {
		scsi_full(u, c);
		return;
	}
	scsi_hold(u, c);
	scsi_submit(u, c, r);
}

/* Without a write cache each write is on the disk when it ends. */
static bool is_forced(const struct scsi_unit *u, const uint8_t *cdb)
{
	return !u->write_cache || (cdb[0] >> 5 && cdb[1] & CDB_FUA);
}

/* A request has its place when it is submitted: a write and its flush need two. */
struct disk_request *scsi_flush_behind(struct scsi_unit *u)
{
	return u->disk.in_flight + 2 <= DISK_MAX_REQUESTS ? disk_request_new(&u->disk, BLOCK_FLUSH, 0, 0) : NULL;
}

void scsi_write(struct scsi_unit *u, struct scsi_command *c)
{
	uint64_t offset, bytes;
	struct disk_request *r, *flush;
	bool forced = is_forced(u, c->cdb);

	if (scsi_is_readonly(u)) {
		scsi_fail(u, c, SENSE_WRITE_PROTECTED);
		return;
	}
	if (!find_blocks(u, c, c->out_bytes, &offset, &bytes))
		return;
	r = disk_request_new(&u->disk, BLOCK_WRITE, offset, bytes);
	flush = r && forced ? scsi_flush_behind(u) : NULL;
	if (!r || (forced && !flush)) {
		scsi_full(u, c);
	} else if (scsi_take(u, c, r->io.data, (uint32_t)bytes)) {
		scsi_hold(u, c);
		scsi_submit(u, c, r);
		if (flush)
			scsi_submit(u, c, flush);
		return;
	}
	disk_request_free(r);
	disk_request_free(flush);
}

void scsi_flush(struct scsi_unit *u, struct scsi_command *c)
{
	struct disk_request *r;

	if (scsi_is_readonly(u)) {
		scsi_finish(u, c);
		return;
	}
	r = disk_request_new(&u->disk, BLOCK_FLUSH, 0, 0);
	if (!r) {
		scsi_full(u, c);
		return;
	}
	scsi_hold(u, c);
	scsi_submit(u, c, r);
}

/* Partition tables: MBR with logical partitions, and GPT with its protective MBR and its backup at the end.
 * Tables come from a disk and are hostile: sizes are compared before they are used, chains and arrays are walked to a bound.
 * Sources: UEFI 2.10, chapter 5 (both); PReP's type and GUID are what GRUB, SLOF and partitioning programs use. */
#include <stdlib.h>
#include <string.h>

#include "firmware/volume.h"
#include "machine/core/bytes.h"

#define MBR_ENTRIES    0x1be
#define MBR_ENTRY      16
#define MBR_PRIMARY    4
#define MBR_LOGICAL    60		/* logical partitions that are looked at */
#define MBR_SIGNATURE  0x1fe
#define MBR_BYTES      512
#define TYPE_PREP      0x41
#define TYPE_GPT       0xee
#define GPT_HEAD       92		/* bytes of a header that count */
#define GPT_ENTRY_MIN  128
#define GPT_ENTRY_MAX  4096
#define GPT_ENTRIES    1024
#define GPT_ARRAY_MAX  (UINT32_C(1) << 20)

struct entry {
	uint8_t type;			/* of an MBR */
	bool prep;
	struct extent at;
};

/* Sectors to bytes; an extent that the volume does not have becomes an empty one. */
static struct extent extent_of(const struct volume *v, uint64_t first, uint64_t sectors)
{
	struct extent at = { first * v->sector, sectors * v->sector };

	if (first > v->size / v->sector || sectors > v->size / v->sector || !volume_has(v, at.start, at.size))
		return (struct extent){ 0, 0 };
	return at;
}

/* ---- MBR ---- */

static bool mbr_read(const struct volume *v, uint64_t sector, uint8_t mbr[MBR_BYTES])
{
	return sector <= v->size / v->sector && volume_read(v, sector * v->sector, mbr, MBR_BYTES) &&
	       mbr[MBR_SIGNATURE] == 0x55 && mbr[MBR_SIGNATURE + 1] == 0xaa;
}

static struct entry mbr_entry(const struct volume *v, const uint8_t *mbr, unsigned i, uint64_t base)
{
	const uint8_t *p = mbr + MBR_ENTRIES + i * MBR_ENTRY;
	struct entry entry = { .type = p[4], .prep = p[4] == TYPE_PREP };

	if (entry.type)
		entry.at = extent_of(v, base + get_le32(p + 8), get_le32(p + 12));
	return entry;
}

static bool is_extended(const struct entry *entry)
{
	return entry->type == 0x05 || entry->type == 0x0f || entry->type == 0x85;
}

/* The n-th logical partition, from 0 on. Each has a table of its own, whose second entry points to the next one, counted
 * from the extended partition's start. */
static bool mbr_logical(const struct volume *v, const struct entry *extended, unsigned n, struct entry *found)
{
	uint64_t base = extended->at.start / v->sector, at = base;
	uint8_t mbr[MBR_BYTES];

	if (!extended->at.size || n >= MBR_LOGICAL)
		return false;
	for (unsigned i = 0; mbr_read(v, at, mbr); i++) {
		struct entry next = mbr_entry(v, mbr, 1, base);

		if (i == n) {
			*found = mbr_entry(v, mbr, 0, at);
			return found->at.size;
		}
		if (!is_extended(&next) || !next.at.size)
			return false;
		at = next.at.start / v->sector;
	}
	return false;
}

static bool mbr_find(const struct volume *v, const uint8_t *mbr, unsigned number, struct entry *found)
{
	if (number <= MBR_PRIMARY) {
		*found = mbr_entry(v, mbr, number - 1, 0);
		return found->at.size && !is_extended(found);
	}
	for (unsigned i = 0; i < MBR_PRIMARY; i++) {
		struct entry entry = mbr_entry(v, mbr, i, 0);

		if (is_extended(&entry))
			return mbr_logical(v, &entry, number - MBR_PRIMARY - 1, found);
	}
	return false;
}

/* ---- GPT ---- */

struct gpt {
	uint64_t array;			/* bytes from the volume's start */
	uint32_t entries, entry_bytes, crc;
	uint8_t *entry;			/* the array */
};

static const uint8_t guid_prep[16] = { 0x38, 0x2d, 0x1a, 0x9e, 0x12, 0xc6, 0x16, 0x43, 0xaa, 0x26, 0x8b, 0x49, 0x52, 0x1e, 0x5a, 0x8b };

/* CRC-32 of IEEE 802.3, as the header has it of itself and of the array. */
static uint32_t crc32_of(const uint8_t *p, uint32_t bytes)
{
	uint32_t crc = UINT32_MAX;

	for (uint32_t i = 0; i < bytes; i++) {
		crc ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

static bool gpt_head_ok(const struct volume *v, uint8_t *head, uint64_t sector, struct gpt *gpt)
{
	uint32_t bytes = get_le32(head + 12), crc = get_le32(head + 16);

	if (memcmp(head, "EFI PART", 8) || bytes < GPT_HEAD || bytes > MBR_BYTES || get_le64(head + 24) != sector)
		return false;
	memset(head + 16, 0, 4);
	if (crc32_of(head, bytes) != crc)
		return false;
	gpt->array = get_le64(head + 72);
	gpt->entries = get_le32(head + 80);
	gpt->entry_bytes = get_le32(head + 84);
	gpt->crc = get_le32(head + 88);
	if (gpt->array > v->size / v->sector || !gpt->entries || gpt->entries > GPT_ENTRIES || gpt->entry_bytes < GPT_ENTRY_MIN ||
	    gpt->entry_bytes > GPT_ENTRY_MAX || gpt->entries * gpt->entry_bytes > GPT_ARRAY_MAX)
		return false;
	gpt->array *= v->sector;
	return true;
}

/* With the header at that sector. The caller frees gpt->entry. */
static bool gpt_read_at(const struct volume *v, uint64_t sector, struct gpt *gpt)
{
	uint8_t head[MBR_BYTES];
	uint32_t bytes;

	if (!volume_read(v, sector * v->sector, head, sizeof head) || !gpt_head_ok(v, head, sector, gpt))
		return false;
	bytes = gpt->entries * gpt->entry_bytes;
	gpt->entry = malloc(bytes);
	if (gpt->entry && volume_read(v, gpt->array, gpt->entry, bytes) && crc32_of(gpt->entry, bytes) == gpt->crc)
		return true;
	free(gpt->entry);
	gpt->entry = NULL;
	return false;
}

/* The first copy, or the one in the last sector if that is damaged. */
static bool gpt_read(const struct volume *v, struct gpt *gpt)
{
	*gpt = (struct gpt){ 0 };
	return gpt_read_at(v, 1, gpt) || (v->size / v->sector > 2 && gpt_read_at(v, v->size / v->sector - 1, gpt));
}

static bool gpt_entry(const struct volume *v, const struct gpt *gpt, unsigned i, struct entry *found)
{
	static const uint8_t unused[16];
	const uint8_t *p = gpt->entry + (size_t)i * gpt->entry_bytes;
	uint64_t first = get_le64(p + 32), last = get_le64(p + 40);

	if (!memcmp(p, unused, sizeof unused) || last < first || last == UINT64_MAX)
		return false;
	*found = (struct entry){ .prep = !memcmp(p, guid_prep, sizeof guid_prep), .at = extent_of(v, first, last - first + 1) };
	return found->at.size;
}

/* ---- Both ---- */

enum table { TABLE_NONE, TABLE_MBR, TABLE_GPT, TABLE_BAD_GPT };

struct partitions {
	enum table kind;
	uint8_t mbr[MBR_BYTES];
	struct gpt gpt;
};

/* Whether or not an MBR protects a GPT is in any of its entries: some programs put others first. */
static void partitions_read(const struct volume *v, struct partitions *p)
{
	p->kind = TABLE_NONE;
	p->gpt = (struct gpt){ 0 };
	if (!mbr_read(v, 0, p->mbr))
		return;
	p->kind = TABLE_MBR;
	for (unsigned i = 0; i < MBR_PRIMARY; i++)
		if (p->mbr[MBR_ENTRIES + i * MBR_ENTRY + 4] == TYPE_GPT)
			p->kind = TABLE_BAD_GPT;
	if (p->kind == TABLE_BAD_GPT && gpt_read(v, &p->gpt))
		p->kind = TABLE_GPT;
}

static bool entry_find(const struct volume *v, const struct partitions *p, unsigned number, struct entry *found)
{
	if (p->kind == TABLE_GPT)
		return number <= p->gpt.entries && gpt_entry(v, &p->gpt, number - 1, found);
	return p->kind != TABLE_NONE && mbr_find(v, p->mbr, number, found);
}

bool partition_find(const struct volume *v, unsigned number, struct extent *found)
{
	struct partitions p;
	struct entry entry;
	bool ok;

	if (!number)
		return false;
	partitions_read(v, &p);
	ok = entry_find(v, &p, number, &entry);
	if (ok)
		*found = entry.at;
	free(p.gpt.entry);
	return ok;
}

bool partition_find_prep(const struct volume *v, struct extent *found, const char **why)
{
	static const char *const reasons[] = {
		[TABLE_NONE] = "it has no partition table", [TABLE_MBR] = "its partition table has no PReP partition",
		[TABLE_GPT] = "its GPT has no PReP partition", [TABLE_BAD_GPT] = "its GPT is damaged",
	};
	struct partitions p;
	struct entry entry;
	bool ok = false;

	partitions_read(v, &p);
	for (unsigned n = 1; !ok && n <= (p.kind == TABLE_GPT ? p.gpt.entries : MBR_PRIMARY + MBR_LOGICAL); n++)
		ok = entry_find(v, &p, n, &entry) && entry.prep;
	if (ok)
		*found = entry.at;
	*why = reasons[p.kind];
	free(p.gpt.entry);
	return ok;
}

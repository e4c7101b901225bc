/* Files on a CD: ISO 9660, whose names end in a version (";1") and have only capital letters, and Rock Ridge's names
 * beside them. A directory is hostile: lengths are compared, and only so many bytes of each are looked at.
 * Sources: ECMA-119; IEEE P1282 (Rock Ridge), the NM entry alone. */
#include <ctype.h>
#include <string.h>

#include "firmware/volume.h"
#include "machine/core/bytes.h"

#define ISO_SECTOR    2048u
#define ISO_FIRST     16		/* sector of the first volume descriptor */
#define ISO_LAST      32		/* none is looked for from here on */
#define ISO_DIRECTORY (UINT32_C(1) << 20)	/* bytes of a directory that are looked at */
#define ISO_RECORD    33		/* bytes before the name */
#define ISO_NAME      256
#define ISO_IS_DIR    0x02
#define ISO_GOES_ON   0x80		/* the file has further extents */

/* One record of a directory. */
struct record {
	struct extent at;
	uint8_t flags;
	char name[ISO_NAME], other[ISO_NAME];	/* without version; Rock Ridge's, "" if it has none */
};

/* NM entries among the system use entries: signature, length, version, flags, a part of the name. */
static void rock_ridge_name(const uint8_t *p, unsigned bytes, char *name)
{
	unsigned len = 0;

	while (bytes >= 4 && p[2] >= 4 && p[2] <= bytes) {
		unsigned n = p[2] > 5 ? p[2] - 5u : 0;

		if (n && p[0] == 'N' && p[1] == 'M' && !(p[4] & 6) && len + n < ISO_NAME) {
			memcpy(name + len, p + 5, n);
			len += n;
		}
		bytes -= p[2];
		p += p[2];
	}
	name[len] = 0;
}

/* "NAME.EXT;1" to "NAME.EXT", "NAME.;1" to "NAME". */
static void plain_name(const uint8_t *p, unsigned bytes, char *name)
{
	unsigned len = 0;

	while (len < bytes && p[len] && p[len] != ';')
		len++;
	if (len && p[len - 1] == '.')
		len--;
	memcpy(name, p, len);
	name[len] = 0;
}

/* `p` has `bytes`, at least as many as the record says it has. */
static bool record_read(const uint8_t *p, unsigned bytes, struct record *r)
{
	unsigned len = p[32], behind = ISO_RECORD + len + (len % 2 == 0);

	if (bytes < ISO_RECORD || len > bytes - ISO_RECORD)
		return false;
	r->at = (struct extent){ (uint64_t)get_le32(p + 2) * ISO_SECTOR, get_le32(p + 10) };
	r->flags = p[25];
	plain_name(p + ISO_RECORD, len, r->name);
	rock_ridge_name(p + behind, behind < bytes ? bytes - behind : 0, r->other);
	return true;
}

static bool same_name(const char *name, const char *wanted, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (tolower((unsigned char)name[i]) != tolower((unsigned char)wanted[i]))
			return false;
	return !name[len];
}

/* No record crosses the end of a sector; a length of 0 fills the rest of one. */
static bool sector_find(const uint8_t *sector, unsigned bytes, const char *name, size_t len, struct record *found)
{
	for (unsigned at = 0; at < bytes && sector[at] >= ISO_RECORD && sector[at] <= bytes - at; at += sector[at])
		if (record_read(sector + at, sector[at], found) &&
		    (same_name(found->name, name, len) || (*found->other && same_name(found->other, name, len))))
			return true;
	return false;
}

static bool directory_find(const struct volume *v, const struct extent *dir, const char *name, size_t len, struct record *found)
{
	uint8_t sector[ISO_SECTOR];
	uint64_t size = dir->size < ISO_DIRECTORY ? dir->size : ISO_DIRECTORY;

	for (uint64_t at = 0; at < size && volume_read(v, dir->start + at, sector, sizeof sector); at += ISO_SECTOR)
		if (sector_find(sector, sizeof sector, name, len, found))
			return true;
	return false;
}

/* The root directory, from the primary volume descriptor. */
static bool root_find(const struct volume *v, struct record *root)
{
	uint8_t sector[ISO_SECTOR];

	for (unsigned i = ISO_FIRST; i < ISO_LAST && volume_read(v, (uint64_t)i * ISO_SECTOR, sector, sizeof sector); i++) {
		if (memcmp(sector + 1, "CD001", 5) || *sector == 255)
			return false;
		if (*sector == 1)
			return sector[156] >= ISO_RECORD && record_read(sector + 156, 34, root);
	}
	return false;
}

bool iso9660_is(const struct volume *v)
{
	struct record root;

	return root_find(v, &root);
}

bool iso9660_find(const struct volume *v, const char *path, struct extent *found)
{
	struct record r;

	if (!root_find(v, &r))
		return false;
	r.flags = ISO_IS_DIR;
	while (*(path += strspn(path, "/\\"))) {
		struct extent dir = r.at;
		size_t len = strcspn(path, "/\\");

		if (!(r.flags & ISO_IS_DIR) || len >= ISO_NAME || !directory_find(v, &dir, path, len, &r))
			return false;
		path += len;
	}
	*found = r.at;
	return !(r.flags & (ISO_IS_DIR | ISO_GOES_ON)) && volume_has(v, r.at.start, r.at.size);
}

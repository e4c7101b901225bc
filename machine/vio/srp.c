/* The data of an SRP command: descriptors in the command or in a table, and the memory that they name. */
#include "machine/vio/srp.h"

/* An indirect buffer: the table's own descriptor, 4 bytes of total length, then descriptors in the IU itself. */
#define INDIRECT_HEAD (SRP_DESCRIPTOR + 4)

static uint64_t descriptor_addr(const uint8_t *d)
{
	return srp_get(d, 8);
}

static uint32_t descriptor_len(const uint8_t *d)
{
	return (uint32_t)srp_get(d + 12, 4);
}

/* Bytes that a buffer of that format takes in the IU; `count`: descriptors of an indirect one there. */
static uint32_t format_size(unsigned format, unsigned count)
{
	if (format == SRP_DIRECT)
		return SRP_DESCRIPTOR;
	return format == SRP_INDIRECT ? INDIRECT_HEAD + count * SRP_DESCRIPTOR : 0;
}

/* The table is read where the IU does not have all of it. */
static bool place_indirect(const uint8_t *iu, uint32_t at, unsigned inside, struct srp_place *place)
{
	uint32_t size = descriptor_len(iu + at) & ~(SRP_DESCRIPTOR - 1);

	place->table = descriptor_addr(iu + at);
	place->most = (uint32_t)srp_get(iu + at + SRP_DESCRIPTOR, 4);
	place->at = at + INDIRECT_HEAD;
	place->size = size;
	place->external = size > inside * SRP_DESCRIPTOR;
	return size <= SRP_MAX_EXTERNAL * SRP_DESCRIPTOR;
}

bool srp_data_place(const uint8_t *iu, uint32_t n, struct srp_place *place)
{
	unsigned out = iu[SRP_CMD_FORMATS] >> 4, in = iu[SRP_CMD_FORMATS] & 0xf, format = out ? out : in;
	unsigned inside = iu[out ? SRP_CMD_OUT_COUNT : SRP_CMD_IN_COUNT];
	uint32_t at = SRP_CMD_SIZE + (iu[SRP_CMD_MORE_CDB] & ~3u);

	*place = (struct srp_place){ .out = out != SRP_NO_DATA };
	if (n < at || (out && in) || format > SRP_INDIRECT || format_size(format, inside) > n - at)
		return false;
	if (format == SRP_INDIRECT)
		return place_indirect(iu, at, inside, place);
	place->at = at;
	place->size = format_size(format, 0);
	place->most = UINT32_MAX;
	return true;
}

bool srp_data_count(struct srp_data *data, uint32_t most)
{
	uint64_t sum = 0;
	bool wraps = false;

	for (uint32_t i = 0; i < data->size; i += SRP_DESCRIPTOR) {
		sum += descriptor_len(data->descriptor + i);
		wraps |= descriptor_addr(data->descriptor + i) > UINT64_MAX - descriptor_len(data->descriptor + i);
	}
	sum = sum < most ? sum : most;
	data->bytes = (uint32_t)(sum < SRP_MAX_BYTES ? sum : SRP_MAX_BYTES);
	return sum <= SRP_MAX_BYTES && !wraps;
}

uint64_t srp_data_piece(const struct srp_data *data, uint32_t at, uint32_t n, uint32_t *got)
{
	const uint8_t *d = data->descriptor, *end = d + data->size;
	uint32_t left;

	*got = 0;
	if (at >= data->bytes)
		return 0;
	n = n < data->bytes - at ? n : data->bytes - at;
	for (; d < end && at >= descriptor_len(d); d += SRP_DESCRIPTOR)
		at -= descriptor_len(d);
	if (d == end)
		return 0;
	left = descriptor_len(d) - at;
	*got = n < left ? n : left;
	return descriptor_addr(d) + at;
}

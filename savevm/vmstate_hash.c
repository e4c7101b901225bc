/* The state hash's walk: what the writer would save, as it is in memory. */
#include <string.h>

#include "savevm/hash.h"
#include "savevm/vmstate.h"

static uint64_t hash_memory(uint64_t hash, const void *p, size_t len)
{
	uint64_t value = 0;

	if (len > sizeof value)
		return hash_bytes(hash, p, len);
	memcpy(&value, p, len);
	return hash_u64(hash, value);
}

/* A row whose bytes in memory are hashed as they are. */
static bool is_plain(const struct vms_field *f)
{
	return (f->kind == VMS_VALUE || f->kind == VMS_BYTES || f->kind == VMS_CARRIED_HERE) && !f->unhashed && !f->hash;
}

/* Structs of nothing but such rows lie in memory as one. No byte is in two rows: so what adds up to a struct is all of it. */
static bool is_dense(const struct vmstate *state)
{
	size_t sum = 0;

	for (const struct vms_field *f = state->fields; f->kind; f++) {
		if (!is_plain(f) || f->counted)
			return false;
		sum += f->covers * f->count;
	}
	return sum == state->struct_size && !state->subs && !state->pre_save;
}

static uint64_t hash_elements(const struct vms_field *f, const uint8_t *p, uint32_t n, uint64_t hash)
{
	size_t width = f->pointer ? f->stride : f->covers;

	if (width == f->stride)
		return hash_memory(hash, p, n * width);
	for (uint32_t i = 0; i < n; i++, p += f->stride)
		hash = hash_memory(hash, p, width);
	return hash;
}

static uint64_t hash_structs(const struct vms_field *f, uint8_t *p, uint32_t n, uint64_t hash)
{
	if (n > 1 && is_dense(f->state))
		return hash_memory(hash, p, n * f->stride);
	for (uint32_t i = 0; i < n; i++, p += f->stride)
		hash = vms_hash(f->state, p, hash);
	return hash;
}

static uint64_t hash_queue(const struct vms_field *f, uint8_t *p, uint64_t hash)
{
	uint64_t n = 0;

	for (; p; p = *(uint8_t **)(p + f->next_at), n++)
		hash = vms_hash(f->state, p, hash);
	return hash_u64(hash, n);
}

static uint64_t hash_field(const struct vms_field *f, uint8_t *s, uint64_t hash)
{
	uint8_t *p = f->pointer || f->kind == VMS_QUEUE ? *(uint8_t **)(s + f->offset) : s + f->offset;
	uint32_t n = f->counted ? *(uint32_t *)(s + f->count_at) : f->count;

	if (f->unhashed || !n)
		return hash;
	if (f->hash)
		return hash_u64(hash, f->hash(s));
	if (n > f->count)
		n = f->count;
	if (is_plain(f))
		return hash_elements(f, p, n, hash);
	if (f->kind == VMS_NESTED)
		return hash_structs(f, p, n, hash);
	return f->kind == VMS_QUEUE ? hash_queue(f, p, hash) : hash;
}

uint64_t vms_hash(const struct vmstate *state, void *s, uint64_t hash)
{
	if (state->pre_save)
		state->pre_save(s);
	for (const struct vms_field *f = state->fields; f->kind; f++)
		hash = hash_field(f, s, hash);
	for (unsigned i = 0; state->subs && state->subs[i]; i++) {
		uint64_t seed = i + 1, sub = seed;

		if (!state->subs[i]->needed || state->subs[i]->needed(s))
			sub = vms_hash(state->subs[i], s, seed);
		if (sub != seed)	/* which of them it is shows in its seed */
			hash = hash_u64(hash, sub);
	}
	return hash;
}

/* What a timing model remembers of the guest's past beside the pipeline, in a snapshot: predictors, caches, look-aside buffers.
 *
 * It is one piece of bytes, as it lies in a little-endian host's memory, that this model makes on a machine of this size. To
 * any other, and to `flat`, a load leaves it: the guest goes on with empty caches. The same model of another clock is
 * neither: times in it, and what the guest's device tree says, are of the clock that it was made under. */
#include "cpu/model/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/engine/charge.h"

#define MOST (64u << 20)

static bool charge_needed(const void *s) { return ((const struct timing_held *)s)->engine->charge != NULL; }

static void hold_charge(void *s)
{
	struct timing_held *held = s;
	size_t size;
	const void *bytes;

	held->model = timing_number(held->engine->timing.core);
	held->parts = held->engine->timing.parts;
	held->per_cycle = held->engine->timing.per_cycle;
	bytes = charge_state(held->engine, &size);
	if (held->size != size) {
		free(held->bytes);
		held->size = 0;
		held->bytes = malloc(size);
	}
	if (!held->bytes)
		return;
	held->size = (uint32_t)size;
	memcpy(held->bytes, bytes, size);
}

static void charge_absent(void *s) { charge_reset(((struct timing_held *)s)->engine); }

static bool same_clock(const struct timing_held *held, struct vms_walk *w)
{
	struct timing theirs = held->engine->timing;
	char here[40], there[40];

	if (held->per_cycle == theirs.per_cycle)
		return true;
	snprintf(here, sizeof here, "%u MHz", (unsigned)(timing_hz(&theirs) / 1000000));
	theirs.per_cycle = held->per_cycle;
	snprintf(there, sizeof there, "%llu MHz", (unsigned long long)(timing_hz(&theirs) / 1000000));
	return vms_differs(w, "per_cycle", "-timing freq=, -cpu freq=", here, there);
}

static bool charge_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	struct timing_held *held = s;
	struct engine *engine = held->engine;
	bool model = engine->charge && held->model == timing_number(engine->timing.core);
	bool same = model && held->parts == engine->timing.parts && held->size == charge_size(engine);

	(void)version;
	if (model && !same_clock(held, w))
		return false;
	charge_reset(engine);
	return !same || charge_load(engine, held->bytes, held->size) || vms_wrong(w, "bytes", held->size, "a state of the model's");
}

const struct vmstate cede_timing_state = {
	.name = "cede/timing", .version = 2, .min_version = 2, VMS_OF(struct timing_held), .needed = charge_needed,
	.pre_save = hold_charge, .post_load = charge_post_load, .absent = charge_absent,
	.fields = VMS_FIELDS(
		VMS_U32(struct timing_held, model), VMS_U32(struct timing_held, parts), VMS_U32(struct timing_held, per_cycle),
		VMS_U32_TO(struct timing_held, size, MOST),
		VMS_ALLOCATED_BUFFER("bytes", struct timing_held, bytes, size, MOST),
		VMS_SKIP(struct timing_held, engine, "the engine's, on this host")),
};

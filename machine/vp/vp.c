/* Names and codes of the states and reasons in vp.def. */
#include "machine/vp/vp.h"

#define VP_NO_CODE 0

static const struct {
	const char *name;
	enum wait_interval interval;
} states[] = {
#define VP_STATE(name, number, text, interval) [number] = { text, interval },
#include "machine/vp/vp.def"
};

static const struct {
	const char *name;
	uint8_t dispatch, preempt;	/* codes */
} reasons[] = {
#define VP_REASON(name, number, text, dispatch, preempt) [number] = { text, dispatch, preempt },
#include "machine/vp/vp.def"
};

/* A row out of order or with another's number would leave a gap. */
#define VP_STATE(name, number, ...) 1 +
_Static_assert(VP_STATES == (
#include "machine/vp/vp.def"
	0), "the states are numbered from 0 on");
#define VP_REASON(name, number, ...) 1 +
_Static_assert(VP_REASONS == (
#include "machine/vp/vp.def"
	0), "the reasons are numbered from 0 on");

const char *vp_state_name(enum vp_state state)
{
	return (unsigned)state < VP_STATES ? states[state].name : "?";
}

const char *vp_reason_name(enum vp_reason reason)
{
	return (unsigned)reason < VP_REASONS ? reasons[reason].name : "?";
}

enum wait_interval vp_interval(enum vp_state state) { return states[state].interval; }
uint8_t vp_dispatch_code(enum vp_reason reason) { return reasons[reason].dispatch; }
uint8_t vp_preempt_code(enum vp_reason reason) { return reasons[reason].preempt; }

/* Names of the dispatcher's states and reasons, for people: `-d`, and tools that read -dtl files. */
#include "hcall/dispatcher.h"

static const char *const state_names[VP_STATES] = {
	[VP_STOPPED] = "stopped", [VP_CEDED] = "ceded", [VP_CONFERRED] = "conferred", [VP_JOINED] = "joined",
	[VP_WAITING] = "waiting", [VP_READY] = "ready", [VP_RUNNING] = "running",
};

static const char *const reason_names[VP_REASONS] = {
	[VP_NONE] = "none", [VP_EXTERNAL] = "external", [VP_PROD] = "prod", [VP_DECREMENTER] = "decrementer",
	[VP_RESET] = "reset", [VP_DOORBELL] = "doorbell", [VP_STARTED] = "started", [VP_SLICE] = "slice",
	[VP_GIFT] = "gift", [VP_TURN_OVER] = "turn-over", [VP_WINDOW] = "window", [VP_DEMAND] = "demand",
	[VP_CEDE] = "cede", [VP_CONFER] = "confer", [VP_JOIN] = "join", [VP_STOP] = "stop",
	[VP_SLICE_END] = "slice-end", [VP_DISPLACED] = "displaced", [VP_CAPPED] = "capped", [VP_DONE] = "done",
};

const char *vp_state_name(enum vp_state state)
{
	return (unsigned)state < VP_STATES ? state_names[state] : "?";
}

const char *vp_reason_name(enum vp_reason reason)
{
	return (unsigned)reason < VP_REASONS ? reason_names[reason] : "?";
}

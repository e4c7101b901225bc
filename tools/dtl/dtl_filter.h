/* The options that choose a part of a log: processors, reasons, times. */
#ifndef TOOLS_DTL_DTL_FILTER_H
#define TOOLS_DTL_DTL_FILTER_H

#include "tools/dtl/dtl_log.h"

enum dtl_load { LOAD_NO, LOAD_TOO, LOAD_ONLY };

struct dtl_dispatch;

struct dtl_filter {
	const char *from_text, *to_text, *longer_text;	/* the options' texts; NULL: option not given */
	uint64_t cpus[DTL_MAX_CPUS / 64];
	bool some_cpus;			/* only the processors in cpus are wanted */
	enum dtl_load load;
	uint32_t reasons;		/* bits by enum vp_reason; 0: all */
	/* In cycles; dtl_filter_resolve() sets them. */
	uint64_t from, to, longer;
};

/* Each parses the argument of one option. False: the argument is wrong, and err->msg says why. */
bool dtl_filter_cpus(struct dtl_filter *f, const char *list, struct error *err);
bool dtl_filter_reasons(struct dtl_filter *f, const char *list, struct error *err);
bool dtl_filter_load(struct dtl_filter *f, const char *how, struct error *err);
bool dtl_filter_time(const char **to, const char *text, struct error *err);

/* Converts the times to cycles of this log. False: the log has no such time or processor, and err->msg says which. */
bool dtl_filter_resolve(struct dtl_filter *f, const struct dtl_header *h, struct error *err);

bool dtl_wants_vp(const struct dtl_filter *f, const struct dtl_header *h, unsigned vp);
bool dtl_wants_dispatch(const struct dtl_filter *f, const struct dtl_header *h, const struct dtl_dispatch *d);
bool dtl_wants_record(const struct dtl_filter *f, const struct dtl_header *h, const struct dtl_record *r);

#endif

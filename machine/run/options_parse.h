/* What the files that parse options have of each other; nobody else includes this. */
#ifndef MACHINE_RUN_OPTIONS_PARSE_H
#define MACHINE_RUN_OPTIONS_PARSE_H

#include <stddef.h>

#include "cpu/core/bits.h"
#include "machine/core/config.h"
#include "savevm/error.h"

struct option_row;

struct parse {
	struct config *opts;
	struct error *err;
	int status;			/* if a parser fails */
	bool done;			/* -h, -version, -d help */
	const struct option_row *row;	/* of the option that is being parsed */
	bool no_defaults;		/* -nodefaults */
	/* By index of config: the id that is to be looked for, NULL: it has been found. */
	char *serial_id[CONFIG_MAX_SERIAL], *monitor_id[CONFIG_MAX_MONITORS];	/* names_forget() */
	uint32_t escape;		/* -echr and 1; 0: not given */
	bool snapshot;			/* -snapshot */
	bool vga_asked;			/* -vga */
	bool tcg, no_accel;		/* that was asked for; so was an accelerator that is not there */
	struct memory_object {
		char id[64];
		uint64_t size;
		bool used;
	} memory[NUMA_MOST];		/* -object memory-backend-ram */
	unsigned memories;
	uint8_t numa_cpu[VP_MAX];	/* -numa: 1 + the node of each processor; 0: nobody has said so */
	unsigned asked;			/* options_machine.c: capabilities that were asked for by name, a bit each */
};

/* opt_<parser> of each row of options.def: false, and p->err->msg says why. Those that fill in a member are in options.c. */
#define opt_TEXT(member)    store_text
#define opt_FLAG(member)    store_flag
#define OPT(name, group, argument, parser, help) bool opt_##parser(struct parse *p, const char *text);
#define OPT_LATER(name, group, argument, help)
#define OPT_NEVER(name, why)
#include "machine/run/options.def"
#undef OPT
#undef OPT_LATER
#undef OPT_NEVER
#undef opt_TEXT
#undef opt_FLAG

bool option_begin(struct parse *p, const char *name);	/* as if that one were being parsed */
const char *option_name(const struct parse *p);	/* of the one that is being parsed, without "-" */

/* ---- options_text.c ---- */
/* Always false: the message says what is wrong with an option. */
bool option_fail(struct parse *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool parse_u64(const char *text, uint64_t *out);	/* decimal, hexadecimal or octal, no sign */
bool parse_size(const char *text, uint64_t unit, uint64_t *out);
int word_index(const char *words, const char *value);

/* Walks "key=value,key=value" in place; a doubled comma is one of the text. An item may lack a key: key = NULL then. */
struct pairs {
	char *copy, *next;
};

bool pairs_open(struct parse *p, struct pairs *pairs, const char *text);
bool pairs_next(struct pairs *pairs, char **key, char **value);
bool finish_timing(struct parse *p);
bool each_pair(struct parse *p, const char *name, const char *text, const char *wanted,
	       bool (*set)(struct parse *p, const char *key, const char *value));

/* ---- options_machine.c: what has been left open, when all options are there ---- */
void finish_display(struct parse *p);	/* options_display.c */
bool finish_accel(struct parse *p);
bool finish_smp(struct parse *p);
bool finish_compat(struct parse *p);

/* ---- options_block.c: the same for drives; and their end ---- */
bool finish_drives(struct parse *p);
void drives_forget(struct config *opts);
void drive_forget(struct drive_config *d);

/* ---- options_chardev.c: names that -serial, -monitor and their like use; the default terminal ---- */
bool finish_chardevs(struct parse *p);
void names_forget(struct parse *p);
void chardevs_forget(struct config *opts);

/* ---- options_numa.c ---- */
bool numa_object(struct parse *p, struct pairs *pairs);	/* what stands behind "memory-backend-ram," */
bool finish_numa(struct parse *p);
void numa_forget(struct config *opts);

/* ---- options_share.c ---- */
void fsdevs_forget(struct config *opts);

/* ---- options_net.c ---- */
bool finish_nets(struct parse *p);
void netdevs_forget(struct config *opts);
void netdev_forget(struct net_config *c);

/* ---- options_late.c ---- */
extern const struct late_options late_options;

#endif

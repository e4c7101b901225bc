/* Fuzzing what reads a snapshot: libFuzzer's build/fuzz/load and build/fuzz/inspect, and many.c without libFuzzer.
 *
 * An input is a byte that selects, and a file. So that nothing large is in the way, holes are not there, and what is
 * compressed comes as it is before: input.c makes the file of it. mutate.c knows sections, and puts their sums
 * right again, or nothing behind a checksum would ever be reached. */
#ifndef TESTS_FUZZ_LOAD_LOAD_H
#define TESTS_FUZZ_LOAD_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "savevm/error.h"

#define LOAD_RAM     (UINT64_C(4) << 20)	/* bytes: two groups of the mapped layout */
#define LOAD_MAX     (UINT32_C(1) << 20)	/* bytes of an input */
#define LOAD_HEAD    4096u			/* layout.h; in the mapped layout a table of 16 bytes follows */
#define LOAD_TABLE   16u
#define LOAD_PAGES   2u				/* of memory that an input in the mapped layout has, at 0 and behind */
#define LOAD_RAM_AT  (UINT64_C(2) << 20)	/* in the file */

/* The byte that selects. */
enum load_form { FORM_STREAM, FORM_PIPE, FORM_ZSTD, FORM_RAW, FORM_MAPPED, FORM_CHILD, FORM_ZSTD_PIPE, FORM_STREAM_TOO };
#define LOAD_CONFIG(byte) ((byte) & 3)		/* load_config[] */
#define LOAD_FORM(byte)   ((enum load_form)((byte) >> 2 & 7))
#define LOAD_SAVE(byte)   ((byte) >> 5 & 3)	/* how it is saved at the end: stream, zstd, mapped, child */

/* -smp, -pool */
struct load_config {
	const char *smp, *pool;		/* pool NULL: dedicated */
};
extern const struct load_config load_config[4];

/* ---- input.c ---- */

/* Where the stream begins in an input of that form; 0: there is none to take apart. */
size_t input_stream_at(enum load_form form);
/* A folder for what follows, with the parents that children name; it is removed at the end of the process. */
void input_begin(void);
#define INPUT_PATH 96
const char *input_path(char path[INPUT_PATH], const char *name);
/* Makes the file of it, "input" in that folder. */
int input_open(const uint8_t *data, size_t size);
/* The other way round; the room is LOAD_MAX. 0: it does not fit. */
size_t input_read(uint8_t select, int fd, uint8_t *data);

/* ---- mutate.c ---- */

struct rng;
/* In place, like LLVMFuzzerCustomMutator(): the new size. */
size_t mutate(uint8_t *data, size_t size, size_t max, struct rng *rng);
/* Sums of sections, and of the head around a stream, as they should be. */
void mutate_fix(uint8_t *data, size_t *size, size_t max);
/* A section of `other` in place of the one that `data` has by that name. */
size_t mutate_cross(uint8_t *data, size_t size, size_t max, const uint8_t *other, size_t other_size, struct rng *rng);
/* Cuts the description at the end: most inputs are more readable without. */
size_t mutate_undescribed(uint8_t *data, size_t size);

/* ---- fields.c: each field alone ---- */
struct fields;
struct config;
/* Of a seed that is a stream with a description. */
struct fields *fields_find(const uint8_t *data, size_t size, const struct config *o);
void fields_free(struct fields *f);
size_t fields_changes(const struct fields *f);		/* how many there are */
/* One of them, in place; the field's name. The sums are the caller's: mutate_fix(). */
const char *fields_change(struct fields *f, size_t which, uint8_t *data, size_t size);

/* ---- seeds.c: what cede itself saves ---- */

/* Saves the parents that children name into `folder`, and calls `each` for every seed, if it is not NULL. */
void seeds_make(const char *folder, void (*each)(void *opaque, const char *name, const uint8_t *data, size_t size), void *opaque);
/* The same, in a folder that is gone at the end. */
void seeds_give(void (*each)(void *opaque, const char *name, const uint8_t *data, size_t size), void *opaque);

struct machine;
struct config;
/* A machine that can load snapshots of that configuration; exits if there is none to be had. */
void machine_options(struct config *o, unsigned config, const char *bios);
struct machine *machine_of(const struct config *o);
void die(const char *what, const char *why);

/* ---- load.c, inspect.c: the targets; 0 ---- */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* What became of the inputs. */
struct load_counts {
	unsigned long inputs, loaded, ran, saved;
};
extern struct load_counts load_counts;

#endif

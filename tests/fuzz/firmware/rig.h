/* Fuzzing what a guest says to the firmware: libFuzzer's build/fuzz/trees and build/fuzz/client.
 *
 * A machine after power-on, of which no code runs: the targets call into it. RAM lies between inaccessible pages. */
#ifndef TESTS_FUZZ_FIRMWARE_RIG_H
#define TESTS_FUZZ_FIRMWARE_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "machine/core/machine.h"

#define RIG_RAM     (UINT64_C(16) << 20)	/* bytes */
#define RIG_TREE    0x800000u		/* guest real: the tree that H_UPDATE_DT is given */
#define RIG_ARGS    0x600000u		/* argument blocks */
#define RIG_TEXT    0x610000u		/* strings */
#define RIG_BUF     0x620000u		/* what calls write to */
#define RIG_VECTOR  0x640000u		/* of ibm,client-architecture-support; one that is accepted */

void die(const char *what, const char *why);

/* Made by rig_begin(), as it was then again after rig_reset(). */
extern struct machine *rig;
void rig_reset(void);

/* In LLVMFuzzerInitialize(). `-w FOLDER` as arguments: calls seeds(), which calls rig_seed(), and ends the process. */
void rig_begin(int argc, char **argv, void (*seeds)(void));
void rig_seed(const char *name, const void *data, size_t size);
/* An input was tried, and accepted, or did something: libfuzzer.py wants both to happen. */
void rig_count(bool good);

/* A client call; its first result, or UINT32_MAX if it is not there. */
uint32_t rig_call(const char *service, unsigned n, const uint32_t *in);
#define CALL(service, ...) \
	rig_call(service, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4, (const uint32_t[]){ __VA_ARGS__ })
/* Text into guest memory; its address. Eight strings are kept. */
uint32_t rig_text(const char *text);
/* What holds whatever was called: the tree is one, what is claimed is apart. */
void rig_check(void);

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

#endif

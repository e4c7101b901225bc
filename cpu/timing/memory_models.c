/* The figures of each processor model, a source for each.
 *
 *   UM   POWER9 Processor User's Manual 2.0, as others quote it
 *   J    the IBM Journal's papers on the model, or measured for ibm-power8 and ibm-power9 in jiegec's notes
 *   AC   measured on an AC922 (POWER9) for the POWERarm project
 *   AT   lmbench and STREAM on an S812LC (POWER8), AnandTech 10435
 *   K    Linux 6.1: arch/powerpc
 *   HC   what was said of Power10 at Hot Chips 32 and in the press
 *   ?    assumed: no source
 *
 * Where a manual and a measurement differ, the measurement stands. */
#include "cpu/timing/memory_models.h"

#include <stddef.h>
#include <string.h>

static const struct memory_model models[] = {
	{
		.name = "power8", .mhz = 3500,
		.branch = {
			.local = 16384 - 1, .global = 16384 - 1, .history = BRANCH_HISTORY(21),		/* J, with as many selectors */
			.targets = 256 - 1, .target_shift = 5,			/* J: 256 by address; POWER9's granule ? */
			.links = { 32 - 1, 32 - 1, 16 - 1, 8 - 1 },				/* J */
		},
	}, {
		.name = "power9", .mhz = 3800,
		.branch = {
			.local = 8192 - 1, .global = 8192 - 1, .history = BRANCH_HISTORY(24),		/* UM, with as many selectors; history ? */
			.tagged = 4096 - 1, .long_history = BRANCH_HISTORY(64),			/* UM: four tables, to 256; one stands for them */
			.targets = 256 - 1, .target_shift = 5,			/* AC: 256 sites, one in 32 bytes */
			.links = { 64 - 1, 32 - 1, 16 - 1, 16 - 1 },				/* UM */
		},
	}, {
		.name = "power10", .mhz = 4000,
		.branch = {
			.local = 16384 - 1, .global = 16384 - 1, .history = BRANCH_HISTORY(28),		/* ? */
			.tagged = 4096 - 1, .long_history = BRANCH_HISTORY(64),			/* HC: better; sizes ? */
			.targets = 512 - 1, .target_shift = 5,			/* HC: larger; size ? */
			.links = { 64 - 1, 32 - 1, 16 - 1, 16 - 1 },				/* ? as POWER9 */
		},
	},
};

const struct memory_model *memory_model_find(const char *name)
{
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

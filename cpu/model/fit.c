/* What a model has, of all that a snapshot may say: registers by the table of SPRs, and bits of those that more than one has.
 * QEMU masks LPCR in the same manner when it loads a processor. See fit.h. */
#include "cpu/model/fit.h"

#include <string.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"

#define SPR_PSSCR_PR 823

static const struct {
	uint16_t number;
	uint8_t on;
} sprs[] = {
#define SPR(number, name, on, problem, privileged, read, write, field, facility) { number, on },
#include "cpu/table/spr.def"
#undef SPR
};

static const struct {
	uint16_t number, offset, size;
} kept[] = {
#define STATE_SPR(number, field) { number, offsetof(struct cpu, field), sizeof(((struct cpu *)0)->field) },
#include "cpu/table/spr_state.def"
#undef STATE_SPR
};

/* A number may have a row for each of some generations. */
static bool has_spr(const struct cpu_model *model, unsigned number)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sprs); i++)
		if (sprs[i].number == number && sprs[i].on & spr_generation(model->since))
			return true;
	return false;
}

static uint64_t lpcr_bits(const struct cpu_model *model)
{
	return LPCR_KEPT & ~((model->large_dec_bits ? 0 : LPCR_LD) | (model->radix_pages.n ? 0 : LPCR_UPRT | LPCR_HR | LPCR_GTSE));
}

/* A decrementer that was wider expires when the narrow one can at the latest: a guest takes that as an early tick. */
static void narrow_dec(struct cpu *cpu, int64_t dec)
{
	cpu_set_dec(cpu, cpu->cycles, (uint64_t)(dec > INT32_MAX ? INT32_MAX : dec < INT32_MIN ? INT32_MIN : dec));
}

void cpu_fit_model(struct cpu *cpu, const struct cpu_model *model)
{
	int64_t dec = cpu_dec(cpu, cpu->cycles);
	bool wide = cpu->lpcr & LPCR_LD;

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (!has_spr(model, kept[i].number))
			memset((uint8_t *)cpu + kept[i].offset, 0, kept[i].size);
	if (!has_spr(model, SPR_PSSCR_PR))
		cpu->psscr = 0;
	cpu->fscr &= fscr_bits(model->since);
	cpu->lpcr &= lpcr_bits(model);
	if (wide && !(cpu->lpcr & LPCR_LD))
		narrow_dec(cpu, dec);
}

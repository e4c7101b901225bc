/* The table of models: a new one is its file and two lines here. */
#include "cpu/model/models.h"

#include <stddef.h>
#include <strings.h>

extern const struct cpu_model power8_model, power8e_model, power8nvl_model, power9_model, power9_2_model, power10_model;

const struct cpu_model *const cpu_models[] = {
	&power9_model,
	&power9_2_model,
	&power8_model,
	&power8e_model,
	&power8nvl_model,
	&power10_model,
	NULL,
};

const struct cpu_model *cpu_model_find(const char *name)
{
	if (!strcasecmp(name, "max"))
		return cpu_models[0];
	for (const struct cpu_model *const *at = cpu_models; *at; at++)
		if (!strcasecmp(name, (*at)->name) || !strcasecmp(name, (*at)->alias))
			return *at;
	return NULL;
}

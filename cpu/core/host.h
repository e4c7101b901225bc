/* What the host's processor has beyond what every x86-64 or AArch64 has.
 *
 * A handler that needs more is bound by the decoder: where the feature is missing, its hook puts
 * the plain handler in its place. So no handler tests for a feature, and the same guest states come
 * out on all hosts. CEDE_HOST=baseline in the environment hides all of them, for tests.
 */
#ifndef CPU_HOST_H
#define CPU_HOST_H

#include "cpu/engine/decode.h"

enum host_feature {
	HOST_FMA = 1,		/* fused multiply-add */
	HOST_SHUFFLE = 2,	/* bytes of one vector picked by another */
	HOST_AES = 4,		/* AES rounds, and HOST_SHUFFLE */
	HOST_CLMUL = 8,		/* carry-less multiplication of doublewords */
	HOST_WIDE = 16,		/* stores of 32 bytes */
};

unsigned host_features(void);

/* `HOST_NEEDS(vperm, HOST_SHUFFLE)`: vperm's handler is op_vperm only on hosts that have it, else
 * op_vperm_plain. */
#define HOST_NEEDS(name, feature) \
	DECODE_HOOK(name) \
	{ \
		if (!(host_features() & (feature))) \
			op->fn = op_##name##_plain; \
		return true; \
	}

#endif

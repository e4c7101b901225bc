/* What the host's processor has beyond what every x86-64 or AArch64 has.
 *
 * A handler that needs more is bound by the decoder (HOST_NEEDS in decode.h): where the feature is
 * missing, the plain handler takes its place. So no handler tests for a feature, and the same guest
 * states come out on all hosts. CEDE_HOST=baseline in the environment hides all of them, for tests.
 */
#ifndef CPU_CORE_HOST_H
#define CPU_CORE_HOST_H

enum host_feature {
	HOST_FMA = 1,		/* fused multiply-add */
	HOST_SHUFFLE = 2,	/* bytes of one vector picked by another */
	HOST_AES = 4,		/* AES rounds, and HOST_SHUFFLE */
	HOST_CLMUL = 8,		/* carry-less multiplication of doublewords */
	HOST_WIDE = 16,		/* stores of 32 bytes */
	HOST_BITS = 32,		/* bits gathered and scattered under a mask */
};

unsigned host_features(void);

#endif

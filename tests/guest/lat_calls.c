#include "lib.h"

/* Calls for ever, and does nothing else. */
void test(void)
{
	print("ready\n");
	for (;;)
		hcall(H_RANDOM);
}

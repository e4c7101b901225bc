#include "lib.h"

/* Says something for ever. */
void test(void)
{
	print("ready\n");
	for (;;)
		print("x\n");
}

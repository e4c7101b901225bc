/* A guest in which nothing will ever happen again: its only processor has stopped. For tests/snapshot/limits.py. */
#include "lib.h"

void test(void)
{
	print("good night\n");
	rtas(RTAS_STOP_SELF, 0, 1, NULL, NULL);
	panic("woken");
}

/* Two threads that give way to each other in turns: a context switch within one address space. */
#define _GNU_SOURCE
#include <pthread.h>
#include "bench.h"
#include "one_cpu.h"

static uint64_t work, turn, value = 1;	/* turn: even is main's, odd the other thread's */

static void *play(void *first)
{
	for (uint64_t mine = first != NULL; mine < 2 * work; mine += 2) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != mine)
			sched_yield();
		value = bench_add(value, mine);
		__atomic_store_n(&turn, mine + 1, __ATOMIC_RELEASE);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t other;

	work = bench_work(argc, argv, 60000);
	one_cpu();
	bench_need(!pthread_create(&other, NULL, play, &work), "pthread_create");
	play(NULL);
	bench_need(!pthread_join(other, NULL), "pthread_join");
	return bench_done("yield", value);
}

/* Two threads that sleep and wake each other: a condition variable, so futexes and the scheduler. */
#define _GNU_SOURCE
#include <pthread.h>
#include "bench.h"
#include "one_cpu.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t work, turn, value = 1;	/* turn: even is main's, odd the other thread's */

static void *play(void *first)
{
	pthread_mutex_lock(&mutex);
	for (uint64_t mine = first != NULL; mine < 2 * work; mine += 2) {
		while (turn != mine)
			pthread_cond_wait(&changed, &mutex);
		value = bench_add(value, mine);
		turn++;
		pthread_cond_signal(&changed);
	}
	pthread_mutex_unlock(&mutex);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t other;

	work = bench_work(argc, argv, 23000);
	one_cpu();
	bench_need(!pthread_create(&other, NULL, play, &work), "pthread_create");
	play(NULL);
	bench_need(!pthread_join(other, NULL), "pthread_join");
	return bench_done("futex", value);
}

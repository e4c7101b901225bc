/* Threads beside the machine's own, for images and for all who are above them. */
#ifndef MACHINE_HOST_BLOCK_THREAD_H
#define MACHINE_HOST_BLOCK_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <time.h>

/* Signals come to the thread that serves them, the machine's own; a fault of its own is each thread's. 0, or an error number. */
static inline int thread_start(pthread_t *thread, void *(*run)(void *), void *opaque)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	sigset_t all, before;
	int error;

	sigfillset(&all);
	for (unsigned i = 0; i < sizeof faults / sizeof faults[0]; i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	error = pthread_create(thread, NULL, run, opaque);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* Within a second, and then it is joined. False: it goes on. */
static inline bool thread_ends(pthread_t thread)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	return !pthread_timedjoin_np(thread, NULL, &until);
}

#endif

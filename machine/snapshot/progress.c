/* How far a save or a load is; see progress.h. */
#include "machine/snapshot/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "machine/host/time.h"

#define AGAIN_NS (NSEC_PER_SEC / 5)

void progress_begin(struct progress *p, const char *verb, uint64_t total)
{
	*p = (struct progress){ .verb = verb, .total = total, .start = host_ns(), .terminal = isatty(STDERR_FILENO) };
	p->next = p->start + NSEC_PER_SEC;
}

void progress_at(struct progress *p, uint64_t done)
{
	uint64_t now = p->terminal ? host_ns() : 0, rate;

	if (!p->terminal || now < p->next)
		return;
	rate = (uint64_t)((double)done * 1e9 / (double)(now - p->start)) + 1;
	fprintf(stderr, "\rcede: %s, %llu of %llu MiB, %llu MiB/s, %llu s left\033[K", p->verb, (unsigned long long)(done >> 20),
		(unsigned long long)(p->total >> 20), (unsigned long long)(rate >> 20),
		done < p->total ? (unsigned long long)((p->total - done) / rate) : 0);
	p->next = now + AGAIN_NS;
	p->shown = true;
}

void progress_end(struct progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

/* Waiting for a reader on the host in the midst of the guest's work. */
#include <poll.h>

#include "machine/core/machine.h"
#include "machine/host/term.h"

bool machine_waits_to_write(struct machine *m, int out)
{
	struct pollfd fds[2] = { { .fd = out, .events = POLLOUT }, { .fd = term_fd(m->term), .events = POLLIN } };

	for (;;) {
		bool ends = term_ending(m->term) || m->request == REQ_QUIT;

		if (term_poll(m->term, fds, 2, ends ? 0 : TERM_TICK_MS) > 0 && fds[0].revents)
			return true;	/* if it is an error, write() says which */
		if (ends)
			return false;
		if (m->request != REQ_NONE || !machine_serve(m))
			term_signal(m->term);
	}
}

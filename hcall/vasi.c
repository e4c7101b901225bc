/* Partition suspension: the streams that a guest asks for. PAPR, "VASI Support hcall()s" and
 * "VASI Stream Services for Partition Migration".
 *
 * A stream is a -save FILE@guest; stream n is the nth of them. There is one session at a time: that of the
 * stream that H_VASI_STATE asked about last. A stream is always ready for the guest's suspension. H_VASI_STATE
 * reports once how a session ended, and begins a new session when it is asked again.
 */
#include "hcall/vasi.h"

#include "hcall/hcall.h"
#include "machine/core/config.h"

#define SIGNAL_CANCEL 1			/* the only signal that a partition may send by hypercall */

int vasi_save(const struct machine *m, uint64_t stream)
{
	for (unsigned i = 0; stream && i < m->config->saves; i++)
		if (m->config->save[i].when == SAVE_FOR_GUEST && !--stream)
			return (int)i;
	return -1;
}

HCALL_FN(H_VASI_STATE)
{
	struct machine *m = cpu_machine(cpu);
	bool ours = m->vasi_stream && in[0] == m->vasi_stream;

	if (ours && m->vasi_state != VASI_SUSPENDING) {
		out[0] = m->vasi_state;
		vasi_reset(m);
		return H_SUCCESS;
	}
	if (vasi_save(m, in[0]) < 0)
		return H_PARAMETER;
	m->vasi_stream = in[0];
	m->vasi_state = VASI_SUSPENDING;
	out[0] = m->vasi_state;
	return H_SUCCESS;
}

HCALL_FN(H_VASI_SIGNAL)
{
	struct machine *m = cpu_machine(cpu);
	bool ours = m->vasi_stream && in[0] == m->vasi_stream;

	if (!ours && vasi_save(m, in[0]) < 0)
		return H_PARAMETER;
	if (in[1] != SIGNAL_CANCEL)
		return H_P2;
	if (!ours || m->vasi_state != VASI_SUSPENDING)
		return H_NOOP;
	vasi_reset(m);
	return H_SUCCESS;
}

void vasi_reset(struct machine *m)
{
	m->vasi_stream = 0;
	m->vasi_state = VASI_INVALID;
}

/* What firmware code in guest memory asks of the hypervisor: RTAS, client interface, CAS.
 * Private numbers; a guest reaches them only through the code it was given.
 */
#include "firmware/firmware.h"

#include "hcall/hcall.h"
#include "machine/rtas.h"

HCALL_FN(H_RTAS) { return rtas_call(cpu, in[0]) ? H_SUCCESS : H_PARAMETER; }
HCALL_FN(H_CAS) { return firmware_cas(cpu, in); }
HCALL_FN(H_UPDATE_DT) { return firmware_update_dt(cpu, in); }
HCALL_FN(H_VOF_CLIENT) { return firmware_client(cpu, in[0]); }

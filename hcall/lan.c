/* Virtual Ethernet cards. PAPR, "Interpartition Logical LAN (ILLAN) Option". */
#include "hcall/hcall.h"
#include "machine/vio/vlan.h"

static const int64_t codes[] = {
	[VLAN_OK] = H_SUCCESS, [VLAN_WRONG] = H_PARAMETER, [VLAN_TAKEN] = H_RESOURCE, [VLAN_CLOSED] = H_RESOURCE, [VLAN_FULL] = H_RESOURCE,
	[VLAN_UNMAPPED] = H_DEST_PARM,
};

HCALL_FN(H_REGISTER_LOGICAL_LAN)
{
	struct vlan *l = vlan_find(cpu_machine(cpu), in[0]);

	return l ? codes[vlan_register(l, in[1], in[2], in[3])] : H_PARAMETER;
}

HCALL_FN(H_FREE_LOGICAL_LAN)
{
	struct vlan *l = vlan_find(cpu_machine(cpu), in[0]);

	return l ? codes[vlan_free(l)] : H_PARAMETER;
}

HCALL_FN(H_ADD_LOGICAL_LAN_BUFFER)
{
	struct vlan *l = vlan_find(cpu_machine(cpu), in[0]);

	return l ? codes[vlan_add_buffer(l, in[1])] : H_PARAMETER;
}

/* Nothing is ever sent in part, so nobody has a token to go on from. */
HCALL_FN(H_SEND_LOGICAL_LAN)
{
	struct vlan *l = vlan_find(cpu_machine(cpu), in[0]);
	enum vlan_result result;

	if (!l)
		return H_PARAMETER;
	if (in[7])
		return vlan_is_open(l) ? H_HARDWARE : H_DROPPED;
	result = vlan_send(l, in + 1);
	return result == VLAN_CLOSED ? H_DROPPED : codes[result];
}

/* The card hears all groups and has no filters, whatever is asked. */
HCALL_FN(H_MULTICAST_CTRL)
{
	return vlan_find(cpu_machine(cpu), in[0]) ? H_SUCCESS : H_PARAMETER;
}

HCALL_FN(H_CHANGE_LOGICAL_LAN_MAC)
{
	struct vlan *l = vlan_find(cpu_machine(cpu), in[0]);

	if (!l)
		return H_PARAMETER;
	vlan_set_mac(l, in[1]);
	return H_SUCCESS;
}

/* It is no trunk, and neither finishes checksums nor cuts large frames: no attribute is set, or can be. */
HCALL_FN(H_ILLAN_ATTRIBUTES)
{
	if (!vlan_find(cpu_machine(cpu), in[0]))
		return H_PARAMETER;
	return in[2] ? H_CONSTRAINED : H_SUCCESS;
}

/* What a partition may know of its capacity and place, and where it is told so: hypercalls, device tree,
 * system parameters. Under a pool "pool procs=N" stands in -append. PAPR, "Shared Processor LPAR Option",
 * "Energy Management", "System Parameters Option". */
#include "splpar.h"

#define H_P2_CODE ((u64)-55)

static bool is_shared;

static void present(u64 number, const char *name)
{
	u64 out[9];

	check((s64)hcall_out(out, number, 0, 0, 0) != H_FUNCTION, name);
}

static void test_present(void)
{
	u64 out[9];

	present(H_GET_PPP, "s9-15-H_GET_PPP-is-there");
	present(H_SET_PPP, "s9-15-H_SET_PPP-is-there");
	present(H_PURR, "s9-15-H_PURR-is-there");
	present(H_PIC, "s9-16-H_PIC-is-there");
	present(H_POLL_PENDING, "s9-16-H_POLL_PENDING-is-there");
	present(H_GET_EM_PARMS, "s9-16-H_GET_EM_PARMS-is-there");
	present(H_BEST_ENERGY, "s9-16-H_BEST_ENERGY-is-there");
	present(H_GET_MPP, "s9-16-H_GET_MPP-is-there");
	present(H_GET_MPP_X, "s9-16-H_GET_MPP_X-is-there");
	present(H_SET_MPP, "s9-16-H_SET_MPP-is-there");
	check_eq((u64)hcall_out(out, H_GET_PPP), H_SUCCESS, "H_GET_PPP");
	check(out[0] > 0 && out[0] <= 400, "entitlement-in-hundredths");
	check_eq(out[2] >> 32, 0, "reserved-half-of-r6");
	check_eq(out[3] >> 56, 0, "reserved-byte-of-r7");
	if (!is_shared) {
		check_eq(out[0], 400, "dedicated-entitlement");
		check_eq(out[2] & 0xffff, 0xffff, "dedicated-pool-number");
		check_eq(out[3] >> 48, 1, "dedicated-is-capped");
		check_eq(out[3] >> 40 & 255, 0, "dedicated-weight");
		check_eq(out[3] >> 16 & 0xffff, 0, "dedicated-has-no-pool");
	}
	check_eq((u64)hcall(H_SET_PPP, 100, 256), (u64)H_PARAMETER, "weight-256");
	check_eq((u64)hcall_out(out, H_GET_MPP), H_SUCCESS, "H_GET_MPP");
	check_eq(out[0], RAM, "entitled-memory");
	check_eq(out[2] & 0xffff, 0xffff, "memory-is-dedicated");
	check_eq(out[4], TOP, "no-memory-pool");
}

/* A list of domains: fields of 16 bits, a field without its first bit set begins a number of 31 bits. */
static unsigned domains(const u64 out[9], u32 *last)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 24; i++) {
		u64 field = out[i / 4] >> (48 - 16 * (i % 4)) & 0xffff;

		if (field == 0xffff)
			break;
		*last = field & 0x7fff;
		if (!(field >> 15) && ++i < 24)
			*last = (u32)(field << 16 | (out[i / 4] >> (48 - 16 * (i % 4)) & 0xffff));
		n++;
	}
	return n;
}

static void test_home(void)
{
	static const u64 bad[] = { 0, 3, 4, TOP, 1ull << 32 };
	u32 last = 0;
	u64 out[9];

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, bad[i], 0), (u64)H_PARAMETER, "s9-18-flags");
	check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, 0, 64), (u64)H_PARAMETER, "s9-18-flags-before-the-processor");
	for (u64 i = 0; i < 4; i++) {
		check_eq((u64)hcall_out(out, H_HOME_NODE_ASSOCIATIVITY, 1, i), H_SUCCESS, "home-of-one-not-yet-started");
		check(domains(out, &last) >= 4, "home-has-four-levels-at-least");
		check_eq(out[5], TOP, "unused-fields-all-ones");
	}
	check_eq((u64)hcall_out(out, H_HOME_NODE_ASSOCIATIVITY, 2, 0), H_SUCCESS, "s9-17-a-physical-processor");
	check(domains(out, &last) >= 4, "s9-17-has-four-levels-at-least");
	check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, 1, 4), H_P2_CODE, "home-of-nobody");
	check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, 1, TOP), H_P2_CODE, "home-of-all-ones");
	check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, 2, 2048), H_P2_CODE, "s9-17-no-such-physical-processor");
	check_eq((u64)hcall(H_HOME_NODE_ASSOCIATIVITY, 2, TOP), H_P2_CODE, "s9-17-physical-all-ones");
}

static void test_tree(void)
{
	static const char *const sets[] = { "hcall-splpar", "hcall-pic", "hcall-poll-pending", "hcall-join", "hcall-vphn",
					    "hcall-get-emparm", "hcall-cmo" };
	s64 n = property("/", "ibm,partition-performance-parameters-level");

	check_eq((u64)n, 4, "s9-31-performance-parameters-level");
	n = property("/rtas", "ibm,rks-hcalls");
	check(n > 0, "s9-31-rks-hcalls");
	check((property_room[0] & 0xc0) == 0xc0, "s9-31-CONFER-and-PROD-change-only-r3");
	n = property("/rtas", "ibm,hypertas-functions");
	for (unsigned i = 0; n > 0 && i < sizeof sets / sizeof sets[0]; i++)
		check(text_has((const char *)property_room, (size_t)n, sets[i]), sets[i]);
	check_eq((u64)property(CPU_NODE, "ibm,purr"), 4, "ibm,purr");
	check_eq((u64)property(CPU_NODE, "ibm,spurr"), 4, "ibm,spurr");
}

static u8 parameter[4096];

static void test_parameter(void)
{
	static const char *const keys[] = { "BoundThrds=", "CapInc=", "DisWheRotPer=", "MinEntCap=", "MinEntCapPerVP=", "MinMem=", "MinProcs=",
					    "MaxEntCap=", "MaxPlatProcs=", "DesEntCap=", "DesMem=", "DesProcs=", "DesVarCapWt=", "DedDonMode=" };
	u32 in[3] = { 20, (u32)(u64)parameter, sizeof parameter };
	u64 n;

	check_eq((u64)rtas(RTAS_GET_PARAMETER, 3, 1, in, NULL), 0, "parameter-20");
	n = get(parameter, 2);
	check(n > 0 && n < sizeof parameter - 2, "parameter-20-length");
	for (unsigned i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (!check(text_has((const char *)parameter + 2, n, keys[i]), "s9-30-keys"))
			print("# %s\n", keys[i]);
	check(text_has((const char *)parameter + 2, n, is_shared ? "00," : "MaxEntCap=400,"), "s9-30-MaxEntCap-in-hundredths");
	check(text_has((const char *)parameter + 2, n, "DesProcs=4"), "DesProcs");
}

void test(void)
{
	is_shared = shared();
	test_present();
	test_home();
	test_tree();
	test_parameter();
}

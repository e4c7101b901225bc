/* Gives an input as a series of Open Firmware client calls. Its first byte selects; then a byte for each call, one and
 * what it needs for each argument. What a guest's memory holds of that is made here, so that nothing is in the way. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "hcall/hcall.h"
#include "machine/core/log.h"
#include "tests/fuzz/firmware/rig.h"
#include "tests/fuzz/rng.h"

#define PACKED     1			/* bits of the first byte: no room in the tree */
#define AT_END     2			/* argument blocks end where RAM does */
#define LOGGED     4			/* each call with its names */
#define MAX_SIZE  4096
#define MAX_CALLS  100
#define MAX_CELLS  16
#define NODES      64

/* What an argument is: the letter of it stands in `args`, its number in the input. */
static const char kinds[] = "hisrbenwpg";

static const struct {
	const char *name, *args;
} services[] = {
	{ "getprop", "hsbn" }, { "nextprop", "hsb" }, { "getproplen", "hs" }, { "peer", "h" }, { "child", "h" }, { "parent", "h" },
	{ "package-to-path", "hbn" }, { "write", "ibn" }, { "finddevice", "s" }, { "setprop", "hsbn" }, { "claim", "pgg" },
	{ "release", "pg" }, { "open", "s" }, { "close", "i" }, { "read", "ibn" }, { "instance-to-path", "ibn" },
	{ "instance-to-package", "i" }, { "call-method", "sib" }, { "test-method", "hs" }, { "interpret", "s" }, { "test", "s" },
	{ "milliseconds", "" }, { "quiesce", "" }, { "boot", "s" }, { "exit", "" }, { "enter", "" }, { "seek", "inn" }, { "no-such-service", "hsbn" },
};

#define SERVICES ARRAY_SIZE(services)
#define POKE     31			/* instead of a call: bytes into the buffer */

static const char *const texts[] = {
	"", "name", "phandle", "reg", "/", "/chosen", "/cpus", "/cpus/PowerPC,POWER9@0", "/memory@0", "/rtas", "/vdevice/nvram@71000001", "hvterm",
	"hvterm:x", "rtas/", "/aliases", "available", "linux,initrd-start", "ibm,client-architecture-support", "instantiate-rtas", "getprop",
	"compatible", "/CPUS", "/vdevice/VTY@71000000:0", "disk", "disk:0", "disk:2", "disk:1,\\x", "block-size", "#blocks", "vscsi-report-luns", "/vdevice/v-scsi@71000002", "cursor-on", "stdin",
	"stdout", "ibm,hypertas-functions", "//", "/./", "a b",
};

static uint32_t node[NODES];
static unsigned nodes;

/* ---- Reading an input ---- */

static struct {
	const uint8_t *at, *end;
} in;

static uint8_t byte(void)
{
	return in.at < in.end ? *in.at++ : 0;
}

static uint32_t word(void)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v = v << 8 | byte();
	return v;
}

/* Bytes of the input as they are, with a NUL behind, or none: up to the end of the room. */
static uint32_t raw_text(void)
{
	char text[0x180];
	size_t len = byte(), have = (size_t)(in.end - in.at);

	len = len < have ? len : have;
	memcpy(text, in.at, len);
	text[len] = 0;
	in.at += len;
	return rig_text(text);
}

static uint32_t argument(char kind)
{
	switch (kind) {
	case 'h': return nodes ? node[byte() % nodes] : 0;
	case 'i': return byte() % 8;
	case 's': return rig_text(texts[byte() % ARRAY_SIZE(texts)]);
	case 'r': return raw_text();
	case 'b': return RIG_BUF + 16u * byte();
	case 'e': return (uint32_t)RIG_RAM - byte();
	case 'n': return byte();
	case 'p': return (uint32_t)byte() << 16;
	case 'g': return 1u << byte() % 32;
	default:  return word();
	}
}

/* ---- Calls ---- */

static void put_bytes(void)
{
	uint32_t at = RIG_BUF + 16u * byte();
	size_t len = byte(), have = (size_t)(in.end - in.at);

	len = len < have ? len : have;
	ram_write(&rig->ram, at, in.at, len);
	in.at += len;
}

/* The upper bits of a call's byte: 7, with numbers of cells that follow instead of the right ones. */
static bool call(uint8_t op, bool at_end)
{
	unsigned which = (op & 31) % SERVICES, n = (unsigned)strlen(services[which].args), nargs = n, nrets = 1;
	uint32_t at = RIG_ARGS;
	bool done;

	if (op >> 5 == 7) {
		nargs = byte() % 20;
		nrets = byte() % 20;
	}
	if (at_end)
		at = (uint32_t)RIG_RAM - 12 - 4 * (nargs + nrets);
	st_be32(&rig->ram, at, rig_text(services[which].name));
	st_be32(&rig->ram, at + 4, nargs);
	st_be32(&rig->ram, at + 8, nrets);
	for (unsigned i = 0; i < nargs && i < MAX_CELLS; i++) {
		uint8_t kind = byte();

		/* 0: what belongs there. */
		st_be32(&rig->ram, at + 12 + 4 * i, argument(kind || i >= n ? kinds[kind % (sizeof kinds - 1)] : services[which].args[i]));
	}
	done = firmware_client(&rig->cpu[0]->cpu, at) == H_SUCCESS;
	return done && nrets && ld_be32(&rig->ram, at + 12 + 4 * nargs) != UINT32_MAX;
}

/* ---- Seeds ---- */

/* Each service with the right arguments, in the first places of the tables and in others. */
static void make_seeds(void)
{
	uint8_t data[256];
	char name[64];

	for (unsigned i = 0; i < SERVICES; i++) {
		for (uint8_t variant = 0; variant < 4; variant++) {
			size_t n = 0;

			data[n++] = variant;
			for (uint8_t k = 0; k < 6; k++) {
				data[n++] = (uint8_t)i;
				for (unsigned a = 0; a < strlen(services[i].args); a++) {
					data[n++] = 0;
					data[n++] = (uint8_t)(1 + k * (variant + 1) + a);
				}
			}
			snprintf(name, sizeof name, "%s-%u", services[i].name, variant);
			rig_seed(name, data, n);
		}
	}
}

/* "/" is opened, and asked for ibm,client-architecture-support with a vector that is accepted; then "quiesce". */
static void seed_negotiation(void)
{
	static const uint8_t data[] = { 4, 12, 0, 4, 17, 0, 17, 0, 2, 8, 0x00, 0x64, 0x00, 0x00, 12, 0, 9, 17, 0, 18, 0, 3, 8, 0x00, 0x70, 0, 0, 22, 9, 0, 0, 0, 16, 0, 2, 0, 4 };

	rig_seed("negotiation", data, sizeof data);
}

static void seeds(void)
{
	make_seeds();
	seed_negotiation();
}

/* ---- libFuzzer's ---- */

/* As libFuzzer does it, and sometimes a call of another input's kind at a place of its own. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng rng = { seed };
	unsigned which = rng_below(&rng, SERVICES);
	size_t len = 1 + 2 * strlen(services[which].args), at = 1 + rng_below(&rng, (uint32_t)size);

	if (!rng_one_in(&rng, 3) || at > size || size + len > max)
		return LLVMFuzzerMutate(data, size, max);
	memmove(data + at + len, data + at, size - at);
	data[at] = (uint8_t)which;
	for (size_t i = 1; i < len; i++)
		data[at + i] = i % 2 ? 0 : (uint8_t)rng_below(&rng, 32);
	return size + len;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	rig_begin(*argc, *argv, seeds);
	for (int at = 0; at >= 0 && nodes < NODES; at = fdt_next_node(rig->fdt, at, NULL))
		node[nodes++] = fdt_get_phandle(rig->fdt, at);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool good = false;

	if (size < 2 || size > MAX_SIZE)
		return 0;
	rig_reset();
	if (data[0] & PACKED) {
		fdt_pack(rig->fdt);
		rig->fdt_size = fdt_totalsize(rig->fdt);
	}
	rig->log_mask = data[0] & LOGGED ? LOG_HCALL | LOG_GUEST_ERROR | LOG_UNIMP : 0;
	in.at = data + 1;
	in.end = data + size;
	for (unsigned n = 0; in.at < in.end && n < MAX_CALLS; n++) {
		uint8_t op = byte();

		if ((op & 31) == POKE)
			put_bytes();
		else
			good = call(op, data[0] & AT_END);
	}
	rig_check();
	rig_count(good);
	return 0;
}

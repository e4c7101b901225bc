/* Reserved no-ops, which code that protects its return addresses executes everywhere, and what they are on POWER10: a keyed
 * digest of a return address and a stack pointer, stored and checked.
 *
 * The digest is four times the block cipher SIMON 32/64, each on half of the doublewords that bytes of RA and RB make in
 * turns, and with the round keys in another order. Source: Power ISA 3.1B, Book I, 3.3.
 */
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"

OP(reserved_nop) { }

/* ---- The digest ---- */

enum { ROUNDS = 32 };

static inline uint16_t rotl16(uint16_t v, unsigned n) { return (uint16_t)(v << n | v >> (16 - n)); }

/* The key's first halfword is the first round's key; the others follow by the cipher's recurrence. */
static void expand_key(uint64_t key, uint16_t k[ROUNDS])
{
	uint64_t sequence = UINT64_C(0xfa2561cdf44ac398);	/* the cipher's z0, a bit a round from the left */

	for (unsigned i = 0; i < 4; i++)
		k[i] = (uint16_t)(key >> (48 - 16 * i));
	for (unsigned i = 4; i < ROUNDS; i++, sequence <<= 1) {
		uint16_t t = rotl16(k[i - 1], 13) ^ k[i - 3];

		k[i] = (uint16_t)(~k[i - 4] ^ t ^ rotl16(t, 15) ^ 3 ^ (unsigned)(sequence >> 63));
	}
}

/* Each four round keys begin with the lane's. */
static uint32_t encrypt(uint32_t block, const uint16_t k[ROUNDS], unsigned lane)
{
	uint16_t left = (uint16_t)block, right = (uint16_t)(block >> 16);

	for (unsigned i = 0; i < ROUNDS; i++) {
		uint16_t next = right ^ (rotl16(left, 1) & rotl16(left, 8)) ^ rotl16(left, 2) ^ k[(i & ~3u) | ((i + lane) & 3)];

		right = left;
		left = next;
	}
	return (uint32_t)right << 16 | left;
}

/* Bytes 0, 2, 4, 6 from the right are those of the word a, the others from the left those of the word b. */
static uint64_t interleave(uint32_t a, uint32_t b)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 4; i++) {
		v |= (uint64_t)(uint8_t)(a >> 8 * i) << 16 * i;
		v |= (uint64_t)(uint8_t)(b >> 8 * i) << (56 - 16 * i);
	}
	return v;
}

static __attribute__((noinline)) uint64_t digest(uint64_t ra, uint64_t rb, uint64_t key)
{
	uint64_t high = interleave((uint32_t)(ra >> 32), (uint32_t)rb), low = interleave((uint32_t)ra, (uint32_t)(rb >> 32));
	uint16_t k[ROUNDS];

	expand_key(key, k);
	return ((uint64_t)encrypt((uint32_t)(high >> 32), k, 0) << 32 | encrypt((uint32_t)high, k, 1)) ^
	       ((uint64_t)encrypt((uint32_t)(low >> 32), k, 2) << 32 | encrypt((uint32_t)low, k, 3));
}

/* ---- The instructions ---- */

/* DEXCR's aspects: without theirs they do nothing. */
#define NPHIE 5		/* hashst, hashchk; problem state: 32 bits on */
#define PHIE  6		/* hashstp, hashchkp */

/* In op->a the aspect's bit, in op->d the register that RA names, which is part of the digest; op->b is the address's. */
#define HASH(suffix, key, ld, st) \
	OP_TRY(hashst##suffix) \
	{ \
		if (cpu->dexcr & PPC_BIT(op->a)) \
			st(u64, RA + IMM, digest(SLOT(op->d), RB, key)); \
		return true; \
	} \
	OP_TRY(hashchk##suffix) \
	{ \
		uint64_t stored; \
		if (!(cpu->dexcr & PPC_BIT(op->a))) \
			return true; \
		ld(u64, RA + IMM, &stored); \
		return stored == digest(SLOT(op->d), RB, key) || raise_program(cpu, op, PROG_TRAP); \
	}
HASH(, cpu->hashkeyr, LOAD, STORE)
HASH(_be, cpu->hashkeyr, LOAD_BE, STORE_BE)
/* HASHPKEYR is the hypervisor's, and 0. */
HASH(p, 0, LOAD, STORE)
HASH(p_be, 0, LOAD_BE, STORE_BE)

static bool aspect(const struct decoder *d, struct op *op, uint32_t word, unsigned bit)
{
	op->a = (uint8_t)(bit + (decode_mode(d) & MODE_PR ? 32 : 0));
	op->d = word >> 16 & 31;
	return true;
}

DECODE_HOOK(hashst)   { return aspect(d, op, word, NPHIE); }
DECODE_HOOK(hashchk)  { return aspect(d, op, word, NPHIE); }
DECODE_HOOK(hashstp)  { return aspect(d, op, word, PHIE); }
DECODE_HOOK(hashchkp) { return aspect(d, op, word, PHIE); }

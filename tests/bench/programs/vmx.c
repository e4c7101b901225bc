/* Vectors of integers: saturating sums, comparisons, permutations and multiplications of 16 bytes. */
#include <altivec.h>
#undef bool
#include "bench.h"

#define VECTORS	1024

typedef vector unsigned char u8x16;
typedef vector signed short s16x8;
typedef vector unsigned int u32x4;

static union {
	u8x16   v[VECTORS];
	uint8_t byte[16 * VECTORS];
} data, out;

/* Letters to upper case, without a branch; counts what changed. */
static u32x4 upper(u32x4 count)
{
	const u8x16 before = vec_splats((unsigned char)('a' - 1)), after = vec_splats((unsigned char)('z' + 1));
	const u8x16 flip = vec_splats((unsigned char)0x20), one = vec_splats((unsigned char)1);

	for (uint32_t i = 0; i < VECTORS; i++) {
		const u8x16 c = data.v[i];
		const u8x16 small = (u8x16)vec_and(vec_cmpgt(c, before), vec_cmplt(c, after));
		out.v[i] = vec_xor(c, vec_and(small, flip));
		count = vec_sum4s(vec_and(small, one), count);
	}
	return count;
}

/* Each vector by its neighbour's low bits, as a byte shuffle; then a saturating mix back into the data. */
static void shuffle(void)
{
	for (uint32_t i = 0; i < VECTORS; i++) {
		const u8x16 next = out.v[(i + 1) % VECTORS];
		const u8x16 mixed = vec_perm(out.v[i], data.v[i], next);
		data.v[i] = vec_max(vec_adds(mixed, vec_splats((unsigned char)3)), vec_avg(data.v[i], next));
	}
}

static u32x4 products(u32x4 sum)
{
	vector signed int total = (vector signed int)sum;

	for (uint32_t i = 0; i < VECTORS; i++)
		total = vec_msum((s16x8)out.v[i], (s16x8)data.v[i], total);
	return vec_rl((u32x4)total, vec_splats(7u));
}

int main(int argc, char **argv)
{
	u32x4 count = vec_splats(0u);
	uint64_t sum = 0, seed = 29;

	for (uint32_t i = 0; i < sizeof(data); i++)
		data.byte[i] = bench_random(&seed);
	for (uint64_t work = bench_work(argc, argv, 8000); work; work--) {
		count = upper(count);
		shuffle();
		count = products(count);
		data.byte[work % sizeof(data)] ^= work;
	}
	for (uint32_t i = 0; i < 4; i++)
		sum = bench_add(sum, count[i]);
	return bench_done("vmx", sum);
}

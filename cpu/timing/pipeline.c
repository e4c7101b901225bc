/* The clock of dispatch, and what instructions leave pending. Times are in units, `now` counts from pipe_open(). */
#include "cpu/timing/pipeline.h"

#include <stddef.h>
#include <string.h>

#include "cpu/table/forms.h"

enum {
	ISSUE = UNITS_PER_CYCLE,	/* from dispatch to the earliest start */
	RETIRE = UNITS_PER_CYCLE,	/* from completion until the window's entry is free */
	FARTHEST = 0xf000,		/* what is later than that is not: 16 bits hold a time */
	EPOCH = 16 * UNITS_PER_CYCLE,	/* `now` of a pipe just opened: values that are there for some may be older */
};

/* What a state keeps behind a branch. More of each is nearer to the whole state, and recurs less. */
enum {
	COARSE_REGISTERS = 6,		/* those that come last */
	COARSE_STORES = 1,
	COARSE_TIME = 24,		/* units to which times are rounded */
	COARSE_WINDOW = 24,		/* the same for the last entry of a window whose every entry is late by as much more */
};

_Static_assert(1 + MAX_PORTS + COARSE_REGISTERS + 1 + 2 * COARSE_STORES <= COARSE_STATE_WORDS, "there is room for each");
_Static_assert(NREGS <= 128, "a bit each in two words");

/* What is left of a cycle in times that a coarse state keeps, so that few recur: parts in which the clock goes while the window
 * stalls. With larger ones the pipe that binds a loop would win or lose a part at each turn. */
static unsigned grain_of(const struct core_model *m) { return m->uop_units; }

/* Down to a whole number of grains; numbers that are known here cost no division. */
static inline uint32_t whole_grains(uint32_t t, unsigned grain)
{
	return grain == 1 ? t : grain == 2 ? t / 2 * 2 : grain == 3 ? t / 3 * 3 : t / grain * grain;
}

/* t / n, for t * n below 2^32 and n from 2 on; `part` is PART_OF(n). */
#define PART_OF(n) (UINT32_MAX / (n) + 1)
static inline uint32_t by(uint32_t t, uint32_t part) { return (uint32_t)((uint64_t)t * part >> 32); }

static inline uint32_t later(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* ---- Decoding ---- */

static void add_read(struct pipe_insn *out, unsigned reg)
{
	if (out->nread < sizeof out->read)
		out->read[out->nread++] = (uint8_t)reg;
}

/* Status bits are renamed, or taken as they are found: only their movers wait for them or make others wait. */
static bool moves_status(unsigned row)
{
	switch (row) {
	case ROW_mffs: case ROW_mffsce: case ROW_mffscdrn: case ROW_mffscdrni: case ROW_mffscrn: case ROW_mffscrni:
	case ROW_mffsl: case ROW_mcrfs: case ROW_mtfsfi: case ROW_mtfsf: case ROW_mtfsb0: case ROW_mtfsb1:
	case ROW_mfvscr: case ROW_mtvscr: case ROW_mfspr: case ROW_mtspr:
		return true;
	default:
		return false;
	}
}

enum { NOP = 0x60000000 };

static bool counts(unsigned row, unsigned reg)
{
	return (reg != REG_SO && reg != REG_FPSCR && reg != REG_VSCR) || moves_status(row);
}

static unsigned next_register(const struct regset *s, unsigned from)
{
	for (; from < NREGS; from = (from | 63) + 1) {
		uint64_t left = s->bits[from / 64] >> from % 64;

		if (left)
			return from + (unsigned)__builtin_ctzll(left);
	}
	return NREGS;
}

#define EACH_REGISTER(reg, set) for (unsigned reg = next_register(set, 0); reg < NREGS; reg = next_register(set, reg + 1))

static void decode_reads(unsigned row, const struct uses *uses, bool many, struct pipe_insn *out)
{
	for (unsigned address = 2; address-- > 0;) {
		EACH_REGISTER(reg, &uses->read) {
			if (regset_has(&uses->address, reg) != address || !counts(row, reg))
				continue;
			if (!address && many && reg < REG_VSR)
				out->gprs_read |= UINT32_C(1) << reg;
			else
				add_read(out, reg);
		}
		if (address)
			out->naddress = out->nread;
	}
}

static void decode_writes(unsigned row, const struct uses *uses, const struct core_model *m, const struct figures *f, bool many,
			  struct pipe_insn *out)
{
	EACH_REGISTER(reg, &uses->written) {
		bool cr = reg >= REG_CR && reg < REG_CR + 8;

		if (!counts(row, reg))
			continue;
		if (many && reg < REG_VSR && !(uses->update && reg == uses->base)) {
			out->gprs_written |= UINT32_C(1) << reg;
		} else if (out->nwritten < sizeof out->written) {
			out->written[out->nwritten] = (uint8_t)reg;
			out->written_latency[out->nwritten++] = uses->update && reg == uses->base ? m->base_latency :
								cr ? f->cr_latency : f->latency;
		}
	}
}

static unsigned count_gprs(const struct regset *s)
{
	return (unsigned)__builtin_popcountll(s->bits[0] & UINT32_MAX);
}

/* mr, addi and so on of a register to itself: where stores went is known under the new value, too. */
static void decode_step(unsigned row, uint32_t word, struct pipe_insn *out)
{
	if (row == ROW_addi && (word >> 21 & 31) == (word >> 16 & 31) && word >> 16 & 31) {
		out->update = true;
		out->base = word >> 16 & 31;
		out->displacement = (int16_t)word;
	}
}

void pipe_decode(const struct core_model *m, int row, uint64_t word, struct pipe_insn *out)
{
	const struct cost *cost;
	const struct figures *f;
	struct uses uses;

	memset(out, 0, sizeof *out);
	out->slots = out->uops = 1;
	out->base = out->index = NO_BASE;
	if (row < 0)
		return;
	cost = cost_find(m, (unsigned)row, word);
	f = m->as_llvm && cost->llvm.latency ? &cost->llvm : &cost->ours;
	out->slots = f->slots;
	out->uops = cost->uops;
	out->kind = cost->kind;
	out->hold = m->as_llvm ? 0 : cost->hold;
	out->drains = row == ROW_sync || row == ROW_eieio;
	out->latency = f->latency;
	out->far = f->far;
	if (word != NOP || m->as_llvm)		/* a core dispatches it and no more */
		memcpy(out->use, cost->use, sizeof out->use);
	for (unsigned k = 0; k < m->nports; k++)
		out->uses |= (uint16_t)((out->use[k] && m->pipes[k]) << k);
	if (word == NOP)
		return;
	uses_find((unsigned)row, word, &uses);
	out->branch = uses.branch;
	out->load = uses.load;
	out->store = uses.store;
	out->update = uses.update;
	out->base = uses.base;
	out->index = uses.index;
	out->displacement = uses.displacement;
	decode_reads((unsigned)row, &uses, count_gprs(&uses.read) > 5, out);
	decode_writes((unsigned)row, &uses, m, f, count_gprs(&uses.written) > 2, out);
	decode_step((unsigned)row, word, out);
}

/* ---- The state: packed ---- */

enum { PORTS_AT = 0, REGISTERS_AT = 8, WINDOW_AT = 16, STORES_AT = 24 };
#define LINE (UINT32_C(1) << 31)

static unsigned count_of(const uint32_t *words, unsigned at) { return words[0] >> at & 0x7f; }

static unsigned count_words(const uint32_t *words)
{
	return words[0] ? 1 + count_of(words, PORTS_AT) + count_of(words, REGISTERS_AT) + count_of(words, WINDOW_AT) +
				  2 * count_of(words, STORES_AT) : 0;
}

unsigned pipe_state_words(const struct pipe_state *s) { return count_words(s->word); }

struct writer {
	struct pipe_state *s;
	unsigned n;
};

static struct writer write_to(struct pipe_state *s)
{
	s->word[0] = 0;
	return (struct writer){ s, 1 };
}

static void put(struct writer *w, unsigned at, uint32_t word)
{
	w->s->word[0] += UINT32_C(1) << at;
	w->s->word[w->n++] = word;
}

/* The place of the k-th entry from here. */
static inline unsigned entry(const struct pipe *p, unsigned k)
{
	unsigned at = p->head + k;

	return at < p->size ? at : at - p->size;
}

/* When the k-th entry that the window was opened with is free: each a little later than the one before it, up to the one at
 * the line's end; those behind that are as late as it. */
static uint32_t on_line(const struct pipe *p, unsigned k)
{
	uint32_t late = p->line_late, grain = grain_of(p->m);

	if (k < p->line_end) {
		late = whole_grains(by(late * (k + 1), p->line_part), grain);
	}
	return late ? EPOCH + k * p->m->uop_units + late : 0;
}

/* When the k-th entry from here is free. */
static inline uint32_t freed_at(const struct pipe *p, unsigned k)
{
	return k < p->left ? on_line(p, p->size - p->left + k) : p->window[entry(p, k)];
}

static inline uint32_t newest(const struct pipe *p) { return freed_at(p, p->size - 1u); }

/* By how much the dispatch of each entry from here is late, if entries before it go as fast as can be. One that is late no
 * more than one before it makes nobody wait. None is free later than the newest one. */
static void close_window(const struct pipe *p, struct writer *w, unsigned from, uint32_t latest)
{
	uint32_t at = p->now + from * p->m->uop_units, last = newest(p);

	for (unsigned k = from; k < p->size && at + latest < last; k++, at += p->m->uop_units) {
		uint32_t free = freed_at(p, k);

		if (free > at + latest) {
			latest = free - at;
			put(w, WINDOW_AT, k << 16 | latest);
		}
	}
}

/* The same where only the last of these is asked for: what is left of the line is latest at its end. */
static void close_window_end(const struct pipe *p, struct writer *w)
{
	unsigned gone = p->size - p->left, k = p->line_end > gone ? p->line_end - gone : 0u;
	uint32_t at = EPOCH + gone * p->m->uop_units + p->line_late;

	if (p->line_end >= p->size) {		/* it was a longer one */
		close_window(p, w, 0, 0);
	} else if (k < p->left && p->line_late && at > p->now) {
		put(w, WINDOW_AT, k << 16 | (at - p->now));
		close_window(p, w, p->left, at - p->now);
	} else {
		close_window(p, w, p->left, 0);
	}
}

static bool store_matters(const struct pipe *p, const struct pipe_store *store)
{
	return store->ready > p->now + ISSUE;
}

/* From when on all can have it. */
static uint32_t last_ready(const struct pipe *p, unsigned reg) { return p->ready[reg] + (p->far[reg] & 15) * UNITS_PER_CYCLE; }

static void close_registers(const struct pipe *p, struct writer *w)
{
	for (unsigned half = 0; half < 2; half++)
		for (uint64_t left = p->written[half]; left; left &= left - 1) {
			unsigned i = half * 64 + (unsigned)__builtin_ctzll(left);
			uint32_t last = last_ready(p, i);

			if (last > p->now + ISSUE)
				put(w, REGISTERS_AT, i << 24 | (uint32_t)p->far[i] << 16 | (last - p->now));
		}
}

/* Words behind those that it has stay as they are. To be made coarse, it has the window's last word only. */
static inline __attribute__((always_inline)) void close_as(const struct pipe *p, struct pipe_state *s, bool coarse)
{
	struct writer w = write_to(s);

	for (unsigned i = 0; i < p->m->nports; i++)
		if (p->port[i] > p->now)
			put(&w, PORTS_AT, i << 16 | (p->port[i] - p->now));
	close_registers(p, &w);
	if (coarse)
		close_window_end(p, &w);
	else
		close_window(p, &w, 0, 0);
	for (unsigned i = 0; i < p->nstores; i++) {
		const struct pipe_store *store = &p->store[i];

		if (store_matters(p, store)) {
			put(&w, STORES_AT, (uint32_t)store->base << 24 | (uint32_t)store->index << 16 | (store->ready - p->now));
			w.s->word[w.n++] = (uint32_t)store->displacement;
		}
	}
}

static void close_all(const struct pipe *p, struct pipe_state *s) { close_as(p, s, false); }

void pipe_close(const struct pipe *p, struct pipe_state *s)
{
	unsigned n;

	if (p->fresh) {
		n = count_words(p->last.word);
		memcpy(s->word, p->last.word, n * sizeof s->word[0]);
	} else {
		close_all(p, s);
		n = count_words(s->word);
	}
	memset(s->word + n, 0, sizeof s->word - n * sizeof s->word[0]);
}

unsigned pipe_pack(struct pipe *p)
{
	if (!p->fresh)
		close_all(p, &p->last);
	p->fresh = true;
	return count_words(p->last.word);
}

/* ---- Opened ---- */

static void open_line(struct pipe *p, uint32_t word)
{
	p->left = p->size;
	p->line_end = (uint8_t)(word >> 16);
	p->line_late = word & 0xffff;
	p->line_part = PART_OF(p->line_end + 1u);
}

static void open_window(struct pipe *p, const uint32_t *word, unsigned n)
{
	uint32_t late = 0, at = p->now;

	for (unsigned k = 0, next = 0; k < p->size; k++, at += p->m->uop_units) {
		if (next < n && word[next] >> 16 == k)
			late = word[next++] & 0xffff;
		p->window[k] = late ? at + late : 0;
	}
}

void pipe_open_packed(struct pipe *p, const struct core_model *m, unsigned threads, const uint32_t *words)
{
	const uint32_t *word = words + 1;

	memset(p, 0, offsetof(struct pipe, window));
	p->m = m;
	p->threads = (uint8_t)threads;
	p->size = (uint8_t)(m->window / threads);
	p->now = EPOCH;
	for (unsigned n = count_of(words, PORTS_AT); n; n--, word++)
		p->port[*word >> 16] = EPOCH + (*word & 0xffff);
	for (unsigned n = count_of(words, REGISTERS_AT); n; n--, word++) {
		p->written[*word >> 30] |= UINT64_C(1) << (*word >> 24 & 63);
		p->ready[*word >> 24] = EPOCH + (*word & 0xffff) - (*word >> 16 & 15) * UNITS_PER_CYCLE;
		p->far[*word >> 24] = *word >> 16 & 0xff;
	}
	if (words[0] & LINE || !count_of(words, WINDOW_AT))
		open_line(p, words[0] & LINE ? *word : 0);
	else
		open_window(p, word, count_of(words, WINDOW_AT));
	word += count_of(words, WINDOW_AT);
	for (unsigned n = count_of(words, STORES_AT); n; n--, word += 2)
		p->store[p->nstores++] = (struct pipe_store){ EPOCH + (word[0] & 0xffff), (int32_t)word[1], word[0] >> 24 & 0xff, word[0] >> 16 & 0xff };
	p->fresh = true;
	if (words != p->last.word)
		memcpy(p->last.word, words, (size_t)(word - words) * sizeof *words);
}

void pipe_open(struct pipe *p, const struct core_model *m, unsigned threads, const struct pipe_state *s)
{
	pipe_open_packed(p, m, threads, s->word);
}

/* ---- Made coarse ---- */

static inline uint32_t rounded(uint32_t t, uint32_t to) { return (t + to / 2) / to * to; }
static inline uint32_t to_grains(uint32_t t, unsigned grain) { return whole_grains(t + grain / 2, grain); }

/* To whole cycles from `like`: what is on a chain of dependences with it stays as it is. Rounded each for itself, the chain
 * of a loop would lose or win a part of a cycle at each turn. */
static uint32_t rounded_like(uint32_t t, uint32_t like)
{
	uint32_t part = like % COARSE_TIME;

	return (t + COARSE_TIME + COARSE_TIME / 2 - part) / COARSE_TIME * COARSE_TIME + part - COARSE_TIME;
}

static void coarsen_registers(struct writer *w, const uint32_t *word, unsigned n, unsigned grain)
{
	bool keep[NREGS];
	uint32_t last = 0;

	memset(keep, n <= COARSE_REGISTERS, n);
	for (unsigned i = 0; i < n; i++)
		last = later(last, word[i] & 0xffff);
	last = to_grains(last, grain);
	for (unsigned kept = 0; kept < COARSE_REGISTERS && n > COARSE_REGISTERS; kept++) {
		unsigned best = n;

		for (unsigned i = 0; i < n; i++)
			if (!keep[i] && (best == n || (word[i] & 0xffff) > (word[best] & 0xffff)))
				best = i;
		keep[best] = true;
	}
	for (unsigned i = 0; i < n; i++) {
		uint32_t t = rounded_like(word[i] & 0xffff, last);

		if (keep[i] && t > ISSUE)
			put(w, REGISTERS_AT, (word[i] & ~UINT32_C(0xffff)) | t);
	}
}

/* The entry that is latest, and a line to it. How steep the line is stays as entries leave the window, and how late its end is
 * does not: so it is rounded as if it went on to the whole window's end. Less than half a cycle is nothing: entries that are
 * late no more can become so by a unit or two again, where an instruction has more uops than slots. */
static void coarsen_window(struct writer *w, const uint32_t *word, unsigned n, unsigned size)
{
	uint32_t end, late;

	if (!n || (word[n - 1] & 0xffff) < COARSE_TIME / 2)
		return;
	end = (word[n - 1] >> 16) + 1;
	late = rounded((word[n - 1] & 0xffff) * size / end, COARSE_WINDOW) * end / size;
	if (late)
		put(w, WINDOW_AT, (word[n - 1] & ~UINT32_C(0xffff)) | late);
}

/* The port with the most work keeps nearly all of it: it may bind a loop. */
static void coarsen_ports(struct writer *w, const uint32_t *word, unsigned n, unsigned grain)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < n; i++)
		most = later(most, word[i] & 0xffff);
	for (unsigned i = 0; i < n; i++) {
		uint32_t now = word[i] & 0xffff, t = now == most ? to_grains(now, grain) : rounded(now, COARSE_TIME);

		if (t)
			put(w, PORTS_AT, (word[i] & ~UINT32_C(0xffff)) | t);
	}
}

static void coarsen(const struct core_model *m, const struct pipe_state *from, struct pipe_state *to)
{
	struct writer w = write_to(to);
	const uint32_t *word = from->word + 1;
	unsigned n = count_of(from->word, STORES_AT), skip = n > COARSE_STORES ? n - COARSE_STORES : 0;

	coarsen_ports(&w, word, count_of(from->word, PORTS_AT), grain_of(m));
	word += count_of(from->word, PORTS_AT);
	coarsen_registers(&w, word, count_of(from->word, REGISTERS_AT), grain_of(m));
	word += count_of(from->word, REGISTERS_AT);
	coarsen_window(&w, word, count_of(from->word, WINDOW_AT), m->window);
	to->word[0] |= count_of(to->word, WINDOW_AT) ? LINE : 0;
	word += count_of(from->word, WINDOW_AT);
	for (unsigned i = 0; i < n; i++, word += 2) {
		uint32_t t = rounded(word[0] & 0xffff, COARSE_TIME);

		if (i >= skip && t > ISSUE) {
			put(&w, STORES_AT, (word[0] & ~UINT32_C(0xffff)) | t);
			to->word[w.n++] = word[1];
		}
	}
}

/* Who goes on from here opens it again: most do not. */
static void make_coarse(struct pipe *p)
{
	struct pipe_state whole;

	close_as(p, &whole, true);
	coarsen(p->m, &whole, &p->last);
	p->fresh = p->stale = true;
}

static void reopen(struct pipe *p)
{
	pipe_open_packed(p, p->m, p->threads, p->last.word);
}

/* ---- A step ---- */

/* A value's time for this instruction. */
static uint32_t ready_for(const struct pipe *p, const struct pipe_insn *i, unsigned reg)
{
	unsigned kind = p->far[reg] >> 4, far = p->far[reg] & 15;

	return p->ready[reg] + (far && !(p->m->near[kind] >> i->kind & 1) ? far * UNITS_PER_CYCLE : 0);
}

static uint32_t sources_ready(const struct pipe *p, const struct pipe_insn *i)
{
	uint32_t t = 0;

	for (unsigned k = 0; k < i->nread; k++)
		t = later(t, ready_for(p, i, i->read[k]));
	for (uint32_t left = i->gprs_read; left; left &= left - 1)
		t = later(t, ready_for(p, i, (unsigned)__builtin_ctz(left)));
	return t;
}

/* What one of n equal pipes has of so many units. */
static inline uint32_t shared(uint32_t units, unsigned n)
{
	static const uint32_t part[] = { 0, 0, PART_OF(2), PART_OF(3), PART_OF(4), PART_OF(5), PART_OF(6), PART_OF(7), PART_OF(8) };

	return n < 2 ? units : by(units, part[n]);
}

/* The time at which pipes are free, from their work before; and that work grows. A group of n pipes makes the next wait
 * when all n are busy. */
static uint32_t take_ports(struct pipe *p, const struct pipe_insn *i, uint32_t dispatch)
{
	uint32_t start = dispatch + ISSUE;

	for (uint32_t left = i->uses; left; left &= left - 1) {
		unsigned k = (unsigned)__builtin_ctz(left);
		uint32_t n = p->m->pipes[k], use = i->use[k] * UNITS_PER_CYCLE, spare = shared(use * (n - 1), n);

		if (p->port[k] > dispatch + spare)
			start = later(start, p->port[k] - spare + ISSUE);
		p->port[k] = later(p->port[k], dispatch) + shared(use * p->threads, n);
		if (p->port[k] > dispatch + FARTHEST)
			p->port[k] = dispatch + FARTHEST;
	}
	return start;
}

static void drop_store(struct pipe *p, unsigned k)
{
	memmove(&p->store[k], &p->store[k + 1], (p->nstores - k - 1u) * sizeof p->store[0]);
	p->nstores--;
}

/* A base that steps by a known distance leads to the same places by other names. */
static void rename_stores(struct pipe *p, const struct pipe_insn *i)
{
	for (unsigned k = p->nstores; k-- > 0;) {
		struct pipe_store *store = &p->store[k];
		bool lost = false;

		for (unsigned n = 0; n < i->nwritten; n++)
			lost |= i->written[n] == store->base || i->written[n] == store->index;
		for (uint32_t left = i->gprs_written; left; left &= left - 1)
			lost |= (unsigned)__builtin_ctz(left) == store->base || (unsigned)__builtin_ctz(left) == store->index;
		if (lost && i->update && i->base == store->base && i->index == NO_BASE && store->index == NO_BASE && !i->load) {
			store->displacement = (int32_t)((uint32_t)store->displacement - (uint32_t)i->displacement);
			lost = false;
		}
		if (lost)
			drop_store(p, k);
	}
}

static bool same_place(const struct pipe_store *a, const struct pipe_store *b)
{
	return a->base == b->base && a->index == b->index && a->displacement == b->displacement;
}

static void add_store(struct pipe *p, const struct pipe_insn *i, uint32_t start)
{
	struct pipe_store store = { start + p->m->forward * UNITS_PER_CYCLE, i->update ? 0 : i->displacement, i->base,
				    i->update ? NO_BASE : i->index };

	/* What a newer store covers is never looked for again. */
	for (unsigned k = p->nstores; k-- > 0;)
		if (!store_matters(p, &p->store[k]) || same_place(&p->store[k], &store))
			drop_store(p, k);
	if (p->nstores == PIPE_SLOTS)
		drop_store(p, 0);
	p->store[p->nstores++] = store;
}

/* When what a load reads was stored lately: the time from which it is there. */
static uint32_t stored_at(const struct pipe *p, const struct pipe_insn *i)
{
	for (unsigned k = p->nstores; k-- > 0;)
		if (p->store[k].base == i->base && p->store[k].index == i->index && p->store[k].displacement == i->displacement)
			return p->store[k].ready;
	return 0;
}

static void write_register(struct pipe *p, const struct pipe_insn *i, unsigned reg, uint32_t t, uint32_t limit)
{
	p->written[reg / 64] |= UINT64_C(1) << reg % 64;
	p->ready[reg] = t < limit ? t : limit;
	p->far[reg] = i->far ? (uint8_t)(i->kind << 4 | i->far) : 0;
}

static void write_registers(struct pipe *p, const struct pipe_insn *i, uint32_t start, uint32_t completion, uint32_t dispatch)
{
	uint32_t late = completion - start - i->latency * UNITS_PER_CYCLE;

	for (unsigned k = 0; k < i->nwritten; k++) {
		/* What waits for a store is the loaded value, not the base. */
		bool base = i->update && i->written[k] == i->base;

		write_register(p, i, i->written[k], start + i->written_latency[k] * UNITS_PER_CYCLE + (base ? 0 : late),
			       dispatch + FARTHEST);
	}
	for (uint32_t left = i->gprs_written; left; left &= left - 1)
		write_register(p, i, (unsigned)__builtin_ctz(left), completion, dispatch + FARTHEST);
}

/* The time at which the window has room: a uop enters it after the one before it. */
static uint32_t enter_window(const struct pipe *p, unsigned uops, uint32_t t)
{
	for (unsigned k = 0; k < uops; k++) {
		uint32_t free = freed_at(p, k);

		if (free > t + k * p->m->uop_units)
			t = free - k * p->m->uop_units;
	}
	return t;
}

static void fill_window(struct pipe *p, unsigned uops, uint32_t free)
{
	uint32_t last = newest(p);

	for (unsigned k = 0; k < uops; k++) {
		p->window[p->head] = later(free, last);
		p->head = (uint8_t)entry(p, 1);
		p->left -= p->left != 0;
	}
}

static uint32_t since(uint32_t t, uint32_t before) { return t > before ? t - before : 0; }

/* What the next instruction will wait for. */
static void note_waits(const struct pipe *p, const struct pipe_insn *i, struct pipe_trace *t)
{
	uint32_t dispatch = enter_window(p, i->uops < p->size ? i->uops : p->size, p->now), latest = 0, pipes = 0;

	*t = (struct pipe_trace){ .reg = NREGS, .port = MAX_PORTS };
	for (unsigned reg = 0; reg < NREGS; reg++) {
		bool read = reg < REG_VSR && i->gprs_read >> reg & 1;

		for (unsigned k = 0; k < i->nread; k++)
			read |= i->read[k] == reg;
		if (!read || ready_for(p, i, reg) <= latest)
			continue;
		latest = ready_for(p, i, reg);
		t->reg = (uint8_t)reg;
	}
	for (unsigned k = 0; k < p->m->nports; k++) {
		uint32_t n = p->m->pipes[k], spare = n ? (i->use[k] * UNITS_PER_CYCLE) * (n - 1) / n : 0;

		if (!n || !i->use[k] || p->port[k] <= dispatch + spare || p->port[k] - spare + ISSUE <= pipes)
			continue;
		pipes = p->port[k] - spare + ISSUE;
		t->port = (uint8_t)k;
	}
	t->sources = since(latest, p->now);
	t->pipes = since(pipes, p->now);
	t->stored = i->load && i->base != NO_BASE && !p->m->as_llvm ? since(stored_at(p, i), p->now) : 0;
}

static void note_step(const struct pipe *p, uint32_t before, uint32_t dispatch, uint32_t start, uint32_t completion, struct pipe_trace *t)
{
	t->dispatch = dispatch - before;
	t->start = start - before;
	t->completion = completion - before;
	t->retired = later(completion + RETIRE, newest(p)) - before;
	t->next = p->now - before;
}

/* When every result of those before is there, and what they store. */
static uint32_t all_done(const struct pipe *p, bool stores)
{
	uint32_t t = 0;

	for (unsigned half = 0; half < 2; half++)
		for (uint64_t left = p->written[half]; left; left &= left - 1) {
			uint32_t last = last_ready(p, half * 64 + (unsigned)__builtin_ctzll(left));

			t = last > p->now + ISSUE ? later(t, last) : t;
		}
	for (unsigned k = 0; stores && k < p->nstores; k++)
		t = store_matters(p, &p->store[k]) ? later(t, p->store[k].ready) : t;
	return t;
}

/* A barrier's own time begins when all before it is done: when the whole window could be filled again, which is what a state
 * tells of it, and nothing is awaited any more. What reserves a line and what it is reserved for are measured together, as
 * they are. */
static uint32_t barrier_begins(const struct pipe *p, const struct pipe_insn *i, uint32_t dispatch)
{
	return i->hold && !i->load && !i->store ? later(enter_window(p, p->size, dispatch), all_done(p, i->drains)) : 0;
}

/* Without a trace, which is known when this is compiled, nothing of it is left. */
static inline __attribute__((always_inline)) unsigned step(struct pipe *p, const struct pipe_insn *i, struct pipe_trace *t)
{
	uint32_t before, dispatch, slots, start, completion, freed, begins, cost;
	unsigned uops = i->uops < p->size ? i->uops : p->size;

	if (p->stale)
		reopen(p);
	p->fresh = false;
	before = p->now;
	dispatch = enter_window(p, uops, before);
	slots = i->slots * p->m->slot_units * p->threads;
	start = later(take_ports(p, i, dispatch), sources_ready(p, i));
	begins = barrier_begins(p, i, dispatch);
	completion = freed = start + i->latency * UNITS_PER_CYCLE;
	/* The window is as short as issue queues are: a load that waits for a store does not hold up all behind it. */
	if (i->load && i->base != NO_BASE && !p->m->as_llvm)
		completion = later(completion, stored_at(p, i));
	if (completion > dispatch + FARTHEST)
		completion = dispatch + FARTHEST;
	write_registers(p, i, start, completion, dispatch);
	fill_window(p, uops, freed + RETIRE < dispatch + FARTHEST ? freed + RETIRE : dispatch + FARTHEST);
	p->now = later(dispatch + (slots ? slots : 1), begins) + i->hold * UNITS_PER_CYCLE;
	if (p->nstores)
		rename_stores(p, i);
	if (i->store && i->base != NO_BASE && !p->m->as_llvm)
		add_store(p, i, start);
	if (t)
		note_step(p, before, dispatch, start, completion, t);
	cost = p->now - before;
	if (i->branch) {
		uint32_t known = completion > p->now ? completion - p->now : 0;

		make_coarse(p);
		p->resolve = known;
	}
	return cost < PIPE_MAX_COST ? cost : PIPE_MAX_COST;
}

unsigned pipe_step(struct pipe *p, const struct pipe_insn *i) { return step(p, i, NULL); }

unsigned pipe_step_traced(struct pipe *p, const struct pipe_insn *i, struct pipe_trace *t)
{
	if (p->stale)
		reopen(p);
	note_waits(p, i, t);
	return step(p, i, t);
}

void pipe_wait(struct pipe *p, unsigned units)
{
	if (p->stale)
		reopen(p);
	p->now += units;
	make_coarse(p);
}

/* ---- States from files ---- */

bool pipe_state_valid(const struct pipe_state *s, const struct core_model *m)
{
	unsigned ports = count_of(s->word, PORTS_AT), registers = count_of(s->word, REGISTERS_AT), window = count_of(s->word, WINDOW_AT);
	unsigned stores = count_of(s->word, STORES_AT), words = pipe_state_words(s), i = 1;
	uint32_t late = 0;
	int64_t last = -1;

	if (ports > m->nports || registers > NREGS || window > m->window || stores > PIPE_SLOTS || words > PIPE_STATE_WORDS ||
	    s->word[0] & (0x80u << PORTS_AT | 0x80u << REGISTERS_AT | 0x80u << WINDOW_AT) || (s->word[0] & LINE && window != 1))
		return false;
	for (unsigned n = 0; n < ports; n++, last = s->word[i++] >> 16)
		if ((int64_t)(s->word[i] >> 16) <= last || s->word[i] >> 16 >= m->nports || !(s->word[i] & 0xffff))
			return false;
	last = -1;
	for (unsigned n = 0; n < registers; n++, last = s->word[i++] >> 24)
		if ((int64_t)(s->word[i] >> 24) <= last || s->word[i] >> 24 >= NREGS || (s->word[i] >> 20 & 15) >= MAX_PORTS)
			return false;
	last = -1;
	for (unsigned n = 0; n < window; n++, late = s->word[i] & 0xffff, last = s->word[i++] >> 16)
		if ((int64_t)(s->word[i] >> 16) <= last || s->word[i] >> 16 >= m->window || (s->word[i] & 0xffff) <= late)
			return false;
	for (unsigned n = 0; n < stores; n++, i += 2)
		if (s->word[i] >> 24 >= 32 || ((s->word[i] >> 16 & 0xff) >= 32 && (s->word[i] >> 16 & 0xff) != NO_BASE))
			return false;
	for (i = words; i < PIPE_STATE_WORDS; i++)
		if (s->word[i])
			return false;
	return true;
}

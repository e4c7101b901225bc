/* State descriptions: what of a struct goes into a snapshot and into the state hash, and how.
 *
 * A description is a table of rows, one for each field, beside the struct it describes. Writer,
 * reader, the JSON text at a snapshot's end, the state hash and the tests all follow from it. Every
 * member of a struct is in exactly one row of its descriptions (unit/vmstate): what is not saved is a
 * row too, VMS_SKIP with the reason, and what a calculated row saves is a VMS_CARRIED.
 *
 *   static const struct vmstate rtc_state = {
 *           .name = "spapr/rtc", .version = 1, .min_version = 1, VMS_OF(struct machine),
 *           .fields = VMS_FIELDS(VMS_U64(struct machine, rtc_offset_ns)),
 *   };
 *
 * The macros check the field's C type when compiled. Numbers are big-endian in the stream.
 * Names, versions and layout of what QEMU has too are QEMU's: docs/devel/migration there.
 */
#ifndef SAVEVM_VMSTATE_H
#define SAVEVM_VMSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream;
struct text;
struct vmstate;

/* ---- How one element of a field goes ---- */
struct vms_codec {
	const char *type;		/* QEMU's word for it in the JSON description */
	unsigned size;			/* bytes in the stream; at most VMS_MAX_ELEMENT */
	void (*save)(const void *native, uint8_t *wire);
	void (*load)(void *native, const uint8_t *wire);
};

#define VMS_MAX_ELEMENT 16

extern const struct vms_codec vms_u8, vms_u16, vms_u32, vms_u64, vms_i32, vms_i64, vms_bool;
extern const struct vms_codec vms_u8_as_u32;	/* a byte here, 32 bits in the stream */

/* One walk over a section; for post_load functions an opaque thing to complain with. */
struct vms_walk {
	struct stream *stream;
	struct text *json;		/* saving: the description grows here; NULL: not wanted */
	const char *section;		/* as the stream names it, for complaints */
	uint32_t instance;
	const struct vmstate *state;	/* the description being walked */
	bool for_qemu;			/* saving: for QEMU 7.2 */
};

/* Refuses the load, or the save: "section S I, DESCRIPTION: field F: expected E, found N". Returns false. */
bool vms_wrong(struct vms_walk *w, const char *field, uint64_t found, const char *expected, ...)
	__attribute__((format(printf, 4, 5)));

/* The same for what an option says, named at the end: "... (OPTION)". */
bool vms_differs(struct vms_walk *w, const char *field, const char *option, const char *expected, const char *found);

enum vms_kind {
	VMS_END,
	VMS_VALUE,		/* `count` elements by `codec` */
	VMS_BYTES,		/* `count` bytes as they are */
	VMS_ZEROS,		/* `count` bytes in the stream that mean nothing */
	VMS_CALCULATED,		/* `count` values that get() and put() know */
	VMS_NESTED,		/* `count` structs described by `state` */
	VMS_QUEUE,		/* a singly linked list of them */
	VMS_NOT_HERE,		/* nothing in the stream: `reason` */
	VMS_CARRIED_HERE,	/* nothing in the stream, for a calculated row has it; but it is hashed */
};

struct vms_field {
	const char *name;
	enum vms_kind kind;
	const struct vms_codec *codec;
	const char *type;	/* in the description, of all elements as one; NULL: the codec's, of each */
	size_t offset;		/* of the first element, bytes */
	size_t stride;		/* from element to element, bytes */
	size_t covers;		/* bytes of an element that this row is about */
	uint32_t count;		/* elements; if `counted`, the most there may be */
	uint32_t spare;		/* further elements in the stream: zeros, not looked at */
	bool counted;		/* how many there are is the uint32_t at count_at, an earlier row */
	bool pointer;		/* the field points at the elements */
	bool allocated;		/* and a load replaces them: malloc() */
	bool equal;		/* a load must find what is there already */
	bool limited;		/* a load must not find more than `most` */
	size_t count_at;
	uint64_t most;
	uint64_t constant;	/* VMS_CALCULATED without get(): this */
	const struct vmstate *state;
	uint64_t (*get)(const void *s, unsigned i);
	bool (*put)(void *s, unsigned i, uint64_t value);	/* NULL: not looked at; false: cannot be */
	const char *reason;
	const char *unhashed;	/* the state hash leaves it out, for this reason; NULL: it does not */
	uint64_t (*hash)(const void *s);	/* what the state hash has in place of the bytes; NULL: the bytes */
	size_t next_at;		/* VMS_QUEUE: of the pointer to the next element */
	const char *option;	/* a load is refused for it: the user may have given this otherwise than before */
	void (*say)(char *buf, size_t size, uint64_t value);	/* in the words of `option`; NULL: in decimal */
};

struct vmstate {
	const char *name;
	uint32_t version, min_version;
	/* A load takes up to this version: a later QEMU counts on and sends the same fields. 0: up to `version`. */
	uint32_t same_until;
	const char *struct_name;	/* VMS_OF */
	size_t struct_size;
	const struct vms_field *fields;
	bool newer;		/* a subsection that QEMU 7.2 does not know, and is not sent */
	/* Sent if this is true of the struct; NULL: always. */
	bool (*needed)(const void *s);
	/* Settles what is computed lazily; the guest must not see a difference. */
	void (*pre_save)(void *s);
	/* What no machine can be in. Asked of what a load has found, before post_load(), and before a save: what would
	 * be refused is not written. False: vms_wrong(). */
	bool (*check)(const void *s, struct vms_walk *w);
	/* Frees what the load has allocated, after check() has refused it. */
	void (*drop)(void *s);
	/* After all fields, and what follows them: rebuilds. False: vms_wrong(). */
	bool (*post_load)(void *s, uint32_t version, struct vms_walk *w);
	/* Called if the stream has no such subsection: sets the fields to what the sender's had when it left the
	 * subsection out, if that is not what a reset sets. */
	void (*absent)(void *s);
	/* Asked if the stream has no such subsection: can this machine be what a sender is that leaves it out? False:
	 * vms_wrong(). NULL: yes. */
	bool (*may_miss)(const void *s, struct vms_walk *w);
	const struct vmstate *const *subs;	/* subsections, ended by NULL: optional parts of the same struct */
};

#define VMS_FIELDS(...) (const struct vms_field[]){ __VA_ARGS__, { .kind = VMS_END } }
#define VMS_SUBS(...) (const struct vmstate *const[]){ __VA_ARGS__, NULL }
#define VMS_OF(S) .struct_name = #S, .struct_size = sizeof(S)

/* ---- Rows. S: the struct, f: its field, label: the name in the stream ----
 *
 * What follows the named arguments are further members of the row: VMS_MOST, VMS_UNHASHED ... */

/* 0; does not compile if the field is of another type. */
#define VMS_IS(S, f, T) (0 * sizeof(char[_Generic(((S *)0)->f, T: 1, default: -1)]))
#define VMS_LENGTH(S, f) (sizeof(((S *)0)->f) / sizeof(((S *)0)->f[0]))

/* A load finds at most n. */
#define VMS_MOST(n) .limited = true, .most = n
/* A load finds what the machine has. */
#define VMS_SAME .equal = true
/* The same of what the user has said by an option, in words of which say() is. */
#define VMS_SAME_BY(option_, say_) VMS_SAME, .option = option_, .say = say_
/* The state hash leaves it out: why that is right. */
#define VMS_UNHASHED(why) .unhashed = why
/* The state hash has what getter() says of it: uint64_t getter(const void *s). */
#define VMS_HASHED_AS(getter) .hash = getter
/* As many elements as the earlier row `n`, a uint32_t, says. */
#define VMS_COUNTED(S, n) .counted = true, .count_at = offsetof(S, n) + VMS_IS(S, n, uint32_t)

/* n elements of T, which are S.f or, `first` being f[0], its elements. */
#define VMS_ROW(label, kind_, S, f, first, T, n, ...) \
	{ .name = label, .kind = kind_, .offset = offsetof(S, f) + VMS_IS(S, first, T), .stride = sizeof(T), \
	  .covers = sizeof(T), .count = n, __VA_ARGS__ }
/* S.f, a T * or void *, points at as many T as the earlier row `n` says, at most `limit`. */
#define VMS_POINTED(label, kind_, S, f, T, n, limit, ...) \
	{ .name = label, .kind = kind_, .stride = sizeof(T), .covers = sizeof(((S *)0)->f), \
	  .offset = offsetof(S, f) + 0 * sizeof(char[_Generic(((S *)0)->f, T *: 1, void *: 1, default: -1)]), \
	  .count = limit, .pointer = true, VMS_COUNTED(S, n), __VA_ARGS__ }

#define VMS_ONE(label, S, f, T, c, ...)  VMS_ROW(label, VMS_VALUE, S, f, f, T, 1, .codec = &c, __VA_ARGS__)
#define VMS_MANY(label, S, f, T, c, ...) VMS_ROW(label, VMS_VALUE, S, f, f[0], T, VMS_LENGTH(S, f), .codec = &c, __VA_ARGS__)

#define VMS_U8_AS(label, S, f, ...)  VMS_ONE(label, S, f, uint8_t, vms_u8, __VA_ARGS__)
#define VMS_U16_AS(label, S, f, ...) VMS_ONE(label, S, f, uint16_t, vms_u16, __VA_ARGS__)
#define VMS_U32_AS(label, S, f, ...) VMS_ONE(label, S, f, uint32_t, vms_u32, __VA_ARGS__)
#define VMS_U64_AS(label, S, f, ...) VMS_ONE(label, S, f, uint64_t, vms_u64, __VA_ARGS__)
#define VMS_U8(S, f, ...)   VMS_U8_AS(#f, S, f, __VA_ARGS__)
#define VMS_U16(S, f, ...)  VMS_U16_AS(#f, S, f, __VA_ARGS__)
#define VMS_U32(S, f, ...)  VMS_U32_AS(#f, S, f, __VA_ARGS__)
#define VMS_U64(S, f, ...)  VMS_U64_AS(#f, S, f, __VA_ARGS__)
#define VMS_I64(S, f, ...)  VMS_ONE(#f, S, f, int64_t, vms_i64, __VA_ARGS__)
#define VMS_BOOL_AS(label, S, f, ...) VMS_ONE(label, S, f, bool, vms_bool, __VA_ARGS__)
#define VMS_BOOL(S, f, ...) VMS_BOOL_AS(#f, S, f, __VA_ARGS__)
#define VMS_U8_TO(S, f, n)  VMS_U8(S, f, VMS_MOST(n))
#define VMS_U32_TO(S, f, n) VMS_U32(S, f, VMS_MOST(n))
#define VMS_U64_TO(S, f, n) VMS_U64(S, f, VMS_MOST(n))
#define VMS_U32_EQUAL(S, f) VMS_U32(S, f, VMS_SAME)
#define VMS_U64_EQUAL(S, f) VMS_U64(S, f, VMS_SAME)

#define VMS_U64_ARRAY_AS(label, S, f, ...) VMS_MANY(label, S, f, uint64_t, vms_u64, __VA_ARGS__)
#define VMS_U8_ARRAY(S, f, ...)  VMS_MANY(#f, S, f, uint8_t, vms_u8, __VA_ARGS__)
#define VMS_U32_ARRAY(S, f, ...) VMS_MANY(#f, S, f, uint32_t, vms_u32, __VA_ARGS__)
#define VMS_U64_ARRAY(S, f, ...) VMS_U64_ARRAY_AS(#f, S, f, __VA_ARGS__)

#define VMS_BUFFER_AS(label, S, f, ...) VMS_ROW(label, VMS_BYTES, S, f, f[0], uint8_t, VMS_LENGTH(S, f), __VA_ARGS__)
#define VMS_BUFFER(S, f, ...) VMS_BUFFER_AS(#f, S, f, __VA_ARGS__)
#define VMS_COUNTED_BUFFER(label, S, f, n, ...) VMS_BUFFER_AS(label, S, f, VMS_COUNTED(S, n), __VA_ARGS__)
/* A load finds room for them, or (ALLOCATED) makes it. */
#define VMS_POINTED_BUFFER(label, S, f, n, limit) VMS_POINTED(label, VMS_BYTES, S, f, uint8_t, n, limit,)
#define VMS_ALLOCATED_BUFFER(label, S, f, n, limit) VMS_POINTED(label, VMS_BYTES, S, f, uint8_t, n, limit, .allocated = true)
#define VMS_ALLOCATED_ARRAY(label, S, f, n, limit, T, c) \
	VMS_POINTED(label, VMS_VALUE, S, f, T, n, limit, .codec = &c, .allocated = true)

#define VMS_UNUSED(label, n) { .name = label, .kind = VMS_ZEROS, .count = n }
/* Always the same value; a load does not look at it. */
#define VMS_CONSTANT(label, c, value) { .name = label, .kind = VMS_CALCULATED, .codec = &c, .count = 1, .constant = value }
/* uint64_t getter(const void *s, unsigned i), bool putter(void *s, unsigned i, uint64_t v). The fields that the number
 * is made of are rows as well: VMS_CARRIED. */
#define VMS_CALC_ARRAY(label, c, n, getter, putter) \
	{ .name = label, .kind = VMS_CALCULATED, .codec = &c, .count = n, .get = getter, .put = putter }
#define VMS_CALC(label, c, getter, putter) VMS_CALC_ARRAY(label, c, 1, getter, putter)
/* putter() takes what is at most the machine's, as getter() has it, which the user says by an option. */
#define VMS_CALC_BY(label, c, getter, putter, option_, say_) \
	{ .name = label, .kind = VMS_CALCULATED, .codec = &c, .count = 1, .get = getter, .put = putter, .option = option_, .say = say_ }

#define VMS_STRUCT(label, S, f, T, description) VMS_ROW(label, VMS_NESTED, S, f, f, T, 1, .state = &description)
#define VMS_STRUCT_ARRAY(label, S, f, T, description, ...) \
	VMS_ROW(label, VMS_NESTED, S, f, f[0], T, VMS_LENGTH(S, f), .state = &description, __VA_ARGS__)
#define VMS_COUNTED_STRUCTS(label, S, f, T, n, description) VMS_STRUCT_ARRAY(label, S, f, T, description, VMS_COUNTED(S, n))
#define VMS_POINTED_STRUCTS(label, S, f, T, n, limit, description) \
	VMS_POINTED(label, VMS_NESTED, S, f, T, n, limit, .state = &description)
/* A part of the same struct that has fields of its own in the stream: no bytes of its own here. */
#define VMS_PART(label, description) { .name = label, .kind = VMS_NESTED, .count = 1, .state = &description }
/* The same, of which the JSON description says no more than how many bytes it has: QEMU's device writes them by hand. */
#define VMS_OPAQUE(label, description) \
	{ .name = label, .kind = VMS_NESTED, .count = 1, .state = &description, .type = label }
/* List of T from the pointer S.f on, linked by T.next; a load appends to an empty one, at most n. */
#define VMS_LIST(label, S, f, T, next, n, description) \
	{ .name = label, .kind = VMS_QUEUE, .offset = offsetof(S, f) + VMS_IS(S, f, T *), .covers = sizeof(T *), \
	  .stride = sizeof(T), .count = n, .state = &description, .next_at = offsetof(T, next) + VMS_IS(T, next, T *) }

#define VMS_ABSENT(kind_, S, f, why) \
	{ .name = #f, .kind = kind_, .offset = offsetof(S, f), .stride = sizeof(((S *)0)->f), \
	  .covers = sizeof(((S *)0)->f), .count = 1, .reason = why }
/* Not saved: why that is right. */
#define VMS_SKIP(S, f, why) VMS_ABSENT(VMS_NOT_HERE, S, f, why)
/* It, or what it points at, has descriptions of its own: in the sections `where`. */
#define VMS_ELSEWHERE(S, f, where) VMS_ABSENT(VMS_NOT_HERE, S, f, where)
/* Part of the number that the calculated row `by` saves. */
#define VMS_CARRIED(S, f, by) VMS_ABSENT(VMS_CARRIED_HERE, S, f, by)

/* ---- The walks (vmstate.c, vmstate_hash.c) ---- */

/* Writes fields and subsections. `s` is not changed but by pre_save functions. */
bool vms_save(struct vms_walk *w, const struct vmstate *state, void *s);
/* Reads them. False: w->stream has failed and says why; s holds part of it then. */
bool vms_load(struct vms_walk *w, const struct vmstate *state, void *s, uint32_t version);
/* A hash over what a save would write, each byte of `s` once and as it is in memory: `hash` goes in, and comes out again
 * if nothing is to be hashed. `s` is not changed but by pre_save functions. */
uint64_t vms_hash(const struct vmstate *state, void *s, uint64_t hash);

/* True if all rows only say why a member is not saved: there is nothing to send. */
bool vms_is_empty(const struct vmstate *state);

#endif

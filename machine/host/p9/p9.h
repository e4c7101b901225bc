/* A server of 9P2000.L: messages in, messages out, and a share behind it. Knows no machine.
 *
 * Each message is answered when it is given: what must wait, the caller lets wait. The client is hostile; whatever it sends
 * is answered with Rlerror at worst. What it may keep here is bounded: fids, open files, extended attributes, listings.
 *
 * All that a client relies on is in the fid table: where each fid stands and how it is open. It is saved so, and files are
 * opened again when they are next used; what is not there any more by then answers ESTALE.
 * Source: diod's protocol.md (9P2000.L); Linux's include/net/9p/9p.h. */
#ifndef MACHINE_HOST_P9_P9_H
#define MACHINE_HOST_P9_P9_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/host/p9/share.h"
#include "savevm/vmstate.h"

#define P9_HEADER    7u			/* bytes: size, type, tag */
#define P9_REPLY_MIN 11u		/* that Rlerror takes */
#define P9_MSIZE_MIN 4096u
#define P9_MSIZE_MAX (UINT32_C(1) << 20)
#define P9_FIDS_MAX  65536u
#define P9_PATHS_MAX (UINT64_C(32) << 20)	/* bytes of all fids' paths */
#define P9_BUCKETS   16384u
#define P9_DEVICES   256u

struct p9_fid;

/* Upper bits of files' numbers on the host's devices, for a number in a qid each: multidevs=remap. */
struct p9_device {
	uint64_t device, high;
};

struct p9 {
	struct share share;
	bool readonly;
	enum share_devices devices;
	uint32_t msize;				/* agreed on; 0: no Tversion yet */
	struct p9_fid *first;			/* newest first */
	struct p9_fid *bucket[P9_BUCKETS];	/* by number */
	uint64_t bucket_key;			/* at random */
	uint32_t fids;
	uint32_t open_files;			/* descriptors of the host that fids have */
	uint64_t path_bytes;			/* that fids have */
	uint64_t xattr_bytes;			/* of values */
	uint64_t listing_bytes;
	uint64_t uses;				/* of fids, counted */
	struct p9_device seen[P9_DEVICES];
	uint32_t devices_seen;
	bool warned;				/* multidevs=warn: of a second device */
};

bool p9_open(struct p9 *p, const struct share_options *options, struct error *err);
void p9_close(struct p9 *p);
void p9_reset(struct p9 *p);			/* the client is gone: so are its fids */

/* The message `in` of n bytes (at least P9_HEADER), and room for the answer: at least P9_REPLY_MIN. Bytes of the answer. */
uint32_t p9_serve(struct p9 *p, const uint8_t *in, uint32_t n, uint8_t *out, uint32_t room);

/* How many bytes of data a message that begins so asks for; 0: it asks for none. `n`: of its first bytes, that are there. */
uint32_t p9_wanted(const uint8_t *in, uint32_t n);

static inline bool p9_mounted(const struct p9 *p) { return p->fids; }

#define P9_STATE_BYTES (UINT64_C(64) << 20)	/* that its fids may have in a snapshot at most */
extern const struct vmstate p9_state;		/* of struct p9 */

#endif

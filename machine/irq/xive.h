/* XIVE: the interrupt controller of POWER9 and 10, as a guest under PAPR has it ("exploitation mode").
 *
 * An event takes this way:
 *
 *   source    P and Q bits (its ESB): is it on, is one under way, has another come meanwhile
 *   EAS       one for each source: which END, and which number (EISN) the guest wants to find in the queue
 *   END       one for each processor and priority: the event queue in guest memory, and whom to tell
 *   presenter one for each processor: pending priorities (IPB), the best of them (PIPR), what the guest lets
 *             through (CPPR); NSR says that there is one, and the processor's external interrupt follows it
 *
 * The guest sets up EASs and ENDs by H_INT_* (hcall/xive.c), works on ESBs and the presenter by loads and stores
 * (xive_mmio.c). An event costs the host the same, whatever the tables hold. Layouts of EAS, END and of the thread's
 * context, addresses and limits are QEMU's, for its streams have them (xive_state.c).
 * Sources: LoPAPR, "External Interrupt Virtualization"; Linux, Documentation/virt/kvm/devices/xive.rst; QEMU,
 * docs/specs/ppc-spapr-xive.rst. */
#ifndef MACHINE_IRQ_XIVE_H
#define MACHINE_IRQ_XIVE_H

#include "machine/core/device.h"
#include "machine/core/mmio.h"

#define XIVE_SOURCES    8192		/* interrupts between processors from 0 on, the board's from IRQ_BASE on */
#define XIVE_PRIORITIES 8		/* of each processor; the last one is not the guest's */
#define XIVE_PRIORITY_OFF 0xff		/* H_INT_*: the source goes nowhere */
#define XIVE_NVT_BASE   0x400		/* number of processor 0 in ENDs */

/* ESBs: two pages for each source, the first one for triggers only; then two for each END. */
#define XIVE_PAGE_SHIFT 16
#define XIVE_ESB_BASE   UINT64_C(0x0006010000000000)
#define XIVE_END_BASE   (XIVE_ESB_BASE + ((uint64_t)XIVE_SOURCES << (XIVE_PAGE_SHIFT + 1)))
/* The thread's context (TIMA): pages of the operating system and of its programs. Those of hypervisors before them are not
 * there for a guest. */
#define XIVE_TIMA_OS    UINT64_C(0x00060302031a0000)
#define XIVE_TIMA_USER  (XIVE_TIMA_OS + (1u << XIVE_PAGE_SHIFT))

enum xive_esb {
	XIVE_Q = 1, XIVE_P = 2,		/* 0 idle; P under way; PQ and another one waits; Q off */
	XIVE_PQ = 3,
	XIVE_ASSERTED = 4,		/* LSI: the line is high */
};

struct xive_eas { uint64_t w; };
#define EAS_VALID    PPC_BIT(0)		/* claimed */
#define EAS_BLOCK    PPC_MASK(4, 7)
#define EAS_END      PPC_MASK(8, 31)	/* processor * XIVE_PRIORITIES + priority */
#define EAS_MASKED   PPC_BIT(32)
#define EAS_EISN     PPC_MASK(33, 63)
#define EAS_END_SHIFT 32

struct xive_end { uint32_t w0, w1, w2, w3, w4, w5, w6, w7; };
#define END0_VALID   PPC_BIT32(0)
#define END0_ENQUEUE PPC_BIT32(1)
#define END0_ALWAYS  PPC_BIT32(2)	/* each event is told, whatever ESn says */
#define END0_SIZE_SHIFT 16
#define END0_SIZE    UINT32_C(15)	/* log2 of the queue's bytes, - 12 */
#define END1_ESN_SHIFT 30
#define END1_ESE_SHIFT 28
#define END1_RESET   UINT32_C(0x50000000)	/* both off */
#define END1_GENERATION PPC_BIT32(9)	/* in the top bit of the next entry */
#define END1_OFFSET  UINT32_C(0x3fffff)	/* of the next entry, in entries of 4 bytes */
#define END2_HIGH    UINT32_C(0x0fffffff)	/* with w3: where the queue is */
#define END6_EBB     PPC_BIT32(8)	/* tells a program, no processor: never set here */
#define END6_NVT     UINT32_C(0x7ffff)
#define END7_PRIORITY_SHIFT 16

/* Byte numbers in a thread's context: two of its four rings, a guest has no use for the others. */
enum xive_register {
	TIMA_USER_NSR = 0x00, TIMA_USER_WORD2 = 0x08,
	TIMA_NSR = 0x10, TIMA_CPPR, TIMA_IPB, TIMA_LSMFB, TIMA_ACK_COUNT, TIMA_INC, TIMA_AGE, TIMA_PIPR, TIMA_WORD2,
	TIMA_PHYS_PIPR = 0x37,
};

#define TIMA_NSR_EO 0x80		/* an interrupt is presented */
#define TIMA_RING   16			/* bytes of a ring; four of them */

struct xive_tctx {
	uint8_t regs[4 * TIMA_RING];
	uint64_t line;			/* where the guest wants its OS ring at an acknowledgement; XIVE_NO_LINE */
};
#define XIVE_NO_LINE    UINT64_MAX
#define XIVE_LINE_BYTES 256		/* a pair of cache lines */

struct xive {
	struct device dev;
	uint8_t status[XIVE_SOURCES];	/* enum xive_esb */
	struct xive_eas eat[XIVE_SOURCES];
	struct xive_end end[XIVE_PRIORITIES * MACHINE_MAX_CPUS];
	uint32_t ends;			/* of this machine: for each processor that it may have */
	struct xive_tctx tctx[MACHINE_MAX_CPUS];
	uint64_t lsi[XIVE_SOURCES / 64];	/* kinds of sources: follow from who has claimed them */
	struct mmio_window esb, end_esb, tima;	/* in the machine's map while XIVE is in charge */
};

extern const struct device_class xive_class;

/* As irq.h has them. */
bool xive_claim(struct machine *m, unsigned irq, bool lsi);
void xive_release(struct machine *m, unsigned irq);
bool xive_is_lsi(const struct machine *m, uint64_t irq);
void xive_set_irq(struct machine *m, unsigned irq, bool level);
void xive_cpu_reset(struct machine *m, unsigned i);	/* the processor's context is as after power-on */
void xive_lines(struct machine *m);	/* processors' external interrupts follow NSR */
/* xive_mmio.c */
void xive_map(struct machine *m, bool on);	/* the pages are there, or are not */
/* A load or store in the management page of source `lisn`. */
uint64_t xive_esb_load(struct machine *m, uint32_t lisn, uint64_t offset);
void xive_esb_store(struct machine *m, uint32_t lisn, uint64_t offset);

static inline bool xive_source_valid(const struct xive *xive, uint64_t lisn)
{
	return lisn < XIVE_SOURCES && xive->eat[lisn].w & EAS_VALID;
}

/* An ESB's bits. What comes of them is told to whom it concerns. `lisn` and `n` are in range, `pq` is 0 to 3; results
 * are the bits before, or what a load gives. */
void xive_trigger(struct machine *m, uint32_t lisn);
uint64_t xive_eoi(struct machine *m, uint32_t lisn);
uint8_t xive_set_pq(struct machine *m, uint32_t lisn, uint8_t pq);
/* The same of END n: ESn, or with `escalation` ESe. */
uint64_t xive_end_eoi(struct machine *m, uint32_t n, bool escalation);
uint8_t xive_end_pq(struct machine *m, uint32_t n, bool escalation);
void xive_end_set_pq(struct machine *m, uint32_t n, bool escalation, uint8_t pq);

/* A queue's place and bytes; 0 bytes: END `end` has none. */
uint64_t xive_queue_address(const struct xive_end *end);
uint64_t xive_queue_size(const struct xive_end *end);
bool xive_queue_ok(const struct machine *m, uint64_t address, uint64_t shift);	/* can there be one of 1 << shift bytes? */
void xive_end_reset(struct xive_end *end);
void xive_tables_reset(struct machine *m);	/* as H_INT_RESET leaves them: all sources off, no queues */

/* The OS ring of processor `server`. */
void xive_set_cppr(struct machine *m, uint32_t server, uint8_t cppr);
void xive_set_pending(struct machine *m, uint32_t server, uint8_t priority);
uint16_t xive_acknowledge(struct machine *m, uint32_t server);	/* NSR as it was, then CPPR as it is */

/* xive_state.c */
extern const struct device_section xive_sections[];
void xive_loaded(struct device *dev, bool foreign);
bool xive_qemu_ready(const struct device *dev);
bool xive_qemu_can(const struct device *dev, struct error *err);

#endif

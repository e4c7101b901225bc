/* An image: finding its format, and the thread that executes its requests one after the other.
 *
 * All that touches the image's nodes runs on that thread, also what a monitor or a snapshot asks for: such a call stands
 * in the queue like a request, so each sees what was submitted before it. The thread gets no signals.
 *
 * A copy of the process (fork) has no such thread. If all was drained before, it can read what there is, by itself. */
#define _GNU_SOURCE
#include "machine/host/block/block.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/host/block/driver.h"
#include "machine/host/block/overlay.h"
#include "machine/host/block/probe.h"
#include "machine/host/block/sample.h"
#include "machine/host/block/thread.h"

/* A request of our own: `data` is a struct call. */
#define BLOCK_CALL ((enum block_op)(BLOCK_ZERO + 1))

struct call {
	void (*run)(struct block *b, void *arguments);
	void *arguments;
};

struct block {
	struct block_node *node;	/* the thread's */
	struct block_options options;	/* strings: ours */
	bool guarded;			/* its format is a guess: what would change that guess is not written */
	bool running;			/* there is a thread */
	pid_t owner;			/* whose it is: a copy of the process has none */
	pthread_t thread;
	pthread_mutex_t lock;		/* of what follows, and of each request's `done` */
	pthread_cond_t work, progress;
	struct block_request *first, **last;
	unsigned waiting;		/* submitted and not done */
	bool ending;
};

/* ---- What the thread does ---- */

/* Would the first sector, with these bytes in it, be taken for another format? */
static bool changes_format(struct block *b, const struct block_request *r, const void *data)
{
	uint8_t head[BLOCK_SECTOR];
	uint64_t n = r->offset < sizeof head ? sizeof head - r->offset : 0;

	n = n < r->bytes ? n : r->bytes;
	if (!b->guarded || !n)
		return false;
	if (b->node->driver->read(b->node, 0, head, sizeof head))
		return true;
	if (data)
		memcpy(head + r->offset, data, n);
	else
		memset(head + r->offset, 0, n);
	return !probe_is_raw(head, sizeof head);
}

static bool is_zero(const uint8_t *data, uint64_t bytes)
{
	return !bytes || (!*data && !memcmp(data, data + 1, bytes - 1));
}

static int run_read(struct block *b, struct block_request *r)
{
	return b->node->driver->read(b->node, r->offset, r->data, r->bytes);
}

static int run_flush(struct block *b, struct block_request *r)
{
	(void)r;
	return b->node->driver->flush(b->node);
}

/* With cache=writethrough a write ends when the disk has it. */
static int finish_write(struct block *b, int error)
{
	bool through = b->options.cache == BLOCK_WRITETHROUGH || b->options.cache == BLOCK_DIRECTSYNC;

	return error || !through ? error : b->node->driver->flush(b->node);
}

static int run_zero(struct block *b, struct block_request *r)
{
	if (changes_format(b, r, NULL))
		return EPERM;
	return finish_write(b, b->node->driver->zero(b->node, r->offset, r->bytes, r->unmap && b->options.discard));
}

static int run_write(struct block *b, struct block_request *r)
{
	bool unmap = b->options.zeroes == BLOCK_ZEROES_UNMAP && b->options.discard;

	if (changes_format(b, r, r->data))
		return EPERM;
	if (b->options.zeroes != BLOCK_ZEROES_OFF && is_zero(r->data, r->bytes))
		return finish_write(b, b->node->driver->zero(b->node, r->offset, r->bytes, unmap));
	return finish_write(b, b->node->driver->write(b->node, r->offset, r->data, r->bytes));
}

static int run_discard(struct block *b, struct block_request *r)
{
	return b->options.discard && b->node->driver->discard ? b->node->driver->discard(b->node, r->offset, r->bytes) : 0;
}

static int run_call(struct block *b, struct block_request *r)
{
	struct call *call = r->data;

	call->run(b, call->arguments);
	return 0;
}

static const struct {
	int (*run)(struct block *b, struct block_request *r);
	bool ranged, writes;
} ops[] = {
	[BLOCK_READ]    = { run_read, true, false },
	[BLOCK_WRITE]   = { run_write, true, true },
	[BLOCK_FLUSH]   = { run_flush, false, false },
	[BLOCK_DISCARD] = { run_discard, true, true },
	[BLOCK_ZERO]    = { run_zero, true, true },
	[BLOCK_CALL]    = { run_call, false, false },
};

static int run_request(struct block *b, struct block_request *r)
{
	if (ops[r->op].ranged && (r->offset > b->node->size || r->bytes > b->node->size - r->offset))
		return EIO;
	if (ops[r->op].writes && b->node->readonly)
		return EROFS;
	return ops[r->op].run(b, r);
}

static void *run_thread(void *block)
{
	struct block *b = block;

	pthread_mutex_lock(&b->lock);
	for (;;) {
		struct block_request *r = b->first;

		if (!r && b->ending)
			break;
		if (!r) {
			pthread_cond_wait(&b->work, &b->lock);
			continue;
		}
		pthread_mutex_unlock(&b->lock);
		r->error = run_request(b, r);
		pthread_mutex_lock(&b->lock);
		b->first = r->next;
		if (!b->first)
			b->last = &b->first;
		b->waiting--;
		__atomic_store_n(&r->done, true, __ATOMIC_RELEASE);
		pthread_cond_broadcast(&b->progress);
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

/* ---- Requests ---- */

static bool in_copy(const struct block *b)
{
	return b->running && b->owner != getpid();
}

bool block_is_copy(const struct block *b)
{
	return in_copy(b);
}

/* The images are the original's: a copy looks at them, and changes nothing. */
static void run_in_copy(struct block *b, struct block_request *r)
{
	r->error = ops[r->op].writes ? EROFS : r->op == BLOCK_FLUSH ? 0 : run_request(b, r);
	r->done = true;
}

/* Whoever sees it may look at what the request has found, without the lock. */
static bool is_done(const struct block_request *r)
{
	return __atomic_load_n(&r->done, __ATOMIC_ACQUIRE);
}

void block_submit(struct block *b, struct block_request *request)
{
	request->done = false;
	request->next = NULL;
	if (in_copy(b)) {
		run_in_copy(b, request);
		return;
	}
	pthread_mutex_lock(&b->lock);
	*b->last = request;
	b->last = &request->next;
	b->waiting++;
	pthread_mutex_unlock(&b->lock);
	/* Not before: the thread would wake up to wait for the lock. */
	pthread_cond_signal(&b->work);
}

int block_wait(struct block *b, struct block_request *request)
{
	if (!b || is_done(request))
		return request->error;
	pthread_mutex_lock(&b->lock);
	while (!request->done)
		pthread_cond_wait(&b->progress, &b->lock);
	pthread_mutex_unlock(&b->lock);
	return request->error;
}

void block_drain(struct block *b)
{
	if (in_copy(b))
		return;
	pthread_mutex_lock(&b->lock);
	while (b->waiting)
		pthread_cond_wait(&b->progress, &b->lock);
	pthread_mutex_unlock(&b->lock);
}

static int run_now(struct block *b, enum block_op op, uint64_t offset, void *data, uint64_t bytes)
{
	struct block_request request = { .op = op, .offset = offset, .bytes = bytes, .data = data };

	block_submit(b, &request);
	return block_wait(b, &request);
}

int block_read(struct block *b, uint64_t offset, void *data, uint64_t bytes)
{
	return run_now(b, BLOCK_READ, offset, data, bytes);
}

int block_write(struct block *b, uint64_t offset, const void *data, uint64_t bytes)
{
	return run_now(b, BLOCK_WRITE, offset, (void *)(uintptr_t)data, bytes);
}

int block_flush(struct block *b)
{
	return run_now(b, BLOCK_FLUSH, 0, NULL, 0);
}

/* On the thread, behind all that has been submitted. */
static void run_there(struct block *b, void (*run)(struct block *b, void *arguments), void *arguments)
{
	struct call call = { run, arguments };

	run_now(b, BLOCK_CALL, 0, &call, 0);
}

/* ---- Opening and closing ---- */

static bool start_thread(struct block *b, struct error *err)
{
	int error = thread_start(&b->thread, run_thread, b);

	if (error)
		error_set(err, "no thread for '%.100s': %s", b->options.file, strerror(error));
	b->running = !error;
	b->owner = getpid();
	return b->running;
}

static bool keep_options(struct block *b, const struct block_options *o, struct error *err)
{
	b->options = *o;
	b->options.file = strdup(o->file);
	b->options.format = NULL;	/* the node knows it */
	if (!b->options.file)
		error_set(err, "out of memory");
	return b->options.file;
}

/* QEMU says this, too: a guest that writes another format's head into a raw image would be given any file of the host. */
static void guard(struct block *b, const struct block_options *o)
{
	b->guarded = !o->format && !o->snapshot && !o->readonly && !strcmp(block_format(b), "raw");
	if (b->guarded)
		fprintf(stderr, "cede: warning: '%.200s' has no format= and looks raw: what would make its first sector look "
			"otherwise is not written. format=raw lifts that\n", o->file);
}

/* What is read-only anyway is not yielded. */
static struct block_node *open_first(const struct block_options *options, struct block_options *kept, struct error *err)
{
	struct block_options o = *options;

	kept->yielded &= !o.readonly;
	o.readonly |= kept->yielded;
	o.shared |= kept->yielded;
	return block_node_open(&o, 0, err);
}

struct block *block_open(const struct block_options *options, struct error *err)
{
	struct block *b = calloc(1, sizeof *b);

	if (!b) {
		error_set(err, "out of memory");
		return NULL;
	}
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->progress, NULL);
	if (keep_options(b, options, err))
		b->node = options->snapshot ? overlay_open(options, err) : open_first(options, &b->options, err);
	if (!b->node || !start_thread(b, err)) {
		block_close(b);
		return NULL;
	}
	guard(b, options);
	return b;
}

void block_close(struct block *b)
{
	if (!b || in_copy(b))
		return;
	if (b->running) {
		pthread_mutex_lock(&b->lock);
		b->ending = true;
		pthread_cond_signal(&b->work);
		pthread_mutex_unlock(&b->lock);
		pthread_join(b->thread, NULL);
	}
	if (b->node)
		block_node_close(b->node);
	pthread_cond_destroy(&b->progress);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	free((char *)(uintptr_t)b->options.file);
	free(b);
}

/* ---- What there is to see. The node's size changes in calls alone, which the caller waits for. ---- */

uint64_t block_size(const struct block *b)
{
	return b->node->size;
}

bool block_is_readonly(const struct block *b)
{
	return b->node->readonly;
}

const char *block_format(const struct block *b)
{
	return node_format(b->node);
}

static void call_info(struct block *b, void *info)
{
	b->node->driver->info(b->node, info);
}

void block_info(struct block *b, struct block_info *info)
{
	*info = (struct block_info){ .file = b->options.file };
	run_there(b, call_info, info);
}

/* ---- Other calls, each with its arguments and what it gives ---- */

struct arguments {
	uint64_t offset, bytes;
	void *data;
	const void *from;
	struct block_state *state;
	const struct block_state *keep;
	const char *name;
	unsigned i;
	struct error *err;
	int error;
	bool ok;
};

static void call_resize(struct block *b, void *arguments)
{
	struct arguments *a = arguments;

	a->error = b->node->readonly ? EACCES : b->node->driver->resize ? b->node->driver->resize(b->node, a->bytes) : ENOTSUP;
}

bool block_resize(struct block *b, uint64_t size, struct error *err)
{
	struct arguments a = { .bytes = size };

	if (size % BLOCK_SECTOR) {
		error_set(err, "a size must be a multiple of %u", BLOCK_SECTOR);
		return false;
	}
	run_there(b, call_resize, &a);
	if (a.error)
		error_set(err, "cannot resize '%.100s': %s", b->options.file, strerror(a.error));
	return !a.error;
}

const struct block_options *block_options(const struct block *b)
{
	return &b->options;
}

/* The present image in place of itself, opened otherwise. */
static bool reopen(struct block *b, bool yielded, struct error *err)
{
	struct block_options o = b->options;
	struct block_node *n;

	o.file = b->node->name;
	o.format = node_format(b->node);
	o.readonly |= yielded;
	o.shared |= yielded;
	n = block_node_open(&o, 0, err);
	if (!n)
		return false;
	block_node_close(b->node);
	b->node = n;
	b->options.yielded = yielded;
	return true;
}

static void call_yield(struct block *b, void *arguments)
{
	struct arguments *a = arguments;
	int error = b->node->driver->flush(b->node);

	if (error)
		error_set(a->err, "cannot flush '%.100s': %s", b->options.file, strerror(error));
	a->ok = !error && reopen(b, true, a->err);
}

bool block_yield(struct block *b, struct error *err)
{
	struct arguments a = { .err = err };

	if (b->options.snapshot || b->options.readonly || b->options.yielded)
		return true;
	run_there(b, call_yield, &a);
	return a.ok;
}

static void call_resume(struct block *b, void *arguments)
{
	struct arguments *a = arguments;

	a->ok = reopen(b, false, a->err);
}

bool block_resume(struct block *b, struct error *err)
{
	struct arguments a = { .err = err };

	if (!b->options.yielded)
		return true;
	run_there(b, call_resume, &a);
	return a.ok;
}

static void call_snapshot(struct block *b, void *arguments)
{
	struct arguments *a = arguments;
	struct block_node *top;

	if (b->options.snapshot) {
		error_set(a->err, "what is written to '%.100s' is to be gone at the end (snapshot=on)", b->options.file);
		return;
	}
	top = overlay_put(b->node, &b->options, a->name, a->i, a->err);
	if (!top)
		return;
	b->node = top;
	b->guarded = false;
	a->ok = true;
}

bool block_snapshot(struct block *b, const char *file, bool exists, struct error *err)
{
	struct arguments a = { .name = file, .i = exists, .err = err };

	run_there(b, call_snapshot, &a);
	return a.ok;
}

bool block_keeps_states(const struct block *b)
{
	return b->node->driver->state_keep && !b->node->readonly && !b->options.snapshot;
}

/* Whose states they are: with snapshot=on the image's below, which is only read. */
static struct block_node *keeper(const struct block *b)
{
	return b->options.snapshot ? b->node->driver->below(b->node) : b->node;
}

static void call_sample(struct block *b, void *arguments)
{
	struct arguments *a = arguments;
	struct block_node *n = keeper(b);

	if (!b->node->readonly)
		n = n->driver->below ? n->driver->below(n) : NULL;
	if (n)
		a->error = sample_take(n, a->data);
}

int block_sample(struct block *b, struct block_sample *sample)
{
	struct arguments a = { .data = sample };

	*sample = (struct block_sample){ .size = 0 };
	run_there(b, call_sample, &a);
	return a.error;
}

/* Not on the thread: what there is changes in calls alone, and in a copy of the process there is no thread. */
bool block_state_get(struct block *b, unsigned i, struct block_state *state)
{
	struct block_node *n = keeper(b);

	return n && n->driver->state_get && n->driver->state_get(n, i, state);
}

/* Can it keep states? */
static bool keeps(struct block *b, struct error *err)
{
	if (!block_keeps_states(b))
		error_set(err, "'%.100s' keeps no snapshots: it is %s", b->options.file, b->node->readonly ? "read-only" : block_format(b));
	return block_keeps_states(b);
}

static void call_keep(struct block *b, void *arguments)
{
	struct arguments *a = arguments;

	a->ok = keeps(b, a->err) && b->node->driver->state_keep(b->node, a->keep, a->err);
}

bool block_state_keep(struct block *b, const struct block_state *state, struct error *err)
{
	struct arguments a = { .keep = state, .err = err };

	run_there(b, call_keep, &a);
	return a.ok;
}

/* A new overlay, over what the image below was then; that is of the format it was opened with, whatever it looks like. */
static bool show_below(struct block *b, const char *name, struct error *err)
{
	struct block_options o = b->options;
	struct block_node *top, *below;

	o.format = node_format(keeper(b));
	top = overlay_open(&o, err);
	below = top ? top->driver->below(top) : NULL;

	if (!top)
		return false;
	if (!below || !below->driver->state_show) {
		error_set(err, "'%.100s' keeps no snapshots", b->options.file);
	} else if (below->driver->state_show(below, name, err)) {
		int error = top->size != below->size ? top->driver->resize(top, below->size) : 0;

		if (!error) {
			block_node_close(b->node);
			b->node = top;
			return true;
		}
		error_set(err, "cannot resize what lies over '%.100s': %s", b->options.file, strerror(error));
	}
	block_node_close(top);
	return false;
}

static void call_return(struct block *b, void *arguments)
{
	struct arguments *a = arguments;

	if (b->options.snapshot)
		a->ok = show_below(b, a->name, a->err);
	else
		a->ok = keeps(b, a->err) && b->node->driver->state_return(b->node, a->name, a->err);
}

bool block_state_return(struct block *b, const char *name, struct error *err)
{
	struct arguments a = { .name = name, .err = err };

	run_there(b, call_return, &a);
	return a.ok;
}

static void call_delete(struct block *b, void *arguments)
{
	struct arguments *a = arguments;

	a->ok = keeps(b, a->err) && b->node->driver->state_delete(b->node, a->name, a->err);
}

bool block_state_delete(struct block *b, const char *name, struct error *err)
{
	struct arguments a = { .name = name, .err = err };

	run_there(b, call_delete, &a);
	return a.ok;
}

static void call_machine_write(struct block *b, void *arguments)
{
	struct arguments *a = arguments;
	const struct block_driver *driver = b->node->driver;

	a->error = block_keeps_states(b) ? driver->machine_write(b->node, a->offset, a->from, a->bytes) : ENOTSUP;
}

int block_machine_write(struct block *b, uint64_t offset, const void *data, uint64_t bytes)
{
	struct arguments a = { .offset = offset, .from = data, .bytes = bytes };

	run_there(b, call_machine_write, &a);
	return a.error;
}

static void call_machine_read(struct block *b, void *arguments)
{
	struct arguments *a = arguments;
	struct block_node *n = keeper(b);

	a->error = n && n->driver->machine_read ? n->driver->machine_read(n, a->offset, a->data, a->bytes) : ENOTSUP;
}

int block_machine_read(struct block *b, uint64_t offset, void *data, uint64_t bytes)
{
	struct arguments a = { .offset = offset, .data = data, .bytes = bytes };

	run_there(b, call_machine_read, &a);
	return a.error;
}

/* Gives an input as a frame of a guest's: to offload_send(), as its first bytes say, and what comes of it to -netdev user, which
 * is restricted, so that nothing but libslirp itself answers.
 *
 * What is let through is what all its lengths say; segments of a large frame have their checksums, and are joined again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/net/frame.h"
#include "machine/net/offload.h"
#include "machine/net/user.h"

#define HEAD 9u

extern const struct net_backend net_user;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct machine machine;
	struct user_settings settings;
	struct net_config config;
	struct device card;
	struct net net;
	bool open;
	bool passed;			/* a frame of the present input */
	struct net_frame *first, *last;	/* of the present input, as they were sent */
	unsigned count;
	unsigned long inputs, good, sent, answers;
} fuzz;

static void die(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
	abort();
}

static void tell(void)
{
	printf("%lu inputs: %lu good; %lu frames, %lu answers\n", fuzz.inputs, fuzz.good, fuzz.sent, fuzz.answers);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err;

	(void)argc, (void)argv;
	user_defaults(&fuzz.settings);
	fuzz.settings.restricted = true;
	fuzz.settings.tftp = "/nonexistent";
	if (!user_check(&fuzz.settings, &err))
		die(err.msg);
	fuzz.config = (struct net_config){ .backend = &net_user, .id = "fuzzed", .settings = &fuzz.settings };
	fuzz.net.config = &fuzz.config;
	fuzz.net.machine = &fuzz.machine;
	fuzz.net.user = &fuzz.card;
	fuzz.open = net_user.open(&fuzz.net, &err);
	atexit(tell);
	return 0;
}

static void take_answers(void)
{
	struct net *n = &fuzz.net;

	for (n->arrived = n->frames; net_front(n); net_done(n)) {
		if (net_front(n)->bytes > NET_HEAD_BYTES + USER_MTU)
			die("an answer that is too large");
		fuzz.answers++;
	}
}

/* What was sent, as it would come back: a joined frame is no larger than the one that was cut, or than any may be. */
static void join_frames(size_t most)
{
	uint8_t *out = malloc(most);
	struct offload_joined j = { 0 };
	struct net_frame *next;
	unsigned n = fuzz.count ? offload_join(fuzz.first, fuzz.count, out, &j) : 1;

	if (n > fuzz.count + !fuzz.count || (n > 1 && (j.bytes > most || j.heads > j.bytes || j.sum_start + j.sum_offset + 2u > j.heads)))
		die("joined of what is not there");
	for (; fuzz.first; fuzz.first = next) {
		next = fuzz.first->next;
		free(fuzz.first);
	}
	fuzz.last = NULL;
	fuzz.count = 0;
	free(out);
}

static void keep_frame(const uint8_t *frame, size_t bytes)
{
	struct net_frame *f = malloc(sizeof *f + bytes);

	f->next = NULL;
	f->bytes = (uint32_t)bytes;
	memcpy(f->data, frame, bytes);
	if (fuzz.last)
		fuzz.last->next = f;
	else
		fuzz.first = f;
	fuzz.last = f;
	fuzz.count++;
}

static void send_frame(void *opaque, const uint8_t *frame, size_t bytes)
{
	uint8_t *copy = malloc(bytes);
	size_t left = bytes;

	(void)opaque;
	fuzz.sent++;
	memcpy(copy, frame, bytes);
	keep_frame(frame, bytes);
	if (!frame_wrong(copy, &left, USER_MTU, USER_TCP_MTU)) {
		fuzz.passed = true;
		if (left < NET_HEAD_BYTES || left > bytes || left > NET_HEAD_BYTES + USER_TCP_MTU)
			die("a frame of another length");
		frame_opens(copy, left);
	}
	if (fuzz.open && bytes >= NET_HEAD_BYTES)
		net_user.send(&fuzz.net, copy, bytes);
	free(copy);
	take_answers();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct offload o;
	uint8_t *frame;

	if (size < HEAD)
		return 0;
	fuzz.inputs++;
	fuzz.passed = false;
	o = (struct offload){ .sum = data[0] & 1, .cut = (enum offload_cut)(data[0] / 2 % 3), .sum_start = (uint16_t)(data[1] | data[2] << 8),
			      .sum_offset = (uint16_t)(data[3] | data[4] << 8), .cut_bytes = (uint16_t)(data[5] | data[6] << 8) };
	/* Larger than an input is. */
	frame = calloc(1, size - HEAD + data[7] * 256u + 1);
	memcpy(frame, data + HEAD, size - HEAD);
	offload_send(&o, frame, size - HEAD + data[7] * 256u, send_frame, NULL);
	free(frame);
	join_frames(size - HEAD + data[7] * 256u + 1);
	if (fuzz.open && data[8] % 16 == 0)
		net_user.look(&fuzz.net);
	take_answers();
	fuzz.good += fuzz.passed;
	return 0;
}

/* What the files that answer the Open Firmware client interface have of each other; nobody else includes this. */
#ifndef FIRMWARE_CLIENT_H
#define FIRMWARE_CLIENT_H

#include "firmware/state.h"

#define OF_ERROR    UINT32_MAX
#define OF_NO_DATA  ((uint32_t)-2)	/* "read": nothing has come */
#define MAX_CELLS   16			/* arguments and results of a call */
#define MAX_PATH    256			/* bytes, with the NUL */
#define MAX_NAME    64			/* PAPR has property names longer than IEEE 1275's 31 */
#define MAX_VALUE   2048		/* "setprop": bytes */
#define MAX_IO      65536		/* "read" and "write" of a terminal: bytes in one call */

/* One call: a service finds its arguments, and leaves its results, here. */
struct call {
	struct machine *m;
	struct firmware *fw;
	struct cpu *cpu;
	uint32_t nargs, nrets;
	uint32_t in[MAX_CELLS];
	uint32_t out[MAX_CELLS];	/* [0] is what the service returns */
};

/* ---- client.c: guest memory and the tree ---- */
/* A NUL-terminated string of less than `size` bytes. */
bool get_string(const struct call *c, uint32_t addr, char *buf, size_t size);
/* Writes `len` bytes, or the first `room` of them. */
bool put_bytes(const struct call *c, uint32_t addr, const void *value, size_t len, uint32_t room);
int offset_find(struct call *c, uint32_t phandle);	/* -1: no such node */
/* The node at a path, which is cut at ':' and made lower case behind '@'. */
int path_find(const struct call *c, char *path);
uint32_t svc_finddevice(struct call *c);
/* Path of a node, to the guest's buffer in in[1], of in[2] bytes. */
uint32_t put_path(struct call *c, uint32_t phandle);

/* ---- claim.c: memory that is taken ---- */
/* False: no memory, in use, or too many claims. */
bool claim_add(struct machine *m, uint64_t start, uint64_t size);
/* /memory@0/available: what is not claimed. A libfdt error code if negative. */
int tree_set_available(struct machine *m);
uint32_t svc_claim(struct call *c);
uint32_t svc_release(struct call *c);

/* ---- instance.c: what is open ---- */
uint32_t instance_open(struct client *client, uint32_t phandle);	/* ihandle; 0: too many */
uint32_t instance_find(const struct call *c, uint32_t ihandle);		/* phandle; 0: none */
struct client_disk *instance_disk(struct firmware *fw, uint32_t ihandle);	/* NULL: it is none */
uint32_t svc_open(struct call *c);
uint32_t svc_close(struct call *c);
uint32_t svc_read(struct call *c);
uint32_t svc_write(struct call *c);
uint32_t svc_seek(struct call *c);
uint32_t svc_instance_to_package(struct call *c);
uint32_t svc_instance_to_path(struct call *c);

/* ---- method.c: methods of nodes, and words of Forth ---- */
uint32_t svc_call_method(struct call *c);
uint32_t svc_test_method(struct call *c);
uint32_t svc_interpret(struct call *c);

#endif

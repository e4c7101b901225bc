/* Stands for qcow2 in a build without it: any definition elsewhere takes its place. */
#include <string.h>

#include "machine/host/block/driver.h"

static bool is_qcow2(const uint8_t *head, uint64_t n)
{
	return n >= 4 && !memcmp(head, "QFI\xfb", 4);
}

static struct block_node *none_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	(void)depth;
	error_set(err, "cannot open '%.100s': qcow2 is not there", o->file);
	block_node_close(file);
	return NULL;
}

extern const struct block_driver block_qcow2 __attribute__((weak));
const struct block_driver block_qcow2 = { .name = "qcow2", .probe = is_qcow2, .open = none_open };

__attribute__((weak)) bool block_create_qcow2(const char *file, uint64_t size, const char *backing, const char *backing_format,
					      struct error *err)
{
	(void)size, (void)backing, (void)backing_format;
	error_set(err, "cannot make '%.100s': qcow2 is not there", file);
	return false;
}

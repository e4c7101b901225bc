/* Frames in a file: a header, then each with its time, which is the guest's, so that two runs that are the same write the same.
 * Source: the file format of libpcap, version 2.4 (pcap-savefile(5)). */
#include "machine/net/dump.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "savevm/place.h"

#define MAGIC    0xa1b2c3d4u		/* in the host's order: microseconds */
#define VERSION  (2u | 4u << 16)
#define ETHERNET 1u

struct net_dump {
	const struct net_dump_config *config;
	FILE *file;
	bool failed;
};

static bool put_words(struct net_dump *d, const uint32_t *words, size_t n)
{
	return fwrite(words, sizeof *words, n, d->file) == n;
}

static void give_up(struct net_dump *d)
{
	if (!d->failed)
		fprintf(stderr, "cede: -object filter-dump: '%.100s' takes no more: %s\n", d->config->file, strerror(errno));
	d->failed = true;
}

/* A reader that is slow would hold the guest: a regular file has none. */
static FILE *open_file(const char *path, struct error *err)
{
	struct error why = { .msg = "out of memory" };
	int fd = output_open(path, &why);
	FILE *file = NULL;
	struct stat st;

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode)))
		error_set(&why, "not a regular file");
	else if (fd >= 0)
		file = fdopen(fd, "w");
	if (!file && fd >= 0)
		close(fd);
	if (!file)
		error_set(err, "-object filter-dump: cannot write '%.100s': %.100s", path, why.msg);
	return file;
}

struct net_dump *net_dump_open(const struct net_dump_config *c, struct error *err)
{
	const uint32_t head[] = { MAGIC, VERSION, 0, 0, c->most, ETHERNET };
	struct net_dump *d = calloc(1, sizeof *d);

	if (!d) {
		error_set(err, "out of memory");
		return NULL;
	}
	d->config = c;
	d->file = open_file(c->file, err);
	if (!d->file) {
		free(d);
		return NULL;
	}
	if (!put_words(d, head, 6))
		give_up(d);
	return d;
}

void net_dump_flush(struct net_dump *d)
{
	if (!d->failed && fflush(d->file))
		give_up(d);
}

void net_dump_close(struct net_dump *d)
{
	if (!d)
		return;
	net_dump_flush(d);
	fclose(d->file);
	free(d);
}

void net_dump_frame(struct net_dump *d, uint64_t ns, const uint8_t *frame, size_t bytes)
{
	uint32_t kept = bytes < d->config->most ? (uint32_t)bytes : d->config->most;
	const uint32_t head[] = { (uint32_t)(ns / 1000000000), (uint32_t)(ns % 1000000000 / 1000), kept, (uint32_t)bytes };

	if (!d->failed && (!put_words(d, head, 4) || fwrite(frame, 1, kept, d->file) != kept))
		give_up(d);
}

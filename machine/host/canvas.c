#include "machine/host/canvas.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WAITING 256u			/* moments that wait for the machine, at most */

struct moment {
	struct act act[ACTS];
	unsigned n;
};

struct canvas {
	pthread_mutex_t lock;
	struct picture picture;
	uint32_t *pixel;
	uint64_t *row_at;
	char title[160];
	struct moment moment[WAITING];
	unsigned first, waiting;
	bool closing;
	int fd;				/* an eventfd: its count is not 0 while something waits */
};

struct canvas *canvas_new(void)
{
	struct canvas *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	c->picture.title = c->title;
	return c;
}

void canvas_free(struct canvas *c)
{
	if (!c)
		return;
	pthread_mutex_destroy(&c->lock);
	close(c->fd);
	free(c->pixel);
	free(c->row_at);
	free(c);
}

/* ---- The machine ---- */

static bool resize(struct canvas *c, unsigned width, unsigned height)
{
	uint32_t *pixel = calloc((size_t)width * height, sizeof *pixel);
	uint64_t *row_at = calloc(height, sizeof *row_at);

	if (!pixel || !row_at) {
		free(pixel);
		free(row_at);
		return false;
	}
	free(c->pixel);
	free(c->row_at);
	c->pixel = pixel;
	c->row_at = row_at;
	c->picture.width = width;
	c->picture.height = height;
	c->picture.pixel = pixel;
	c->picture.row_at = row_at;
	return true;
}

bool canvas_begin(struct canvas *c, unsigned width, unsigned height)
{
	pthread_mutex_lock(&c->lock);
	if ((width != c->picture.width || height != c->picture.height) && !resize(c, width, height)) {
		pthread_mutex_unlock(&c->lock);
		return false;
	}
	c->picture.at++;
	return true;
}

uint32_t *canvas_row(struct canvas *c, unsigned y)
{
	c->row_at[y] = c->picture.at;
	return c->pixel + (size_t)y * c->picture.width;
}

void canvas_end(struct canvas *c) { pthread_mutex_unlock(&c->lock); }

void canvas_set_title(struct canvas *c, const char *title)
{
	pthread_mutex_lock(&c->lock);
	memset(c->title, 0, sizeof c->title);
	memcpy(c->title, title, strnlen(title, sizeof c->title - 1));
	pthread_mutex_unlock(&c->lock);
}

void canvas_set_places(struct canvas *c, bool places)
{
	pthread_mutex_lock(&c->lock);
	c->picture.places = places;
	pthread_mutex_unlock(&c->lock);
}

int canvas_fd(const struct canvas *c) { return c->fd; }

static void note_waiting(struct canvas *c)
{
	uint64_t one = 1;

	if (write(c->fd, &one, sizeof one) < 0)
		return;			/* the count is at its most: it is not 0 */
}

unsigned canvas_take(struct canvas *c, struct act acts[ACTS])
{
	unsigned n = 0;
	uint64_t count;

	pthread_mutex_lock(&c->lock);
	if (c->waiting) {
		n = c->moment[c->first].n;
		memcpy(acts, c->moment[c->first].act, n * sizeof *acts);
		c->first = (c->first + 1) % WAITING;
		c->waiting--;
	}
	if (!c->waiting && read(c->fd, &count, sizeof count) < 0)
		count = 0;		/* it was 0 */
	pthread_mutex_unlock(&c->lock);
	return n;
}

bool canvas_closing(const struct canvas *c) { return __atomic_load_n(&c->closing, __ATOMIC_ACQUIRE); }

/* ---- A viewer ---- */

const struct picture *canvas_lock(struct canvas *c)
{
	pthread_mutex_lock(&c->lock);
	return &c->picture;
}

void canvas_unlock(struct canvas *c) { pthread_mutex_unlock(&c->lock); }

void canvas_act(struct canvas *c, const struct act *acts, unsigned n)
{
	pthread_mutex_lock(&c->lock);
	if (n && n <= ACTS && c->waiting < WAITING) {
		struct moment *moment = &c->moment[(c->first + c->waiting++) % WAITING];

		memcpy(moment->act, acts, n * sizeof *acts);
		moment->n = n;
		note_waiting(c);
	}
	pthread_mutex_unlock(&c->lock);
}

void canvas_close(struct canvas *c)
{
	__atomic_store_n(&c->closing, true, __ATOMIC_RELEASE);
	pthread_mutex_lock(&c->lock);
	note_waiting(c);
	pthread_mutex_unlock(&c->lock);
}

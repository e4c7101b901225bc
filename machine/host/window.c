/* A window, by SDL 2, which is loaded with the first one: it brings dozens of libraries. */
#include "machine/host/viewer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/host/block/thread.h"
#include "machine/host/keys.h"
#include "machine/host/picture.h"

#ifdef HAVE_SDL2
#define SDL_MAIN_HANDLED
#include <SDL.h>

#define LIBRARY "libSDL2-2.0.so.0"

/* What is used of it. */
#define FUNCTIONS(F) \
	F(Init) F(Quit) F(GetError) F(SetHint) F(SetMainReady) F(CreateWindow) F(DestroyWindow) F(SetWindowTitle) F(SetWindowSize) F(SetWindowPosition) \
	F(SetWindowFullscreen) F(SetWindowGrab) F(SetRelativeMouseMode) F(ShowCursor) F(CreateRenderer) F(DestroyRenderer) \
	F(RenderSetLogicalSize) F(RenderClear) F(RenderCopy) F(RenderPresent) F(CreateTexture) F(DestroyTexture) F(UpdateTexture) \
	F(WaitEventTimeout) F(PollEvent) F(GetCurrentVideoDriver)

#define TICK_MS 20			/* between two looks at the canvas */
#define MOST_SIDE 16384u
#define KEYS_HELP "Ctrl-Alt-F full screen, -G grab, -U size, -S screenshot, -P who runs"

struct viewer {
	void *handle;
#define MEMBER(name) __typeof__(&SDL_##name) name;
	FUNCTIONS(MEMBER)
#undef MEMBER
	struct canvas *canvas;
	struct window_options options;
	pthread_t thread;
	bool ending;
	/* Of the thread alone. */
	SDL_Window *window;
	SDL_Renderer *renderer;
	SDL_Texture *texture;
	uint32_t *copy;			/* of the picture: the canvas is not held while SDL works */
	unsigned width, height;		/* of copy and texture */
	uint64_t shown_at;
	char title[256];
	bool full, grabbed, places;
	bool down[ACT_KEYS];
	/* Of window_open(), until the thread has begun. */
	pthread_mutex_t lock;
	pthread_cond_t begun;
	bool has_begun, failed;
	char why[160];
};

static bool load(struct viewer *v, struct error *err)
{
	bool all;

	v->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	all = v->handle;
#define FIND(name) all = all && (v->name = (__typeof__(v->name))dlsym(v->handle, "SDL_" #name));
	FUNCTIONS(FIND)
#undef FIND
	if (!all)
		error_set(err, "-display sdl needs " LIBRARY ": %.150s", dlerror());
	return all;
}

/* ---- What is shown ---- */

static void make_texture(struct viewer *v)
{
	if (v->texture)
		v->DestroyTexture(v->texture);
	v->texture = v->CreateTexture(v->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING, (int)v->width, (int)v->height);
	v->RenderSetLogicalSize(v->renderer, (int)v->width, (int)v->height);
	if (!v->full) {
		v->SetWindowSize(v->window, (int)v->width, (int)v->height);
		v->SetWindowPosition(v->window, SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED);
	}
}

/* False: there is no memory for one of this size, and the old one stays. */
static bool resize(struct viewer *v, const struct picture *p)
{
	uint32_t *copy = p->width <= MOST_SIDE && p->height <= MOST_SIDE ? calloc((size_t)p->width * p->height, sizeof *copy) : NULL;

	if (!copy)
		return false;
	free(v->copy);
	v->copy = copy;
	v->width = p->width;
	v->height = p->height;
	v->shown_at = 0;
	return true;
}

/* Rows from *first on that have changed: how many, up to the last of them. */
static unsigned take_rows(struct viewer *v, const struct picture *p, unsigned *first)
{
	unsigned end = 0;

	*first = p->height;
	for (unsigned y = 0; y < p->height; y++)
		if (p->row_at[y] > v->shown_at) {
			memcpy(v->copy + (size_t)y * v->width, p->pixel + (size_t)y * p->width, p->width * sizeof *p->pixel);
			*first = y < *first ? y : *first;
			end = y + 1;
		}
	v->shown_at = p->at;
	return end ? end - *first : 0;
}

static void refresh(struct viewer *v, bool again)
{
	const struct picture *p = canvas_lock(v->canvas);
	bool other_size = p->width && (p->width != v->width || p->height != v->height) && resize(v, p);
	unsigned first = 0, rows = v->copy && p->width == v->width && p->height == v->height ? take_rows(v, p, &first) : 0;
	char title[sizeof v->title];

	snprintf(title, sizeof title, "%s - %s", p->title, v->grabbed ? "Ctrl-Alt-G gives the pointer back" : KEYS_HELP);
	v->places = p->places;
	canvas_unlock(v->canvas);
	if (other_size)
		make_texture(v);
	if (rows && v->texture)
		v->UpdateTexture(v->texture, &(SDL_Rect){ 0, (int)first, (int)v->width, (int)rows }, v->copy + (size_t)first * v->width,
				 (int)(v->width * sizeof *v->copy));
	if (strcmp(title, v->title)) {
		memcpy(v->title, title, sizeof title);
		v->SetWindowTitle(v->window, title);
	}
	if ((rows || again) && v->texture) {
		v->RenderClear(v->renderer);
		v->RenderCopy(v->renderer, v->texture, NULL, NULL);
		v->RenderPresent(v->renderer);
	}
}

static void write_picture(struct viewer *v)
{
	const struct picture *p;
	uint32_t *copy = NULL;
	struct error err = { .msg = "" };
	unsigned width, height;
	char path[32];
	bool ok = false;

	p = canvas_lock(v->canvas);
	width = p->width;
	height = p->height;
	if (width && (copy = malloc((size_t)width * height * sizeof *copy)))
		memcpy(copy, p->pixel, (size_t)width * height * sizeof *copy);
	canvas_unlock(v->canvas);
	for (unsigned i = 1; copy && i < 10000 && !ok; i++) {
		snprintf(path, sizeof path, "cede-%u.png", i);
		if (!access(path, F_OK))
			continue;
		ok = picture_write(path, PICTURE_PNG, copy, width, height, &err);
		if (!ok)
			break;
	}
	if (copy && !ok)
		fprintf(stderr, "cede: screenshot: %s\n", err.msg);
	free(copy);
}

/* ---- What the user does ---- */

static void act_one(struct viewer *v, enum act_kind kind, unsigned code, int32_t value)
{
	const struct act act = { .kind = (uint8_t)kind, .code = (uint8_t)code, .value = value };

	canvas_act(v->canvas, &act, 1);
}

static void set_key(struct viewer *v, unsigned code, bool down)
{
	if (!code || (!down && !v->down[code]))
		return;
	v->down[code] = down;
	act_one(v, ACT_KEY, code, down);
}

/* Whoever loses the keyboard never hears that keys have been let go. */
static void let_go(struct viewer *v)
{
	for (unsigned code = 1; code < ACT_KEYS; code++)
		set_key(v, code, false);
}

static void set_full(struct viewer *v, bool full)
{
	v->full = full;
	v->SetWindowFullscreen(v->window, full ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0);
}

static void set_grab(struct viewer *v, bool grab)
{
	v->grabbed = grab;
	v->SetWindowGrab(v->window, grab);
	v->SetRelativeMouseMode(grab && !v->places);
}

/* The window's own keys. True: it was one. */
static bool own_key(struct viewer *v, const SDL_KeyboardEvent *e)
{
	if (!(e->keysym.mod & KMOD_CTRL) || !(e->keysym.mod & KMOD_ALT))
		return false;
	switch (e->keysym.scancode) {
	case SDL_SCANCODE_P:
		let_go(v);		/* of the picture that had the keys */
		act_one(v, ACT_PAGE, 0, 0);
		break;
	case SDL_SCANCODE_F: set_full(v, !v->full); break;
	case SDL_SCANCODE_G: set_grab(v, !v->grabbed); break;
	case SDL_SCANCODE_U: v->SetWindowSize(v->window, (int)v->width, (int)v->height); break;
	case SDL_SCANCODE_S: write_picture(v); break;
	default: return false;
	}
	let_go(v);
	return true;
}

static void moved(struct viewer *v, const SDL_MouseMotionEvent *e)
{
	struct act acts[2];

	if (v->places) {
		acts[0] = (struct act){ ACT_PLACE, 0, act_place(e->x, v->width) };
		acts[1] = (struct act){ ACT_PLACE, 1, act_place(e->y, v->height) };
	} else if (v->grabbed) {
		acts[0] = (struct act){ ACT_MOVE, 0, e->xrel };
		acts[1] = (struct act){ ACT_MOVE, 1, e->yrel };
	} else {
		return;
	}
	canvas_act(v->canvas, acts, 2);
}

static void button(struct viewer *v, const SDL_MouseButtonEvent *e)
{
	static const uint8_t of[] = { [SDL_BUTTON_LEFT] = BUTTON_LEFT, [SDL_BUTTON_MIDDLE] = BUTTON_MIDDLE, [SDL_BUTTON_RIGHT] = BUTTON_RIGHT,
				      [SDL_BUTTON_X1] = BUTTON_SIDE, [SDL_BUTTON_X2] = BUTTON_EXTRA };
	bool down = e->type == SDL_MOUSEBUTTONDOWN;

	if (!v->places && !v->grabbed && down)
		set_grab(v, true);	/* a click into the window takes the pointer: no more */
	else if (e->button >= SDL_BUTTON_LEFT && e->button < sizeof of)
		act_one(v, ACT_BUTTON, of[e->button], down);
}

/* True: what is shown must be shown again. */
static bool handle(struct viewer *v, const SDL_Event *e)
{
	switch (e->type) {
	case SDL_QUIT:
		if (!v->options.no_close)
			canvas_close(v->canvas);
		return false;
	case SDL_KEYDOWN:
		if (!e->key.repeat && !own_key(v, &e->key))
			set_key(v, key_by_usage((unsigned)e->key.keysym.scancode), true);
		return false;
	case SDL_KEYUP: set_key(v, key_by_usage((unsigned)e->key.keysym.scancode), false); return false;
	case SDL_MOUSEMOTION: moved(v, &e->motion); return false;
	case SDL_MOUSEBUTTONDOWN:
	case SDL_MOUSEBUTTONUP: button(v, &e->button); return false;
	case SDL_MOUSEWHEEL:
		if (e->wheel.y)
			act_one(v, ACT_MOVE, 2, e->wheel.y > 0 ? 1 : -1);
		return false;
	case SDL_WINDOWEVENT:
		if (e->window.event == SDL_WINDOWEVENT_FOCUS_LOST)
			let_go(v);
		return true;
	default: return false;
	}
}

/* ---- The thread ---- */

/* What SDL falls back on by itself. */
static bool nobody_sees(const char *driver)
{
	return !driver || !strcmp(driver, "offscreen") || !strcmp(driver, "dummy") || !strcmp(driver, "evdev");
}

static bool begin(struct viewer *v)
{
	v->SetMainReady();
	v->SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");	/* they are the machine's */
	v->SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
	if (v->Init(SDL_INIT_VIDEO))
		return false;
	if (!getenv("SDL_VIDEODRIVER") && nobody_sees(v->GetCurrentVideoDriver())) {
		snprintf(v->why, sizeof v->why, "there is no X or Wayland display");
		return false;
	}
	v->window = v->CreateWindow("cede", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, 640, 480, SDL_WINDOW_RESIZABLE);
	if (!v->window)
		return false;
	v->renderer = v->CreateRenderer(v->window, -1, 0);
	if (!v->renderer)
		return false;
	if (v->options.hide_cursor)
		v->ShowCursor(SDL_DISABLE);
	if (v->options.full_screen)
		set_full(v, true);
	return true;
}

static void end(struct viewer *v)
{
	if (v->texture)
		v->DestroyTexture(v->texture);
	if (v->renderer)
		v->DestroyRenderer(v->renderer);
	if (v->window)
		v->DestroyWindow(v->window);
	v->Quit();
}

static void tell_begun(struct viewer *v, bool ok)
{
	pthread_mutex_lock(&v->lock);
	v->has_begun = true;
	v->failed = !ok;
	if (!ok && !*v->why)
		snprintf(v->why, sizeof v->why, "%s", v->GetError());
	pthread_cond_signal(&v->begun);
	pthread_mutex_unlock(&v->lock);
}

static void *run(void *opaque)
{
	struct viewer *v = opaque;
	bool ok = begin(v);

	tell_begun(v, ok);
	while (ok && !__atomic_load_n(&v->ending, __ATOMIC_ACQUIRE)) {
		SDL_Event e;
		bool again = false;

		for (int more = v->WaitEventTimeout(&e, TICK_MS); more; more = v->PollEvent(&e))
			again |= handle(v, &e);
		refresh(v, again);
	}
	end(v);
	return NULL;
}

static void forget(struct viewer *v)
{
	free(v->copy);
	pthread_cond_destroy(&v->begun);
	pthread_mutex_destroy(&v->lock);
	if (v->handle)
		dlclose(v->handle);
	free(v);
}

struct viewer *window_open(struct canvas *c, const struct window_options *o, struct error *err)
{
	struct viewer *v = calloc(1, sizeof *v);

	if (!v) {
		error_set(err, "out of memory");
		return NULL;
	}
	v->canvas = c;
	v->options = *o;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->begun, NULL);
	if (!load(v, err)) {
		forget(v);
		return NULL;
	}
	if (thread_start(&v->thread, run, v)) {
		error_set(err, "-display sdl: there is no thread to be had");
		forget(v);
		return NULL;
	}
	pthread_mutex_lock(&v->lock);
	while (!v->has_begun)
		pthread_cond_wait(&v->begun, &v->lock);
	pthread_mutex_unlock(&v->lock);
	if (!v->failed)
		return v;
	error_set(err, "-display sdl: %s", v->why);
	pthread_join(v->thread, NULL);
	forget(v);
	return NULL;
}

bool window_close(struct viewer *v)
{
	if (!v)
		return true;
	__atomic_store_n(&v->ending, true, __ATOMIC_RELEASE);
	if (!thread_ends(v->thread))
		return false;
	forget(v);
	return true;
}

#else

struct viewer *window_open(struct canvas *c, const struct window_options *o, struct error *err)
{
	(void)c;
	(void)o;
	error_set(err, "-display sdl: this cede was built without SDL 2");
	return NULL;
}

bool window_close(struct viewer *v) { return !v; }

#endif

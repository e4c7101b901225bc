/* A server of VNC, by libvncserver, which is loaded with the first one. RFC 6143.
 *
 * Any number of viewers see the canvas and work the guest's keys. It listens where it is told to, on the loopback interface if
 * no host is named. Its thread alone calls the library. */
#include "machine/host/viewer.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "machine/host/block/thread.h"
#include "machine/host/keys.h"

#ifdef HAVE_LIBVNCSERVER
#include <rfb/rfb.h>

#define LIBRARY "libvncserver.so.1"

/* What is used of it. */
#define FUNCTIONS(F) \
	F(rfbGetScreen) F(rfbInitServer) F(rfbProcessEvents) F(rfbMarkRectAsModified) F(rfbNewFramebuffer) F(rfbShutdownServer) \
	F(rfbScreenCleanup) F(rfbLogEnable) F(rfbEncryptBytes) F(rfbStringToAddr)
#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(name) #name

#define TICK_US 20000			/* between two looks at the canvas */
#define MOST_WAIT_MS 250		/* for one that does not read, or sends half a message: all others wait meanwhile, as does cede's end */
#define WHEEL_UP   3
#define WHEEL_DOWN 4

struct vnc {
	void *handle;
#define MEMBER(name) __typeof__(&name) fn_##name;
	FUNCTIONS(MEMBER)
#undef MEMBER
	struct canvas *canvas;
	pthread_t thread;
	bool runs, ending;
	pthread_mutex_t lock;		/* of the password */
	int layout;			/* of the guest's keyboard */
	bool needs_password;
	char password[VNC_PASSWORD + 1];	/* "": nobody may come in yet */
	char title[160];
	/* Of the thread alone, once it runs. */
	rfbScreenInfoPtr screen;
	uint32_t *pixel;
	uint64_t shown_at;
	bool places;
};

/* What a viewer holds down. */
struct held {
	bool key[ACT_KEYS];
	int buttons;			/* as VNC has them, a bit each */
};

static bool load(struct vnc *v, struct error *err)
{
	bool all;

	v->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	all = v->handle;
#define FIND(name) all = all && (v->fn_##name = (__typeof__(v->fn_##name))dlsym(v->handle, TEXT(name)));
	FUNCTIONS(FIND)
#undef FIND
	if (!all)
		error_set(err, "-vnc needs " LIBRARY ": %.150s", dlerror());
	return all;
}

/* ---- What is shown ---- */

/* Pixels as the canvas has them: 0x00RRGGBB. */
static void set_format(rfbPixelFormat *format)
{
	format->redShift = 16;
	format->greenShift = 8;
	format->blueShift = 0;
}

static bool resize(struct vnc *v, unsigned width, unsigned height)
{
	uint32_t *pixel = calloc((size_t)width * height, sizeof *pixel);

	if (!pixel)
		return false;
	v->fn_rfbNewFramebuffer(v->screen, (char *)pixel, (int)width, (int)height, 8, 3, 4);
	set_format(&v->screen->serverFormat);
	free(v->pixel);
	v->pixel = pixel;
	v->shown_at = 0;
	return true;
}

static void refresh(struct vnc *v)
{
	const struct picture *p = canvas_lock(v->canvas);
	unsigned first = p->height, last = 0;

	v->places = p->places;
	if (p->at != v->shown_at && ((p->width == (unsigned)v->screen->width && p->height == (unsigned)v->screen->height) ||
				     resize(v, p->width, p->height))) {
		for (unsigned y = 0; y < p->height; y++)
			if (p->row_at[y] > v->shown_at) {
				memcpy(v->pixel + (size_t)y * p->width, p->pixel + (size_t)y * p->width, p->width * sizeof *p->pixel);
				first = y < first ? y : first;
				last = y + 1;
			}
		v->shown_at = p->at;
	}
	canvas_unlock(v->canvas);
	if (first < last)
		v->fn_rfbMarkRectAsModified(v->screen, 0, (int)first, v->screen->width, (int)last);
}

/* ---- What viewers do: called by the library, in the thread ---- */

static struct vnc *vnc_of(const rfbClientRec *client) { return client->screen->screenData; }

static void set_key(struct vnc *v, unsigned code, bool down)
{
	const struct act act = { .kind = ACT_KEY, .code = (uint8_t)code, .value = down };

	canvas_act(v->canvas, &act, 1);
}

/* A viewer says what is printed on a key. One that has no shift key to press, or no AltGr, means a key with it all the same. */
static void key_event(rfbBool down, rfbKeySym keysym, rfbClientPtr client)
{
	struct vnc *v = vnc_of(client);
	struct held *held = client->clientData;
	struct key_press press = key_by_keysym(v->layout, (uint32_t)keysym);
	unsigned shift = key_by_name("shift", 5), other = key_by_name("shift_r", 7), altgr = key_by_name("alt_r", 5);
	bool shifted = down && press.shift && !held->key[shift] && !held->key[other], third = down && press.altgr && !held->key[altgr];

	if (!press.code)
		return;
	if (shifted)
		set_key(v, shift, true);
	if (third)
		set_key(v, altgr, true);
	set_key(v, press.code, down);
	if (third)
		set_key(v, altgr, false);
	if (shifted)
		set_key(v, shift, false);
	held->key[press.code] = down;
}

static unsigned add_buttons(struct held *held, int mask, struct act *acts)
{
	static const uint8_t of[] = { BUTTON_LEFT, BUTTON_MIDDLE, BUTTON_RIGHT };
	int changed = mask ^ held->buttons;
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof of; i++)
		if (changed >> i & 1)
			acts[n++] = (struct act){ ACT_BUTTON, of[i], mask >> i & 1 };
	if (changed & mask & (1 << WHEEL_UP))
		acts[n++] = (struct act){ ACT_MOVE, 2, 1 };
	if (changed & mask & (1 << WHEEL_DOWN))
		acts[n++] = (struct act){ ACT_MOVE, 2, -1 };
	held->buttons = mask;
	return n;
}

/* Where the pointer is, if the guest takes that; a viewer does not say how it moves. */
static void pointer_event(int mask, int x, int y, rfbClientPtr client)
{
	struct vnc *v = vnc_of(client);
	struct act acts[ACTS];
	unsigned n = 0;

	if (v->places) {
		acts[n++] = (struct act){ ACT_PLACE, 0, act_place(x, (unsigned)v->screen->width) };
		acts[n++] = (struct act){ ACT_PLACE, 1, act_place(y, (unsigned)v->screen->height) };
	}
	n += add_buttons(client->clientData, mask, acts + n);
	canvas_act(v->canvas, acts, n);
}

/* What it held is let go. */
static void client_gone(rfbClientPtr client)
{
	struct vnc *v = vnc_of(client);
	struct held *held = client->clientData;
	struct act acts[ACTS];

	for (unsigned code = 1; code < ACT_KEYS; code++)
		if (held->key[code])
			set_key(v, code, false);
	canvas_act(v->canvas, acts, add_buttons(held, 0, acts));
	free(held);
	client->clientData = NULL;
}

static enum rfbNewClientAction client_new(rfbClientPtr client)
{
	client->clientData = calloc(1, sizeof(struct held));
	if (!client->clientData)
		return RFB_CLIENT_REFUSE;
	client->clientGoneHook = client_gone;
	return RFB_CLIENT_ACCEPT;
}

/* 7.2.2: the challenge, encrypted with the password. */
static rfbBool password_ok(rfbClientPtr client, const char *response, int len)
{
	struct vnc *v = vnc_of(client);
	char password[sizeof v->password];
	uint8_t wanted[CHALLENGESIZE];

	pthread_mutex_lock(&v->lock);
	memcpy(password, v->password, sizeof password);
	pthread_mutex_unlock(&v->lock);
	memcpy(wanted, client->authChallenge, sizeof wanted);
	v->fn_rfbEncryptBytes(wanted, password);
	return *password && len == CHALLENGESIZE && !memcmp(wanted, response, sizeof wanted);
}

/* ---- Its life ---- */

static void *run(void *opaque)
{
	struct vnc *v = opaque;

	while (!__atomic_load_n(&v->ending, __ATOMIC_ACQUIRE)) {
		v->fn_rfbProcessEvents(v->screen, TICK_US);
		refresh(v);
	}
	return NULL;
}

static bool serve(struct vnc *v, const struct vnc_options *o, struct error *err)
{
	const struct picture *p = canvas_lock(v->canvas);
	unsigned width = p->width, height = p->height;
	rfbScreenInfoPtr s;

	strncpy(v->title, p->title, sizeof v->title - 1);
	canvas_unlock(v->canvas);
	v->fn_rfbLogEnable(0);
	v->screen = s = v->fn_rfbGetScreen(NULL, NULL, (int)width, (int)height, 8, 3, 4);
	v->pixel = calloc((size_t)width * height, sizeof *v->pixel);
	if (!s || !v->pixel) {
		error_set(err, "out of memory");
		return false;
	}
	set_format(&s->serverFormat);
	s->frameBuffer = (char *)v->pixel;
	s->screenData = v;
	s->desktopName = v->title;
	s->cursor = NULL;		/* the library would draw one of its own */
	s->alwaysShared = TRUE;
	s->maxClientWait = MOST_WAIT_MS;
	s->port = o->port;
	s->ipv6port = s->httpPort = s->http6Port = 0;
	s->newClientHook = client_new;
	s->kbdAddEvent = key_event;
	s->ptrAddEvent = pointer_event;
	if (v->needs_password) {
		s->authPasswdData = v;
		s->passwordCheck = password_ok;
	}
	if (!v->fn_rfbStringToAddr((char *)(uintptr_t)o->host, &s->listenInterface)) {
		error_set(err, "-vnc: there is no host '%.60s' (of IPv4)", o->host);
		return false;
	}
	v->fn_rfbInitServer(s);
	if (s->listenSock == RFB_INVALID_SOCKET) {
		error_set(err, "-vnc: cannot listen on %.60s:%d", o->host, o->port);
		return false;
	}
	return true;
}

bool vnc_close(struct vnc *v)
{
	if (!v)
		return true;
	if (v->runs) {
		__atomic_store_n(&v->ending, true, __ATOMIC_RELEASE);
		if (!thread_ends(v->thread))
			return false;
	}
	if (v->screen) {
		v->fn_rfbShutdownServer(v->screen, TRUE);
		v->fn_rfbScreenCleanup(v->screen);
	}
	free(v->pixel);
	pthread_mutex_destroy(&v->lock);
	if (v->handle)
		dlclose(v->handle);
	free(v);
	return true;
}

struct vnc *vnc_open(struct canvas *c, const struct vnc_options *o, struct error *err)
{
	struct vnc *v = calloc(1, sizeof *v);

	if (!v) {
		error_set(err, "out of memory");
		return NULL;
	}
	v->canvas = c;
	v->needs_password = o->password;
	v->layout = o->layout;
	pthread_mutex_init(&v->lock, NULL);
	if (load(v, err) && serve(v, o, err)) {
		v->runs = !thread_start(&v->thread, run, v);
		if (v->runs)
			return v;
		error_set(err, "-vnc: there is no thread to be had");
	}
	vnc_close(v);
	return NULL;
}

bool vnc_set_password(struct vnc *v, const char *password)
{
	if (!v->needs_password)
		return false;
	pthread_mutex_lock(&v->lock);
	memset(v->password, 0, sizeof v->password);
	memcpy(v->password, password, strnlen(password, VNC_PASSWORD));
	pthread_mutex_unlock(&v->lock);
	return true;
}

#else

struct vnc *vnc_open(struct canvas *c, const struct vnc_options *o, struct error *err)
{
	(void)c;
	(void)o;
	error_set(err, "-vnc: this cede was built without libvncserver");
	return NULL;
}

bool vnc_close(struct vnc *v) { return !v; }
bool vnc_set_password(struct vnc *v, const char *password)
{
	(void)v;
	(void)password;
	return false;
}

#endif

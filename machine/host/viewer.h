/* Those who show a canvas to users: each in a thread of its own, where a library that is loaded for it does most of the work. */
#ifndef MACHINE_HOST_VIEWER_H
#define MACHINE_HOST_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/host/canvas.h"
#include "savevm/error.h"

struct viewer;

/* A window. It has its own keys, with Ctrl and Alt: F full screen, U as large as the picture, G takes the pointer and gives it
 * back, S writes the picture to cede-N.png in the working directory, P changes between the guest's picture and the dispatcher's. */
struct window_options {
	bool full_screen, no_close, hide_cursor;
};
struct viewer *window_open(struct canvas *c, const struct window_options *o, struct error *err);
/* False: its thread waits for somebody (an X server that does not answer), and keeps both viewer and canvas. True for NULL. */
bool window_close(struct viewer *v);

/* A server of VNC. `host`: a name or an address of IPv4. With `password` nobody comes in until one has been set. */
#define VNC_PASSWORD 8			/* characters that count */
struct vnc;
struct vnc_options {
	const char *host;
	int port;
	bool password;
	int layout;			/* keys.h: of the keyboard that the guest believes to have */
};
struct vnc *vnc_open(struct canvas *c, const struct vnc_options *o, struct error *err);
bool vnc_close(struct vnc *v);			/* likewise */
bool vnc_set_password(struct vnc *v, const char *password);	/* false: it wants none */

#endif

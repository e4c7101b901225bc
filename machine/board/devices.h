/* The classes of devices that there are, and those that a board gets. */
#ifndef MACHINE_BOARD_DEVICES_H
#define MACHINE_BOARD_DEVICES_H

#include <stdbool.h>
#include <stdio.h>

struct config;
struct device_class;
struct error;
struct machine;

/* Ended by NULL. */
extern const struct device_class *const device_classes[];

/* Makes the devices of the board and of -device: those that are made before the processors, or all others. False and
 * err->msg set: one could not be made; those before it are the machine's. */
bool board_devices_new(struct machine *m, bool early, struct error *err);

/* Is "DRIVER[,NAME=VALUE..]" a device that -device can make, as far as can be said without a machine? False and err->msg set. */
bool board_device_ok(const char *text, struct error *err);
/* No two devices stand at one place in the order in which firmware tries them. False and err->msg set: two do. */
bool board_boot_order_ok(const struct machine *m, struct error *err);
/* Its class; NULL: there is none. */
const struct device_class *board_device_class(const char *text);
/* Answers "help" and "DRIVER,help". False: `text` is neither. */
bool board_device_help(const char *text, FILE *out);

#endif

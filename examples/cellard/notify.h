/* Tells systemd how the service is (sd_notify(3)'s protocol: one datagram to a socket). */
#ifndef CELLARD_NOTIFY_H
#define CELLARD_NOTIFY_H

/* Does nothing when nobody asked to be told. */
void notify(const char *state);

#endif

/* A thread that works in short steps asks the scheduler for its turn soon after each wake-up. */
#ifndef CELLARD_TURN_H
#define CELLARD_TURN_H

/* For the calling thread; cheap to call again. Without effect before Linux 6.12. */
void turn_soon(void);

#endif

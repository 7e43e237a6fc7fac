/* A step in the life of an order, line by line: which units it is about. The same for who plans it
 * and for who applies it. */
#ifndef CELLAR_STORE_STEP_H
#define CELLAR_STORE_STEP_H

#include "store/content.h"
#include "store/store.h"

struct step {
    const struct content *content;
    const struct store_progress *progress; /* NULL: what the state says of all lines */
    uint32_t from;
    uint8_t event;                             /* cellar_order_event or payload_event */
    const struct payload_part_of_order *parts; /* in rising order of line */
    uint32_t part_count;                       /* 0: all that is left */
};

/* What the step does to one line. */
struct step_line {
    struct content_progress progress; /* before it */
    int64_t wanted;                   /* units the step asks for */
    int64_t left;                     /* units it may have */
    struct content_range range; /* units cancelled, leaving, or coming back; empty: none. Only when
                                   wanted <= left */
};
struct step_line step_line(const struct step *step, uint32_t line);
/* What has become of the line after the step. */
struct content_progress step_after(const struct step *step, const struct step_line *line);
/* The state that the step leads to, by what is left of the lines after it. */
uint32_t step_to(const struct step *step);
/* False: the event is not one of this state's. */
bool step_allowed(uint32_t from, uint8_t event);

#endif

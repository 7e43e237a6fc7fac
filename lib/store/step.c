#include "store/step.h"

#include "base/assert.h"

/* The table of the header, "State, Event": which events each state knows. */
bool step_allowed(uint32_t from, uint8_t event) {
    static const uint32_t events[STORE_STATE_COUNT] = {
        [CELLAR_ORDER_PLACED] = 1u << CELLAR_EVENT_PAY | 1u << CELLAR_EVENT_EXTEND |
                                1u << CELLAR_EVENT_CANCEL | 1u << PAYLOAD_EXPIRE,
        [CELLAR_ORDER_PAID] =
            1u << CELLAR_EVENT_FULFIL | 1u << CELLAR_EVENT_CANCEL | 1u << CELLAR_EVENT_RETURN,
        [CELLAR_ORDER_FULFILLED] = 1u << CELLAR_EVENT_RETURN,
    };
    return from < STORE_STATE_COUNT && event <= PAYLOAD_EXPIRE && (events[from] >> event & 1) != 0;
}

struct content_progress progress_of(const struct store_progress *progress, uint32_t state,
                                    uint32_t line, int64_t quantity) {
    if (progress != NULL) {
        struct content_progress told = progress->lines[line];
        if (state == CELLAR_ORDER_FULFILLED) {
            /* Not kept up by the step that let the last units leave. */
            told.fulfilled = quantity - told.cancelled;
        }
        return told;
    }
    switch (state) {
    case CELLAR_ORDER_FULFILLED:
        return (struct content_progress){.fulfilled = quantity};
    case CELLAR_ORDER_CANCELLED:
    case CELLAR_ORDER_EXPIRED:
        return (struct content_progress){.cancelled = quantity};
    default:
        return (struct content_progress){0};
    }
}

/* The quantity of the line among the parts. */
static int64_t step_part(const struct step *step, uint32_t line) {
    uint32_t low = 0;
    uint32_t high = step->part_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (step->parts[middle].line < line) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < step->part_count && step->parts[low].line == line ? step->parts[low].quantity : 0;
}

struct step_line step_line(const struct step *step, uint32_t line) {
    int64_t quantity = content_line(step->content, line).quantity;
    struct step_line made = {.progress = progress_of(step->progress, step->from, line, quantity)};
    const struct content_progress *before = &made.progress;
    int64_t open_end = quantity - before->cancelled;
    made.left = step->event == CELLAR_EVENT_RETURN ? before->fulfilled - before->returned
                                                   : open_end - before->fulfilled;
    made.wanted = step->part_count == 0 ? made.left : step_part(step, line);
    if (made.wanted > made.left) {
        return made;
    }
    switch (step->event) {
    case CELLAR_EVENT_FULFIL:
        made.range = (struct content_range){before->fulfilled, before->fulfilled + made.wanted};
        break;
    case CELLAR_EVENT_RETURN:
        made.range = (struct content_range){before->returned, before->returned + made.wanted};
        break;
    case CELLAR_EVENT_PAY:
        /* What is not paid for is cancelled. */
        made.range = (struct content_range){before->fulfilled + made.wanted, open_end};
        break;
    case CELLAR_EVENT_CANCEL:
    case PAYLOAD_EXPIRE:
        made.range = (struct content_range){open_end - made.wanted, open_end};
        break;
    default:
        break;
    }
    return made;
}

struct content_progress step_after(const struct step *step, const struct step_line *line) {
    struct content_progress after = line->progress;
    int64_t units = line->range.to - line->range.from;
    if (step->event == CELLAR_EVENT_FULFIL) {
        after.fulfilled += units;
    } else if (step->event == CELLAR_EVENT_RETURN) {
        after.returned += units;
    } else {
        after.cancelled += units;
    }
    return after;
}

uint32_t step_to(const struct step *step) {
    bool fulfilled = false;
    for (uint32_t i = 0; i < step->content->line_count; i++) {
        struct step_line line = step_line(step, i);
        struct content_progress after = step_after(step, &line);
        if (after.cancelled + after.fulfilled < content_line(step->content, i).quantity) {
            return step->event == CELLAR_EVENT_PAY ? CELLAR_ORDER_PAID : step->from;
        }
        fulfilled = fulfilled || after.fulfilled != 0;
    }
    if (step->event == PAYLOAD_EXPIRE) {
        return CELLAR_ORDER_EXPIRED;
    }
    return fulfilled ? CELLAR_ORDER_FULFILLED : CELLAR_ORDER_CANCELLED;
}

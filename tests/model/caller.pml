/* A thread of the host: a transaction, tried again until it commits or the disk is full, or one
 * read. */

/* Phases of resolve.pml. */
#define LOOK 1
#define LOAD 2
#define LOAD_VALUE 3
#define LOAD_AGAIN 4
#define PLANT 5
#define ABORT 6
#define MARK_SHORT 7
#define UNPLANT 8
/* Phases of callers. */
#define ENTER 0
#define THROUGH 9
#define ENSURE 10
#define RESERVE 11
#define PUBLISH 12
#define COPY 13
#define MARK 14
#define WAIT_SPACE 15
#define FETCH_STATE 16
#define FETCH_USE 17
#define REWIND 18
#define OVER 19
/* Phases of the log writer. */
#define NEXT 20
#define PASS_OVER 21
#define TAKE 22

/* What cell_load() is for. */
#define TO_READ 0
#define TO_CLAIM 1
#define TO_FINISH 2

inline resolved() {
    i = 0;
    c = 0;
    v = 0;
    x = 0;
    if
    :: at != top ->
        at = top;
        i = held;
        phase = LOOK
    :: else ->
        at = 0;
        held = 0;
        if
        :: role == LOG_WRITER -> phase = TAKE
        :: role != LOG_WRITER && top == my -> phase = MARK
        :: else -> c = reading; use = TO_READ; phase = LOAD
        fi;
        top = 0
    fi
}

/* resolve_finish() begins, or goes on to the next cell, the n-th update. */
inline finish_begin() {
    i = 0;
    finish_look()
}

inline finish_next() {
    i++;
    finish_look()
}

inline finish_look() {
    v = 0;
    x = 0;
    do
    :: i < 2 && !WRITES(at, CELL(at, i)) -> i++
    :: else -> break
    od;
    if
    :: i == 2 || IS_SHORT(at) -> resolved()
    :: else ->
        c = CELL(at, i);
        use = TO_FINISH;
        phase = LOAD
    fi
}

inline loaded_to_finish() {
    touch(id, at);
    assert(WORD_KIND(STATE(at)) != OPEN);
    if
    :: v == CLAIM(at) -> phase = UNPLANT
    :: else -> finish_next()
    fi
}

inline loaded_to_claim() {
    touch(id, at);
    if
    :: IS_SHORT(at) && v == PLAIN(at) ->
        phase = MARK_SHORT
    :: v == CLAIM(at) ->
        i++;
        v = 0;
        x = 0;
        phase = LOOK
    :: IS_CLAIM(v) && v != CLAIM(at) && !(DEFECT == ABORT_AT_CLAIM && IS_SHORT(at)) ->
        /* In the way: it is resolved first, then `top` goes on. */
        if
        :: at == top -> held = i
        :: else
        fi;
        at = LSN_OF(v);
        i = 0;
        v = 0;
        x = 0;
        phase = LOOK
    :: v == RECORD(at).expected[c] ->
        assert(x == RECORD(at).old[c]);
        phase = PLANT
    :: else ->
        v = 0;
        x = 0;
        phase = ABORT
    fi
}

#define IS_TRANSACTION(role) (role <= REVERSED)
#define FIRST_CELL(role) (role == ADD -> 1 : 0)
#define LAST_CELL(role) (role == RAISE -> 0 : 1)
#define LINES(role) (role == WIDE -> 2 : 1)

/* A read has its result: {x, v}, unclaimed. */
inline read_done() {
    assert(!IS_CLAIM(v));
    if
    :: IS_TRANSACTION(role) ->
        seen[c] = v;
        held_value[c] = x;
        if
        :: c == LAST_CELL(role) -> c = 0; phase = RESERVE
        :: else -> c++; phase = LOAD
        fi;
        reading = c
    :: role == SNAPSHOT ->
#if HAS(SNAPSHOT)
        if
        :: LSN_OF(v) >= my && DEFECT != NOT_REWOUND -> phase = REWIND
        :: else ->
            assert(x == WAS(c, my));
            if
            :: c == 0 -> c = 1; phase = LOAD
            :: else -> c = 0; my = 0; leave(id); phase = OVER
            fi;
            reading = c
        fi
#else
        assert(false)
#endif
    :: else ->
        /* Linearizable: what was returned held at some instant of the call. */
        assert(LSN_OF(v) >= since);
        assert(LSN_OF(v) <= last_lsn[c]);
#if HAS(READ)
        assert(x == WROTE(c, LSN_OF(v)));
#endif
        since = 0;
        c = 0;
        reading = 0;
        leave(id);
        phase = OVER
    fi;
    if
    :: phase != REWIND -> v = 0; x = 0
    :: else
    fi
}

inline loaded_to_read() {
    if
    :: !IS_CLAIM(v) && SHORTCUT && DEFECT != NOT_MARKED && v > 0 && IS_TRANSACTION(role) ->
        phase = ENSURE
    :: !IS_CLAIM(v) && !(SHORTCUT && DEFECT != NOT_MARKED && v > 0 && IS_TRANSACTION(role)) ->
        read_done()
    :: IS_CLAIM(v) && (role == SETTLE || (IS_TRANSACTION(role) && !READS_THROUGH)) ->
        top = LSN_OF(v);
        at = top;
        v = 0;
        x = 0;
        c = 0;
        phase = LOOK
    :: else ->
        phase = THROUGH
    fi
}

/* commit_write(). The lines of a record are nobody else's from its reservation on, and until OPEN
 * nobody looks at them; so copying and publishing are one step. Of an owner that was passed over the
 * copying is kept: it writes into its lines as late as it can. */
inline copy() {
    assert(my >= reclaimed);
    assert(my + LINES(role) <= reclaimed + RING);
    if
    :: LINES(role) == 2 -> RECORD(my + 1).lsn = 0
    :: else
    fi;
    RECORD(my).lsn = my;
    RECORD(my).lines = LINES(role);
    RECORD(my).reads = (FIRST_CELL(role) == 0) + 2 * (LAST_CELL(role) == 1);
    RECORD(my).cells = RECORD(my).reads;
    RECORD(my).reversed = (role == REVERSED);
    RECORD(my).expected[0] = seen[0];
    RECORD(my).expected[1] = seen[1];
    RECORD(my).old[0] = held_value[0];
    RECORD(my).old[1] = held_value[1];
    RECORD(my).new[0] = held_value[0];
    RECORD(my).new[1] = held_value[1];
    if
    :: role == RAISE -> RECORD(my).new[0] = held_value[0] + 1
    :: role == MOVE || role == WIDE || role == REVERSED -> RECORD(my).new[0] = held_value[0] - 1
    :: else
    fi;
    if
    :: role != RAISE -> RECORD(my).new[1] = held_value[1] + 1
    :: else
    fi;
#if DEFECT == MERELY_READ
    if
    :: role == VALIDATE -> RECORD(my).cells = 2
    :: else
    fi;
#endif
    seen[0] = 0;
    seen[1] = 0;
    held_value[0] = 0;
    held_value[1] = 0
}

inline resolve_own() {
    top = my;
    at = my;
    phase = LOOK
}

#define LOADED_TO_READ loaded_to_read()

proctype Caller(byte id; byte role) {
    byte phase = ENTER;
    byte i, c, v, x, use, top, held, at, my, reading, since, commits;
    byte seen[2], held_value[2];

    /* Any cell; any record. */
    if
    :: role == READ || role == SETTLE -> reading = 0
    :: role == READ || role == SETTLE -> reading = 1
    :: role == FETCH -> my = 1
    :: role == FETCH && LAST > 1 -> my = 2
    :: role == FETCH && LAST > 2 -> my = 3
    :: role == FETCH && LAST > 3 -> my = 4
    :: IS_TRANSACTION(role) -> reading = FIRST_CELL(role)
    :: role == SNAPSHOT
    fi;
    do
    /* Entering and the first load are one step: between them the section holds nothing yet. */
    :: d_step {
           phase == ENTER && role != FETCH ->
           enter(id);
           if
           :: role == SNAPSHOT -> my = decided
           :: role == READ || role == SETTLE -> since = last_lsn[reading]
           :: else -> reading = FIRST_CELL(role)
           fi;
           c = reading;
           use = TO_READ;
           phase = LOAD
       }
#include "resolve.pml"
    /* read_claimed(). */
    :: d_step {
           phase == THROUGH ->
           touch(id, LSN_OF(v));
           assert(WRITES(LSN_OF(v), c));
           if
           :: WORD_KIND(STATE(LSN_OF(v))) == COMMITTED && DEFECT != READ_OLD ->
               x = RECORD(LSN_OF(v)).new[c];
               v = PLAIN(LSN_OF(v))
           :: else ->
               assert(x == RECORD(LSN_OF(v)).old[c]);
               v = RECORD(LSN_OF(v)).expected[c]
           fi;
           read_done()
       }
#if SHORTCUT
    /* Who builds on a version sees to it first that its record is marked. The state word is looked
     * at without care for reclaim: it says whose it is. */
    :: d_step {
           phase == ENSURE ->
           if
           :: STATE(LSN_OF(v)) == WORD(LSN_OF(v), OPEN) ->
               STATE(LSN_OF(v)) = WORD(LSN_OF(v), COMMITTED)
           :: else
           fi;
           read_done()
       }
#endif
    /* space_reserve(). */
    :: d_step {
           phase == RESERVE ->
           if
           :: reserved + LINES(role) <= LIMIT ->
               my = reserved;
               reserved = reserved + LINES(role);
               phase = PUBLISH
           :: else ->
               seen[0] = 0;
               seen[1] = 0;
               held_value[0] = 0;
               held_value[1] = 0;
               leave(id);
               phase = (reserved + LINES(role) > LAST + 1 -> OVER : WAIT_SPACE)
           fi
       }
    /* commit_wait_space(), outside the section. */
    :: d_step {
           phase == WAIT_SPACE &&
               (reserved + LINES(role) <= LIMIT || reserved + LINES(role) > LAST + 1) ->
           phase = ENTER
       }
    :: d_step {
           phase == PUBLISH ->
#if DEFECT != PUBLISH_BEFORE_COPY
           copy();
#endif
           if
           :: WORD_LSN(STATE(my)) != my || DEFECT == PUBLISH_BY_STORE ->
               STATE(my) = WORD(my, OPEN);
#if DEFECT == PUBLISH_BEFORE_COPY
               phase = COPY
#else
               resolve_own()
#endif
           :: else ->
               assert(WORD_KIND(STATE(my)) == DEAD);
               my = 0;
               seen[0] = 0;
               seen[1] = 0;
               held_value[0] = 0;
               held_value[1] = 0;
               leave(id);
               phase = ENTER
           fi
       }
#if DEFECT == PUBLISH_BEFORE_COPY
    :: d_step {
           phase == COPY ->
           copy();
           resolve_own()
       }
#endif
    /* The owner marks the record FINISHED, looks at what became of it, and leaves its section: the
     * ring is not looked at in between. */
    :: d_step {
           phase == MARK ->
           touch(id, my);
           if
           :: WORD_KIND(STATE(my)) == COMMITTED ->
               if
               :: role == ADD || role == RAISE || role == VALIDATE -> units_added++
               :: else
               fi;
               commits++;
               phase = (commits == COMMITS -> OVER : ENTER)
           :: else ->
               assert(WORD_KIND(STATE(my)) == ABORTED);
               phase = ENTER
           fi;
           STATE(my) = STATE(my) + FINISHED;
           my = 0;
           leave(id)
       }
#if HAS(FETCH)
    /* commit_record(): above `retiring` and reserved ... */
    :: d_step {
           phase == ENTER && role == FETCH ->
           enter(id);
           if
           :: (my < retiring && DEFECT != FETCH_UNRETIRED) || my < reclaimed || my >= reserved ->
               leave(id); my = 0; phase = OVER
           :: else -> phase = FETCH_STATE
           fi
       }
    /* ... and published and committed ... */
    :: d_step {
           phase == FETCH_STATE ->
           if
           :: WORD_LSN(STATE(my)) == my && WORD_KIND(STATE(my)) == COMMITTED ->
               phase = FETCH_USE
           :: else -> leave(id); my = 0; phase = OVER
           fi
       }
    /* ... then it stays there as long as the section. */
    :: d_step {
           phase == FETCH_USE ->
           touch(id, my);
           my = 0;
           leave(id);
           phase = OVER
       }
#endif
#if HAS(SNAPSHOT)
    /* commit_read_at(): one record back. */
    :: d_step {
           phase == REWIND ->
           touch(id, LSN_OF(v));
           x = RECORD(LSN_OF(v)).old[c];
           v = RECORD(LSN_OF(v)).expected[c];
           read_done()
       }
#endif
    :: d_step {
           phase == OVER ->
           callers_done++;
           use = 0;
           commits = 0;
           reading = 0
       };
       break
    od
}

#undef LOADED_TO_READ

/* Does the commit protocol of lib/commit hold in every interleaving of a few threads?
 *
 * A model for spin of what the code does, step by step: one step for each access to memory that
 * threads share, in the order of the code, under sequential consistency. Where two accesses are one
 * step, a comment says why nothing is lost. docs/CONCURRENCY.md ("The model") tells what is covered
 * and what is not; tests/model/run.sh has the configurations and runs them.
 *
 *   commit.pml   the shared memory, the checks, the reclaiming thread
 *   resolve.pml  resolve_record(): included by everyone who may help
 *   caller.pml   threads of the host: transactions and readers
 *   writer.pml   the log writer
 *
 * Checked in every state: no access to a record or state word after its space was given back; a
 * record is decided once; at the instant of its decision it holds all its claims, and its expected
 * versions and old values are those of the last commit; along every cell LSNs grow. Checked by the
 * log writer, for each record it logs: executing the log in the order of LSNs meets exactly the
 * versions that were read. Checked at the end: nobody waits, no claim is left, the cells hold what
 * the callers were told. */

/* ---- The configuration, from the command line ---- */

/* Lines of the ring, and the last line that the disk has space for. */
#ifndef RING
#define RING 3
#endif
#ifndef LAST
#define LAST 3
#endif
/* How many callers there are, and the role of each. */
#ifndef CALLERS
#define CALLERS 2
#endif
#ifndef CALLER_0
#define CALLER_0 MOVE
#endif
#ifndef CALLER_1
#define CALLER_1 MOVE
#endif
#ifndef CALLER_2
#define CALLER_2 SETTLE
#endif
#ifndef CALLER_3
#define CALLER_3 SETTLE
#endif
/* How often each transaction is to be committed. */
#ifndef COMMITS
#define COMMITS 1
#endif
/* 1: cell_load() in its three steps. 0: in one, which is the same as long as a version determines
 * the value; that is asserted in both. */
#ifndef SPLIT
#define SPLIT 0
#endif
/* 1: the log writer may pass over what is not published, at any moment. */
#ifndef PASSES_OVER
#define PASSES_OVER 0
#endif
/* 1: transactions read claimed cells through the record instead of helping. */
#ifndef READS_THROUGH
#define READS_THROUGH 0
#endif
/* 1: a record of one cell is not claimed but swapped in (not what lib/commit does). */
#ifndef SHORTCUT
#define SHORTCUT 0
#endif
/* Grace periods before space is given back: 2 is right. */
#ifndef GRACE_PERIODS
#define GRACE_PERIODS 2
#endif
/* A change to make, one of those below. */
#ifndef DEFECT
#define DEFECT 0
#endif
/* Defects: each must be found. */
#define NO_CLEAN_UP 1         /* a helper leaves what it planted too late */
#define PUBLISH_BEFORE_COPY 2 /* OPEN is visible before the record is */
#define SWAP_UNSEEN 3         /* a claim that could not be swapped in counts as one */
#define ABORT_BY_STORE 4      /* ABORTED without looking whether it is still OPEN */
#define PUBLISH_BY_STORE 5    /* the publisher does not look for DEAD */
#define DEAD_BY_STORE 6       /* the log writer does not look for OPEN */
#define MERELY_READ 7         /* rule 1: a cell that was read is not written */
#define FETCH_UNRETIRED 8     /* commit_record() looks at `reclaimed`, not at `retiring` */
#define NOT_MARKED 9          /* shortcut: who builds on a version does not mark its record */
#define ABORT_AT_CLAIM 10     /* shortcut: a claim met counts as a conflict */
#define PLANT_BY_STORE 11     /* a claim is stored, not swapped in */
#define FINISH_UNSEEN 12      /* the finishing swap does not look for the claim */
#define LOAD_TORN 13          /* cell_load() does not look at the version again */
#define READ_OLD 14           /* commit_read() takes the old value of a claimed cell */
#define NOT_REWOUND 15        /* commit_read_at() takes what it finds */
/* Not defects: what the code does beyond what is checked here. */
#define DECIDE_BY_STORE 20 /* COMMITTED without looking whether it is still OPEN */
#define CLAIMS_LEFT 21     /* the log writer does not finish what is decided but not FINISHED */
#define RETIRE_LATE 22     /* `retiring` is raised after the first grace period, before the second */

/* Roles of callers: transactions ... */
#define MOVE 1     /* one unit from cell 0 to cell 1 */
#define ADD 2      /* one unit to cell 1 */
#define RAISE 3    /* one unit to cell 0 */
#define VALIDATE 4 /* one unit to cell 1, having read cell 0, which keeps its value */
#define WIDE 5     /* MOVE with a record of two lines */
#define REVERSED 6 /* MOVE that claims against the global order (rule 5): must be found */
/* ... and readers. */
#define READ 7      /* commit_read() of one cell */
#define SETTLE 8    /* commit_read_settled() of one cell: helps */
#define FETCH 9     /* commit_record() of any LSN */
#define SNAPSHOT 10 /* commit_read_at() of both cells */
#define LOG_WRITER 11

#define HAS(a) (CALLER_0 == a || (CALLERS > 1 && CALLER_1 == a) || (CALLERS > 2 && CALLER_2 == a) || \
                (CALLERS > 3 && CALLER_3 == a))

/* ---- Shared memory ---- */

#define START 9 /* units in cell 0 at first */

byte value[2];
byte version[2]; /* twice the LSN, and one more while claimed */
#define PLAIN(lsn) ((lsn) * 2)
#define CLAIM(lsn) ((lsn) * 2 + 1)
#define IS_CLAIM(v) ((v) % 2 == 1)
#define LSN_OF(v) ((v) / 2)

typedef record {
    byte lsn;   /* 0: overwritten by another line of some record */
    byte lines;
    byte cells; /* bit of each cell it writes */
    byte reads; /* bit of each cell that was read; what it writes, but for MERELY_READ */
    bit reversed;
    byte expected[2];
    byte old[2];
    byte new[2]
}
record ring[RING];
byte state[RING]; /* full LSN and state; never cleared, as in the code */
#define RECORD(lsn) ring[(lsn) % RING]
#define STATE(lsn) state[(lsn) % RING]
#define WRITES(lsn, cell) ((RECORD(lsn).cells >> (cell)) % 2 == 1)
#define READS(lsn, cell) ((RECORD(lsn).reads >> (cell)) % 2 == 1)
#define IS_SHORT(lsn) (SHORTCUT && RECORD(lsn).cells != 3)
/* The cell of the record's n-th update. */
#define CELL(lsn, n) (RECORD(lsn).reversed -> 1 - (n) : (n))

#define FREE 0
#define OPEN 1
#define COMMITTED 2
#define ABORTED 3
#define DEAD 4
#define FINISHED 8
#define WORD(lsn, kind) ((lsn) * 16 + (kind))
#define WORD_LSN(word) ((word) / 16)
#define WORD_KIND(word) ((word) % 8)
#define WORD_FINISHED(word) ((word) % 16 >= FINISHED)

byte reserved = 1;
byte decided = 1; /* `written` as well, see writer.pml */
byte retiring = 1;
byte reclaimed = 1;
/* `disk_end` is LAST + 1. */
#define LIMIT (reclaimed + RING < LAST + 1 -> reclaimed + RING : LAST + 1)

/* Read sections: a bit for each thread that is in one, and for each whose section the grace period
 * under way waits for. */
byte inside;
byte awaited;
#define BIT(id) (1 << (id))

inline enter(id) {
    assert((inside & BIT(id)) == 0);
    inside = inside | BIT(id)
}

inline leave(id) {
    inside = inside & (255 - BIT(id));
    awaited = awaited & (255 - BIT(id))
}

/* ---- What the checks know: no thread looks at it ---- */

byte last_lsn[2];   /* of the last commit that changed the cell, at this instant */
byte last_value[2];
byte log_lsn[2];    /* the same after the part of the log that has been written */
byte log_value[2];
byte units_added;   /* by callers that were told so */
byte callers_done;
#if HAS(READ)
byte wrote[2 * (LAST + 1)]; /* value of each version of each cell */
#define WROTE(cell, lsn) wrote[(cell) * (LAST + 1) + (lsn)]
#endif
#if HAS(SNAPSHOT)
byte was[2 * (LAST + 2)]; /* value of each cell after the log below a position */
#define WAS(cell, lsn) was[(cell) * (LAST + 2) + (lsn)]
#endif
hidden byte n; /* of the checks' own loops */

/* Guarantee E: the record at `lsn` is about to be looked at. */
inline touch(id, record_lsn) {
    assert((inside & BIT(id)) != 0);
    assert(record_lsn >= reclaimed);
    assert(RECORD(record_lsn).lsn == record_lsn);
    assert(WORD_LSN(STATE(record_lsn)) == record_lsn);
    assert(WORD_KIND(STATE(record_lsn)) != DEAD)
}

/* Guarantees A, B, C: the transaction happens now. */
inline happen(record_lsn) {
    n = 0;
    do
    :: n < 2 ->
        if
        :: WRITES(record_lsn, n) ->
            assert(IS_SHORT(record_lsn) || version[n] == CLAIM(record_lsn));
            assert(RECORD(record_lsn).expected[n] == PLAIN(last_lsn[n]));
            assert(RECORD(record_lsn).old[n] == last_value[n]);
            assert(record_lsn > last_lsn[n]);
            last_lsn[n] = record_lsn;
            last_value[n] = RECORD(record_lsn).new[n];
#if HAS(READ)
            WROTE(n, record_lsn) = last_value[n];
#endif
        :: else
        fi;
        n++
    :: else -> break
    od;
    n = 0
}

#include "caller.pml"
#include "writer.pml"

/* ---- reclaim.c ---- */

/* Nobody may look at what was given back (touch() sees to it), so what it was makes no difference:
 * fewer states. The state word stays, as in the code. */
inline wipe(record_lsn) {
    RECORD(record_lsn).lsn = 0;
    RECORD(record_lsn).lines = 0;
    RECORD(record_lsn).cells = 0;
    RECORD(record_lsn).reads = 0;
    RECORD(record_lsn).reversed = 0;
    n = 0;
    do
    :: n < 2 ->
        RECORD(record_lsn).expected[n] = 0;
        RECORD(record_lsn).old[n] = 0;
        RECORD(record_lsn).new[n] = 0;
        n++
    :: else -> break
    od;
    n = 0
}

/* The code steps when somebody waits for space or a quarter of the ring can be had; here whenever
 * there is anything to give back. Reading the frontier, raising `retiring` and the beginning of the
 * grace period are one step: a section that is entered between them is waited for, and what is
 * written between them is left for the next time, so apart they would only give back less. */
active proctype Reclaimer() {
    byte first;
    byte second;
end:
    do
    :: d_step {
           decided > reclaimed ->
           second = retiring;
           first = decided;
#if DEFECT != RETIRE_LATE
           retiring = first;
#endif
#if GRACE_PERIODS > 0
           awaited = inside
#endif
       };
       d_step {
           awaited == 0 ->
           retiring = first;
#if GRACE_PERIODS == 2
           first = second;
#endif
           do
           :: reclaimed < first -> wipe(reclaimed); reclaimed++
           :: else -> break
           od;
           first = 0;
           second = 0
       }
    od
}

init {
    atomic {
        value[0] = START;
        last_value[0] = START;
        log_value[0] = START;
#if HAS(READ)
        WROTE(0, 0) = START;
#endif
#if HAS(SNAPSHOT)
        WAS(0, 1) = START;
#endif
        run Caller(0, CALLER_0);
#if CALLERS > 1
        run Caller(1, CALLER_1);
#endif
#if CALLERS > 2
        run Caller(2, CALLER_2);
#endif
#if CALLERS > 3
        run Caller(3, CALLER_3);
#endif
        run Writer(CALLERS, LOG_WRITER)
    };
    /* When nobody has anything left to do. */
    timeout ->
    d_step {
        assert(callers_done == CALLERS);
        assert(inside == 0);
        assert(decided == reserved);
        n = 0;
        do
        :: n < 2 ->
            assert(version[n] == PLAIN(last_lsn[n]));
            assert(value[n] == last_value[n]);
            assert(log_lsn[n] == last_lsn[n]);
            assert(log_value[n] == last_value[n]);
            n++
        :: else -> break
        od;
        n = 0;
        assert(value[0] + value[1] == START + units_added)
    }
}

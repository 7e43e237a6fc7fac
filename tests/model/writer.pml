/* The log writer: commit_decide(), commit_pass_over(), and the replay of what it takes. */

/* Below `at_lsn` nobody publishes any more. */
#define IS_PUBLISHED(at_lsn) (WORD_LSN(STATE(at_lsn)) == at_lsn)

/* Guarantee B: executed in the order of the log, a committed record meets the versions and values
 * it has read. */
inline replay(record_lsn) {
    n = 0;
    do
    :: n < 2 ->
        if
        :: READS(record_lsn, n) ->
            assert(RECORD(record_lsn).expected[n] == PLAIN(log_lsn[n]));
            assert(RECORD(record_lsn).old[n] == log_value[n])
        :: else
        fi;
        if
        :: WRITES(record_lsn, n) ->
            log_lsn[n] = record_lsn;
            log_value[n] = RECORD(record_lsn).new[n]
        :: else
        fi;
        n++
    :: else -> break
    od;
    n = 0
}

/* `written` moves with `decided`. In the code it follows later, which only keeps space back for
 * longer; the reclaiming thread may be as slow as it likes here, too. */
inline advance(to_lsn) {
    decided = to_lsn;
#if HAS(SNAPSHOT)
    WAS(0, decided) = log_value[0];
    WAS(1, decided) = log_value[1]
#endif
}

#define LOADED_TO_READ assert(false)

proctype Writer(byte id; byte role) {
    byte phase = NEXT;
    byte i, c, v, x, use, top, held, at;
    byte my, reading; /* Never set: it commits nothing and reads nothing. */
    byte gap_end;
end:
    do
    :: d_step {
           phase == NEXT && decided != reserved && IS_PUBLISHED(decided) ->
           assert(WORD_KIND(STATE(decided)) != DEAD);
           enter(id);
           if
           :: WORD_KIND(STATE(decided)) == OPEN ->
               top = decided;
               at = decided;
               phase = LOOK
           :: WORD_KIND(STATE(decided)) != OPEN && !WORD_FINISHED(STATE(decided)) &&
               DEFECT != CLAIMS_LEFT ->
               top = decided;
               at = decided;
               finish_begin()
           :: else ->
               phase = TAKE
           fi
       }
#include "resolve.pml"
    /* commit_decide() leaves its section before the record is copied: nothing is given back beyond
     * `written`. */
    :: d_step {
           phase == TAKE ->
           touch(id, decided);
           leave(id);
           assert(WORD_KIND(STATE(decided)) != OPEN);
           if
           :: WORD_KIND(STATE(decided)) == COMMITTED -> replay(decided)
           :: else
           fi;
           advance(decided + RECORD(decided).lines);
           use = 0;
           phase = NEXT
       }
#if PASSES_OVER
    /* Out of patience: the gap goes to the next published record, or to what is reserved now. */
    :: d_step {
           phase == NEXT && decided != reserved && !IS_PUBLISHED(decided) ->
           top = decided;
           gap_end = reserved;
           phase = PASS_OVER
       }
    /* A line. The load and the swap are one step: the swap fails when the record was published in
     * between, and then the gap ends as if that had been seen at once. */
    :: d_step {
           phase == PASS_OVER ->
           if
           :: top < gap_end && (DEFECT == DEAD_BY_STORE || !IS_PUBLISHED(top)) ->
               assert(DEFECT == DEAD_BY_STORE || WORD_LSN(STATE(top)) < top);
               STATE(top) = WORD(top, DEAD);
               top++
           :: else ->
               advance(top);
               top = 0;
               gap_end = 0;
               phase = NEXT
           fi
       }
#endif
    od
}

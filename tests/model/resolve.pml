/* resolve.c, as the options of a loop over `phase`. Whoever includes it has
 *   top      the record to resolve, and `held`: how many of its claims are known to be in place
 *   at       the record at hand: `top`, or one that is in the way
 *   i, c     number of the update at hand, and its cell
 *   v, x     what cell_load() found there; `use`: what for
 *   my       the caller's own record, 0 if it has none; `id`: the number of its section
 * and defines LOADED_TO_READ. */

/* resolve_claim(): one round of its loop begins. */
:: d_step {
       phase == LOOK ->
       touch(id, at);
       do
       :: i < 2 && !WRITES(at, CELL(at, i)) -> i++
       :: else -> break
       od;
       if
       :: i == 2 ->
           /* All claimed. The code does not look at the state first; the swap does. */
#if DEFECT == DECIDE_BY_STORE
           if
           :: WORD_KIND(STATE(at)) != COMMITTED -> happen(at)
           :: else
           fi;
           STATE(at) = WORD(at, COMMITTED);
#else
           if
           :: STATE(at) == WORD(at, OPEN) -> STATE(at) = WORD(at, COMMITTED); happen(at)
           :: else
           fi;
#endif
           finish_begin()
       :: i < 2 && STATE(at) == WORD(at, OPEN) ->
           use = TO_CLAIM;
           c = CELL(at, i);
           phase = LOAD
       :: else ->
#if DEFECT == NO_CLEAN_UP
           if
           :: i > 0 && at != my -> resolved()
           :: else -> finish_begin()
           fi
#else
           finish_begin()
#endif
       fi
   }
/* cell_load(). What is done with the result touches nothing shared, so it is in the same step. */
:: d_step {
       phase == LOAD ->
       v = version[c];
#if SPLIT
       phase = LOAD_VALUE
   }
:: d_step {
       phase == LOAD_VALUE ->
       x = value[c];
       phase = LOAD_AGAIN
   }
:: d_step {
       phase == LOAD_AGAIN && version[c] != v && DEFECT != LOAD_TORN ->
       v = version[c];
       phase = LOAD_VALUE
   }
:: d_step {
       phase == LOAD_AGAIN && (version[c] == v || DEFECT == LOAD_TORN) ->
#else
       x = value[c];
#endif
       if
       :: use == TO_CLAIM -> loaded_to_claim()
       :: use == TO_FINISH -> loaded_to_finish()
       :: else -> LOADED_TO_READ
       fi
   }
/* cell_swap() of the claim; in a short record, of the final value. */
:: d_step {
       phase == PLANT ->
       touch(id, at);
#if DEFECT != PLANT_BY_STORE
       if
       :: version[c] == v && value[c] == x ->
#endif
           if
           :: IS_SHORT(at) ->
               happen(at);
               value[c] = RECORD(at).new[c];
               version[c] = PLAIN(at)
           :: else ->
               version[c] = CLAIM(at);
               i++
           fi
#if DEFECT == SWAP_UNSEEN
       :: else -> i++
       fi
#elif DEFECT != PLANT_BY_STORE
       :: else
       fi
#endif
       ;
       v = 0;
       x = 0;
       phase = LOOK
   }
/* A version that is neither expected nor a claim. */
:: d_step {
       phase == ABORT ->
       touch(id, at);
#if DEFECT == ABORT_BY_STORE
       STATE(at) = WORD(at, ABORTED);
#else
       if
       :: STATE(at) == WORD(at, OPEN) -> STATE(at) = WORD(at, ABORTED)
       :: else
       fi;
#endif
       /* A short record whose value went in has happened. */
       assert(!IS_SHORT(at) || WORD_KIND(STATE(at)) != ABORTED || last_lsn[c] != at);
       finish_begin()
   }
/* A short record is in its cell: marks it. */
:: d_step {
       phase == MARK_SHORT ->
       touch(id, at);
       assert(WORD_KIND(STATE(at)) != ABORTED);
       if
       :: STATE(at) == WORD(at, OPEN) -> STATE(at) = WORD(at, COMMITTED)
       :: else
       fi;
       finish_begin()
   }
/* cell_swap() of resolve_finish(). The state is that which the code read before its loop: the kind
 * does not change once decided, which happen() and the writer's replay would notice. */
:: d_step {
       phase == UNPLANT ->
       touch(id, at);
       if
       :: DEFECT == FINISH_UNSEEN || (version[c] == v && value[c] == x) ->
           if
           :: WORD_KIND(STATE(at)) == COMMITTED ->
               value[c] = RECORD(at).new[c];
               version[c] = PLAIN(at)
           :: else ->
               version[c] = RECORD(at).expected[c]
           fi
       :: else
       fi;
       finish_next()
   }

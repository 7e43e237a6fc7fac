/* Included before everything else in what the simulation compiles of the library: each shared
 * access may switch to another simulated thread, and says where it stands. */
#ifndef CELLAR_TESTS_SIM_POINT_H
#define CELLAR_TESTS_SIM_POINT_H

void sim_point(const char *file, int line);
#define CELLAR_SCHEDULE_POINT() sim_point(__FILE__, __LINE__)

#endif

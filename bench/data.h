/* Where the benchmark writes: a directory of this process below build/bench-data/, removed at the
 * end. */
#ifndef BENCH_DATA_H
#define BENCH_DATA_H

#include <stdbool.h>
#include <stdint.h>

#define DATA_ROOT "build/bench-data"
#define DATA_PATH_BYTES 256
/* What the largest case writes, and as much again for segments prepared ahead. */
#define DATA_FREE_BYTES_MIN (UINT64_C(4) << 30)

/* Makes the directory; says on stderr why it cannot. */
bool data_start(void);
void data_end(void);
/* The path of `name` in it. */
void data_path(char path_out[DATA_PATH_BYTES], const char *name);
/* Removes a file or a whole tree; nothing there is fine. */
void data_remove(const char *path);
/* The bytes of all files in one directory. */
uint64_t data_bytes(const char *directory);
/* Reads all files in one directory once; the bytes read, 0 on failure. */
uint64_t data_read(const char *directory);

#endif
